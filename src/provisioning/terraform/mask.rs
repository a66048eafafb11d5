//! Secrets, found by value wherever they turn up.
//!
//! What Terraform marks as sensitive in one place it may write in clear in another. So every text that was marked
//! anywhere is masked everywhere.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::provisioning::run::Diagnostic;

/// What stands in a secret's place.
pub const MASK: &str = "(sensitive)";

/// Shorter texts aren't looked for: `a` or `on` would be masked in every word.
const SHORTEST: usize = 4;
/// From this length on nobody's word looks like it: masked within other words too.
const LONGEST_WORD: usize = 16;

/// The secrets that are known.
#[derive(Clone, Default)]
pub struct Masks {
    values: BTreeSet<String>,
}

/// How many there are, and none of them.
impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masks").field("count", &self.values.len()).finish()
    }
}

impl Masks {
    /// Adds one secret. Of one with several lines (a key, a certificate) each line is looked for too.
    pub fn add(&mut self, secret: &str) {
        for part in std::iter::once(secret).chain(secret.lines()) {
            let part = part.trim();
            if part.chars().count() >= SHORTEST && !is_marker(part) {
                self.values.insert(part.to_owned());
            }
        }
    }

    /// Adds every text in `value` that `mask` marks: `true` marks all of it, a list or an object marks its parts.
    pub fn add_marked(&mut self, value: &Value, mask: &Value) {
        match (value, mask) {
            (_, Value::Bool(true)) => self.add_all(value),
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
            _ => {}
        }
    }

    /// Adds every text in `value`.
    pub fn add_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(values) => values.iter().for_each(|value| self.add_all(value)),
            Value::Object(values) => values.values().for_each(|value| self.add_all(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Adds what another knows.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    /// `text` with every known secret masked.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        // A secret may hold another one: the longest goes first.
        let mut found: Vec<_> = self.values.iter().filter(|value| text.contains(value.as_str())).collect();
        found.sort_by_key(|value| std::cmp::Reverse(value.len()));
        for value in found {
            masked = replaced(&masked, value);
        }
        masked
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
        self.values.is_empty()
    }
}

/// `text` with `secret` masked. One that may be a word of everyday (a name, `service`) is masked where it stands alone:
/// within a longer word, as in `snowflake_service_user`, it is not the secret.
fn replaced(text: &str, secret: &str) -> String {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    if secret.chars().count() >= LONGEST_WORD || !secret.chars().all(of_word) {
        return text.replace(secret, MASK);
    }
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(secret) {
        masked.push_str(before);
        let within = before.chars().next_back().or_else(|| masked.chars().next_back()).is_some_and(of_word)
            || after.starts_with(of_word);
        masked.push_str(if within { secret } else { MASK });
        rest = after;
    }
    masked + rest
}

/// The first and last lines of a PEM block are no secret, and stand in every certificate.
fn is_marker(line: &str) -> bool {
    line.starts_with("-----BEGIN ") || line.starts_with("-----END ")
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
        assert_eq!(format!("{masks:?}"), "Masks { count: 2 }");
    }
}
