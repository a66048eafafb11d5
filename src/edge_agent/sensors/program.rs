//! Programs that a sensor is read by.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

use crate::station::text::printable;

/// Bytes of a program's standard error that are kept.
const MAX_STDERR: u64 = 4096;

/// A running program. What it starts in its turn is ended with it, however this is dropped.
#[derive(Debug)]
pub(in crate::edge_agent) struct Running {
    pub child: Child,
    /// Its name, printable.
    pub shown: String,
}

impl Running {
    /// Starts `command`, split as a shell would and without one.
    pub fn start(command: &str) -> Result<Self, String> {
        let words = shlex::split(command).filter(|words| !words.is_empty()).ok_or("command is empty")?;
        let shown = printable(&words[0]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).process_group(0);
        let child = command.spawn().map_err(|error| format!("{shown} can't be started: {error}; check command"))?;
        Ok(Self { child, shown })
    }

    /// Waits for its end; answers how it ended, and what it said.
    pub async fn end(&mut self) -> String {
        let said = stderr(self.child.stderr.take()).await;
        let how = self.child.wait().await.map_or_else(|error| error.to_string(), how);
        format!("{} ended ({how}){said}", self.shown)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let leader = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            // It may have ended by itself meanwhile.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// What `command` writes, where it succeeds within `limit` and writes at most `most` bytes.
pub(in crate::edge_agent) async fn output(command: &str, limit: Duration, most: usize) -> Result<Vec<u8>, String> {
    let mut running = Running::start(command)?;
    let shown = running.shown.clone();
    let run = async {
        let mut written = Vec::new();
        let (stdout, said) = (running.child.stdout.take(), running.child.stderr.take());
        let read = async {
            let Some(stdout) = stdout else { return Ok(()) };
            stdout.take(most as u64 + 1).read_to_end(&mut written).await.map(drop)
        };
        let (read, said) = tokio::join!(read, stderr(said));
        read.map_err(|error| format!("{shown}: {error}"))?;
        if written.len() > most {
            return Err(format!("{shown} floods: it wrote more than {most} bytes, and was ended"));
        }
        let status = running.child.wait().await.map_err(|error| format!("{shown}: {error}"))?;
        if status.success() { Ok(written) } else { Err(format!("{shown} failed ({}){said}", how(status))) }
    };
    // A flood isn't read to its end: its program is ended when `running` is dropped.
    match tokio::time::timeout(limit, run).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("{shown} took longer than {} s and was ended", limit.as_secs())),
    }
}

/// The beginning of what a program says, after a colon.
async fn stderr(said: Option<ChildStderr>) -> String {
    let mut bytes = Vec::new();
    if let Some(said) = said {
        drop(said.take(MAX_STDERR).read_to_end(&mut bytes).await);
    }
    let said = printable(&String::from_utf8_lossy(&bytes));
    let said: String = said.trim().chars().take(300).collect();
    if said.is_empty() { said } else { format!(": {said}") }
}

fn how(status: ExitStatus) -> String {
    status.code().map_or_else(|| "by a signal".to_owned(), |code| format!("exit code {code}"))
}
