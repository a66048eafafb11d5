//! Exports on disk: their names, and that nothing is ever overwritten.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Exportable, Format, chart, plan, table};

/// Files of one name and instant at most, before it is given up.
const MOST_COPIES: u32 = 1000;

/// Why an export wasn't written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file or its folder couldn't be written.
    #[error("export not written: {}: {cause}; {next}", path.display())]
    Write {
        /// What couldn't be written.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
        /// What to do.
        next: &'static str,
    },
    /// The content couldn't be made.
    #[error("export {name} as {format} not made: {cause}; no file was written, try another format")]
    Content {
        /// What was exported.
        name: String,
        /// The file's extension.
        format: &'static str,
        /// Why.
        cause: String,
    },
}

/// Writes `item` into `folder` as `skydeck-NAME-INSTANT.EXT` and answers the file's path. A name that is taken gets
/// `-2`, `-3`, …
pub fn write(item: &Exportable, format: Format, folder: &Path, at: Timestamp) -> Result<PathBuf, ExportError> {
    let bytes = content(item, format)?;
    let stem = format!("skydeck-{}-{}", safe_name(item.name()), at.strftime("%Y%m%dT%H%M%SZ"));
    std::fs::create_dir_all(folder).map_err(|cause| failed(folder.to_owned(), cause))?;
    write_new(folder, &stem, format.extension(), &bytes)
}

fn content(item: &Exportable, format: Format) -> Result<Vec<u8>, ExportError> {
    let made = match (item, format) {
        (Exportable::Table(rows), Format::Csv) => table::csv(rows).map_err(|error| error.to_string()),
        (Exportable::Table(rows), Format::Json) => table::json(rows).map_err(|error| error.to_string()),
        (Exportable::Chart(drawing), Format::Png) => chart::png(drawing).map_err(|error| error.to_string()),
        (Exportable::Chart(drawing), Format::Svg) => {
            chart::svg(drawing).map(String::into_bytes).map_err(|error| error.to_string())
        }
        (Exportable::Plan(report), format) => plan::text(report, format)
            .map(String::into_bytes)
            .ok_or_else(|| "a plan can be written as Markdown, HTML or JSON".to_owned()),
        (Exportable::Table(_), _) => Err("a table can be written as CSV or JSON".to_owned()),
        (Exportable::Chart(_), _) => Err("a chart can be written as PNG or SVG".to_owned()),
    };
    made.map_err(|cause| ExportError::Content { name: safe_name(item.name()), format: format.extension(), cause })
}

fn write_new(folder: &Path, stem: &str, extension: &str, bytes: &[u8]) -> Result<PathBuf, ExportError> {
    for copy in 1..=MOST_COPIES {
        let suffix = if copy == 1 { String::new() } else { format!("-{copy}") };
        let path = folder.join(format!("{stem}{suffix}.{extension}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                return match file.write_all(bytes).and_then(|()| file.sync_all()) {
                    Ok(()) => Ok(path),
                    Err(cause) => {
                        // Half a file is worse than none; if it can't be removed either, the error says its path.
                        drop(std::fs::remove_file(&path));
                        Err(failed(path, cause))
                    }
                };
            }
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(failed(path, cause)),
        }
    }
    let path = folder.join(format!("{stem}.{extension}"));
    Err(failed(path, std::io::Error::new(ErrorKind::AlreadyExists, "it and 999 copies of it exist already")))
}

fn failed(path: PathBuf, cause: std::io::Error) -> ExportError {
    let next = match cause.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "set console.export_dir to a folder you may write to"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room, or set console.export_dir to a folder on another disk"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "move it away, or set console.export_dir to a folder",
        _ => "check the folder, or set console.export_dir to another one",
    };
    ExportError::Write { path, cause, next }
}

/// Only ASCII letters, digits, `.`, `_` and `-`, 80 at most; a run of others is one `-`.
fn safe_name(name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars() {
        if safe.len() >= 80 {
            break;
        }
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            safe.push(c);
        } else if !safe.ends_with('-') {
            safe.push('-');
        }
    }
    let safe = safe.trim_matches(['-', '.']);
    if safe.is_empty() { "export".to_owned() } else { safe.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Table};
    use super::*;

    fn item(name: &str) -> Exportable {
        Exportable::Table(Table { name: name.into(), columns: vec!["a".into()], rows: vec![vec![Cell::Integer(1)]] })
    }

    fn at() -> Timestamp {
        "2016-06-09T14:05:00.5Z".parse().expect("an instant")
    }

    fn name(path: &Path) -> String {
        path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let into = folder.path().join("new");
        let first = write(&item("loads"), Format::Csv, &into, at()).expect("written");
        assert_eq!(name(&first), "skydeck-loads-20160609T140500Z.csv");
        std::fs::write(&first, "mine").expect("written");
        let second = write(&item("loads"), Format::Csv, &into, at()).expect("written");
        assert_eq!(name(&second), "skydeck-loads-20160609T140500Z-2.csv");
        assert_eq!(std::fs::read_to_string(&first).expect("read"), "mine");
        assert_eq!(std::fs::read_to_string(&second).expect("read"), "a\n1\n");
    }

    #[test]
    fn a_name_from_outside_stays_in_its_folder() {
        assert_eq!(safe_name("../../etc/\u{1b}[2Jpasswd\n"), "etc-2Jpasswd");
        assert_eq!(safe_name("telemetry-temperature"), "telemetry-temperature");
        assert_eq!(safe_name("/\u{0}"), "export");
        assert_eq!(safe_name(&"x".repeat(300)).len(), 80);
    }

    #[test]
    fn a_file_in_the_folder_s_place_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("taken");
        std::fs::write(&taken, "").expect("written");
        let error = write(&item("loads"), Format::Json, &taken, at()).expect_err("a file is in the way").to_string();
        assert!(error.contains("taken") && error.contains("console.export_dir"), "{error}");
        let wrong = write(&item("loads"), Format::Png, folder.path(), at()).expect_err("no drawing").to_string();
        assert!(wrong.contains("CSV or JSON"), "{wrong}");
    }
}
