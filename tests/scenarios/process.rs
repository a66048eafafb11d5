//! One process of a scenario, started and ended by its id.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Time a process has to end in order.
const GRACE: Duration = Duration::from_secs(20);

/// A process that may be running.
pub struct Process {
    child: Option<Child>,
    output: PathBuf,
}

impl Process {
    /// One that will write what it says to `output`.
    pub const fn new(output: PathBuf) -> Self {
        Self { child: None, output }
    }

    pub fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// Starts `command`.
    pub fn start(&mut self, mut command: Command) -> Result<(), String> {
        let output: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.output)
            .map_err(|error| format!("{}: {error}", self.output.display()))?;
        let again = output.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(output).stderr(again);
        self.child = Some(command.spawn().map_err(|error| format!("{command:?}: {error}"))?);
        Ok(())
    }

    /// An error where it has ended by itself.
    pub fn check(&mut self) -> Result<(), String> {
        let Some(child) = &mut self.child else { return Err("isn't started".into()) };
        match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                self.child = None;
                Err(format!("ended by itself with {status}: {}", tail(&self.output)))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// `kill -9`; answers its process id.
    pub fn kill(&mut self) -> Option<u32> {
        let mut child = self.child.take()?;
        child.kill().expect("killed");
        child.wait().expect("reaped");
        Some(child.id())
    }

    /// Ends it in order and answers its exit code.
    pub fn stop(&mut self) -> Result<i32, String> {
        self.check()?;
        self.signal(Signal::TERM);
        self.ended(GRACE)
    }

    /// Waits until it has ended and answers its exit code.
    pub fn ended(&mut self, within: Duration) -> Result<i32, String> {
        let mut child = self.child.take().ok_or("isn't started")?;
        let deadline = Instant::now() + within;
        loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => return status.code().ok_or_else(|| format!("was ended by {status}")),
                None if Instant::now() > deadline => {
                    child.kill().expect("killed");
                    child.wait().expect("reaped");
                    return Err(format!("hasn't ended within {} s", within.as_secs()));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("started");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id")).expect("not zero");
        kill_process(pid, signal).expect("signalled");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a file, for a failure's words.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
