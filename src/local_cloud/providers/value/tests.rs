//! The codec: whatever goes over the wire or into the store comes back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A type with a value of it. `unknown` lets some of it be unknown.
fn typed(unknown: bool) -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(move |ty| (Just(ty.clone()), value(&ty, unknown)))
}

fn types() -> impl Strategy<Value = Type> {
    let plain = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::Text)];
    plain.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|ty| Type::List(Box::new(ty))),
            inner.clone().prop_map(|ty| Type::Set(Box::new(ty))),
            inner.clone().prop_map(|ty| Type::Map(Box::new(ty))),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4).prop_map(Type::Object),
        ]
    })
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        (u64::try_from(i64::MAX).unwrap_or(u64::MAX) + 1..)
            .prop_filter_map("a number", |whole| Number::from_digits(&whole.to_string())),
    ]
}

fn value(ty: &Type, unknown: bool) -> BoxedStrategy<Value> {
    let known: BoxedStrategy<Value> = match ty.clone() {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => number().prop_map(Value::Number).boxed(),
        Type::Text => any::<String>().prop_map(Value::Text).boxed(),
        Type::List(of) => prop::collection::vec(value(&of, unknown), 0..4).prop_map(Value::List).boxed(),
        Type::Set(of) => prop::collection::vec(value(&of, unknown), 0..4).prop_map(Value::set).boxed(),
        Type::Map(of) => {
            prop::collection::btree_map(any::<String>(), value(&of, unknown), 0..4).prop_map(Value::Map).boxed()
        }
        Type::Object(attributes) => {
            let start = Just(BTreeMap::new()).boxed();
            let all = attributes.into_iter().fold(start, |made, (name, ty)| {
                let add = move |(mut made, value): (BTreeMap<_, _>, _)| {
                    made.insert(name.clone(), value);
                    made
                };
                (made, value(&ty, unknown)).prop_map(add).boxed()
            });
            all.prop_map(Value::Map).boxed()
        }
    };
    if unknown {
        prop_oneof![8 => known, 1 => Just(Value::Null), 1 => Just(Value::Unknown)].boxed()
    } else {
        prop_oneof![8 => known, 1 => Just(Value::Null)].boxed()
    }
}

proptest! {
    #[test]
    fn over_the_wire_and_back((ty, value) in typed(true)) {
        let bytes = value.to_msgpack(&ty).expect("it is of its type");
        prop_assert_eq!(Value::from_msgpack(&bytes, &ty).expect("readable"), value);
    }

    #[test]
    fn into_the_store_and_back((ty, value) in typed(false)) {
        let text = value.to_json().to_string();
        let json = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(Value::from_json(&json, &ty).expect("readable"), value);
    }

    #[test]
    fn a_set_is_the_same_in_any_order(mut elements in prop::collection::vec(number().prop_map(Value::Number), 0..8), turn in 0_usize..8) {
        let one = Value::set(elements.clone());
        let half = turn.min(elements.len());
        elements.rotate_left(half);
        elements.extend(elements.first().cloned());
        prop_assert_eq!(Value::set(elements), one);
    }

    #[test]
    fn bytes_of_nobody_are_an_error_or_a_value(bytes in prop::collection::vec(any::<u8>(), 0..64), ty in types()) {
        // What is read can be written: nothing that doesn't fit its type gets in.
        if let Ok(value) = Value::from_msgpack(&bytes, &ty) {
            prop_assert!(value.to_msgpack(&ty).is_ok());
        }
    }

    #[test]
    fn a_type_is_written_as_it_is_read(ty in types()) {
        let written = serde_json::to_string(&ty).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Type>(&written).expect("readable"), ty);
    }
}

#[test]
fn a_number_beyond_64_bits_with_a_sign_is_the_same_from_everywhere() {
    // The nearest float is 17,912,486,776,968,171,520; 2^63 is one itself.
    let inexact = (17_912_486_776_968_172_000, Number::Digits("17912486776968172000".to_owned()));
    let exact = (1 << 63, Number::Float(9_223_372_036_854_775_808.0));
    for (whole, number) in [inexact, exact] {
        assert_eq!(Number::from_digits(&u64::to_string(&whole)), Some(number.clone()));
        assert_eq!(number.to_string(), whole.to_string());
        let number = Value::Number(number);
        assert_eq!(Value::from_msgpack(&bytes(&rmpv::Value::from(whole)), &Type::Number), Ok(number.clone()));
        assert_eq!(Value::from_json(&serde_json::json!(whole), &Type::Number), Ok(number.clone()));
        assert_eq!(Value::from_json(&number.to_json(), &Type::Number), Ok(number));
    }
}

fn bytes(raw: &rmpv::Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, raw).expect("written");
    bytes
}

#[test]
fn unknown_is_an_extension_refined_or_not() {
    // Terraform from 1.6 on says what it knows of an unknown value, say that it isn't null: extension 12, a map.
    let refined = bytes(&rmpv::Value::Ext(12, vec![0x81, 0x01, 0xc2]));
    let plain = bytes(&rmpv::Value::Ext(0, vec![0]));
    for ty in [Type::Text, Type::List(Box::new(Type::Number))] {
        assert_eq!(Value::from_msgpack(&refined, &ty), Ok(Value::Unknown));
        assert_eq!(Value::from_msgpack(&plain, &ty), Ok(Value::Unknown));
    }
    assert_eq!(Value::Unknown.to_msgpack(&Type::Text).expect("written"), plain);
    assert!(Value::from_msgpack(&bytes(&rmpv::Value::Ext(1, vec![0])), &Type::Text).is_err());
}

fn error_of(raw: &rmpv::Value, ty: &Type) -> String {
    Value::from_msgpack(&bytes(raw), ty).expect_err("refused").to_string()
}

#[test]
fn what_is_not_of_its_type_is_refused_with_its_place() {
    use rmpv::Value as Raw;
    let row = Type::Object([("size".to_owned(), Type::Number)].into());
    let rows = Type::Object([("row".to_owned(), Type::List(Box::new(row)))].into());
    let raw = |size: Raw| {
        let row = Raw::Map(vec![("size".into(), size)]);
        Raw::Map(vec![("row".into(), Raw::Array(vec![Raw::Map(vec![]), row]))])
    };
    assert_eq!(error_of(&raw(true.into()), &rows), "row[1].size: has to be a number, is true or false");
    assert_eq!(error_of(&raw("much".into()), &rows), "row[1].size: has to be a number, is something else");
    let other = Raw::Map(vec![("rows".into(), Raw::Nil)]);
    assert_eq!(error_of(&other, &rows), "rows: isn't in the schema");
    assert_eq!(error_of(&Raw::from("x"), &Type::Bool), "the value: has to be true or false, is text");
    let map = Raw::Map(vec![("k".into(), 1.into())]);
    assert_eq!(error_of(&map, &Type::Map(Box::new(Type::Text))), "[\"k\"]: has to be text, is a number");
    let twice = [bytes(&Raw::Nil), bytes(&Raw::Nil)].concat();
    assert!(Value::from_msgpack(&twice, &Type::Text).is_err(), "two values are none");
}

#[test]
fn attributes_that_are_left_out_are_null_in_both_directions() {
    let ty = Type::Object([("a".to_owned(), Type::Text), ("b".to_owned(), Type::Bool)].into());
    let read = Value::from_msgpack(&bytes(&rmpv::Value::Map(vec![("a".into(), "x".into())])), &ty).expect("readable");
    assert_eq!(read.get("b"), &Value::Null);
    let some = Value::Map([("a".to_owned(), Value::text("x"))].into());
    let written = some.to_msgpack(&ty).expect("written");
    assert_eq!(Value::from_msgpack(&written, &ty), Ok(read));
    // A state of an older schema may have more than today's.
    let older = serde_json::json!({"a": "x", "gone": [1]});
    assert_eq!(Value::from_json(&older, &ty).expect("readable").get("a").as_text(), Some("x"));
}

#[test]
fn unknown_elements_of_a_set_stay_apart() {
    let set = Value::set(vec![Value::Unknown, Value::text("b"), Value::Unknown, Value::text("b")]);
    assert_eq!(set, Value::List(vec![Value::text("b"), Value::Unknown, Value::Unknown]));
}

#[test]
fn a_path_ends_before_the_element_of_a_set() {
    let path = Path::of("row").with(PathStep::Index(1)).with(PathStep::Name("cell".into())).with(PathStep::Element);
    let path = path.with(PathStep::Name("on".into()));
    assert_eq!(path.words(), "row[1].cell.on");
    assert_eq!(path.to_wire().steps.len(), 3);
}
