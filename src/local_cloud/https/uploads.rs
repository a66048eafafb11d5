//! Uploads of devices: who may put which blob until when.
//!
//! A device asks for a place, gets a signed token shaped as storage's (`sv`, `sr`, `sig`, `se`, `sp`) for one blob below
//! its own id, good for an hour, and says afterwards how it went. At most 10 uploads of a device are open at a time.
//! What is open is forgotten at a restart; tokens go on to be good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use super::policies::Policies;

/// Uploads of a device at a time; IoT Hub's bound.
pub(super) const MAX_OPEN: usize = 10;
/// A token's life, seconds: the module's `sas_ttl`.
pub(super) const TOKEN_LIFE_S: i64 = 3600;
/// Version and resource (a blob) as they stand in a token.
const VERSION: &str = "2023-11-03";
const RESOURCE: &str = "b";

/// What a token permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    /// To read: what is handed out.
    Read,
    /// To read and write: what is uploaded.
    ReadWrite,
}

impl Permission {
    /// As it stands in a token.
    const fn text(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::ReadWrite => "rw",
        }
    }
}

/// A blob in a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) container: String,
    /// `{device}/…`.
    pub(super) blob: String,
}

impl Place {
    /// Of a URL's path, decoded and without its first slash.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (container, blob) = path.split_once('/')?;
        (!container.is_empty() && is_blob_name(blob))
            .then(|| Self { container: container.to_owned(), blob: blob.to_owned() })
    }
}

/// Bytes of a name between two slashes: a file system's bound, less what the store adds while it writes.
const MAX_SEGMENT: usize = 200;

/// Whether a blob may be called so: 1 to 1,024 characters, segments of 1 to 200 bytes that aren't `.` or `..`, nothing
/// unprintable, no backslash.
pub(super) fn is_blob_name(name: &str) -> bool {
    (1..=1024).contains(&name.chars().count())
        && !name.chars().any(|c| c.is_control() || c == '\\')
        && name.split('/').all(|part| part.len() <= MAX_SEGMENT && !matches!(part, "" | "." | ".."))
}

struct Open {
    device_id: String,
    place: Place,
    ends: Timestamp,
}

/// The uploads of all devices.
pub(super) struct Uploads {
    policies: Arc<Policies>,
    open: Mutex<HashMap<String, Open>>,
}

/// What a device is given.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) correlation_id: String,
    /// With its question mark.
    pub(super) token: String,
}

impl Uploads {
    pub(super) fn new(policies: Arc<Policies>) -> Self {
        Self { policies, open: Mutex::default() }
    }

    /// Opens an upload to `place`; `None` where the device has 10 already. `now` is wall time.
    pub(super) fn begin(&self, device_id: &str, place: Place, now: Timestamp) -> Option<Begun> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, upload| upload.ends > now);
        if open.values().filter(|upload| upload.device_id == device_id).count() >= MAX_OPEN {
            return None;
        }
        let ends = now.saturating_add(SignedDuration::from_secs(TOKEN_LIFE_S)).ok()?;
        let token = token(&self.policies, &place, Permission::ReadWrite, ends)?;
        let correlation_id = uuid::Uuid::now_v7().to_string();
        open.insert(correlation_id.clone(), Open { device_id: device_id.to_owned(), place, ends });
        Some(Begun { correlation_id, token })
    }

    /// Closes an upload of the device; its place where it was open.
    pub(super) fn end(&self, device_id: &str, correlation_id: &str) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(correlation_id).filter(|upload| upload.device_id == device_id)?;
        open.remove(correlation_id).map(|upload| upload.place)
    }

    /// What the token in a URL's query lets one do with `place`, or why nothing. `now` is wall time.
    pub(super) fn check(
        &self,
        place: &Place,
        query: &HashMap<String, String>,
        now: Timestamp,
    ) -> Result<Permission, &'static str> {
        let get = |name: &str| query.get(name).map_or("", String::as_str);
        let permission = [Permission::Read, Permission::ReadWrite].into_iter().find(|known| known.text() == get("sp"));
        let Some(permission) = permission.filter(|_| get("sr") == RESOURCE) else {
            return Err("the token isn't one of this hub's");
        };
        let signature = STANDARD.decode(get("sig")).map_err(|_| "the token has no signature")?;
        let mac = mac(&self.policies, place, permission, [get("sv"), get("se")]);
        let mac = mac.ok_or("the key of tokens is unusable")?;
        // In constant time.
        mac.verify_slice(&signature).map_err(|_| "the signature is wrong: the token is for another blob")?;
        let ends: Timestamp = get("se").parse().map_err(|_| "the token has no end")?;
        if ends <= now {
            return Err("the token has ended; ask for another");
        }
        Ok(permission)
    }
}

/// What is put behind a blob's address, with its question mark, to be let at it until `ends`. Absent where the key can't be
/// used.
pub(super) fn token(policies: &Policies, place: &Place, permission: Permission, ends: Timestamp) -> Option<String> {
    let ends = ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let signature = STANDARD.encode(mac(policies, place, permission, [VERSION, &ends])?.finalize().into_bytes());
    let [signature, ends] = [signature, ends].map(|text| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
    Some(format!("?sv={VERSION}&sr={RESOURCE}&sig={signature}&se={ends}&sp={}", permission.text()))
}

fn mac(policies: &Policies, place: &Place, permission: Permission, [version, ends]: [&str; 2]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(policies.upload_key()).ok()?;
    let Place { container, blob } = place;
    let permission = permission.text();
    mac.update(format!("{permission}\n{ends}\n/blob/{container}/{blob}\n{version}\n{RESOURCE}").as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uploads() -> (Uploads, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let policies = Policies::load_or_make(folder.path()).expect("made");
        (Uploads::new(Arc::new(policies)), folder)
    }

    fn place(blob: &str) -> Place {
        Place { container: "pictures".into(), blob: blob.into() }
    }

    fn query(token: &str) -> HashMap<String, String> {
        token[1..]
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| {
                let value = percent_encoding::percent_decode_str(value).decode_utf8().expect("UTF-8");
                (name.to_owned(), value.into_owned())
            })
            .collect()
    }

    #[test]
    fn a_token_is_good_for_its_blob_and_hour_alone() {
        let (uploads, _folder) = uploads();
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().expect("a timestamp");
        let token = uploads.begin("d", place("d/a.jpg"), now).expect("room").token;
        let query = query(&token);
        assert_eq!(query["se"], "2026-05-01T13:00:00Z");
        assert_eq!(uploads.check(&place("d/a.jpg"), &query, now), Ok(Permission::ReadWrite));
        uploads.check(&place("d/b.jpg"), &query, now).expect_err("another blob");
        let elsewhere = Place { container: "models".into(), blob: "d/a.jpg".into() };
        uploads.check(&elsewhere, &query, now).expect_err("another container");
        let end = "2026-05-01T13:00:00Z".parse().expect("a timestamp");
        assert!(uploads.check(&place("d/a.jpg"), &query, end).expect_err("ended").contains("ended"));
        for (name, value) in
            [("se", "2036-05-01T13:00:00Z"), ("sp", "rwd"), ("sp", "r"), ("sr", "c"), ("sig", ""), ("sv", "1")]
        {
            let mut changed = query.clone();
            changed.insert(name.to_owned(), value.to_owned());
            uploads.check(&place("d/a.jpg"), &changed, now).expect_err(name);
        }
    }

    #[test]
    fn a_token_for_reading_is_none_for_writing() {
        let (uploads, _folder) = uploads();
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().expect("a timestamp");
        let ends = now + SignedDuration::from_secs(60);
        let made = token(&uploads.policies, &place("d/a"), Permission::Read, ends).expect("made");
        let mut query = query(&made);
        assert_eq!(uploads.check(&place("d/a"), &query, now), Ok(Permission::Read));
        query.insert("sp".to_owned(), "rw".to_owned());
        uploads.check(&place("d/a"), &query, now).expect_err("its permission was changed");
    }

    #[test]
    fn ten_uploads_of_a_device_are_open_at_a_time() {
        let (uploads, _folder) = uploads();
        let now = Timestamp::now();
        let begin = |device: &str, at| uploads.begin(device, place("x/y"), at);
        let first = begin("d", now).expect("room");
        for _ in 1..MAX_OPEN {
            begin("d", now).expect("room");
        }
        assert!(begin("d", now).is_none());
        begin("e", now).expect("another device's");
        assert_eq!(uploads.end("e", &first.correlation_id), None, "not its own");
        assert_eq!(uploads.end("d", &first.correlation_id), Some(place("x/y")));
        assert_eq!(uploads.end("d", &first.correlation_id), None, "closed already");
        begin("d", now).expect("room again");
        assert!(begin("d", now).is_none());
        begin("d", now + SignedDuration::from_secs(TOKEN_LIFE_S)).expect("the others' tokens have ended");
    }

    #[test]
    fn a_blobs_name_stays_in_its_container() {
        for good in ["d/a", "d/2026/05/ä b%2e.jpg", "a..b"] {
            assert!(is_blob_name(good), "{good}");
        }
        for wrong in ["", "/a", "a/", "a//b", "a/../b", "..", "./a", "a\\b", "a\n", &"x".repeat(201), &"x/".repeat(600)]
        {
            assert!(!is_blob_name(wrong), "{wrong}");
        }
        assert_eq!(Place::of("pictures/d/a"), Some(place("d/a")));
        assert!(Place::of("pictures").is_none() && Place::of("/d").is_none() && Place::of("c/../d").is_none());
    }
}
