//! JSON merge patches (RFC 7396) between two states of reported properties.

use serde_json::{Map, Value};

/// The patch that makes `to` of `from`; `None` where they are the same. A `null` in `to` is the same as nothing:
/// a patch has no other way to say it.
pub(super) fn diff(from: &Map<String, Value>, to: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut patch = Map::new();
    for name in from.keys() {
        if to.get(name).is_none_or(Value::is_null) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    for (name, value) in to.iter().filter(|(_, value)| !value.is_null()) {
        match (from.get(name), value) {
            (Some(Value::Object(from)), Value::Object(to)) => {
                if let Some(inner) = diff(from, to) {
                    patch.insert(name.clone(), Value::Object(inner));
                }
            }
            (Some(before), value) if is_same(before, value) => {}
            (_, Value::Object(to)) => {
                // Over what was no object, or nothing: only what isn't null comes with it.
                patch.insert(name.clone(), Value::Object(diff(&Map::new(), to).unwrap_or_default()));
            }
            (_, value) => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    (!patch.is_empty()).then_some(patch)
}

/// A hub may give 1 for 1.0.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64() == b.as_f64() && !(a.is_i64() && b.is_i64())),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        _ => a == b,
    }
}

/// Applies `patch` to `target`.
pub(super) fn apply(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(inner) => {
                let place = target.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(place) = place {
                    apply(place, inner);
                }
            }
            value => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Parts of `patch`, in order, each of at most `max` bytes as text where that can be; what can't be parted any more
/// is longer.
pub(super) fn split(patch: Map<String, Value>, max: usize) -> Vec<Map<String, Value>> {
    if size(&patch) <= max {
        return vec![patch];
    }
    let (mut parts, mut part, mut bytes) = (Vec::new(), Map::new(), 2);
    for (name, value) in patch {
        let more = name.len() + value.to_string().len() + 4;
        let value = match value {
            // Too large alone: parted within. An empty one has nothing to be parted, and would be lost.
            Value::Object(inner) if more + 2 > max && !inner.is_empty() => {
                let inner = split(inner, max.saturating_sub(name.len() + 6));
                parts.extend(inner.into_iter().map(|inner| Map::from_iter([(name.clone(), Value::Object(inner))])));
                continue;
            }
            value => value,
        };
        if bytes + more > max && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            bytes = 2;
        }
        bytes += more;
        part.insert(name, value);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Its bytes as text.
pub(super) fn size(patch: &Map<String, Value>) -> usize {
    serde_json::to_string(patch).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value}") };
        map
    }

    #[test]
    fn a_patch_says_what_changed_and_nothing_else() {
        let from = json!({"a": 1, "b": {"c": 2, "d": [1, 2]}, "gone": {"x": 1}, "f": 1, "n": 2.0, "o": 3});
        let to = json!({"a": 1.0, "b": {"c": 3, "d": [1, 2]}, "f": {"g": 1, "h": null}, "n": 2, "o": null, "e": {}});
        let patch = diff(&map(from.clone()), &map(to)).expect("a difference");
        assert_eq!(
            Value::Object(patch.clone()),
            json!({"b": {"c": 3}, "gone": null, "f": {"g": 1}, "o": null, "e": {}})
        );
        let mut applied = map(from);
        apply(&mut applied, &patch);
        assert_eq!(
            Value::Object(applied.clone()),
            json!({"a": 1, "b": {"c": 3, "d": [1, 2]}, "f": {"g": 1}, "n": 2.0, "e": {}})
        );
        assert_eq!(diff(&applied, &applied), None);
    }

    #[test]
    fn a_large_patch_is_parted_down_to_its_leaves() {
        let long = "x".repeat(50);
        let patch =
            map(json!({"a": long, "b": {"c": long, "d": {"e": long, "f": long}}, "g": 1, "h": "y".repeat(300)}));
        let parts = split(patch.clone(), 100);
        assert!(parts.iter().all(|part| size(part) <= 100 || part.contains_key("h")), "{parts:?}");
        let mut whole = Map::new();
        for part in &parts {
            apply(&mut whole, part);
        }
        assert_eq!(whole, patch);
        assert_eq!(split(map(json!({"h": long})), 10).len(), 1);
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-5i64..5).prop_map(Value::from),
            "[a-c]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                object(inner).prop_map(Value::Object),
            ]
        })
    }

    fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        proptest::collection::btree_map("[a-d]{1,2}", inner, 0..4).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_patched_is_what_is_wanted(from in object(json_value()), to in object(json_value()), max in 2usize..80) {
            // A hub's copy never holds a null.
            let mut start = Map::new();
            apply(&mut start, &from);
            let mut hub = start.clone();
            if let Some(patch) = diff(&start, &to) {
                for part in split(patch, max) {
                    apply(&mut hub, &part);
                }
            }
            prop_assert_eq!(diff(&hub, &to), None);
        }
    }
}
