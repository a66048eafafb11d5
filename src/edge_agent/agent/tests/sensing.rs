//! The whole agent on sensors: what they give is stored, flagged, and told of.

use super::*;
use crate::edge_agent::report::SensorState;
use crate::settings::{EnvironmentName, Layers, QualitySettings, load};
use crate::station::{QcFlag, Variable};

/// An agent in `data` that reads two programs, one of which isn't there.
async fn agent(data: &Path) -> Agent {
    let file = data.join("a.toml");
    let text = format!(
        "[source]\nkind = \"sensors\"\n[sensors.program]\nkind = \"command\"\ncommand = \"cat {0}/now\"\ninterval_s = 1\nretry_s = 1\n\
         temperature = \"t\"\npressure = \"p\"\n[sensors.other]\nkind = \"command\"\ncommand = \"/nowhere/sensor\"\nhumidity = \"h\"",
        data.display()
    );
    std::fs::write(&file, text).expect("written");
    std::fs::write(data.join("now"), "{\"t\":12.5,\"p\":955}\n").expect("written");
    let layers = Layers { file: Some(file), ..Layers::default() };
    let settings = load(&EnvironmentName::demo(), &layers).expect("loads").settings;
    let setup = AgentSetup {
        data,
        station: &StationSettings::default(),
        source: &settings.source,
        sensors: &settings.sensors,
        quality: &QualitySettings { temperature_max_c: 40.0, ..QualitySettings::default() },
        agent: &AgentSettings { measure_every_s: Some(1), ..AgentSettings::default() },
        camera: &CameraSettings::default(),
        sky: &crate::settings::SkySettings::default(),
        model: &crate::settings::ModelSettings::default(),
        link: &LinkSettings::default(),
        log_filter: "info",
        not_before: None,
        host: Host::default(),
    };
    Agent::open(setup).await.expect("opens").0
}

#[tokio::test]
async fn what_sensors_give_is_stored_flagged_and_told_of() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut agent = agent(folder.path()).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    let mut status = handles.status.clone();
    let both = status.wait_for(|status| {
        let states: Vec<_> = status.sensors.iter().map(|sensor| sensor.state).collect();
        status.measured >= 2 && states == [SensorState::Absent, SensorState::Read]
    });
    let seen = tokio::time::timeout(SOON, both).await.expect("soon").expect("open").clone();
    assert_eq!(seen.source, "1 of 2 sensors are read");
    let error = seen.last_error.expect("one is absent, though measurements are stored");
    assert!(error.starts_with("sensors.other: /nowhere/sensor can't be started"), "{error}");
    let mut reported = handles.reported.clone();
    let told = reported.wait_for(|document| document["sensors"]["program"]["state"] == "read");
    let told = tokio::time::timeout(SOON, told).await.expect("soon").expect("open").clone();
    assert_eq!(
        (&told["sensors"]["other"]["state"], &told["sensors"]["other"]["kind"]),
        (&json!("absent"), &json!("command"))
    );
    assert!(told["sensors"]["other"]["error"].as_str().is_some_and(|words| words.contains("can't be started")));
    assert_eq!(told["sensors"]["program"]["error"], Value::Null);

    // Hotter than the station can be: it is flagged, and is there.
    std::fs::write(folder.path().join("now"), "{\"t\":41,\"p\":955}\n").expect("written");
    let flagged = async {
        loop {
            let rows = handles.outbox.peek(0, 1000).await.expect("peeks");
            let found = rows.iter().rev().find_map(|row| match Message::from_json(row.body.as_bytes()) {
                Ok(Message::WeatherMeasurement(measurement)) if !measurement.qc.is_empty() => Some(measurement),
                _ => None,
            });
            match found {
                Some(measurement) => break measurement,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let measurement = tokio::time::timeout(SOON, flagged).await.expect("soon");
    assert_eq!((measurement.temperature_c, measurement.pressure_hpa), (Some(41.0), Some(955.0)));
    assert_eq!(measurement.qc, BTreeMap::from([(Variable::Temperature, QcFlag::Implausible)]));
    let keeping = tokio::spawn({
        let shared = Arc::clone(&agent.shared);
        async move { keep_report(&shared).await }
    });
    let mut report = handles.report.clone();
    let kept = report.wait_for(|report| !report.source.sensors.is_empty());
    tokio::time::timeout(SOON, kept).await.expect("soon").expect("open");
    keeping.abort();
    let diagnosed = serving.call("diagnose", Value::Null).await.payload;
    let sensors = &diagnosed["report"]["source"]["sensors"];
    assert_eq!((&sensors[1]["name"], &sensors[1]["state"]), (&json!("program"), &json!("read")));
    assert!(sensors[1]["lastReadAt"].is_string() && sensors[0]["errors"].as_u64().is_some_and(|count| count > 0));
}
