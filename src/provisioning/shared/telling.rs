//! Telling the shared trail what this home's own one has and it hasn't.
//!
//! Whatever is done is written to the trail here first, so that a dead network keeps nothing from being told later.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::SharedError;
use super::sync::Sharing;
use crate::provisioning::audit::chain::{self, Deed, Verdict};
use crate::provisioning::audit::entry::AuditEntry;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;

/// Entries of the store that are looked through for one that was told before its process ended.
const LOOK_BACK: usize = 100;

/// Where the shared trail ended when this home looked last.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    number: u64,
    hash: String,
}

impl Sharing {
    /// Tells the shared trail what it wasn't told yet. Where the store can't be reached the error says why, and the next
    /// call goes on where this one ended.
    pub async fn tell(&self) -> Result<(), SharedError> {
        let _lock = self.lock().await?;
        let untold = self.store.trail().read(self.told()?, usize::MAX)?;
        if untold.is_empty() {
            return Ok(());
        }
        // A process that ended between telling and noting that it has told tells again.
        let newest = self.shared.newest_audit(LOOK_BACK).await?;
        for entry in untold {
            if !newest.iter().any(|there| is_of(there, &entry)) {
                let environment = &self.shared.environment;
                let follow = |previous: Option<&AuditEntry>| chain::next(previous, environment, entry.at, deed(&entry));
                self.shared.append_audit(&follow).await?;
            }
            files::write_whole(&self.told_path(), entry.number.to_string().as_bytes())?;
        }
        Ok(())
    }

    /// The shared trail after an entry, oldest first, at most `limit` (the newest). What is untold here is told before.
    pub async fn trail(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, SharedError> {
        self.tell().await?;
        let mut entries = self.shared.read_audit(after, usize::MAX).await?;
        entries.drain(..entries.len().saturating_sub(limit));
        Ok(entries)
    }

    /// Whether the shared trail is as it was written, as far as that can be told from it and from where it ended when
    /// this home looked last.
    pub async fn verify_trail(&self) -> Result<Verdict, SharedError> {
        self.tell().await?;
        let _lock = self.lock().await?;
        let entries = self.shared.audit_entries().await?;
        let seen = files::read(&self.head_path())?.and_then(|text| serde_json::from_str::<Head>(&text).ok());
        let is_there =
            |head: &Head| entries.iter().flatten().any(|entry| entry.number == head.number && entry.hash == head.hash);
        let lost = seen.filter(|head| !is_there(head));
        let last = entries.iter().flatten().last().map(|entry| Head { number: entry.number, hash: entry.hash.clone() });
        let mut verdict = chain::verify_chain(entries, &self.shared.environment);
        if let Some(head) = lost {
            let words = "was the last one when this machine looked, and isn't there as it was";
            verdict.faults.push(format!("entry {}: {words}", head.number));
        } else if let (true, Some(head)) = (verdict.faults.is_empty(), last) {
            let text = serde_json::to_vec(&head).unwrap_or_default();
            files::write_whole(&self.head_path(), &text)?;
        }
        Ok(verdict)
    }

    fn head_path(&self) -> PathBuf {
        self.store.folder().join("audit").join("shared-head.json")
    }

    /// Number of the newest entry here that the store has; 0 before the first.
    fn told(&self) -> Result<u64, ProvisioningError> {
        let path = self.told_path();
        let Some(text) = files::read(&path)? else { return Ok(0) };
        text.trim().parse().map_err(|_| ProvisioningError::Damaged { path, reason: "isn't a number".to_owned() })
    }

    fn told_path(&self) -> PathBuf {
        self.store.folder().join("audit").join("told")
    }
}

fn deed(entry: &AuditEntry) -> Deed {
    Deed {
        who: entry.who.clone(),
        event: entry.event,
        emulated: entry.emulated,
        run: entry.run,
        words: entry.words.clone(),
        digests: entry.digests.clone(),
    }
}

/// Whether the store's entry tells what the one here does: two things aren't done in one nanosecond by one person.
fn is_of(there: &AuditEntry, here: &AuditEntry) -> bool {
    (there.at, there.event, there.run, &there.who) == (here.at, here.event, here.run, &here.who)
}
