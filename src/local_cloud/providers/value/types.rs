//! Types, as a schema writes them: `"string"`, `["list", "string"]`, `["object", {…}]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// Text.
    Text,
    /// In order.
    List(Box<Type>),
    /// Without order or doubles.
    Set(Box<Type>),
    /// By key.
    Map(Box<Type>),
    /// By name, each of its own type.
    Object(BTreeMap<String, Type>),
}

impl Type {
    /// In words, for errors.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Text => "text".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Set(_) => "a set".to_owned(),
            Self::Map(_) => "a map".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }

    /// The object type's attributes; none for another type.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(attributes) => attributes.get(name),
            _ => None,
        }
    }
}

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool => "bool".serialize(serializer),
            Self::Number => "number".serialize(serializer),
            Self::Text => "string".serialize(serializer),
            Self::List(element) => ("list", element).serialize(serializer),
            Self::Set(element) => ("set", element).serialize(serializer),
            Self::Map(element) => ("map", element).serialize(serializer),
            Self::Object(attributes) => ("object", attributes).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Simple(String),
            Nested(String, Box<Inner>),
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Inner {
            Object(BTreeMap<String, Type>),
            Element(Type),
        }
        let unknown = |name: &str| de::Error::custom(format!("the type {name} isn't known"));
        Ok(match Written::deserialize(deserializer)? {
            Written::Simple(name) => match name.as_str() {
                "bool" => Self::Bool,
                "number" => Self::Number,
                "string" => Self::Text,
                _ => return Err(unknown(&name)),
            },
            Written::Nested(name, inner) => match (name.as_str(), *inner) {
                ("list", Inner::Element(element)) => Self::List(Box::new(element)),
                ("set", Inner::Element(element)) => Self::Set(Box::new(element)),
                ("map", Inner::Element(element)) => Self::Map(Box::new(element)),
                ("object", Inner::Object(attributes)) => Self::Object(attributes),
                _ => return Err(unknown(&name)),
            },
        })
    }
}
