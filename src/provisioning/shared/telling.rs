//! Telling the shared trail: what is to be told is written down here first, and removed once it is in the store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::SharedError;
use super::sync::Sharing;
use crate::provisioning::audit::entry::{AuditEntry, AuditEvent};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::settings::EnvironmentName;

/// Entries of the store that are looked through for one that was told before its process ended.
const LOOK_BACK: usize = 100;

/// What is to be told. Printable, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// When it was done, wall clock.
    pub at: Timestamp,
    /// Who, as `user@host`, or the signer's name among the approvers.
    pub who: String,
    /// What.
    pub event: AuditEvent,
    /// The run it is about.
    pub run: Option<u32>,
    /// The rest, in words.
    pub words: String,
    /// Digests that pin down what it was about, by name.
    pub digests: BTreeMap<String, String>,
}

/// How a note becomes the entry that hangs on the one before.
pub type Chain = fn(Option<&AuditEntry>, &EnvironmentName, &Note) -> AuditEntry;

impl Sharing {
    /// Tells the shared trail. Where the store can't be reached the note is kept here, the error says why, and the next
    /// one that is told, or [`Sharing::tell_rest`], brings it there first.
    pub async fn tell(&self, note: &Note, chain: Chain) -> Result<(), SharedError> {
        let _lock = self.lock().await?;
        let mut notes = self.untold()?;
        notes.push(note.clone());
        self.keep(&notes)?;
        self.tell_all(notes, chain).await
    }

    /// Tells what couldn't be told before.
    pub async fn tell_rest(&self, chain: Chain) -> Result<(), SharedError> {
        let _lock = self.lock().await?;
        let notes = self.untold()?;
        self.tell_all(notes, chain).await
    }

    /// What wasn't told yet, oldest first.
    pub fn untold(&self) -> Result<Vec<Note>, ProvisioningError> {
        let path = self.notes();
        let text = files::read(&path)?.unwrap_or_default();
        let read = |line: &str| serde_json::from_str(line);
        let notes: Result<Vec<_>, _> = text.lines().map(read).collect();
        notes.map_err(|error| ProvisioningError::Damaged { path, reason: format!("isn't a list of notes: {error}") })
    }

    async fn tell_all(&self, mut notes: Vec<Note>, chain: Chain) -> Result<(), SharedError> {
        if notes.is_empty() {
            return Ok(());
        }
        // A process that ended between telling and noting that it has told leaves its note behind.
        let told = self.shared.newest_audit(LOOK_BACK).await?;
        while let Some(note) = notes.first() {
            if !told.iter().any(|entry| is_of(entry, note)) {
                self.shared.append_audit(&|previous| chain(previous, &self.shared.environment, note)).await?;
            }
            notes.remove(0);
            self.keep(&notes)?;
        }
        Ok(())
    }

    fn keep(&self, notes: &[Note]) -> Result<(), SharedError> {
        let path = self.notes();
        if notes.is_empty() {
            return Ok(files::remove(&path)?);
        }
        let mut text = Vec::new();
        for note in notes {
            let line = serde_json::to_vec(note);
            text.extend(
                line.map_err(|error| ProvisioningError::Damaged { path: path.clone(), reason: error.to_string() })?,
            );
            text.push(b'\n');
        }
        Ok(files::write_whole(&path, &text)?)
    }

    fn notes(&self) -> PathBuf {
        self.store.folder().join("untold.jsonl")
    }
}

/// Whether `entry` tells what `note` does: two things aren't done in one nanosecond by one person.
fn is_of(entry: &AuditEntry, note: &Note) -> bool {
    (entry.at, entry.event, entry.run) == (note.at, note.event, note.run)
}
