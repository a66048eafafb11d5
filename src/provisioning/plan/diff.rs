//! The difference within a value, part by part.
//!
//! - An attribute or key that is null is one that isn't there; one that is null on the one side and missing on the other
//!   is shown as null.
//! - What is marked as sensitive on either side is hidden on both, and still told as changed where it changes.
//! - Lists are compared as [`super::list`] says. A set is known as one where its type is: in outputs, and
//!   in resources of the providers whose schemas are carried ([`super::types`]).
//! - A text that holds a JSON object or list before and after, or on its only side, is opened. One whose spaces alone
//!   change isn't.

use std::collections::BTreeSet;

use serde_json::Value;

use super::half::Half;
use super::list;
use super::model::{Container, Content, DiffNode, Difference, Shown};
use super::redaction::Redaction;

/// JSON texts within JSON texts are opened this deep.
const TEXTS_DEEP: u8 = 2;
/// Longer texts aren't opened, bytes.
const LONGEST_TEXT: usize = 256 * 1024;

/// Paths into a value that force a replacement, from here on.
#[derive(Clone, Default)]
pub(super) struct Forces<'a>(Vec<&'a [Value]>);

impl<'a> Forces<'a> {
    /// Of a change's `replace_paths`.
    pub(super) fn of(paths: &'a Value) -> Self {
        Self(paths.as_array().into_iter().flatten().filter_map(|path| path.as_array().map(Vec::as_slice)).collect())
    }

    fn is_here(&self) -> bool {
        self.0.iter().any(|path| path.is_empty())
    }

    fn below(&self, is_step: impl Fn(&Value) -> bool) -> Self {
        let rest = self.0.iter().filter_map(|path| path.split_first().filter(|(step, _)| is_step(step)));
        Self(rest.map(|(_, rest)| rest).collect())
    }

    fn key(&self, key: &str) -> Self {
        self.below(|step| step.as_str() == Some(key))
    }

    fn place(&self, place: usize) -> Self {
        self.below(|step| step.as_u64() == u64::try_from(place).ok())
    }
}

/// Compares.
#[derive(Clone, Copy)]
pub(super) struct Differ<'a> {
    redaction: Redaction<'a>,
    /// How many JSON texts it is in.
    texts: u8,
}

impl<'a> Differ<'a> {
    /// Shows what `redaction` allows.
    pub(super) const fn new(redaction: Redaction<'a>) -> Self {
        Self { redaction, texts: 0 }
    }

    /// The attributes of a resource, by name; those without a value before and after are left out. `kind` is the
    /// resource's type, where it is known.
    pub(super) fn attributes(
        self,
        before: Option<Half<'_>>,
        after: Option<Half<'_>>,
        forces: &Forces<'_>,
        kind: Option<&Value>,
    ) -> Vec<DiffNode> {
        self.entries(before.as_ref(), after.as_ref(), forces, kind)
    }

    /// One value. `kind` is its type as Terraform writes it, where that is known: `["set", "string"]`.
    pub(super) fn node(
        self,
        name: String,
        before: Option<Half<'_>>,
        after: Option<Half<'_>>,
        forces: &Forces<'_>,
        kind: Option<&Value>,
    ) -> DiffNode {
        let (difference, content) = self.content(before, after, forces, kind);
        DiffNode { name, difference, forces_replacement: forces.is_here(), content }
    }

    fn content(
        self,
        before: Option<Half<'_>>,
        after: Option<Half<'_>>,
        forces: &Forces<'_>,
        kind: Option<&Value>,
    ) -> (Difference, Content) {
        let sides = || before.iter().chain(&after);
        let hidden = !self.redaction.is_revealed() && sides().any(Half::is_secret);
        if hidden || sides().any(Half::is_unknown) {
            return self.value(before, after, hidden);
        }
        if sides().all(Half::is_object) && sides().next().is_some() {
            let parts = self.entries(before.as_ref(), after.as_ref(), forces, kind);
            return self.parts(before, after, Container::Map, parts);
        }
        if sides().all(|half| half.elements().is_some()) && sides().next().is_some() {
            let of = if of_kind(kind) == Some("set") { Container::Set } else { Container::List };
            let parts = self.elements(before, after, forces, kind, of);
            return self.parts(before, after, of, parts);
        }
        self.text(before, after).unwrap_or_else(|| self.value(before, after, false))
    }

    /// One value; a list or an object only where the other side is none.
    fn value(self, before: Option<Half<'_>>, after: Option<Half<'_>>, hidden: bool) -> (Difference, Content) {
        let shown = |half: Half<'_>| match (half.is_unknown(), hidden) {
            (true, _) if half.is_secret() && !self.redaction.is_revealed() => Shown::SensitiveUnknown,
            (true, _) => Shown::Unknown,
            (false, true) => Shown::Sensitive,
            (false, false) => self.redaction.marked(half.value, half.sensitive),
        };
        (difference(before, after), Content::Value { before: before.map(shown), after: after.map(shown) })
    }

    fn parts(
        self,
        before: Option<Half<'_>>,
        after: Option<Half<'_>>,
        of: Container,
        parts: Vec<DiffNode>,
    ) -> (Difference, Content) {
        let whole = match (before, after) {
            (Some(_), Some(_)) if parts.iter().any(|part| part.difference != Difference::Same) => Difference::Changed,
            (Some(_), Some(_)) | (None, None) => Difference::Same,
            (None, Some(_)) => Difference::Added,
            (Some(_), None) => Difference::Removed,
        };
        if !parts.is_empty() {
            return (whole, Content::Parts { of, parts });
        }
        let empty = |_| match of {
            Container::Map | Container::Json => Shown::Value(Value::Object(serde_json::Map::new())),
            Container::List | Container::Set => Shown::Value(Value::Array(Vec::new())),
        };
        (whole, Content::Value { before: before.map(empty), after: after.map(empty) })
    }

    fn entries(
        self,
        before: Option<&Half<'_>>,
        after: Option<&Half<'_>>,
        forces: &Forces<'_>,
        kind: Option<&Value>,
    ) -> Vec<DiffNode> {
        let keys: BTreeSet<&str> = before.into_iter().chain(after).flat_map(Half::keys).collect();
        let entry = |key: &str| {
            // In JSON texts, and where the other side doesn't know the key, null is a value.
            let both_know = before.is_none_or(|half| half.has(key)) && after.is_none_or(|half| half.has(key));
            let null_is_nothing = self.texts == 0 && both_know;
            let old = before.and_then(|half| half.key(key, null_is_nothing));
            let new = after.and_then(|half| half.key(key, null_is_nothing));
            let kind = element_kind(kind, |kinds| kinds.get(key));
            (old.is_some() || new.is_some())
                .then(|| self.node(self.redaction.name(key), old, new, &forces.key(key), kind))
        };
        keys.into_iter().filter_map(entry).collect()
    }

    fn elements(
        self,
        before: Option<Half<'_>>,
        after: Option<Half<'_>>,
        forces: &Forces<'_>,
        kind: Option<&Value>,
        of: Container,
    ) -> Vec<DiffNode> {
        let nothing = Value::Array(Vec::new());
        let (old, new) = (before.unwrap_or(Half::plain(&nothing)), after.unwrap_or(Half::plain(&nothing)));
        let pairs = if of == Container::Set { list::pairs_of_sets(&old, &new) } else { list::pairs(&old, &new) };
        let node = |(was, is): list::Pair| {
            let place = is.or(was).unwrap_or_default();
            let name = if of == Container::Set { String::new() } else { format!("[{place}]") };
            let (was, is) = (was.and_then(|at| old.element(at)), is.and_then(|at| new.element(at)));
            let kind = element_kind(kind, |kinds| kinds.get(place));
            self.node(name, was, is, &forces.place(place), kind)
        };
        pairs.into_iter().map(node).collect()
    }

    /// A text that holds JSON, opened.
    fn text(self, before: Option<Half<'_>>, after: Option<Half<'_>>) -> Option<(Difference, Content)> {
        let within = Self { texts: self.texts + 1, ..self };
        if within.texts > TEXTS_DEEP || difference(before, after) == Difference::Same {
            return None;
        }
        let (old, new) = (opened(before)?, opened(after)?);
        // Only its spaces change.
        if old == new {
            return None;
        }
        let (old, new) = (old.as_ref().map(Half::plain), new.as_ref().map(Half::plain));
        match within.content(old, new, &Forces::default(), None) {
            (difference, Content::Parts { parts, .. }) => {
                Some((difference, Content::Parts { of: Container::Json, parts }))
            }
            (_, Content::Value { .. }) => None,
        }
    }
}

/// What a JSON text holds: `None` where it is no such text, `Some(None)` where there is nothing.
#[allow(clippy::option_option, reason = "a side that isn't there opens; a text that isn't JSON doesn't")]
fn opened(half: Option<Half<'_>>) -> Option<Option<Value>> {
    let Some(half) = half else { return Some(None) };
    let text = half.value.as_str()?;
    if text.len() > LONGEST_TEXT || !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok().map(Some)
}

fn difference(before: Option<Half<'_>>, after: Option<Half<'_>>) -> Difference {
    match (before, after) {
        (None, None) => Difference::Same,
        (None, Some(_)) => Difference::Added,
        (Some(_), None) => Difference::Removed,
        (Some(old), Some(new)) if old.value == new.value && !new.is_partly_unknown() => Difference::Same,
        (Some(_), Some(_)) => Difference::Changed,
    }
}

/// `set` of `["set", "string"]`.
fn of_kind(kind: Option<&Value>) -> Option<&str> {
    kind?.get(0)?.as_str()
}

/// The type of a part: of every one in a list, set or map, of its own in an object or tuple.
fn element_kind<'k>(kind: Option<&'k Value>, own: impl Fn(&'k Value) -> Option<&'k Value>) -> Option<&'k Value> {
    let parts = kind?.get(1)?;
    if matches!(of_kind(kind), Some("object" | "tuple")) { own(parts) } else { Some(parts) }
}
