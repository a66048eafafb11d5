//! The camera: a program that takes one picture and writes it to a file.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

use super::shared::Shared;
use super::spool::{Mark, Picture, Spool};
use crate::station::MessageId;
use crate::station::text::printable;

/// How long the program may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest picture taken, bytes.
pub(super) const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of the program's standard error that are kept.
const MAX_STDERR: u64 = 4096;
/// What stands for the file in the command.
const FILE: &str = "{file}";
/// What a JPEG begins with: start of image, and a marker.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Where the count of pictures given up is kept.
pub(super) const GIVEN_UP: &str = "pictures.given_up";

/// Asks for a picture.
#[derive(Debug)]
pub(super) struct CaptureAsk {
    /// Where the answer goes.
    pub reply: Option<oneshot::Sender<Result<Captured, String>>>,
}

/// A picture that is in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Captured {
    /// The blob's name to be, with the device's.
    pub blob_name: String,
    pub bytes: u64,
}

/// The camera.
pub(super) struct Camera {
    pub shared: Arc<Shared>,
    pub command: Vec<String>,
    pub spool: Arc<Spool>,
}

/// The words of a command, quotes as a shell takes them. `None` where it has none, or no `{file}`.
pub(super) fn words(command: &str) -> Option<Vec<String>> {
    let words: Vec<String> = shlex::split(command)?;
    (words.iter().skip(1).any(|word| word.contains(FILE))).then_some(words)
}

impl Camera {
    /// Takes pictures for good: when asked, and at the interval.
    pub async fn run(self, mut asks: mpsc::Receiver<CaptureAsk>) {
        let mut effective = self.shared.effective.subscribe();
        let mut last = tokio::time::Instant::now();
        loop {
            let every = effective.borrow_and_update().capture_every_min;
            let due = async {
                match every {
                    Some(minutes) => {
                        tokio::time::sleep_until(last + Duration::from_secs(60 * u64::from(minutes))).await;
                    }
                    None => std::future::pending().await,
                }
            };
            let reply = tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => ask.reply,
                    None => return,
                },
                () = due => {
                    last = tokio::time::Instant::now();
                    None
                }
                changed = effective.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            let outcome = self.capture().await;
            self.say(&outcome);
            if let Some(reply) = reply {
                // Whoever asked may have gone; the picture is in the spool.
                drop(reply.send(outcome));
            }
        }
    }

    fn say(&self, outcome: &Result<Captured, String>) {
        let at = self.shared.clock.now();
        let (waiting, bytes) = self.spool.size();
        if let Err(words) = outcome {
            tracing::warn!(target: "agent", "camera: {words}");
        }
        self.shared.report.send_modify(|report| {
            let camera = report.camera.get_or_insert_default();
            (camera.waiting, camera.waiting_bytes) = (waiting, bytes);
            match outcome {
                Ok(_) => {
                    camera.taken += 1;
                    camera.last_taken_at = Some(at);
                    camera.last_error = None;
                }
                Err(words) => {
                    camera.failed += 1;
                    camera.last_error = Some(words.clone());
                }
            }
        });
    }

    async fn capture(&self) -> Result<Captured, String> {
        let moment = self.shared.machine.now();
        let at = if self.shared.is_wall { moment.wall } else { self.shared.clock.now() };
        let id = MessageId::new(at);
        let draft = self.spool.draft(&id);
        let taken = match self.take(&draft).await {
            Ok(()) => judge(&draft),
            Err(words) => Err(words),
        };
        let bytes = match taken {
            Ok(bytes) => bytes,
            Err(words) => {
                if let Err(error) = self.spool.set_aside(&draft, &id, &words, MAX_BYTES) {
                    tracing::warn!(target: "agent", "camera: what it wrote can't be kept aside: {error}");
                }
                return Err(words);
            }
        };
        let is_known = !self.shared.is_wall || moment.is_set();
        let picture = Picture {
            wall_ms: at.as_millisecond(),
            mark: if is_known { Mark::Set } else { Mark::Unset },
            boot_id: self.shared.boot.boot_id.clone(),
            boot_ms: moment.boot_ns / 1_000_000,
            id,
            bytes,
        };
        let blob_name = format!("{}/{}", self.shared.device_id, picture.blob_name());
        let spool = Arc::clone(&self.spool);
        let kept = tokio::task::spawn_blocking(move || spool.keep(&draft, picture));
        let given_up = match kept.await {
            Ok(Ok(given_up)) => given_up.pictures,
            Ok(Err(error)) => return Err(format!("the picture can't be kept: {error}; check the disk")),
            Err(_) => return Err("the agent is ending".to_owned()),
        };
        if given_up > 0 {
            self.count_given_up(given_up).await;
        }
        self.shared.pictures.notify_one();
        Ok(Captured { blob_name, bytes })
    }

    async fn count_given_up(&self, pictures: u64) {
        let total = self.shared.report.borrow().camera.as_ref().map_or(0, |camera| camera.given_up) + pictures;
        tracing::warn!(
            target: "agent",
            total,
            "gave up {pictures} of the oldest pictures: the spool is over camera.spool_mib; check the link to the hub"
        );
        self.shared.report.send_modify(|report| report.camera.get_or_insert_default().given_up = total);
        if let Err(error) = self.shared.outbox.put_state(vec![(GIVEN_UP.to_owned(), total.to_string())]).await {
            tracing::warn!(target: "agent", "the count of pictures given up holds until the next start only: {error}");
        }
    }

    /// Runs the program, without a shell.
    async fn take(&self, file: &Path) -> Result<(), String> {
        let file = file.to_str().ok_or("the data folder's path isn't UTF-8; put it elsewhere")?;
        let mut words = self.command.iter().map(|word| word.replace(FILE, file));
        let program = words.next().ok_or("camera.command is empty")?;
        let shown = printable(&program);
        let mut command = Command::new(&program);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // What it starts in its turn is ended with it.
        #[cfg(unix)]
        command.process_group(0);
        let mut child =
            command.spawn().map_err(|error| format!("{shown} can't be started: {error}; check camera.command"))?;
        let group = child.id();
        let mut stderr = Vec::new();
        let said = child.stderr.take();
        let run = async {
            if let Some(said) = said {
                drop(said.take(MAX_STDERR).read_to_end(&mut stderr).await);
            }
            child.wait().await
        };
        let outcome = tokio::time::timeout(TIMEOUT, run).await;
        let Ok(ended) = outcome else {
            end_group(group);
            return Err(format!("{shown} took longer than {} s and was ended", TIMEOUT.as_secs()));
        };
        let status = ended.map_err(|error| format!("{shown}: {error}"))?;
        if status.success() {
            return Ok(());
        }
        let said = printable(&String::from_utf8_lossy(&stderr));
        Err(format!("{shown} failed ({}): {}", how(status), said.trim().chars().take(300).collect::<String>()))
    }
}

#[cfg(unix)]
fn end_group(leader: Option<u32>) {
    let leader = leader.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(leader) = leader {
        // It may have ended by itself meanwhile.
        let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn end_group(_leader: Option<u32>) {}

fn how(status: ExitStatus) -> String {
    status.code().map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"))
}

/// The picture's size, if it is one.
fn judge(draft: &Path) -> Result<u64, String> {
    let metadata = std::fs::metadata(draft).map_err(|_| "it wrote no file; check that camera.command uses {file}")?;
    let bytes = metadata.len();
    if !metadata.is_file() || bytes > MAX_BYTES {
        return Err(format!("it wrote {bytes} bytes; a picture has at most {MAX_BYTES}"));
    }
    let mut head = [0; 3];
    let read = std::fs::File::open(draft).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    if read.is_err() || head != JPEG {
        return Err(format!("it wrote {bytes} bytes that are no JPEG"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would_and_needs_a_file() {
        assert_eq!(words("rpicam-jpeg -n -o {file}").expect("words").len(), 4);
        assert_eq!(words("shot 'a b' --to={file}").expect("words"), ["shot", "a b", "--to={file}"]);
        assert_eq!(words("shot -o out.jpg"), None);
        assert_eq!(words("{file}"), None, "the program itself isn't the file");
        assert_eq!(words("shot 'a {file}"), None, "a quote isn't closed");
    }

    #[test]
    fn only_a_jpeg_is_a_picture() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a");
        assert!(judge(&path).expect_err("no file").contains("no file"));
        for (content, is_picture) in [(&b"\xff\xd8\xff\xe0rest"[..], true), (b"\x89PNG", false), (b"", false)] {
            std::fs::write(&path, content).expect("written");
            assert_eq!(judge(&path).is_ok(), is_picture, "{content:?}");
        }
        let file = std::fs::File::create(&path).expect("made");
        file.set_len(MAX_BYTES + 1).expect("grown");
        assert!(judge(&path).expect_err("too large").contains("at most 33554432"));
    }
}
