//! Packages that hold, and all the ways in which one doesn't.

use proptest::prelude::*;
use serde_json::json;
use tar::EntryType;

use super::samples::{Sample, entries, tar};
use super::*;

/// As `ssh-keygen -Y sign -n skydeck-model` signed `{"format":1}`, with sha512 and with sha256, and in another namespace.
const PAYLOAD: &[u8] = br#"{"format":1}"#;
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILJNATC9zPCE3QIqstKbjkByoo47UFhHinrM33iGpk6r models@example";
const FINGERPRINT: &str = "SHA256:UxMIKPk8iTgwI9nXYlcrWY8kGCfaRepa39ySI3NW02I";
const SHA512: &str = "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgsk0BML3M8ITdAiqy0puOQHKijj
tQWEeKeszfeIamTqsAAAANc2t5ZGVjay1tb2RlbAAAAAAAAAAGc2hhNTEyAAAAUwAAAAtz
c2gtZWQyNTUxOQAAAECMRvK8dZzE+xApHM1PzA7ByUOPSimdlkGAQ1wZLfaWqBbdiUac8O
H9z6FaVNV891+AoDZNSf90aXiLgthoIeoC
-----END SSH SIGNATURE-----
";
const SHA256: &str = "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgsk0BML3M8ITdAiqy0puOQHKijj
tQWEeKeszfeIamTqsAAAANc2t5ZGVjay1tb2RlbAAAAAAAAAAGc2hhMjU2AAAAUwAAAAtz
c2gtZWQyNTUxOQAAAEB+wp/yTg+vQ0sIyV8dcsYu87Ef/yvraKnALCuauBDwn/Cbjd0r0O
Fet/EsWWcuP0eJIEV3bp6nDHKNPqSVKQAF
-----END SSH SIGNATURE-----
";
const OTHER_NAMESPACE: &str = "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgsk0BML3M8ITdAiqy0puOQHKijj
tQWEeKeszfeIamTqsAAAAMc2t5ZGVjay1wbGFuAAAAAAAAAAZzaGE1MTIAAABTAAAAC3Nz
aC1lZDI1NTE5AAAAQM3v/HlzF0DvtnzZRmDelRE127AooRjTkaUHwK2MXxazIBd0rSPK2y
oHBc3xZsN6jxstzqTLVUa6cJquuJSGowA=
-----END SSH SIGNATURE-----
";
const ECDSA: &str = "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAE
EEVq1ShAiayeuPv+f6Ghjg0S1NvQZwCz9bStp2SJ0JAFiUgdVQV0tfdqtl/OFirA6yETrl
7M1l9nq9F9QRUId99QAAAA1za3lkZWNrLW1vZGVsAAAAAAAAAAZzaGE1MTIAAABkAAAAE2
VjZHNhLXNoYTItbmlzdHAyNTYAAABJAAAAIGL5juHGuOd+z/E/gpF/FSSPU5HvZMgxq0d2
vFsKoTgaAAAAIQCqHdsN2qFAF+TB101o6fJAieqszR4BatQrGg58p21ebw==
-----END SSH SIGNATURE-----
";

fn refused(bytes: &[u8]) -> String {
    Package::read(bytes).expect_err("refused").to_string()
}

#[test]
fn a_package_is_read_as_it_was_made_gzipped_and_plain() {
    let bytes = Sample::persistence("roof", "1.0.0").bytes();
    assert_eq!(bytes, Sample::persistence("roof", "1.0.0").bytes(), "the same parts make the same bytes");
    let package = Package::read(bytes.as_slice()).expect("read");
    assert_eq!(package.manifest().id(), "roof@1.0.0");
    assert_eq!(package.test(), Ok(2));
    assert_eq!(package.signer(), Ok(None));
    assert_eq!(package.model(46.8, 6.9).id(), "roof@1.0.0");
    let parts = Sample::persistence("roof", "1.0.0").parts();
    let all = entries(&parts);
    let plain: Vec<_> = all.iter().map(|(name, bytes)| (name.as_str(), EntryType::Regular, bytes.as_slice())).collect();
    assert_eq!(Package::read(tar(&plain).as_slice()).expect("read").manifest(), package.manifest());
}

#[test]
fn what_does_not_belong_into_an_archive_is_named() {
    let parts = Sample::persistence("roof", "1").parts();
    let all = entries(&parts);
    let with = |name: &str, kind, content: &[u8]| {
        let mut entries: Vec<_> = all.iter().map(|(n, b)| (n.as_str(), EntryType::Regular, b.as_slice())).collect();
        entries.push((name, kind, content));
        refused(&tar(&entries))
    };
    for (name, kind, words) in [
        ("../weights.json", EntryType::Regular, "\"../weights.json\" is a path that leads out of the package"),
        ("/etc/passwd", EntryType::Regular, "\"/etc/passwd\" is a path that leads out"),
        ("a/../../b", EntryType::Regular, "is a path that leads out"),
        ("card.md", EntryType::Symlink, "\"card.md\" is a link"),
        ("card.md", EntryType::Link, "\"card.md\" is a link"),
        ("models/", EntryType::Directory, "\"models/\" is a folder"),
        ("card.md", EntryType::Fifo, "is no plain file"),
        ("PaxHeaders", EntryType::XHeader, "is an extended header; pack it with"),
        ("././@LongLink", EntryType::GNULongName, "is an extended header"),
        ("notes.txt", EntryType::Regular, "\"notes.txt\" doesn't belong into a package"),
        ("weights.json", EntryType::Regular, "weights.json is in it twice"),
        ("manifest.json", EntryType::Regular, "manifest.json is in it twice"),
        ("card.md", EntryType::Regular, "card.md: the manifest doesn't name it"),
    ] {
        let error = with(name, kind, b"x");
        assert!(error.contains(words), "{name}: {error}");
    }
    let behind: Vec<_> = all.iter().rev().map(|(n, b)| (n.as_str(), EntryType::Regular, b.as_slice())).collect();
    assert!(refused(&tar(&behind)).contains("it begins with weights.json; manifest.json has to come first"));
    assert!(refused(b"").contains("it is empty"));
    assert!(refused(&[0x1f, 0x8b, 0]).starts_with("archive: "));
    let words = "archive: it is no model package, or a damaged one; name a file that `skydeck nowcast pack` wrote, or fetch it anew";
    assert_eq!(refused(&[b'x'; 1024]), words);
    let bytes: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(refused(&bytes), words, "whatever is in it isn't repeated");
    let mut zipped = Sample::persistence("roof", "1").bytes();
    zipped.extend(b"more");
    assert!(refused(&zipped).contains("something behind its end"));
    let mut plain: Vec<_> = all.iter().map(|(n, b)| (n.as_str(), EntryType::Regular, b.as_slice())).collect();
    plain.truncate(1);
    assert!(refused(&tar(&plain)).contains("the manifest names it, and it isn't there"));
    let mut longer = tar(&plain);
    longer.extend([7; 512]);
    assert!(refused(&longer).contains("something behind its end"));
}

#[test]
fn files_are_within_their_bounds_and_a_bomb_is_not_unpacked() {
    let mut header = tar::Header::new_ustar();
    header.as_ustar_mut().expect("ustar").name[..13].copy_from_slice(MANIFEST.as_bytes());
    header.set_size(10 * 1024 * 1024 * 1024);
    header.set_cksum();
    let words = refused(header.as_bytes());
    assert!(words.contains("manifest.json: it has 10737418240 bytes; at most 65536 are read"), "{words}");
    let zeros = tar(&[(MANIFEST, EntryType::Regular, &[b' '; 70_000])]);
    assert!(refused(&zeros).contains("at most 65536"));
    // A reader that never ends.
    let endless = std::io::Cursor::new(tar(&[(MANIFEST, EntryType::Regular, b"{}")])).chain(std::io::repeat(0));
    assert!(Package::read(endless).expect_err("refused").to_string().contains("something behind its end"));
}

#[test]
fn a_manifest_is_read_strictly_and_a_newer_one_is_told_from_a_wrong_one() {
    let with = |change: fn(&mut serde_json::Value)| {
        let mut sample = Sample::persistence("roof", "1");
        change(&mut sample.manifest);
        refused(&sample.bytes())
    };
    for (error, words) in [
        (with(|m| m["format"] = json!(2)), "format: 2 isn't known here, 1 is; bring this skydeck"),
        (with(|m| m["minimumAgent"] = json!("99.0.0")), "minimumAgent: it needs skydeck 99.0.0 or newer, and this is"),
        (with(|m| (m["minimumAgent"], m["quantiles"]) = (json!("99.0.0"), json!(7))), "needs skydeck 99.0.0"),
        (with(|m| m["minimumAgent"] = json!("new")), "minimumAgent: \"new\" isn't a version"),
        (with(|m| m["colour"] = json!("red")), "colour: unknown field `colour`"),
        (with(|m| m["needs"]["gpu"] = json!(1)), "needs.gpu: unknown field `gpu`"),
        (with(|m| m["needs"]["historyDays"] = json!(31)), "needs.historyDays: a device keeps 30 days, not 31"),
        (with(|m| m["name"] = json!("Roof")), "name: \"Roof\" isn't 1 to 64 lower-case"),
        (with(|m| m["name"] = json!("persistence")), "no built-in model's"),
        (with(|m| m["name"] = json!("../up")), "name: \"../up\" isn't"),
        (with(|m| m["version"] = json!("..")), "version: \"..\" isn't"),
        (with(|m| m["version"] = json!("1/2")), "version: \"1/2\" isn't"),
        (with(|m| m["created"] = json!("yesterday")), "created: "),
        (with(|m| m["kind"] = json!("onnx")), "weights.json: kind \"onnx\" isn't known"),
        (with(|m| drop(m.as_object_mut().expect("an object").remove("needs"))), "missing field `needs`"),
    ] {
        assert!(error.contains(words), "{error}");
    }
    let changed = |change: fn(&mut Parts)| {
        let mut parts = Sample::persistence("roof", "1").parts();
        change(&mut parts);
        refused(&write(&parts).expect("written"))
    };
    let in_weights = changed(|parts| parts.files.get_mut(WEIGHTS).expect("there")[1] ^= 1);
    assert!(in_weights.contains("weights.json: its SHA-256 isn't the one in the manifest"), "{in_weights}");
    let longer = changed(|parts| parts.files.get_mut(WEIGHTS).expect("there").push(b' '));
    assert!(longer.contains("bytes; the manifest says"), "{longer}");
    let gone = changed(|parts| drop(parts.files.remove(SELF_TEST)));
    assert!(gone.contains("self-test.json: the manifest names it, and it isn't there"), "{gone}");
}

#[test]
fn a_self_test_is_read_strictly_and_fails_with_the_forecast_that_is_another() {
    let with = |change: fn(&mut SelfTest)| {
        let mut sample = Sample::persistence("roof", "1");
        let weights = Weights::read("persistence", &sample.weights).expect("read");
        sample.test.fill(|lat, lon| weights.model("t", lat, lon), &[60], 1e-6).expect("forecasts");
        change(&mut sample.test);
        match Package::read(sample.bytes().as_slice()) {
            Ok(package) => package.test().expect_err("fails").to_string(),
            Err(error) => error.to_string(),
        }
    };
    for (error, words) in [
        (with(|t| t.cases[0].expect[0].quantiles = [1.0; 5]), "self-test: case \"ten hours\": humidity at 60 min is 6"),
        (with(|t| t.cases[0].expect[0].lead_minutes = 65), "humidity at 65 min isn't forecast"),
        (with(|t| t.cases[0].expect[0].quantiles[0] = 99.0), "expect[0].quantiles: they cross"),
        (with(|t| t.cases[0].expect[0].tolerance = 0.0), "expect[0].tolerance: isn't more than 0"),
        (with(|t| t.cases.clear()), "cases: there are 0; 1 to 32"),
        (
            with(|t| t.cases[0].first_ends_at += jiff::SignedDuration::from_secs(1)),
            "firstEndsAt: isn't a whole multiple",
        ),
        (with(|t| t.cases[0].means.clear()), "means: 0 of each"),
        (with(|t| t.latitude_deg = 91.0), "no place on earth"),
        (
            with(|t| drop(t.cases[0].means.insert(crate::station::Variable::Pressure, vec![Some(960.0)]))),
            "means.pressure: there are 1, and 60 of another variable",
        ),
        (
            with(|t| {
                t.cases[0].means.values_mut().for_each(|values| values[3] = Some(101.0));
            }),
            "means.humidity[3]: isn't from 0 to 100",
        ),
    ] {
        assert!(error.contains(words), "{error}");
    }
    let mut empty = Sample::persistence("roof", "1");
    empty.manifest["kind"] = json!("nothing");
    // Its model can't be read, so nothing is filled in.
    let parts = empty.parts();
    assert!(SelfTest::read(&parts.files[SELF_TEST]).expect_err("refused").contains("cases[0].expect: nothing is"));
}

#[test]
fn signatures_of_ssh_keygen_count_and_nothing_else_does() {
    let key = TrustedKey::parse_all(&format!("# who trains\n\n{KEY}\n")).expect("read").remove(0);
    assert_eq!(key.fingerprint(), FINGERPRINT);
    for armoured in [SHA512, SHA256] {
        let signature = Signature::parse(armoured).expect("read");
        assert_eq!(signature.verify(PAYLOAD), Ok(key.clone()));
        assert!(signature.verify(b"{}").expect_err("another payload").contains("changed after it was signed"));
    }
    let refused = |text: &str| Signature::parse(text).map(drop).expect_err("refused");
    assert!(refused(OTHER_NAMESPACE).contains("in the namespace \"skydeck-plan\", not in \"skydeck-model\""));
    assert!(refused(ECDSA).contains("a key of the kind ecdsa-sha2-nistp256, which isn't taken"));
    for text in ["", "rubbish", "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----", &SHA512[..200]] {
        assert!(refused(text).contains("ssh-keygen -Y sign"), "{text}");
    }
    let keys = |text: &str| TrustedKey::parse_all(text).map(drop).expect_err("refused");
    assert_eq!(keys("# nobody\n"), "there is no key in it");
    assert_eq!(keys("\nssh-ed25519 AAAA"), "line 2: the key behind ssh-ed25519 is broken; copy it anew");
    assert!(keys("ssh-rsa AAAA").starts_with("line 1: a key of the kind ssh-rsa isn't taken"));
    assert_eq!(keys("hello"), "line 1: a public key is expected, ssh-ed25519 AAAA…");
}

#[test]
fn a_package_is_verified_against_the_keys_that_are_trusted() {
    let trusted = TrustedKey::parse_all(KEY).expect("read");
    let unsigned = Package::read(Sample::persistence("roof", "1").bytes().as_slice()).expect("read");
    let words = unsigned.verify(&trusted).expect_err("not signed").to_string();
    assert!(words.starts_with("signature: there is none"), "{words}");
    // A good signature of the same key, over another manifest.
    let signed = Sample { signature: Some(SHA512.to_owned()), ..Sample::persistence("roof", "1") }.bytes();
    let signed = Package::read(signed.as_slice()).expect("read");
    let words = signed.verify(&trusted).expect_err("another manifest's").to_string();
    assert!(words.contains("doesn't fit the manifest"), "{words}");
    let foreign = Sample { signature: Some("hello".into()), ..Sample::persistence("roof", "1") }.bytes();
    assert!(refused(&foreign).starts_with("signature: it isn't one as"));
}

#[test]
fn every_package_that_is_cut_off_is_refused() {
    let bytes = Sample::persistence("roof", "1").bytes();
    for length in 0..bytes.len() {
        Package::read(&bytes[..length]).expect_err("cut off");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_in_words(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let words = refused(&bytes);
        prop_assert!(!words.is_empty() && !words.chars().any(char::is_control));
    }

    #[test]
    fn a_package_with_a_byte_changed_is_refused_or_the_same(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let parts = Sample::persistence("roof", "1").parts();
        let all = entries(&parts);
        let plain: Vec<_> = all.iter().map(|(n, b)| (n.as_str(), EntryType::Regular, b.as_slice())).collect();
        let mut bytes = tar(&plain);
        let at = at.index(bytes.len());
        bytes[at] = to;
        // What is read is what was packed: no byte can change what a model is without being noticed.
        if let Ok(package) = Package::read(bytes.as_slice()) {
            prop_assert_eq!(&package.weights, &Weights::read("persistence", &parts.files[WEIGHTS]).expect("read"));
            prop_assert_eq!(package.test(), Ok(2));
        }
    }

    #[test]
    fn any_names_in_an_archive_are_refused_without_being_obeyed(
        name in "(\\.\\./|/|\\./|[a-z]{1,8}/|\u{1b}|\n){0,4}[a-z.]{0,20}",
        content in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        prop_assume!(name.len() <= 100 && name != MANIFEST);
        let bytes = tar(&[(MANIFEST, EntryType::Regular, b"{}"), (&name, EntryType::Regular, &content)]);
        let words = refused(&bytes);
        prop_assert!(!words.chars().any(char::is_control), "{}", words);
    }

    #[test]
    fn any_signature_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode([b"SSHSIG".as_slice(), &bytes].concat());
        let armoured = format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----");
        drop(Signature::parse(&armoured));
    }
}
