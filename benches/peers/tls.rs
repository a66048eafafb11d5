//! A certificate for mosquitto, and trust in those of others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::client::Outcome;

/// An authority and a certificate for `host` with its key, in `folder`.
pub fn make(folder: &Path, host: &str) -> Outcome<(PathBuf, PathBuf, PathBuf)> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(vec![host.to_owned()])?.signed_by(&key, &Issuer::new(authority, authority_key))?;
    let (ca, chain, private) = (folder.join("ca.pem"), folder.join("server.pem"), folder.join("server.key"));
    std::fs::write(&ca, authority_pem)?;
    std::fs::write(&chain, certificate.pem())?;
    std::fs::write(&private, key.serialize_pem())?;
    Ok((ca, chain, private))
}

/// TLS that trusts what `ca` has signed.
pub fn trusting(ca: &Path) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
