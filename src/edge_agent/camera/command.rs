//! A program that takes one picture and writes it to a file.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::MAX_BYTES;
use crate::station::text::printable;

/// How long the program may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between looks at how much it has written, while it runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Bytes of the program's standard error that are kept.
const MAX_STDERR: u64 = 4096;
/// What stands for the file in the command.
const FILE: &str = "{file}";

/// The program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::edge_agent) struct Program {
    words: Vec<String>,
}

/// The words of a command, quotes as a shell takes them. `None` where it has none, or no `{file}`.
fn words(command: &str) -> Option<Vec<String>> {
    let words: Vec<String> = shlex::split(command)?;
    (words.iter().skip(1).any(|word| word.contains(FILE))).then_some(words)
}

impl Program {
    /// A program from its line; `None` where the line has none, or no `{file}`.
    pub fn new(line: &str) -> Option<Self> {
        words(line).map(|words| Self { words })
    }

    /// A program that was found, with its arguments, one of them with `{file}`.
    pub fn found(program: &Path, arguments: impl Iterator<Item = String>) -> Option<Self> {
        let program = program.to_str()?.to_owned();
        Some(Self { words: std::iter::once(program).chain(arguments).collect() })
    }

    /// The program's name, printable.
    pub fn name(&self) -> String {
        printable(self.words.first().map_or("", String::as_str))
    }

    /// Runs the program, without a shell.
    pub async fn take(&self, draft: &Path) -> Result<(), String> {
        self.take_within(draft, TIMEOUT).await
    }

    async fn take_within(&self, draft: &Path, timeout: Duration) -> Result<(), String> {
        let file = draft.to_str().ok_or("the data folder's path isn't UTF-8; put it elsewhere")?;
        let mut words = self.words.iter().map(|word| word.replace(FILE, file));
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
        bound_files(group);
        let mut stderr = Vec::new();
        let said = child.stderr.take();
        let run = async {
            if let Some(said) = said {
                drop(said.take(MAX_STDERR).read_to_end(&mut stderr).await);
            }
            child.wait().await
        };
        let outcome = tokio::select! {
            ended = tokio::time::timeout(timeout, run) => ended,
            () = outgrown(draft) => {
                end_group(group);
                return Err(format!("{shown} wrote more than {MAX_BYTES} bytes and was ended"));
            }
        };
        // What it left running is ended with it, and so is what took too long.
        end_group(group);
        let Ok(ended) = outcome else {
            return Err(format!("{shown} took longer than {} s and was ended", timeout.as_secs()));
        };
        let status = ended.map_err(|error| format!("{shown}: {error}"))?;
        // What it started may have come to the bound, and it not know of it.
        if tokio::fs::metadata(draft).await.is_ok_and(|metadata| metadata.len() > MAX_BYTES) {
            return Err(format!("{shown} wrote more than {MAX_BYTES} bytes and was ended"));
        }
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

/// No file that the program writes grows beyond a picture: the kernel ends a write that would.
#[cfg(target_os = "linux")]
fn bound_files(leader: Option<u32>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let leader = leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(leader) = leader {
        // One byte more shows that it was too much. A program that has ended already needs no bound.
        let limit = Some(MAX_BYTES + 1);
        let _ = prlimit(Some(leader), Resource::Fsize, Rlimit { current: limit, maximum: limit });
    }
}

#[cfg(not(target_os = "linux"))]
fn bound_files(_leader: Option<u32>) {}

/// Returns once the file is larger than a picture: what the program started before its bound was set has none.
async fn outgrown(draft: &Path) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if tokio::fs::metadata(draft).await.is_ok_and(|metadata| metadata.len() > MAX_BYTES) {
            return;
        }
    }
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

    #[tokio::test]
    async fn a_program_that_fills_the_disk_is_ended() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let draft = folder.path().join("draft");
        // `dd` would write a GiB, and says so when it can't.
        let direct = Program::new("dd if=/dev/zero of={file} bs=1M count=1024 status=none").expect("a command");
        let words = direct.take(&draft).await.expect_err("too much");
        assert!(words.starts_with("dd wrote more than 33554432 bytes"), "{words}");
        assert!(std::fs::metadata(&draft).expect("written").len() <= MAX_BYTES + 1);
        let through = Program::new("sh -c 'yes >{file} & wait'").expect("a command");
        let words = through.take(&draft).await.expect_err("too much");
        assert_eq!(words, "sh wrote more than 33554432 bytes and was ended");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let draft = folder.path().join("draft");
        // It writes down who it started, and waits for it for good.
        let hanging = Program::new("sh -c 'sleep 1000 & echo $! >{file}; wait'").expect("a command");
        let words = hanging.take_within(&draft, Duration::from_secs(2)).await.expect_err("hangs");
        assert_eq!(words, "sh took longer than 2 s and was ended");
        let started = std::fs::read_to_string(&draft).expect("written");
        let started = started.trim().parse().ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        // Killed with its group; whoever inherits it may not have looked yet.
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", started.as_raw_nonzero())).unwrap_or_default();
        while state().rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z")) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_a_program_says_of_its_failure_is_told() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let failing = Program::new("sh -c 'echo no camera >&2; exit 3' {file}").expect("a command");
        let words = failing.take(&folder.path().join("draft")).await.expect_err("fails");
        assert_eq!(words, "sh failed (exit code 3): no camera");
    }
}
