//! Against the real `ssh-keygen`: what it signs is verified here, what is signed here it verifies, and both read a file
//! of allowed signers alike.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use portable_pty::{CommandBuilder, PtySize};
use rcgen::{PublicKeyData as _, SigningKey as _};
use sha2::{Digest as _, Sha256, Sha512};
use skydeck::provisioning::approval::make::{self, Wish};
use skydeck::provisioning::approval::signature::{APPROVAL, PLAN, sign, verify};
use skydeck::provisioning::approval::{approvers::Approvers, check};

use crate::people::{ada, bob, both, ground, hours, load, now, record, signers_file, write_key};

/// Set in a process that only signs: the key it signs with.
const SIGNS_WITH: &str = "SKYDECK_TEST_SIGNS_WITH";

/// Whether it is here. Where it isn't, says so; fails where it must be.
fn is_here() -> bool {
    let found = Command::new("ssh-keygen").arg("-?").output().is_ok();
    if !found {
        let words = "skipped: ssh-keygen not installed, it comes with OpenSSH's client";
        assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
        eprintln!("{words}");
    }
    found
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn make_key(folder: &Path, kind: &str, bits: &str, passphrase: &str) -> PathBuf {
    let path = folder.join(format!("{kind}-{bits}"));
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", passphrase, "-C", "a test's", "-f"]).arg(&path);
    if !bits.is_empty() {
        command.args(["-b", bits]);
    }
    assert!(command.stdin(Stdio::null()).status().expect("ssh-keygen").success());
    path
}

fn public(key: &Path) -> String {
    std::fs::read_to_string(format!("{}.pub", key.display())).expect("a public key")
}

/// Whether `ssh-keygen -Y verify` takes `signature`, by the file of allowed signers `signers`, at 2026-03-02T12:00Z.
fn keygen_verifies(signers: &Path, who: &str, namespace: &str, payload: &[u8], signature: &str) -> bool {
    let folder = folder();
    let file = folder.path().join("signature");
    std::fs::write(&file, format!("{signature}\n")).expect("written");
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-n", namespace, "-I", who, "-O", "verify-time=20260302120000Z", "-f"])
        .arg(signers)
        .arg("-s")
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh-keygen");
    let _ = child.stdin.take().expect("piped").write_all(payload);
    child.wait().expect("ended").success()
}

#[test]
fn both_verify_what_the_other_signed() {
    if !is_here() {
        return;
    }
    let folder = folder();
    for (kind, bits) in [("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "384")] {
        let key = make_key(folder.path(), kind, bits, "");
        let signers = signers_file(&format!("ada namespaces=\"skydeck-*\" {}", public(&key)));
        let approvers = Approvers::load(&signers.path).expect("read");
        for payload in [&b"{\"schema\":1}"[..], b"", &[0, 10, 255].repeat(9000)] {
            let signature = sign(&key, PLAN, payload).expect("signed");
            let signer = verify(&signature, PLAN, payload).expect("verified");
            assert_eq!(approvers.who(PLAN, &signer.key, now()), Some("ada"));
            assert!(keygen_verifies(&signers.path, "ada", PLAN, payload, &signature), "{kind} {bits}");
            // Both refuse the same.
            assert!(verify(&signature, APPROVAL, payload).is_err());
            assert!(!keygen_verifies(&signers.path, "ada", APPROVAL, payload, &signature));
            assert!(verify(&signature, PLAN, b"another").is_err());
            assert!(!keygen_verifies(&signers.path, "ada", PLAN, b"another", &signature));
        }
    }
    // Signed in process; and with the shorter hash by the program.
    let signers = signers_file(&format!("ada {}\n", ada().public()));
    assert!(keygen_verifies(&signers.path, "ada", APPROVAL, b"text", &ada().sign(APPROVAL, "text")));
    let key = write_key(folder.path(), &ada());
    let text = folder.path().join("text");
    std::fs::write(&text, "text").expect("written");
    let output = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-O", "hashalg=sha256", "-n", PLAN, "-f"])
        .arg(&key)
        .arg(&text)
        .output();
    assert!(output.expect("ssh-keygen").status.success());
    let signature = std::fs::read_to_string(folder.path().join("text.sig")).expect("signed");
    verify(&signature, PLAN, b"text").expect("verified");
}

#[test]
fn both_read_allowed_signers_alike() {
    if !is_here() {
        return;
    }
    let key = ada().public();
    let signature = ada().sign(APPROVAL, "text");
    for line in [
        format!("ada {key}"),
        format!(" \tada\t{key}  a comment"),
        format!("\"ada\" {key}"),
        format!("eve,ada {key}"),
        format!("ada namespaces=\"skydeck-*\" {key}"),
        format!("ada namespaces=\"skydeck-plan\" {key}"),
        format!("ada NameSpaces=\"*,!skydeck-approval\" {key}"),
        format!("ada namespaces=\"skydeck-approva?,git\" {key}"),
        format!("ada valid-after=\"20260302120000Z\" {key}"),
        format!("ada valid-after=\"20260302120001Z\" {key}"),
        format!("ada valid-before=\"20260302120000Z\" {key}"),
        format!("ada valid-before=\"20260302115959Z\" {key}"),
        format!("ada valid-after=\"202601010000Z\",valid-before=\"20270101Z\",namespaces=\"skydeck-approval\" {key}"),
        format!("# {key}\n\nada {key}"),
        format!("ada {}", bob().public()),
        // What neither can read.
        format!("ada valid-after=\"2026-03-02\" {key}"),
        format!("ada namespaces=skydeck-plan {key}"),
        format!("ada namespaces=\"a\",namespaces=\"skydeck-*\" {key}"),
        format!("ada namespaces=\"*\", {key}"),
        format!("ada no-such-option {key}"),
        format!("ada {}", &key[..60]),
    ] {
        let ours = load(&line)
            .ok()
            .and_then(|approvers| approvers.who(APPROVAL, ada().key.public_key().key_data(), now()).map(str::to_owned));
        let signers = signers_file(&format!("{line}\n"));
        let theirs = keygen_verifies(&signers.path, "ada", APPROVAL, b"text", &signature);
        assert_eq!(ours.is_some(), theirs, "{line}");
    }
}

#[test]
fn what_cannot_sign_says_why() {
    if !is_here() {
        return;
    }
    let folder = folder();
    let words = |key: &Path| sign(key, PLAN, b"text").expect_err("not signed").to_string();
    let expect = |key: &Path, expected: &str| {
        let words = words(key);
        assert!(words.starts_with(&format!("signing key {}: ", key.display())) && words.contains(expected), "{words}");
        assert!(words.contains("; ") && !words.contains('\n'), "{words}");
    };
    expect(&folder.path().join("none"), "there is no such file; name a private key");
    expect(&make_key(folder.path(), "rsa", "2048", ""), "a key of the kind ssh-rsa, which isn't taken");
    expect(&make_key(folder.path(), "ecdsa", "521", ""), "a key of the kind ecdsa-sha2-nistp521, which isn't taken");
    let rubbish = folder.path().join("rubbish");
    std::fs::write(&rubbish, "rubbish").expect("written");
    std::fs::set_permissions(&rubbish, std::fs::Permissions::from_mode(0o600)).expect("set");
    expect(&rubbish, "ssh-keygen refused it: ");
    let key = write_key(folder.path(), &bob());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("set");
    expect(&key, "run: chmod 600 ");
    // Alone, without its private half.
    let half = folder.path().join("half.pub");
    std::fs::write(&half, ada().public() + "\n").expect("written");
    expect(&half, "whose private one isn't in your agent");
}

/// Only signs where it is started to do so by the tests below.
#[test]
fn another_process_signs() {
    let Some(key) = std::env::var_os(SIGNS_WITH) else { return };
    match sign(Path::new(&key), PLAN, b"text") {
        Ok(signature) => println!("SIGNED {}", base64::engine::general_purpose::STANDARD.encode(signature)),
        Err(error) => println!("REFUSED {error}"),
    }
}

const SIGNING: [&str; 4] = ["--exact", "keygen::another_process_signs", "--nocapture", "--test-threads=1"];

#[test]
fn nobody_is_asked_for_a_passphrase() {
    if !is_here() {
        return;
    }
    let folder = folder();
    let key = make_key(folder.path(), "ed25519", "", "a passphrase");
    // In a terminal of its own, where there would be somebody to ask.
    let pty = portable_pty::native_pty_system().openpty(PtySize::default()).expect("a terminal");
    let mut command = CommandBuilder::new(std::env::current_exe().expect("this program"));
    command.args(SIGNING);
    command.env(SIGNS_WITH, &key);
    command.env_remove("SSH_AUTH_SOCK");
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let mut child = pty.slave.spawn_command(command).expect("started");
    drop(pty.slave);
    // Whoever is asked at a terminal waits for ever; the test's runner would say so.
    let mut seen = Vec::new();
    let _ = reader.read_to_end(&mut seen);
    child.wait().expect("ended");
    let seen = String::from_utf8_lossy(&seen);
    let words = "needs its passphrase, and nobody can be asked for it here; give it to your agent: ssh-add ";
    assert!(seen.contains(words), "{seen}");
    assert!(!seen.contains("Enter passphrase"), "{seen}");
}

/// An agent that ends with the test.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(folder: &Path) -> Option<Self> {
        let socket = folder.join("agent");
        let started = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) => {
                assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "ssh-agent: {error}");
                eprintln!("skipped: ssh-agent: {error}");
                return None;
            }
        };
        let agent = Self { child, socket };
        for _ in 0..200 {
            if agent.socket.exists() {
                return Some(agent);
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("ssh-agent made no socket within 5 s");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_key_in_the_agent_signs() {
    if !is_here() {
        return;
    }
    let folder = folder();
    let Some(agent) = Agent::start(folder.path()) else { return };
    let key = write_key(folder.path(), &ada());
    let added = Command::new("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &agent.socket).status();
    assert!(added.expect("ssh-add").success());
    // Only the public half is left on disk.
    let half = folder.path().join("half.pub");
    std::fs::write(&half, ada().public() + "\n").expect("written");
    std::fs::remove_file(&key).expect("removed");
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(SIGNING)
        .env(SIGNS_WITH, &half)
        .env("SSH_AUTH_SOCK", &agent.socket)
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let signature = said.split("SIGNED ").nth(1).unwrap_or_else(|| panic!("{said}"));
    let signature = base64::engine::general_purpose::STANDARD
        .decode(signature.lines().next().expect("a line").trim())
        .expect("base64");
    let signer = verify(std::str::from_utf8(&signature).expect("text"), PLAN, b"text").expect("verified");
    assert_eq!(&signer.key, ada().key.public_key().key_data());
}

#[test]
fn a_plan_is_signed_approved_and_counts_in_prod() {
    if !is_here() {
        return;
    }
    let folder = folder();
    let (adas, bobs) = (write_key(folder.path(), &ada()), write_key(folder.path(), &bob()));
    let planned = record("prod");
    let mut ground = ground(&planned, None);
    ground.record = make::sign_record(&planned, Some(&adas)).expect("signed");
    assert_eq!(make::record_of(&ground.record).expect("read"), planned);
    let wish = Wish { label: "bob@desk", reason: None, override_denials: false, validity: hours(24) };
    let by = |key: &Path| make::approve(&ground.record, &wish, now(), Some(key)).expect("approved");
    let verdict = check::check(&ground.facts(&planned), &[by(&bobs)], Some(&both()), now()).expect("counts");
    assert_eq!(verdict.approvals[0].by, "bob@example.com");
    let refused = check::check(&ground.facts(&planned), &[by(&adas)], Some(&both()), now()).expect_err("her own plan");
    assert!(refused.to_string().contains("is by whoever planned"), "{refused}");
}

/// A text or bytes as SSH writes them: their length, and they.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}

/// The signature that a token with this key makes over "text" (PROTOCOL.u2f, PROTOCOL.sshsig), and its public key.
fn by_token(kind: &str, key: &rcgen::KeyPair, flags: u8) -> (String, String) {
    let application = b"ssh:";
    let public = match kind {
        "sk-ssh-ed25519@openssh.com" => string(key.der_bytes()),
        _ => [string(b"nistp256"), string(key.der_bytes())].concat(),
    };
    let public = [string(kind.as_bytes()), public, string(application)].concat();
    let head = [string(APPROVAL.as_bytes()), string(b""), string(b"sha512")].concat();
    let signed = [&b"SSHSIG"[..], &head, &string(&Sha512::digest(b"text"))].concat();
    let trailer = [&[flags][..], &9u32.to_be_bytes()].concat();
    let message = [&Sha256::digest(application)[..], &trailer, &Sha256::digest(&signed)].concat();
    let raw = key.sign(&message).expect("signed");
    let raw = match kind {
        "sk-ssh-ed25519@openssh.com" => raw,
        _ => {
            // DER: a sequence of two integers, whose bytes are those of SSH's.
            let first = usize::from(raw[3]);
            let second = usize::from(raw[5 + first]);
            [string(&raw[4..4 + first]), string(&raw[6 + first..6 + first + second])].concat()
        }
    };
    let signature = [string(kind.as_bytes()), string(&raw), trailer].concat();
    let whole = [&b"SSHSIG"[..], &1u32.to_be_bytes(), &string(&public), &head, &string(&signature)].concat();
    let text = base64::engine::general_purpose::STANDARD.encode(whole);
    let lines: Vec<_> = text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).expect("text")).collect();
    (
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----", lines.join("\n")),
        format!("{kind} {}", base64::engine::general_purpose::STANDARD.encode(public)),
    )
}

#[test]
fn a_token_counts_where_it_was_touched() {
    for (kind, algorithm) in [
        ("sk-ssh-ed25519@openssh.com", &rcgen::PKCS_ED25519),
        ("sk-ecdsa-sha2-nistp256@openssh.com", &rcgen::PKCS_ECDSA_P256_SHA256),
    ] {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        let (signature, public) = by_token(kind, &key, 1);
        let signer = verify(&signature, APPROVAL, b"text").unwrap_or_else(|words| panic!("{kind}: {words}"));
        let line = format!("ada {public}\n");
        assert_eq!(load(&line).expect("read").who(APPROVAL, &signer.key, now()), Some("ada"));
        assert!(verify(&signature, APPROVAL, b"Text").is_err());
        if is_here() {
            assert!(keygen_verifies(&signers_file(&line).path, "ada", APPROVAL, b"text", &signature), "{kind}");
        }
        let (untouched, _) = by_token(kind, &key, 0);
        let words = verify(&untouched, APPROVAL, b"text").expect_err("nobody touched it");
        assert!(words.starts_with("was made by a token that nobody touched"), "{words}");
    }
}
