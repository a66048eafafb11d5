//! A storage account over HTTPS, opened by Entra: Azurite with `--oauth basic`, and whoever is signed in with `az`.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

use crate::place::{PATIENCE, Place, Running};
use crate::skipping::skip;

const ACCOUNT: &str = "skydecktest";

/// Azurite, blobs and queues over HTTPS.
struct Account {
    child: Child,
    blobs: u16,
    queues: u16,
    client: Client,
    token: String,
}

impl Drop for Account {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port()
}

/// What Entra would give: Azurite looks at everything in it but its signature.
fn token() -> String {
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "aud": "https://storage.azure.com", "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "iat": now - 60, "nbf": now - 60, "exp": now + 3600, "ver": "1.0",
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims))
}

impl Account {
    async fn start(folder: &Path) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/node_modules/.bin/azurite");
        if !program.exists() {
            skip("azurite not installed, run tests/peers/install.sh");
            return None;
        }
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .and_then(|of| of.self_signed(&key))
            .expect("a certificate");
        std::fs::write(folder.join("account.pem"), certificate.pem()).expect("written");
        std::fs::write(folder.join("account.key"), key.serialize_pem()).expect("written");
        let (blobs, queues) = (free_port(), free_port());
        let child = Command::new(program)
            .args(["--skipApiVersionCheck", "--silent", "--disableTelemetry", "--oauth", "basic"])
            .args(["--blobHost", "127.0.0.1", "--queueHost", "127.0.0.1", "--tableHost", "127.0.0.1"])
            .args(["--blobPort", &blobs.to_string(), "--queuePort", &queues.to_string()])
            .args(["--tablePort", &free_port().to_string()])
            .arg("--cert")
            .arg(folder.join("account.pem"))
            .arg("--key")
            .arg(folder.join("account.key"))
            .arg("--location")
            .arg(folder.join("azurite"))
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", STANDARD.encode("a key of this test")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("azurite starts");
        drop(rustls::crypto::ring::default_provider().install_default());
        let root = Certificate::from_pem(certificate.pem().as_bytes()).expect("a certificate");
        let client = Client::builder().tls_certs_only([root]).build().expect("a client");
        let account = Self { child, blobs, queues, client, token: token() };
        let begun = Instant::now();
        for port in [blobs, queues] {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                assert!(begun.elapsed() < PATIENCE, "azurite doesn't answer on port {port}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        Some(account)
    }

    async fn send(&self, method: Method, port: u16, path: &str, body: &str) {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let request = self
            .client
            .request(method, format!("https://127.0.0.1:{port}/{ACCOUNT}/{path}"))
            .bearer_auth(&self.token)
            .header("x-ms-version", "2021-08-06")
            .header("x-ms-date", date)
            .header("x-ms-blob-type", "BlockBlob")
            .body(body.to_owned());
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status}: {}", answer.text().await.unwrap_or_default());
    }
}

fn write_settings(place: &Place, account: &Account) {
    let text = format!(
        "[azure]\nstorage_account = \"{ACCOUNT}\"\nblob_url = \"https://127.0.0.1:{}/{ACCOUNT}\"\n\
         queue_url = \"https://127.0.0.1:{}/{ACCOUNT}\"\nca = \"{}\"\nqueue = \"notices\"\ncontainers = \"json-blob-messages\"\n\
         credential = \"cli\"\n[alarms]\nhold_s = 0\n",
        account.blobs,
        account.queues,
        place.path().join("account.pem").display(),
    );
    place.write_settings("staging.toml", &text);
}

/// An owner of staging to whom `az` is this script.
fn owner(place: &Place, script: &str) -> Running {
    let folder = place.path().join("bin");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("az"), format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(folder.join("az"), std::fs::Permissions::from_mode(0o755)).expect("set");
    let mut command = place.command(&["run", "staging"]);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display()));
    let owner = Running::start(command);
    owner.wait_for("staging");
    owner
}

/// A stage, once it is as it should be.
fn stage(place: &Place, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let of = |found: &Value| {
        let stages = found["snapshot"]["stages"].as_array().cloned().unwrap_or_default();
        stages.into_iter().find(|stage| stage["name"] == name).unwrap_or_default()
    };
    of(&place.wait_for_json(&["--env", "staging", "status", "--json"], name, |found| is_so(&of(found))))
}

#[test]
fn a_storage_account_is_opened_by_whoever_is_signed_in() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let place = Place::new();
    let Some(account) = runtime.block_on(Account::start(place.path())) else { return };
    runtime.block_on(async {
        let today = jiff::Timestamp::now().strftime("%Y-%m-%d");
        let (put, post) = (Method::PUT, Method::POST);
        account.send(put.clone(), account.blobs, "json-blob-messages?restype=container", "").await;
        account.send(put.clone(), account.blobs, &format!("json-blob-messages/hub/00/{today}/14-00"), "{}\n").await;
        account.send(put, account.queues, "notices", "").await;
        let message = "<QueueMessage><MessageText>not base64 at all!</MessageText></QueueMessage>";
        account.send(post, account.queues, "notices/messages", message).await;
    });
    write_settings(&place, &account);

    let nobody = owner(&place, "echo 'ERROR: Please run az login to setup account.' >&2; exit 1");
    let blob = stage(&place, "blob", |stage| stage["lastError"].is_string());
    let words = blob["lastError"].as_str().unwrap_or_default();
    assert!(words.contains("Entra gives no token") && words.contains("az login"), "{words}");
    drop(nobody);

    let answer = json!({
        "accessToken": account.token, "expires_on": jiff::Timestamp::now().as_second() + 3600,
        "expiresOn": "2099-01-01 00:00:00.000000", "tenant": "t", "subscription": "s", "tokenType": "Bearer",
    });
    let somebody = owner(&place, &format!("cat <<'END'\n{answer}\nEND"));
    let blob = stage(&place, "blob", |stage| stage["headline"] == "1/h");
    assert_eq!(blob["lastError"], Value::Null, "{blob}");
    let event = stage(&place, "event", |stage| stage["headline"] == "1 queued");
    assert!(event["lastError"].as_str().is_some_and(|words| words.contains("base64")), "{event}");
    batches_are_read_and_a_notice_is_taken_off(&place);
    drop(somebody);
}

/// What somebody who is signed in sees of the account and does with it.
fn batches_are_read_and_a_notice_is_taken_off(place: &Place) {
    let run = |arguments: &[&str]| place.run(&[&["--env", "staging", "storage"], arguments].concat());
    let json = |arguments: &[&str]| place.json(&[&["--env", "staging", "--json", "storage"], arguments].concat());
    let listed = json(&[]);
    assert_eq!(listed["containers"][0]["newest"]["bytes"], 3, "{listed}");
    let poison = &listed["queue"]["poison"][0];
    assert_eq!(poison["content"], "not base64 at all!", "{listed}");
    let batch = json(&["list", "json-blob-messages"]);
    let name = batch["name"].as_str().expect("a batch");
    let line = json(&["lines", "json-blob-messages", name]);
    assert_eq!(line, json!({ "number": 1, "text": "{}" }));
    let other = run(&["list", "other"]);
    assert!(other.err().contains("azure.containers names json-blob-messages"), "{}", other.err());

    let id = poison["id"].as_str().expect("an id");
    let taken = run(&["take-poison", id]);
    assert_eq!(taken.code(), 0, "{}", taken.err());
    assert!(taken.out().contains("is kept in aside.db"), "{}", taken.out());
    stage(place, "event", |stage| stage["headline"] == "0 queued");
    let queue = json(&[])["queue"].clone();
    assert_eq!((&queue["poison"], &queue["aside"][0]["id"]), (&json!([]), &json!(id)), "{queue}");
    assert_eq!(queue["aside"][0]["content"], "not base64 at all!", "{queue}");
    let log = place.run(&["--env", "staging", "status", "logs"]);
    assert!(log.out().contains(&format!("notice {id} was taken off the queue")), "{}{}", log.out(), log.err());
    let again = run(&["take-poison", id]);
    assert!(again.code() != 0 && again.err().contains("not among the first 32"), "{}", again.err());
}
