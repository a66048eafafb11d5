//! The audit trail in the store: an object an entry, each made on the condition that nobody has its number.

use super::error::SharedError;
use super::layout;
use super::store::{SharedStore, json};
use crate::provisioning::audit::entry::AuditEntry;

/// Times that an entry is chained anew because others were faster.
const MOST_TRIES: u32 = 100;

impl SharedStore {
    /// Appends an entry: `make` chains it to the one before (`None` before the first), again and again where others
    /// are faster.
    pub async fn append_audit(
        &self,
        make: &(dyn Fn(Option<&AuditEntry>) -> AuditEntry + Sync),
    ) -> Result<AuditEntry, SharedError> {
        let mut last = match self.audit_numbers(0).await?.last() {
            Some(number) => self.audit_entry(*number).await?,
            None => None,
        };
        for _ in 0..MOST_TRIES {
            let entry = make(last.as_ref());
            if self.objects.create(&layout::of_audit(entry.number), &json(&entry)?).await? {
                return Ok(entry);
            }
            // Whoever was faster stands where this one would have; there may be more behind.
            last = self.audit_entry(entry.number).await?;
        }
        Err(SharedError::Conflict(format!(
            "run store {}: the audit trail is written to by many at once; try again",
            self.place()
        )))
    }

    /// At most `limit` entries after number `after`, oldest first. An entry that is damaged is an error that names it.
    pub async fn read_audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, SharedError> {
        let mut entries = Vec::new();
        for number in self.audit_numbers(after).await?.into_iter().take(limit) {
            entries.extend(self.audit_entry(number).await?);
        }
        Ok(entries)
    }

    /// Every entry from the first on, as it can be read: for whoever verifies the chain. What can't be read is why.
    pub async fn audit_entries(&self) -> Result<Vec<Result<AuditEntry, String>>, SharedError> {
        let mut entries = Vec::new();
        for number in self.audit_numbers(0).await? {
            match self.audit_entry(number).await {
                Ok(entry) => entries.extend(entry.map(Ok)),
                Err(SharedError::Damaged { reason, .. }) => entries.push(Err(reason)),
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    /// The newest `count` entries, oldest first.
    pub(super) async fn newest_audit(&self, count: usize) -> Result<Vec<AuditEntry>, SharedError> {
        let numbers = self.audit_numbers(0).await?;
        let after = numbers.len().checked_sub(count + 1).and_then(|at| numbers.get(at)).copied().unwrap_or(0);
        self.read_audit(after, count).await
    }

    async fn audit_numbers(&self, after: u64) -> Result<Vec<u64>, SharedError> {
        let objects = self.objects.list("audit").await?;
        let mut numbers: Vec<_> = objects.iter().filter_map(|(object, _)| layout::read_audit(object)).collect();
        numbers.retain(|number| *number > after);
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn audit_entry(&self, number: u64) -> Result<Option<AuditEntry>, SharedError> {
        let name = layout::of_audit(number);
        let Some((bytes, _)) = self.objects.get(&name).await? else { return Ok(None) };
        // As it was written: an entry that was made printable afterwards wouldn't fit its hash.
        let entry: AuditEntry = serde_json::from_slice(&bytes).map_err(|error| {
            self.objects.damaged(&name, format!("isn't an entry: {error}; somebody has changed it"))
        })?;
        if entry.number == number {
            return Ok(Some(entry));
        }
        Err(self.objects.damaged(&name, format!("holds entry {}; somebody has moved it", entry.number)))
    }
}
