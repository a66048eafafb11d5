//! With a real mosquitto.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::super::tend::tend;
use super::*;
use crate::edge_agent::report::SensorState;
use crate::settings::sensors::model::SensorSettings;

#[path = "../../../../tests/peers/skip.rs"]
mod skip;

/// A broker, ended when it is dropped.
struct Mosquitto {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Mosquitto {
    /// Starts one; `None` where it isn't installed.
    fn start(port: u16, anonymous: bool) -> Option<Self> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("mosquitto.conf");
        std::fs::write(&file, format!("listener {port} 127.0.0.1\nallow_anonymous {anonymous}\n")).expect("written");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("mosquitto");
        command.env("PATH", path).arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self { child, _folder: folder }),
            Err(_) => {
                skip::skip("mosquitto not installed, run apt-get install mosquitto");
                None
            }
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

fn sensor(port: u16, silent_s: u32) -> (SensorSettings, Arc<Desk>) {
    let text = format!(
        "rank = 1\nretry_s = 1\nkind = \"mqtt\"\nbroker = \"127.0.0.1\"\nport = {port}\nsilent_s = {silent_s}\nrain_is = \"total\"\n\
         temperature = \"garden/t * 0.1\"\nhumidity = \"garden/w /humidity\"\nrain = \"garden/w /rain\""
    );
    let settings: SensorSettings = toml::from_str(&text).expect("settings");
    let desk = Desk::new("garden", &settings, &Arc::new(tokio::sync::watch::Sender::new(None)));
    (settings, Arc::new(desk))
}

async fn until(desk: &Desk, what: &str, holds: impl Fn(&Desk) -> bool) {
    let holding = async {
        while !holds(desk) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), holding).await.is_err() {
        panic!("never {what}: {:?}", desk.report());
    }
}

/// Sends messages, each with whether it is to be retained, and waits until the broker has them.
async fn send(port: u16, messages: &[(&str, &str, bool)]) {
    let options = MqttOptions::new("board", Broker::tcp("127.0.0.1", port));
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    for (topic, payload, retained) in messages {
        let options = rumqttc::PublishOptions::new(QoS::AtLeastOnce).retain(*retained);
        client.publish(*topic, payload.as_bytes().to_vec(), options).await.expect("queued");
    }
    let mut left = messages.len();
    while left > 0 {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.expect("the broker answers") {
            left -= 1;
        }
    }
}

#[tokio::test]
async fn topics_are_mapped_and_the_broker_comes_back_by_itself() {
    let port = free_port();
    let (settings, desk) = sensor(port, 60);
    let reading = tokio::spawn(tend(settings, Arc::clone(&desk), "/nowhere".into()));
    until(&desk, "absent", |desk| desk.report().state == SensorState::Absent).await;
    let words = desk.report().last_error.expect("words");
    assert!(
        words.starts_with(&format!("sensors.garden: 127.0.0.1:{port}: ")) && words.ends_with("is the broker running?"),
        "{words}"
    );

    let Some(broker) = Mosquitto::start(port, true) else { return };
    let retained = async {
        // The broker may need a moment.
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        send(port, &[("garden/t", "999", true)]).await;
    };
    tokio::time::timeout(Duration::from_secs(30), retained).await.expect("sent");
    let sending = async {
        while desk.report().reads == 0 {
            send(port, &[("garden/w", r#"{"humidity":"55","rain":1.0}"#, false)]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), sending).await.expect("read");
    let taken = desk.take();
    assert_eq!(taken.values, [(Variable::Humidity, 55.0, None)], "a retained value is of unknown age");

    let messages = [
        ("garden/t", "215", false),
        ("garden/t", "offline", false),
        ("garden/w", r#"{"battery":80}"#, false),
        ("garden/w", r#"{"humidity":56,"rain":1.5}"#, false),
        ("garden/other", "1", false),
    ];
    send(port, &messages).await;
    until(&desk, "both", |desk| desk.report().errors > 0 && desk.report().last_read_at.is_some()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let taken = desk.take();
    assert_eq!(taken.values.len(), 3, "{taken:?}");
    assert!((taken.values[0].1 - 21.5).abs() < 1e-9);
    assert_eq!(taken.values[1..], [(Variable::Humidity, 56.0, None), (Variable::Rain, 0.5, None)]);
    assert_eq!(taken.aside[0].reason, "sensors.garden: garden/t (temperature): \"offline\" is no number");

    drop(broker);
    until(&desk, "absent again", |desk| desk.report().state == SensorState::Absent).await;
    let _broker = Mosquitto::start(port, true).expect("starts again");
    let before = desk.report().reads;
    let sending = async {
        while desk.report().reads == before {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                send(port, &[("garden/t", "201", false)]).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), sending).await.expect("read again");
    assert_eq!(desk.report().state, SensorState::Read);
    reading.abort();
}

#[tokio::test]
async fn a_refusal_and_silence_are_said_in_words() {
    let port = free_port();
    let Some(_broker) = Mosquitto::start(port, false) else { return };
    let (settings, desk) = sensor(port, 60);
    let reading = tokio::spawn(tend(settings, Arc::clone(&desk), "/nowhere".into()));
    let refused =
        |desk: &Desk| desk.report().last_error.is_some_and(|words| words.contains("refuses username and password"));
    until(&desk, "refused", refused).await;
    reading.abort();
    let port = free_port();
    let Some(_broker) = Mosquitto::start(port, true) else { return };
    let (settings, desk) = sensor(port, 1);
    let reading = tokio::spawn(tend(settings, Arc::clone(&desk), "/nowhere".into()));
    let silent = |desk: &Desk| {
        desk.report().last_error.is_some_and(|words| words.contains("no value for 1 s on garden/t, garden/w"))
    };
    until(&desk, "silent", silent).await;
    reading.abort();
}

#[test]
fn a_payload_is_a_number_or_json() {
    assert_eq!(read(b" 21.5 ", None), Ok(Some(21.5)));
    assert_eq!(read(br#"{"a":{"t":"7"}}"#, Some("/a/t")), Ok(Some(7.0)));
    assert_eq!(read(br#"{"a":{}}"#, Some("/a/t")), Ok(None), "a message of something else");
    assert_eq!(read(b"online", None), Err("\"online\" is no number".into()));
    assert!(read(b"online", Some("/t")).expect_err("no JSON").starts_with("no JSON: "));
    assert_eq!(read(b"\xff", None), Err("isn't UTF-8".into()));
}
