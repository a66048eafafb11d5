//! What is kept of a plan for good, without secrets, in its run's folder.
//!
//! `outline.json` is the plan without differences. `details.jsonl` has a line for each change, then one for each change
//! behind Terraform's back, then the places of these lines, then the place of that line in a text of fixed length: so one
//! difference is read without reading all, and the file can be copied as it is.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::model::{ChangeDetail, PlanList, PlanOutline};
use super::read::PlanReading;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;

/// The plan without differences.
pub const OUTLINE: &str = "outline.json";
/// The differences.
pub const DETAILS: &str = "details.jsonl";

/// Where each line of details begins, bytes, and where the last one ends.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    changes: Vec<u64>,
    drift: Vec<u64>,
    end: u64,
}

/// Where the line with the index begins: twenty digits.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trailer {
    index_at: String,
}

/// Bytes of the last line.
const TRAILER: usize = r#"{"indexAt":"00000000000000000000"}"#.len() + 1;

/// Writes both files into `folder` (0600), the outline last.
pub fn write(folder: &Path, plan: &PlanReading) -> Result<(), ProvisioningError> {
    let path = folder.join(DETAILS);
    let mut text = Vec::new();
    let mut index = Index::default();
    for (list, places) in [(PlanList::Changes, &mut index.changes), (PlanList::Drift, &mut index.drift)] {
        for detail in plan.details(list) {
            places.push(length(&text));
            line(&path, &mut text, &detail)?;
        }
    }
    index.end = length(&text);
    let index_at = format!("{:020}", index.end);
    line(&path, &mut text, &index)?;
    line(&path, &mut text, &Trailer { index_at })?;
    files::write_whole(&path, &text)?;
    let mut outline = Vec::new();
    line(&folder.join(OUTLINE), &mut outline, &plan.outline())?;
    files::write_whole(&folder.join(OUTLINE), &outline)
}

/// The plan of the run whose folder this is, without differences. Says so where it was planned by a skydeck that kept
/// none, or isn't planned yet.
pub fn outline(folder: &Path) -> Result<PlanOutline, ProvisioningError> {
    let path = folder.join(OUTLINE);
    let text = files::read(&path)?.ok_or_else(|| missing(folder))?;
    serde_json::from_str(&text).map_err(|error| damaged(&path, &format!("isn't a plan's outline: {error}")))
}

/// At most `count` differences of a list from the place `from` on, in the list's order; none where it isn't that long.
pub fn details(
    folder: &Path,
    list: PlanList,
    from: usize,
    count: usize,
) -> Result<Vec<ChangeDetail>, ProvisioningError> {
    let path = folder.join(DETAILS);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(folder)),
        Err(error) => return Err(ProvisioningError::file(&path, &error)),
    };
    let index = index(&path, &mut file)?;
    let places = match list {
        PlanList::Changes => &index.changes,
        PlanList::Drift => &index.drift,
    };
    let to = from.saturating_add(count).min(places.len());
    let Some(begin) = places.get(from).filter(|_| from < to) else { return Ok(Vec::new()) };
    // The changes' lines end where the drift's begin.
    let behind = match list {
        PlanList::Changes => index.drift.first().copied().unwrap_or(index.end),
        PlanList::Drift => index.end,
    };
    let end = places.get(to).copied().unwrap_or(behind);
    let text = part(&path, &mut file, *begin, end)?;
    let details = serde_json::Deserializer::from_slice(&text).into_iter::<ChangeDetail>();
    let details: Vec<_> = details
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(&path, &format!("isn't a plan's differences: {error}")))?;
    let fits = details.iter().enumerate().all(|(n, detail)| detail.list == list && detail.index == from + n);
    if !fits || details.len() != to - from {
        return Err(damaged(&path, "has lines in the wrong places"));
    }
    Ok(details)
}

fn index(path: &Path, file: &mut File) -> Result<Index, ProvisioningError> {
    let whole = file.metadata().map_err(|error| ProvisioningError::file(path, &error))?.len();
    let cut_off = || damaged(path, "is cut off or changed");
    let trailer_at = whole.checked_sub(TRAILER as u64).ok_or_else(cut_off)?;
    let trailer: Trailer = serde_json::from_slice(&part(path, file, trailer_at, whole)?).map_err(|_| cut_off())?;
    let index_at = trailer.index_at.parse().map_err(|_| cut_off())?;
    let index: Index = serde_json::from_slice(&part(path, file, index_at, trailer_at)?).map_err(|_| cut_off())?;
    if index.end == index_at { Ok(index) } else { Err(cut_off()) }
}

/// The bytes from `begin` to `end`, which lie within the file.
fn part(path: &Path, file: &mut File, begin: u64, end: u64) -> Result<Vec<u8>, ProvisioningError> {
    let failed = |error: std::io::Error| ProvisioningError::file(path, &error);
    let whole = file.metadata().map_err(failed)?.len();
    let wanted = end.checked_sub(begin).filter(|_| end <= whole).and_then(|length| usize::try_from(length).ok());
    let mut text = vec![0; wanted.ok_or_else(|| damaged(path, "is cut off or changed"))?];
    file.seek(SeekFrom::Start(begin)).map_err(failed)?;
    file.read_exact(&mut text).map_err(failed)?;
    Ok(text)
}

fn line(path: &Path, text: &mut Vec<u8>, value: &impl Serialize) -> Result<(), ProvisioningError> {
    serde_json::to_writer(&mut *text, value).map_err(|error| damaged(path, &error.to_string()))?;
    text.push(b'\n');
    Ok(())
}

fn length(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn missing(folder: &Path) -> ProvisioningError {
    let number = folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let run = number.map_or_else(|| "the run".to_owned(), |number| format!("run {number}"));
    ProvisioningError::Refused(format!(
        "{run}: no plan is kept of it: it isn't planned yet, planning failed, or an older skydeck planned it; `skydeck plan` makes a new one"
    ))
}

fn damaged(path: &Path, reason: &str) -> ProvisioningError {
    ProvisioningError::Damaged { path: PathBuf::from(path), reason: reason.to_owned() }
}
