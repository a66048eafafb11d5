//! An environment's trail on this machine: a file that is only ever appended to, and a head that tells where it ends.
//!
//! Before an entry is appended, its hash is written into the head as what comes next; after it, as what is last. A power
//! cut in between leaves either what the head says or what it announces, and nothing else does.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::{self, Deed, Link, Verdict};
use super::entry::AuditEntry;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::settings::EnvironmentName;

/// Bytes at the end of the trail in which its last entry is looked for: an entry has at most 4,000 characters of words
/// of at most six bytes each, and some digests.
const END: u64 = 256 * 1024;
/// What files that hold an unfinished entry begin with.
const TORN: &str = "unfinished-";

/// An environment's trail.
#[derive(Debug, Clone)]
pub struct Trail {
    folder: PathBuf,
    environment: EnvironmentName,
}

/// Where the trail ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Head {
    /// Number of the last entry; 0 before the first.
    number: u64,
    /// Its hash.
    hash: String,
    /// Hash of the entry that is being appended.
    next: Option<String>,
}

impl Trail {
    /// The trail of `environment` in its provisioning folder. Nothing is made.
    #[must_use]
    pub fn of(provisioning: &Path, environment: &EnvironmentName) -> Self {
        Self { folder: provisioning.join("audit"), environment: environment.clone() }
    }

    /// Where its entries are, a JSON object a line.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("trail.jsonl")
    }

    fn head_path(&self) -> PathBuf {
        self.folder.join("head.json")
    }

    /// Appends what was done, and comes back once it is on disk. Processes that append at once do so one after the other.
    /// What a power cut left unfinished is set aside before. Fails where the files can't be used.
    pub fn append(&self, deed: Deed) -> Result<AuditEntry, ProvisioningError> {
        files::make_folder(&self.folder)?;
        let _lock = self.lock()?;
        let path = self.path();
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        let mut file = File::options().read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        self.set_aside_unfinished(&mut file)?;
        let previous = self.end(&mut file)?;
        let entry = chain::follow(&previous, &self.environment, Timestamp::now(), deed);
        self.write_head(&Head { number: previous.number, hash: previous.hash, next: Some(entry.hash.clone()) })?;
        file.write_all(&line(&entry)?).and_then(|()| file.sync_data()).map_err(failed)?;
        self.write_head(&Head { number: entry.number, hash: entry.hash.clone(), next: None })?;
        Ok(entry)
    }

    /// The newest `limit` entries after number `after`, oldest first. What can't be read is left out; [`Trail::verify`]
    /// tells of it.
    pub fn read(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, ProvisioningError> {
        let text = self.text()?;
        let mut found: Vec<_> = lines(&text).0.into_iter().flatten().filter(|entry| entry.number > after).collect();
        found.drain(..found.len().saturating_sub(limit));
        Ok(found)
    }

    /// Looks whether the trail is as it was written. Fails only where its files can't be read.
    pub fn verify(&self) -> Result<Verdict, ProvisioningError> {
        // Nobody appends meanwhile. Where nothing was ever appended there is nothing to lock.
        let _lock = if self.folder.is_dir() { Some(self.lock()?) } else { None };
        let text = self.text()?;
        let (entries, rest) = lines(&text);
        let end = entries.iter().flatten().last().map_or_else(Link::start, Link::from);
        let mut verdict = chain::verify_chain(entries, &self.environment);
        if !rest.is_empty() {
            verdict.notes.push(format!(
                "{} bytes of an unfinished entry stand after entry {}; the next entry sets them aside",
                rest.len(),
                end.number
            ));
        }
        verdict.faults.extend(self.end_fault(&end)?);
        verdict.notes.extend(self.set_aside()?);
        Ok(verdict)
    }

    /// What is wrong with where the trail ends, by its head.
    fn end_fault(&self, end: &Link) -> Result<Option<String>, ProvisioningError> {
        let head = match self.head()? {
            Some(Ok(head)) => head,
            Some(Err(())) => {
                return Ok(Some(format!("after entry {}: the head can't be understood, it was changed", end.number)));
            }
            None if end.number == 0 => return Ok(None),
            None => {
                return Ok(Some(format!(
                    "after entry {}: the head is gone, so that nobody can tell whether entries were cut off",
                    end.number
                )));
            }
        };
        if (head.number, &head.hash) == (end.number, &end.hash) {
            return Ok(None);
        }
        if head.number.checked_add(1) == Some(end.number) && head.next.as_ref() == Some(&end.hash) {
            return Ok(None);
        }
        Ok(Some(if end.number < head.number {
            format!("entry {}: was the last one and is cut off; the trail ends with entry {}", head.number, end.number)
        } else if end.number > head.number {
            format!("entry {}: stands after the last one that was written, entry {}", end.number, head.number)
        } else {
            format!("entry {}: isn't the last one that was written, it was put in its place", end.number)
        }))
    }

    /// Files with what was set aside, in words.
    fn set_aside(&self) -> Result<Vec<String>, ProvisioningError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ProvisioningError::file(&self.folder, &error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<_> = names.filter(|name| name.starts_with(TORN)).collect();
        found.sort();
        Ok(found.iter().map(|name| format!("an unfinished entry was set aside in {name}")).collect())
    }

    fn text(&self) -> Result<Vec<u8>, ProvisioningError> {
        match std::fs::read(self.path()) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(ProvisioningError::file(&self.path(), &error)),
        }
    }

    /// Held by whoever appends or verifies; never for long.
    fn lock(&self) -> Result<File, ProvisioningError> {
        let path = self.folder.join("lock");
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        let file = files::open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    /// `Some(Err)` is one that can't be understood.
    fn head(&self) -> Result<Option<Result<Head, ()>>, ProvisioningError> {
        Ok(files::read(&self.head_path())?.map(|text| serde_json::from_str(&text).map_err(|_| ())))
    }

    fn write_head(&self, head: &Head) -> Result<(), ProvisioningError> {
        let path = self.head_path();
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        let text = serde_json::to_vec(head).map_err(|error| failed(error.into()))?;
        files::write_whole(&path, &text)?;
        // That the file was put in its place must be on disk too, before what it announces is.
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Bytes after the last line break are what a power cut left of an entry: they go into a file of their own.
    fn set_aside_unfinished(&self, file: &mut File) -> Result<(), ProvisioningError> {
        let path = self.path();
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        let (start, end) = read_end(file).map_err(failed)?;
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let rest = &end[whole..];
        if rest.is_empty() {
            return Ok(());
        }
        if whole == 0 && start > 0 {
            let reason = format!("its last {END} bytes hold no entry");
            return Err(ProvisioningError::Damaged { path, reason });
        }
        let length = start + whole as u64;
        // By its place and content: a second power cut while it is set aside makes no second file.
        let name = format!("{TORN}{length}-{}", &crate::provisioning::approval::digest::of_bytes(rest)[..8]);
        files::write_whole(&self.folder.join(&name), rest)?;
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
        tracing::warn!(target: "provisioning", "audit trail: an unfinished entry was set aside in {name}");
        Ok(())
    }

    /// What the next entry follows on. Where entries are cut off that is what the head says, so that the gap stays to be
    /// seen for good.
    fn end(&self, file: &mut File) -> Result<Link, ProvisioningError> {
        let path = self.path();
        let (_, end) = read_end(file).map_err(|error| ProvisioningError::file(&path, &error))?;
        let last = end.split(|byte| *byte == b'\n').rev().find(|line| !line.is_empty());
        let entry: Option<AuditEntry> = last.and_then(|line| serde_json::from_slice(line).ok());
        match self.head()? {
            Some(Ok(head)) => {
                let announced = entry.as_ref().filter(|entry| {
                    head.number.checked_add(1) == Some(entry.number) && head.next.as_ref() == Some(&entry.hash)
                });
                Ok(announced.map_or(Link { number: head.number, hash: head.hash }, Link::from))
            }
            _ => match (last, entry) {
                (_, Some(entry)) => Ok(Link::from(&entry)),
                (None, None) => Ok(Link::start()),
                (Some(_), None) => {
                    let reason =
                        "its last entry can't be understood and its head is gone; `skydeck audit verify` tells more";
                    Err(ProvisioningError::Damaged { path, reason: reason.to_owned() })
                }
            },
        }
    }
}

/// The last bytes of `file`, at most [`END`], and where they begin.
fn read_end(file: &mut File) -> std::io::Result<(u64, Vec<u8>)> {
    let start = file.metadata()?.len().saturating_sub(END);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok((start, end))
}

/// An entry as it stands in the trail.
fn line(entry: &AuditEntry) -> Result<Vec<u8>, ProvisioningError> {
    let mut line = serde_json::to_vec(entry)
        .map_err(|error| ProvisioningError::Refused(format!("audit entry {}: {error}; try again", entry.number)))?;
    line.push(b'\n');
    Ok(line)
}

/// The entries in `text`, and what stands after the last line break. An entry that isn't byte for byte as it was written
/// can't be understood: there is one text for each.
fn lines(text: &[u8]) -> (Vec<Result<AuditEntry, String>>, &[u8]) {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let (text, rest) = text.split_at(whole);
    let entries = text.split_inclusive(|byte| *byte == b'\n').map(|text| {
        let entry: AuditEntry =
            serde_json::from_slice(text).map_err(|_| "can't be understood, it was changed".to_owned())?;
        match line(&entry) {
            Ok(written) if written == text => Ok(entry),
            _ => Err("isn't as it was written, it was changed".to_owned()),
        }
    });
    (entries.collect(), rest)
}
