//! TLS to the hub: whom it trusts, and the device's own certificate.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::settings::{Credentials, Roots, UplinkSettings, read_pem};
use crate::clock::certificate::validity;
use crate::settings::SecretReference;
use crate::station::text::printable;

/// A device's certificate as it was read.
pub(super) struct Identity {
    chain_pem: Vec<u8>,
    key_pem: SecretString,
    chain: Vec<CertificateDer<'static>>,
    /// When the first certificate of the chain ends.
    pub(super) ends_at: Option<Timestamp>,
}

/// The device's certificate, read from its files where it lies in some; `None` for a key.
pub(super) fn identity(credentials: &Credentials) -> Result<Option<Identity>, String> {
    let (chain_pem, key_pem) = match credentials {
        Credentials::Key(_) => return Ok(None),
        Credentials::Certificate { chain_pem, key_pem } => (chain_pem.clone(), key_pem.clone()),
        Credentials::CertificateFiles { chain, key } => {
            let pem =
                read_pem(chain).map_err(|reason| format!("the device's certificate {}: {reason}", chain.display()))?;
            let key = SecretReference::File(key.clone()).resolve();
            (pem, key.map_err(|error| format!("the certificate's key: {error}"))?)
        }
    };
    let chain = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the device's certificate isn't PEM: {}", printable(&error.to_string())))?;
    if chain.is_empty() {
        return Err("the device's certificate: none in the file; name a PEM file with the chain".into());
    }
    // What is wrong with the key is told before any connection is tried. Its text isn't: it may show a part of it.
    PrivateKeyDer::from_pem_slice(key_pem.expose_secret().as_bytes())
        .map_err(|_| "the certificate's key isn't a PEM private key; name the file with -----BEGIN PRIVATE KEY-----")?;
    let ends_at = chain.iter().filter_map(|certificate| validity(certificate)).map(|(_, end)| end).min();
    Ok(Some(Identity { chain_pem, key_pem, chain, ends_at }))
}

/// The TLS configuration, kept for as long as what it was made of is the same: a kept one resumes sessions, which
/// makes the next handshake short, and parses the system's certificates once.
#[derive(Default)]
pub(super) struct Tls(Mutex<Option<([u8; 32], Arc<ClientConfig>)>>);

impl Tls {
    pub(super) fn config(
        &self,
        settings: &UplinkSettings,
        identity: Option<&Identity>,
    ) -> Result<Arc<ClientConfig>, String> {
        let print = fingerprint(&settings.roots, identity);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = kept.as_ref().filter(|(of, _)| *of == print) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(make(&settings.roots, identity)?);
        *kept = Some((print, Arc::clone(&config)));
        Ok(config)
    }

    /// Makes it anew the next time: the system's certificates may have been renewed.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A configuration of its own, for who speaks to the hub beside the link.
pub(in crate::edge_agent) fn client_config(settings: &UplinkSettings) -> Result<ClientConfig, String> {
    make(&settings.roots, identity(&settings.credentials)?.as_ref())
}

/// For who fetches from the hub's own host with a link: trusts whom the link trusts, and shows no certificate.
pub(in crate::edge_agent) fn hubs_config(settings: &UplinkSettings) -> Result<ClientConfig, String> {
    make(&settings.roots, None)
}

/// For who speaks to others than the hub: trusts whom the system trusts, and shows no certificate. One that is never asked for
/// TLS trusts nobody.
pub(in crate::edge_agent) fn outside_config(is_tls: bool) -> Result<ClientConfig, String> {
    if is_tls {
        return make(&Roots::System, None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

fn fingerprint(roots: &Roots, identity: Option<&Identity>) -> [u8; 32] {
    let mut hash = Sha256::new();
    match roots {
        Roots::System => hash.update([0]),
        Roots::Pem(pem) => {
            hash.update([1]);
            hash.update((pem.len() as u64).to_be_bytes());
            hash.update(pem);
        }
    }
    if let Some(identity) = identity {
        hash.update((identity.chain_pem.len() as u64).to_be_bytes());
        hash.update(&identity.chain_pem);
        hash.update(identity.key_pem.expose_secret());
    }
    hash.finalize().into()
}

fn make(roots: &Roots, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let failed =
        |reason: String| format!("the hub's certificate authority can't be used: {reason}; check the PEM file");
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            // One that can't be read is no reason to do without the others.
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                return Err(
                    "the system has no certificates to trust; install its ca-certificates, or set link.ca".into()
                );
            }
        }
        Roots::Pem(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                store.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
            if store.is_empty() {
                return Err(failed("no certificate in it".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(store);
    let Some(identity) = identity else { return Ok(config.with_no_client_auth()) };
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose_secret().as_bytes())
        .map_err(|_| "the certificate's key isn't a PEM private key")?;
    config.with_client_auth_cert(identity.chain.clone(), key).map_err(|error| {
        format!(
            "the device's certificate can't be used: {}; check that the key is the certificate's own",
            printable(&error.to_string())
        )
    })
}

#[cfg(test)]
pub(super) mod samples {
    /// A self-signed certificate and its key, PEM, that ends in `year`.
    pub(crate) fn pair(year: i32) -> (String, String) {
        let mut params = rcgen::CertificateParams::new(vec!["roof-01".to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(year, 3, 9);
        let key = rcgen::KeyPair::generate().expect("a key");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::samples::pair;
    use super::*;

    #[test]
    fn a_renewed_file_is_read_and_a_readable_key_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        let files = Credentials::CertificateFiles { chain: chain.clone(), key: key.clone() };
        let write = |year: i32, mode: u32| {
            let (chain_pem, key_pem) = pair(year);
            std::fs::write(&chain, chain_pem).expect("written");
            std::fs::write(&key, key_pem).expect("written");
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        write(2046, 0o600);
        let first = identity(&files).expect("read").expect("one");
        assert_eq!(first.ends_at, Some("2046-03-09T00:00:00Z".parse().expect("a timestamp")));
        write(2061, 0o600);
        let second = identity(&files).expect("read").expect("one");
        assert_eq!(second.ends_at, Some("2061-03-09T00:00:00Z".parse().expect("a timestamp")));
        let root = Roots::Pem(first.chain_pem.clone());
        assert_ne!(fingerprint(&root, Some(&first)), fingerprint(&root, Some(&second)));
        write(2046, 0o640);
        assert!(identity(&files).err().expect("refused").contains("chmod 600"));
        write(2046, 0o600);
        std::fs::write(&chain, "rubbish").expect("written");
        assert!(identity(&files).err().expect("refused").contains("none in the file"));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_without_being_shown() {
        let ((chain, _), (_, key)) = (pair(2046), pair(2046));
        let credentials =
            Credentials::Certificate { chain_pem: chain.clone().into_bytes(), key_pem: key.clone().into() };
        let identity = identity(&credentials).expect("read").expect("one");
        let words = make(&Roots::Pem(chain.into_bytes()), Some(&identity)).expect_err("refused");
        assert!(words.contains("the certificate's own"), "{words}");
        assert!(key.lines().all(|line| !words.contains(line)), "{words}");
    }
}
