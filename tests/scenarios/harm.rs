//! What is done to files: a page of an outbox overwritten, certificates made.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair};
use rusqlite::Connection;
use sha2::Digest as _;

/// Overwrites the leaf page that holds an outbox's first messages. Nobody may have it open.
pub fn damage(outbox: &Path) -> Result<(), String> {
    let words = |error: rusqlite::Error| format!("{}: {error}", outbox.display());
    let connection = Connection::open(outbox).map_err(words)?;
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(checkpoint, [], |row| row.get::<_, i64>(0)).map_err(words)?;
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'message'";
    let mut page: u32 = connection.query_row(root, [], |row| row.get(0)).map_err(words)?;
    let size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(words)?;
    drop(connection);
    let io = |error: std::io::Error| format!("{}: {error}", outbox.display());
    let at = |page: u32| u64::from(page - 1) * u64::from(size);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(outbox).map_err(io)?;
    let mut bytes = vec![0; usize::try_from(size).map_err(|error| error.to_string())?];
    loop {
        file.read_exact_at(&mut bytes, at(page)).map_err(io)?;
        match bytes[0] {
            // A table's inner page: its first cell begins with the page of the first leaf.
            // https://sqlite.org/fileformat.html#b_tree_pages
            0x05 => {
                let cell = usize::from(u16::from_be_bytes([bytes[12], bytes[13]]));
                let child = bytes.get(cell..cell + 4).and_then(|child| child.try_into().ok()).ok_or("no such cell")?;
                page = u32::from_be_bytes(child);
            }
            0x0d if bytes[3..5] != [0, 0] => break,
            _ => return Err(format!("{}: page {page} holds no messages", outbox.display())),
        }
    }
    file.write_all_at(&vec![0xA5; bytes.len()], at(page)).map_err(io)
}

/// Writes a self-signed certificate for `device` that ends `days` from now (it may have ended), with its key.
pub fn certify(certificate: &Path, key: &Path, device: &str, days: i64) -> Result<(), String> {
    let words = |error: rcgen::Error| error.to_string();
    // The key stays the same, as it does for whoever renews a certificate.
    let pair = match std::fs::read_to_string(key) {
        Ok(pem) => KeyPair::from_pem(&pem).map_err(words)?,
        Err(_) => KeyPair::generate().map_err(words)?,
    };
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, device);
    let day = |days: i64| {
        std::time::SystemTime::now() - std::time::Duration::from_secs(400 * 86_400)
            + std::time::Duration::from_secs(u64::try_from((400 + days) * 86_400).unwrap_or_default())
    };
    parameters.not_before = day(-300).into();
    parameters.not_after = day(days).into();
    let made = parameters.self_signed(&pair).map_err(words)?;
    let io = |error: std::io::Error| error.to_string();
    write_private(key, &pair.serialize_pem()).map_err(io)?;
    write_private(certificate, &made.pem()).map_err(io)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let next = path.with_extension("next");
    std::fs::write(&next, text)?;
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(next, path)
}

/// SHA-256 of a certificate's DER, hexadecimal.
pub fn thumbprint(certificate: &Path) -> Result<String, String> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let der = CertificateDer::from_pem_file(certificate).map_err(|error| error.to_string())?;
    Ok(sha2::Sha256::digest(&der).iter().map(|byte| format!("{byte:02X}")).collect())
}
