//! Recorded trees, unpacked: their form is in `tests/fixtures/jetson/trees/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An unpacked tree.
pub struct Unpacked {
    pub folder: tempfile::TempDir,
    pub faults: BTreeMap<String, i32>,
    later: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    path: String,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Text(String),
    Link(String),
    Folder,
    Fault(i32),
}

impl Unpacked {
    /// Unpacks the tree called `name`.
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/jetson/trees/{name}.tree"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (first, later) = text.split_once("later:\n").unwrap_or((&text, ""));
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut unpacked = Self { folder, faults: BTreeMap::new(), later: entries(later) };
        entries(first).iter().for_each(|entry| unpacked.write(entry));
        unpacked
    }

    /// Turns it into what it is at the second reading.
    pub fn go_on(&mut self) {
        std::mem::take(&mut self.later).iter().for_each(|entry| self.write(entry));
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_matches('/'))
    }

    fn write(&mut self, entry: &Entry) {
        let at = self.at(&entry.path);
        let parent = at.parent().expect("below the root");
        std::fs::create_dir_all(parent).expect("made");
        match &entry.what {
            What::Text(text) => std::fs::write(&at, text).expect("written"),
            What::Link(target) => std::os::unix::fs::symlink(target, &at).expect("linked"),
            What::Folder => std::fs::create_dir_all(&at).expect("made"),
            What::Fault(number) => {
                std::fs::write(&at, "").expect("written");
                self.faults.insert(entry.path.clone(), *number);
            }
        }
    }
}

fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(text) = line.strip_prefix('|') {
            let What::Text(lines) = &mut entries.last_mut().expect("a path stands before").what else {
                panic!("{line}: its path isn't a file's")
            };
            lines.push_str(&format!("{}\n", text.strip_prefix(' ').unwrap_or(text)));
            continue;
        }
        let (path, what) = if let Some((path, target)) = line.split_once(" -> ") {
            (path, What::Link(target.to_owned()))
        } else if let Some((path, number)) = line.split_once(" ! ") {
            (path, What::Fault(number.parse().expect("an error's number")))
        } else if let Some((path, text)) = line.split_once(" =") {
            let text = text.trim_start().replace("\\0", "\0").replace("\\n", "\n").replace("\\x1b", "\u{1b}");
            (path, What::Text(format!("{text}\n")))
        } else if let Some(path) = line.strip_suffix('/') {
            (path, What::Folder)
        } else {
            (line, What::Text(String::new()))
        };
        entries.extend(numbered(path).map(|path| Entry { path, what: what.clone() }));
    }
    entries
}

/// `/a{0-3}/b` as four paths.
fn numbered(path: &str) -> impl Iterator<Item = String> {
    let (before, (range, after)) = match path.split_once('{') {
        Some((before, rest)) => (before, rest.split_once('}').expect("a range ends")),
        None => (path, ("", "")),
    };
    let range = range.split_once('-').map(|(from, to)| {
        let number = |text: &str| text.parse::<u32>().expect("a number");
        number(from)..=number(to)
    });
    let (before, after) = (before.to_owned(), after.to_owned());
    let numbers: Vec<String> =
        range.map_or_else(|| vec![String::new()], |range| range.map(|n| n.to_string()).collect());
    numbers.into_iter().map(move |number| format!("{before}{number}{after}"))
}
