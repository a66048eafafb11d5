//! What is done to files: a page of an outbox overwritten, certificates made.

use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rusqlite::Connection;

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

/// Writes a certificate for `device`, signed by the authority at `authority`, that ends `days` from now (it may have
/// ended), with its key. Authority and key are made where they aren't there yet.
pub fn certify(authority: &Path, certificate: &Path, key: &Path, device: &str, days: i64) -> Result<(), String> {
    let words = |error: rcgen::Error| error.to_string();
    let io = |error: std::io::Error| error.to_string();
    let signs = key_at(&key.with_extension("authority.key"))?;
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, "agents");
    if !authority.exists() {
        let mut folders = std::fs::DirBuilder::new();
        folders.recursive(true).mode(0o700).create(authority.parent().ok_or("a folder")?).map_err(io)?;
        std::fs::write(authority, parameters.self_signed(&signs).map_err(words)?.pem()).map_err(io)?;
    }
    let issuer = Issuer::new(parameters, signs);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, device);
    parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let day = Duration::from_secs(86_400);
    let begins = SystemTime::now() - 300 * day;
    parameters.not_before = begins.into();
    parameters.not_after = (begins + u32::try_from(300 + days).map_err(|error| error.to_string())? * day).into();
    let made = parameters.signed_by(&key_at(key)?, &issuer).map_err(words)?;
    write_private(certificate, &made.pem()).map_err(io)
}

/// The key at `path`, made where there is none.
fn key_at(path: &Path) -> Result<KeyPair, String> {
    if let Ok(pem) = std::fs::read_to_string(path) {
        return KeyPair::from_pem(&pem).map_err(|error| error.to_string());
    }
    let pair = KeyPair::generate().map_err(|error| error.to_string())?;
    write_private(path, &pair.serialize_pem()).map_err(|error| error.to_string())?;
    Ok(pair)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let next = path.with_extension("next");
    std::fs::write(&next, text)?;
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(next, path)
}
