//! Who holds the state lock: from `.terraform.tfstate.lock.info`, or from the words of a call that was refused.

use std::path::Path;

use jiff::Timestamp;
use rustix::process::{Flock, FlockOffsetType, FlockType, Pid};
use serde::Deserialize;

use crate::provisioning::run::Diagnostic;
use crate::provisioning::status::LockHolder;
use crate::station::text::printable;

/// Terraform's own file beside a local state.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    operation: String,
    created: Option<String>,
}

/// A local state's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalLock {
    /// Who holds it.
    pub holder: LockHolder,
    /// The process that does, where it can be told.
    pub pid: Option<u32>,
}

/// Reads the content of `.terraform.tfstate.lock.info`; `None` where it isn't that.
#[must_use]
pub fn from_info(text: &str) -> Option<LockHolder> {
    let info: Info = serde_json::from_str(text).ok()?;
    Some(LockHolder {
        id: printable(&info.id),
        who: printable(&info.who),
        operation: printable(&info.operation),
        since: info.created.as_deref().and_then(|time| time.parse().ok()),
        by_live_run: None,
    })
}

/// Reads the words of "Error acquiring the state lock"; `None` where `diagnostic` isn't that.
#[must_use]
pub fn from_diagnostic(diagnostic: &Diagnostic) -> Option<LockHolder> {
    if !diagnostic.summary.contains("acquiring the state lock") {
        return None;
    }
    let field = |name: &str| {
        diagnostic.detail.lines().find_map(|line| {
            let (found, value) = line.trim().split_once(':')?;
            (found == name).then(|| value.trim().to_owned())
        })
    };
    Some(LockHolder {
        id: field("ID")?,
        who: field("Who").unwrap_or_default(),
        operation: field("Operation").unwrap_or_default(),
        since: field("Created").as_deref().and_then(go_time),
        by_live_run: None,
    })
}

/// Who holds the lock of the local state at `state`. A file that a killed Terraform has left behind holds nothing:
/// the lock is the system's, and ends with its process.
#[must_use]
pub fn of_local_state(state: &Path) -> Option<LocalLock> {
    let file = std::fs::File::open(state).ok()?;
    let asked = Flock { start: 0, length: 0, pid: None, typ: FlockType::WriteLock, offset_type: FlockOffsetType::Set };
    let held = rustix::process::fcntl_getlk(&file, &asked).ok()??;
    let info = std::fs::read_to_string(state.with_file_name(info_name(state))).ok();
    let pid = held.pid.map(Pid::as_raw_nonzero).and_then(|pid| u32::try_from(pid.get()).ok());
    let holder = info.as_deref().and_then(from_info).unwrap_or_else(|| LockHolder {
        id: String::new(),
        who: pid.map(|pid| format!("process {pid}")).unwrap_or_default(),
        operation: String::new(),
        since: None,
        by_live_run: None,
    });
    Some(LocalLock { holder, pid })
}

/// Blocks until nobody holds the lock of the local state at `state`.
pub fn wait_for_local(state: &Path) -> std::io::Result<()> {
    let file = std::fs::File::open(state)?;
    // Taken for a moment, and let go of with the file.
    Ok(rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockShared)?)
}

fn info_name(state: &Path) -> String {
    format!(".{}.lock.info", state.file_name().unwrap_or_default().to_string_lossy())
}

/// Go's way to write a time: `2026-11-24 00:19:17.126917434 +0000 UTC`.
fn go_time(text: &str) -> Option<Timestamp> {
    let mut parts = text.split(' ');
    let (date, time, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let (hours, minutes) = offset.split_at_checked(3)?;
    format!("{date}T{time}{hours}:{minutes}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_says_who_holds_the_lock() {
        let diagnostic = Diagnostic {
            error: true,
            summary: "Error acquiring the state lock".into(),
            detail: "Error message: resource temporarily unavailable\nLock Info:\n  ID:        cace477d-947d\n  Path:      terraform.tfstate\n  Operation: OperationTypeApply\n  Who:       root@vm\n  Version:   1.11.4\n  Created:   2026-11-24 00:19:17.126917434 +0000 UTC\n  Info:      \n".into(),
            address: None,
            place: None,
        };
        let holder = from_diagnostic(&diagnostic).expect("a holder");
        assert_eq!((holder.id.as_str(), holder.who.as_str()), ("cace477d-947d", "root@vm"));
        assert_eq!(holder.operation, "OperationTypeApply");
        assert_eq!(holder.since, Some("2026-11-24T00:19:17.126917434Z".parse().expect("a time")));
        assert_eq!(from_diagnostic(&Diagnostic { summary: "Something else".into(), ..diagnostic }), None);
    }

    #[test]
    fn the_lock_file_says_the_same() {
        let text = r#"{"ID":"cace477d-947d","Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-24T00:19:17.126917434Z","Path":"terraform.tfstate"}"#;
        let holder = from_info(text).expect("a holder");
        assert_eq!(holder.who, "root@vm");
        assert_eq!(holder.since, Some("2026-11-24T00:19:17.126917434Z".parse().expect("a time")));
        assert_eq!(from_info("{"), None);
    }

    #[test]
    fn a_file_left_behind_holds_nothing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let state = folder.path().join("terraform.tfstate");
        std::fs::write(&state, "{}").expect("written");
        std::fs::write(folder.path().join(".terraform.tfstate.lock.info"), r#"{"ID":"x"}"#).expect("written");
        assert_eq!(of_local_state(&state), None);
        assert_eq!(of_local_state(&folder.path().join("none")), None);
    }
}
