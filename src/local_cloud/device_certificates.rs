//! Certificates that devices show: asked for, not demanded, and judged once a device has said who it is.
//!
//! TLS alone proves that the device has the certificate's private key. Whether the certificate is the device's is a
//! matter of its thumbprint, or of an authority in the hub's folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use sha2::Digest;

use super::registry::Thumbprint;
use crate::clock::certificate as der;

/// Folder of the authorities of devices' certificates, in the hub's.
pub(super) const AUTHORITIES: &str = "device-ca";

/// Takes any certificate whose private key the device has.
#[derive(Debug)]
pub(super) struct AnyCertificate(pub(super) Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Any: devices shouldn't keep theirs back.
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        // Judged at CONNECT, which says whose it should be.
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether `certificate` has this thumbprint: SHA-1 or SHA-256 of it, by the thumbprint's length.
pub(super) fn has_thumbprint(certificate: &CertificateDer<'_>, print: &Thumbprint) -> bool {
    let digest = match print.as_str().len() {
        40 => hex(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref()),
        _ => hex(&sha2::Sha256::digest(certificate)),
    };
    digest == print.as_str()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether a certificate is valid at `now`; says why not.
pub(super) fn check_dates(certificate: &CertificateDer<'_>, now: Timestamp) -> Result<(), String> {
    let (begin, end) = der::validity(certificate).ok_or("its certificate can't be read")?;
    if now < begin {
        return Err(format!("its certificate isn't valid before {begin}, and it is {now} here"));
    }
    if now > end {
        return Err(format!("its certificate has expired: it was valid until {end}"));
    }
    Ok(())
}

/// Whether `chain`, the device's own certificate first, is of `device_id` and leads to an authority in the hub's
/// `folder` at `now`; says why not. Reads files.
pub(super) fn check_chain(
    folder: &Path,
    chain: &[CertificateDer<'static>],
    device_id: &str,
    now: Timestamp,
) -> Result<(), String> {
    let (own, intermediates) = chain.split_first().ok_or("it showed no certificate")?;
    check_dates(own, now)?;
    match der::common_name(own) {
        Some(name) if name == device_id => {}
        Some(name) => {
            return Err(format!("its certificate is {}'s", crate::station::text::printable(&name)));
        }
        None => return Err("its certificate has no common name".into()),
    }
    let authorities = authorities(&folder.join(AUTHORITIES))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
        .build()
        .map_err(|error| format!("no authority of devices can be used: {error}"))?;
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_second().max(0).unsigned_abs()));
    verifier
        .verify_client_cert(own, intermediates, now)
        .map(|_| ())
        .map_err(|error| format!("its certificate doesn't lead to an authority in {AUTHORITIES}: {error}"))
}

fn authorities(folder: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let files = fs::read_dir(folder).map_err(|error| {
        format!("{}: {error}; authorities of devices' certificates lie there as *.pem", folder.display())
    })?;
    for file in files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "pem")) {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read(&file).map_err(|error| failed(&error))?;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| failed(&error))?;
            store.add(certificate).map_err(|error| failed(&error))?;
        }
    }
    if store.is_empty() {
        return Err(format!("{}: no authority of devices' certificates lies there", folder.display()));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

    use super::*;

    fn named(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        (pem, Issuer::new(params, key))
    }

    fn device(params: CertificateParams, issuer: &Issuer<'static, KeyPair>) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        params.signed_by(&key, issuer).expect("a certificate").der().clone()
    }

    #[test]
    fn a_certificate_leads_to_an_authority_in_the_folder_or_is_refused_with_words() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let check = |certificate: &CertificateDer<'static>, now| {
            check_chain(folder.path(), std::slice::from_ref(certificate), "roof-01", now)
        };
        let (pem, issuer) = authority("house");
        let (_, stranger) = authority("stranger");
        let now = Timestamp::now();
        let mut params = named("roof-01");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        let good = device(params.clone(), &issuer);
        assert!(check(&good, now).expect_err("no folder").contains("device-ca"));
        fs::create_dir(folder.path().join(AUTHORITIES)).expect("made");
        assert!(check(&good, now).expect_err("an empty folder").contains("no authority"));
        fs::write(folder.path().join(AUTHORITIES).join("house.pem"), pem).expect("written");
        fs::write(folder.path().join(AUTHORITIES).join("readme.txt"), "not one").expect("written");
        check(&good, now).expect("good");
        let other = device(named("roof-02"), &issuer);
        assert!(check(&other, now).expect_err("another's").contains("roof-02"));
        let wrong = device(params, &stranger);
        assert!(check(&wrong, now).expect_err("a stranger's").contains("doesn't lead"));
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        assert!(
            check(&good, at("2019-12-31T00:00:00Z")).expect_err("too early").contains("isn't valid before 2020-01")
        );
        assert!(check(&good, at("2090-01-02T00:00:00Z")).expect_err("too late").contains("expired"));
    }

    #[test]
    fn thumbprints_are_digests_of_the_certificate() {
        // Digests of "abc" (FIPS 180-2, appendices A.1 and B.1).
        let certificate = CertificateDer::from(b"abc".to_vec());
        let print = |text: &str| Thumbprint::parse(text).expect("a thumbprint");
        assert!(has_thumbprint(&certificate, &print("a9993e364706816aba3e25717850c26c9cd0d89d")));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(has_thumbprint(&certificate, &print(sha256)));
        assert!(!has_thumbprint(&certificate, &print(&"0".repeat(40))));
    }
}
