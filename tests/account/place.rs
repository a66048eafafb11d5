//! Settings of an account, and a watcher of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use skydeck::clock::Clock;
use skydeck::ingestion::account::{AccountStatus, AccountWatcher};
use skydeck::settings::AzureSettings;

use super::azurite::{ACCOUNT, sign};

/// An account's signature that reads and writes blobs and queues for `hours` from now on, which may be in the past.
pub fn signature(hours: i64) -> String {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let signature = sign(&format!("{ACCOUNT}\nrwdlacup\nbq\nsco\n\n{end}\n\nhttps,http\n2023-11-03\n\n"));
    let signature = percent_encoding::utf8_percent_encode(&signature, percent_encoding::NON_ALPHANUMERIC);
    format!("sv=2023-11-03&ss=bq&srt=sco&sp=rwdlacup&se={end}&spr=https,http&sig={signature}")
}

/// A secret in a file that nobody else may read; its reference.
pub fn secret(folder: &Path, text: &str) -> String {
    let path = folder.join("storage.sas");
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("restricted");
    format!("file:{}", path.display())
}

/// Settings of an account that answers at `port`, opened by `signature`.
pub fn settings(port: u16, folder: &Path, signature: &str) -> AzureSettings {
    AzureSettings {
        storage_account: Some(ACCOUNT.to_owned()),
        blob_url: Some(format!("http://127.0.0.1:{port}/{ACCOUNT}")),
        storage_sas: Some(secret(folder, signature)),
        containers: "json-blob-messages".to_owned(),
        ..AzureSettings::default()
    }
}

pub fn watcher(settings: &AzureSettings) -> AccountWatcher {
    AccountWatcher::open(settings, None, 300, Clock::wall()).expect("opens").expect("an account")
}

/// How the account stands.
pub async fn look(settings: &AzureSettings) -> AccountStatus {
    let watcher = watcher(settings);
    let mut status = watcher.status();
    let running = tokio::spawn(watcher.run());
    let looked = tokio::time::timeout(Duration::from_secs(90), status.wait_for(|status| status.looked_at.is_some()));
    let found = looked.await.expect("looked at in time").expect("it runs").clone();
    running.abort();
    found
}
