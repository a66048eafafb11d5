//! Values of Terraform's type system, and how they go over the wire and into the store.

mod json;
mod msgpack;
mod path;
#[cfg(test)]
mod tests;
mod types;

use std::cmp::Ordering;
use std::collections::BTreeMap;

pub use path::{Path, PathStep};
pub use types::Type;

/// A value. Which type it is of says its schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Absent.
    Null,
    /// Known only once something else has been applied.
    Unknown,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// Elements of a list, or of a set in order of [`Value::order`].
    List(Vec<Value>),
    /// Elements of a map by key, attributes and blocks of an object by name.
    Map(BTreeMap<String, Value>),
}

/// A number as precisely as it came.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// Whole, within 64 bits.
    Int(i64),
    /// Finite; never whole within 53 bits, that is an `Int`.
    Float(f64),
    /// Digits that no float has exactly as they are written.
    Digits(String),
}

impl Number {
    /// From a float: whole ones become `Int`. Not a number and infinities are `None`.
    #[must_use]
    pub fn from_f64(float: f64) -> Option<Self> {
        /// 2^53: up to here every whole number has a float of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !float.is_finite() {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
        let whole = (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64);
        Some(whole.map_or(Self::Float(float), Self::Int))
    }

    /// From digits as written; `None` where they are no number.
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        if let Ok(whole) = digits.parse() {
            return Some(Self::Int(whole));
        }
        let float: f64 = digits.parse().ok()?;
        let number = Self::from_f64(float)?;
        Some(if number.to_string() == digits { number } else { Self::Digits(digits.to_owned()) })
    }

    /// As a float, for comparing with bounds.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss, reason = "bounds are small")]
            Self::Int(whole) => *whole as f64,
            Self::Float(float) => *float,
            Self::Digits(digits) => digits.parse().unwrap_or(f64::NAN),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(whole) => whole.fmt(f),
            // All of its digits: the shortest ones that mean it are another whole number.
            Self::Float(float) if float.fract() == 0.0 => write!(f, "{float:.0}"),
            Self::Float(float) => float.fmt(f),
            Self::Digits(digits) => digits.fmt(f),
        }
    }
}

impl Value {
    /// Of a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Absent.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Unknown itself.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Unknown nowhere.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(elements) => elements.iter().all(Self::is_known),
            Self::Map(elements) => elements.values().all(Self::is_known),
            _ => true,
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements by name, where it is an object or map.
    #[must_use]
    pub const fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(elements) => Some(elements),
            _ => None,
        }
    }

    /// An attribute or block of an object; null where it isn't there.
    #[must_use]
    pub fn get(&self, name: &str) -> &Self {
        self.as_map().and_then(|elements| elements.get(name)).unwrap_or(&Self::Null)
    }

    /// Every value at `path` (names, joined by dots); goes into each element of lists and sets on its way. An
    /// unknown on the way stands for what is below it.
    #[must_use]
    pub fn at(&self, path: &str) -> Vec<&Self> {
        let mut found = vec![self];
        for name in path.split('.') {
            found = found
                .into_iter()
                .flat_map(|value| match value {
                    Self::List(elements) => elements.iter().collect(),
                    other => vec![other],
                })
                .filter_map(|value| match value {
                    Self::Unknown => Some(value),
                    Self::Map(elements) => elements.get(name),
                    _ => None,
                })
                .collect();
        }
        found
    }

    /// A total order, so that sets have one form. By kind, then by content.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => one.cmp(two),
            (Self::Number(one), Self::Number(two)) => {
                one.as_f64().total_cmp(&two.as_f64()).then_with(|| one.to_string().cmp(&two.to_string()))
            }
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::List(one), Self::List(two)) => {
                let unequal = one.iter().zip(two).map(|(one, two)| one.order(two)).find(|order| order.is_ne());
                unequal.unwrap_or_else(|| one.len().cmp(&two.len()))
            }
            (Self::Map(one), Self::Map(two)) => {
                let pairs = one.iter().zip(two);
                let unequal = pairs.map(|(one, two)| one.0.cmp(two.0).then_with(|| one.1.order(two.1)));
                unequal.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| one.len().cmp(&two.len()))
            }
            (one, two) => one.rank().cmp(&two.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
            Self::List(_) => 4,
            Self::Map(_) => 5,
            Self::Unknown => 6,
        }
    }

    /// A set: in order, without doubles.
    #[must_use]
    pub fn set(mut elements: Vec<Self>) -> Self {
        elements.sort_by(Self::order);
        // Two unknown elements may turn out to differ.
        elements.dedup_by(|one, two| one == two && one.is_known());
        Self::List(elements)
    }
}

/// A value that isn't of its type, or can't be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {reason}", path.words())]
pub struct ValueError {
    /// Where.
    pub path: Path,
    /// Why.
    pub reason: String,
}

impl ValueError {
    /// At the outermost value.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { path: Path::default(), reason: reason.into() }
    }

    /// The same, seen from one step further out.
    #[must_use]
    pub fn below(mut self, step: PathStep) -> Self {
        self.path.0.insert(0, step);
        self
    }
}
