//! Merge patches (RFC 7396) of a twin's sections, with the metadata IoT Hub keeps of each key, and the rules that
//! a section has to hold.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::station::text::printable;

/// Bytes of desired or reported properties, as IoT Hub counts them.
pub const MAX_PROPERTIES: usize = 32 * 1024;
/// Bytes of tags.
pub const MAX_TAGS: usize = 8 * 1024;
/// Levels of objects within a section.
pub const MAX_DEPTH: usize = 10;
/// Bytes of a key.
const MAX_KEY: usize = 1024;
/// Bytes of a text.
const MAX_TEXT: usize = 4096;
/// The greatest whole number, and its negative is the least but one.
const MAX_INTEGER: i64 = 4_503_599_627_370_495;

/// Removes what only the hub may say: `$metadata` and `$version`, which callers send back as they got them.
pub(super) fn without_hubs_own(mut patch: Map<String, Value>) -> Map<String, Value> {
    patch.remove("$metadata");
    patch.remove("$version");
    patch
}

/// Checks names, values and depth of a patch; the error says what is wrong, and where.
pub(super) fn check(patch: &Map<String, Value>) -> Result<(), String> {
    check_object(patch, 1)
}

fn check_object(object: &Map<String, Value>, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("objects lie deeper than {MAX_DEPTH} levels"));
    }
    for (key, value) in object {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(format!("a name must have 1 to {MAX_KEY} bytes"));
        }
        if key.chars().any(|c| c.is_control() || matches!(c, '.' | ' ' | '$')) {
            return Err(format!(
                "the name {} holds a control character, '.', ' ' or '$', which names can't",
                printable(key)
            ));
        }
        check_value(value, depth).map_err(|error| format!("{}: {error}", printable(key)))?;
    }
    Ok(())
}

fn check_value(value: &Value, depth: usize) -> Result<(), String> {
    match value {
        Value::Object(object) => check_object(object, depth + 1),
        Value::Array(_) if depth >= MAX_DEPTH => Err(format!("values lie deeper than {MAX_DEPTH} levels")),
        Value::Array(values) => values.iter().try_for_each(|value| check_value(value, depth + 1)),
        Value::String(text) if text.len() > MAX_TEXT => Err(format!("a text has more than {MAX_TEXT} bytes")),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if (-MAX_INTEGER - 1..=MAX_INTEGER).contains(&whole) => Ok(()),
            None if number.is_f64() => Ok(()),
            _ => Err(format!("{number} is beyond ±{MAX_INTEGER}")),
        },
        _ => Ok(()),
    }
}

/// Bytes of a section as IoT Hub counts them: keys and texts by their length, a number 8, a truth value 4.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(object) => object.iter().map(|(key, value)| key.len() + size(value)).sum(),
    }
}

/// What is noted of a key that changes.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    /// The section's new version; reported properties have none in their metadata.
    pub(super) version: Option<u64>,
}

impl Stamp {
    pub(super) fn put(self, metadata: &mut Map<String, Value>) {
        metadata.insert("$lastUpdated".into(), json!(self.at));
        if let Some(version) = self.version {
            metadata.insert("$lastUpdatedVersion".into(), json!(version));
        }
    }
}

/// Merges `patch` into `section`, and the stamp of each key it names into `metadata`.
pub(super) fn merge(
    section: &mut Map<String, Value>,
    metadata: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    stamp: Stamp,
) {
    stamp.put(metadata);
    for (key, value) in patch {
        match value {
            Value::Null => {
                section.remove(key);
                metadata.remove(key);
            }
            Value::Object(patch) => {
                let (mut inner, mut noted) = match (section.remove(key), metadata.remove(key)) {
                    (Some(Value::Object(inner)), Some(Value::Object(noted))) => (inner, noted),
                    (Some(Value::Object(inner)), _) => (inner, Map::new()),
                    _ => (Map::new(), Map::new()),
                };
                merge(&mut inner, &mut noted, patch, stamp);
                section.insert(key.clone(), inner.into());
                metadata.insert(key.clone(), noted.into());
            }
            _ => {
                let mut noted = Map::new();
                stamp.put(&mut noted);
                section.insert(key.clone(), value.clone());
                metadata.insert(key.clone(), noted.into());
            }
        }
    }
}

/// The patch that makes of `old` exactly `new`: all of `new`, and `null` for what it doesn't have.
pub(super) fn replacing(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for key in old.keys().filter(|key| new.get(*key).is_none_or(Value::is_null)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new.iter().filter(|(_, value)| !value.is_null()) {
        let value = match (old.get(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => replacing(old, new).into(),
            _ => value.clone(),
        };
        patch.insert(key.clone(), value);
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    fn stamp(second: i64, version: u64) -> Stamp {
        Stamp { at: Timestamp::from_second(second).expect("in range"), version: Some(version) }
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let mut section = object(json!({"a": 1, "b": {"c": 2, "d": 3}, "e": "x"}));
        let mut metadata = Map::new();
        let all = section.clone();
        merge(&mut Map::new(), &mut metadata, &all, stamp(1, 1));
        merge(&mut section, &mut metadata, &object(json!({"b": {"c": null, "f": [1]}, "e": {"g": true}})), stamp(2, 2));
        assert_eq!(Value::from(section), json!({"a": 1, "b": {"d": 3, "f": [1]}, "e": {"g": true}}));
        let (first, second) = ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z");
        let note = |at: &str, version: u64| json!({"$lastUpdated": at, "$lastUpdatedVersion": version});
        let mut expected = note(second, 2);
        expected["a"] = note(first, 1);
        expected["b"] = note(second, 2);
        expected["b"]["d"] = note(first, 1);
        expected["b"]["f"] = note(second, 2);
        expected["e"] = note(second, 2);
        expected["e"]["g"] = note(second, 2);
        assert_eq!(Value::from(metadata), expected);
    }

    #[test]
    fn names_depth_and_values_have_their_rules() {
        let deep = |levels: usize| (1..levels).fold(json!({"x": 1}), |inner, _| json!({"x": inner}));
        check(&object(deep(MAX_DEPTH))).expect("ten levels");
        check(&object(json!({"ä-_€": -4_503_599_627_370_496_i64, "f": 1e300, "n": null}))).expect("allowed");
        for (wrong, word) in [
            (deep(MAX_DEPTH + 1), "deeper"),
            (json!({"a.b": 1}), "a.b"),
            (json!({"a b": 1}), "name"),
            (json!({"$a": 1}), "name"),
            (json!({"a\u{7}": 1}), "name"),
            (json!({"": 1}), "1 to"),
            (json!({"k".repeat(1025): 1}), "1 to"),
            (json!({"a": {"b": "x".repeat(4097)}}), "a: b: a text"),
            (json!({"a": 4_503_599_627_370_496_i64}), "beyond"),
            (json!({"a": u64::MAX}), "beyond"),
            (json!({"a": [{"b.c": 1}]}), "b.c"),
        ] {
            let error = check(&object(wrong)).expect_err("refused");
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn size_counts_keys_and_values() {
        assert_eq!(size(&json!({"ab": 1, "c": {"d": true, "e": "xyz"}, "f": [1, "y"]})), 2 + 8 + 1 + 5 + 4 + 1 + 9);
    }

    fn json_value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), "[a-c]".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 4, |inner| {
            proptest::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| map.into_iter().collect())
        })
    }

    /// RFC 7396's own function, word by word.
    fn reference(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut target = match target {
            Value::Object(target) => target,
            _ => Map::new(),
        };
        for (name, value) in patch {
            let old = target.remove(name);
            if !value.is_null() {
                target.insert(name.clone(), reference(old.unwrap_or(Value::Null), value));
            }
        }
        target.into()
    }

    fn without_nulls(value: Value) -> Value {
        reference(Value::Null, &value)
    }

    proptest::proptest! {
        #[test]
        fn merging_is_that_of_the_rfc_and_metadata_have_the_sections_keys(old in json_value(), patch in json_value()) {
            let (Value::Object(old), Value::Object(patch)) = (without_nulls(old), patch) else { return Ok(()) };
            let (mut section, mut metadata) = (Map::new(), Map::new());
            merge(&mut section, &mut metadata, &old, stamp(1, 1));
            merge(&mut section, &mut metadata, &patch, stamp(2, 2));
            let expected = reference(old.into(), &patch.into());
            proptest::prop_assert_eq!(Value::from(section), expected.clone());
            fn keys(value: &Value) -> Value {
                match value {
                    Value::Object(object) => object.iter().filter(|(key, _)| !key.starts_with('$'))
                        .map(|(key, value)| (key.clone(), keys(value))).collect(),
                    _ => json!({}),
                }
            }
            proptest::prop_assert_eq!(keys(&metadata.into()), keys(&expected));
        }

        #[test]
        fn the_replacing_patch_makes_exactly_the_new(old in json_value(), new in json_value()) {
            let (old, new) = (without_nulls(old), without_nulls(new));
            let (Value::Object(old), Value::Object(new)) = (old, new) else { return Ok(()) };
            let patch = replacing(&old, &new);
            proptest::prop_assert_eq!(reference(old.into(), &patch.into()), Value::from(new));
        }
    }
}
