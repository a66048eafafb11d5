//! The socket as viewers of a whole environment use it: its snapshots as they change, and answers beside them.

use std::path::Path;
use std::sync::Arc;

use tokio::io::BufReader;
#[cfg(feature = "local")]
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};

use super::{ATTACH_WAIT, AttachError, MAX_REPLY, read_line, send};
#[cfg(feature = "local")]
use super::{MAX_REQUEST, parse};
use crate::owner::client::{Ask, AskError, OwnerClient};
use crate::owner::protocol::{Envelope, PROTOCOL_VERSION, Reply, Request};
use crate::owner::snapshot::Snapshot;

#[cfg(feature = "local")]
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
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
    }
}

#[cfg(feature = "local")]
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
