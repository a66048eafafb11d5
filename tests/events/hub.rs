//! The endpoint's peer as a process of its own, and a reader at it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use skydeck::clock::Clock;
use skydeck::ingestion::events::{Credentials, EventsMemory, EventsReader, EventsStatus, Pace};
use skydeck::ingestion::feed::LiveFeed;
use skydeck::settings::AzureSettings;
use tokio::sync::watch;

/// Time that anything may take.
const SOON: Duration = Duration::from_secs(60);
const KEY: &str = "a key of this test";

/// The peer.
pub struct Hub {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pub amqps: u16,
    pub web: u16,
    pub folder: tempfile::TempDir,
}

impl Hub {
    /// Starts it on free ports. Where Node or rhea isn't installed, says so; fails where it must be.
    pub fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        if !root.join("target/peers/node_modules/rhea").exists() || !root.join("target/peers/node_modules/ws").exists()
        {
            crate::skip::skip("rhea not installed, run tests/peers/install.sh");
            return None;
        }
        let folder = tempfile::tempdir().expect("temporary folder");
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate =
            rcgen::CertificateParams::new(names).and_then(|of| of.self_signed(&key)).expect("a certificate");
        std::fs::write(folder.path().join("hub.pem"), certificate.pem()).expect("written");
        std::fs::write(folder.path().join("hub.key"), key.serialize_pem()).expect("written");
        let mut child = Command::new("node")
            .arg(root.join("tests/peers/event_hub.js"))
            .arg(folder.path().join("hub.pem"))
            .arg(folder.path().join("hub.key"))
            .arg(KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let to = child.stdin.take().expect("its input");
        let mut from = BufReader::new(child.stdout.take().expect("its output"));
        let ports = line(&mut from);
        let port = |name: &str| u16::try_from(ports[name].as_u64().expect("a port")).expect("a port");
        Some(Self { child, to, from, amqps: port("amqps"), web: port("web"), folder })
    }

    /// Has it do something; answers what it has counted.
    pub fn tell(&mut self, command: &Value) -> Value {
        writeln!(self.to, "{command}").expect("told");
        line(&mut self.from)
    }

    pub fn measure(&mut self, partition: &str, count: u32, back_s: u32) {
        self.tell(&json!({"do": "measure", "partition": partition, "count": count, "back": back_s}));
    }

    pub fn counts(&mut self) -> Value {
        self.tell(&json!({"do": "counts"}))
    }

    pub fn connection_string(&self, port: u16) -> String {
        format!("Endpoint=sb://127.0.0.1:{port}/;SharedAccessKeyName=feed;SharedAccessKey={KEY};EntityPath=hub-events")
    }

    /// Settings that lead to it.
    pub fn settings(&self) -> AzureSettings {
        AzureSettings {
            feed: Some(self.secret(&self.connection_string(self.amqps))),
            ca: Some(self.folder.path().join("hub.pem")),
            ..AzureSettings::default()
        }
    }

    /// Writes the connection string down; answers the reference to it.
    pub fn secret(&self, text: &str) -> String {
        let path = self.folder.path().join("feed");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("restricted");
        format!("file:{}", path.display())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn line(from: &mut BufReader<ChildStdout>) -> Value {
    let mut text = String::new();
    from.read_line(&mut text).expect("an answer");
    serde_json::from_str(&text).expect("an answer in JSON")
}

/// A reader that runs.
pub struct Reading {
    pub feed: LiveFeed,
    pub memory: EventsMemory,
    status: watch::Receiver<EventsStatus>,
    task: tokio::task::JoinHandle<()>,
}

/// A pace that a test can wait for.
pub fn pace() -> Pace {
    Pace {
        list_every: Duration::from_millis(300),
        first_wait: Duration::from_millis(50),
        longest_wait: Duration::from_millis(400),
        busy_wait: Duration::from_millis(100),
        ..Pace::default()
    }
}

impl Reading {
    pub fn start(settings: &AzureSettings, data: &Path, pace: Pace) -> Self {
        let credentials = Credentials::of(settings).expect("settings").expect("an endpoint");
        Self::with(settings, credentials, data, pace)
    }

    pub fn with(settings: &AzureSettings, credentials: Credentials, data: &Path, pace: Pace) -> Self {
        let feed = LiveFeed::default();
        let reader =
            EventsReader::open(settings, credentials, data, feed.clone(), Clock::wall()).expect("opens").at_pace(pace);
        let (status, memory) = (reader.status(), reader.memory());
        Self { feed, memory, status, task: tokio::spawn(reader.run()) }
    }

    /// Waits until it stands so.
    pub async fn until(&mut self, what: &str, is_so: impl FnMut(&EventsStatus) -> bool) -> EventsStatus {
        let mut is_so = is_so;
        let found = tokio::time::timeout(SOON, self.status.wait_for(|status| is_so(status)))
            .await
            .map(|found| found.map(|found| found.clone()));
        match found {
            Ok(found) => found.expect("it runs"),
            Err(_) => panic!("{what} took too long: {:#?}", *self.status.borrow()),
        }
    }

    pub async fn received(&mut self, count: u64) -> EventsStatus {
        let status = self.until(&format!("{count} messages"), |status| status.received >= count).await;
        assert_eq!(status.received, count, "more than there were");
        status
    }

    pub async fn end(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

/// An empty folder below `folder`.
pub fn data(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir(&path).expect("a folder");
    path
}
