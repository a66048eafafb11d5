//! Telling the shared trail what was done here.
//!
//! Whatever is done is written to this data folder's own trail first, and from there into the shared one, in its order.
//! How far that has come is remembered: what a crash or a dead network left untold is told with the next call.

use super::error::SharedError;
use super::sync::Sharing;
use crate::provisioning::audit::chain::{self, Deed};
use crate::provisioning::audit::entry::AuditEntry;
use crate::provisioning::files;

/// Entries of the store that are looked through for one that was told before its process ended.
const LOOK_BACK: usize = 100;

impl Sharing {
    /// Tells the shared trail what is new in the one here. Answers how many entries. [`Sharing::publish`] and
    /// [`Sharing::refresh`] do so too.
    pub async fn tell(&self) -> Result<u32, SharedError> {
        let _lock = self.lock().await?;
        self.tell_all().await
    }

    pub(super) async fn tell_all(&self) -> Result<u32, SharedError> {
        let path = self.store.folder().join("told");
        let told: u64 = files::read(&path)?.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let entries = self.store.trail().read(told, usize::MAX)?;
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
