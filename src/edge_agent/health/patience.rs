//! Readings that a file which doesn't answer can't stop.
//!
//! A kernel's file may block for good: a bus that hangs, a driver that waits. So a reading runs on a thread of its own,
//! which says where it is. One that stands still is left behind, and the reading is done anew without that file, until
//! the thread comes back. No more than a few threads are ever left behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::tree::Tree;

/// How long one file may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Looks at a reading that goes on, however slowly, before it is given up.
const MAX_LOOKS: u32 = 15;
/// Threads that may be left behind.
const MAX_STUCK: usize = 4;
/// What a reading's thread needs on its stack, and more.
const STACK: usize = 512 * 1024;

/// Where a reading is.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Place>);

#[derive(Debug, Default)]
struct Place {
    /// The path that is being read.
    at: Option<PathBuf>,
    steps: u64,
    given_up: bool,
}

impl Progress {
    /// Goes to a path; `false` where the reading was given up.
    pub fn enter(&self, path: &Path) -> bool {
        let mut place = locked(&self.0);
        // One that was given up keeps the path it stood at.
        if !place.given_up {
            place.steps += 1;
            place.at = Some(path.to_owned());
        }
        !place.given_up
    }

    pub fn leave(&self) {
        let mut place = locked(&self.0);
        if !place.given_up {
            place.at = None;
        }
    }

    /// Gives the reading up if it still stands at `steps`; answers the path it stands at, or how far it has come.
    fn give_up(&self, steps: u64) -> Result<PathBuf, u64> {
        let mut place = locked(&self.0);
        match &place.at {
            Some(path) if place.steps == steps => {
                let path = path.clone();
                place.given_up = true;
                Ok(path)
            }
            _ => Err(place.steps),
        }
    }

    fn end(&self) {
        locked(&self.0).given_up = true;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does readings of the files under a root. Clones share what is stuck.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    root: PathBuf,
    patience: Duration,
    stuck: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Readers {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), patience: PATIENCE, stuck: Arc::default() }
    }

    /// Readers of which as many are stuck as may be.
    #[cfg(test)]
    pub fn stuck(root: &Path) -> Self {
        let stuck = ["/a", "/b", "/c", "/d"].map(PathBuf::from).into();
        Self { stuck: Arc::new(Mutex::new(stuck)), ..Self::new(root) }
    }

    /// Does `reading`, on a thread of its own, as often as it takes to do it without what doesn't answer. Waits for it:
    /// not to be called where others wait too. An error is in words.
    pub fn read<T: Send + 'static>(
        &self,
        reading: impl Fn(Tree<'_>) -> T + Send + Sync + 'static,
    ) -> Result<T, String> {
        let reading = Arc::new(reading);
        loop {
            let stuck = locked(&self.stuck).clone();
            if stuck.len() >= MAX_STUCK {
                let at: Vec<_> = stuck.iter().map(|path| path.display().to_string()).collect();
                return Err(format!("{} readers are stuck, at {}", stuck.len(), at.join(", ")));
            }
            if let Some(outcome) = self.try_once(&reading, stuck)? {
                return Ok(outcome);
            }
        }
    }

    /// `None` where it got stuck, and is to be done without that file.
    fn try_once<T: Send + 'static>(
        &self,
        reading: &Arc<impl Fn(Tree<'_>) -> T + Send + Sync + 'static>,
        stuck: BTreeSet<PathBuf>,
    ) -> Result<Option<T>, String> {
        let progress = Arc::new(Progress::default());
        let (done, answer) = sync_channel(1);
        let thread = {
            let (reading, progress, readers) = (Arc::clone(reading), Arc::clone(&progress), self.clone());
            move || {
                let outcome = reading(Tree::new(&readers.root, &progress, stuck));
                readers.came_back(&progress);
                // Nobody waits for one that was given up.
                drop(done.send(outcome));
            }
        };
        let builder = std::thread::Builder::new().name("health".into()).stack_size(STACK);
        builder.spawn(thread).map_err(|error| format!("no thread could be started: {error}"))?;
        let mut steps = 0;
        for _ in 0..MAX_LOOKS {
            match answer.recv_timeout(self.patience) {
                Ok(outcome) => return Ok(Some(outcome)),
                Err(RecvTimeoutError::Disconnected) => return Err("it ended by a fault of its own; see the log".into()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Marked and given up as one, so that a thread that comes back at this moment finds its mark.
            let mut stuck = locked(&self.stuck);
            match progress.give_up(steps) {
                Ok(path) => {
                    tracing::warn!(target: "agent", "{}: it doesn't answer; it is left out until it does", path.display());
                    stuck.insert(path);
                    return Ok(None);
                }
                Err(now) => steps = now,
            }
        }
        progress.end();
        Err(format!("it took longer than {} s", (self.patience * MAX_LOOKS).as_secs()))
    }

    /// A thread that was left behind has come back: what it stood at is read again.
    fn came_back(&self, progress: &Progress) {
        let mut stuck = locked(&self.stuck);
        let place = locked(&progress.0);
        if let Some(path) = place.at.as_ref().filter(|_| place.given_up)
            && stuck.remove(path)
        {
            tracing::info!(target: "agent", "{}: it answers again", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Readers with little patience in a folder with a file and FIFOs, which block until somebody writes.
    fn readers(fifos: &[&str]) -> (tempfile::TempDir, Readers) {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("fine"), "1\n").expect("written");
        for fifo in fifos {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join(fifo), mode).expect("made");
        }
        let readers = Readers { patience: Duration::from_millis(100), ..Readers::new(folder.path()) };
        (folder, readers)
    }

    /// The numbers of the files, and the notes.
    fn numbers(readers: &Readers, names: &'static [&'static str]) -> Result<(Vec<Option<f64>>, Vec<String>), String> {
        readers.read(move |tree| {
            let numbers = names.iter().map(|name| tree.number(name)).collect();
            (numbers, tree.into_notes())
        })
    }

    #[test]
    fn a_file_that_blocks_is_left_out_until_it_answers() {
        let (folder, readers) = readers(&["fifo"]);
        let left_out = "/fifo: it doesn't answer; it is left out until it does".to_owned();
        for _ in 0..2 {
            let read = numbers(&readers, &["/fifo", "/fine"]).expect("is read without it");
            assert_eq!(read, (vec![None, Some(1.0)], vec![left_out.clone()]));
            assert_eq!(locked(&readers.stuck).len(), 1, "one reader is stuck, however often it is read");
        }
        let mut fifo =
            std::fs::OpenOptions::new().write(true).open(folder.path().join("fifo")).expect("a reader is there");
        fifo.write_all(b"7\n").expect("written");
        drop(fifo);
        // The reader comes back by itself; nothing tells when.
        while !locked(&readers.stuck).is_empty() {
            std::thread::yield_now();
        }
        std::fs::remove_file(folder.path().join("fifo")).expect("removed");
        std::fs::write(folder.path().join("fifo"), "8\n").expect("written");
        assert_eq!(numbers(&readers, &["/fifo", "/fine"]), Ok((vec![Some(8.0), Some(1.0)], vec![])));
    }

    #[test]
    fn no_more_than_a_few_readers_are_ever_left_behind() {
        let (folder, readers) = readers(&["a", "b", "c", "d", "e"]);
        let error = numbers(&readers, &["/a", "/b", "/c", "/d", "/e", "/fine"]).expect_err("too many");
        let root = folder.path().display();
        assert_eq!(error, format!("4 readers are stuck, at {root}/a, {root}/b, {root}/c, {root}/d"));
        assert_eq!(locked(&readers.stuck).len(), 4);
        assert!(numbers(&readers, &["/fine"]).is_err(), "and nothing more is begun");
        for name in ["a", "b", "c", "d"] {
            drop(std::fs::OpenOptions::new().write(true).open(folder.path().join(name)).expect("a reader is there"));
        }
        while !locked(&readers.stuck).is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(numbers(&readers, &["/fine"]), Ok((vec![Some(1.0)], vec![])));
    }

    #[test]
    fn a_reading_that_fails_by_itself_is_told() {
        let (_folder, readers) = readers(&[]);
        let error = readers.read(|_| -> () { panic!("on purpose") }).expect_err("fails");
        assert_eq!(error, "it ended by a fault of its own; see the log");
    }
}
