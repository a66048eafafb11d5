//! What an operator reads when the account doesn't let anybody in, and what a batch of 100 MiB costs.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use skydeck::ingestion::lines::Places;
use tokio::net::TcpListener;

use super::place::{look, settings, signature, watcher};

const MIB: usize = 1024 * 1024;

/// A server that answers everything so.
async fn server(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let app = Router::new().fallback(move || {
        let answer = answer();
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

async fn words(port: u16) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut settings = settings(port, folder.path(), &signature(1));
    settings.queue_url.clone_from(&settings.blob_url);
    settings.queue = Some("notices".to_owned());
    let status = look(&settings).await;
    let container = status.containers["json-blob-messages"].trouble.as_ref().expect("some").to_string();
    let queue = status.queue.expect("watched").expect_err("some").to_string();
    assert!(!container.contains("sig=") && !queue.contains("sig="), "{container} {queue}");
    format!("{container}\n{queue}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_rule_is_told_from_a_missing_right() {
    for (code, expected) in [
        ("AuthorizationFailure", "network rules don't let this computer in"),
        ("AuthorizationPermissionMismatch", "Storage Blob Data Reader"),
    ] {
        let port = server(move || {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>No.</Message></Error>");
            (StatusCode::FORBIDDEN, [("x-ms-error-code", code)], body).into_response()
        })
        .await;
        let words = words(port).await;
        assert_eq!(words.matches(expected).count(), 2, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_address() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address").port();
    let words = words(port).await;
    assert_eq!(words.matches("can't be reached").count(), 2, "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_100_mib_is_read_in_bounded_memory() {
    let port = server(|| {
        let line = Bytes::from([vec![b'x'; 1023], vec![b'\n']].concat());
        let piece = Bytes::from(line.repeat(64));
        let pieces = stream::iter((0..1600).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
        let mut answer = Body::from_stream(pieces).into_response();
        let length = (100 * MIB).to_string();
        for (name, value) in
            [("content-length", length.as_str()), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"), ("etag", "\"1\"")]
        {
            answer.headers_mut().insert(name, value.parse().expect("a value"));
        }
        answer
    })
    .await;
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = watcher(&settings(port, folder.path(), &signature(1))).store("json-blob-messages").expect("opens");
    // What the first connection takes is there before.
    assert_eq!(store.lines("b", 1, 1, &Places::default()).await.expect("read").len(), 1);
    let before = peak_kib();
    let lines = store.lines("b", 102_399, 5, &Places::default()).await.expect("read");
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [102_399, 102_400]);
    let grown = peak_kib() - before;
    assert!(grown < 40 * 1024, "{grown} KiB for a batch of 100 MiB");
}

/// The most memory this process has had, KiB.
fn peak_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
