//! Tickets: whose turn it is, and who is alive.
//!
//! A ticket is a file with a rising number, locked (flock) by the process that carries its run out. Whoever asks takes
//! the lock and hands it to that process as its standard input, so that there is no moment in which a living run isn't
//! locked; the system frees it when the process ends in whatever way. A run waits for every ticket before its own, in
//! one blocking call each: first come, first served, and a killed one is in nobody's way.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::store::{Store, StoreLock};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;

/// What a process does for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Everything up to the plan.
    Plan,
    /// Applying that plan.
    Apply,
}

/// Its name on the command line.
impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
        })
    }
}

/// By its name on the command line.
impl std::str::FromStr for Job {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plan" => Ok(Self::Plan),
            "apply" => Ok(Self::Apply),
            _ => Err("what is done for a run is plan or apply".to_owned()),
        }
    }
}

/// A ticket that is held.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    path: PathBuf,
    file: File,
}

/// Whose ticket it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: u32,
    /// What is done for it.
    pub job: Job,
    /// The process; absent in the moment before it is started.
    pub pid: Option<u32>,
}

/// Who is at work with Terraform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The run.
    pub run: u32,
    /// Terraform's process, once it is started.
    pub terraform_pid: Option<u32>,
}

/// The right to work with Terraform: one process of an environment has it. Terraform itself is given it too, and so
/// has it for as long as it lives.
#[derive(Debug)]
pub struct Turn {
    file: File,
    path: PathBuf,
    run: u32,
}

impl Ticket {
    /// Takes the next ticket for `run`, and clears away those that nobody holds any more.
    pub fn take(store: &Store, _lock: &StoreLock, run: u32, job: Job) -> Result<Self, ProvisioningError> {
        let mut newest = 0;
        for (number, path) in tickets(store)? {
            newest = newest.max(number);
            if is_free(&path) {
                files::remove(&path)?;
            }
        }
        let number = newest + 1;
        let path = store.queue().join(format!("{number:06}"));
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        let file = files::open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let ticket = Self { number, path: path.clone(), file };
        ticket.write(&Holder { run, job, pid: None })?;
        Ok(ticket)
    }

    /// The ticket that was handed to this process as its standard input.
    pub fn inherited(store: &Store, run: u32, job: Job) -> Result<Self, ProvisioningError> {
        use std::os::fd::AsFd as _;
        for (number, path) in tickets(store)? {
            if read(&path).is_some_and(|holder| (holder.run, holder.job) == (run, job)) && !is_free(&path) {
                let handed = std::io::stdin().as_fd().try_clone_to_owned();
                let file = File::from(handed.map_err(|error| ProvisioningError::file(&path, &error))?);
                if is_same(&file, &path) {
                    return Ok(Self { number, path, file });
                }
            }
        }
        Err(ProvisioningError::Refused(format!(
            "run {run}: this command is started by skydeck itself; ask for a run with `skydeck plan`"
        )))
    }

    /// A handle to hand to the process that carries the run out.
    pub fn hand_over(&self) -> Result<File, ProvisioningError> {
        self.file.try_clone().map_err(|error| ProvisioningError::file(&self.path, &error))
    }

    /// The same ticket, for another thread of this process.
    pub(super) fn twin(&self) -> Result<Self, ProvisioningError> {
        Ok(Self { number: self.number, path: self.path.clone(), file: self.hand_over()? })
    }

    /// Notes whose it is.
    pub fn write(&self, holder: &Holder) -> Result<(), ProvisioningError> {
        use std::os::unix::fs::FileExt as _;
        let failed = |error: std::io::Error| ProvisioningError::file(&self.path, &error);
        // Padded, so that a shorter text leaves nothing of a longer one behind, and never a moment without content.
        let text = format!("{:<120}\n", serde_json::to_string(holder).unwrap_or_default());
        self.file.write_all_at(text.as_bytes(), 0).map_err(failed)
    }

    /// Waits until no ticket before this one is held, and nobody works with Terraform: not even the Terraform of a
    /// process that was killed. Blocks.
    pub fn wait(&self, store: &Store, run: u32) -> Result<Turn, ProvisioningError> {
        for (number, path) in tickets(store)?.into_iter().filter(|(number, _)| *number < self.number) {
            match File::open(&path) {
                Ok(file) => file.lock_shared().map_err(|error| ProvisioningError::file(&path, &error))?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(ProvisioningError::file(&path, &error)),
            }
            tracing::debug!(target: "provisioning", "ticket {number} is free");
        }
        let path = store.working();
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        let file = files::open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let turn = Turn { file, path, run };
        turn.note(None)?;
        Ok(turn)
    }

    /// Runs that are before this one.
    pub fn before(&self, store: &Store) -> Result<Vec<u32>, ProvisioningError> {
        let mut before: Vec<_> = tickets(store)?
            .into_iter()
            .filter(|(number, path)| *number < self.number && !is_free(path))
            .filter_map(|(_, path)| read(&path).map(|holder| holder.run))
            .collect();
        before.extend(worker(store).map(|worker| worker.run).filter(|run| !before.contains(run)));
        Ok(before)
    }

    /// Gives it back. Dropping it does so as well, once its process has ended.
    pub fn give_back(self) {
        // Where it can't be removed the next one who takes a ticket does it.
        drop(files::remove(&self.path));
    }
}

impl Turn {
    /// The right to work, without a ticket; refused where somebody has it or waits for it. `run` is whom it is for.
    pub fn at_once(store: &Store, _lock: &StoreLock, run: u32) -> Result<Self, ProvisioningError> {
        if let Some(holder) = holders(store)?.first() {
            let words = format!("run {}: is at work or about to be; wait for its end, then try again", holder.run);
            return Err(ProvisioningError::Locked(words));
        }
        let path = store.working();
        let file = files::open(&path).map_err(|error| ProvisioningError::file(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let words = "Terraform: is still at work here; wait for its end, then try again".to_owned();
                return Err(ProvisioningError::Locked(words));
            }
            Err(TryLockError::Error(error)) => return Err(ProvisioningError::file(&path, &error)),
        }
        let turn = Self { file, path, run };
        turn.note(None)?;
        Ok(turn)
    }

    /// A handle for Terraform's process.
    #[must_use]
    pub const fn held(&self) -> &File {
        &self.file
    }

    /// Notes who works.
    pub fn note(&self, terraform_pid: Option<u32>) -> Result<(), ProvisioningError> {
        use std::os::unix::fs::FileExt as _;
        let worker = Worker { run: self.run, terraform_pid };
        let text = format!("{:<80}\n", serde_json::to_string(&worker).unwrap_or_default());
        self.file.write_all_at(text.as_bytes(), 0).map_err(|error| ProvisioningError::file(&self.path, &error))
    }
}

/// Whose tickets are held, first come first.
pub fn holders(store: &Store) -> Result<Vec<Holder>, ProvisioningError> {
    let held = tickets(store)?.into_iter().filter(|(_, path)| !is_free(path));
    Ok(held.filter_map(|(_, path)| read(&path)).collect())
}

/// Files that are locked by a run's process or its Terraform: whoever wants to know when one ends waits for the lock.
pub fn held(store: &Store) -> Result<Vec<PathBuf>, ProvisioningError> {
    let files = tickets(store)?.into_iter().map(|(_, path)| path).chain([store.working()]);
    Ok(files.filter(|path| !is_free(path)).collect())
}

/// Blocks until the process that holds the lock of `path` has ended.
pub fn wait_for(path: &Path) {
    if let Ok(file) = File::open(path) {
        drop(file.lock_shared());
    }
}

/// Who works with Terraform now.
#[must_use]
pub fn worker(store: &Store) -> Option<Worker> {
    let path = store.working();
    if is_free(&path) {
        return None;
    }
    serde_json::from_str(std::fs::read_to_string(&path).ok()?.trim()).ok()
}

/// Numbers and paths, first come first.
fn tickets(store: &Store) -> Result<Vec<(u64, PathBuf)>, ProvisioningError> {
    let folder = store.queue();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ProvisioningError::file(&folder, &error)),
    };
    let numbered = |entry: std::fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()));
    let mut found: Vec<_> = entries.flatten().filter_map(numbered).collect();
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_str(std::fs::read_to_string(path).ok()?.trim()).ok()
}

/// Whether nobody holds the lock of `path`. A file that isn't there is held by nobody.
fn is_free(path: &Path) -> bool {
    match File::open(path) {
        // Shared, so that two who look don't take each other for a holder.
        Ok(file) => !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => true,
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: std::io::Result<std::fs::Metadata>| metadata.ok().map(|one| (one.dev(), one.ino()));
    let one = identity(file.metadata());
    one.is_some() && one == identity(std::fs::metadata(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::EnvironmentName;

    fn store() -> (tempfile::TempDir, Store) {
        let data = tempfile::tempdir().expect("temporary folder");
        let store = Store::of(&EnvironmentName::demo(), data.path());
        store.make().expect("made");
        (data, store)
    }

    fn take(store: &Store, run: u32, job: Job) -> Ticket {
        Ticket::take(store, &store.lock().expect("locked"), run, job).expect("a ticket")
    }

    #[test]
    fn first_come_first_served_and_a_dead_holder_is_in_nobodys_way() {
        let (_data, store) = store();
        let one = take(&store, 1, Job::Plan);
        let dead = take(&store, 2, Job::Plan);
        let three = take(&store, 1, Job::Apply);
        assert_eq!(three.before(&store).expect("read"), [1, 2]);
        drop(dead);
        assert_eq!(three.before(&store).expect("read"), [1]);
        let turn = one.wait(&store, 1).expect("nobody is before it");
        turn.note(Some(77)).expect("noted");
        assert_eq!(worker(&store), Some(Worker { run: 1, terraform_pid: Some(77) }));

        let waiting = std::thread::spawn({
            let store = store.clone();
            move || three.wait(&store, 1).map(|turn| (three, turn))
        });
        one.give_back();
        // The ticket is back, but Terraform has its turn still.
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!waiting.is_finished());
        drop(turn);
        let (three, turn) = waiting.join().expect("no panic").expect("its turn");
        assert_eq!(worker(&store), Some(Worker { run: 1, terraform_pid: None }));
        drop(turn);
        assert_eq!(worker(&store), None);
        assert_eq!(holders(&store).expect("read"), [Holder { run: 1, job: Job::Apply, pid: None }]);
        drop(three);
        assert_eq!(holders(&store).expect("read"), []);
        // The next one clears away what the dead have left.
        let next = take(&store, 3, Job::Plan);
        assert_eq!(tickets(&store).expect("read").len(), 1);
        drop(next);
    }
}
