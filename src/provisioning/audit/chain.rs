//! How entries hang together: each holds the hash of the one before. Pure, so that a file and a shared store chain alike.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::entry::{AuditEntry, AuditEvent};
use crate::provisioning::approval::digest;
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// What stands in place of a hash before the first entry.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Characters that are kept of the words.
const WORDS: usize = 4000;
/// Characters that are kept of a name, a digest's name and a digest.
const NAME: usize = 200;

/// What was done, as whoever did it tells it. Secrets are masked already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Who, as `user@host`, or the signer's name among the approvers.
    pub who: String,
    /// What.
    pub event: AuditEvent,
    /// Whether nothing real was touched.
    pub emulated: bool,
    /// The run it is about.
    pub run: Option<u32>,
    /// The rest, in words; 4000 characters are kept.
    pub words: String,
    /// Digests that pin down what it was about, by name.
    pub digests: BTreeMap<String, String>,
}

/// What the next entry hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Number of the entry before; 0 before the first.
    pub number: u64,
    /// Its hash; 64 zeros before the first.
    pub hash: String,
}

impl Link {
    /// What the first entry hangs on.
    #[must_use]
    pub fn start() -> Self {
        Self { number: 0, hash: NOTHING.to_owned() }
    }
}

impl From<&AuditEntry> for Link {
    fn from(entry: &AuditEntry) -> Self {
        Self { number: entry.number, hash: entry.hash.clone() }
    }
}

/// Whether a trail is as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Entries in it that can be read.
    pub entries: u64,
    /// What is wrong with it, in its order, each naming an entry; empty where it is as it was written.
    pub faults: Vec<String>,
    /// What is worth knowing and no fault: unfinished entries that were set aside.
    pub notes: Vec<String>,
    /// Hash of the last entry: who wrote it down elsewhere finds out when the whole trail is written anew.
    pub head: Option<String>,
}

/// The entry that follows on `previous` (`None` before the first), made printable and with its hash.
#[must_use]
pub fn next(previous: Option<&AuditEntry>, environment: &EnvironmentName, at: Timestamp, deed: Deed) -> AuditEntry {
    follow(&previous.map_or_else(Link::start, Link::from), environment, at, deed)
}

/// As [`next`], where only number and hash of the entry before are known.
#[must_use]
pub fn follow(previous: &Link, environment: &EnvironmentName, at: Timestamp, deed: Deed) -> AuditEntry {
    let digests = deed.digests.iter().map(|(name, digest)| (kept(name, NAME), kept(digest, NAME))).collect();
    let mut entry = AuditEntry {
        number: previous.number.saturating_add(1),
        at,
        who: kept(&deed.who, NAME),
        event: deed.event,
        environment: environment.clone(),
        emulated: deed.emulated,
        run: deed.run,
        words: kept(&deed.words, WORDS),
        digests,
        previous: previous.hash.clone(),
        hash: String::new(),
    };
    entry.hash = hash(&entry);
    entry
}

/// The hash that `entry` should have: SHA-256, lower-case hex, over its JSON without `hash`, keys sorted, no blanks.
#[must_use]
pub fn hash(entry: &AuditEntry) -> String {
    let sorted: BTreeMap<String, Value> = match serde_json::to_value(entry) {
        Ok(Value::Object(fields)) => fields.into_iter().filter(|(name, _)| name != "hash").collect(),
        // An entry is an object.
        _ => BTreeMap::new(),
    };
    digest::of_bytes(&serde_json::to_vec(&sorted).unwrap_or_default())
}

/// The one text of `entry`: its JSON without blanks.
#[must_use]
pub fn write(entry: &AuditEntry) -> Vec<u8> {
    // An entry is an object of texts and numbers: there is nothing in it that can't be written.
    serde_json::to_vec(entry).unwrap_or_default()
}

/// The entry in `text`. Fails where it isn't byte for byte as [`write`] writes it.
pub fn read(text: &[u8]) -> Result<AuditEntry, String> {
    let entry: AuditEntry =
        serde_json::from_slice(text).map_err(|_| "can't be understood, it was changed".to_owned())?;
    if write(&entry) == text { Ok(entry) } else { Err("isn't as it was written, it was changed".to_owned()) }
}

/// Whether `entries` are a whole trail of `environment`, from number 1 on. An entry that can't be read is given as why not.
pub fn verify_chain(
    entries: impl IntoIterator<Item = Result<AuditEntry, String>>,
    environment: &EnvironmentName,
) -> Verdict {
    let entries: Vec<_> = entries.into_iter().collect();
    let numbers: BTreeSet<u64> = entries.iter().flatten().map(|entry| entry.number).collect();
    let mut verdict = Verdict::default();
    let mut seen = BTreeSet::new();
    let mut before = Link::start();
    let mut unreadable = 0;
    for entry in &entries {
        let faults = &mut verdict.faults;
        let entry = match entry {
            Ok(entry) => entry,
            Err(reason) => {
                unreadable += 1;
                faults.push(format!("entry {}: {reason}", before.number.saturating_add(unreadable)));
                continue;
            }
        };
        verdict.entries += 1;
        let number = entry.number;
        if hash(entry) != entry.hash {
            faults.push(format!("entry {number}: was changed, its hash doesn't fit it"));
        }
        if entry.environment != *environment {
            faults.push(format!("entry {number}: is of the environment {}, not of {environment}", entry.environment));
        }
        faults.extend(misplaced(entry, &before, &numbers, &seen));
        seen.insert(number);
        before = Link::from(entry);
        unreadable = 0;
    }
    verdict.head = entries.iter().flatten().last().map(|entry| entry.hash.clone());
    verdict
}

/// What is wrong with where `entry` stands.
fn misplaced(entry: &AuditEntry, before: &Link, all: &BTreeSet<u64>, seen: &BTreeSet<u64>) -> Option<String> {
    let number = entry.number;
    let expected = before.number.saturating_add(1);
    if seen.contains(&number) {
        return Some(format!("entry {number}: stands here once more, it was put in after entry {}", before.number));
    }
    if number < expected {
        return Some(format!("entry {number}: stands after entry {}, their order was changed", before.number));
    }
    if number > expected {
        let (first, last) = (expected, number - 1);
        let which = if first == last { format!("entry {first}") } else { format!("entries {first} to {last}") };
        let elsewhere = all.range(first..=last).next().is_some();
        let words = match (elsewhere, first == last) {
            (false, _) => format!("removed before entry {number}"),
            (true, true) => format!("doesn't stand before entry {number}, the order was changed"),
            (true, false) => format!("don't all stand before entry {number}, the order was changed"),
        };
        return Some(format!("{which}: {words}"));
    }
    (entry.previous != before.hash).then(|| match number {
        1 => "entry 1: doesn't begin a trail, it was put in or what was before it is gone".to_owned(),
        _ => format!("entry {number}: doesn't follow on entry {}, one of them was put in or changed", before.number),
    })
}

/// `text` printable, and not longer than `most` characters.
fn kept(text: &str, most: usize) -> String {
    let text = printable(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A deed as any.
    pub fn deed(words: &str) -> Deed {
        Deed {
            who: "ada@roof".into(),
            event: AuditEvent::Planned,
            emulated: true,
            run: Some(7),
            words: words.into(),
            digests: [("plan".to_owned(), "ab".repeat(32))].into(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).expect("a time")
    }

    fn trail(length: u64) -> Vec<AuditEntry> {
        let mut entries: Vec<AuditEntry> = Vec::new();
        for number in 1..=length {
            let at = at(i64::try_from(number).expect("small"));
            entries.push(next(entries.last(), &EnvironmentName::demo(), at, deed(&format!("deed {number}"))));
        }
        entries
    }

    fn faults(entries: &[AuditEntry]) -> Vec<String> {
        verify_chain(entries.iter().cloned().map(Ok), &EnvironmentName::demo()).faults
    }

    #[test]
    fn a_whole_trail_has_no_fault() {
        let entries = trail(5);
        let verdict = verify_chain(entries.iter().cloned().map(Ok), &EnvironmentName::demo());
        assert_eq!((verdict.entries, verdict.faults.len()), (5, 0));
        assert_eq!(verdict.head.as_ref(), Some(&entries[4].hash));
        assert_eq!(entries[0].previous, NOTHING);
        assert_eq!(faults(&[]), Vec::<String>::new());
    }

    #[test]
    fn the_hash_is_what_the_reference_says() {
        // By hand: jq -cSj 'del(.hash)' entry.json | sha256sum
        let entry = &trail(1)[0];
        let text = format!(
            concat!(
                r#"{{"at":"2026-01-01T00:00:01Z","digests":{{"plan":"{}"}},"emulated":true,"environment":"demo","#,
                r#""event":"planned","number":1,"previous":"{}","run":7,"who":"ada@roof","words":"deed 1"}}"#
            ),
            "ab".repeat(32),
            NOTHING
        );
        assert_eq!(entry.hash, digest::of_bytes(text.as_bytes()));
    }

    #[test]
    fn each_way_of_tampering_is_named() {
        let whole = trail(6);
        let mut changed = whole.clone();
        changed[2].words = "another".into();
        assert_eq!(faults(&changed), ["entry 3: was changed, its hash doesn't fit it"]);

        let mut rehashed = changed;
        rehashed[2].hash = hash(&rehashed[2]);
        assert_eq!(faults(&rehashed), ["entry 4: doesn't follow on entry 3, one of them was put in or changed"]);

        let mut removed = whole.clone();
        removed.remove(2);
        assert_eq!(faults(&removed), ["entry 3: removed before entry 4"]);
        removed.remove(2);
        assert_eq!(faults(&removed), ["entries 3 to 4: removed before entry 5"]);

        let mut beheaded = whole.clone();
        beheaded.remove(0);
        assert_eq!(faults(&beheaded), ["entry 1: removed before entry 2"]);

        let mut swapped = whole.clone();
        swapped.swap(2, 3);
        let found = faults(&swapped);
        assert_eq!(found[0], "entry 3: doesn't stand before entry 4, the order was changed");
        assert_eq!(found[1], "entry 3: stands after entry 4, their order was changed");

        let mut inserted = whole.clone();
        inserted.insert(3, next(Some(&whole[2]), &EnvironmentName::demo(), at(9), deed("put in")));
        assert_eq!(faults(&inserted), ["entry 4: stands here once more, it was put in after entry 4"]);

        let mut foreign = whole;
        let staging: EnvironmentName = "staging".parse().expect("a name");
        foreign[5] = next(Some(&foreign[4]), &staging, at(6), deed("x"));
        assert_eq!(faults(&foreign), ["entry 6: is of the environment staging, not of demo"]);
    }

    #[test]
    fn what_is_told_is_printable_and_bounded() {
        let mut long = deed(&format!("a\u{1b}[31m\n{}", "x".repeat(5000)));
        long.who = "eve\u{202e}\n".into();
        let entry = next(None, &EnvironmentName::demo(), at(0), long);
        assert!(entry.words.starts_with("a[31m x") && entry.words.ends_with('…'));
        assert_eq!(entry.words.chars().count(), 4001);
        assert_eq!(entry.who, "eve ");
    }
}
