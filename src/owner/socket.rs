//! The owner's socket: newline-delimited JSON for viewers in other processes, at both ends.
//!
//! Here is what the agent that runs alone needs of it too; `viewers` has what follows a whole environment.

#[cfg(feature = "_ground")]
mod viewers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
#[cfg(any(feature = "agent", feature = "local"))]
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
#[cfg(feature = "agent")]
use tokio::sync::mpsc;

#[cfg(feature = "_ground")]
pub use self::viewers::attach;
#[cfg(feature = "local")]
pub use self::viewers::serve;
#[cfg(feature = "agent")]
use super::client::Ask;
use super::client::AskError;
use super::protocol::{Answer, Envelope, PROTOCOL_VERSION, Reply, Request};

/// Longest request, bytes.
#[cfg(any(feature = "agent", feature = "local"))]
const MAX_REQUEST: u64 = 512 * 1024;
/// Longest reply, bytes.
const MAX_REPLY: u64 = 64 * 1024 * 1024;
/// Wall time an owner has to answer a viewer that attaches.
#[cfg(feature = "_ground")]
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
    /// Whoever asks isn't let in.
    #[error("{path}: access is refused; ask as the user that runs it, or as root")]
    Refused {
        /// The socket.
        path: PathBuf,
    },
}

/// Who may ask on a socket.
#[cfg(any(feature = "agent", feature = "local"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The user that listens: folder 0700, socket 0600.
    User,
    /// The group of the user that listens, too: folder 0750, socket 0660.
    #[cfg(feature = "agent")]
    Group,
}

#[cfg(any(feature = "agent", feature = "local"))]
impl Access {
    /// Makes the folder of the socket, with its mode.
    pub fn make_folder(self, folder: &Path) -> std::io::Result<()> {
        super::lock::make_private(folder)?;
        match self {
            Self::User => Ok(()),
            #[cfg(feature = "agent")]
            Self::Group => set_mode(folder, 0o750),
        }
    }

    const fn socket_mode(self) -> u32 {
        match self {
            Self::User => 0o600,
            #[cfg(feature = "agent")]
            Self::Group => 0o660,
        }
    }
}

#[cfg(any(feature = "agent", feature = "local"))]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Listens on `path` for those with `access`. A socket that a dead owner left is replaced; that its owner is dead is known
/// from the data folder's lock, which the caller holds.
#[cfg(any(feature = "agent", feature = "local"))]
pub fn listen(path: &Path, access: Access) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Only those with access reach the folder, so nobody else reaches the socket before its mode is set.
    let listener = UnixListener::bind(path)?;
    set_mode(path, access.socket_mode())?;
    Ok(listener)
}

/// Serves whoever asks, one request after the other on each connection, for good. Nobody can subscribe.
#[cfg(feature = "agent")]
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

#[cfg(feature = "agent")]
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

/// Asks whoever listens on `path` one thing, which may take so long; `None` where nobody does.
pub async fn ask_within(
    path: &Path,
    request: Request,
    wait: Duration,
) -> Result<Option<Result<Answer, AskError>>, AttachError> {
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
    let line = match tokio::time::timeout(wait, asked).await {
        Err(_) => return Err(unusable(format!("no answer within {} s; try again", wait.as_secs()))),
        Ok(Err(error)) if is_gone(&error) => return Ok(None),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(AttachError::Refused { path: path.to_owned() });
        }
        Ok(Err(error)) => return Err(unusable(error.to_string())),
        Ok(Ok(None)) => return Ok(None),
        Ok(Ok(Some(line))) => line,
    };
    match serde_json::from_slice(&line) {
        Ok(Reply::Answer { answer, .. }) => Ok(Some(Ok(answer))),
        Ok(Reply::Refused { error, why, .. }) => Ok(Some(Err(AskError::refused(why, error)))),
        #[cfg(feature = "_ground")]
        Ok(Reply::Snapshot { .. }) => Err(unusable("it answered what wasn't asked".into())),
        Err(error) => Err(unusable(format!("its words aren't understood ({error}); use the same skydeck for both"))),
    }
}

#[cfg(any(feature = "agent", feature = "local"))]
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
