//! The copy history as the screen holds it: the newest files first, then page after page all of them, kept up to date by
//! what has changed. What passes the filter is found once, and not with every frame.

use std::cell::{Ref, RefCell};
use std::cmp::Reverse;
use std::collections::HashSet;

use super::history;
use crate::console::filter::Filter;
use crate::owner::{LoadedFile, Request};

/// Files asked for at first: those of the first frame.
const NEWEST: usize = 500;
/// Files in a page.
const PAGE: usize = 10_000;
/// Files held at most; the oldest give way.
const MOST: usize = 100_000;

/// A file, and what the filter is held against.
#[derive(Debug)]
struct Held {
    file: LoadedFile,
    line: String,
}

/// The history.
#[derive(Debug, Default)]
pub struct Archive {
    /// Newest first.
    files: Vec<Held>,
    /// Changes that were taken; absent until the first answer.
    upto: Option<u64>,
    /// Files there are at the owner.
    total: u64,
    /// Counts what was taken: what was found before holds no longer.
    taken: u64,
    found: RefCell<Found>,
}

/// The files that pass, by their places; and of what that was found.
#[derive(Debug, Default)]
struct Found {
    of: Option<(u64, bool, String)>,
    places: Vec<usize>,
}

/// The files that pass.
pub struct Passing<'a> {
    files: &'a [Held],
    found: Ref<'a, Found>,
}

impl<'a> Passing<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.found.places.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.found.places.is_empty()
    }

    /// The file in row `row`.
    pub fn get(&self, row: usize) -> Option<&'a LoadedFile> {
        self.files.get(*self.found.places.get(row)?).map(|held| &held.file)
    }

    /// The file in row `row`, or in the last one.
    pub fn nearest(&self, row: usize) -> Option<&'a LoadedFile> {
        self.get(row.min(self.len().checked_sub(1)?))
    }

    /// All of them, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &'a LoadedFile> + '_ {
        (0..self.len()).filter_map(|row| self.get(row))
    }
}

impl Archive {
    /// What is to be asked: the newest, then what has changed since.
    pub const fn wants(&self) -> Request {
        match self.upto {
            None => Request::CopyHistory { failed_only: false, limit: NEWEST, after: None },
            Some(after) => Request::CopyHistory { failed_only: false, limit: PAGE, after: Some(after) },
        }
    }

    /// Whether there was an answer.
    pub const fn is_open(&self) -> bool {
        self.upto.is_some()
    }

    /// Files that are held.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Files that are still to come.
    pub fn missing(&self) -> u64 {
        self.total.min(MOST as u64).saturating_sub(self.files.len() as u64)
    }

    /// Takes an answer to [`Archive::wants`]; one to what was wanted before is left.
    pub fn take(&mut self, after: Option<u64>, files: &[LoadedFile], upto: u64, total: u64) {
        match (self.upto, after) {
            // The newest are in the pages too, which begin with the oldest.
            (None, None) => self.upto = Some(0),
            (Some(known), Some(after)) if known == after => self.upto = Some(upto),
            _ => return,
        }
        self.total = total;
        self.merge(files);
        if self.files.len() as u64 > total {
            // Files were forgotten there: which, isn't told.
            *self = Self { taken: self.taken + 1, ..Self::default() };
        }
    }

    fn merge(&mut self, files: &[LoadedFile]) {
        if files.is_empty() {
            return;
        }
        let ids: HashSet<u64> = files.iter().map(|file| file.id).collect();
        self.files.retain(|held| !ids.contains(&held.file.id));
        self.files.extend(files.iter().map(|file| Held { line: history::line(file), file: file.clone() }));
        self.files.sort_by_key(|held| Reverse((held.file.loaded_at, held.file.id)));
        self.files.truncate(MOST);
        self.taken += 1;
    }

    /// The files that pass `filter`: all, or those that weren't loaded whole.
    pub fn passing(&self, failed_only: bool, filter: &Filter) -> Passing<'_> {
        let is_found = |found: &Found| {
            let of = found.of.as_ref();
            of.is_some_and(|(taken, failed, text)| {
                (*taken, *failed) == (self.taken, failed_only) && text == filter.text()
            })
        };
        if !is_found(&self.found.borrow()) {
            let passes = |held: &Held| (!failed_only || history::has_failed(&held.file)) && filter.matches(&held.line);
            let places =
                self.files.iter().enumerate().filter(|(_, held)| passes(held)).map(|(place, _)| place).collect();
            let of = Some((self.taken, failed_only, filter.text().to_owned()));
            *self.found.borrow_mut() = Found { of, places };
        }
        Passing { files: &self.files, found: self.found.borrow() }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn file(id: u64, status: &str) -> LoadedFile {
        let start: Timestamp = "2026-06-01T00:00:00Z".parse().expect("a time");
        LoadedFile {
            id,
            file: format!("hub/{id}"),
            pipe: "P".into(),
            table: "T".into(),
            loaded_at: start + SignedDuration::from_secs(i64::try_from(id).expect("small")),
            status: status.into(),
            rows_parsed: 1,
            rows_loaded: 1,
            duplicates: 0,
            bytes: 1,
            first_error: None,
            first_error_line: None,
            first_error_column: None,
        }
    }

    fn names(archive: &Archive, failed_only: bool, filter: &str) -> Vec<String> {
        let filter = Filter::parse(filter).expect("an expression");
        archive.passing(failed_only, &filter).iter().map(|file| file.file.clone()).collect()
    }

    #[test]
    fn the_newest_come_first_and_then_all() {
        let mut archive = Archive::default();
        assert!(!archive.is_open());
        archive.take(None, &[file(4, "Loaded"), file(3, "Loaded")], 4, 4);
        assert_eq!((names(&archive, false, ""), archive.missing()), (vec!["hub/4".to_owned(), "hub/3".to_owned()], 2));
        assert_eq!(archive.wants(), Request::CopyHistory { failed_only: false, limit: PAGE, after: Some(0) });
        archive.take(Some(0), &[file(1, "Loaded"), file(2, "Load failed"), file(3, "Loaded")], 3, 4);
        assert_eq!(names(&archive, false, ""), ["hub/4", "hub/3", "hub/2", "hub/1"]);
        assert_eq!(names(&archive, true, ""), ["hub/2"]);
        // An answer that comes twice, or to what was asked before, changes nothing.
        archive.take(Some(0), &[file(9, "Loaded")], 9, 4);
        archive.take(None, &[file(9, "Loaded")], 9, 4);
        assert_eq!(archive.len(), 4);
        assert_eq!(archive.wants(), Request::CopyHistory { failed_only: false, limit: PAGE, after: Some(3) });
    }

    #[test]
    fn what_has_changed_takes_its_own_place_and_the_filter_sees_it() {
        let mut archive = Archive::default();
        archive.take(None, &[file(2, "Pending"), file(1, "Loaded")], 2, 2);
        archive.take(Some(0), &[file(1, "Loaded"), file(2, "Pending")], 2, 2);
        assert_eq!(names(&archive, false, "pending"), ["hub/2"]);
        archive.take(Some(2), &[file(2, "Loaded")], 3, 2);
        assert_eq!(names(&archive, false, "pending"), Vec::<String>::new());
        assert_eq!(names(&archive, false, "!pending"), ["hub/2", "hub/1"]);
    }

    #[test]
    fn what_the_owner_has_forgotten_is_asked_for_anew() {
        let mut archive = Archive::default();
        archive.take(None, &[file(2, "Loaded"), file(1, "Loaded")], 2, 2);
        archive.take(Some(0), &[], 0, 1);
        assert_eq!((archive.len(), archive.is_open()), (0, false));
    }
}
