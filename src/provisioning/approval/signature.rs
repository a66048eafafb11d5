//! Signatures as `ssh-keygen -Y` makes them: made by that program, so that keys in an agent and on a token serve, and
//! verified here, so that no program on the PATH decides.
//!
//! The format: <https://cvsweb.openbsd.org/src/usr.bin/ssh/PROTOCOL.sshsig?annotate=HEAD>.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig};

use crate::provisioning::error::ProvisioningError;
use crate::station::text::printable;

/// What plans are signed in, by whoever planned.
pub const PLAN: &str = "skydeck-plan";
/// What approvals are signed in, by whoever approves.
pub const APPROVAL: &str = "skydeck-approval";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters in a line between them (`ssh-keygen`'s).
const WIDTH: usize = 70;
/// How long a signature may be, bytes; those of elliptic curves have some 300.
const MAX_SIGNATURE: usize = 8 * 1024;
/// How long a token waits to be touched, and then some.
const PATIENCE: Duration = Duration::from_secs(120);
/// The bit by which a token says that it was touched (PROTOCOL.u2f).
const TOUCHED: u8 = 1;

/// The key that a good signature was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The public key.
    pub key: KeyData,
    /// Its fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// Signs `payload` in `namespace` with the key at `key`: a private key, or a public one whose private half is in an
/// agent or on a token. Waits for a token's touch, up to two minutes; nobody is asked for a passphrase. Fails in words:
/// no `ssh-keygen`, no key, a passphrase, nobody touched it, a kind of key that isn't taken.
pub fn sign(key: &Path, namespace: &str, payload: &[u8]) -> Result<String, ProvisioningError> {
    let failed = |words: String| ProvisioningError::Refused(format!("signing key {}: {words}", key.display()));
    if !key.is_file() {
        let next = "name a private key, or the public one of a key in your agent, in provisioning.signing_key";
        return Err(failed(format!("there is no such file; {next}")));
    }
    let output = ask_keygen(key, namespace, payload).map_err(failed)?;
    if !output.status.success() {
        return Err(failed(refusal(key, &String::from_utf8_lossy(&output.stderr))));
    }
    let signature = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // What nobody could verify isn't handed out.
    verify(&signature, namespace, payload).map_err(|reason| failed(format!("ssh-keygen's signature: {reason}")))?;
    Ok(signature)
}

fn ask_keygen(key: &Path, namespace: &str, payload: &[u8]) -> Result<Output, String> {
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        // Nobody may be asked at a terminal, which is the console's. Asked "by program", ssh-keygen gets no answer
        // and says what it lacks; with SSH_ASKPASS_REQUIRE=never it would open the terminal.
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("SSH_ASKPASS", "/bin/false")
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                "ssh-keygen isn't on the PATH; install OpenSSH's client, 8.4 or newer".to_owned()
            }
            _ => format!("ssh-keygen can't be started: {error}; check that it is a program you may run"),
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        // Where it doesn't read, it ends and says why.
        drop(stdin.write_all(payload));
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    match end.recv_timeout(PATIENCE) {
        Ok(output) => output.map_err(|error| format!("ssh-keygen's answer can't be read: {error}; try again")),
        Err(_) => {
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, Signal::TERM);
            }
            Err(format!(
                "no signature within {} s; confirm it in your agent or touch your token, and try again",
                PATIENCE.as_secs()
            ))
        }
    }
}

/// What `ssh-keygen` said, and what to do about it.
fn refusal(key: &Path, said: &str) -> String {
    let shown = key.display();
    let lower = said.to_lowercase();
    let has = |text: &str| lower.contains(text);
    if has("passphrase") {
        return format!(
            "needs its passphrase, and nobody can be asked for it here; give it to your agent: ssh-add {shown}"
        );
    }
    if has("permissions") || has("permission denied") {
        return format!("can't be used: others may read it, or you may not; run: chmod 600 {shown}");
    }
    if has("no private key found") || has("not found in agent") || has("couldn't find") {
        return "is a public key whose private one isn't in your agent; run: ssh-add, with the private key".to_owned();
    }
    if has("device not found") || has("no device") {
        return "its token isn't there; plug it in and try again".to_owned();
    }
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    format!("ssh-keygen refused it: {}; check that it is a key for signing", printable(last.trim()))
}

/// Whether `signature` is one over `payload` in `namespace`, and with which key. Says nothing about whose key that is.
/// Fails with why not, to stand behind what was signed.
pub fn verify(signature: &str, namespace: &str, payload: &[u8]) -> Result<Signer, String> {
    const FOREIGN: &str = "isn't one as ssh-keygen -Y sign makes it; ask for it anew";
    if signature.len() > MAX_SIGNATURE || !is_as_written(signature) {
        return Err(FOREIGN.to_owned());
    }
    let parsed = SshSig::from_pem(signature.trim()).map_err(|_| FOREIGN.to_owned())?;
    if parsed.version() != SshSig::VERSION {
        return Err(format!("has version {}; 1 is the one that is known", parsed.version()));
    }
    if parsed.namespace() != namespace {
        let found = printable(parsed.namespace());
        return Err(format!("was made in the namespace {found:?}, not in {namespace:?}; sign it with skydeck"));
    }
    let kind = parsed.public_key().algorithm();
    match &kind {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {}
        Algorithm::Ecdsa { curve } if *curve != ssh_key::EcdsaCurve::NistP521 => {}
        _ => {
            return Err(format!(
                "is by a key of the kind {}, which isn't taken; make another: ssh-keygen -t ed25519",
                printable(kind.as_str())
            ));
        }
    }
    if parsed.algorithm() != kind {
        return Err(format!("is of another kind ({}) than its key", printable(parsed.algorithm().as_str())));
    }
    let key = parsed.public_key().clone();
    if !parsed.reserved().is_empty() || PublicKey::from(key.clone()).verify(namespace, payload, &parsed).is_err() {
        return Err(
            "doesn't fit what it stands under, which was changed after it was signed; ask for it anew".to_owned()
        );
    }
    if matches!(kind, Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256) && !was_touched(&parsed) {
        return Err("was made by a token that nobody touched; sign with a key that asks for a touch".to_owned());
    }
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    Ok(Signer { key, fingerprint })
}

/// A token's signature ends with its flags and a counter of four bytes.
fn was_touched(signature: &SshSig) -> bool {
    signature.signature_bytes().iter().rev().nth(4).is_some_and(|flags| flags & TOUCHED != 0)
}

/// Whether the armour is byte for byte as `ssh-keygen` writes it, but for blanks around it: one signature has one text.
fn is_as_written(signature: &str) -> bool {
    let Some(body) = signature.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)) else {
        return false;
    };
    let lines: Vec<_> = body.split('\n').collect();
    let ([first, inner @ .., last], true) = (lines.as_slice(), lines.len() > 2) else { return false };
    let Some((end, full)) = inner.split_last() else { return false };
    first.is_empty()
        && last.is_empty()
        && full.iter().all(|line| line.len() == WIDTH)
        && (1..=WIDTH).contains(&end.len())
        // Strict: no blanks, no bits left over, padding as it must be.
        && STANDARD.decode(inner.concat()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::private::{Ed25519Keypair, PrivateKey};

    fn signed(namespace: &str, payload: &[u8]) -> String {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        let signature = key.sign(namespace, HashAlg::Sha512, payload).expect("signed");
        signature.to_pem(ssh_key::LineEnding::LF).expect("armoured").trim().to_owned()
    }

    #[test]
    fn a_signature_says_whose_key_made_it() {
        let signer = verify(&signed(APPROVAL, b"text"), APPROVAL, b"text").expect("good");
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        assert_eq!(signer.fingerprint, key.fingerprint(HashAlg::Sha256).to_string());
        assert!(signer.fingerprint.starts_with("SHA256:"));
    }

    #[test]
    fn another_text_namespace_or_armour_is_refused() {
        let good = signed(APPROVAL, b"text");
        let words = |signature: &str, namespace: &str, payload: &[u8]| {
            verify(signature, namespace, payload).expect_err("not good")
        };
        assert!(words(&good, APPROVAL, b"Text").starts_with("doesn't fit"));
        assert!(words(&good, PLAN, b"text").contains("\"skydeck-approval\", not in \"skydeck-plan\""));
        for foreign in [
            String::new(),
            "x".repeat(MAX_SIGNATURE + 1),
            good.replace("SSH SIGNATURE", "PGP SIGNATURE"),
            good.replacen('\n', "\n\n", 1),
            good.replace('\n', "\r\n"),
            format!("{BEGIN}\n{END}"),
            format!("{BEGIN}\nAAAA\n{END}"),
            BEGIN.to_owned(),
        ] {
            assert!(words(&foreign, APPROVAL, b"text").starts_with("isn't one"), "{foreign}");
        }
        verify(&format!("\n{good}\n"), APPROVAL, b"text").expect("blanks around it");
    }

    #[test]
    fn what_ssh_keygen_says_has_a_next_step() {
        let key = Path::new("/k");
        for (said, words) in [
            (
                "Load key \"/k\": incorrect passphrase supplied to decrypt private key\r\n",
                "give it to your agent: ssh-add /k",
            ),
            ("WARNING: UNPROTECTED PRIVATE KEY FILE!\nPermissions 0644 for '/k' are too open.\n", "chmod 600 /k"),
            ("No private key found for public key \"/k\"\r\n", "ssh-add, with the private key"),
            ("Signing file failed: device not found\n", "plug it in"),
            ("error in libcrypto\u{1b}[31m\n\n", "refused it: error in libcrypto[31m; check"),
            ("", "it gave no reason"),
        ] {
            let found = refusal(key, said);
            assert!(found.contains(words), "{found}");
        }
    }
}
