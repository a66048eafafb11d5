//! What an apply has left behind in the state, read back before anything is said of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::store::Store;
use crate::provisioning::run::{ChangeAction, Progress, ResourceChange, Run};
use crate::provisioning::terraform::mask::Masks;
use crate::provisioning::terraform::state::State;

/// What the state keeps of an apply that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Kept {
    /// It couldn't be read.
    #[default]
    Unknown,
    /// Terraform couldn't write it and put it into this file.
    Unsaved(PathBuf),
    /// As `state` says; Terraform couldn't write it, and had no room to write it into this file either.
    CutOff {
        /// What was left of that.
        path: PathBuf,
        /// What the state itself keeps.
        state: Box<Self>,
    },
    /// Its file can't be understood; in words, with what to do.
    Damaged(String),
    /// There is none: nothing was ever written.
    Nothing,
    /// It is there.
    State {
        /// Its serial.
        serial: u64,
        /// What is in it.
        addresses: BTreeSet<String>,
    },
}

impl Kept {
    /// As it stands in a state.
    #[must_use]
    pub fn of(state: Option<&State>) -> Self {
        state.map_or(Self::Nothing, |state| Self::State { serial: state.serial(), addresses: state.addresses() })
    }

    /// The same with its addresses as a run tells them: without secrets.
    #[must_use]
    pub fn masked(self, masks: &Masks) -> Self {
        match self {
            Self::State { serial, addresses } => {
                Self::State { serial, addresses: addresses.iter().map(|address| masks.apply(address)).collect() }
            }
            other => other,
        }
    }

    /// As it stands here, without Terraform; unknown where the state is kept elsewhere.
    #[must_use]
    pub fn here(store: &Store) -> Self {
        match store.unsaved_state() {
            Some((path, true)) => Self::Unsaved(path),
            Some((path, false)) => Self::CutOff { path, state: Box::new(Self::in_place(store)) },
            None => Self::in_place(store),
        }
    }

    fn in_place(store: &Store) -> Self {
        if !store.workspace().is_embedded() {
            return Self::Unknown;
        }
        match store.local_state() {
            Ok(state) => Self::of(state.as_ref()),
            Err(error) => Self::Damaged(error.to_string()),
        }
    }

    /// Whether the state knows that `change`, which was done, was done; `run` says what it knew before.
    #[must_use]
    pub fn knows(&self, run: &Run, change: &ResourceChange) -> bool {
        let Self::State { serial, addresses } = self else { return false };
        if run.state_serial.is_some_and(|before| *serial <= before) {
            return false;
        }
        let is_there = addresses.contains(&change.address);
        match change.action {
            ChangeAction::Delete | ChangeAction::Forget => !is_there,
            _ => is_there,
        }
    }

    /// Addresses of the changes that were done and that the state knows nothing of, in the run's order.
    #[must_use]
    pub fn lost<'a>(&self, run: &'a Run) -> Vec<&'a str> {
        let done = run.changes.iter().filter(|change| matches!(change.progress, Progress::Done { .. }));
        done.filter(|change| !self.knows(run, change)).map(|change| change.address.as_str()).collect()
    }
}
