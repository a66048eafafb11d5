//! The file of allowed signers: what is taken, and what is refused with which words.

use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;
use skydeck::provisioning::approval::approvers::Approvers;
use skydeck::provisioning::approval::signature::{APPROVAL, PLAN};

use crate::people::{Somebody, ada, bob, eve, load, now, signers_file};

fn who(text: &str, namespace: &str, somebody: &Somebody, at: Timestamp) -> Option<String> {
    let approvers = load(text).unwrap_or_else(|words| panic!("{text}: {words}"));
    approvers.who(namespace, somebody.key.public_key().key_data(), at).map(str::to_owned)
}

#[test]
fn lines_are_read_as_ssh_keygen_reads_them() {
    let key = ada().public();
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    for (line, namespace, at, expected) in [
        (format!("ada {key}"), APPROVAL, now(), Some("ada")),
        (format!("  \tada\t \t{key} a comment, with words"), APPROVAL, now(), Some("ada")),
        (format!("# a comment\n\n   # another\nada {key}\r\n"), APPROVAL, now(), Some("ada")),
        (format!("ada@example.com,ada {key}"), PLAN, now(), Some("ada@example.com")),
        (format!("\"ada lovelace\" {key}"), APPROVAL, now(), Some("ada lovelace")),
        (format!("ada namespaces=\"skydeck-approval\" {key}"), APPROVAL, now(), Some("ada")),
        (format!("ada namespaces=\"skydeck-approval\" {key}"), PLAN, now(), None),
        (format!("ada NAMESPACES=\"git,skydeck-*\" {key}"), PLAN, now(), Some("ada")),
        (format!("ada namespaces=\"skydeck-*,!skydeck-plan\" {key}"), PLAN, now(), None),
        (format!("ada namespaces=\"skydeck-*,!skydeck-plan\" {key}"), APPROVAL, now(), Some("ada")),
        (format!("ada valid-after=\"20260302Z\" {key}"), APPROVAL, time("2026-03-02T00:00:00Z"), Some("ada")),
        (format!("ada valid-after=\"20260302Z\" {key}"), APPROVAL, time("2026-03-01T23:59:59Z"), None),
        (format!("ada valid-before=\"202603021200Z\" {key}"), APPROVAL, time("2026-03-02T12:00:00Z"), Some("ada")),
        (format!("ada valid-before=\"202603021200Z\" {key}"), APPROVAL, time("2026-03-02T12:00:01Z"), None),
        (
            format!("ada namespaces=\"skydeck-*\",valid-after=\"20260101Z\",valid-before=\"20270101Z\" {key}"),
            APPROVAL,
            now(),
            Some("ada"),
        ),
        // The first line that counts at the moment.
        (format!("ada valid-before=\"20250101Z\" {key}\nada,a {key}"), APPROVAL, now(), Some("ada")),
        // Of no concern here: lines that only count elsewhere.
        (format!("*@example.com namespaces=\"git\" {}\nada {key}", bob().public()), APPROVAL, now(), Some("ada")),
        (format!("bob namespaces=\"git\" {key}\nada namespaces=\"skydeck-*\" {key}"), APPROVAL, now(), Some("ada")),
        (format!("ada {}", bob().public()), APPROVAL, now(), None),
        (String::new(), APPROVAL, now(), None),
    ] {
        assert_eq!(who(&line, namespace, &ada(), at).as_deref(), expected, "{line}");
    }
}

#[test]
fn keys_of_every_kind_are_read() {
    // Made by ssh-keygen for this test; their private halves are thrown away. What doesn't sign here may stand in a file
    // that is shared with other programs.
    for (kind, blob) in [
        (
            "ecdsa-sha2-nistp256",
            concat!(
                "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCDzC380ieanzTJFOjBb9en0lXBuwpoBg3Q/tK",
                "QFWjwow2K1AShNLSVwJ1M7f8IBCkQqy9DEF5kPKqVGgReGkh0=",
            ),
        ),
        (
            "ecdsa-sha2-nistp384",
            concat!(
                "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBBRukAg+1aCRyqdVlItrbAWjpUI5u1eUqfFGRx",
                "1i1ceyZ+C31Pkht0S67Or1p8zXFm+ApazCath7DInKsR2Mo8Y93mJ7XAdK0LaoPFW5TspLaKhNZbdh3fBE/+TyUWzj",
                "Lw==",
            ),
        ),
        (
            "ecdsa-sha2-nistp521",
            concat!(
                "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAF7ZHyhr84zZNAuskHdx6Pj+/3DpLRWCKVkia",
                "0VqO05bUQIUvfPga3G3WNmAInQfd3bewUHmKNTF0CzZqsV91S4PwHo2ogJUdbs27e2WOhEWKRSs+mOLlve8oEzJVhI",
                "hD7XPd/2yEITBtzsInd9loQvOzU12IX6WPN62xCcU5VGan2ppQ==",
            ),
        ),
        ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIHoNvG4xGH2c2mYSCvS7WVFyNrQeHZxLxzPymat+SPYC"),
        (
            "ssh-rsa",
            concat!(
                "AAAAB3NzaC1yc2EAAAADAQABAAABAQCf5dijChH9y8oavK9xszQ9CsT7RRMEEj0fahGUrFd0uvr8ggnA1KxuuMv3tb",
                "cEcfdlvFXdDYlSolTUaHW60WMefxzYgyVM2nZb9tc/VdMQgNh6qGC/X0W8DjmJtzqXw7TbQqfLdOXORRznhlQ+W2AO",
                "d8cmN94278vZj1Nv4WSu5oSqkS7Lp3cLa50W6vo0vGSpmgVIo5E+668aA8SDJiUIE09OqV9UC9p0K1bn0Tvv0w9q4Q",
                "Na3jN2qneNWy7nAmcTdwppmf/YcirWqOHFBB/9ZpyT6GEMK8Y9Izcce0kOJGG8hdMGexw0kHsQHEycNMEqo160YmNC",
                "WHynpXPAhJwT",
            ),
        ),
    ] {
        assert_eq!(load(&format!("ada {kind} {blob}")).err(), None, "{kind}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let key = ada().public();
    let mut words = key.split(' ');
    let blob = words.nth(1).expect("a blob").to_owned();
    for (line, expected) in [
        ("ada".to_owned(), "only principals stand here; write a key behind them"),
        (key.clone(), "is neither a kind of key nor an option"),
        (format!("\"ada {key}"), "principals: a quote isn't closed"),
        (format!("ada,,bob {key}"), "principals: one is empty"),
        (format!(",ada {key}"), "principals: one is empty"),
        (format!("\"\" {key}"), "principals: one is empty"),
        (format!("ad\u{202e}a {key}"), "has signs that can't be shown"),
        (format!("* {key}"), "principals: \"*\" is a pattern and names nobody"),
        (format!("ada,*@example.com namespaces=\"skydeck-*\" {key}"), "\"*@example.com\" is a pattern"),
        (format!("ada,!bob {key}"), "\"!bob\" is a pattern"),
        (format!("ada cert-authority {key}"), "cert-authority: keys signed by an authority aren't taken"),
        (format!("ada cert-authority,namespaces=\"git\" {key}"), "cert-authority: "),
        (format!("ada namespaces=skydeck-plan {key}"), "namespaces: its value isn't in quotes"),
        (format!("ada namespaces=\"skydeck-plan {key}"), "options: a quote isn't closed"),
        (format!("ada namespaces=\"\" {key}"), "namespaces: \"\" has an empty one"),
        (format!("ada namespaces=\"a\",namespaces=\"b\" {key}"), "namespaces: stands twice"),
        (format!("ada namespaces=\"a\", {key}"), "options: end with a comma"),
        (format!("ada namespaces=\"a\"x {key}"), "namespaces: something stands behind its value"),
        (format!("ada namespace=\"a\" {key}"), "\"namespace\" is neither a kind of key nor an option"),
        (format!("ada no-touch-required {key}"), "\"no-touch-required\" is neither"),
        (format!("ada valid-after=\"2026-03-01\" {key}"), "valid-after: \"2026-03-01\" isn't a time; write YYYYMMDD"),
        (format!("ada valid-before=\"20260230Z\" {key}"), "valid-before: \"20260230Z\" isn't a time"),
        (format!("ada valid-before=\"20260101Z\",valid-after=\"20260201Z\" {key}"), "isn't later than valid-after"),
        ("ada namespaces=\"a\"".to_owned(), "no key stands here"),
        ("ada ssh-ed25519".to_owned(), "no key stands here"),
        (format!("ada ssh-rsa {blob}"), "the ssh-rsa key can't be read"),
        (format!("ada ssh-ed25519 {}", &blob[..40]), "the ssh-ed25519 key can't be read"),
        (format!("ada ssh-ed25519 {blob}AAAA"), "the ssh-ed25519 key can't be read"),
        (format!("ada namespaces=\"a\" ssh-ed448 {blob}"), "\"ssh-ed448\" isn't a kind of key that is known"),
        (format!("ada ssh-ed25519-cert-v01@openssh.com {blob}"), "is neither a kind of key nor an option"),
        (format!("bob {key}"), "has another name in line 2; give each key one name"),
    ] {
        let text = format!("# approvers\nada {key}\n\n{line}\n");
        let words = load(&text).expect_err(&line);
        assert!(words.starts_with("FILE:4: ") && words.contains(expected), "{line}\n{words}");
    }
}

#[test]
fn a_file_that_others_may_write_to_is_refused() {
    let file = signers_file(&format!("ada {}\n", ada().public()));
    Approvers::load(&file.path).expect("ours");
    for mode in [0o664, 0o646, 0o666] {
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(mode)).expect("set");
        let words = Approvers::load(&file.path).expect_err("others may write").to_string();
        assert!(words.contains("others may write to it") && words.contains("chmod go-w"), "{mode:o}: {words}");
    }
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o444)).expect("set");
    Approvers::load(&file.path).expect("read only");
    let folder = file.path.parent().expect("a folder");
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).expect("set");
    let words = Approvers::load(&file.path).expect_err("others may replace it").to_string();
    assert!(words.contains("others may write to its folder"), "{words}");
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o1777)).expect("set");
    Approvers::load(&file.path).expect("sticky");
    // A link is no way around: what it leads to counts.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).expect("set");
    let other = tempfile::tempdir().expect("temporary folder");
    let link = other.path().join("approvers");
    std::os::unix::fs::symlink(&file.path, &link).expect("linked");
    let words = Approvers::load(&link).expect_err("others may replace it").to_string();
    assert!(words.contains("others may write to its folder"), "{words}");
}

#[test]
fn what_is_no_such_file_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let words = Approvers::load(folder.path()).expect_err("a folder").to_string();
    assert!(words.contains("isn't a file"), "{words}");
    let missing = folder.path().join("none");
    let words = Approvers::find(Some(&missing)).expect_err("set and not there").to_string();
    assert!(words.contains("none: ") && words.contains("provisioning.approvers"), "{words}");
    let binary = folder.path().join("binary");
    std::fs::write(&binary, b"ada \xff\xfe").expect("written");
    assert!(Approvers::load(&binary).expect_err("binary").to_string().contains("isn't UTF-8"));
    std::fs::write(&binary, vec![b'#'; 1024 * 1024 + 1]).expect("written");
    assert!(Approvers::load(&binary).expect_err("large").to_string().contains("is larger than"));
}

#[test]
fn the_example_is_read_and_names_nobody() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/approvers")).expect("the example");
    let approvers = load(&text).expect("read");
    for somebody in [ada(), bob(), eve()] {
        assert_eq!(approvers.who(PLAN, somebody.key.public_key().key_data(), now()), None);
    }
    // Its lines are good ones once a key stands in the place of the dots.
    let mut examples = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains("AAAA…")) {
        let line = line.replace("AAAA…", ada().public().split(' ').nth(1).expect("a blob"));
        load(&line).unwrap_or_else(|words| panic!("{line}: {words}"));
        examples += 1;
    }
    assert!(examples >= 2, "{examples}");
}

#[test]
fn the_digest_is_the_files() {
    let text = format!("ada {}\n", ada().public());
    let digest = load(&text).expect("read").digest().to_owned();
    assert_eq!(digest, skydeck::provisioning::approval::digest::of_bytes(text.as_bytes()));
}
