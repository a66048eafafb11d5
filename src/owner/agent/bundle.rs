//! What support needs, in one archive: without secrets, and readable by its owner alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::diagnosis::Diagnosis;
use crate::owner::log_buffer::LogLine;
use crate::settings::{LinkSettings, SecretReference};
use crate::station::text::printable;

/// What stands for what was taken out.
const MASK: &str = "[redacted]";
/// What begins a secret, in lower case; it ends with the first sign that can't be in one.
const BEGINNINGS: [&str; 13] = [
    "sharedaccesskey=",
    "sharedaccesssignature=",
    "accountkey=",
    "sig=",
    "skn=",
    "password=",
    "password = \"",
    "passwd=",
    "token=",
    "secret=",
    "api_key=",
    "apikey=",
    "bearer ",
];
/// Fewer characters are no secret worth masking by value: they would be found in words.
const SHORTEST: usize = 6;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The agent doesn't answer.
    #[error("{0}")]
    Asked(String),
    /// The file can't be written.
    #[error("bundle {path}: {reason}; name another file with --out")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: std::io::Error,
    },
}

/// What goes into a bundle.
pub(super) struct Parts<'a> {
    pub diagnosis: &'a Diagnosis,
    pub log: &'a [LogLine],
    pub settings: &'a str,
    /// Whose they are: [`settings_are`].
    pub settings_are: &'a str,
    pub secrets: &'a [SecretString],
}

/// The name of a bundle made at `at`.
pub(super) fn file_name(device_id: &str, at: Timestamp) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let device: String = device_id.chars().map(plain).collect();
    format!("skydeck-diag-{device}-{}.tar.gz", at.strftime("%Y%m%dT%H%M%SZ")).into()
}

/// Whose the settings in a bundle are, in words: diag's, of the device `own`; the agent says that it is `agent`.
pub(super) fn settings_are(agent: Option<&str>, own: &str) -> String {
    const OF_DIAG: &str = "These are the settings that skydeck diag was started with";
    match agent.map(printable) {
        None => format!("{OF_DIAG}. No agent ran."),
        Some(agent) if agent == own => {
            format!("{OF_DIAG}. An agent that was started with other files, flags or variables has others.")
        }
        Some(agent) => format!("{OF_DIAG}, of {}. The agent's are others: it ran as {agent}.", printable(own)),
    }
}

/// The secrets that the link's settings refer to, as far as this process may read them: none of their texts may be in a
/// bundle.
pub(super) fn secrets_of(link: &LinkSettings) -> Vec<SecretString> {
    let references = [&link.connection_string, &link.key];
    let resolved =
        references.into_iter().flatten().filter_map(|text| text.parse::<SecretReference>().ok()?.resolve().ok());
    let mut secrets = Vec::new();
    for secret in resolved {
        // The key within a connection string, too.
        let parts = secret.expose_secret().split(';').filter_map(|part| part.split_once('=')).map(|(_, value)| value);
        secrets.extend(parts.filter(|value| value.len() >= 16).map(SecretString::from));
        secrets.push(secret);
    }
    secrets
}

/// Writes the bundle, mode 0600; a file that is there isn't written over.
pub(super) fn write(parts: &Parts<'_>, out: &Path, at: Timestamp) -> Result<(), BundleError> {
    let failed = |reason| BundleError::File { path: out.to_owned(), reason };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    let written = archive(parts, file, at);
    if written.is_err() {
        // Half of one is of no use to anybody.
        drop(std::fs::remove_file(out));
    }
    written.map_err(failed)
}

fn archive(parts: &Parts<'_>, file: File, at: Timestamp) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    let log: String = parts
        .log
        .iter()
        .map(|line| {
            format!("{} {:<5} {}: {}\n", line.at, line.level, printable(&line.target), printable(&line.message))
        })
        .collect();
    let diagnosis = serde_json::to_string_pretty(parts.diagnosis)?;
    let readme = README.replace(SETTINGS_ARE, parts.settings_are);
    let settings = format!("# {}\n\n{}", parts.settings_are, parts.settings);
    for (name, text) in
        [("README.txt", &readme), ("diagnosis.json", &diagnosis), ("log.txt", &log), ("settings.toml", &settings)]
    {
        let text = redacted(text, parts.secrets);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(at.as_second()).unwrap_or(0));
        archive.append_data(&mut header, format!("skydeck-diag/{name}"), text.as_bytes())?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}

/// Where it stands in the README whose settings they are.
const SETTINGS_ARE: &str = "SETTINGS_ARE";
const README: &str = "\
A device's diagnosis, made by `skydeck diag bundle`.

diagnosis.json  the agent's report, the hardware, the findings, the newest test of the link
log.txt         the newest lines of the agent's log
settings.toml   settings, and where each comes from; secrets are references there. SETTINGS_ARE

Keys, tokens, passwords and private keys were taken out ([redacted]). Read it before you send it: the station's place, its
network's names and addresses are in it.
";

/// `text` without the secrets, by their values and by what usually comes before one.
fn redacted(text: &str, secrets: &[SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        let secret = secret.expose_secret();
        if secret.len() >= SHORTEST {
            text = text.replace(secret, MASK);
        }
    }
    text = without_private_keys(&text);
    for beginning in BEGINNINGS {
        text = masked_after(&text, beginning);
    }
    without_passwords_in_urls(&text)
}

/// Masks what follows each `beginning` up to a sign that can't be in a secret.
fn masked_after(text: &str, beginning: &str) -> String {
    // Lower case of ASCII keeps every place.
    let lower = text.to_ascii_lowercase();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = lower[at..].find(beginning) {
        let begin = at + found + beginning.len();
        let end = text[begin..].find(|c: char| c.is_whitespace() || "\"'&;,<>\\)]}".contains(c));
        let end = end.map_or(text.len(), |end| begin + end);
        masked.push_str(&text[at..begin]);
        if end > begin {
            masked.push_str(MASK);
        }
        at = end;
    }
    masked.push_str(&text[at..]);
    masked
}

/// `://user:password@` without the password.
fn without_passwords_in_urls(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let authority = after.find(|c: char| c.is_whitespace() || "/\"'?#<>".contains(c)).unwrap_or(after.len());
        match after[..authority].rfind('@') {
            Some(sign) => {
                clean.push_str(MASK);
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    clean.push_str(rest);
    clean
}

/// Private keys in PEM, also where their line breaks were escaped.
fn without_private_keys(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("PRIVATE KEY-----") {
        let (before, after) = rest.split_at(begin + "PRIVATE KEY-----".len());
        clean.push_str(before);
        clean.push_str(MASK);
        let end = after.find("-----END").map_or(after.len(), |end| {
            let tail = end + "-----END".len();
            tail + after[tail..].find("-----").map_or(after.len() - tail, |dashes| dashes + 5)
        });
        rest = &after[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_left_by_value_or_by_what_comes_before_it() {
        let key = "bXlzZWNyZXRrZXlteXNlY3JldGtleQ==";
        let secrets = [SecretString::from(key), SecretString::from("abc")];
        for (text, expected) in [
            (format!("key {key}, again {key}."), "key [redacted], again [redacted].".to_owned()),
            (
                "HostName=h;DeviceId=d;SharedAccessKey=Zm9v+/==;x".into(),
                "HostName=h;DeviceId=d;SharedAccessKey=[redacted];x".into(),
            ),
            ("https://a.blob/c/b?sv=1&sig=aB%2F%3D&se=2".into(), "https://a.blob/c/b?sv=1&sig=[redacted]&se=2".into()),
            ("url = \"http://me:p@ss@cam.local/shot\"".into(), "url = \"http://[redacted]@cam.local/shot\"".into()),
            ("https://hub/devices".into(), "https://hub/devices".into()),
            ("Authorization: Bearer ey.J0.x\n".into(), "Authorization: Bearer [redacted]\n".into()),
            ("PASSWORD=\u{e9}t\u{e9} next".into(), "PASSWORD=[redacted] next".into()),
            ("password = \"\", token=".into(), "password = \"\", token=".into()),
            ("password = \"hunter2\"".into(), "password = \"[redacted]\"".into()),
            (
                "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nrest".into(),
                "-----BEGIN EC PRIVATE KEY-----[redacted]\nrest".into(),
            ),
            ("-----BEGIN PRIVATE KEY-----\\nMHc cut".into(), "-----BEGIN PRIVATE KEY-----[redacted]".into()),
            ("abcdef abc".into(), "abcdef abc".into()),
        ] {
            assert_eq!(redacted(&text, &secrets), expected);
        }
    }

    #[test]
    fn its_name_is_a_file_name() {
        let at: Timestamp = "2026-11-26T18:00:00Z".parse().expect("a time");
        assert_eq!(file_name("roof 01/../x", at), PathBuf::from("skydeck-diag-roof_01_.._x-20261126T180000Z.tar.gz"));
    }

    #[test]
    fn the_archive_can_be_read_by_its_owner_alone_and_nothing_is_written_over() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("temporary folder");
        let out = folder.path().join("b.tar.gz");
        let diagnosis: Diagnosis = serde_json::from_value(serde_json::json!({
            "at": "2026-11-26T18:00:00Z", "version": "0.1.0", "environment": "roof"
        }))
        .expect("a diagnosis");
        let line = LogLine {
            seq: 1,
            at: diagnosis.at,
            level: "WARN".into(),
            target: "link".into(),
            message: "refused \u{1b}[31m SharedAccessSignature sr=h&sig=c2VjcmV0&se=1".into(),
        };
        let parts = Parts {
            diagnosis: &diagnosis,
            log: &[line],
            settings: "[link]\n",
            settings_are: &settings_are(Some("roof-02"), "roof-01"),
            secrets: &[],
        };
        write(&parts, &out, diagnosis.at).expect("written");
        assert_eq!(std::fs::metadata(&out).expect("there").permissions().mode() & 0o777, 0o600);
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(&out).expect("opens")));
        let mut found = std::collections::BTreeMap::new();
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let mut text = String::new();
            std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
            found.insert(entry.path().expect("a path").display().to_string(), text);
        }
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        let expected =
            ["README.txt", "diagnosis.json", "log.txt", "settings.toml"].map(|name| format!("skydeck-diag/{name}"));
        assert_eq!(names, expected);
        assert_eq!(
            found["skydeck-diag/log.txt"],
            "2026-11-26T18:00:00Z WARN  link: refused [31m SharedAccessSignature sr=h&sig=[redacted]&se=1\n"
        );
        let whose = "These are the settings that skydeck diag was started with, of roof-01. The agent's are others: it ran as \
                     roof-02.";
        assert_eq!(found["skydeck-diag/settings.toml"], format!("# {whose}\n\n[link]\n"));
        assert!(found["skydeck-diag/README.txt"].contains(whose));
        assert!(
            settings_are(Some("a"), "a").ends_with("has others.") && settings_are(None, "a").ends_with("No agent ran.")
        );
        assert!(matches!(write(&parts, &out, diagnosis.at), Err(BundleError::File { .. })));
    }
}
