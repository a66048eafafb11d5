//! Who may connect: user name, and a shared access signature (Microsoft's *Control access to IoT Hub using SAS*) or a
//! certificate.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use rmqtt_codec::v3::{Connect, ConnectAckReason};
use rustls::pki_types::CertificateDer;
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::Hub;
use super::shared::Shared;
use crate::local_cloud::device_certificates::{check_chain, check_dates, has_thumbprint};
use crate::local_cloud::registry::{Authentication, DeviceIdentity, is_device_id};
use crate::station::text::printable;

/// How IoT Hub describes a device that signed in with its key.
const BY_KEY: &str = r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#;
/// And one that signed in with a certificate.
const BY_CERTIFICATE: &str = r#"{"scope":"device","type":"x509","issuer":"external","acceptingIpFilterRule":null}"#;

/// Why a device isn't let in: the return code it gets, and the words for the log.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: ConnectAckReason,
    pub(super) reason: String,
}

fn refusal(code: ConnectAckReason, reason: impl Into<String>) -> Refusal {
    Refusal { code, reason: reason.into() }
}

/// A device that is let in.
pub(super) struct Admitted {
    pub(super) device: DeviceIdentity,
    /// How it proved who it is, in IoT Hub's words.
    pub(super) auth_method: &'static str,
    /// How long its token is still good for; absent where it has none.
    pub(super) signed_for: Option<Duration>,
}

/// Lets a device in, or says why not. `certificates` are what it showed, its own first.
pub(super) async fn check(
    connect: &Connect,
    certificates: &[CertificateDer<'static>],
    shared: &Shared,
) -> Result<Admitted, Refusal> {
    use ConnectAckReason::{BadUserNameOrPassword, IdentifierRejected, NotAuthorized, ServiceUnavailable};
    let host_name = shared.host_name.as_str();
    let device_id: &str = &connect.client_id;
    if !is_device_id(device_id) {
        return Err(refusal(IdentifierRejected, "the client id is no device id"));
    }
    if !connect.username.as_deref().is_some_and(|name| is_username(name, host_name, device_id)) {
        let given = printable(connect.username.as_deref().unwrap_or("none"));
        return Err(refusal(
            BadUserNameOrPassword,
            format!("the user name must be {host_name}/{device_id}/?api-version=…, not {given}"),
        ));
    }
    let password = connect.password.as_deref().filter(|password| !password.is_empty());
    let signature = match password {
        Some(password) => {
            let signature = str::from_utf8(password).ok().and_then(Signature::parse);
            let wrong = || refusal(BadUserNameOrPassword, "the password is no shared access signature");
            Some(signature.ok_or_else(wrong)?)
        }
        None if certificates.is_empty() => {
            return Err(refusal(BadUserNameOrPassword, "it has neither a password nor a certificate"));
        }
        None => None,
    };
    let device = shared.registry.get(device_id).await;
    let device = device.map_err(|error| refusal(ServiceUnavailable, error.to_string()))?;
    admit(device, signature.as_ref(), certificates, shared).await.map_err(|why| refusal(NotAuthorized, why))
}

/// Lets a device in by its signature, or its certificates where it has none; says why not.
async fn admit(
    device: Option<DeviceIdentity>,
    signature: Option<&Signature<'_>>,
    certificates: &[CertificateDer<'static>],
    shared: &Shared,
) -> Result<Admitted, String> {
    let device = device.ok_or("the device isn't registered")?;
    let now = shared.faults.wall_now();
    let auth_method = match signature {
        Some(signature) => {
            check_signature(signature, &shared.host_name, &device, now)?;
            BY_KEY
        }
        None => {
            check_certificates(certificates, &device, shared, now).await?;
            BY_CERTIFICATE
        }
    };
    if !device.is_enabled {
        let why = device.status_reason.as_deref().map_or_else(|| "no reason is given".into(), printable);
        return Err(format!("the device is disabled: {why}"));
    }
    // Not negative: it hasn't expired.
    let left = |signature: &Signature<'_>| signature.expires.duration_since(now).unsigned_abs();
    Ok(Admitted { device, auth_method, signed_for: signature.map(left) })
}

impl Hub {
    /// Lets a device that isn't on MQTT in, by its signature, or its certificates where it has none; says why not.
    pub(in crate::local_cloud) async fn admit_device(
        &self,
        device_id: &str,
        signature: Option<&Signature<'_>>,
        certificates: &[CertificateDer<'static>],
    ) -> Result<(), String> {
        let device = self.shared.registry.get(device_id).await.map_err(|error| error.to_string())?;
        admit(device, signature, certificates, &self.shared).await.map(|_| ())
    }
}

fn check_signature(
    signature: &Signature<'_>,
    host_name: &str,
    device: &DeviceIdentity,
    now: Timestamp,
) -> Result<(), String> {
    let [Some(primary), Some(secondary)] = device.authentication.keys() else {
        return Err("the device is registered to sign in with a certificate, and sent a token".into());
    };
    let keys = [primary.expose_secret().as_slice(), secondary.expose_secret().as_slice()];
    signature.verify_device(host_name, &device.device_id, &keys, now).map_err(str::to_owned)
}

async fn check_certificates(
    certificates: &[CertificateDer<'static>],
    device: &DeviceIdentity,
    shared: &Shared,
    now: Timestamp,
) -> Result<(), String> {
    match &device.authentication {
        Authentication::Sas { .. } => Err("the device is registered to sign in with a key, and sent no token".into()),
        _ if certificates.is_empty() => Err("it showed no certificate".into()),
        Authentication::SelfSigned { .. } => {
            let own = &certificates[0];
            let mut prints = device.authentication.thumbprints().into_iter().flatten();
            if !prints.any(|print| has_thumbprint(own, print)) {
                return Err("its certificate has another thumbprint than those it is registered with".into());
            }
            check_dates(own, now)
        }
        Authentication::CertificateAuthority => {
            let (folder, id, chain) = (shared.folder.clone(), device.device_id.clone(), certificates.to_vec());
            tokio::task::spawn_blocking(move || check_chain(&folder, &chain, &id, now))
                .await
                .map_err(|_| "the hub is ending".to_owned())?
        }
    }
}

/// `{host}/{device}/?api-version=…`; the host in any case.
fn is_username(name: &str, host_name: &str, device_id: &str) -> bool {
    let Some((host, rest)) = name.split_once('/') else { return false };
    host.eq_ignore_ascii_case(host_name)
        && rest.strip_prefix(device_id).is_some_and(|rest| rest.starts_with("/?api-version="))
}

/// A parsed `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]`.
pub(in crate::local_cloud) struct Signature<'a> {
    /// The resource as it was signed: URL-encoded.
    resource: &'a str,
    /// The expiry as it was signed.
    expiry: &'a str,
    expires: Timestamp,
    mac: Vec<u8>,
    policy: Option<&'a str>,
}

impl<'a> Signature<'a> {
    pub(in crate::local_cloud) fn parse(text: &'a str) -> Option<Self> {
        let [mut resource, mut mac, mut expiry, mut policy] = [None; 4];
        for pair in text.strip_prefix("SharedAccessSignature ")?.split('&') {
            let (name, value) = pair.split_once('=')?;
            let field = match name {
                "sr" => &mut resource,
                "sig" => &mut mac,
                "se" => &mut expiry,
                "skn" => &mut policy,
                _ => return None,
            };
            if field.replace(value).is_some() {
                return None;
            }
        }
        let expiry = expiry?;
        let mac = percent_decode_str(mac?).decode_utf8().ok()?;
        Some(Self {
            resource: resource?,
            expires: Timestamp::from_second(expiry.parse().ok()?).ok()?,
            expiry,
            mac: STANDARD.decode(mac.as_bytes()).ok()?,
            policy: policy.filter(|name| !name.is_empty()),
        })
    }

    /// The policy whose key it is made with; none for a device's own.
    pub(in crate::local_cloud) const fn policy(&self) -> Option<&'a str> {
        self.policy
    }

    /// Whether a device made it for itself with one of its `keys`.
    fn verify_device(
        &self,
        host_name: &str,
        device_id: &str,
        keys: &[&[u8]],
        now: Timestamp,
    ) -> Result<(), &'static str> {
        if self.policy.is_some() {
            return Err("the token is a policy's; devices have to use their own keys here");
        }
        let is_own = |resource: &str| {
            resource.split_once('/').is_some_and(|(host, rest)| {
                host.eq_ignore_ascii_case(host_name) && rest.strip_prefix("devices/") == Some(device_id)
            })
        };
        self.verify_any(keys, is_own, now)
    }

    /// Whether it is for a resource of its maker's, made with one of `keys`, and valid at `now`; says why not.
    pub(in crate::local_cloud) fn verify_any(
        &self,
        keys: &[&[u8]],
        is_own: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let resource = percent_decode_str(self.resource).decode_utf8().map_err(|_| "the resource isn't UTF-8")?;
        if !is_own(&resource) {
            return Err("the token is for another resource");
        }
        let is_signed = keys.iter().any(|key| {
            Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mut mac| {
                mac.update(self.resource.as_bytes());
                mac.update(b"\n");
                mac.update(self.expiry.as_bytes());
                // In constant time.
                mac.verify_slice(&self.mac).is_ok()
            })
        });
        if !is_signed {
            return Err("the signature is wrong: made with another key");
        }
        if self.expires <= now {
            return Err("the token has expired; check the clock of who made it");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"01234567890123456789012345678901";
    // Computed with Python's hmac and urllib.parse.quote for the key above and se=1700000000.
    const TOKEN: &str = "SharedAccessSignature sr=skydeck-hub.local%2Fdevices%2Froof-01\
        &sig=nKmrL31i6NwbbmYzw3ajli6k%2BWmpI2RdR1rLvCBf75o%3D&se=1700000000";

    fn before() -> Timestamp {
        Timestamp::from_second(1_699_999_999).expect("in range")
    }

    #[test]
    fn a_token_of_another_implementation_is_accepted_until_it_ends() {
        let signature = Signature::parse(TOKEN).expect("a token");
        signature.verify_device("skydeck-hub.local", "roof-01", &[KEY], before()).expect("accepted");
        signature.verify_device("SKYDECK-hub.local", "roof-01", &[KEY], before()).expect("hosts have no case");
        let end = Timestamp::from_second(1_700_000_000).expect("in range");
        assert!(
            signature
                .verify_device("skydeck-hub.local", "roof-01", &[b"other", KEY], end)
                .expect_err("expired")
                .contains("expired")
        );
    }

    #[test]
    fn a_token_for_anybody_else_is_refused() {
        let signature = Signature::parse(TOKEN).expect("a token");
        for (host, device, key) in [
            ("other.local", "roof-01", KEY),
            ("skydeck-hub.local", "roof-02", KEY),
            ("skydeck-hub.local", "roof-0", KEY),
            ("skydeck-hub.local", "roof-01", b"another".as_slice()),
        ] {
            signature.verify_device(host, device, &[key], before()).expect_err("refused");
        }
        let longer = TOKEN.replace("se=1700000000", "se=1800000000");
        let longer = Signature::parse(&longer).expect("a token");
        longer.verify_device("skydeck-hub.local", "roof-01", &[KEY], before()).expect_err("the end is signed too");
        let policy = format!("{TOKEN}&skn=device");
        let policy = Signature::parse(&policy).expect("a token");
        policy.verify_device("skydeck-hub.local", "roof-01", &[KEY], before()).expect_err("a policy's");
    }

    #[test]
    fn rubbish_is_no_signature() {
        for text in [
            "",
            "SharedAccessSignature",
            "SharedAccessSignature ",
            "sharedaccesssignature sr=a&sig=YQ%3D%3D&se=1",
            "SharedAccessSignature sr=a&sig=YQ%3D%3D",
            "SharedAccessSignature sr=a&se=1",
            "SharedAccessSignature sig=YQ%3D%3D&se=1",
            "SharedAccessSignature sr=a&sig=YQ%3D%3D&se=never",
            "SharedAccessSignature sr=a&sig=YQ%3D%3D&se=99999999999999999999",
            "SharedAccessSignature sr=a&sig=***&se=1",
            "SharedAccessSignature sr=a&sr=b&sig=YQ%3D%3D&se=1",
            "SharedAccessSignature sr=a&sig=YQ%3D%3D&se=1&more=1",
        ] {
            assert!(Signature::parse(text).is_none(), "{text}");
        }
        assert!(Signature::parse("SharedAccessSignature sr=a&sig=YQ%3D%3D&se=1").is_some());
    }

    #[test]
    fn the_user_name_names_host_and_device() {
        assert!(is_username("hub/d/?api-version=2021-04-12&DeviceClientType=py", "HUB", "d"));
        for wrong in ["hub/d", "hub/d/", "hub/dd/?api-version=1", "other/d/?api-version=1", "d", ""] {
            assert!(!is_username(wrong, "hub", "d"), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "(SharedAccessSignature )?(sr|sig|se|skn|=|&|%|[a-zA-Z0-9/]|.)*") {
            if let Some(signature) = Signature::parse(&text) {
                assert!(signature.verify_device("hub", "d", &[KEY], before()).is_err());
            }
        }
    }
}
