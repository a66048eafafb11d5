//! A disk that can be full and forgets what wasn't synced: [`disk.c`](disk.c) between the processes and the system.
//!
//! What it can't show: names of files (made, renamed, removed) are taken as durable at once.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use rand::Rng;

/// Bytes of a record before its old bytes.
const HEAD: usize = 56;
/// A write may be torn between sectors.
const SECTOR: u64 = 512;

/// The library, built once; an error says what is missing.
fn library() -> Result<&'static Path, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("disk-{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/disk.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let flags = ["-Wall", "-Wextra", "-O1", "-shared", "-fPIC", "-o"];
        match Command::new(&compiler).args(flags).arg(&library).arg(source).args(["-ldl", "-lpthread"]).status() {
            Ok(status) if status.success() => Ok(library),
            Ok(status) => Err(format!("{compiler} ended with {status}")),
            Err(error) => Err(format!("{compiler}: {error}; install a C compiler")),
        }
    });
    built.as_deref().map_err(Clone::clone)
}

/// What keeps there from being such a disk here.
pub fn missing() -> Option<String> {
    library().err()
}

/// A disk.
pub struct Disk {
    folder: PathBuf,
    under: PathBuf,
}

impl Disk {
    /// A disk for files below `under`, with what it notes in `folder`.
    pub fn new(folder: PathBuf, under: &Path) -> Result<Self, String> {
        library()?;
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        Ok(Self { folder, under: under.to_owned() })
    }

    /// Puts a process on it.
    pub fn carry(&self, command: &mut Command) {
        if let Ok(library) = library() {
            command.env("LD_PRELOAD", library);
            command.env("SKYDECK_DISK", &self.folder).env("SKYDECK_DISK_UNDER", &self.under);
        }
    }

    pub fn set_full(&self, full: bool) {
        let file = self.folder.join("full");
        if full {
            std::fs::write(file, "").expect("written");
        } else {
            std::fs::remove_file(file).expect("was full");
        }
    }

    /// Takes from the files of a killed process what it hadn't synced, in part or whole. Answers how many writes went.
    pub fn forget(&self, pid: u32, random: &mut impl Rng) -> usize {
        let journal = self.folder.join(format!("journal.{pid}"));
        // A process that wrote nothing has none.
        let Ok(mut file) = File::open(&journal) else { return 0 };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("reads");
        let paths = files_below(&self.under);
        let mut gone = 0;
        for (identity, writes) in unsynced(&bytes) {
            // A file that isn't there any more has nothing to lose.
            let Some(path) = paths.get(&identity) else { continue };
            let file = OpenOptions::new().write(true).open(path).expect("opens");
            let kept = random.random_range(0..=writes.len());
            for write in writes[kept..].iter().rev() {
                write.undo(&file, 0);
            }
            gone += writes.len() - kept;
            if let Some(last) = writes[..kept].last()
                && last.length > SECTOR
                && random.random_bool(0.5)
            {
                last.undo(&file, random.random_range(0..last.length / SECTOR) * SECTOR);
                gone += 1;
            }
        }
        std::fs::remove_file(journal).expect("removed");
        gone
    }
}

/// A file for good: inodes are used again, times of birth are not.
type Identity = (u64, u64);

struct Write {
    sequence: u64,
    is_length: bool,
    offset: u64,
    length: u64,
    old_size: u64,
    old: Vec<u8>,
}

impl Write {
    /// Brings back what was there before it, from its byte `from` on.
    fn undo(&self, file: &File, from: u64) {
        if self.is_length {
            return file.set_len(self.old_size).expect("cut");
        }
        if let Some(old) = self.old.get(usize::try_from(from).expect("small")..) {
            file.write_all_at(old, self.offset + from).expect("written");
        }
        let size = file.metadata().expect("known").len();
        let end = self.offset + self.length;
        // What it added at the file's end goes, down to where it is torn.
        if size == end && end > self.old_size {
            file.set_len(self.old_size.max(self.offset + from)).expect("cut");
        }
    }
}

/// Of each file the writes after what was last synced, in order. A record that is cut short never came to be a write.
fn unsynced(journal: &[u8]) -> BTreeMap<Identity, Vec<Write>> {
    let mut pending: BTreeMap<Identity, Vec<Write>> = BTreeMap::new();
    let mut rest = journal;
    while rest.len() >= HEAD {
        let short = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_ne_bytes(rest[at..at + 8].try_into().expect("eight bytes"));
        let (kind, length, old_length) = (short(0), short(4), short(8) as usize);
        let (sequence, identity) = (long(16), (long(24), long(32)));
        let (offset, old_size) = (long(40), long(48));
        let Some(old) = rest.get(HEAD..HEAD + old_length) else { break };
        let writes = pending.entry(identity).or_default();
        if kind == 2 {
            writes.retain(|write| write.sequence > sequence);
        } else {
            let length = u64::from(length);
            writes.push(Write { sequence, is_length: kind == 3, offset, length, old_size, old: old.to_vec() });
        }
        rest = &rest[HEAD + old_length..];
    }
    pending.retain(|_, writes| !writes.is_empty());
    pending
}

fn files_below(folder: &Path) -> BTreeMap<Identity, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("lists").map(|entry| entry.expect("listed")) {
            let about = entry.metadata().expect("known");
            if about.is_dir() {
                folders.push(entry.path());
            } else if about.is_file() {
                let born = about.created().ok().and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
                let born = born.map_or(0, |born| u64::try_from(born.as_nanos()).expect("before 2554"));
                found.insert((about.ino(), born), entry.path());
            }
        }
    }
    found
}

/// Held against a program that syncs one write and not the next.
#[test]
fn a_power_cut_takes_what_was_not_synced_and_nothing_else() {
    use rand::SeedableRng as _;
    let place = tempfile::tempdir().expect("temporary folder");
    let under = place.path().join("files");
    std::fs::create_dir(&under).expect("made");
    let disk = match Disk::new(place.path().join("disk"), &under) {
        Ok(disk) => disk,
        Err(words) => {
            assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "skipped: {words}");
            return eprintln!("skipped: {words}");
        }
    };
    // dd syncs what it wrote with conv=fsync, and cat doesn't.
    let file = under.join("file");
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&under);
        disk.carry(&mut command);
        let mut child = command.spawn().expect("starts");
        (child.id(), child.wait().expect("ends").success())
    };
    let mut shortest = usize::MAX;
    for seed in 0..20 {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        std::fs::write(&file, "").expect("written");
        assert!(shell("exec dd if=/dev/zero of=file bs=4096 count=1 conv=notrunc,fsync status=none").1);
        let (pid, done) = shell("exec dd if=/dev/urandom of=file bs=2048 count=4 seek=1 conv=notrunc status=none");
        assert!(done);
        disk.forget(pid, &mut random);
        let left = std::fs::read(&file).expect("reads");
        assert!(left.len() >= 4096 && left[..2048] == [0; 2048], "what was synced is there");
        assert!(left.len().is_multiple_of(512), "{}", left.len());
        shortest = shortest.min(left.len());
    }
    assert_eq!(shortest, 4096, "everything that wasn't synced can go");
    disk.set_full(true);
    assert!(!shell("exec dd if=/dev/zero of=more bs=512 count=1 status=none 2> /dev/null").1);
    assert!(shell("exec dd if=/dev/zero of=file bs=512 count=1 conv=notrunc status=none").1, "in place there is room");
    disk.set_full(false);
    assert!(shell("exec dd if=/dev/zero of=more bs=512 count=1 status=none").1);
}
