//! Where an owner's log goes: its ring in memory, a file in the state folder, standard error with `-v`. Its filter can
//! be changed while it runs.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, reload};

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::owner::LogBuffer;

/// Size at which the file is put aside as `owner.log.1`, bytes; with it, logs take twice that at most.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Starts the log of this process, which goes into the file `name`. `to_stderr` is for a headless owner with `-v`; a
/// console has the terminal for itself.
pub fn start(context: &Context, name: &str, to_stderr: bool) -> Result<LogBuffer, Failure> {
    let path = context.folders.state.join(name);
    let file = LogFile::open(&path).map_err(|error| {
        Failure::new(Exit::Failed, format!("{}: {error}; check its permissions and the free space", path.display()))
    })?;
    let buffer = LogBuffer::new();
    buffer.written_to(std::path::absolute(&path).unwrap_or(path));
    let (filter, handle) = reload::Layer::new(EnvFilter::builder().parse_lossy(&context.loaded.settings.log.filter));
    buffer.filtered_by(move |text| {
        let filter = EnvFilter::builder().parse(text).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    });
    // On a full disk a failed write would be told on standard error: over a console's screen, and by a panic where that is
    // a file on the same disk. The line is in the buffer then.
    let to_file = tracing_subscriber::fmt::layer().with_ansi(false).log_internal_errors(false).with_writer(file);
    let stderr = to_stderr.then(|| {
        let to_stderr = tracing_subscriber::fmt::layer().with_ansi(false).log_internal_errors(false);
        to_stderr.with_writer(io::stderr).boxed()
    });
    let layers = tracing_subscriber::registry().with(filter).with(buffer.layer()).with(to_file).with(stderr);
    // A second start in one process (a test's) keeps the first one's log.
    drop(layers.try_init());
    Ok(buffer)
}

/// The log file; clones share it.
#[derive(Debug, Clone)]
struct LogFile(Arc<Mutex<OpenFile>>);

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(OpenFile::open(path)?))))
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.append(true).create(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let mut aside = self.path.as_os_str().to_owned();
        aside.push(".1");
        std::fs::rename(&self.path, aside)?;
        *self = Self::open(&self.path)?;
        Ok(())
    }
}

impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes >= MAX_BYTES {
            open.turn_over()?;
        }
        open.file.write_all(line)?;
        open.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).file.flush()
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_the_log_goes_on() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("owner.log");
        let file = LogFile::open(&path).expect("opens");
        let line = vec![b'x'; 1024 * 1024];
        for _ in 0..9 {
            (&file).write_all(&line).expect("written");
        }
        assert_eq!(std::fs::metadata(&path).expect("there").len(), 1024 * 1024);
        assert_eq!(std::fs::metadata(folder.path().join("owner.log.1")).expect("there").len(), MAX_BYTES);
    }
}
