//! A console under load: 10,000 devices at 2,000 messages a second, over TLS and AMQP from a peer in a process of its own, through
//! the owner of a cloud environment to frames of each screen. Tells the share of a core and the memory that this process takes,
//! how long frames take, and how long a reading is under way from its delivery to a frame.
//!
//! `cargo bench --bench feed`, after tests/peers/install.sh.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use serde_json::{Value, json};
use skydeck::console::Action;
use skydeck::console::app::App;
use skydeck::console::keymap::Keymap;
use skydeck::console::theme::Theme;
use skydeck::owner::{self, LogBuffer, OwnerClient, Snapshot};
use skydeck::settings::{Folders, Settings};

const DEVICES: u32 = 10_000;
const PER_SECOND: u32 = 2000;
const SECONDS: u32 = 20;
const SIZE: Size = Size { width: 140, height: 40 };
const KEY: &str = "a key of this bench";

struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    port: u64,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Peer {
    fn start(folder: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/event_hub.js");
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.join("hub.pem"), certificate.pem()).expect("written");
        std::fs::write(folder.join("hub.key"), key.serialize_pem()).expect("written");
        let mut child = Command::new("node")
            .args([script, folder.join("hub.pem"), folder.join("hub.key"), KEY.into()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node, and tests/peers/install.sh");
        let to = child.stdin.take().expect("its input");
        let mut from = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        from.read_line(&mut line).expect("its ports");
        let ports: Value = serde_json::from_str(&line).expect("its ports");
        Self { child, to, from, port: ports["amqps"].as_u64().expect("a port") }
    }

    fn measure(&mut self, partition: &str, count: u32) {
        self.publish(&json!({"do": "measure", "partition": partition, "count": count, "devices": DEVICES}));
    }

    fn publish(&mut self, command: &Value) {
        writeln!(self.to, "{command}").expect("told");
        self.from.read_line(&mut String::new()).expect("done");
    }
}

/// A console on a running owner, drawn as often as the owner has news.
struct Console {
    app: App,
    client: OwnerClient,
    /// What each frame took: the snapshot or the answers taken in, and drawn.
    frames: Vec<Duration>,
}

impl Console {
    fn new(client: OwnerClient) -> Self {
        let snapshot = client.snapshots().borrow().clone();
        let app = App::new(snapshot, Theme::midnight(), Keymap::default(), SIZE, Timestamp::now());
        Self { app, client, frames: Vec::new() }
    }

    fn draw(&self) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.width, SIZE.height));
        self.app.screen().render(&mut buffer, self.app.context().area, &self.app.context());
        buffer
    }

    /// Takes a snapshot in and asks for what the screen wants; answers with the last frame.
    async fn show(&mut self, snapshot: Arc<Snapshot>) -> Buffer {
        let begun = Instant::now();
        self.app.view.take(snapshot);
        drop(self.draw());
        self.frames.push(begun.elapsed());
        let mut answers = Vec::new();
        for request in self.app.wants() {
            answers.push((self.client.ask(request.clone()).await, request));
        }
        let begun = Instant::now();
        for (answer, request) in &answers {
            self.app.receive(self.app.screen().name(), request, answer.as_ref());
        }
        let buffer = self.draw();
        self.frames.push(begun.elapsed());
        buffer
    }

    /// The time that 99 of 100 frames stay below, and the longest; ms.
    fn percentile(&mut self) -> (f64, f64) {
        self.frames.sort_unstable();
        let at = |place: usize| self.frames.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        (at(self.frames.len() * 99 / 100), at(self.frames.len().saturating_sub(1)))
    }
}

fn text(buffer: &Buffer) -> String {
    buffer.content.iter().map(|cell| cell.symbol()).collect()
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::start(folder.path());
    let secret = folder.path().join("feed");
    let string = format!(
        "Endpoint=sb://127.0.0.1:{}/;SharedAccessKeyName=f;SharedAccessKey={KEY};EntityPath=hub-events",
        peer.port
    );
    std::fs::write(&secret, string).expect("written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("restricted");
    let mut settings = Settings::default();
    settings.azure.feed = Some(format!("file:{}", secret.display()));
    settings.azure.ca = Some(folder.path().join("hub.pem"));
    let at = |name: &str| folder.path().join(name);
    let folders = Folders { data: at("data"), runtime: at("run"), state: at("state") };
    let environment = "staging".parse().expect("a name");
    let mut running = owner::start(environment, settings, folders, LogBuffer::new()).await.expect("starts");
    running.ready().await.expect("is ready");
    let client = running.client();
    let mut snapshots = client.snapshots();
    // Every device once, before anything is counted.
    peer.measure("0", DEVICES);
    let all = |snapshot: &Arc<Snapshot>| snapshot.devices.len() >= DEVICES as usize;
    snapshots.wait_for(all).await.expect("it runs");
    let before = memory_mib("VmRSS");
    println!("{DEVICES} devices, {PER_SECOND} messages a second, a console of 140x40 on each screen for {SECONDS} s");
    for (screen, action) in
        [("Overview", Action::GotoOverview), ("Telemetry", Action::GotoTelemetry), ("Devices", Action::GotoDevices)]
    {
        let mut console = Console::new(client.clone());
        drop(console.app.update(action));
        let (begun, cpu) = (Instant::now(), cpu_s());
        let driver = std::thread::spawn(move || {
            for tick in 1..=SECONDS * 10 {
                peer.measure(if tick % 2 == 0 { "0" } else { "1" }, PER_SECOND / 10);
                let next = begun + Duration::from_millis(100) * tick;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            peer
        });
        while !driver.is_finished() {
            if tokio::time::timeout(Duration::from_secs(1), snapshots.changed()).await.is_ok() {
                let snapshot = snapshots.borrow_and_update().clone();
                drop(console.show(snapshot).await);
            }
        }
        peer = driver.join().expect("driven");
        let share = (cpu_s() - cpu) / begun.elapsed().as_secs_f64() * 100.0;
        let (most, longest) = console.percentile();
        let count = console.frames.len();
        println!(
            "{screen}: {share:.1} % of a core; {count} frames, 99 of 100 within {most:.1} ms, the longest {longest:.1} ms"
        );
    }
    println!("memory {before:.0} MiB before, {:.0} after, {:.0} at most", memory_mib("VmRSS"), memory_mib("VmHWM"));

    // One reading, from its delivery to the frame that shows it.
    let mut console = Console::new(client.clone());
    drop(console.app.update(Action::GotoTelemetry));
    let begun = Instant::now();
    peer.publish(&reading(33.3));
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        if text(&console.show(snapshot).await).contains("33.3") {
            break;
        }
        snapshots.changed().await.expect("it runs");
    }
    println!("from delivery to the frame that shows it: {:.0} ms", begun.elapsed().as_secs_f64() * 1000.0);
    running.shutdown().await;
}

/// A measurement that is newer than any of the load's, whose times run ahead.
fn reading(temperature_c: f64) -> Value {
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let body = json!({
        "type": "WeatherMeasurement", "schema": 1, "deviceId": "roof-01", "messageId": "reading-of-this-bench",
        "measuredAt": ahead.to_string(), "temperatureC": temperature_c,
    });
    json!({"do": "publish", "partition": "0", "event": {"id": "reading-of-this-bench", "device": "roof-01", "body": body.to_string()}})
}

/// Processor time of this process, seconds: user and system, in hundredths on Linux.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}

fn memory_mib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a figure");
    let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    kib.trim().parse::<f64>().expect("a number") / 1024.0
}
