//! A run's log: one JSON object a line, appended.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::run::{LogLevel, Phase, RunLogLine};
use crate::provisioning::terraform::mask::Masks;

/// Characters that are kept of a line.
const WIDTH: usize = 4096;

/// Where a run's log is.
#[must_use]
pub fn path(run_folder: &Path) -> PathBuf {
    run_folder.join("log.jsonl")
}

/// Writes a run's log.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    file: File,
    last: u64,
}

impl LogWriter {
    /// Opens or makes the log in `run_folder`; lines go on where it ended.
    pub fn open(run_folder: &Path) -> Result<Self, ProvisioningError> {
        let path = path(run_folder);
        let last = last_line(&path)?;
        let file = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| ProvisioningError::file(&path, &error))?;
        Ok(Self { path, file, last })
    }

    /// Appends each line of `text`, which is printable and without secrets.
    pub fn append(&mut self, phase: Phase, level: LogLevel, text: &str) -> Result<(), ProvisioningError> {
        let at = Timestamp::now();
        let mut lines = Vec::new();
        for text in text.lines().filter(|line| !line.trim().is_empty()) {
            self.last += 1;
            let text = if text.chars().count() > WIDTH {
                text.chars().take(WIDTH).chain(['…']).collect()
            } else {
                text.trim_end().to_owned()
            };
            let line = RunLogLine { number: self.last, at, phase, level, text };
            serde_json::to_writer(&mut lines, &line).map_err(|error| self.failed(&error.into()))?;
            lines.push(b'\n');
        }
        self.file.write_all(&lines).map_err(|error| self.failed(&error))
    }

    /// Masks what was written before these secrets were known.
    pub fn mask(&mut self, masks: &Masks) -> Result<(), ProvisioningError> {
        let lines = read(&self.path, 0, usize::MAX)?;
        let masked: Vec<_> =
            lines.iter().map(|line| RunLogLine { text: masks.apply(&line.text), ..line.clone() }).collect();
        if masked == lines {
            return Ok(());
        }
        let mut text = Vec::new();
        for line in &masked {
            serde_json::to_writer(&mut text, line).map_err(|error| self.failed(&error.into()))?;
            text.push(b'\n');
        }
        files::write_whole(&self.path, &text)?;
        self.file = File::options().append(true).open(&self.path).map_err(|error| self.failed(&error))?;
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> ProvisioningError {
        ProvisioningError::file(&self.path, error)
    }
}

/// The newest `limit` lines after number `after`, oldest first. A line that is being written isn't there yet.
pub fn read(path: &Path, after: u64, limit: usize) -> Result<Vec<RunLogLine>, ProvisioningError> {
    let mut found = std::collections::VecDeque::new();
    for line in lines(path, after)? {
        if found.len() == limit {
            found.pop_front();
        }
        found.push_back(line?);
    }
    found.truncate(limit);
    Ok(found.into())
}

/// The oldest `limit` lines after number `after`, oldest first. A line that is being written isn't there yet.
pub fn page(path: &Path, after: u64, limit: usize) -> Result<Vec<RunLogLine>, ProvisioningError> {
    lines(path, after)?.take(limit).collect()
}

/// The lines after a number, oldest first; none where there is no file.
fn lines(
    path: &Path,
    after: u64,
) -> Result<impl Iterator<Item = Result<RunLogLine, ProvisioningError>> + '_, ProvisioningError> {
    let file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(ProvisioningError::file(path, &error)),
    };
    let lines = file.into_iter().flat_map(|file| BufReader::new(file).split(b'\n'));
    Ok(lines.filter_map(move |line| match line {
        Ok(line) => serde_json::from_slice::<RunLogLine>(&line).ok().filter(|line| line.number > after).map(Ok),
        Err(error) => Some(Err(ProvisioningError::file(path, &error))),
    }))
}

/// Number of the last line; 0 before the first. Reads the file's end only.
pub fn last_line(path: &Path) -> Result<u64, ProvisioningError> {
    let failed = |error: std::io::Error| ProvisioningError::file(path, &error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    // A line has at most WIDTH characters of at most six bytes each (as JSON escapes them), and its frame.
    let window = (WIDTH as u64 + 1) * 6 * 2;
    let length = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(window))).map_err(failed)?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).map_err(failed)?;
    let mut lines = end.rsplit(|byte| *byte == b'\n');
    Ok(lines.find_map(|line| serde_json::from_slice::<RunLogLine>(line).ok()).map_or(0, |line| line.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_on_and_read_from_anywhere() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut log = LogWriter::open(folder.path()).expect("opens");
        log.append(Phase::Planning, LogLevel::Info, "one\ntwo\n\n").expect("written");
        drop(log);
        let mut log = LogWriter::open(folder.path()).expect("opens again");
        log.append(Phase::Applying, LogLevel::Error, &format!("three with s3cret\n{}", "x".repeat(5000)))
            .expect("written");
        let path = path(folder.path());
        assert_eq!(last_line(&path).expect("read"), 4);
        let texts = |after, limit| {
            read(&path, after, limit).expect("read").into_iter().map(|line| line.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(0, 2)[0], "three with s3cret");
        assert_eq!(texts(1, 1)[0].chars().count(), 4097);
        let page = |after| page(&path, after, 2).expect("read").into_iter().map(|line| line.number).collect::<Vec<_>>();
        assert_eq!((page(0), page(2), page(4)), (vec![1, 2], vec![3, 4], vec![]));
        assert_eq!(texts(0, 10)[..2], ["one", "two"]);
        assert!(texts(4, 10).is_empty() && texts(0, 0).is_empty());

        let mut masks = Masks::default();
        masks.add("s3cret");
        log.mask(&masks).expect("masked");
        log.append(Phase::Applying, LogLevel::Info, "five").expect("written");
        assert_eq!(texts(2, 10)[0], "three with (sensitive)");
        assert_eq!(texts(4, 10), ["five"]);
    }

    #[test]
    fn a_log_that_is_not_there_is_empty() {
        let path = Path::new("/no/log.jsonl");
        assert_eq!(last_line(path).expect("none"), 0);
        assert!(read(path, 0, 10).expect("none").is_empty());
    }
}
