//! What holds of all messages: nothing is lost on the wire, nothing wrong gets in.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::machine::{Board, Core, Engine, Interface, Memory, Rail, Zone};
use super::*;

fn instant() -> impl Strategy<Value = Timestamp> {
    // 1970 to 2100, to the nanosecond.
    (0i64..4_102_444_800, 0i32..1_000_000_000).prop_map(|(s, ns)| Timestamp::new(s, ns).expect("within range"))
}

fn message_id() -> impl Strategy<Value = MessageId> {
    "[A-Za-z0-9:.+%_#*?!(),=@;$'-]{1,128}".prop_map(|text| MessageId::try_from(text).expect("allowed characters"))
}

fn device_id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:-]{1,128}"
}

fn variable() -> impl Strategy<Value = Variable> {
    prop::sample::select(Variable::ALL.to_vec())
}

fn flag() -> impl Strategy<Value = QcFlag> {
    prop::sample::select(vec![
        QcFlag::Clipped,
        QcFlag::OutOfRange,
        QcFlag::NotFinite,
        QcFlag::Derived,
        QcFlag::Implausible,
        QcFlag::Inconsistent,
        QcFlag::Step,
        QcFlag::Frozen,
    ])
}

fn within(variable: Variable) -> impl Strategy<Value = f64> {
    let (low, high) = variable.range();
    prop_oneof![Just(low), Just(high), low..=high]
}

fn class() -> impl Strategy<Value = SkyClass> {
    (0u8..=8).prop_map(SkyClass::of_okta)
}

fn warnings() -> impl Strategy<Value = Vec<SkyWarning>> {
    prop::sample::subsequence(SkyWarning::ALL.to_vec(), 0..=SkyWarning::ALL.len())
}

prop_compose! {
    fn sky()(
        taken_at in instant(),
        (cloud_cover_pct, method) in (option::of(0.0..=100.0), option::of("[A-Za-z0-9]{1,32}")),
        cloud_cover_by_method_pct in btree_map("[a-z][A-Za-z0-9]{0,31}", 0.0..=100.0, 0..4),
        (okta, sky_class) in (option::of(0u8..=8), option::of(class())),
        (sun_elevation_deg, sun_azimuth_deg, is_night) in (option::of(-90.0..=90.0), option::of(0.0..=360.0), option::of(any::<bool>())),
        (motion_direction_deg, motion_deg_per_min) in (option::of(0.0..=360.0), option::of(0.0..1e6)),
        (motion_picture_deg, motion_px_per_s, motion_confidence) in (option::of(0.0..=360.0), option::of(0.0..1e6), option::of(0.0..=1.0)),
        (warnings, rendered) in (warnings(), any::<bool>()),
    ) -> SkyFeatures {
        SkyFeatures {
            taken_at, cloud_cover_pct, method, cloud_cover_by_method_pct, okta, sky_class, sun_elevation_deg, sun_azimuth_deg,
            is_night, motion_direction_deg, motion_deg_per_min, motion_picture_deg, motion_px_per_s, motion_confidence,
            warnings, rendered,
        }
    }
}

fn clock() -> impl Strategy<Value = ClockNote> {
    let flag = prop::sample::select(vec![ClockFlag::Restamped, ClockFlag::Unset]);
    (flag, "[0-9a-f-]{1,36}", 0.0..1e9).prop_map(|(flag, boot_id, boot_time_s)| ClockNote {
        flag,
        boot_id,
        boot_time_s,
    })
}

prop_compose! {
    fn measurement()(
        (device_id, message_id, measured_at) in (device_id(), message_id(), instant()),
        values in Variable::ALL.map(|variable| option::of(within(variable))),
        qc in btree_map(variable(), flag(), 0..4),
        sky in option::of(sky()),
        clock in option::of(clock()),
    ) -> Message {
        let mut measurement = WeatherMeasurement { message_id, qc, sky, clock, ..WeatherMeasurement::empty(&device_id, measured_at) };
        for (variable, value) in Variable::ALL.into_iter().zip(values) {
            measurement.set(variable, value);
        }
        Message::WeatherMeasurement(measurement)
    }
}

fn forecast() -> impl Strategy<Value = VariableForecast> {
    variable().prop_flat_map(|variable| {
        let lead = (within(variable), within(variable), within(variable), within(variable), within(variable));
        (Just(variable), within(variable), vec(lead, 0..24)).prop_map(|(variable, persistence, leads)| {
            VariableForecast {
                variable,
                persistence,
                leads: (1u16..)
                    .zip(leads)
                    .map(|(step, (a, b, c, d, e))| {
                        let mut values = [a, b, c, d, e];
                        values.sort_by(f64::total_cmp);
                        LeadForecast { lead_minutes: 10 * step, quantiles: Quantiles::ordered(values) }
                    })
                    .collect(),
            }
        })
    })
}

prop_compose! {
    fn prediction()(
        (device_id, message_id, measured_at) in (device_id(), message_id(), instant()),
        clock in option::of(clock()),
        model_id in "[a-z0-9-]{1,40}",
        forecasts in vec(forecast(), 0..4),
        rain_probability in option::of(0.0..=1.0),
        cloud_probability in vec(0.0..=1.0, 0..4),
    ) -> Message {
        let schema = SCHEMA_VERSION;
        Message::Prediction(Prediction {
            device_id, message_id, measured_at, schema, clock, model_id, forecasts, rain_probability, cloud_probability,
        })
    }
}

fn core() -> impl Strategy<Value = Core> {
    let figures = (option::of(0.0..=100.0), option::of(0.0..5000.0), option::of(0.0..5000.0));
    (any::<bool>(), figures, option::of("[a-z_]{1,20}")).prop_map(|(online, (load_pct, mhz, max_mhz), governor)| Core {
        online,
        load_pct,
        mhz,
        max_mhz,
        governor,
    })
}

prop_compose! {
    fn machine()(
        read_at in option::of(instant()),
        (model, power_mode) in (option::of("[A-Za-z0-9 ]{1,40}"), option::of("[A-Z0-9_]{1,12}")),
        (uptime_s, load_average) in (option::of(0.0..1e9), option::of([0.0..100.0, 0.0..100.0, 0.0..100.0])),
        cores in vec(core(), 0..4),
        gpus in vec(("[a-z0-9.]{1,20}", vec(0.0..2000.0, 0..3)), 0..2),
        memory in option::of((0.0..1e6, 0.0..1e6)),
        zones in vec(("[a-z0-9-]{1,20}", option::of(-50.0..120.0)), 0..4),
        rails in vec(("[A-Z0-9_]{1,20}", option::of(-100.0..60_000.0)), 0..4),
        (received_bytes, sent_bytes) in (any::<u64>(), any::<u64>()),
        unread in vec("[ -~]{1,60}", 0..3),
    ) -> Machine {
        Machine {
            read_at, uptime_s, load_average, cores, unread,
            board: Board { model, power_mode, ..Board::default() },
            gpus: gpus.into_iter().map(|(name, mhz)| Engine { name, mhz, ..Engine::default() }).collect(),
            memory: memory.map(|(total_mib, used_mib)| Memory { total_mib, used_mib, ..Memory::default() }),
            zones: zones.into_iter().map(|(name, celsius)| Zone { name, celsius, ..Zone::default() }).collect(),
            rails: rails.into_iter().map(|(name, mw)| Rail { name, mw, ..Rail::default() }).collect(),
            interfaces: vec![Interface { name: "eth0".into(), received_bytes, sent_bytes, ..Interface::default() }],
            ..Machine::default()
        }
    }
}

prop_compose! {
    fn health()(
        (device_id, message_id, measured_at) in (device_id(), message_id(), instant()),
        clock in option::of(clock()),
        agent_version in "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        (agent_uptime_s, outbox_rows, outbox_bytes, outbox_given_up) in (0.0..1e9, any::<u64>(), any::<u64>(), any::<u64>()),
        memory_used_pct in option::of(0.0..=100.0),
        (process_memory_mib, load_average) in (option::of(0.0..1e6), option::of(0.0..1e4)),
        (disk_free_mib, temperature_c) in (option::of(0.0..1e9), option::of(-50.0..150.0)),
        machine in option::of(machine().prop_map(Box::new)),
    ) -> Message {
        Message::DeviceHealth(DeviceHealth {
            device_id, message_id, measured_at, schema: SCHEMA_VERSION, clock, agent_version, agent_uptime_s, outbox_rows,
            outbox_bytes, outbox_given_up, memory_used_pct, process_memory_mib, load_average, disk_free_mib, temperature_c,
            machine,
        })
    }
}

prop_compose! {
    fn picture()(
        (device_id, message_id, measured_at) in (device_id(), message_id(), instant()),
        clock in option::of(clock()),
        blob_name in ".{1,60}",
        size_bytes in any::<u64>(),
        (width_px, height_px) in (option::of(1u32..=20_000), option::of(1u32..=20_000)),
        (thumbnail, analysis) in (option::of(".{1,60}"), option::of(sky())),
    ) -> Message {
        Message::PictureTaken(PictureTaken {
            device_id, message_id, measured_at, schema: SCHEMA_VERSION, clock, blob_name, size_bytes, width_px, height_px,
            thumbnail, analysis,
        })
    }
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![measurement(), prediction(), health(), picture()]
}

/// Whether all keys are camel case. The variables under `qc` are keys too.
fn all_camel_case(value: &Value) -> bool {
    let camel = |key: &String| {
        key.starts_with(|c: char| c.is_ascii_lowercase()) && key.chars().all(|c| c.is_ascii_alphanumeric())
    };
    match value {
        Value::Object(fields) => fields.iter().all(|(key, value)| camel(key) && all_camel_case(value)),
        Value::Array(values) => values.iter().all(all_camel_case),
        _ => true,
    }
}

fn read(value: &Value) -> Result<Message, InvalidMessage> {
    Message::from_json(value.to_string().as_bytes())
}

proptest! {
    #[test]
    fn a_message_arrives_as_it_was_sent(sent in message()) {
        let text = sent.to_json();
        prop_assert!(!text.contains('\n'), "one line");
        prop_assert_eq!(&Message::from_json(text.as_bytes()).expect("its own JSON"), &sent);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(value["type"].as_str(), Some(sent.kind().name()));
        prop_assert!(all_camel_case(&value), "{}", text);
        prop_assert!(!text.contains("null"), "absent is left out");
    }

    #[test]
    fn no_field_may_be_unknown_null_or_doubled(sent in message(), place in any::<prop::sample::Index>()) {
        let whole: Value = serde_json::from_str(&sent.to_json()).expect("JSON");
        let mut more = whole.clone();
        more["weather"] = json!(1);
        let reason = read(&more).expect_err("unknown field").to_string();
        prop_assert!(reason.contains("weather: unknown field `weather`"), "{}", reason);

        let fields = whole.as_object().expect("an object");
        let key = place.get(&fields.keys().collect::<Vec<_>>()).as_str();
        let mut nothing = whole.clone();
        nothing[key] = Value::Null;
        let reason = read(&nothing).expect_err("null").to_string();
        prop_assert!(key == "type" || reason.contains(&format!("{key}: ")), "{}: {}", key, reason);

        let doubled = format!("{{{}:{},{}", json!(key), whole[key], &whole.to_string()[1..]);
        prop_assert!(Message::from_json(doubled.as_bytes()).is_err(), "{}", doubled);
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise(bytes in vec(any::<u8>(), 0..200), text in ".{0,200}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let reason = Message::from_json(bytes).expect_err("no message").to_string();
            prop_assert!(!reason.chars().any(char::is_control), "{}", reason);
        }
    }

    #[test]
    fn a_value_outside_its_range_is_refused_with_its_field(variable in variable(), beyond in 1e-6..1e9f64, below in any::<bool>()) {
        let (low, high) = variable.range();
        let value = if below { low - beyond } else { high + beyond };
        let body = json!({"type": "WeatherMeasurement", "deviceId": "roof-01", "messageId": "m", "schema": 1,
            "measuredAt": "2016-06-01T00:00:00Z", variable.field(): value});
        let expected = InvalidMessage::OutOfRange { field: variable.field(), value, low, high };
        prop_assert_eq!(read(&body), Err(expected));
    }

    #[test]
    fn a_reading_becomes_a_measurement_that_holds_only_what_can_be(
        values in vec((variable(), prop_oneof![-1e6..1e6f64, Just(f64::NAN), Just(f64::INFINITY)]), 0..8),
    ) {
        let reading = Reading { measured_at: Timestamp::UNIX_EPOCH, values, qc: Default::default() };
        let (measurement, rejected) = WeatherMeasurement::from_reading("roof-01", &reading);
        prop_assert_eq!(Message::WeatherMeasurement(measurement).validate(), Ok(()));
        let wrong = reading.values.iter().filter(|(variable, value)| {
            let (low, high) = variable.range();
            !(low..=high).contains(value)
        });
        prop_assert_eq!(rejected.len(), wrong.count());
    }
}

fn refusal(body: &Value) -> String {
    read(body).expect_err("refused").to_string()
}

#[test]
fn a_wrong_type_is_refused_with_the_way_to_its_field() {
    let measurement = json!({"type": "WeatherMeasurement", "deviceId": "roof-01", "messageId": "m", "schema": 1,
        "measuredAt": "2016-06-01T00:00:00Z"});
    let with = |field: &str, value: Value| {
        let mut body = measurement.clone();
        body[field] = value;
        refusal(&body)
    };
    assert!(read(&measurement).is_ok(), "a measurement without a value is one: all its sensors failed");
    for (field, value, words) in [
        ("temperatureC", json!("14.2"), "temperatureC: invalid type: string \"14.2\", expected f64"),
        ("measuredAt", json!("noon"), "measuredAt: "),
        ("schema", json!(-1), "schema: invalid value"),
        ("schema", json!(2), "schema: 2 isn't known here"),
        ("qc", json!({"humidity": "odd"}), "qc.?: unknown variant `odd`"),
        ("qc", json!({"fog": "clipped"}), "unknown variant `fog`"),
        ("sky", json!({"takenAt": "2016-06-01T00:00:00Z", "cloudCover": 1}), "sky.cloudCover: unknown field"),
        (
            "sky",
            json!({"takenAt": "2016-06-01T00:00:00Z", "cloudCoverPct": 101}),
            "sky.cloudCoverPct 101 is outside 0 to 100",
        ),
        ("messageId", json!("a b"), "messageId"),
        ("messageId", json!(""), "messageId"),
        ("deviceId", json!("a/b"), "deviceId \"a/b\" is not an identity"),
        ("type", json!("Weather"), "unknown variant `Weather`"),
    ] {
        let reason = with(field, value);
        assert!(reason.contains(words), "{field}: {reason}");
    }
    let nan = measurement.to_string().replace('}', ",\"temperatureC\":NaN}");
    assert!(Message::from_json(nan.as_bytes()).is_err());
    assert!(refusal(&json!([1])).contains("not a message of schema 1"));
    assert!(refusal(&json!({"deviceId": "roof-01"})).contains("missing field `type`"));
}

#[test]
fn a_forecast_that_contradicts_itself_is_refused() {
    let lead = |minutes: u32, q: [f64; 5]| json!({"leadMinutes": minutes, "q05": q[0], "q25": q[1], "q50": q[2], "q75": q[3], "q95": q[4]});
    let prediction = |persistence: f64, leads: Vec<Value>| {
        json!({"type": "Prediction", "deviceId": "roof-01", "messageId": "p", "schema": 1, "modelId": "m",
            "measuredAt": "2016-06-01T00:00:00Z",
            "forecasts": [{"variable": "humidity", "persistence": persistence, "leads": leads}]})
    };
    let fine = [10.0, 20.0, 30.0, 40.0, 50.0];
    assert!(read(&prediction(50.0, vec![lead(10, fine), lead(240, fine)])).is_ok());
    for (leads, words) in [
        (vec![lead(0, fine)], "at 0 min: the lead is outside 1 to 240 minutes"),
        (vec![lead(250, fine)], "the lead is outside"),
        (vec![lead(20, fine), lead(10, fine)], "at 10 min: the leads don't ascend"),
        (vec![lead(10, [10.0, 5.0, 30.0, 40.0, 50.0])], "the quantiles cross"),
        (vec![lead(10, [10.0, 20.0, 30.0, 40.0, 101.0])], "forecast of humidity at 10 min: a quantile is outside"),
        (vec![json!({"leadMinutes": 10, "q05": 1, "q25": 2, "q50": 3, "q75": 4})], "missing field `q95`"),
    ] {
        let reason = refusal(&prediction(50.0, leads));
        assert!(reason.contains(words), "{reason}");
    }
    let mut odd = lead(10, fine);
    odd["q99"] = json!(60);
    let reason = refusal(&prediction(50.0, vec![odd]));
    assert!(reason.contains("forecasts[0].leads[0]") && reason.contains("unknown field `q99`"), "{reason}");
    assert!(refusal(&prediction(-3.0, vec![lead(10, fine)])).contains("humidityPct -3 is outside 0 to 100"));
}
