//! The folder in which an environment's runs are kept.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::provisioning::approval::record::Signed;
use crate::provisioning::audit::trail::Trail;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::run::Run;
use crate::provisioning::terraform::state::State;
use crate::provisioning::words::command;
use crate::provisioning::workspace::Workspace;
use crate::provisioning::workspace::module::UNSAVED;
use crate::settings::EnvironmentName;

/// Whether the file or folder at `path` of a data folder is made anew by every run, or only means something to processes
/// that live: no part of a backup.
#[must_use]
pub fn is_passing(path: &Path) -> bool {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    match parts.as_slice() {
        // Of the module's folder, a state that is nowhere else is kept.
        ["provisioning", "module"] | ["provisioning", "module", UNSAVED] => false,
        ["provisioning", part, ..] => {
            matches!(*part, "module" | "home" | "queue" | "working" | "lock" | "sharing.lock" | "sharing.json")
        }
        _ => false,
    }
}

/// The record of what a plan is bound to, in a run's folder.
const RECORD: &str = "record.json";
/// The folder of approvals there.
const APPROVALS: &str = "approvals";
/// The folder of approvals that were used, a file with the id of each.
const USED: &str = "used";

/// One environment's folder of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    environment: EnvironmentName,
    folder: PathBuf,
}

/// A run with the number of its writing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Rises with every writing.
    pub revision: u64,
    /// The run.
    #[serde(flatten)]
    pub run: Run,
}

/// Held while runs are numbered, queued or ended from outside.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl Store {
    /// The runs of `environment`, whose data folder is `data`. Nothing is made.
    #[must_use]
    pub fn of(environment: &EnvironmentName, data: &Path) -> Self {
        Self { environment: environment.clone(), folder: data.join("provisioning") }
    }

    /// Makes what isn't there, for this user alone.
    pub fn make(&self) -> Result<(), ProvisioningError> {
        [self.folder.clone(), self.runs(), self.queue()].iter().try_for_each(|folder| files::make_folder(folder))
    }

    /// Whose runs these are.
    #[must_use]
    pub const fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// The folder of everything; needn't be there.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder in which Terraform is called.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        Workspace::of(&self.environment, &self.folder)
    }

    /// The home of emulated runs.
    #[must_use]
    pub fn shelter(&self) -> PathBuf {
        self.folder.join("home")
    }

    pub(super) fn queue(&self) -> PathBuf {
        self.folder.join("queue")
    }

    pub(super) fn working(&self) -> PathBuf {
        self.folder.join("working")
    }

    fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// The folder of one run.
    #[must_use]
    pub fn run_folder(&self, number: u32) -> PathBuf {
        self.runs().join(format!("{number:04}"))
    }

    /// A run's saved plan.
    #[must_use]
    pub fn plan(&self, number: u32) -> PathBuf {
        self.run_folder(number).join("plan")
    }

    /// A run's plan as `terraform show -json` tells it; holds secrets in clear.
    #[must_use]
    pub fn plan_json(&self, number: u32) -> PathBuf {
        self.run_folder(number).join("plan.json")
    }

    /// The plan that is made before an apply, to be held against the run's own.
    #[must_use]
    pub fn fresh_plan(&self, number: u32) -> PathBuf {
        self.run_folder(number).join("fresh")
    }

    /// Removes a run's plan in every form that holds secrets.
    pub fn forget_plan(&self, number: u32) -> Result<(), ProvisioningError> {
        let plans = [self.plan(number), self.plan_json(number), self.fresh_plan(number)];
        plans.iter().try_for_each(|path| files::remove(path))
    }

    /// The record of what a run's plan is bound to; absent before the plan.
    pub fn record(&self, number: u32) -> Result<Option<Signed>, ProvisioningError> {
        read_signed(&self.run_folder(number).join(RECORD))
    }

    /// Writes it.
    pub fn write_record(&self, number: u32, record: &Signed) -> Result<(), ProvisioningError> {
        write_signed(&self.run_folder(number).join(RECORD), record)
    }

    /// A run's approvals, by their ids.
    pub fn approvals(&self, number: u32) -> Result<Vec<Signed>, ProvisioningError> {
        let folder = self.run_folder(number).join(APPROVALS);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ProvisioningError::file(&folder, &error)),
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort_unstable();
        paths.iter().filter_map(|path| read_signed(path).transpose()).collect()
    }

    /// Keeps an approval under its id.
    pub fn add_approval(&self, number: u32, id: &str, approval: &Signed) -> Result<(), ProvisioningError> {
        let folder = self.run_folder(number).join(APPROVALS);
        files::make_folder(&folder)?;
        write_signed(&folder.join(format!("{id}.json")), approval)
    }

    /// Ids of the approvals that were used here.
    pub fn used(&self) -> Result<BTreeSet<String>, ProvisioningError> {
        let folder = self.folder.join(USED);
        match std::fs::read_dir(&folder) {
            Ok(entries) => Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(ProvisioningError::file(&folder, &error)),
        }
    }

    /// Uses approvals up, for the run `number`. Refused where one was used already.
    pub fn use_up<'a>(&self, number: u32, ids: impl Iterator<Item = &'a str>) -> Result<(), ProvisioningError> {
        let folder = self.folder.join(USED);
        for id in ids {
            files::make_folder(&folder)?;
            let path = folder.join(id);
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => file.sync_all().map_err(|error| ProvisioningError::file(&path, &error))?,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let words = format!("run {number}: approval {id} was used already; have the plan approved anew");
                    return Err(ProvisioningError::NotApproved(words));
                }
                Err(error) => return Err(ProvisioningError::file(&path, &error)),
            }
        }
        Ok(())
    }

    /// The environment's audit trail.
    #[must_use]
    pub fn trail(&self) -> Trail {
        Trail::of(&self.folder, &self.environment)
    }

    /// The file of a run, which is written whole at every change.
    #[must_use]
    pub fn run_file(&self, number: u32) -> PathBuf {
        self.run_folder(number).join("run.json")
    }

    /// The mark that a run is to end; made once, by whoever asks for it first.
    #[must_use]
    pub fn mark(&self, number: u32) -> PathBuf {
        self.run_folder(number).join("interrupt")
    }

    /// The mark that the disk had no room for what a run's process had to write; empty, since that much fits.
    #[must_use]
    pub fn full_mark(&self, number: u32) -> PathBuf {
        self.run_folder(number).join("disk-full")
    }

    /// The state that an apply couldn't write where it belongs, and whether it is whole.
    #[must_use]
    pub fn unsaved_state(&self) -> Option<(PathBuf, bool)> {
        let path = self.workspace().unsaved_state()?;
        let is_whole = files::read(&path).is_ok_and(|text| text.is_some_and(|text| State::read(&text).is_ok()));
        Some((path, is_whole))
    }

    /// Refuses where a state waits that an apply couldn't write: who plans without it makes again what is there.
    pub fn refuse_unsaved(&self) -> Result<(), ProvisioningError> {
        let Some((path, is_whole)) = self.unsaved_state() else { return Ok(()) };
        let (name, path) = (&self.environment, path.display());
        let words = if is_whole {
            let recover = command(name, "state recover");
            format!(
                "state of {name}: an apply couldn't write it where it belongs, what was made is only in {path}; {recover} puts it back, nothing is planned or applied before"
            )
        } else {
            let reset = if name.as_str() == "demo" { ", or make the demo anew with `skydeck demo reset`" } else { "" };
            format!(
                "state of {name}: an apply couldn't write it, and its copy {path} is cut off; see what was made with {}, take that into the state by import blocks in the module, and remove that file{reset}; nothing is planned or applied before",
                command(name, "runs RUN")
            )
        };
        Err(ProvisioningError::Refused(words))
    }

    /// Numbers of the runs, newest first.
    pub fn numbers(&self) -> Result<Vec<u32>, ProvisioningError> {
        let entries = match std::fs::read_dir(self.runs()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ProvisioningError::file(&self.runs(), &error)),
        };
        let mut numbers: Vec<u32> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    /// A run as it was written last.
    pub fn read(&self, number: u32) -> Result<Stored, ProvisioningError> {
        let path = self.run_file(number);
        let text = files::read(&path)?
            .ok_or_else(|| ProvisioningError::NoRun { number, environment: self.environment.clone() })?;
        serde_json::from_str(&text)
            .map_err(|error| ProvisioningError::Damaged { path, reason: format!("isn't a run: {error}") })
    }

    /// Writes a run, with the next revision. Its process does it while it lives; anybody else holds the lock.
    pub fn write(&self, stored: &mut Stored) -> Result<(), ProvisioningError> {
        let (path, text) = self.next(stored)?;
        files::write_whole(&path, &text)
    }

    /// As [`Store::write`], for progress: a power cut may bring back what was written before.
    pub fn write_often(&self, stored: &mut Stored) -> Result<(), ProvisioningError> {
        let (path, text) = self.next(stored)?;
        files::write_often(&path, &text)
    }

    fn next(&self, stored: &mut Stored) -> Result<(PathBuf, Vec<u8>), ProvisioningError> {
        stored.revision += 1;
        let path = self.run_file(stored.run.number);
        match serde_json::to_vec(stored) {
            Ok(text) => Ok((path, text)),
            Err(error) => Err(ProvisioningError::Damaged { path, reason: error.to_string() }),
        }
    }

    /// Waits for the lock under which runs are numbered, queued and ended from outside. It is never held for long.
    pub fn lock(&self) -> Result<StoreLock, ProvisioningError> {
        self.make()?;
        let path = self.folder.join("lock");
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        let file = files::open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(StoreLock { _file: file })
    }

    /// Serial of the local state; `None` where there is no state, or not here.
    pub fn local_serial(&self) -> Result<Option<u64>, ProvisioningError> {
        Ok(self.local_state()?.map(|state| state.serial()))
    }

    /// The local state; `None` where there is none, or not here.
    pub fn local_state(&self) -> Result<Option<State>, ProvisioningError> {
        let workspace = self.workspace();
        let Some(path) = workspace.local_state() else { return Ok(None) };
        // An empty file is one that Terraform has locked and not written yet.
        let Some(text) = files::read(path)?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        State::read(&text).map(Some).map_err(|reason| self.damaged_state(path, reason))
    }

    fn damaged_state(&self, path: &Path, reason: String) -> ProvisioningError {
        let backup = path.with_extension("tfstate.backup");
        let next = if backup.is_file() {
            format!(
                "what it held before its last change is in {backup}: put that in its place (`cp {backup} {path}`), then see what has changed since with {}",
                command(&self.environment, "drift"),
                backup = backup.display(),
                path = path.display(),
            )
        } else if self.environment.as_str() == "demo" {
            "there is no backup beside it; `skydeck demo reset` makes the demo anew".to_owned()
        } else {
            format!(
                "there is no backup beside it; restore one of yours with {}",
                command(&self.environment, "db restore FILE")
            )
        };
        ProvisioningError::State { path: path.to_owned(), reason, next }
    }
}

fn read_signed(path: &Path) -> Result<Option<Signed>, ProvisioningError> {
    let Some(text) = files::read(path)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| ProvisioningError::Damaged {
        path: path.to_owned(),
        reason: format!("isn't a record or an approval: {error}"),
    };
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

fn write_signed(path: &Path, signed: &Signed) -> Result<(), ProvisioningError> {
    match serde_json::to_vec_pretty(signed) {
        Ok(text) => files::write_whole(path, &text),
        Err(error) => Err(ProvisioningError::Damaged { path: path.to_owned(), reason: error.to_string() }),
    }
}
