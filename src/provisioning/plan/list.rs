//! Which elements of two lists belong together, so that an insertion doesn't mark everything behind it.
//!
//! Elements that are equal and in the same order are each other's. Of the objects between them those of the same name (or
//! key, or id) are; of the rest what was and what is belong together by their order where both are objects or lists, or
//! where there are as many of the one as of the other.
//!
//! `show -json` doesn't tell a set from a list. Terraform writes a set in an order that its elements alone decide: two
//! lists with the same elements in another order are lists, and their order has changed. So that is shown.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::half::Half;

/// Longer ones are compared by place: the time it takes grows with the square.
const LONGEST: usize = 4_000;

/// Places of an element before and after.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// The pairs, in order.
pub(super) fn pairs(before: &Half<'_>, after: &Half<'_>) -> Vec<Pair> {
    let mut ids = HashMap::new();
    let (old, new) = (identities(before, &mut ids), identities(after, &mut ids));
    let same = |(a, b): &(&usize, &usize)| a == b;
    let head = old.iter().zip(&new).take_while(same).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
    let mut pairs: Vec<Pair> = (0..head).map(|at| (Some(at), Some(at))).collect();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    if old_end + new_end - 2 * head > LONGEST {
        pairs.extend(by_place(head..old_end, head..new_end));
    } else {
        for op in capture_diff_slices(Algorithm::Myers, &old[head..old_end], &new[head..new_end]) {
            let (was, is) = (op.old_range(), op.new_range());
            let (was, is) = (was.start + head..was.end + head, is.start + head..is.end + head);
            match op {
                DiffOp::Replace { .. } => pairs.extend(replaced(before, after, &was, &is)),
                _ => pairs.extend(by_place(was, is)),
            }
        }
    }
    pairs.extend((0..tail).map(|at| (Some(old_end + at), Some(new_end + at))));
    pairs
}

/// The pairs of two sets: what stays, changes and goes, in the order of before, then what comes. Objects of the same
/// name, where no other has it, are one that changes.
pub(super) fn pairs_of_sets(before: &Half<'_>, after: &Half<'_>) -> Vec<Pair> {
    let mut ids = HashMap::new();
    let (old, new) = (identities(before, &mut ids), identities(after, &mut ids));
    let mut places: HashMap<usize, usize> = new.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut pairs: Vec<Pair> = old.iter().enumerate().map(|(at, id)| (Some(at), places.remove(id))).collect();
    let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
    for at in places.values() {
        if let Some(name) = name(after, *at) {
            named.entry(name).or_default().push(*at);
        }
    }
    let gone: Vec<&str> =
        pairs.iter().filter(|pair| pair.1.is_none()).filter_map(|pair| name(before, pair.0?)).collect();
    for pair in pairs.iter_mut().filter(|pair| pair.1.is_none()) {
        let Some(name) = pair.0.and_then(|at| name(before, at)) else { continue };
        if let Some([at]) = named.get(name).map(Vec::as_slice)
            && gone.iter().filter(|other| **other == name).count() == 1
        {
            pair.1 = Some(*at);
            places.remove(&new[*at]);
        }
    }
    let mut come: Vec<usize> = places.into_values().collect();
    come.sort_unstable();
    pairs.extend(come.into_iter().map(|at| (None, Some(at))));
    pairs
}

/// The pairs of elements that aren't equal: by their names, then by place.
fn replaced(before: &Half<'_>, after: &Half<'_>, was: &Range<usize>, is: &Range<usize>) -> Vec<Pair> {
    if !nested(before, was) || !nested(after, is) {
        return if was.len() == is.len() {
            by_place(was.clone(), is.clone()).collect()
        } else {
            was.clone().map(|at| (Some(at), None)).chain(is.clone().map(|at| (None, Some(at)))).collect()
        };
    }
    let mut ids = HashMap::new();
    let (old, new) = (names(before, was, &mut ids), names(after, is, &mut ids));
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let pairs = ops.iter().flat_map(|op| {
        let (old, new) = (op.old_range(), op.new_range());
        by_place(old.start + was.start..old.end + was.start, new.start + is.start..new.end + is.start)
    });
    pairs.collect()
}

/// A number for each object, the same for those of the same name.
fn names(half: &Half<'_>, places: &Range<usize>, ids: &mut HashMap<String, usize>) -> Vec<usize> {
    let name = |at: usize| {
        let name = name(half, at);
        let next = ids.len();
        // One without a name has nobody's.
        *ids.entry(name.map_or_else(|| format!("?{next}"), |name| format!("={name}"))).or_insert(next)
    };
    places.clone().map(name).collect()
}

/// What an object calls itself.
fn name<'h>(half: &Half<'h>, at: usize) -> Option<&'h str> {
    let value = half.elements().unwrap_or_default().get(at)?;
    ["name", "key", "id"].iter().find_map(|key| value.get(key)?.as_str())
}

fn by_place(was: Range<usize>, is: Range<usize>) -> impl Iterator<Item = Pair> {
    let longest = was.len().max(is.len());
    (0..longest).map(move |n| (was.clone().nth(n), is.clone().nth(n)))
}

fn nested(half: &Half<'_>, places: &Range<usize>) -> bool {
    let elements = half.elements().unwrap_or_default();
    elements.get(places.clone()).unwrap_or_default().iter().all(|value| value.is_object() || value.is_array())
}

/// A number for each element, the same for equal ones. What is unknown is equal to nothing.
fn identities(half: &Half<'_>, ids: &mut HashMap<String, usize>) -> Vec<usize> {
    let elements = half.elements().unwrap_or_default();
    let identity = |(at, value): (usize, &Value)| {
        let unknown = half.element(at).is_some_and(|element| element.is_partly_unknown());
        // No JSON begins with a question mark.
        let text = if unknown { format!("?{}", ids.len()) } else { value.to_string() };
        let next = ids.len();
        *ids.entry(text).or_insert(next)
    };
    elements.iter().enumerate().map(identity).collect()
}
