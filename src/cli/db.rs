//! `skydeck db`: the environment's data, checked, backed up, restored.

use std::path::Path;

use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::owner::LockError;
use crate::owner::archive::{self, ArchiveError, Contents};

/// Checks every database. Ends with 1 when one has a fault.
pub fn check(context: &Context) -> Result<Exit, Failure> {
    context.embedded()?;
    let checked = archive::check(&context.folders)?;
    let output = context.output;
    let is_sound = checked.iter().all(|database| database.faults.is_empty());
    if output.json {
        let databases: Vec<_> =
            checked.iter().map(|one| json!({ "database": one.database, "faults": one.faults })).collect();
        output.json_page(&json!({ "sound": is_sound, "databases": databases }))?;
    } else {
        for one in &checked {
            let state = if one.faults.is_empty() { "sound".to_owned() } else { one.faults.join("; ") };
            output.line(&format!("{}: {state}", one.database.display()))?;
        }
    }
    if is_sound {
        return Ok(Exit::Done);
    }
    let words = "databases: at least one is damaged; put the newest backup in place with `skydeck db restore FILE`";
    Err(Failure::new(Exit::Failed, words))
}

/// Writes the data into `file`.
pub fn back_up(context: &Context, file: &Path) -> Result<Exit, Failure> {
    context.embedded()?;
    let contents = archive::back_up(&context.folders, file)?;
    if context.output.json {
        context.output.json_line(&json!({ "backup": file, "files": contents.files, "bytes": contents.bytes }))?;
    } else {
        context.output.line(&format!("{}: {}", file.display(), words(contents)))?;
    }
    Ok(Exit::Done)
}

/// Puts `file` in place of the data.
pub fn restore(context: &Context, file: &Path) -> Result<Exit, Failure> {
    context.embedded()?;
    let (contents, aside) = archive::restore(&context.folders, file)?;
    if context.output.json {
        let report = json!({ "restored": file, "files": contents.files, "bytes": contents.bytes, "aside": aside });
        context.output.json_line(&report)?;
    } else {
        let kept = aside.map(|aside| format!("; what was there is in {}", aside.display())).unwrap_or_default();
        context.output.line(&format!("{}: {} restored{kept}", file.display(), words(contents)))?;
    }
    Ok(Exit::Done)
}

fn words(contents: Contents) -> String {
    format!("{} files, {} KiB", contents.files, contents.bytes.div_ceil(1024))
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let exit = match error {
            ArchiveError::Lock(LockError::Owned { .. }) | ArchiveError::Run { .. } => Exit::Locked,
            ArchiveError::Empty { .. } => Exit::NotFound,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}
