//! Values as MessagePack, as Terraform's core writes and reads them.

use super::{Number, PathStep, Type, Value, ValueError};

/// Extension types of an unknown value: 0 says no more than that, 12 what is known of it nevertheless.
const UNKNOWN: [i8; 2] = [0, 12];
/// Levels a value may have.
const DEPTH: usize = 64;

impl Value {
    /// Reads a value of `ty`.
    pub fn from_msgpack(mut bytes: &[u8], ty: &Type) -> Result<Self, ValueError> {
        let raw = rmpv::decode::read_value_with_max_depth(&mut bytes, DEPTH)
            .map_err(|error| ValueError::new(format!("not MessagePack: {error}")))?;
        if !bytes.is_empty() {
            return Err(ValueError::new("more bytes than one value has"));
        }
        decode(raw, ty)
    }

    /// Writes it, as a value of `ty`.
    pub fn to_msgpack(&self, ty: &Type) -> Result<Vec<u8>, ValueError> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &encode(self, ty)?)
            .map_err(|error| ValueError::new(format!("can't be written: {error}")))?;
        Ok(bytes)
    }
}

fn mismatch(ty: &Type, found: &str) -> ValueError {
    ValueError::new(format!("has to be {}, is {found}", ty.words()))
}

fn decode(raw: rmpv::Value, ty: &Type) -> Result<Value, ValueError> {
    use rmpv::Value as Raw;
    let value = match (raw, ty) {
        (Raw::Nil, _) => Value::Null,
        (Raw::Ext(kind, _), _) if UNKNOWN.contains(&kind) => Value::Unknown,
        (Raw::Boolean(truth), Type::Bool) => Value::Bool(truth),
        (Raw::String(text), Type::Text) => {
            Value::Text(text.into_str().ok_or_else(|| ValueError::new("isn't UTF-8 text"))?)
        }
        (Raw::Integer(whole), Type::Number) => number(Number::from_digits(&whole.to_string()), ty)?,
        (Raw::F64(float), Type::Number) => number(Number::from_f64(float), ty)?,
        (Raw::F32(float), Type::Number) => number(Number::from_f64(f64::from(float)), ty)?,
        (Raw::String(digits), Type::Number) => number(digits.as_str().and_then(Number::from_digits), ty)?,
        (Raw::Array(elements), Type::List(of)) => Value::List(list(elements, of)?),
        (Raw::Array(elements), Type::Set(of)) => {
            let elements = elements.into_iter().map(|raw| decode(raw, of).map_err(|e| e.below(PathStep::Element)));
            Value::set(elements.collect::<Result<_, _>>()?)
        }
        (Raw::Map(entries), Type::Map(of)) => {
            let entries = entries.into_iter().map(|(key, raw)| {
                let key = name(key)?;
                let value = decode(raw, of).map_err(|error| error.below(PathStep::Key(key.clone())))?;
                Ok((key, value))
            });
            Value::Map(entries.collect::<Result<_, _>>()?)
        }
        (Raw::Map(entries), Type::Object(attributes)) => {
            let mut object: std::collections::BTreeMap<_, _> =
                attributes.keys().map(|name| (name.clone(), Value::Null)).collect();
            for (key, raw) in entries {
                let name = name(key)?;
                let below = |error: ValueError| error.below(PathStep::Name(name.clone()));
                let ty = attributes.get(&name).ok_or_else(|| below(ValueError::new("isn't in the schema")))?;
                let value = decode(raw, ty).map_err(below)?;
                object.insert(name, value);
            }
            Value::Map(object)
        }
        (other, ty) => return Err(mismatch(ty, kind(&other))),
    };
    Ok(value)
}

fn number(number: Option<Number>, ty: &Type) -> Result<Value, ValueError> {
    number.map(Value::Number).ok_or_else(|| mismatch(ty, "something else"))
}

fn name(raw: rmpv::Value) -> Result<String, ValueError> {
    match raw {
        rmpv::Value::String(text) => text.into_str().ok_or_else(|| ValueError::new("has a name that isn't UTF-8")),
        other => Err(ValueError::new(format!("has {} for a name", kind(&other)))),
    }
}

fn list(elements: Vec<rmpv::Value>, of: &Type) -> Result<Vec<Value>, ValueError> {
    let indexed = elements.into_iter().enumerate();
    indexed.map(|(index, raw)| decode(raw, of).map_err(|error| error.below(PathStep::Index(index)))).collect()
}

const fn kind(raw: &rmpv::Value) -> &'static str {
    match raw {
        rmpv::Value::Nil => "null",
        rmpv::Value::Boolean(_) => "true or false",
        rmpv::Value::Integer(_) | rmpv::Value::F32(_) | rmpv::Value::F64(_) => "a number",
        rmpv::Value::String(_) => "text",
        rmpv::Value::Binary(_) => "bytes",
        rmpv::Value::Array(_) => "a list",
        rmpv::Value::Map(_) => "a map",
        rmpv::Value::Ext(..) => "an extension",
    }
}

fn encode(value: &Value, ty: &Type) -> Result<rmpv::Value, ValueError> {
    use rmpv::Value as Raw;
    let raw = match (value, ty) {
        (Value::Null, _) => Raw::Nil,
        (Value::Unknown, _) => Raw::Ext(UNKNOWN[0], vec![0]),
        (Value::Bool(truth), Type::Bool) => Raw::Boolean(*truth),
        (Value::Text(text), Type::Text) => Raw::from(text.as_str()),
        (Value::Number(Number::Int(whole)), Type::Number) => Raw::from(*whole),
        (Value::Number(Number::Float(float)), Type::Number) => Raw::F64(*float),
        (Value::Number(Number::Digits(digits)), Type::Number) => Raw::from(digits.as_str()),
        (Value::List(elements), Type::List(of)) => {
            let elements = elements.iter().enumerate();
            let raw = elements.map(|(index, value)| encode(value, of).map_err(|e| e.below(PathStep::Index(index))));
            Raw::Array(raw.collect::<Result<_, _>>()?)
        }
        (Value::List(elements), Type::Set(of)) => {
            let raw = elements.iter().map(|value| encode(value, of).map_err(|e| e.below(PathStep::Element)));
            Raw::Array(raw.collect::<Result<_, _>>()?)
        }
        (Value::Map(entries), Type::Map(of)) => {
            let raw = entries.iter().map(|(key, value)| {
                let value = encode(value, of).map_err(|error| error.below(PathStep::Key(key.clone())))?;
                Ok((Raw::from(key.as_str()), value))
            });
            Raw::Map(raw.collect::<Result<_, _>>()?)
        }
        (Value::Map(entries), Type::Object(attributes)) => {
            if let Some(name) = entries.keys().find(|name| !attributes.contains_key(*name)) {
                return Err(ValueError::new("isn't in the schema").below(PathStep::Name(name.clone())));
            }
            // Core refuses an object that lacks an attribute of its type, so absent ones are said to be null.
            let raw = attributes.iter().map(|(name, ty)| {
                let value = entries.get(name).unwrap_or(&Value::Null);
                let value = encode(value, ty).map_err(|error| error.below(PathStep::Name(name.clone())))?;
                Ok((Raw::from(name.as_str()), value))
            });
            Raw::Map(raw.collect::<Result<_, _>>()?)
        }
        (value, ty) => return Err(mismatch(ty, value.kind())),
    };
    Ok(raw)
}

impl Value {
    /// What it is, for errors.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "unknown",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}
