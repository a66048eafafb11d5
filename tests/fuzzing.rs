//! The fuzzers' entries under `cargo test`: with their corpus, and with bytes made near it. `fuzz/README.md` tells how the
//! fuzzers themselves are run.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "../fuzz/entries.rs"]
mod entries;

use std::path::Path;

use proptest::prelude::*;

/// What a corpus holds.
fn corpus(of: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(of);
    let files = std::fs::read_dir(&folder).expect("the corpus is there").map(|entry| entry.expect("listed").path());
    let seeds: Vec<_> = files.map(|file| std::fs::read(file).expect("reads")).collect();
    assert!(!seeds.is_empty(), "{}: no seeds", folder.display());
    seeds
}

/// A seed with some of its bytes changed, taken out or put in.
fn near(of: &str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0..3_u8, any::<u8>());
    (prop::sample::select(corpus(of)), prop::collection::vec(edit, 0..6)).prop_map(|(mut bytes, edits)| {
        for (at, what, byte) in edits {
            let at = at.index(bytes.len() + 1);
            match what {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

#[test]
fn the_corpus_is_taken() {
    corpus("mqtt").iter().for_each(|bytes| entries::mqtt(bytes));
    corpus("topic").iter().for_each(|bytes| entries::topic(bytes));
    corpus("rest").iter().for_each(|bytes| entries::rest(bytes));
}

proptest! {
    #[test]
    fn any_bytes_on_a_connection_are_answered_or_refused(bytes in near("mqtt")) {
        entries::mqtt(&bytes);
    }

    #[test]
    fn any_topic_is_read_or_refused(bytes in near("topic")) {
        entries::topic(&bytes);
    }

    #[test]
    fn any_request_is_answered(bytes in near("rest")) {
        entries::rest(&bytes);
    }
}
