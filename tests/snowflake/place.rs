//! An account on the test server, and a watcher of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use skydeck::clock::Clock;
use skydeck::ingestion::warehouse::snowflake::{Account, WarehouseStatus, WatchedPipe, Watcher};
use skydeck::settings::{SnowflakeAuth, SnowflakeSettings};

use super::peer::Server;

/// How long anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The pipe of the measurements.
pub const PIPE: &str = "WEATHER_PIPE_DQ_STAGING";

/// A secret in a file that nobody else may read; its reference.
pub fn secret(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
    format!("file:{}", path.display())
}

/// Settings of the server's user, signing in by the key in `pem`.
pub fn settings(server: &Server, folder: &Path, pem: &str) -> SnowflakeSettings {
    let text = |text: &str| Some(text.to_owned());
    SnowflakeSettings {
        account: text("org-account"),
        base_url: Some(server.url()),
        user: text("SKYDECK_STAGING"),
        role: text("WEATHER_OPERATOR_STAGING"),
        warehouse: text("WEATHER_WHS_STAGING"),
        database: text("WEATHER_STAGING"),
        schema: text("DATAWAREHOUSE_STAGING"),
        auth: SnowflakeAuth::KeyPair,
        private_key: Some(secret(folder, "key.p8", pem)),
        ..SnowflakeSettings::default()
    }
}

/// A line as the hub writes it.
pub fn line(message: &str, measured: &str) -> String {
    format!(
        r#"{{"EnqueuedTimeUtc":"{measured}","Body":{{"type":"WeatherMeasurement","deviceId":"roof-01","messageId":"{message}","measuredAt":"{measured}"}}}}"#
    )
}

/// A watcher that runs until the place is dropped.
pub struct Place {
    pub server: Server,
    pub watcher: Watcher,
    _folder: tempfile::TempDir,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Place {
    /// On a server that `prepare` has made ready.
    pub async fn of(prepare: impl FnOnce(&Server)) -> Self {
        let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
        prepare(&server);
        let settings = settings(&server, folder.path(), &super::peer::plain_key());
        let account = Account::of(&settings).expect("complete").expect("an account");
        let watcher = Watcher::open(account, folder.path(), Clock::wall()).expect("opened");
        let running = tokio::spawn(watcher.clone().run());
        Self { server, watcher, _folder: folder, running }
    }

    /// Waits until the account stands so.
    pub async fn wait_for(&self, what: &str, is_so: impl Fn(&WarehouseStatus) -> bool) -> WarehouseStatus {
        let mut status = self.watcher.status();
        match tokio::time::timeout(PATIENCE, status.wait_for(|status| is_so(status))).await {
            Ok(Ok(status)) => status.clone(),
            _ => panic!("not seen: {what}; it is {:#?}", self.watcher.status().borrow().clone()),
        }
    }

    /// Waits until a round that begins now is over.
    pub async fn another_round(&self) {
        let asked = self.server.count("PIPE_STATUS");
        let pipes = self.server.lock().model.pipes.len();
        self.watcher.look_again();
        self.wait_for_count("PIPE_STATUS", asked + pipes).await;
    }

    /// Waits until statements with `part` in them came so often.
    pub async fn wait_for_count(&self, part: &str, count: usize) {
        let came = async {
            while self.server.count(part) < count {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, came).await;
        assert!(waited.is_ok(), "{part}: {} times and not {count}", self.server.count(part));
    }
}

/// A pipe of a status.
pub fn pipe<'a>(status: &'a WarehouseStatus, name: &str) -> Option<&'a WatchedPipe> {
    status.pipes.as_ref()?.get(name)
}

/// Whether a pipe's files and rows have been asked for.
pub fn has_rows(status: &WarehouseStatus) -> bool {
    status.wakes_today > 0 && pipe(status, PIPE).is_some_and(|pipe| pipe.rows.is_some() && pipe.files.is_some())
}
