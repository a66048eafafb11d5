//! The machine's figures, read again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;

use super::gather::{Before, Gathered, gather};
use super::patience::Readers;
use super::{power_mode, tegrastats};
use crate::edge_agent::shared::Shared;
use crate::settings::{AgentSettings, MachineSource};
use crate::station::Machine;

/// Between askings of the program that tells the power mode.
const ASK_EVERY: Duration = Duration::from_mins(5);

/// What is read, how often, and by what.
#[derive(Debug)]
pub(in crate::edge_agent) struct Monitor {
    root: PathBuf,
    /// The folder of the agent's data.
    data: PathBuf,
    every: Duration,
    /// The command of the other source, where it is to be used.
    tegrastats: Option<String>,
    readers: Readers,
}

/// What one reading leaves for the next.
#[derive(Debug, Default)]
struct Kept {
    before: Before,
    newest: tegrastats::Newest,
    /// When the power mode was last asked for, and the answer.
    asked: Option<(Instant, Option<String>)>,
    /// What last kept a reading from being done.
    trouble: Option<String>,
}

impl Monitor {
    /// Reads the files under `root`, which is `/` but in tests.
    pub fn new(root: &Path, data: &Path, settings: &AgentSettings) -> Self {
        let uses_tegrastats = settings.machine_source == MachineSource::Tegrastats;
        Self {
            root: root.to_owned(),
            data: std::fs::canonicalize(data).unwrap_or_else(|_| data.to_owned()),
            every: Duration::from_secs(u64::from(settings.machine_every_s)),
            tegrastats: uses_tegrastats.then(|| settings.tegrastats.clone()),
            readers: Readers::new(root),
        }
    }

    /// A reading, within the bounds of a message. One that can't be done says why and nothing else.
    async fn reading(&self, kept: &mut Kept) -> Machine {
        let gathered = self.gathered(kept.before.clone()).await;
        let mut machine = match gathered {
            Ok(gathered) => {
                kept.trouble = None;
                kept.before = gathered.before;
                let mut machine = gathered.machine;
                if gathered.ask_power_mode {
                    machine.board.power_mode = self.power_mode(kept).await;
                }
                machine
            }
            Err(words) => {
                if kept.trouble.as_ref() != Some(&words) {
                    tracing::warn!(target: "agent", "the machine's figures can't be read: {words}");
                }
                let machine = Machine { unread: vec![format!("all of it: {words}")], ..Machine::default() };
                kept.trouble = Some(words);
                machine
            }
        };
        if let Some(line) = kept.newest.line() {
            tegrastats::fill(&mut machine, &line);
        }
        machine.unread.extend(kept.newest.trouble().map(|words| format!("tegrastats: {words}")));
        machine.tidied()
    }

    async fn gathered(&self, before: Before) -> Result<Gathered, String> {
        let (readers, data) = (self.readers.clone(), self.data.clone());
        let waits = move || readers.read(move |tree| gather(tree, &data, &before));
        tokio::task::spawn_blocking(waits).await.map_err(|error| error.to_string())?
    }

    async fn power_mode(&self, kept: &mut Kept) -> Option<String> {
        if kept.asked.as_ref().is_none_or(|(at, _)| at.elapsed() >= ASK_EVERY) {
            kept.asked = Some((Instant::now(), power_mode::ask(&self.root).await));
        }
        kept.asked.as_ref().and_then(|(_, mode)| mode.clone())
    }
}

/// Reads the machine's figures where no agent does.
#[derive(Debug)]
pub struct MachineReader {
    monitor: Monitor,
    kept: Mutex<Kept>,
}

impl MachineReader {
    /// Of this machine, whose agent has its data in `data`.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self::of(Path::new("/"), data)
    }

    fn of(root: &Path, data: &Path) -> Self {
        Self { monitor: Monitor::new(root, data, &AgentSettings::default()), kept: Mutex::default() }
    }

    /// The figures now. Loads are since the reading before; the first has none.
    pub async fn read(&self) -> Machine {
        let machine = self.monitor.reading(&mut *self.kept.lock().await).await;
        Machine { read_at: Some(Timestamp::now()), ..machine }
    }
}

/// Keeps the newest reading in the agent's report, for good.
pub(in crate::edge_agent) async fn watch(shared: Arc<Shared>) {
    let monitor = &shared.monitor;
    let mut kept = Kept::default();
    let newest = kept.newest.clone();
    let readings = async {
        let mut interval = tokio::time::interval(monitor.every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let machine = monitor.reading(&mut kept).await;
            let read_at = Some(shared.clock.now());
            shared.report.send_modify(|report| report.machine = Some(Machine { read_at, ..machine }));
        }
    };
    match &monitor.tegrastats {
        Some(command) => tokio::join!(readings, tegrastats::run(command, &newest)).0,
        None => readings.await,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::tests::unpack::Unpacked;
    use super::*;

    #[tokio::test]
    async fn the_program_is_asked_for_a_power_mode_that_no_file_tells() {
        let unpacked = Unpacked::new("raspberry_pi");
        let root = unpacked.folder.path();
        std::fs::create_dir_all(root.join("usr/sbin")).expect("made");
        let program = root.join("usr/sbin/nvpmodel");
        std::fs::write(&program, "#!/bin/sh\necho \"NV Power Mode: 25W\"\necho 1\n").expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
        let reader = MachineReader::of(root, root);
        let machine = reader.read().await;
        assert_eq!(machine.board.power_mode.as_deref(), Some("25W"));
        assert_eq!((machine.cores.len(), machine.read_at.is_some()), (4, true));
        std::fs::remove_file(&program).expect("removed");
        std::fs::write(&program, "").expect("written");
        assert_eq!(reader.read().await.board.power_mode.as_deref(), Some("25W"), "it isn't asked each time");
    }

    #[tokio::test]
    async fn a_reading_that_cannot_be_done_says_why_and_what_the_program_prints_is_still_shown() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let settings = AgentSettings { machine_source: MachineSource::Tegrastats, ..AgentSettings::default() };
        let monitor =
            Monitor { readers: Readers::stuck(folder.path()), ..Monitor::new(folder.path(), folder.path(), &settings) };
        let mut kept = Kept::default();
        kept.newest.took(tegrastats::Line::read("RAM 1/2MB tj@40C VDD_IN 5mW/5mW\n"));
        let machine = monitor.reading(&mut kept).await;
        assert_eq!(machine.unread, ["all of it: 4 readers are stuck, at /a, /b, /c, /d"]);
        assert_eq!((machine.hottest().and_then(|zone| zone.celsius), machine.total_mw), (Some(40.0), Some(5.0)));
    }
}
