//! The machine's figures, read again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

    /// The first reading.
    #[cfg(test)]
    pub async fn read_once(&self) -> Machine {
        self.reading(&mut Kept::default()).await
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

/// Reads the machine where no agent does.
#[derive(Debug)]
pub struct MachineReader {
    monitor: Monitor,
    /// So that the next reading knows what was busy since this one.
    kept: tokio::sync::Mutex<Kept>,
}

impl MachineReader {
    /// Of this machine, with the agent's data in the folder `data`.
    #[must_use]
    pub fn new(data: &Path, settings: &AgentSettings) -> Self {
        Self { monitor: Monitor::new(Path::new("/"), data, settings), kept: tokio::sync::Mutex::default() }
    }

    /// The machine's figures, some seconds at most.
    pub async fn read(&self) -> Machine {
        self.monitor.reading(&mut *self.kept.lock().await).await
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
