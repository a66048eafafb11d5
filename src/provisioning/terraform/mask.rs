//! Secrets, found by value wherever they turn up.
//!
//! What Terraform marks as sensitive in one place it may write in clear in another. So what was marked anywhere is masked
//! everywhere:
//!
//! - A text of [`SHORTEST`] characters or more, within any text. One that may be a word of everyday (a name, `service`)
//!   only where it stands alone: within a longer word, as in `snowflake_service_user`, it is not the secret.
//! - A shorter text only where a whole value is equal to it: `a` or `on` would be masked in every word.
//! - A number like a text of its digits; truth values only where they are marked.
//! - The names of an object's attributes and a map's keys are no secrets for being marked: they are masked where they hold
//!   one.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use crate::provisioning::run::Diagnostic;
use crate::station::text::printable;

/// What stands in a secret's place.
pub const MASK: &str = "(sensitive)";

/// Shorter texts aren't looked for within others.
const SHORTEST: usize = 4;
/// From this length on nobody's word looks like it: masked within other words too.
const LONGEST_WORD: usize = 16;

/// The secrets that are known.
#[derive(Clone, Default)]
pub struct Masks {
    values: BTreeSet<String>,
    short: BTreeSet<String>,
    /// Made of `values` when it is first needed.
    search: OnceLock<Arc<Search>>,
}

/// Every secret at once; `None` where there are too many to be looked for.
struct Search {
    all: Option<AhoCorasick>,
    /// Of each: whether it is only masked where it stands alone.
    alone: Vec<bool>,
}

/// How many there are, and none of them.
impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masks").field("count", &(self.values.len() + self.short.len())).finish()
    }
}

impl Masks {
    /// Adds one secret. Of one with several lines (a key, a certificate) each line is looked for too, and each as it
    /// stands in a JSON text and without its control characters.
    pub fn add(&mut self, secret: &str) {
        for part in std::iter::once(secret).chain(secret.lines()) {
            let part = part.trim();
            if is_marker(part) {
                continue;
            }
            self.insert(part);
            if part.contains(|c: char| matches!(c, '"' | '\\' | '<' | '>' | '&') || c.is_control()) {
                let escaped = Value::from(part).to_string();
                let escaped = &escaped[1..escaped.len() - 1];
                self.insert(escaped);
                // Terraform's own jsonencode also escapes what HTML minds.
                self.insert(&escaped.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"));
            }
            let visible = printable(part);
            if visible != part {
                self.insert(visible.trim());
            }
        }
    }

    fn insert(&mut self, part: &str) {
        let into = match part.chars().count() {
            0 => return,
            1..SHORTEST => &mut self.short,
            _ => &mut self.values,
        };
        if !into.contains(part) {
            into.insert(part.to_owned());
            self.search = OnceLock::new();
        }
    }

    /// Adds every text in `value` that `mask` marks: `true` marks all of it, a list or an object marks its parts. A mask
    /// that doesn't fit its value marks all of it.
    pub fn add_marked(&mut self, value: &Value, mask: &Value) {
        match (value, mask) {
            (_, Value::Bool(false) | Value::Null) => {}
            (Value::Object(values), Value::Object(masks)) => {
                for (name, mask) in masks {
                    if let Some(value) = values.get(name) {
                        self.add_marked(value, mask);
                    }
                }
            }
            (Value::Array(values), Value::Array(masks)) => {
                for (value, mask) in values.iter().zip(masks) {
                    self.add_marked(value, mask);
                }
            }
            (_, Value::Object(masks)) if masks.is_empty() => {}
            (_, Value::Array(masks)) if masks.is_empty() => {}
            _ => self.add_all(value),
        }
    }

    /// Adds every text and number in `value`.
    pub fn add_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Number(number) => self.add(&number.to_string()),
            Value::Array(values) => values.iter().for_each(|value| self.add_all(value)),
            Value::Object(values) => values.values().for_each(|value| self.add_all(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Adds what another knows.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
        self.short.extend(other.short);
        self.search = OnceLock::new();
    }

    /// Whether `text`, the whole of a value, is a secret.
    #[must_use]
    pub fn is_secret(&self, text: &str) -> bool {
        let text = text.trim();
        self.values.contains(text) || self.short.contains(text)
    }

    /// `text` with every known secret masked.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        if self.values.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        let search = self.search.get_or_init(|| Arc::new(Search::of(&self.values)));
        search.masked(text).unwrap_or_else(|| text.to_owned())
    }

    /// A diagnostic with every known secret masked.
    #[must_use]
    pub fn apply_to(&self, diagnostic: Diagnostic) -> Diagnostic {
        Diagnostic {
            summary: self.apply(&diagnostic.summary),
            detail: self.apply(&diagnostic.detail),
            address: diagnostic.address.as_deref().map(|address| self.apply(address)),
            ..diagnostic
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.short.is_empty()
    }
}

impl Search {
    fn of(values: &BTreeSet<String>) -> Self {
        Self {
            all: AhoCorasick::new(values).ok(),
            alone: values
                .iter()
                .map(|value| value.chars().count() < LONGEST_WORD && value.chars().all(of_word))
                .collect(),
        }
    }

    /// `text` with its secrets masked; `None` where it has none. Secrets that overlap become one mask.
    fn masked(&self, text: &str) -> Option<String> {
        let Some(all) = &self.all else { return Some(MASK.to_owned()) };
        let (mut spans, mut words) = (Vec::new(), Vec::new());
        for found in all.find_overlapping_iter(text) {
            let is_word = self.alone.get(found.pattern().as_usize()).copied().unwrap_or(false);
            if is_word { &mut words } else { &mut spans }.push((found.start(), found.end()));
        }
        if spans.is_empty() && words.is_empty() {
            return None;
        }
        let certain = merged(spans.clone());
        // What stands beside a mask stands alone.
        let ends_at = |at: usize| certain.binary_search_by_key(&at, |(_, end)| *end).is_ok();
        let begins_at = |at: usize| certain.binary_search_by_key(&at, |(start, _)| *start).is_ok();
        spans.extend(words.into_iter().filter(|&(start, end)| {
            let before = text[..start].chars().next_back().is_some_and(of_word) && !ends_at(start);
            let after = text[end..].starts_with(of_word) && !begins_at(end);
            !before && !after
        }));
        let mut masked = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end) in merged(spans) {
            masked.push_str(&text[done..start]);
            masked.push_str(MASK);
            done = end;
        }
        masked.push_str(&text[done..]);
        Some(masked)
    }
}

/// Spans in order, those that overlap made one.
fn merged(mut spans: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    spans.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

fn of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first and last lines of a PEM block are no secret, and stand in every certificate.
fn is_marker(line: &str) -> bool {
    line.starts_with("-----BEGIN ") && line.ends_with("-----") && !line.contains('\n')
        || line.starts_with("-----END ") && !line.contains('\n')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_short_word_is_masked_where_it_stands_alone() {
        let mut masks = Masks::default();
        masks.add("service");
        masks.add("0123456789abcdef");
        assert_eq!(masks.apply("snowflake_service_user id=service"), "snowflake_service_user id=(sensitive)");
        assert_eq!(masks.apply("services service-a service service"), "services (sensitive)-a (sensitive) (sensitive)");
        assert_eq!(masks.apply("x0123456789abcdefy"), "x(sensitive)y");
    }

    #[test]
    fn what_is_marked_in_one_place_is_masked_in_every_other() {
        let mut masks = Masks::default();
        masks.add_marked(
            &json!({"key": "hunter2!", "name": "hub", "list": [{"a": "open"}, {"a": "closed"}], "deep": {"x": ["abcd"]}}),
            &json!({"key": true, "list": [{}, {"a": true}], "deep": true}),
        );
        assert_eq!(
            masks.apply("hub uses hunter2!, open and closed, x=abcd"),
            "hub uses (sensitive), open and (sensitive), x=(sensitive)"
        );
    }

    #[test]
    fn each_line_of_a_key_is_a_secret_and_its_frame_is_none() {
        let mut masks = Masks::default();
        masks.add("-----BEGIN KEY-----\nMIIabc\nDEFghi\n-----END KEY-----\n");
        assert_eq!(masks.apply("at DEFghi of -----BEGIN KEY-----"), "at (sensitive) of -----BEGIN KEY-----");
    }

    #[test]
    fn the_longer_secret_goes_first_and_short_texts_stay() {
        let mut masks = Masks::default();
        masks.add("secret");
        masks.add("secret-and-more");
        masks.add("on");
        assert_eq!(masks.apply("secret-and-more on, secret"), "(sensitive) on, (sensitive)");
        assert_eq!(format!("{masks:?}"), "Masks { count: 3 }");
    }

    #[test]
    fn a_short_secret_is_one_as_a_whole_value_only() {
        let mut masks = Masks::default();
        masks.add("on");
        assert!(masks.is_secret("on") && masks.is_secret(" on ") && !masks.is_secret("one"));
        assert_eq!(masks.apply("on and on"), "on and on");
        masks.add_all(&json!([true, null, "", 1883]));
        assert!(!masks.is_secret("") && !masks.is_secret("true") && masks.is_secret("1883"));
        assert_eq!(masks.apply("port 1883, 18830"), "port (sensitive), 18830");
    }

    #[test]
    fn secrets_that_overlap_become_one_mask_and_leave_no_end_behind() {
        let mut masks = Masks::default();
        masks.add("abcdefghijklmnop-qrs");
        masks.add("qrs-tuvwxyz");
        assert_eq!(masks.apply("x abcdefghijklmnop-qrs-tuvwxyz y"), "x (sensitive) y");
        masks.add("word");
        assert_eq!(masks.apply("wordqrs-tuvwxyzword password"), "(sensitive)(sensitive)(sensitive) password");
    }

    #[test]
    fn a_secret_is_found_within_a_json_text() {
        let mut masks = Masks::default();
        masks.add("p\"w<d\\1");
        let text = json!({"password": "p\"w<d\\1"}).to_string();
        assert_eq!(masks.apply(&text), r#"{"password":"(sensitive)"}"#);
        assert_eq!(masks.apply(&text.replace('<', "\\u003c")), r#"{"password":"(sensitive)"}"#);
        masks.add("tab\there");
        assert_eq!(masks.apply("tab here"), "(sensitive)");
    }

    #[test]
    fn a_mask_that_does_not_fit_marks_everything() {
        let mut masks = Masks::default();
        masks.add_marked(&json!({"a": "abcd", "b": ["efgh"]}), &json!([{}]));
        assert_eq!(masks.apply("abcd efgh"), "(sensitive) (sensitive)");
        let mut none = Masks::default();
        none.add_marked(&json!({"a": "abcd"}), &json!([]));
        none.add_marked(&json!("abcd"), &json!({}));
        assert!(none.is_empty());
    }

    #[test]
    fn many_secrets_in_many_texts_take_no_time() {
        let mut masks = Masks::default();
        (0..500).for_each(|n| masks.add(&format!("secret-{n:04}-of-many")));
        let started = std::time::Instant::now();
        for n in 0..10_000 {
            let masked =
                masks.apply(&format!("module.azure.azurerm_storage_account.a[{n}] secret-{:04}-of-many", n % 500));
            assert!(masked.ends_with("] (sensitive)"), "{masked}");
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
