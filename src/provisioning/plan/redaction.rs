//! Values and names without secrets.

use serde_json::Value;

use super::half::Marks;
use super::model::Shown;
use crate::provisioning::terraform::mask::{MASK, Masks};
use crate::station::text::printable;

/// How much is shown: everything but the secrets, or everything.
#[derive(Clone, Copy)]
pub(super) struct Redaction<'a> {
    masks: Option<&'a Masks>,
}

impl<'a> Redaction<'a> {
    /// Without secrets.
    pub(super) const fn of(masks: &'a Masks) -> Self {
        Self { masks: Some(masks) }
    }

    /// Everything in clear.
    pub(super) const fn revealed() -> Self {
        Self { masks: None }
    }

    /// Whether everything stands in clear.
    pub(super) const fn is_revealed(self) -> bool {
        self.masks.is_none()
    }

    /// A text as it may be shown, its control characters kept.
    fn text(self, text: &str) -> String {
        self.masks.map_or_else(|| text.to_owned(), |masks| masks.apply(text))
    }

    /// A name, an address or a message as it may be shown: printable.
    pub(super) fn name(self, name: &str) -> String {
        // Masked before, as a secret is known by all its characters, and after, as it may be known without some.
        self.text(&printable(&self.text(name)))
    }

    /// A value nothing in which is marked.
    pub(super) fn shown(self, value: &Value) -> Shown {
        self.marked(value, Marks::Nothing)
    }

    /// A value of which `marks` are secret. A list or an object stands whole, its secrets as texts.
    pub(super) fn marked(self, value: &Value, marks: Marks<'_>) -> Shown {
        match self.leaf(value, marks) {
            Some(value) => Shown::Value(value),
            None => Shown::Sensitive,
        }
    }

    /// `None` where all of it is secret.
    fn leaf(self, value: &Value, marks: Marks<'_>) -> Option<Value> {
        let Some(masks) = self.masks else { return Some(value.clone()) };
        if matches!(marks, Marks::All) {
            return None;
        }
        let hidden = || Value::from(MASK);
        Some(match value {
            Value::String(text) if masks.is_secret(text) => return None,
            Value::String(text) => match masks.apply(text) {
                masked if masked == MASK => return None,
                masked => Value::from(masked),
            },
            Value::Number(number) if masks.is_secret(&number.to_string()) => return None,
            Value::Array(values) => {
                let element = |(at, value)| self.leaf(value, marks.element(at, value)).unwrap_or_else(hidden);
                Value::Array(values.iter().enumerate().map(element).collect())
            }
            Value::Object(values) => {
                let entry = |(key, value): (&String, &Value)| {
                    (masks.apply(key), self.leaf(value, marks.key(key, value)).unwrap_or_else(hidden))
                };
                Value::Object(values.iter().map(entry).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }
}
