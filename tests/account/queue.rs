//! The queue of notices at Azurite: looked into, and left as it was.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skydeck::ingestion::account::AsideNotices;
use skydeck::ingestion::notices::BlobCreated;

use super::azurite::{ACCOUNT, KEY};
use super::place::{look, settings, signature, watcher};

struct Queues {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Queues {
    async fn start() -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/node_modules/.bin/azurite-queue");
        if !program.exists() {
            let words = "skipped: azurite not installed, run tests/peers/install.sh";
            assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
            eprintln!("{words}");
            return None;
        }
        let folder = tempfile::tempdir().expect("temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
        let child = Command::new(program)
            .args(["--skipApiVersionCheck", "--silent", "--disableTelemetry", "--queueHost", "127.0.0.1"])
            .args(["--queuePort", &port.to_string()])
            .arg("--location")
            .arg(folder.path())
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", STANDARD.encode(KEY)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("azurite starts");
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "azurite doesn't answer on port {port}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(Self { child, port, folder })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    async fn request(&self, method: reqwest::Method, path: &str, body: String) -> String {
        drop(rustls::crypto::ring::default_provider().install_default());
        let joint = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}/{path}{joint}{}", self.url(), signature(1));
        let answer = reqwest::Client::new().request(method, url).body(body).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        assert!(status.is_success(), "{status}: {text}");
        text
    }

    async fn put(&self, text: &str) {
        let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        self.request(reqwest::Method::POST, "notices/messages", body).await;
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_age_and_poison_are_seen_and_nothing_is_taken() {
    let Some(queues) = Queues::start().await else { return };
    queues.request(reqwest::Method::PUT, "notices", String::new()).await;
    let at = jiff::Timestamp::now();
    queues.put(&BlobCreated::new("json-blob-messages", "hub/0/a", 9, at, 1).encode()).await;
    queues.put("not base64!").await;
    queues.put(&BlobCreated::new("json-blob-messages", "hub/0/b", 0, at, 2).encode()).await;
    let mut settings = settings(1, queues.folder.path(), &signature(2));
    settings.containers = String::new();
    settings.queue_url = Some(queues.url());
    settings.queue = Some("notices".to_owned());
    for _ in 0..2 {
        let view = look(&settings).await.queue.expect("watched").expect("read");
        assert_eq!((view.depth, view.of_empty_blobs, view.poison.len()), (3, 1, 1));
        assert!(view.oldest_at.is_some_and(|oldest| oldest.duration_since(at).as_secs().abs() < 120), "{view:?}");
        assert_eq!(view.poison[0].content, "not base64!");
        assert!(view.poison[0].reason.contains("neither JSON nor base64"), "{view:?}");
    }
    // Whoever takes them now is the first to.
    let taken = queues.request(reqwest::Method::GET, "notices/messages?numofmessages=32", String::new()).await;
    assert_eq!(taken.matches("<DequeueCount>1</DequeueCount>").count(), 3, "{taken}");
    // All of them are hidden now, and are still in it.
    let view = look(&settings).await.queue.expect("watched").expect("read");
    assert_eq!((view.depth, view.oldest_at), (3, None));
    settings.queue = Some("nobodys".to_owned());
    let words = look(&settings).await.queue.expect("watched").expect_err("not there").to_string();
    assert!(words.starts_with("queue nobodys of skydecktest: QueueNotFound: not there"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_no_pipe_takes_is_kept_and_taken_off_it_alone() {
    let Some(queues) = Queues::start().await else { return };
    queues.request(reqwest::Method::PUT, "notices", String::new()).await;
    let at = jiff::Timestamp::now();
    let good = BlobCreated::new("json-blob-messages", "hub/0/a", 9, at, 1).encode();
    queues.put(&good).await;
    queues.put("not base64!").await;
    queues.put("nor this!").await;
    let mut settings = settings(1, queues.folder.path(), &signature(2));
    settings.containers = String::new();
    settings.queue_url = Some(queues.url());
    settings.queue = Some("notices".to_owned());
    let view = look(&settings).await.queue.expect("watched").expect("read");
    let bad = view.poison.iter().find(|notice| notice.content == "not base64!").expect("seen").clone();
    let aside = AsideNotices::open(queues.folder.path()).expect("opens");
    let watcher = watcher(&settings);

    let taken = watcher.take_poison(&bad.id, &aside).await.expect("taken off");
    assert_eq!((taken.content.as_str(), &taken.reason), ("not base64!", &bad.reason));
    let kept: Vec<_> = aside.newest().iter().map(|kept| kept.notice.clone()).collect();
    assert_eq!(kept, [taken]);
    // It is gone; those that were received with it are hidden, and come back by themselves.
    let begun = Instant::now();
    let view = loop {
        let view = look(&settings).await.queue.expect("watched").expect("read");
        assert_eq!(view.depth, 2, "{view:?}");
        if view.oldest_at.is_some() {
            break view;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "they don't come back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(view.poison.iter().map(|notice| notice.content.as_str()).collect::<Vec<_>>(), ["nor this!"]);

    // What is gone can't be taken, and nothing was kept of it again.
    let words = watcher.take_poison(&bad.id, &aside).await.expect_err("gone").to_string();
    assert!(words.contains("not among the first 32"), "{words}");
    assert_eq!(aside.newest().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_a_pipe_can_take_stays() {
    let Some(queues) = Queues::start().await else { return };
    queues.request(reqwest::Method::PUT, "notices", String::new()).await;
    queues.put(&BlobCreated::new("json-blob-messages", "hub/0/a", 9, jiff::Timestamp::now(), 1).encode()).await;
    let peeked = queues.request(reqwest::Method::GET, "notices/messages?peekonly=true", String::new()).await;
    let id = peeked.split("<MessageId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an id").to_owned();
    let mut settings = settings(1, queues.folder.path(), &signature(2));
    settings.queue_url = Some(queues.url());
    settings.queue = Some("notices".to_owned());
    let aside = AsideNotices::open(queues.folder.path()).expect("opens");
    let words = watcher(&settings).take_poison(&id, &aside).await.expect_err("stays").to_string();
    assert!(words.contains("a pipe can take it, so it stays in the queue"), "{words}");
    assert!(aside.newest().is_empty());
    settings.queue = None;
    let words = watcher(&settings).take_poison(&id, &aside).await.expect_err("no queue").to_string();
    assert!(words.contains("set azure.queue"), "{words}");
}
