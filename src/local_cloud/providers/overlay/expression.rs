//! How an overlay writes a value: constants, and texts with `{…}` in them.
//!
//! `{name}` is the value at a path of the resource, `{.name}` of the block it stands in, `{@uuid}`, `{@key:32}`,
//! `{@hex:8}` are fresh and random, `{@now}` is the time, other `{@…}` are the provider's settings. Filters follow
//! after `|`: see [`filter`]. `{{` and `}}` are braces. A text that is one `{name}` alone keeps the value's type. Null in makes null out
//! (unless `|or:…`), unknown in makes unknown out.

use std::collections::BTreeMap;

use base64::Engine as _;
use rand::RngCore as _;
use serde::{Deserialize, Deserializer, de};

use crate::local_cloud::providers::value::{Number, Type, Value};

/// What an expression may take from.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The whole resource.
    pub resource: &'a Value,
    /// The block that the value stands in.
    pub block: &'a Value,
    /// The provider's settings, by name.
    pub settings: &'a BTreeMap<String, String>,
}

/// A value with holes.
#[derive(Debug, Clone)]
pub enum Expression {
    /// As it is.
    Constant(Value),
    /// A text with holes.
    Template(Template),
    /// Elements.
    List(Vec<Expression>),
    /// Attributes.
    Object(BTreeMap<String, Expression>),
}

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field {
        path: String,
        filters: Vec<String>,
    },
    Setting {
        name: String,
        filters: Vec<String>,
    },
    Fresh(Fresh),
    /// The id of a grant.
    Grant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fresh {
    Uuid,
    Key(usize),
    Hex(usize),
    Now,
}

impl Expression {
    /// The value, coerced to `ty`.
    #[must_use]
    pub fn value(&self, scope: Scope<'_>, ty: &Type) -> Value {
        coerce(self.plain(scope), ty)
    }

    fn plain(&self, scope: Scope<'_>) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Template(template) => template.value(scope),
            Self::List(elements) => Value::List(elements.iter().map(|element| element.plain(scope)).collect()),
            Self::Object(attributes) => Value::Map(
                attributes.iter().map(|(name, expression)| (name.clone(), expression.plain(scope))).collect(),
            ),
        }
    }

    /// The paths it takes; those of its own block begin with a dot.
    #[must_use]
    pub fn inputs(&self) -> Vec<String> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Template(template) => template.inputs(),
            Self::List(elements) => elements.iter().flat_map(Self::inputs).collect(),
            Self::Object(attributes) => attributes.values().flat_map(Self::inputs).collect(),
        }
    }

    /// Gives another value each time.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Template(template) => template.0.iter().any(|part| matches!(part, Part::Fresh(_))),
            Self::List(elements) => elements.iter().any(Self::is_fresh),
            Self::Object(attributes) => attributes.values().any(Self::is_fresh),
        }
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn read<E: de::Error>(written: toml::Value) -> Result<Expression, E> {
            Ok(match written {
                toml::Value::String(text) => Expression::Template(Template::parse(&text).map_err(E::custom)?),
                toml::Value::Boolean(truth) => Expression::Constant(Value::Bool(truth)),
                toml::Value::Integer(whole) => Expression::Constant(Value::Number(Number::Int(whole))),
                toml::Value::Float(float) => Expression::Constant(Value::Number(
                    Number::from_f64(float).ok_or_else(|| E::custom("a number has to be finite"))?,
                )),
                toml::Value::Datetime(_) => return Err(E::custom("a time is written as text")),
                toml::Value::Array(elements) => {
                    Expression::List(elements.into_iter().map(read::<E>).collect::<Result<_, _>>()?)
                }
                toml::Value::Table(entries) => Expression::Object(
                    entries.into_iter().map(|(name, value)| Ok((name, read::<E>(value)?))).collect::<Result<_, _>>()?,
                ),
            })
        }
        read(toml::Value::deserialize(deserializer)?)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, hole)) = rest.split_once('{') {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.replace("}}", "}")));
            }
            if let Some(after) = hole.strip_prefix('{') {
                parts.push(Part::Literal("{".to_owned()));
                rest = after;
                continue;
            }
            let (hole, after) = hole.split_once('}').ok_or_else(|| format!("{text}: a {{ isn't closed"))?;
            parts.push(part(hole).ok_or_else(|| format!("{text}: {{{hole}}} isn't known"))?);
            rest = after;
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(rest.replace("}}", "}")));
        }
        Ok(Self(parts))
    }

    /// The text, or the value of its only hole.
    #[must_use]
    pub fn value(&self, scope: Scope<'_>) -> Value {
        if let [part] = self.0.as_slice() {
            return part.value(scope);
        }
        let mut text = String::new();
        let mut unknown = false;
        for part in &self.0 {
            match part.value(scope) {
                Value::Unknown => unknown = true,
                Value::Null => return Value::Null,
                value => text.push_str(&plain_text(&value)),
            }
        }
        if unknown { Value::Unknown } else { Value::Text(text) }
    }

    fn inputs(&self) -> Vec<String> {
        let path = |part: &Part| match part {
            Part::Field { path, .. } => Some(path.clone()),
            _ => None,
        };
        self.0.iter().filter_map(path).collect()
    }
}

fn part(hole: &str) -> Option<Part> {
    let mut words = hole.split('|').map(str::to_owned);
    let name = words.next()?;
    let filters: Vec<String> = words.collect();
    filters.iter().all(|name| is_filter(name)).then_some(())?;
    let Some(special) = name.strip_prefix('@') else { return Some(Part::Field { path: name, filters }) };
    let (special, count) = special.split_once(':').map_or((special, ""), |(name, count)| (name, count));
    Some(match special {
        "uuid" => Part::Fresh(Fresh::Uuid),
        "now" => Part::Fresh(Fresh::Now),
        "grant" => Part::Grant,
        "key" => Part::Fresh(Fresh::Key(count.parse().ok()?)),
        "hex" => Part::Fresh(Fresh::Hex(count.parse().ok()?)),
        name => Part::Setting { name: name.to_owned(), filters },
    })
}

impl Part {
    fn value(&self, scope: Scope<'_>) -> Value {
        let (found, filters) = match self {
            Self::Literal(text) => return Value::text(text),
            Self::Fresh(fresh) => return Value::Text(fresh.text()),
            Self::Grant => return super::grant::id(scope.resource),
            Self::Setting { name, filters } => (scope.settings.get(name).map_or(Value::Null, Value::text), filters),
            Self::Field { path, filters } => {
                let found = path.strip_prefix('.').map_or_else(|| scope.resource.at(path), |path| scope.block.at(path));
                (found.first().map_or(Value::Null, |value| (*value).clone()), filters)
            }
        };
        filters.iter().fold(found, |value, name| filtered(value, name))
    }
}

impl Fresh {
    fn text(self) -> String {
        let bytes = |count: usize| {
            let mut bytes = vec![0; count];
            rand::rng().fill_bytes(&mut bytes);
            bytes
        };
        match self {
            Self::Uuid => {
                let mut random = [0; 16];
                random.copy_from_slice(&bytes(16));
                uuid::Builder::from_random_bytes(random).into_uuid().to_string()
            }
            Self::Key(count) => base64::engine::general_purpose::STANDARD.encode(bytes(count)),
            Self::Hex(count) => bytes(count).iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Now => jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// A value through a filter, as [`filter`] does it for text.
#[must_use]
pub fn filtered(value: Value, name: &str) -> Value {
    match (value, name.strip_prefix("or:")) {
        (Value::Null, Some(instead)) => Value::text(instead),
        (value, Some(_)) => value,
        (value @ (Value::Null | Value::Unknown | Value::Map(_)), None) => value,
        (Value::Bool(truth), None) if name == "not" => Value::Bool(!truth),
        (Value::List(elements), None) if name == "count" => {
            Value::Number(Number::Int(i64::try_from(elements.len()).unwrap_or(i64::MAX)))
        }
        (Value::List(elements), None) if name == "join" => {
            Value::Text(elements.iter().map(plain_text).collect::<Vec<_>>().join(","))
        }
        (Value::List(elements), None) => {
            Value::List(elements.into_iter().map(|element| filtered(element, name)).collect())
        }
        (value, None) => {
            let text = plain_text(&value);
            filter(name, &text).map_or(Value::Null, Value::Text)
        }
    }
}

/// Whether there is such a filter.
pub(super) fn is_filter(name: &str) -> bool {
    let bare = name.split(':').next().unwrap_or_default();
    ["or", "upper", "lower", "last", "segment", "unquote", "quote", "location", "count", "join", "not", "statement"]
        .contains(&bare)
}

/// `upper`, `lower`; `last`: after the last `/` or `|`; `segment:NAME`: what follows `/NAME/`; `unquote`: without
/// `"`; `quote`: each part of a dotted name in `"`; `location`: `switzerlandnorth` for `Switzerland North`;
/// `count` and `join` (with commas) for lists; `not` for true and false; `statement`: without
/// white space and `;` around it.
fn filter(name: &str, text: &str) -> Option<String> {
    let (name, with) = name.split_once(':').unwrap_or((name, ""));
    Some(match name {
        "upper" => text.to_uppercase(),
        "lower" => text.to_lowercase(),
        "last" => text.rsplit(['/', '|']).next().unwrap_or_default().to_owned(),
        "segment" => {
            let mut segments = text.split('/');
            segments.find(|segment| segment.eq_ignore_ascii_case(with))?;
            segments.next().unwrap_or_default().to_owned()
        }
        "unquote" => text.replace('"', ""),
        "quote" => text.replace('"', "").split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join("."),
        "statement" => text.trim_end_matches([';', '\r', '\n']).trim().to_owned(),
        "location" => text.to_lowercase().replace(' ', ""),
        "count" | "join" | "not" => text.to_owned(),
        _ => return None,
    })
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::List(elements) => elements.iter().map(plain_text).collect::<Vec<_>>().join(","),
        Value::Null | Value::Unknown | Value::Map(_) => String::new(),
    }
}

/// The value as one of `ty`; null where it can't be.
fn coerce(value: Value, ty: &Type) -> Value {
    match (value, ty) {
        (Value::Unknown, _) => Value::Unknown,
        (value @ (Value::Bool(_) | Value::Number(_) | Value::Text(_)), Type::Text) => Value::Text(plain_text(&value)),
        (value @ Value::Bool(_), Type::Bool) | (value @ Value::Number(_), Type::Number) => value,
        (Value::Text(text), Type::Bool) => text.to_lowercase().parse().map_or(Value::Null, Value::Bool),
        (Value::Text(text), Type::Number) => Number::from_digits(&text).map_or(Value::Null, Value::Number),
        (Value::List(elements), Type::List(of)) => {
            Value::List(elements.into_iter().map(|element| coerce(element, of)).collect())
        }
        (Value::List(elements), Type::Set(of)) => {
            Value::set(elements.into_iter().map(|element| coerce(element, of)).collect())
        }
        (Value::Map(entries), Type::Map(of)) => {
            Value::Map(entries.into_iter().map(|(key, value)| (key, coerce(value, of))).collect())
        }
        (Value::Map(mut entries), Type::Object(attributes)) => Value::Map(
            attributes
                .iter()
                .map(|(name, ty)| (name.clone(), coerce(entries.remove(name).unwrap_or(Value::Null), ty)))
                .collect(),
        ),
        _ => Value::Null,
    }
}
