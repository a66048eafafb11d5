//! The owner's socket: newline-delimited JSON for viewers in other processes, at both ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

use super::client::{Ask, AskError, OwnerClient};
use super::protocol::{Answer, Envelope, PROTOCOL_VERSION, Reply, Request};
use super::snapshot::Snapshot;

/// Longest request, bytes.
const MAX_REQUEST: u64 = 512 * 1024;
/// Longest reply, bytes.
const MAX_REPLY: u64 = 64 * 1024 * 1024;
/// Wall time an owner has to answer a viewer that attaches.
const ATTACH_WAIT: Duration = Duration::from_secs(5);

/// Why a viewer can't attach.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The socket is there but can't be used.
    #[error("{path}: {reason}")]
    Unusable {
        /// The socket.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
}

/// Listens on `path` (0600). A socket that a dead owner left is replaced; that its owner is dead is known
/// from the data folder's lock, which the caller holds.
pub fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The folder is its owner's alone, so nobody else reaches the socket before its mode is set.
    let listener = UnixListener::bind(path)?;
    let mode: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, mode)?;
    Ok(listener)
}

/// Serves viewers for good; each gets what `client` would.
pub async fn serve(listener: UnixListener, client: OwnerClient) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let client = client.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve_viewer(stream, client).await {
                        tracing::debug!(target: "owner", %error, "a viewer left");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(target: "owner", %error, "a viewer couldn't attach");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Serves whoever asks, one request after the other on each connection, for good. Nobody can subscribe.
pub async fn serve_asks(listener: UnixListener, asks: mpsc::Sender<Ask>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let asks = asks.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve_asker(stream, asks).await {
                        tracing::debug!(target: "owner", %error, "whoever asked has left");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(target: "owner", %error, "somebody couldn't attach");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve_asker(stream: UnixStream, asks: mpsc::Sender<Ask>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line, MAX_REQUEST).await? {
        let reply = match parse(&line) {
            Ok(Envelope { id, request, .. }) => {
                let (answer, answered) = tokio::sync::oneshot::channel();
                // An answerer that is gone drops the place for its answer too.
                drop(asks.send(Ask { request, answer }).await);
                match answered.await.unwrap_or(Err(AskError::Gone)) {
                    Ok(answer) => Reply::Answer { id, answer },
                    Err(error) => Reply::Refused { id, error: error.to_string(), why: error.why() },
                }
            }
            Err((id, error)) => Reply::Refused { id, error, why: None },
        };
        line.clear();
        send(&mut writer, &reply).await?;
    }
    Ok(())
}

/// Asks whoever listens on `path` one thing; `None` where nobody does.
pub async fn ask_once(path: &Path, request: Request) -> Result<Option<Result<Answer, AskError>>, AttachError> {
    let unusable = |reason: String| AttachError::Unusable { path: path.to_owned(), reason };
    let is_gone = |error: &std::io::Error| {
        use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
        matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe)
    };
    let asked = async {
        let (reader, mut writer) = UnixStream::connect(path).await?.into_split();
        send(&mut writer, &Envelope { v: PROTOCOL_VERSION, id: 1, request }).await?;
        let (mut reader, mut line) = (BufReader::new(reader), Vec::new());
        std::io::Result::Ok(read_line(&mut reader, &mut line, MAX_REPLY).await?.then_some(line))
    };
    let line = match tokio::time::timeout(ATTACH_WAIT, asked).await {
        Err(_) => return Err(unusable(format!("no answer within {} s; try again", ATTACH_WAIT.as_secs()))),
        Ok(Err(error)) if is_gone(&error) => return Ok(None),
        Ok(Err(error)) => return Err(unusable(error.to_string())),
        Ok(Ok(None)) => return Ok(None),
        Ok(Ok(Some(line))) => line,
    };
    match serde_json::from_slice(&line) {
        Ok(Reply::Answer { answer, .. }) => Ok(Some(Ok(answer))),
        Ok(Reply::Refused { error, why, .. }) => Ok(Some(Err(AskError::refused(why, error)))),
        Ok(Reply::Snapshot { .. }) => Err(unusable("it answered what wasn't asked".into())),
        Err(error) => Err(unusable(format!("its words aren't understood ({error}); use the same skydeck for both"))),
    }
}

async fn serve_viewer(stream: UnixStream, client: OwnerClient) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut snapshots = client.snapshots();
    let mut is_subscribed = false;
    // Answers come in the order in which they are ready; their ids tell whose they are.
    let (answers, mut answered) = mpsc::channel::<Reply>(16);
    let mut line = Vec::new();
    loop {
        tokio::select! {
            read = read_line(&mut reader, &mut line, MAX_REQUEST) => {
                if !read? {
                    return Ok(());
                }
                let envelope = parse(&line);
                line.clear();
                match envelope {
                    Ok(Envelope { request: Request::Subscribe, .. }) => {
                        is_subscribed = true;
                        let snapshot = Arc::clone(&snapshots.borrow_and_update());
                        send(&mut writer, &Reply::Snapshot { snapshot }).await?;
                    }
                    Ok(Envelope { id, request, .. }) => {
                        let (client, answers) = (client.clone(), answers.clone());
                        tokio::spawn(async move {
                            let reply = match client.ask(request).await {
                                Ok(answer) => Reply::Answer { id, answer },
                                Err(error) => Reply::Refused { id, error: error.to_string(), why: error.why() },
                            };
                            // A viewer that left doesn't want its answer.
                            drop(answers.send(reply).await);
                        });
                    }
                    Err((id, error)) => send(&mut writer, &Reply::Refused { id, error, why: None }).await?,
                }
            }
            Some(reply) = answered.recv() => send(&mut writer, &reply).await?,
            changed = snapshots.changed(), if is_subscribed => {
                if changed.is_err() {
                    return Ok(());
                }
                let snapshot = Arc::clone(&snapshots.borrow_and_update());
                send(&mut writer, &Reply::Snapshot { snapshot }).await?;
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Envelope, (u64, String)> {
    let value: serde_json::Value =
        serde_json::from_slice(line).map_err(|error| (0, format!("request is not JSON: {error}")))?;
    let id = value.get("id").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let version = value.get("v").and_then(serde_json::Value::as_u64);
    if version != Some(u64::from(PROTOCOL_VERSION)) {
        let theirs = version.map_or_else(|| "none".to_owned(), |v| v.to_string());
        return Err((
            id,
            format!(
                "this owner speaks protocol {PROTOCOL_VERSION}, the viewer {theirs}; use the same skydeck for both"
            ),
        ));
    }
    serde_json::from_value(value).map_err(|error| (id, format!("request not understood: {error}")))
}

/// Reads one line without its end into `line`, going on where a cancelled call left off. `false` at the end.
async fn read_line(reader: &mut BufReader<OwnedReadHalf>, line: &mut Vec<u8>, max: u64) -> std::io::Result<bool> {
    let room = max.saturating_sub(line.len() as u64) + 1;
    let read = reader.take(room).read_until(b'\n', line).await?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(true);
    }
    if line.len() as u64 > max {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "line too long"));
    }
    Ok(read > 0 && !line.is_empty())
}

async fn send(writer: &mut OwnedWriteHalf, value: &impl serde::Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Attaches to the owner behind `path`; `None` where nobody listens there.
pub async fn attach(path: &Path) -> Result<Option<OwnerClient>, AttachError> {
    let unusable = |reason: String| AttachError::Unusable { path: path.to_owned(), reason };
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let subscribe = Envelope { v: PROTOCOL_VERSION, id: 0, request: Request::Subscribe };
    // One that ends just now, or was killed, is nobody.
    let is_gone = |error: &std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
    };
    match send(&mut writer, &subscribe).await {
        Err(error) if is_gone(&error) => return Ok(None),
        sent => sent.map_err(|error| unusable(error.to_string()))?,
    }
    let mut line = Vec::new();
    let first = tokio::time::timeout(ATTACH_WAIT, read_line(&mut reader, &mut line, MAX_REPLY)).await;
    match first {
        Err(_) => return Err(unusable(format!("the owner doesn't answer within {} s", ATTACH_WAIT.as_secs()))),
        Ok(Err(error)) if is_gone(&error) => return Ok(None),
        Ok(Err(error)) => return Err(unusable(error.to_string())),
        Ok(Ok(false)) => return Ok(None),
        Ok(Ok(true)) => {}
    }
    let snapshot = match serde_json::from_slice(&line) {
        Ok(Reply::Snapshot { snapshot }) => snapshot,
        Ok(Reply::Refused { error, .. }) => return Err(unusable(error)),
        Ok(Reply::Answer { .. }) => return Err(unusable("the owner answered what wasn't asked".into())),
        Err(error) => {
            return Err(unusable(format!(
                "the owner's words aren't understood ({error}); use the same skydeck for both"
            )));
        }
    };
    let (snapshots, newest) = watch::channel(snapshot);
    let (asks, asked) = mpsc::channel(64);
    tokio::spawn(async move {
        if let Err(error) = follow(reader, writer, snapshots, asked).await {
            tracing::debug!(target: "owner", %error, "the owner is gone");
        }
    });
    Ok(Some(OwnerClient::new(newest, asks)))
}

/// A viewer's side of the socket: passes requests on and hands out what comes, until the owner is gone or
/// every handle is dropped.
async fn follow(
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
    snapshots: watch::Sender<Arc<Snapshot>>,
    mut asked: mpsc::Receiver<Ask>,
) -> std::io::Result<()> {
    let mut waiting = std::collections::HashMap::new();
    let mut next_id = 1;
    let mut line = Vec::new();
    loop {
        tokio::select! {
            read = read_line(&mut reader, &mut line, MAX_REPLY) => {
                if !read? {
                    return Ok(());
                }
                let reply = serde_json::from_slice(&line)?;
                line.clear();
                let (id, answer) = match reply {
                    Reply::Snapshot { snapshot } => {
                        snapshots.send_replace(snapshot);
                        continue;
                    }
                    Reply::Answer { id, answer } => (id, Ok(answer)),
                    Reply::Refused { id, error, why } => (id, Err(AskError::refused(why, error))),
                };
                if let Some(waiter) = waiting.remove(&id) {
                    let waiter: tokio::sync::oneshot::Sender<_> = waiter;
                    drop(waiter.send(answer));
                }
            }
            ask = asked.recv() => {
                let Some(Ask { request, answer }) = ask else { return Ok(()) };
                waiting.insert(next_id, answer);
                send(&mut writer, &Envelope { v: PROTOCOL_VERSION, id: next_id, request }).await?;
                next_id += 1;
            }
        }
    }
}
