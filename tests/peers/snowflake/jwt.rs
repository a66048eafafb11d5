//! Who may sign in by a key: signature, issuer with the key's fingerprint, subject and life are checked as Snowflake does.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const PUBLIC: &str = include_str!("../../fixtures/snowflake/key.pub.b64");
/// Bytes of a 2048-bit public key's DER before the part that ring takes (PKCS#1).
const HEAD: usize = 24;

fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// The user's private key.
pub fn plain_key() -> String {
    pem("PRIVATE KEY", include_str!("../../fixtures/snowflake/key.p8.b64"))
}

/// The same, under the passphrase `open-sesame`.
pub fn encrypted_key() -> String {
    pem("ENCRYPTED PRIVATE KEY", include_str!("../../fixtures/snowflake/key.encrypted.p8.b64"))
}

/// The same in a form that can't sign in.
pub fn pkcs1_key() -> String {
    pem("RSA PRIVATE KEY", include_str!("../../fixtures/snowflake/key.pkcs1.b64"))
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Whether `token` lets `user` into `account` at `now`. Why it doesn't isn't told, as Snowflake doesn't.
pub fn check(token: &str, account: &str, user: &str, now: jiff::Timestamp) -> Result<(), String> {
    judge(token, account, user, now)
        .map_err(|_| "JWT token is invalid. [0a1b2c3d-0000-4000-8000-000000000000]".to_owned())
}

fn judge(token: &str, account: &str, user: &str, now: jiff::Timestamp) -> Result<(), String> {
    let refused = |why: &str| why.to_owned();
    let parts: Vec<_> = token.split('.').collect();
    let [head, payload, signature] = parts[..] else { return Err(refused("not three parts")) };
    let (Some(head_json), Some(claims)) = (json(head), json(payload)) else { return Err(refused("no JSON")) };
    if head_json["alg"] != "RS256" {
        return Err(refused("not RS256"));
    }
    let public = STANDARD.decode(PUBLIC.replace('\n', "")).expect("the fixture is base64");
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused("signature"))?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public[HEAD..])
        .verify(format!("{head}.{payload}").as_bytes(), &signature)
        .map_err(|_| refused("signature"))?;
    let fingerprint = STANDARD.encode(Sha256::digest(&public));
    let who = format!("{}.{}", account.to_uppercase(), user.to_uppercase());
    if claims["iss"] != format!("{who}.SHA256:{fingerprint}") {
        return Err(refused("issuer or fingerprint"));
    }
    if claims["sub"] != who {
        return Err(refused("subject"));
    }
    let now = now.as_second();
    let (issued, ends) = (claims["iat"].as_i64().unwrap_or(0), claims["exp"].as_i64().unwrap_or(0));
    let is_live = (now - 60..=now + 60).contains(&issued) && ends > now && ends - issued <= 3600;
    if is_live { Ok(()) } else { Err(refused("life")) }
}
