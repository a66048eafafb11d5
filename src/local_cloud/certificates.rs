//! The hub's certificates.
//!
//! A certificate authority is made at first start and kept in the hub's folder: `ca.pem`, which devices are
//! given, and `ca-key.pem`, which only the owner may read. It lasts 20 years and is made anew at a start
//! within 30 days of its end. The certificate the hub itself shows is issued from it at each start and every
//! 30 days while it runs, for 90 days, and never touches the disk.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

use super::device_certificates::AnyCertificate;

/// The authority's life, years.
const CA_YEARS: i32 = 20;
/// Days before its end within which the authority is replaced.
const RENEW_BEFORE_DAYS: i64 = 30;
/// The hub's certificate's life, days.
const SERVER_DAYS: i64 = 90;
/// How often the hub issues itself a new one while it runs.
pub(super) const REISSUE_EVERY: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// A certificate that can't be made, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct CertificateError {
    /// The file.
    path: PathBuf,
    /// What is wrong, with the next step.
    reason: String,
}

/// The certificate authority in a hub's folder.
pub(super) struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    path: PathBuf,
}

impl Authority {
    /// Reads the authority in `folder`, or makes it where there is none or it is about to end.
    pub(super) fn load_or_make(folder: &Path, now: Timestamp) -> Result<Self, CertificateError> {
        let (path, key_path) = (folder.join("ca.pem"), folder.join("ca-key.pem"));
        if path.exists() && key_path.exists() {
            let authority = Self::read(&path, &key_path)?;
            if !ends_soon(&authority.der, now) {
                return Ok(authority);
            }
            tracing::warn!(path = %path.display(), "the hub's certificate authority ends soon: a new one is made; give the new file to devices outside this machine");
        }
        Self::make(path, &key_path, now, date(now).saturating_add(CA_YEARS.years()))
    }

    fn read(path: &Path, key_path: &Path) -> Result<Self, CertificateError> {
        let pem = fs::read_to_string(path).map_err(|error| failed(path, &error))?;
        let key_pem = fs::read_to_string(key_path).map_err(|error| failed(key_path, &error))?;
        let broken = |path: &Path, reason: String| CertificateError {
            path: path.to_owned(),
            reason: format!("{reason}; delete ca.pem and ca-key.pem, and new ones are made at the next start"),
        };
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| broken(path, error.to_string()))?;
        let key = KeyPair::from_pem(&key_pem).map_err(|error| broken(key_path, error.to_string()))?;
        Ok(Self { pem, der, issuer: Issuer::new(params(), key), path: path.to_owned() })
    }

    fn make(path: PathBuf, key_path: &Path, now: Timestamp, until: Date) -> Result<Self, CertificateError> {
        let rcgen = |error: rcgen::Error| failed(&path, &error);
        let key = KeyPair::generate().map_err(rcgen)?;
        let mut params = params();
        set_validity(&mut params, now, until);
        let certificate = params.self_signed(&key).map_err(rcgen)?;
        // The key first: a certificate without its key is made anew.
        write(key_path, &key.serialize_pem())?;
        write(&path, &certificate.pem())?;
        let der = certificate.der().clone();
        Ok(Self { pem: certificate.pem(), der, issuer: Issuer::new(params, key), path })
    }

    /// The authority's certificate, for devices.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Issues a certificate for a hub that is reached at loopback, at `listen` and by `host_name`, and makes
    /// the TLS configuration that shows it and asks devices for theirs.
    pub(super) fn issue(
        &self,
        listen: IpAddr,
        host_name: &str,
        now: Timestamp,
    ) -> Result<Arc<rustls::ServerConfig>, CertificateError> {
        let rcgen = |error: rcgen::Error| failed(&self.path, &error);
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), host_name.to_owned()];
        if !listen.is_unspecified() {
            names.push(listen.to_string());
        }
        let mut params = CertificateParams::new(names).map_err(rcgen)?;
        params.distinguished_name = named("skydeck hub");
        set_validity(&mut params, now, date(now).saturating_add(SERVER_DAYS.days()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(rcgen)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(rcgen)?;
        let chain = vec![certificate.der().clone(), self.der.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_client_cert_verifier(verifier).with_single_cert(chain, key))
            .map(Arc::new)
            .map_err(|error| failed(&self.path, &error))
    }
}

fn ends_soon(certificate: &CertificateDer<'_>, now: Timestamp) -> bool {
    let margin = SignedDuration::from_hours(24 * RENEW_BEFORE_DAYS);
    crate::clock::certificate::validity(certificate).is_none_or(|(_, end)| end.duration_since(now) < margin)
}

/// The authority as it always is but for its dates: what it signs must name it the same way at each start.
fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("skydeck local hub authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// Year, month and day as rcgen's dates are made of.
fn ymd(date: Date) -> (i32, u8, u8) {
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// Valid from the day before `now`, for devices whose clock is behind, to `until`.
fn set_validity(params: &mut CertificateParams, now: Timestamp, until: Date) {
    let (year, month, day) = ymd(date(now).saturating_sub(1.day()));
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = ymd(until);
    params.not_after = date_time_ymd(year, month, day);
}

fn failed(path: &Path, error: &dyn std::error::Error) -> CertificateError {
    let reason = format!("{error}; check that the folder is writable and the file readable");
    CertificateError { path: path.to_owned(), reason }
}

/// Writes a file that only the owner may read, whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), CertificateError> {
    super::private::write(path, text.as_bytes()).map_err(|error| failed(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_stays_and_its_key_is_the_owners_alone() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let now = Timestamp::now();
        let first = Authority::load_or_make(folder.path(), now).expect("made");
        let again = Authority::load_or_make(folder.path(), now).expect("read");
        assert_eq!(first.pem(), again.pem());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("ca-key.pem")).expect("exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        again.issue(IpAddr::from([127, 0, 0, 1]), "skydeck-hub", now).expect("issues");
    }

    #[test]
    fn an_authority_near_its_end_is_replaced() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let now = Timestamp::now();
        let (path, key_path) = (folder.path().join("ca.pem"), folder.path().join("ca-key.pem"));
        let make = |days: i64| {
            Authority::make(path.clone(), &key_path, now, date(now).saturating_add(days.days())).expect("made")
        };
        let fresh = make(33);
        assert_eq!(Authority::load_or_make(folder.path(), now).expect("read").pem(), fresh.pem());
        let old = make(29);
        assert_ne!(Authority::load_or_make(folder.path(), now).expect("made").pem(), old.pem());
    }

    #[test]
    fn a_broken_file_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().expect("temporary folder");
        Authority::load_or_make(folder.path(), Timestamp::now()).expect("made");
        fs::write(folder.path().join("ca-key.pem"), "rubbish").expect("writes");
        let Err(error) = Authority::load_or_make(folder.path(), Timestamp::now()) else { panic!("rubbish was read") };
        let text = error.to_string();
        assert!(text.contains("ca-key.pem") && text.contains("delete"), "{text}");
    }
}
