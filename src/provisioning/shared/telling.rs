//! Telling the shared trail what was done here.
//!
//! Whatever is done is written to this data folder's own trail first, and from there into the shared one, in its order.
//! How far that has come is remembered: what a crash or a dead network left untold is told with the next call.

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
    /// Tells the shared trail what is new in the one here. Answers how many entries. [`Sharing::publish`] and
    /// [`Sharing::refresh`] do so too.
    pub async fn tell(&self) -> Result<u32, SharedError> {
        let _lock = self.lock().await?;
        self.tell_all().await
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
        let _lock = self.lock().await?;
        self.tell_all().await?;
        let path = self.store.folder().join("shared-head.json");
        let entries = self.shared.audit_entries().await?;
        let seen = files::read(&path)?.and_then(|text| serde_json::from_str::<Head>(&text).ok());
        let is_there =
            |head: &Head| entries.iter().flatten().any(|entry| entry.number == head.number && entry.hash == head.hash);
        let lost = seen.filter(|head| !is_there(head));
        let last = entries.iter().flatten().last().map(|entry| Head { number: entry.number, hash: entry.hash.clone() });
        let mut verdict = chain::verify_chain(entries, &self.shared.environment);
        let here = self.store.trail().read(0, usize::MAX)?.last().map_or(0, |entry| entry.number);
        let told = self.told()?;
        if told > here {
            let words =
                format!("this machine's own trail: entry {told} was told to the shared one, and isn't there any more");
            verdict.faults.push(words);
        }
        if let Some(head) = lost {
            let words = "was the last one when this machine looked, and isn't there as it was";
            verdict.faults.push(format!("entry {}: {words}", head.number));
        } else if let (true, Some(head)) = (verdict.faults.is_empty(), last) {
            files::write_whole(&path, &serde_json::to_vec(&head).unwrap_or_default())?;
        }
        Ok(verdict)
    }

    /// Number of the newest entry here that the store has; 0 before the first.
    fn told(&self) -> Result<u64, ProvisioningError> {
        Ok(files::read(&self.told_path())?.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }

    fn told_path(&self) -> PathBuf {
        self.store.folder().join("told")
    }

    pub(super) async fn tell_all(&self) -> Result<u32, SharedError> {
        let path = self.told_path();
        let entries = self.store.trail().read(self.told()?, usize::MAX)?;
        if entries.is_empty() {
            return Ok(0);
        }
        // A process that ended between telling and noting that it has told tells again.
        let there = self.shared.newest_audit(LOOK_BACK).await?;
        let mut count = 0;
        for entry in &entries {
            if !there.iter().any(|other| is_same(other, entry)) {
                let append = |previous: Option<&AuditEntry>| {
                    chain::next(previous, &self.shared.environment, entry.at, deed_of(entry))
                };
                self.shared.append_audit(&append).await?;
                count += 1;
            }
            files::write_whole(&path, entry.number.to_string().as_bytes())?;
        }
        Ok(count)
    }
}

fn deed_of(entry: &AuditEntry) -> Deed {
    Deed {
        who: entry.who.clone(),
        event: entry.event,
        emulated: entry.emulated,
        run: entry.run,
        words: entry.words.clone(),
        digests: entry.digests.clone(),
    }
}

/// Whether both tell the same: they hang in two chains, and so differ in number and hash.
fn is_same(one: &AuditEntry, other: &AuditEntry) -> bool {
    one.at == other.at && deed_of(one) == deed_of(other)
}
