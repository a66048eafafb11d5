//! Making approvals, and handing them around.

use skydeck::provisioning::approval::check;
use skydeck::provisioning::approval::make::{self, MAX_REASON, Wish};
use skydeck::provisioning::approval::record::{Approval, PlanRecord, Signed};

use crate::people::{ada, approval, bob, both, given, ground, hours, kept, now, record};

const PLAIN: Wish<'_> =
    Wish { label: "bob@desk", reason: None, override_denials: false, validity: jiff::SignedDuration::from_hours(24) };

fn approve(record: &PlanRecord, wish: &Wish<'_>) -> Result<Approval, String> {
    let signed = make::approve(&kept(record, None), wish, now(), None).map_err(|error| error.to_string())?;
    assert_eq!(signed.signature, None);
    make::approval_of(&signed).map_err(|error| error.to_string())
}

#[test]
fn an_approval_holds_the_record_whole() {
    let planned = record("staging");
    let made = approve(&planned, &PLAIN).expect("approved");
    assert_eq!(made.record, planned);
    assert_eq!((made.approved_by.as_str(), made.approved_at, made.expires_at), ("bob@desk", now(), now() + hours(24)));
    assert_ne!(made.id, approve(&planned, &PLAIN).expect("approved").id);
    let counts = check::check(&ground(&planned, None).facts(&planned), &[given(&made, None)], None, now());
    assert_eq!(counts.expect("counts").approvals[0].id, made.id);
}

#[test]
fn a_reason_is_trimmed_printable_and_bounded() {
    let planned = PlanRecord { denials: 1, ..record("staging") };
    let with = |reason: Option<&str>| approve(&planned, &Wish { reason, override_denials: true, ..PLAIN });
    let made = with(Some("  emptied\u{1b}[2J\nbefore \u{202e}")).expect("approved");
    assert_eq!(made.reason.as_deref(), Some("emptied[2J before"));
    let longest = "x".repeat(MAX_REASON);
    assert_eq!(with(Some(&longest)).expect("approved").reason, Some(longest.clone()));
    for (reason, expected) in [
        (None, "with a written reason only"),
        (Some(""), "its reason is empty"),
        (Some(" \n\u{1b}\u{7}"), "its reason is empty"),
        (Some(&*(longest.clone() + "x")), "has 1001 characters; 1000 are the most"),
    ] {
        let words = with(reason).expect_err("refused");
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn what_an_approval_may_not_be_is_refused() {
    let denied = PlanRecord { denials: 1, ..record("staging") };
    let reason = Some("because");
    for (record, wish, expected) in [
        (record("staging"), Wish { reason, override_denials: true, ..PLAIN }, "no policy denies run 7"),
        (denied, PLAIN, "run 7: the policies deny it (1 finding); correct what they name"),
        (record("prod"), PLAIN, "prod asks for a signature and there is no key; set provisioning.signing_key"),
        (record("staging"), Wish { validity: hours(0), ..PLAIN }, "for 1 to 720 hours"),
        (record("staging"), Wish { validity: hours(721), ..PLAIN }, "for 1 to 720 hours"),
        (record("staging"), Wish { reason: Some(" "), ..PLAIN }, "its reason is empty"),
        (PlanRecord { schema: 9, ..record("staging") }, PLAIN, "record: it is of form 9"),
    ] {
        let words = approve(&record, &wish).expect_err(expected);
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn an_approval_travels_as_a_file() {
    let signed = given(&approval(&record("prod")), Some(&bob()));
    let text = make::to_file(&signed).expect("written");
    assert_eq!(make::from_file(&text).expect("read"), signed);
    assert!(text.contains("-----BEGIN SSH SIGNATURE-----") && text.ends_with("}\n"));
    for (text, expected) in [
        (String::new(), "its file can't be understood"),
        ("{\"payload\":\"{}\"}".to_owned(), "can't be understood"),
        (text.replace("\"payload\"", "\"paylaod\""), "unknown field `paylaod`"),
        (text.replace("\\\"schema\\\":1,\\\"id\\\"", "\\\"schema\\\":2,\\\"id\\\""), "it is of form 2"),
        (format!("{text}{}", " ".repeat(make::MAX_FILE)), "is larger than"),
        // A record is none.
        (make::to_file(&kept(&record("prod"), None)).expect("written"), "can't be understood"),
    ] {
        let words = make::from_file(&text).expect_err(expected).to_string();
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn an_approval_is_shown_with_whose_key_signed_it() {
    let plain = approval(&record("prod"));
    let shown = |signed: &Signed| make::view(signed, Some(&both())).expect("shown");
    let signed = given(&plain, Some(&bob()));
    let view = shown(&signed);
    assert_eq!((view.by.as_str(), view.at, view.expires_at), ("bob@example.com", plain.approved_at, plain.expires_at));
    assert!(view.key.is_some_and(|key| key.starts_with("SHA256:")));
    let view = shown(&given(&plain, None));
    assert_eq!((view.by.as_str(), view.key), ("bob@desk", None));
    // A signature that doesn't fit lends nobody's name.
    let forged = Signed { payload: signed.payload.replace("bob@desk", "bob\\u001b@desk"), ..signed };
    let view = shown(&forged);
    assert_eq!((view.by.as_str(), view.key), ("bob@desk", None));
    assert_eq!(make::view(&given(&plain, Some(&ada())), None).expect("shown").by, "bob@desk");
}

#[test]
fn an_approval_of_what_is_emulated_says_so_and_one_from_before_still_counts() {
    let local = make::approve(&kept(&record("local"), None), &PLAIN, now(), None).expect("approved");
    assert!(local.payload.contains("\"emulated\":true"), "{}", local.payload);
    assert!(make::approval_of(&local).expect("read").emulated);
    let real = make::approve(&kept(&record("staging"), None), &PLAIN, now(), None).expect("approved");
    assert!(!real.payload.contains("emulated"), "{}", real.payload);
    // Signed over its bytes as they were then: without the field.
    let planned = record("local");
    let text = serde_json::to_string(&approval(&planned)).expect("JSON");
    assert!(!text.contains("emulated"));
    let before = given(&approval(&planned), Some(&ada()));
    let counts = check::check(&ground(&planned, None).facts(&planned), &[before], Some(&both()), now());
    assert!(counts.is_ok(), "{counts:?}");
}
