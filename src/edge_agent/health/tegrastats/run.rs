//! Keeping `tegrastats` running.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use super::Line;
use crate::edge_agent::sensors::intake::{Intake, Line as Read};
use crate::edge_agent::sensors::program::Running;

/// Wall time before it is started again.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a line stands for how things are.
const FRESH: Duration = Duration::from_secs(60);

/// The newest line, or why there is none. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::edge_agent::health) struct Newest(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    line: Option<(Line, Instant)>,
    trouble: Option<String>,
}

impl Newest {
    /// The newest line where it is fresh.
    pub fn line(&self) -> Option<Line> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.line.as_ref().filter(|(_, at)| at.elapsed() <= FRESH).map(|(line, _)| line.clone())
    }

    /// Why the program doesn't run.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// Keeps a line.
    pub fn took(&self, line: Line) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { line: Some((line, Instant::now())), trouble: None };
    }

    /// Notes a trouble; whether it is another than before.
    fn failed(&self, words: &str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.trouble.replace(words.to_owned()).is_none_or(|before| before != words)
    }
}

/// Runs `command` for good and keeps its newest line in `newest`; when it ends it is started again.
pub(in crate::edge_agent::health) async fn run(command: &str, newest: &Newest) {
    run_again(command, newest, AGAIN).await;
}

async fn run_again(command: &str, newest: &Newest, again: Duration) {
    loop {
        let words = session(command, newest).await;
        if newest.failed(&words) {
            tracing::warn!(target: "agent", "agent.tegrastats: {words}; it is started again in {} s", again.as_secs());
        }
        tokio::time::sleep(again).await;
    }
}

/// Runs it until it ends; answers why.
async fn session(command: &str, newest: &Newest) -> String {
    let mut running = match Running::start(command) {
        Ok(running) => running,
        Err(words) => return words,
    };
    let Some(mut stdout) = running.child.stdout.take() else { return "it has no output".to_owned() };
    let mut intake = Intake::default();
    let mut bytes = [0; 4096];
    loop {
        match stdout.read(&mut bytes).await {
            Ok(0) => return running.end().await,
            Ok(count) => {
                // Of several that came at once only the last says how things are.
                let whole = intake.take(&bytes[..count]).into_iter().rfind(|line| matches!(line, Read::Whole(_)));
                if let Some(Read::Whole(line)) = whole {
                    newest.took(Line::read(&format!("{}\n", String::from_utf8_lossy(&line))));
                }
            }
            Err(error) => return error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_whole_line_is_kept_and_the_end_is_told() {
        let newest = Newest::default();
        let command =
            "sh -c 'echo \"RAM 1/2MB APE 25\"; echo \"RAM 3/4MB APE 26\"; printf \"RAM 5/6MB\"; echo gone >&2; exit 3'";
        assert_eq!(session(command, &newest).await, "sh ended (exit code 3): gone");
        let ram = newest.line().and_then(|line| line.ram).expect("a line");
        assert_eq!((ram.used_mib, ram.total_mib), (3.0, 4.0), "the last was cut off");
        assert!(newest.failed("it ended") && !newest.failed("it ended"), "it is told once");
        assert_eq!(newest.trouble().as_deref(), Some("it ended"));
        let missing = session("/nowhere/tegrastats", &newest).await;
        assert!(missing.starts_with("/nowhere/tegrastats can't be started: No such file"), "{missing}");
    }

    #[tokio::test]
    async fn it_is_started_again_when_it_ends() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let count = folder.path().join("count");
        let newest = Newest::default();
        let command = format!("sh -c 'echo x >>{0}; echo \"RAM $(wc -l <{0})/9MB\"'", count.display());
        let running = tokio::spawn({
            let newest = newest.clone();
            async move { run_again(&command, &newest, Duration::from_millis(5)).await }
        });
        while newest.line().and_then(|line| line.ram).is_none_or(|ram| ram.used_mib < 2.0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.abort();
    }
}
