//! The device's shared access signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::topic::ENCODED;

/// A device key that is none.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the device key isn't base64; copy the primary key of the device from the hub, without quotes or spaces")]
pub struct InvalidKey;

/// The token with which `device_id` signs in to `hub_host_name` until `expires` (wall clock), after
/// Microsoft's *Control access to IoT Hub using SAS*:
/// `SharedAccessSignature sr={resource}&sig={HMAC-SHA256(key, "resource\nexpiry")}&se={expiry}`, resource and
/// signature URL-encoded, the expiry in seconds since the epoch.
pub fn token(
    hub_host_name: &str,
    device_id: &str,
    key: &SecretString,
    expires: Timestamp,
) -> Result<SecretString, InvalidKey> {
    let resource = format!("{hub_host_name}/devices/{device_id}");
    let resource = utf8_percent_encode(&resource, ENCODED).to_string();
    let expiry = expires.as_second();
    let key = STANDARD.decode(key.expose_secret().trim()).map_err(|_| InvalidKey)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| InvalidKey)?;
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let signature = utf8_percent_encode(&signature, ENCODED);
    Ok(format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector was computed with Python's `hmac` and `urllib.parse.quote(…, safe='')`.
    #[test]
    fn the_token_is_the_one_another_implementation_computes() {
        let key = SecretString::from("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
        let expires = Timestamp::from_second(1_700_000_000).expect("in range");
        let token = token("skydeck-hub.local", "roof-01", &key, expires).expect("a key");
        assert_eq!(
            token.expose_secret(),
            "SharedAccessSignature sr=skydeck-hub.local%2Fdevices%2Froof-01\
             &sig=nKmrL31i6NwbbmYzw3ajli6k%2BWmpI2RdR1rLvCBf75o%3D&se=1700000000"
        );
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let key = SecretString::from("not base64!");
        let error = super::token("h", "d", &key, Timestamp::UNIX_EPOCH).expect_err("not base64");
        assert!(!error.to_string().contains("not base64!"));
        assert!(!format!("{error:?} {key:?}").contains("not base64!"));
    }
}
