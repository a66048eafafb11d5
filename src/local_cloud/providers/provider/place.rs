//! Finding and changing what lies at a path of names.

use crate::local_cloud::providers::value::{Path, PathStep, Type, Value};

/// Every value at `path` with the place it has.
pub fn places<'v>(value: &'v Value, ty: &Type, path: &str) -> Vec<(Path, &'v Value)> {
    let names: Vec<&str> = path.split('.').collect();
    let mut found = Vec::new();
    collect(value, ty, &names, &Path::default(), &mut found);
    found
}

fn collect<'v>(value: &'v Value, ty: &Type, names: &[&str], at: &Path, found: &mut Vec<(Path, &'v Value)>) {
    let Some((name, rest)) = names.split_first() else {
        found.push((at.clone(), value));
        return;
    };
    match (value, ty) {
        (Value::List(elements), Type::List(of)) => {
            for (index, element) in elements.iter().enumerate() {
                collect(element, of, names, &at.with(PathStep::Index(index)), found);
            }
        }
        (Value::List(elements), Type::Set(of)) => {
            for element in elements {
                collect(element, of, names, &at.with(PathStep::Element), found);
            }
        }
        (Value::Map(entries), Type::Object(attributes)) => {
            if let Some((value, ty)) = entries.get(*name).zip(attributes.get(*name)) {
                collect(value, ty, rest, &at.with(PathStep::Name((*name).to_owned())), found);
            }
        }
        _ => {}
    }
}

/// Puts `change` of every value at `path` in its place; it is told the object that the value stands in, too.
pub fn change_at(
    value: &mut Value,
    ty: &Type,
    path: &str,
    change: &mut dyn FnMut(&Value, &Value, &Type) -> Option<Value>,
) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    match (value, ty) {
        (Value::List(elements), Type::List(of)) => {
            for element in elements {
                change_at(element, of, path, change);
            }
        }
        (value @ Value::List(_), Type::Set(of)) => {
            if let Value::List(elements) = std::mem::replace(value, Value::Null) {
                let changed = elements.into_iter().map(|mut element| {
                    change_at(&mut element, of, path, change);
                    element
                });
                *value = Value::set(changed.collect());
            }
        }
        (object @ Value::Map(_), Type::Object(attributes)) => {
            let Some(ty) = attributes.get(name) else { return };
            if rest.is_none() {
                let changed = change(object, object.get(name), ty);
                if let (Value::Map(entries), Some(changed)) = (object, changed) {
                    entries.insert(name.to_owned(), changed);
                }
            } else if let (Value::Map(entries), Some(rest)) = (object, rest)
                && let Some(inner) = entries.get_mut(name)
            {
                change_at(inner, ty, rest, change);
            }
        }
        _ => {}
    }
}
