//! Certificates of devices: their own, and an authority's.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use sha2::{Digest as _, Sha256};

/// Writes a self-signed certificate and its key into `folder`; answers how settings name them, and its thumbprint.
pub fn self_signed(folder: &Path) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let made = CertificateParams::default().self_signed(&key).expect("a certificate");
    let thumbprint = Sha256::digest(made.der()).iter().map(|byte| format!("{byte:02x}")).collect();
    (keep(folder, &made.pem(), &key), thumbprint)
}

/// Makes an authority that the hub in `hub` takes, and lets it sign a certificate for `device`; answers how settings
/// name it.
pub fn signed(hub: &Path, folder: &Path, device: &str) -> String {
    let authority_key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "fleet");
    let authority = params.self_signed(&authority_key).expect("a certificate");
    std::fs::create_dir_all(hub.join("device-ca")).expect("made");
    std::fs::write(hub.join("device-ca/fleet.pem"), authority.pem()).expect("written");
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, device);
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    keep(folder, &params.signed_by(&key, &issuer).expect("a certificate").pem(), &key)
}

fn keep(folder: &Path, pem: &str, key: &KeyPair) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let [certificate, private] = ["device.pem", "device-key.pem"].map(|name| folder.join(name));
    std::fs::write(&certificate, pem).expect("written");
    std::fs::write(&private, key.serialize_pem()).expect("written");
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o600)).expect("set");
    format!("certificate = {certificate:?}\ncertificate_key = {private:?}")
}
