//! Values as JSON: in the store, and in a state file that is upgraded.

use serde_json::Value as Json;

use super::{Number, PathStep, Type, Value, ValueError};

impl Value {
    /// Reads a value of `ty`. Names that an object's type doesn't have are left out: a state of an older schema
    /// may have them.
    pub fn from_json(json: &Json, ty: &Type) -> Result<Self, ValueError> {
        let mismatch = || {
            let found = match json {
                Json::Null => "null",
                Json::Bool(_) => "true or false",
                Json::Number(_) => "a number",
                Json::String(_) => "text",
                Json::Array(_) => "a list",
                Json::Object(_) => "an object",
            };
            ValueError::new(format!("has to be {}, is {found}", ty.words()))
        };
        Ok(match (json, ty) {
            (Json::Null, _) => Self::Null,
            (Json::Bool(truth), Type::Bool) => Self::Bool(*truth),
            (Json::Bool(truth), Type::Text) => Self::text(truth.to_string()),
            (Json::String(text), Type::Text) => Self::text(text),
            (Json::Number(number), Type::Text) => Self::text(number.to_string()),
            (Json::Number(number), Type::Number) => {
                let whole = number.as_i64().map(Number::Int);
                let beyond = || number.as_u64().and_then(|whole| Number::from_digits(&whole.to_string()));
                let float = || number.as_f64().and_then(Number::from_f64);
                Self::Number(whole.or_else(beyond).or_else(float).ok_or_else(mismatch)?)
            }
            (Json::String(digits), Type::Number) => Self::Number(Number::from_digits(digits).ok_or_else(mismatch)?),
            (Json::Array(elements), Type::List(of)) => {
                let elements = elements.iter().enumerate();
                let values = elements
                    .map(|(index, json)| Self::from_json(json, of).map_err(|e| e.below(PathStep::Index(index))));
                Self::List(values.collect::<Result<_, _>>()?)
            }
            (Json::Array(elements), Type::Set(of)) => {
                let values =
                    elements.iter().map(|json| Self::from_json(json, of).map_err(|e| e.below(PathStep::Element)));
                Self::set(values.collect::<Result<_, _>>()?)
            }
            (Json::Object(entries), Type::Map(of)) => {
                let entries = entries.iter().map(|(key, json)| {
                    let value = Self::from_json(json, of).map_err(|error| error.below(PathStep::Key(key.clone())))?;
                    Ok((key.clone(), value))
                });
                Self::Map(entries.collect::<Result<_, _>>()?)
            }
            (Json::Object(entries), Type::Object(attributes)) => {
                let values = attributes.iter().map(|(name, ty)| {
                    let value = entries.get(name).map_or(Ok(Self::Null), |json| Self::from_json(json, ty));
                    Ok((name.clone(), value.map_err(|error| error.below(PathStep::Name(name.clone())))?))
                });
                Self::Map(values.collect::<Result<_, _>>()?)
            }
            _ => return Err(mismatch()),
        })
    }

    /// As JSON. An unknown value becomes null: nothing unknown is ever kept.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null | Self::Unknown => Json::Null,
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Number(Number::Int(whole)) => Json::from(*whole),
            Self::Number(Number::Float(float)) => Json::from(*float),
            Self::Number(Number::Digits(digits)) => Json::from(digits.as_str()),
            Self::Text(text) => Json::from(text.as_str()),
            Self::List(elements) => elements.iter().map(Self::to_json).collect(),
            Self::Map(entries) => entries.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
        }
    }
}
