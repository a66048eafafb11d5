//! A signature over a manifest, as `ssh-keygen -Y sign` makes it with an Ed25519 key.
//!
//! The format: <https://cvsweb.openbsd.org/src/usr.bin/ssh/PROTOCOL.sshsig?annotate=HEAD>. Verified here by `ring`, which is
//! in every build for TLS, so that a device needs no package more. Errors are worded to stand behind `signature:`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256, Sha512};

use crate::station::text::printable;

/// What manifests are signed in, so that no signature made for something else counts.
pub const NAMESPACE: &str = "skydeck-model";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const ED25519: &str = "ssh-ed25519";
/// Said of whatever isn't one.
const FOREIGN: &str = "it isn't one as `ssh-keygen -Y sign` makes it; sign the package anew";

/// A public key whose signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey([u8; 32]);

impl TrustedKey {
    /// Its fingerprint, as `ssh-keygen -l` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut blob = Vec::new();
        put(&mut blob, ED25519.as_bytes());
        put(&mut blob, &self.0);
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob)))
    }

    /// The keys in a text: one a line, `ssh-ed25519 BASE64 COMMENT` as in a `.pub` file; empty lines and those that begin
    /// with `#` are passed over. Fails with the line and what is wrong with it.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            keys.push(Self::parse(line).map_err(|words| format!("line {number}: {words}"))?);
        }
        if keys.is_empty() { Err("there is no key in it".to_owned()) } else { Ok(keys) }
    }

    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        match words.next() {
            Some(ED25519) => {}
            Some(kind) if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-") => {
                return Err(format!(
                    "a key of the kind {} isn't taken; make one: ssh-keygen -t ed25519",
                    printable(kind)
                ));
            }
            _ => return Err("a public key is expected, ssh-ed25519 AAAA…".to_owned()),
        }
        let blob = words.next().and_then(|text| STANDARD.decode(text).ok());
        blob.as_deref().and_then(key).ok_or_else(|| "the key behind ssh-ed25519 is broken; copy it anew".to_owned())
    }
}

/// A signature.
#[derive(Debug, Clone)]
pub struct Signature {
    key: TrustedKey,
    is_sha512: bool,
    raw: [u8; 64],
}

impl Signature {
    /// Reads an armoured signature.
    pub fn parse(armoured: &str) -> Result<Self, String> {
        let body = armoured.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or(FOREIGN)?;
        let lines: String = body.split(['\n', '\r']).collect();
        let bytes = STANDARD.decode(lines).map_err(|_| FOREIGN)?;
        Self::of(&bytes)
    }

    fn of(bytes: &[u8]) -> Result<Self, String> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(FOREIGN)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(FOREIGN)?;
        if u32::from_be_bytes(*version) != VERSION {
            return Err(FOREIGN.to_owned());
        }
        let (public, rest) = take(rest).ok_or(FOREIGN)?;
        let (namespace, rest) = take(rest).ok_or(FOREIGN)?;
        let (reserved, rest) = take(rest).ok_or(FOREIGN)?;
        let (hash, rest) = take(rest).ok_or(FOREIGN)?;
        let (signature, rest) = take(rest).ok_or(FOREIGN)?;
        if !rest.is_empty() || !reserved.is_empty() {
            return Err(FOREIGN.to_owned());
        }
        if namespace != NAMESPACE.as_bytes() {
            let found = printable(&String::from_utf8_lossy(namespace));
            return Err(format!("it was made in the namespace {found:?}, not in {NAMESPACE:?}; sign the package anew"));
        }
        let kind = take(public).map(|(kind, _)| String::from_utf8_lossy(kind).into_owned()).ok_or(FOREIGN)?;
        if kind != ED25519 {
            let kind = printable(&kind);
            return Err(format!(
                "it is by a key of the kind {kind}, which isn't taken; make one: ssh-keygen -t ed25519"
            ));
        }
        let key = key(public).ok_or(FOREIGN)?;
        let is_sha512 = match hash {
            b"sha512" => true,
            b"sha256" => false,
            _ => return Err(FOREIGN.to_owned()),
        };
        let (kind, raw) = take(signature).ok_or(FOREIGN)?;
        let (raw, rest) = take(raw).ok_or(FOREIGN)?;
        let raw = raw.try_into().map_err(|_| FOREIGN)?;
        if kind != ED25519.as_bytes() || !rest.is_empty() {
            return Err(FOREIGN.to_owned());
        }
        Ok(Self { key, is_sha512, raw })
    }

    /// The key it was made with, where it is one over `payload`.
    pub fn verify(&self, payload: &[u8]) -> Result<TrustedKey, String> {
        let (name, hash) = if self.is_sha512 {
            ("sha512", Sha512::digest(payload).to_vec())
        } else {
            ("sha256", Sha256::digest(payload).to_vec())
        };
        let mut signed = MAGIC.to_vec();
        for part in [NAMESPACE.as_bytes(), b"", name.as_bytes(), &hash] {
            put(&mut signed, part);
        }
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, self.key.0);
        let is_good = key.verify(&signed, &self.raw).is_ok();
        let changed = "it doesn't fit the manifest, which was changed after it was signed; sign the package anew";
        if is_good { Ok(self.key.clone()) } else { Err(changed.to_owned()) }
    }
}

/// The key in `string "ssh-ed25519", string KEY`.
fn key(blob: &[u8]) -> Option<TrustedKey> {
    let (kind, rest) = take(blob)?;
    let (key, rest) = take(rest)?;
    (kind == ED25519.as_bytes() && rest.is_empty()).then_some(())?;
    key.try_into().ok().map(TrustedKey)
}

/// A string with its length before it, and what follows.
fn take(from: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn put(to: &mut Vec<u8>, part: &[u8]) {
    // Parts are a few dozen bytes.
    to.extend(u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
    to.extend(part);
}
