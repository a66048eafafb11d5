//! The agent, led through its hub by Microsoft's service client. `tests/peers/service_client.py` has what that does and
//! expects.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::ground::{Agent, Ground};
use crate::{certificates, python};

/// Longest wait for a row: a batch is collected for a minute, and loaded.
const BATCHED: Duration = Duration::from_secs(180);

fn picture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sky.jpg")
}

/// Lets the client go through a scenario; answers what it says.
fn lead(python: &Path, ground: &Ground, agent: &Agent, [scenario, device, way]: [&str; 3]) -> Value {
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/service_client.py"))
        .arg(scenario)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("REQUESTS_CA_BUNDLE", ground.ca())
        .env("SKYDECK_TEST_SERVICE", ground.service())
        .env("SKYDECK_TEST_DEVICE", device)
        .env("SKYDECK_TEST_WAY", way)
        .env("SKYDECK_TEST_READINGS", &agent.readings)
        .env("SKYDECK_TEST_PICTURE", picture())
        .output()
        .expect("runs");
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{out}{err}\n{}", agent.process().said());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// The temperatures that a device's rows have, once there are `count`.
fn temperatures(ground: &Ground, device: &str, count: usize) -> Vec<String> {
    ground.wait_for_row(
        &format!(
            "SELECT CAST(temperature_c AS TEXT) FROM WEATHER_MEASUREMENTS_V WHERE device_id = '{device}' AND {count} = \
             (SELECT count(*) FROM WEATHER_MEASUREMENTS_V WHERE device_id = '{device}') ORDER BY temperature_c"
        ),
        BATCHED,
    )
}

#[test]
fn every_method_and_the_twin_and_a_picture_by_key_and_mqtt() {
    let Some(python) = python::interpreter() else { return };
    let ground = Ground::open();
    let camera = ground.place.path().join("camera");
    std::fs::write(&camera, format!("#!/bin/sh\ncp {:?} \"$1\"\n", picture())).expect("written");
    std::fs::set_permissions(&camera, std::fs::Permissions::from_mode(0o700)).expect("set");
    let settings = format!("[camera]\ncommand = \"{} {{file}}\"", camera.display());
    let mut agent = ground.agent_with_key("roof-02", &settings);
    agent.connect();
    let told = lead(&python, &ground, &agent, ["every_method", "roof-02", "mqtt"]);

    // What it took lies in its container, whole, and what it measured and told of it becomes rows, each once.
    let blob_name = told["blobName"].as_str().expect("a name");
    let blob = ground.place.data("local").join("containers/pictures").join(blob_name);
    let (uploaded, taken) = (std::fs::read(&blob).expect("uploaded"), std::fs::read(picture()).expect("there"));
    // Its time and place stand behind the 20 bytes of JFIF's head; the rest is as the camera wrote it.
    assert!(uploaded.starts_with(&taken[..20]) && uploaded.ends_with(&taken[20..]) && uploaded.len() > taken.len());
    assert!(blob.with_extension("thumb.jpg").is_file(), "its thumbnail lies beside it");
    assert_eq!(temperatures(&ground, "roof-02", 4), ["14.1", "14.2", "14.3", "14.4"]);
    let row =
        "SELECT device_id || ' ' || blob_name || ' ' || size_bytes FROM WEATHER_HEALTH_V WHERE type = 'PictureTaken'";
    assert_eq!(ground.wait_for_row(row, BATCHED), [format!("roof-02 {blob_name} {}", uploaded.len())]);
    let said = agent.process().said();
    assert!(said.contains("method capture: status 200") && said.contains("agent: starts anew"), "{said}");
}

#[test]
fn rows_and_methods_by_a_certificate_of_its_own_and_websocket_alone() {
    let Some(python) = python::interpreter() else { return };
    let ground = Ground::open();
    let (link, thumbprint) = certificates::self_signed(ground.place.path());
    let device = ground.hub(&["add", "roof-03", "--x509-thumbprint", &thumbprint]);
    assert_eq!(device["authentication"]["x509Thumbprint"]["primaryThumbprint"], thumbprint.to_uppercase());
    let told = ground.hub(&["connection-string", "roof-03"]);
    let text = told["connectionString"].as_str().expect("a text");
    let secret = ground.place.path().join("roof-03.secret");
    std::fs::write(&secret, text).expect("written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("set");
    let link = format!("{link}\nconnection_string = \"file:{}\"\ntransport = \"websocket\"", secret.display());
    let mut agent = ground.agent("roof-03", &link, "");
    agent.connect();
    lead(&python, &ground, &agent, ["certificate", "roof-03", "websocket"]);
    assert_eq!(temperatures(&ground, "roof-03", 2), ["3.5", "3.6"]);
    let status = agent.place.run(&["--env", "roof", "agent", "status"]).out();
    assert!(status.contains("connected by websocket") && status.contains("a certificate until"), "{status}");
}
