//! Whatever byte is changed, it is refused or found.

use proptest::prelude::*;
use skydeck::provisioning::approval::check;
use skydeck::provisioning::approval::record::Signed;
use skydeck::provisioning::approval::signature::{APPROVAL, verify};

use crate::people::{ada, approval, bob, both, given, ground, load, now, record};

/// `text` with the byte at `place` of it changed into `byte`, or taken out, or `byte` put in before it.
fn changed(text: &[u8], place: prop::sample::Index, byte: u8, how: u8) -> Vec<u8> {
    let mut text = text.to_vec();
    let at = place.index(text.len());
    match how {
        0 => text[at] = byte,
        1 => drop(text.remove(at)),
        _ => text.insert(at, byte),
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_changed_payload_is_refused(place: prop::sample::Index, byte: u8, how in 0u8..3) {
        let planned = record("prod");
        let signed = given(&approval(&planned), Some(&bob()));
        let payload = changed(signed.payload.as_bytes(), place, byte, how);
        prop_assume!(payload != signed.payload.as_bytes());
        let Ok(payload) = String::from_utf8(payload) else { return Ok(()) };
        let ground = ground(&planned, Some(&ada()));
        let forged = [Signed { payload, ..signed }];
        prop_assert!(check::check(&ground.facts(&planned), &forged, Some(&both()), now()).is_err());
    }

    #[test]
    fn a_changed_signature_is_refused(place: prop::sample::Index, byte: u8, how in 0u8..3) {
        let good = bob().sign(APPROVAL, "text");
        let text = changed(good.as_bytes(), place, byte, how);
        let Ok(text) = String::from_utf8(text) else { return Ok(()) };
        // Blanks around it are no part of it.
        prop_assume!(text.trim() != good);
        prop_assert!(verify(&text, APPROVAL, b"text").is_err());
    }

    #[test]
    fn a_changed_record_is_refused(place: prop::sample::Index, byte: u8, how in 0u8..3) {
        let planned = record("prod");
        let mut ground = ground(&planned, Some(&ada()));
        let payload = changed(ground.record.payload.as_bytes(), place, byte, how);
        prop_assume!(payload != ground.record.payload.as_bytes());
        let Ok(payload) = String::from_utf8(payload) else { return Ok(()) };
        ground.record.payload = payload;
        let good = [given(&approval(&planned), Some(&bob()))];
        prop_assert!(check::check(&ground.facts(&planned), &good, Some(&both()), now()).is_err());
    }

    #[test]
    fn any_file_of_signers_is_read_or_refused_in_words(text in "[a-z @,*!\"#=\\\\\n-]{0,60}") {
        let text = text.replace("key", &ada().public());
        if let Err(words) = load(&text) {
            prop_assert!(words.starts_with("FILE:"), "{words}");
        }
    }

    #[test]
    fn any_options_are_read_or_refused_in_words(options in "[a-z,=\"\\\\ ]{0,20}") {
        let line = format!("ada {options} {}", ada().public());
        if let Err(words) = load(&line) {
            prop_assert!(words.starts_with("FILE:1: ") && words.contains("; "), "{words}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_changed_trail_is_found(place: prop::sample::Index, byte: u8, how in 0u8..3) {
        let ground = crate::trail::ground(3);
        let good = ground.text();
        let text = changed(&good, place, byte, how);
        prop_assume!(text != good);
        ground.write(&text);
        let verdict = ground.verify();
        prop_assert!(!verdict.faults.is_empty() || !verdict.notes.is_empty(), "{}", String::from_utf8_lossy(&text));
        // A note is for what was never finished: behind everything that was.
        if verdict.faults.is_empty() {
            prop_assert!(text.starts_with(&good));
        }
    }
}
