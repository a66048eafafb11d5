//! Azurite, Microsoft's storage in one process, for the tests that talk to the real protocol.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Its account, and a key of this test's own.
pub const ACCOUNT: &str = "skydecktest";
pub const KEY: &[u8] = b"a key that opens nothing but a test's own Azurite";

pub struct Azurite {
    child: Child,
    pub port: u16,
    pub folder: tempfile::TempDir,
}

impl Azurite {
    /// Starts it on a free port. Where it isn't installed, says so; fails where it must be.
    pub async fn start() -> Option<Self> {
        let program = program();
        if !program.exists() {
            let words = "skipped: azurite not installed, run tests/peers/install.sh";
            assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
            eprintln!("{words}");
            return None;
        }
        let folder = tempfile::tempdir().expect("temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
        let child = spawn(folder.path(), port);
        let azurite = Self { child, port, folder };
        azurite.answers().await;
        Some(azurite)
    }

    /// The same folder and port again, after [`Azurite::end`].
    pub async fn restart(&mut self) {
        self.child = spawn(self.folder.path(), self.port);
        self.answers().await;
    }

    /// Ends it; it writes what it has down first.
    pub fn end(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("ended");
        self.child.wait().expect("ended");
    }

    /// The variables that lead to it, through `port`.
    pub fn variables(port: u16) -> Vec<(String, String)> {
        [
            ("AZURE_STORAGE_ENDPOINT", format!("http://127.0.0.1:{port}/{ACCOUNT}")),
            ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", STANDARD.encode(KEY)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The same with a SAS for `hours` from now on, which may be in the past, in the key's place.
    pub fn variables_with_sas(port: u16, hours: i64) -> Vec<(String, String)> {
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        let end = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let signature = sign(&format!("{ACCOUNT}\nrwdlac\nb\nsco\n\n{end}\n\nhttps,http\n2023-11-03\n\n"));
        let signature = percent_encoding::utf8_percent_encode(&signature, percent_encoding::NON_ALPHANUMERIC);
        let sas = format!("?sv=2023-11-03&ss=b&srt=sco&sp=rwdlac&se={end}&spr=https,http&sig={signature}");
        let mut variables = Self::variables(port);
        variables.retain(|(name, _)| name != "AZURE_STORAGE_ACCOUNT_KEY");
        variables.push(("AZURE_STORAGE_SAS_TOKEN".to_owned(), sas));
        variables
    }

    /// Makes a container, as `az storage container create` does.
    pub async fn make_container(&self, name: &str) {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let version = "2021-08-06";
        let signed = format!(
            "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        );
        let signature = sign(&signed);
        drop(rustls::crypto::ring::default_provider().install_default());
        let answer = reqwest::Client::new()
            .put(format!("http://127.0.0.1:{}/{ACCOUNT}/{name}?restype=container", self.port))
            .header("x-ms-date", date)
            .header("x-ms-version", version)
            .header("content-length", "0")
            .header("authorization", format!("SharedKey {ACCOUNT}:{signature}"))
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
    }

    async fn answers(&self) {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "azurite doesn't answer on port {}", self.port);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may have been killed by the test.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn sign(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("a key of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/node_modules/.bin/azurite-blob")
}

fn spawn(folder: &Path, port: u16) -> Child {
    Command::new(program())
        .args(["--skipApiVersionCheck", "--silent", "--disableTelemetry", "--blobHost", "127.0.0.1"])
        .args(["--blobPort", &port.to_string()])
        .arg("--location")
        .arg(folder)
        .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", STANDARD.encode(KEY)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("azurite starts")
}
