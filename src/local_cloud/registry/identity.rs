//! A device's identity: whether it may connect, and how it proves who it is. The JSON is that of IoT Hub's REST
//! interface, api-version 2021-04-12.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rusqlite::Row;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde_json::{Value, json};

use super::schema::{KEY_BYTES, random};
use crate::station::text::printable;

/// Characters that IoT Hub keeps of a status's reason.
const MAX_REASON: usize = 128;

/// A registered device.
#[derive(Debug)]
pub struct DeviceIdentity {
    /// Its id: 1 to 128 characters of IoT Hub's set.
    pub device_id: String,
    /// Distinguishes it from a device of the same id that was deleted: 18 digits.
    pub generation_id: String,
    /// Changes with each change of the identity.
    pub etag: String,
    /// Whether it may connect.
    pub is_enabled: bool,
    /// Why it may or may not, in an operator's words.
    pub status_reason: Option<String>,
    /// When it was last enabled or disabled, pipeline time.
    pub status_updated_at: Option<Timestamp>,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// Whether it is connected.
    pub is_connected: bool,
    /// When it last connected or left, pipeline time.
    pub connection_updated_at: Option<Timestamp>,
    /// When it was last heard of, pipeline time.
    pub last_activity_at: Option<Timestamp>,
    /// Messages that wait for it.
    pub device_bound: u64,
}

/// How a device proves who it is.
#[derive(Debug)]
pub enum Authentication {
    /// By a shared access signature made with one of two keys.
    Sas {
        /// The key it is given.
        primary: SecretBox<Vec<u8>>,
        /// The other, for changing keys without a gap.
        secondary: SecretBox<Vec<u8>>,
    },
    /// By a certificate that has one of these thumbprints.
    SelfSigned {
        /// The first.
        primary: Option<Thumbprint>,
        /// The other, for changing certificates without a gap.
        secondary: Option<Thumbprint>,
    },
    /// By a certificate in its name, from an authority that the hub trusts.
    CertificateAuthority,
}

/// A certificate's digest: SHA-1 (40 hexadecimal digits, as IoT Hub has it) or SHA-256 (64), in capitals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbprint(String);

impl Thumbprint {
    /// Reads a thumbprint; colons and spaces between digits are left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).map(|c| c.to_ascii_uppercase()).collect();
        (matches!(digits.len(), 40 | 64) && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(Self(digits))
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a device is to be like; see [`DeviceSpec::from_rest`].
#[derive(Debug)]
pub struct DeviceSpec {
    /// Whether it may connect.
    pub is_enabled: bool,
    /// Why.
    pub status_reason: Option<String>,
    /// How it proves who it is. [`None`] keeps what there is, or makes keys for a new device.
    pub authentication: Option<Authentication>,
    /// Whether it is to have keys, and doesn't say which: it keeps those it has, or gets new ones.
    pub wants_keys: bool,
}

impl Default for DeviceSpec {
    fn default() -> Self {
        Self { is_enabled: true, status_reason: None, authentication: None, wants_keys: false }
    }
}

impl DeviceSpec {
    /// Reads the body of `PUT /devices/{device_id}`; the error says what is wrong with it.
    pub fn from_rest(device_id: &str, body: &Value) -> Result<Self, String> {
        let object = body.as_object().ok_or("the body must be a JSON object")?;
        if let Some(named) = text(object.get("deviceId"))?
            && named != device_id
        {
            return Err(format!("deviceId is {}, the address names {}", printable(named), printable(device_id)));
        }
        let is_enabled = match text(object.get("status"))?.map(str::to_ascii_lowercase).as_deref() {
            None | Some("enabled") => true,
            Some("disabled") => false,
            Some(other) => return Err(format!("status is {}; it can be enabled or disabled", printable(other))),
        };
        let status_reason = text(object.get("statusReason"))?.map(str::to_owned);
        if status_reason.as_ref().is_some_and(|reason| reason.chars().count() > MAX_REASON) {
            return Err(format!("statusReason is longer than {MAX_REASON} characters"));
        }
        let given = object.get("authentication").filter(|value| !value.is_null());
        let authentication = given.map(authentication).transpose()?.flatten();
        let wants_keys = given.is_some() && authentication.is_none();
        Ok(Self { is_enabled, status_reason, authentication, wants_keys })
    }
}

fn text(value: Option<&Value>) -> Result<Option<&str>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("a text is needed, not {}", printable(&other.to_string()))),
    }
}

fn authentication(value: &Value) -> Result<Option<Authentication>, String> {
    let keys = value.get("symmetricKey").filter(|value| !value.is_null());
    let prints = value.get("x509Thumbprint").filter(|value| !value.is_null());
    let print = |name: &str| match text(prints.and_then(|prints| prints.get(name)))?.filter(|text| !text.is_empty()) {
        Some(text) => Thumbprint::parse(text)
            .map(Some)
            .ok_or_else(|| format!("{name} is no thumbprint: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits are")),
        None => Ok(None),
    };
    let kind = match text(value.get("type"))? {
        None if prints.is_some() && (print("primaryThumbprint")?).is_some() => "selfSigned",
        None => "sas",
        Some(kind) => kind,
    };
    match kind {
        "sas" => {
            let key = |name: &str| {
                let text = text(keys.and_then(|keys| keys.get(name)))?.filter(|text| !text.is_empty());
                text.map(|text| key(text).ok_or_else(|| format!("{name} is no key: base64 of 16 to 64 bytes is")))
                    .transpose()
            };
            match (key("primaryKey")?, key("secondaryKey")?) {
                (Some(primary), Some(secondary)) => Ok(Some(Authentication::Sas { primary, secondary })),
                (None, None) => Ok(None),
                _ => Err("symmetricKey needs both keys, or none: then they are made".into()),
            }
        }
        "selfSigned" => match (print("primaryThumbprint")?, print("secondaryThumbprint")?) {
            (None, None) => Err("a selfSigned device needs a thumbprint".into()),
            (primary, secondary) => Ok(Some(Authentication::SelfSigned { primary, secondary })),
        },
        "certificateAuthority" => Ok(Some(Authentication::CertificateAuthority)),
        other => Err(format!(
            "authentication.type is {}; it can be sas, selfSigned or certificateAuthority",
            printable(other)
        )),
    }
}

fn key(text: &str) -> Option<SecretBox<Vec<u8>>> {
    let bytes = STANDARD.decode(text).ok().filter(|bytes| (16..=64).contains(&bytes.len()))?;
    Some(SecretBox::new(Box::new(bytes)))
}

impl Authentication {
    /// Two new keys.
    pub(super) fn new_keys() -> rusqlite::Result<Self> {
        let key = || random::<KEY_BYTES>().map(|bytes| SecretBox::new(Box::new(bytes.to_vec())));
        Ok(Self::Sas { primary: key()?, secondary: key()? })
    }

    /// As REST names it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sas { .. } => "sas",
            Self::SelfSigned { .. } => "selfSigned",
            Self::CertificateAuthority => "certificateAuthority",
        }
    }

    /// The two thumbprints; none where another proof is asked for.
    #[must_use]
    pub const fn thumbprints(&self) -> [Option<&Thumbprint>; 2] {
        match self {
            Self::SelfSigned { primary, secondary } => [primary.as_ref(), secondary.as_ref()],
            _ => [None, None],
        }
    }

    /// The two keys; none where another proof is asked for.
    #[must_use]
    pub const fn keys(&self) -> [Option<&SecretBox<Vec<u8>>>; 2] {
        match self {
            Self::Sas { primary, secondary } => [Some(primary), Some(secondary)],
            _ => [None, None],
        }
    }
}

impl DeviceIdentity {
    /// The primary and the secondary key as devices are given them: base64.
    #[must_use]
    pub fn key_texts(&self) -> Option<[SecretString; 2]> {
        let text = |key: &SecretBox<Vec<u8>>| SecretString::from(STANDARD.encode(key.expose_secret()));
        match self.authentication.keys() {
            [Some(primary), Some(secondary)] => Some([text(primary), text(secondary)]),
            _ => None,
        }
    }

    /// As REST answers it. Holds the keys.
    #[must_use]
    pub fn rest_json(&self) -> Value {
        let [primary, secondary] = match self.key_texts() {
            Some(keys) => keys.map(|key| Value::from(key.expose_secret())),
            None => [Value::Null, Value::Null],
        };
        let mut json = self.public_json();
        json["authentication"]["symmetricKey"] = json!({"primaryKey": primary, "secondaryKey": secondary});
        json
    }

    /// As REST answers it, without the keys.
    #[must_use]
    pub fn public_json(&self) -> Value {
        let [primary, secondary] = self.authentication.thumbprints().map(|print| print.map(Thumbprint::as_str));
        json!({
            "deviceId": self.device_id,
            "generationId": self.generation_id,
            "etag": self.etag,
            "connectionState": state(self.is_connected),
            "status": status(self.is_enabled),
            "statusReason": self.status_reason,
            "connectionStateUpdatedTime": time(self.connection_updated_at),
            "statusUpdatedTime": time(self.status_updated_at),
            "lastActivityTime": time(self.last_activity_at),
            "cloudToDeviceMessageCount": self.device_bound,
            "authentication": {
                "type": self.authentication.kind(),
                "symmetricKey": {"primaryKey": null, "secondaryKey": null},
                "x509Thumbprint": {"primaryThumbprint": primary, "secondaryThumbprint": secondary},
            },
            "capabilities": {"iotEdge": false},
        })
    }
}

pub(super) const fn state(is_connected: bool) -> &'static str {
    if is_connected { "Connected" } else { "Disconnected" }
}

pub(super) const fn status(is_enabled: bool) -> &'static str {
    if is_enabled { "enabled" } else { "disabled" }
}

/// IoT Hub's words for *never*.
pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "0001-01-01T00:00:00Z".into(), |at| at.to_string())
}

/// The columns of [`read`], of `identity i`.
pub(super) const COLUMNS: &str = "i.device_id, i.generation_id, i.etag, i.is_enabled, i.status_reason, \
    i.status_updated_at, i.authentication, i.primary_key, i.secondary_key, i.primary_thumbprint, \
    i.secondary_thumbprint, i.is_connected, i.connection_updated_at, i.last_activity_at, \
    (SELECT count(*) FROM device_bound b WHERE b.device_id = i.device_id)";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<DeviceIdentity> {
    let key = |bytes: Vec<u8>| SecretBox::new(Box::new(bytes));
    let print = |text: Option<String>| text.as_deref().and_then(Thumbprint::parse);
    let kind: String = row.get(6)?;
    let authentication = match kind.as_str() {
        "selfSigned" => Authentication::SelfSigned { primary: print(row.get(9)?), secondary: print(row.get(10)?) },
        "certificateAuthority" => Authentication::CertificateAuthority,
        _ => Authentication::Sas { primary: key(row.get(7)?), secondary: key(row.get(8)?) },
    };
    Ok(DeviceIdentity {
        device_id: row.get(0)?,
        generation_id: row.get(1)?,
        etag: row.get(2)?,
        is_enabled: row.get(3)?,
        status_reason: row.get(4)?,
        status_updated_at: timestamp(row, 5)?,
        authentication,
        is_connected: row.get(11)?,
        connection_updated_at: timestamp(row, 12)?,
        last_activity_at: timestamp(row, 13)?,
        device_bound: row.get::<_, i64>(14)?.unsigned_abs(),
    })
}

fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Whether `id` can name a device: 1 to 128 characters of the set that IoT Hub allows.
#[must_use]
pub fn is_device_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.%_*?!(),:=@$'".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_are_those_iot_hub_allows() {
        assert!(is_device_id("roof-01") && is_device_id("A.b_c:1"));
        for wrong in ["", "a/b", "a b", "ä", "a#", "a+b", &"x".repeat(129)] {
            assert!(!is_device_id(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_body_says_how_a_device_proves_itself() {
        let spec = |body: Value| DeviceSpec::from_rest("d", &body);
        let key = STANDARD.encode([7; 32]);
        let sas = spec(json!({"deviceId": "d", "status": "disabled", "statusReason": "stolen", "authentication":
            {"type": "sas", "symmetricKey": {"primaryKey": key, "secondaryKey": key}}}))
        .expect("a device");
        assert!(!sas.is_enabled && sas.status_reason.as_deref() == Some("stolen"));
        assert_eq!(sas.authentication.expect("keys").keys()[0].expect("a key").expose_secret(), &[7; 32]);
        // Nothing said of keys: they are made.
        assert!(spec(json!({"authentication": {"type": "sas"}})).expect("a device").authentication.is_none());
        let print = "a".repeat(40);
        let signed = spec(json!({"authentication": {"type": "selfSigned", "x509Thumbprint":
            {"primaryThumbprint": print, "secondaryThumbprint": null}}}))
        .expect("a device");
        assert_eq!(signed.authentication.expect("a print").thumbprints()[0].expect("one").as_str(), "A".repeat(40));
        let authority = spec(json!({"authentication": {"type": "certificateAuthority"}})).expect("a device");
        assert_eq!(authority.authentication.expect("told").kind(), "certificateAuthority");
    }

    #[test]
    fn a_wrong_body_is_told_what_is_wrong() {
        let key = STANDARD.encode([7; 32]);
        for (body, word) in [
            (json!([]), "object"),
            (json!({"deviceId": "e"}), "deviceId"),
            (json!({"status": "asleep"}), "asleep"),
            (json!({"statusReason": "x".repeat(129)}), "128"),
            (json!({"authentication": {"type": "oauth"}}), "oauth"),
            (json!({"authentication": {"symmetricKey": {"primaryKey": key}}}), "both"),
            (json!({"authentication": {"symmetricKey": {"primaryKey": "%", "secondaryKey": key}}}), "primaryKey"),
            (json!({"authentication": {"type": "selfSigned"}}), "thumbprint"),
            (
                json!({"authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "abc"}}}),
                "primaryThumbprint",
            ),
        ] {
            let error = DeviceSpec::from_rest("d", &body).expect_err("refused");
            assert!(error.contains(word), "{body}: {error}");
        }
    }

    #[test]
    fn thumbprints_are_read_as_openssl_prints_them() {
        let print = Thumbprint::parse("ab:CD:00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff 01 02").expect("SHA-1");
        assert_eq!(print.as_str(), "ABCD00112233445566778899AABBCCDDEEFF0102");
        assert!(Thumbprint::parse(&"f".repeat(64)).is_some());
        assert!(Thumbprint::parse(&"g".repeat(40)).is_none() && Thumbprint::parse("ab").is_none());
    }
}
