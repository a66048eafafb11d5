//! Plans, encrypted to the environment's key with age (X25519).

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use age::DecryptError;
use age::x25519::{Identity, Recipient};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::SharedError;
use crate::settings::SecretReference;

/// Whom plans are encrypted to and what decrypts them, as the settings say; the second is read when it is needed.
#[derive(Debug, Clone, Default)]
pub struct PlanKeys {
    recipient: Option<String>,
    identity: Option<SecretReference>,
}

impl PlanKeys {
    /// From the settings `plan_recipient` and `plan_identity`; neither needs to be there.
    pub fn new(recipient: Option<&str>, identity: Option<&str>) -> Result<Self, SharedError> {
        let recipient = recipient.map(str::trim).map(str::to_owned);
        if let Some(text) = &recipient {
            parse_recipient(text)?;
        }
        Ok(Self { recipient, identity: identity.map(str::parse).transpose()? })
    }

    /// Whether plans can be encrypted.
    #[must_use]
    pub const fn can_encrypt(&self) -> bool {
        self.recipient.is_some()
    }

    /// `plan`, encrypted.
    pub fn encrypt(&self, plan: &[u8]) -> Result<Vec<u8>, SharedError> {
        let Some(recipient) = &self.recipient else {
            return Err(SharedError::Key(
                "plan: not published: it holds secrets, and provisioning.plan_recipient isn't set; make a pair with `skydeck secrets plan-key --out FILE` and set it".to_owned(),
            ));
        };
        age::encrypt(&parse_recipient(recipient)?, plan)
            .map_err(|error| SharedError::Key(format!("plan: can't be encrypted: {error}; plan again")))
    }

    /// What was encrypted. `what` names it in errors.
    pub fn decrypt(&self, what: &str, sealed: &[u8]) -> Result<Vec<u8>, SharedError> {
        let Some(reference) = &self.identity else {
            return Err(SharedError::Key(format!(
                "{what}: encrypted, and provisioning.plan_identity isn't set; set it to env:NAME or file:/PATH of the environment's key"
            )));
        };
        let identity = parse_identity(&reference.resolve()?, reference)?;
        let changed = "it was changed or cut off; ask its author to plan again";
        age::decrypt(&identity, sealed).map_err(|error| {
            SharedError::Key(match error {
                DecryptError::NoMatchingKeys => format!(
                    "{what}: encrypted to another key than {reference}; set provisioning.plan_identity to the key that its author's provisioning.plan_recipient belongs to"
                ),
                DecryptError::UnknownFormat => {
                    format!("{what}: in a form of age that isn't known here; install the newest skydeck")
                }
                _ => format!("{what}: can't be decrypted: {changed}"),
            })
        })
    }
}

fn parse_recipient(text: &str) -> Result<Recipient, SharedError> {
    text.parse().map_err(|error| {
        SharedError::Key(format!(
            "provisioning.plan_recipient: not an age recipient ({error}); it begins with age1 and is what `skydeck secrets plan-key` or age-keygen printed"
        ))
    })
}

/// The first identity in a text as age-keygen writes it: comments begin with `#`.
fn parse_identity(text: &SecretString, reference: &SecretReference) -> Result<Identity, SharedError> {
    let mut lines = text.expose_secret().lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    line.parse().map_err(|_| {
        SharedError::Key(format!(
            "provisioning.plan_identity {reference}: holds no age identity; it is a line that begins with AGE-SECRET-KEY-1, as `skydeck secrets plan-key` writes it"
        ))
    })
}

/// Makes a pair of keys: the identity goes into the new file `out` (0600), the recipient is the answer. Refused where
/// the file is there already.
pub fn make_plan_key(out: &Path) -> Result<String, SharedError> {
    let identity = Identity::generate();
    let recipient = identity.to_public().to_string();
    let failed = |error: std::io::Error| {
        let next = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "a key isn't overwritten; name another file",
            _ => "check the folder's permissions",
        };
        SharedError::Refused(format!("{}: {error}; {next}", out.display()))
    };
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let head = format!("# created: {now}\n# public key: {recipient}\n");
    file.write_all(head.as_bytes()).map_err(failed)?;
    file.write_all(identity.to_string().expose_secret().as_bytes()).map_err(failed)?;
    file.write_all(b"\n").map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(recipient)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn pair(folder: &Path, name: &str) -> PlanKeys {
        let path = folder.join(name);
        let recipient = make_plan_key(&path).expect("made");
        PlanKeys::new(Some(&recipient), Some(&format!("file:{}", path.display()))).expect("a pair")
    }

    #[test]
    fn a_plan_comes_back_and_nothing_of_it_is_in_between() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let keys = pair(folder.path(), "key");
        let sealed = keys.encrypt(b"password = s3cret").expect("encrypted");
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        assert_eq!(keys.decrypt("plan", &sealed).expect("decrypted"), b"password = s3cret");
    }

    #[test]
    fn a_wrong_key_and_every_changed_or_missing_byte_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let keys = pair(folder.path(), "key");
        let sealed = keys.encrypt(b"a plan").expect("encrypted");
        let words = pair(folder.path(), "other").decrypt("run 7: plan", &sealed).expect_err("refused").to_string();
        assert!(words.starts_with("run 7: plan: encrypted to another key than file:"), "{words}");
        assert!(words.contains("; set provisioning.plan_identity"), "{words}");
        for length in 0..sealed.len() {
            keys.decrypt("plan", &sealed[..length]).expect_err("cut off");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            keys.decrypt("plan", &changed).expect_err("changed");
        }
        let words = keys.decrypt("plan", &sealed[..sealed.len() - 1]).expect_err("cut off").to_string();
        assert_eq!(words, "plan: can't be decrypted: it was changed or cut off; ask its author to plan again");
    }

    #[test]
    fn without_keys_it_says_what_to_set() {
        let none = PlanKeys::default();
        let words = none.encrypt(b"a plan").expect_err("no recipient").to_string();
        assert!(words.contains("provisioning.plan_recipient isn't set; make a pair with `skydeck secrets plan-key"));
        assert!(none.decrypt("plan", b"").expect_err("no identity").to_string().contains("plan_identity isn't set"));
        assert!(PlanKeys::new(Some("age1nonsense"), None).is_err());
        assert!(PlanKeys::new(None, Some("AGE-SECRET-KEY-1")).is_err());
    }

    #[test]
    fn a_key_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("key");
        let recipient = make_plan_key(&path).expect("made");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.contains(&format!("# public key: {recipient}\n")) && text.contains("\nAGE-SECRET-KEY-1"));
        let words = make_plan_key(&path).expect_err("there already").to_string();
        assert!(words.contains("isn't overwritten"), "{words}");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
    }

    #[test]
    fn a_file_without_an_identity_is_not_shown() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("key");
        crate::provisioning::files::write_whole(&path, b"s3cret but no key\n").expect("written");
        let recipient = make_plan_key(&folder.path().join("other")).expect("made");
        let keys = PlanKeys::new(Some(&recipient), Some(&format!("file:{}", path.display()))).expect("a pair");
        let sealed = keys.encrypt(b"a plan").expect("encrypted");
        let words = keys.decrypt("plan", &sealed).expect_err("no key").to_string();
        assert!(words.contains("holds no age identity") && !words.contains("s3cret"), "{words}");
    }
}
