//! One side of a difference: its value, what of it is secret, what is unknown.

use serde_json::Value;

/// Which parts of a value are marked, as sensitive or as unknown.
#[derive(Clone, Copy)]
pub(super) enum Marks<'a> {
    /// None.
    Nothing,
    /// All.
    All,
    /// Some, in a tree of `true` with the shape of the value.
    Tree(&'a Value),
}

impl<'a> Marks<'a> {
    /// The marks of `value`. Marks that don't fit it are taken for all: nothing secret is shown by mistake.
    pub(super) fn of(mask: &'a Value, value: &Value) -> Self {
        match (mask, value) {
            (Value::Bool(false) | Value::Null, _) => Self::Nothing,
            (Value::Object(marks), _) if marks.is_empty() => Self::Nothing,
            (Value::Array(marks), _) if marks.is_empty() => Self::Nothing,
            (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_)) => Self::Tree(mask),
            _ => Self::All,
        }
    }

    /// The marks of what stands under `key`.
    pub(super) fn key(self, key: &str, value: &Value) -> Self {
        match self {
            Self::Tree(Value::Object(marks)) => marks.get(key).map_or(Self::Nothing, |mask| Self::of(mask, value)),
            Self::Tree(_) => Self::Nothing,
            other => other,
        }
    }

    /// The marks of the element at `place`.
    pub(super) fn element(self, place: usize, value: &Value) -> Self {
        match self {
            Self::Tree(Value::Array(marks)) => marks.get(place).map_or(Self::Nothing, |mask| Self::of(mask, value)),
            Self::Tree(_) => Self::Nothing,
            other => other,
        }
    }

    const fn is_all(self) -> bool {
        matches!(self, Self::All)
    }
}

/// One side of a difference.
#[derive(Clone, Copy)]
pub(super) struct Half<'a> {
    pub value: &'a Value,
    pub sensitive: Marks<'a>,
    /// Nothing, everything, or something: Terraform leaves unknown attributes out and puts null for unknown elements.
    unknown: &'a Value,
}

static NULL: Value = Value::Null;

impl<'a> Half<'a> {
    /// `value` with what Terraform says of it; `None` where there is nothing, known or not. A null is nothing.
    pub(super) fn of(value: &'a Value, sensitive: &'a Value, unknown: &'a Value) -> Option<Self> {
        (!value.is_null() || any(unknown)).then(|| Self { value, sensitive: Marks::of(sensitive, value), unknown })
    }

    /// A known value in which nothing is marked. A null is a value.
    pub(super) const fn plain(value: &'a Value) -> Self {
        Self { value, sensitive: Marks::Nothing, unknown: &NULL }
    }

    /// Whether all of it is secret.
    pub(super) const fn is_secret(&self) -> bool {
        self.sensitive.is_all()
    }

    /// Whether all of it is unknown.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.unknown, Value::Bool(true))
            || self.value.is_null() && self.unknown.is_array() && any(self.unknown)
    }

    /// Whether any of it is unknown.
    pub(super) fn is_partly_unknown(&self) -> bool {
        any(self.unknown)
    }

    /// Its entries where it is an object; also where all entries it has are unknown.
    pub(super) fn is_object(&self) -> bool {
        self.value.is_object() || self.value.is_null() && self.unknown.is_object() && any(self.unknown)
    }

    /// Its elements where it is a list.
    pub(super) fn elements(&self) -> Option<&'a [Value]> {
        self.value.as_array().map(Vec::as_slice)
    }

    /// Its keys, those of unknown entries too, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        let known = self.value.as_object().into_iter().flat_map(|entries| entries.keys());
        let unknown = self.unknown.as_object().into_iter().flatten().filter(|(_, mask)| any(mask)).map(|(key, _)| key);
        known.chain(unknown).map(String::as_str)
    }

    /// Whether `key` is there at all, be it with null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some() || self.unknown.get(key).is_some_and(any)
    }

    /// What stands under `key`; `None` for nothing, or for null where `null_is_nothing`.
    pub(super) fn key(&self, key: &str, null_is_nothing: bool) -> Option<Self> {
        let unknown = self.unknown.get(key).unwrap_or(&NULL);
        let value = self.value.get(key);
        let found = value.unwrap_or(&NULL);
        let nothing = if null_is_nothing { found.is_null() } else { value.is_none() };
        (!nothing || any(unknown)).then(|| Self { value: found, sensitive: self.sensitive.key(key, found), unknown })
    }

    /// The element at `place`; a null there is one.
    pub(super) fn element(&self, place: usize) -> Option<Self> {
        let value = self.value.get(place)?;
        let unknown = self.unknown.get(place).unwrap_or(&NULL);
        Some(Self { value, sensitive: self.sensitive.element(place, value), unknown })
    }
}

/// Whether anything is marked in a tree of `true`.
pub(super) fn any(mask: &Value) -> bool {
    match mask {
        Value::Bool(marked) => *marked,
        Value::Array(masks) => masks.iter().any(any),
        Value::Object(masks) => masks.values().any(any),
        Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}
