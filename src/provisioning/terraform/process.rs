//! One call of Terraform, followed to its end.
//!
//! Its output goes to files and not through a pipe: a pipe breaks when its reader is killed, and Terraform dies of
//! that in the middle of its work. So it goes on, and ends in order, whatever becomes of the runner.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::sync::watch;

use super::event;
use crate::database::FolderWatch;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;

/// Least time between two looks at what was written; what comes meanwhile is taken together.
const FLOOR: Duration = Duration::from_millis(40);

/// Which stream a line came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How the process ended.
    pub status: ExitStatus,
    /// Whether it was sent an interrupt, by us or by somebody else.
    pub interrupted: bool,
}

/// Starts `command` and follows it to its end. `lines` is handed what it wrote, whole lines, at every change; `pid`
/// its process id. Its output is kept in `folder` meanwhile; `held` is a lock that lives as long as it does. When
/// `interrupt` turns true it is sent one SIGINT, and waited for; none where it says that somebody else has sent it one
/// already, since a second one cuts it off in the middle of its work.
pub async fn follow(
    mut command: Command,
    folder: &Path,
    held: &File,
    interrupt: &mut watch::Receiver<bool>,
    pid: impl FnOnce(u32),
    mut lines: impl FnMut(Vec<(Stream, String)>),
) -> Result<Ended, ProvisioningError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |reason: String| ProvisioningError::Terraform { command: program.clone(), reason };
    let system = |error: std::io::Error| failed(format!("can't be started: {error}; check that it is a program"));
    files::make_folder(folder)?;
    let (out, err) = (folder.join("out"), folder.join("err"));
    let stdout = files::create(&out).map_err(|error| ProvisioningError::file(&out, &error))?;
    let stderr = files::create(&err).map_err(|error| ProvisioningError::file(&err, &error))?;
    let mut tails = [Tail::open(&out, Stream::Out)?, Tail::open(&err, Stream::Error)?];
    // A machine that can watch no more folders still runs Terraform: its words come at its end, then.
    let watch = FolderWatch::start(folder);
    if let Err(error) = &watch {
        lines(vec![(Stream::Error, error.to_string())]);
    }
    let written = || async {
        match &watch {
            Ok(watch) => watch.changed().await,
            Err(_) => std::future::pending().await,
        }
    };
    // A group of its own: a Ctrl-C meant for somebody else doesn't reach it.
    command.stdin(Stdio::from(held.try_clone().map_err(system)?)).stdout(stdout).stderr(stderr).process_group(0);
    let mut child = tokio::process::Command::from(command).spawn().map_err(system)?;
    let process = child.id();
    pid(process.unwrap_or_default());
    let (mut interrupted, mut is_listening) = (false, true);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(system)?,
            () = written() => {
                let news = read(&mut tails)?;
                interrupted |= tells_of_interrupt(&news);
                lines(news);
                tokio::time::sleep(FLOOR).await;
            }
            asked = interrupt.wait_for(|asked| *asked), if is_listening => {
                is_listening = false;
                if asked.is_ok() {
                    let news = read(&mut tails)?;
                    interrupted |= tells_of_interrupt(&news);
                    lines(news);
                    if !interrupted {
                        interrupted = true;
                        send_interrupt(process);
                    }
                }
            }
        }
    };
    let mut rest = read(&mut tails)?;
    rest.extend(tails.iter_mut().filter_map(Tail::last));
    interrupted |= tells_of_interrupt(&rest);
    lines(rest);
    // What was said is in the log, without its secrets.
    files::remove(&out)?;
    files::remove(&err)?;
    Ok(Ended { status, interrupted })
}

/// Whether Terraform says that it was interrupted. What a resource says begins with its address.
fn tells_of_interrupt(lines: &[(Stream, String)]) -> bool {
    let words = |text: &str| event::parse(text).text.trim_start().starts_with("Interrupt received.");
    lines.iter().any(|(stream, text)| *stream == Stream::Out && text.contains("Interrupt received.") && words(text))
}

fn send_interrupt(process: Option<u32>) {
    let pid = process.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::INT)
    {
        // It has ended by itself in this moment.
        tracing::debug!(target: "provisioning", "interrupt: {error}");
    }
}

fn read(tails: &mut [Tail; 2]) -> Result<Vec<(Stream, String)>, ProvisioningError> {
    let mut found = Vec::new();
    for tail in tails {
        tail.read(&mut found)?;
    }
    Ok(found)
}

/// The end of a file that grows.
struct Tail {
    path: std::path::PathBuf,
    file: File,
    stream: Stream,
    begun: Vec<u8>,
}

impl Tail {
    fn open(path: &Path, stream: Stream) -> Result<Self, ProvisioningError> {
        let file = File::open(path).map_err(|error| ProvisioningError::file(path, &error))?;
        Ok(Self { path: path.to_owned(), file, stream, begun: Vec::new() })
    }

    /// Adds the lines that are whole.
    fn read(&mut self, found: &mut Vec<(Stream, String)>) -> Result<(), ProvisioningError> {
        let mut news = Vec::new();
        self.file.read_to_end(&mut news).map_err(|error| ProvisioningError::file(&self.path, &error))?;
        for part in news.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                found.extend(self.last());
            }
        }
        Ok(())
    }

    /// The line that has begun, as if it were whole.
    fn last(&mut self) -> Option<(Stream, String)> {
        let bytes = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        (!text.is_empty()).then(|| (self.stream, text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_that_somebody_else_sent_is_terraforms_own_word_and_nobody_elses() {
        let said =
            r#"{"@level":"info","@message":"\nInterrupt received.\nPlease wait for Terraform to exit","type":"log"}"#;
        let echoed = r#"{"@level":"info","@message":"terraform_data.x: (local-exec): Interrupt received.","type":"provision_progress"}"#;
        for (stream, text, expected) in [
            (Stream::Out, said, true),
            (Stream::Out, "Interrupt received.", true),
            (Stream::Out, echoed, false),
            (Stream::Error, "Interrupt received.", false),
        ] {
            assert_eq!(tells_of_interrupt(&[(stream, text.to_owned())]), expected, "{text}");
        }
    }
}
