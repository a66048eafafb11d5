//! Processes that are measured.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Outcome;

/// A process, killed when it is dropped.
pub struct Process {
    child: Child,
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// CPU, user and system.
    pub cpu: Duration,
    /// Resident now, MiB.
    pub resident_mib: f64,
    /// Of it what no file backs, MiB: the program's own, which it shares with nobody.
    pub private_mib: f64,
    /// Of it pages of files, MiB: of the program and its libraries, which the system shares and can drop.
    pub files_mib: f64,
    /// Most that was resident, MiB.
    pub peak_mib: f64,
    /// Voluntary switches of all threads that run.
    pub woken: u64,
}

impl Process {
    /// Starts `command`; what it says goes to `log`.
    pub fn start(mut command: Command, log: &Path) -> Outcome<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { child: command.spawn().map_err(|error| format!("{command:?}: {error}"))? })
    }

    /// What it has used so far.
    pub fn used(&self) -> Outcome<Used> {
        let root = format!("/proc/{}", self.child.id());
        let stat = std::fs::read_to_string(format!("{root}/stat"))?;
        // The name, in parentheses, may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no such process")?.1.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let status = std::fs::read_to_string(format!("{root}/status"))?;
        let mib = |name: &str| -> Outcome<f64> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such line")?;
            Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<f64>()? / 1024.0)
        };
        let mut woken = 0;
        for task in std::fs::read_dir(format!("{root}/task"))?.flatten() {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            woken += line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default();
        }
        let per_second = rustix::param::clock_ticks_per_second();
        let cpu = Duration::from_millis(ticks * 1000 / per_second);
        Ok(Used {
            cpu,
            resident_mib: mib("VmRSS:")?,
            private_mib: mib("RssAnon:")?,
            files_mib: mib("RssFile:")?,
            peak_mib: mib("VmHWM:")?,
            woken,
        })
    }

    /// Ends it in order.
    pub fn stop(mut self) -> Outcome<()> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id())?).ok_or("no process id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until `done` answers.
pub fn until<T>(what: &str, within: Duration, mut done: impl FnMut() -> Option<T>) -> Outcome<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = done() {
            return Ok(value);
        }
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {} s", within.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
