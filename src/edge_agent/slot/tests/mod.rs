//! The slot's parts: its state, its folder, what may come into it.

mod fetching;
mod running;

use std::fs;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::load::Loader;
use super::*;
use crate::edge_agent::report::VerdictStatus;
use crate::nowcast::MODEL_ID;
use crate::nowcast::package::samples::Sample;
use crate::nowcast::package::{self};
use crate::settings::StationSettings;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn entry(name: &str, version: &str, bytes: &[u8]) -> PackageEntry {
    PackageEntry { name: name.to_owned(), version: version.to_owned(), sha256: package::sha256(bytes) }
}

/// A store that keeps `keep`, with these packages in it.
fn store(keep: usize, packages: &[&[u8]]) -> (Store, TempDir) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(folder.path().join("models"), keep).expect("opens");
    for bytes in packages {
        put(&store, bytes);
    }
    (store, folder)
}

fn put(store: &Store, bytes: &[u8]) {
    let sha256 = package::sha256(bytes);
    fs::write(store.part(&sha256), bytes).expect("written");
    store.finish(&sha256).expect("in its place");
}

fn loader(store: &Store) -> Loader {
    Loader { store: store.clone(), trusted_keys: None, station: StationSettings::default().metadata() }
}

#[test]
fn the_one_before_is_kept_for_the_rollback_and_to_fall_back_to() {
    let roof = Entry::Package(entry("roof", "1", b"a"));
    let slot = Slot::default().deployed(roof.clone(), NOW);
    assert_eq!((slot.current.id().as_str(), slot.previous.as_ref()), ("roof@1", Some(&Entry::zero())));
    let next = Entry::Package(entry("roof", "2", b"b"));
    let slot = slot.deployed(next.clone(), NOW);
    let fallen = slot.fallen_back("it was slow".into(), NOW).expect("there is one before");
    assert_eq!((fallen.current.clone(), fallen.previous.clone()), (roof, None));
    let told = fallen.fallback.as_ref().expect("said");
    assert_eq!((&told.from, told.reason.as_str()), (&next, "it was slow"));
    let zero = fallen.fallen_back("it was slow, too".into(), NOW).expect("one is always there");
    assert!(zero.current.is_zero());
    assert_eq!(zero.fallen_back("no".into(), NOW), None, "nothing lies behind it");
    let again = zero.deployed(next, NOW);
    assert_eq!(again.fallback, None);
}

#[test]
fn the_slot_is_read_as_it_was_kept_also_by_an_older_version_and_a_model_that_is_gone_gives_way() {
    let slot = Slot::default().deployed(Entry::Package(entry("roof", "1", b"a")), NOW);
    let slot = slot.fallen_back("why".into(), NOW).expect("one before");
    let kept = serde_json::to_string(&slot).expect("JSON");
    assert_eq!(Slot::read(Some(&kept)), slot);
    let older = r#"{"current":"persistence-1","previous":"anomaly-persistence-1","deployedAt":null}"#;
    let read = Slot::read(Some(older));
    assert_eq!((read.current.id().as_str(), read.previous), ("persistence-1", Some(Entry::zero())));
    let gone = r#"{"current":"onnx-9","previous":"persistence-1","deployedAt":null}"#;
    assert_eq!(Slot::read(Some(gone)).current.id(), "persistence-1");
    let odd = r#"{"current":{"name":"../x","version":"1","sha256":"a"},"previous":null,"deployedAt":null}"#;
    assert_eq!(Slot::read(Some(odd)).current.id(), MODEL_ID);
    assert_eq!(Slot::read(None), Slot::default());
}

#[test]
fn a_slot_that_is_cut_off_anywhere_is_the_one_skydeck_comes_with() {
    let slot = Slot::default().deployed(Entry::Package(entry("roof", "1", b"a")), NOW);
    let kept = serde_json::to_string(&slot).expect("JSON");
    for length in 0..kept.len() {
        assert_eq!(Slot::read(Some(&kept[..length])), Slot::default(), "{length}");
    }
}

#[test]
fn a_payload_asks_for_a_model_or_names_what_is_wrong_and_never_repeats_a_link() {
    const LINK: &str = "https://store.example/models/roof?sig=c2VjcmV0";
    let good = json!({"name": "roof", "version": "1", "sha256": "ab".repeat(32), "url": LINK});
    assert!(matches!(Wish::read(good.clone()), Ok(Wish::Package(_, Some(_)))));
    assert!(!format!("{:?}", Wish::read(good.clone()).expect("read")).contains("c2VjcmV0"));
    assert!(matches!(Wish::read(json!({"model": "persistence"})), Ok(Wish::BuiltIn(id)) if id == "persistence-1"));
    let with = |field: &str, value: Value| {
        let mut payload = good.clone();
        payload[field] = value;
        payload
    };
    for (payload, status, words) in [
        (json!(LINK), 400, "an object is expected"),
        (Value::Null, 400, "an object is expected"),
        (json!({}), 400, "nothing is named: model, or name, version"),
        (json!({"model": "onnx"}), 404, "there are anomaly-persistence-1, persistence-1"),
        (with("model", json!("persistence")), 400, "model: it comes with skydeck, so "),
        (with("link", json!(LINK)), 400, "unknown field `link`; there are model, name, version, sha256, url"),
        (with("url", json!([LINK])), 400, "url: a text is expected"),
        (with("url", json!(format!("{LINK}{}", "x".repeat(9000)))), 400, "url: it has more than 8192 bytes"),
        (with("sha256", json!("AB")), 400, "sha256: 64 lower-case hexadecimal digits"),
        (with("name", json!("../roof")), 400, "name: 1 to 64"),
        (with("version", json!("")), 400, "version: 1 to 32"),
    ] {
        let answer = Wish::read(payload).map(drop).expect_err("refused");
        let said = answer.words();
        assert!(answer.status == status && said.contains(words), "{said}");
        assert!(!said.contains("c2VjcmV0") && !said.contains("store.example"), "{said}");
    }
}

#[test]
fn a_desired_model_is_applied_waits_or_is_refused() {
    let (one, two) = (entry("roof", "1", b"a"), entry("roof", "2", b"b"));
    let slot = Slot::default().deployed(Entry::Package(one.clone()), NOW);
    let said = |desired: &Value, slot: &Slot, is_kept| wish::verdict(desired, slot, is_kept);
    assert_eq!(said(&json!(one), &slot, true), (VerdictStatus::Applied, None));
    let (status, words) = said(&json!(two), &slot, false);
    assert_eq!(status, VerdictStatus::Waiting);
    assert!(words.expect("words").starts_with("waits for a link to fetch it"));
    assert!(said(&json!(two), &slot, true).1.expect("words").starts_with("it is kept here; waits for deploy_model"));
    let fallen =
        slot.deployed(Entry::Package(two.clone()), NOW).fallen_back("it was slow".into(), NOW).expect("before");
    assert_eq!(said(&json!(two), &fallen, true).1.as_deref(), Some("it was given up: it was slow"));
    let refused = said(&json!({"name": "roof", "version": "1", "url": "https://x"}), &slot, false);
    assert_eq!(refused.0, VerdictStatus::Refused);
    assert!(refused.1.expect("words").contains("unknown field `url`"));
}

#[tokio::test]
async fn a_package_is_loaded_if_its_digest_name_signature_and_self_test_hold() {
    let good = Sample::persistence("roof", "1").bytes();
    let mut failing = Sample::persistence("roof", "2");
    let weights = crate::nowcast::Weights::read("persistence", &failing.weights).expect("read");
    failing.test.fill(|lat, lon| weights.model("t", lat, lon), &[60], 1e-6).expect("forecasts");
    failing.test.cases[0].expect[0].quantiles = [1.0; 5];
    let failing = failing.bytes();
    let (store, folder) = store(3, &[&good, &failing]);
    let loader = loader(&store);
    let load = async |entry: &PackageEntry| loader.load(&Entry::Package(entry.clone())).await.map(drop);
    let loaded = loader.load(&Entry::Package(entry("roof", "1", &good))).await.expect("loads");
    assert_eq!((loaded.model.id(), loaded.history_days), ("roof@1", 0));
    let words = load(&entry("roof", "2", &failing)).await.expect_err("its self-test fails");
    assert!(words.starts_with("model roof@2: self-test: case \"ten hours\""), "{words}");
    let words = load(&entry("shed", "1", &good)).await.expect_err("another name");
    assert_eq!(words, "model shed@1: the package of this digest is roof@1; name what it is");
    let words = load(&entry("roof", "9", b"nowhere")).await.expect_err("isn't there");
    assert!(words.contains("it isn't kept here any more"), "{words}");
    assert!(loader.load(&Entry::BuiltIn("persistence-1".into())).await.is_ok());

    // A key is wanted from now on; then the file of keys is gone.
    let keys = folder.path().join("keys");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILJNATC9zPCE3QIqstKbjkByoo47UFhHinrM33iGpk6r models@example";
    fs::write(&keys, key).expect("written");
    let strict = Loader { trusted_keys: Some(keys.clone()), ..loader.clone() };
    let words = strict.load(&Entry::Package(entry("roof", "1", &good))).await.map(drop).expect_err("not signed");
    assert!(words.starts_with("model roof@1: signature: there is none"), "{words}");
    fs::remove_file(&keys).expect("removed");
    let words = strict.load(&Entry::Package(entry("roof", "1", &good))).await.map(drop).expect_err("no keys");
    assert!(words.contains("model.trusted_keys") && words.contains("No such file"), "{words}");

    // A file that was changed where it lies.
    let path = store.folder().join(format!("{}.model", package::sha256(&good)));
    let mut changed = good.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for bytes in [&changed[..], &good[..good.len() / 2], b""] {
        fs::write(&path, bytes).expect("written");
        let words = load(&entry("roof", "1", &good)).await.expect_err("changed");
        assert!(words.contains("hasn't the digest it is called by"), "{words}");
    }
}

#[test]
fn the_folder_keeps_what_is_used_and_the_newest_of_the_others() {
    let packages: Vec<Vec<u8>> = (0..5).map(|i| Sample::persistence("roof", &i.to_string()).bytes()).collect();
    let (store, _folder) = store(3, &packages.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let digests: Vec<_> = packages.iter().map(|bytes| package::sha256(bytes)).collect();
    for (age, digest) in digests.iter().enumerate() {
        let file = fs::File::options().write(true).open(store.folder().join(format!("{digest}.model"))).expect("opens");
        let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 + age as u64);
        file.set_modified(at).expect("set");
    }
    fs::write(store.part("half"), b"x").expect("written");
    fs::write(store.part("other"), b"x").expect("written");
    fs::write(store.folder().join("rubbish.txt"), b"x").expect("written");
    // The oldest is at work: it stays, with the two newest.
    store.prune([digests[0].as_str()].into_iter(), Some("half"));
    let kept: Vec<_> = digests.iter().map(|digest| store.has(digest)).collect();
    assert_eq!(kept, [true, false, false, true, true]);
    assert!(store.part("half").exists() && !store.part("other").exists());
    assert!(!store.folder().join("rubbish.txt").exists());
    assert!(!store.has("../../etc/passwd"));
    store.check_room(0).expect("room");
    assert!(store.check_room(u64::MAX).expect_err("never").contains("MiB left"));
}

#[test]
fn only_https_or_this_machine_is_fetched_from() {
    let check = |url: &str| fetch::check_url(&SecretString::from(url.to_owned()));
    for good in [
        "https://a.blob.core.windows.net/models/x?sig=1",
        "http://127.0.0.1:10000/a",
        "http://[::1]:1/",
        "http://localhost/",
    ] {
        check(good).expect(good);
    }
    for (url, words) in [
        ("http://10.0.0.7/x?sig=c2VjcmV0", "only https"),
        ("file:///etc/passwd", "url: "),
        ("ftp://a/b", "only https"),
        ("https://ada:c2VjcmV0@a/b", "a name or password"),
        ("c2VjcmV0", "isn't a URL"),
    ] {
        let error = check(url).expect_err(url);
        assert!(error.contains(words) && !error.contains("c2VjcmV0"), "{error}");
    }
}
