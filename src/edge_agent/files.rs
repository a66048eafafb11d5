//! IoT Hub's file upload, as a device does it: asks where to, puts the blob there, says how it went.
//!
//! A small blob is put whole, a large one in [`blocks`], each of which waits for its turn in the [`lane`].

mod blocks;
mod lane;

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use percent_encoding::utf8_percent_encode;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use self::blocks::{BLOCK, Progress};
pub(super) use self::lane::Lane;
use super::camera::Captured;
use super::uplink::{self, Credentials, Roots, UplinkSettings, sas};
use crate::clock::wall;
use crate::station::text::printable;

const API: &str = "api-version=2021-04-12";
/// How long a token for one upload is good.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest time without a byte in either direction.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for a request, the picture's own bytes included.
const TIMEOUT: Duration = Duration::from_secs(900);
/// Longest answer that is read, bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Why an upload failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UploadError {
    pub words: String,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// Where the hub says that the blob goes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    correlation_id: String,
    host_name: String,
    container_name: String,
    blob_name: String,
    #[serde(deserialize_with = "secret")]
    sas_token: SecretString,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// A file that is uploaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cargo<'a> {
    /// The blob's name, without the device's.
    pub name: &'a str,
    pub file: &'a Path,
    pub bytes: u64,
    pub content_type: &'static str,
    /// Where it is kept how much of it is in the storage already.
    pub sent: &'a Path,
}

/// Where the storage takes a blob.
struct Target {
    client: Client,
    /// Host, container and blob, for people and for what is kept.
    place: String,
    host: String,
    /// With the token: never to be shown.
    url: SecretString,
}

/// Uploads files as one device.
pub(super) struct FileUpload {
    client: Client,
    base: String,
    hub_host_name: String,
    device_id: String,
    /// Absent where the certificate of the connection says who it is.
    key: Option<SecretString>,
    link: UplinkSettings,
}

impl FileUpload {
    /// Uses the credentials and certificates of the link.
    pub fn new(link: &UplinkSettings) -> Result<Self, String> {
        let client = client(link)?;
        let device = utf8_percent_encode(&link.device_id, uplink::topic::ENCODED);
        let host = link.url_host();
        Ok(Self {
            client,
            base: format!("https://{host}:{}/devices/{device}", link.https_port),
            hub_host_name: link.hub_host_name.clone(),
            device_id: link.device_id.clone(),
            key: key(link),
            link: link.clone(),
        })
    }

    /// Uploads a file; answers the blob's whole name. One that was cut off goes on where it stopped.
    pub async fn upload(&self, cargo: Cargo<'_>, lane: &mut Lane) -> Result<Captured, UploadError> {
        lane.ready().await;
        let asked = self.post("files", &json!({ "blobName": cargo.name })).await?;
        let place: Place = serde_json::from_slice(&asked).map_err(|error| {
            failed(format!("{}: not an answer to a file upload: {}", self.base, printable(&error.to_string())))
        })?;
        let put = self.put(&place, cargo, lane).await;
        let (status, description) = match &put {
            Ok(status) => (status.as_u16(), "uploaded".to_owned()),
            Err((status, error)) => (status.map_or(500, |status| status.as_u16()), error.words.clone()),
        };
        let told = json!({
            "correlationId": place.correlation_id,
            "isSuccess": put.is_ok(),
            "statusCode": status,
            "statusDescription": description,
        });
        let notified = self.post("files/notifications", &told).await;
        put.map_err(|(_, error)| error)?;
        notified?;
        Ok(Captured { blob_name: place.blob_name, bytes: cargo.bytes })
    }

    fn target(&self, place: &Place) -> Result<Target, String> {
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if place.host_name.is_empty() || !place.host_name.chars().all(is_host) {
            let host = printable(&place.host_name);
            return Err(format!("{host:?} isn't a storage's host; check the hub's file upload"));
        }
        let segments = |path: &str| {
            let parts = path.split('/').map(|part| utf8_percent_encode(part, uplink::topic::ENCODED).to_string());
            parts.collect::<Vec<_>>().join("/")
        };
        let token = place.sas_token.expose_secret();
        let token = token.strip_prefix('?').unwrap_or(token);
        let (container, blob) = (segments(&place.container_name), segments(&place.blob_name));
        let name = format!("{}/{container}/{blob}", place.host_name);
        Ok(Target {
            client: self.storage_client(&place.host_name)?,
            url: SecretString::from(format!("https://{name}?{token}")),
            host: place.host_name.clone(),
            place: name,
        })
    }

    async fn put(
        &self,
        place: &Place,
        cargo: Cargo<'_>,
        lane: &mut Lane,
    ) -> Result<StatusCode, (Option<StatusCode>, UploadError)> {
        let target = self.target(place).map_err(|words| (None, failed(words)))?;
        let unread = |error: std::io::Error| (None, failed(format!("the picture can't be read: {error}")));
        let mut file = tokio::fs::File::open(cargo.file).await.map_err(unread)?;
        if cargo.bytes <= BLOCK {
            lane.turn(cargo.bytes).await;
            let request = target.client.put(target.url.expose_secret()).header("x-ms-blob-type", "BlockBlob");
            let request = request.header(CONTENT_TYPE, cargo.content_type).header(CONTENT_LENGTH, cargo.bytes);
            return target.send(request.body(file)).await;
        }
        let mut progress = Progress::read(cargo.sent, &target.place);
        let count = blocks::count(cargo.bytes);
        file.seek(SeekFrom::Start(progress.blocks.min(count) * BLOCK)).await.map_err(unread)?;
        while progress.blocks < count {
            let bytes = BLOCK.min(cargo.bytes - progress.blocks * BLOCK);
            lane.turn(bytes).await;
            let mut block = vec![0; usize::try_from(bytes).unwrap_or_default()];
            file.read_exact(&mut block).await.map_err(unread)?;
            let id = utf8_percent_encode(&blocks::id(progress.blocks), uplink::topic::ENCODED).to_string();
            let url = format!("{}&comp=block&blockid={id}", target.url.expose_secret());
            target.send(target.client.put(url).body(block)).await?;
            progress.blocks += 1;
            progress.write(cargo.sent);
        }
        let url = format!("{}&comp=blocklist", target.url.expose_secret());
        let request = target.client.put(url).header("x-ms-blob-content-type", cargo.content_type);
        let made = target.send(request.body(blocks::list(count))).await;
        if matches!(&made, Err((Some(status), _)) if status.is_client_error()) {
            // The storage has forgotten blocks, or had others: all of it goes up anew.
            drop(std::fs::remove_file(cargo.sent));
        }
        made
    }

    /// A storage that isn't on the hub's own host is a public one: it is trusted by whom the system trusts, and isn't shown
    /// the device's certificate.
    fn storage_client(&self, host: &str) -> Result<Client, String> {
        let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
        if name.trim_matches(['[', ']']) == self.link.host {
            return Ok(self.client.clone());
        }
        let credentials = Credentials::Key(SecretString::default());
        client(&UplinkSettings { credentials, roots: Roots::System, ..self.link.clone() })
    }

    async fn post(&self, what: &str, body: &Value) -> Result<Vec<u8>, UploadError> {
        let mut request =
            self.client.post(format!("{}/{what}?{API}", self.base)).header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            let expires = wall::now().checked_add(TOKEN_LIFE).map_err(|error| failed(error.to_string()))?;
            let token = sas::token(&self.hub_host_name, &self.device_id, key, expires);
            request = request.header(AUTHORIZATION, token.map_err(|e| failed(e.to_string()))?.expose_secret());
        }
        let hub = format!("hub {}", self.hub_host_name);
        let sent = request.body(body.to_string()).send().await;
        let response = sent.map_err(|error| failed(format!("{hub}: {}; tried again", chain(&error.without_url()))))?;
        read(response, &hub).await
    }
}

impl Target {
    async fn send(&self, request: RequestBuilder) -> Result<StatusCode, (Option<StatusCode>, UploadError)> {
        let storage = format!("storage {}", self.host);
        match request.send().await {
            Ok(response) => {
                let status = response.status();
                read(response, &storage).await.map(|_| status).map_err(|error| (Some(status), error))
            }
            // The URL holds the storage's token.
            Err(error) => Err((None, failed(format!("{storage}: {}; tried again", chain(&error.without_url()))))),
        }
    }
}

/// The answer's body, if it is a success.
async fn read(mut response: Response, server: &str) -> Result<Vec<u8>, UploadError> {
    let status = response.status();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let retry_after = seconds.map(Duration::from_secs).map(|wait| wait.min(MAX_RETRY_AFTER));
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Ok(Some(_)) => return Err(failed(format!("{server}: answers more than {MAX_ANSWER} bytes"))),
            Err(error) => return Err(failed(format!("{server}: {}; tried again", chain(&error.without_url())))),
        }
    }
    if status.is_success() {
        return Ok(body);
    }
    let said = printable(&String::from_utf8_lossy(&body)).chars().take(200).collect::<String>();
    let step = match status.as_u16() {
        401 | 403 => "check the device's credentials and this machine's clock",
        404 => "check that the device is registered and that the hub has a storage for file upload",
        429 | 503 => "it is busy; tried again when it says",
        _ => "tried again",
    };
    Err(UploadError { words: format!("{server}: {status}: {said}; {step}"), retry_after })
}

const fn failed(words: String) -> UploadError {
    UploadError { words, retry_after: None }
}

/// An error with its causes, printable.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    printable(&words)
}

fn client(link: &UplinkSettings) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(uplink::client_config(link)?)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("skydeck/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("no HTTPS client can be made: {}", chain(&error)))
}

fn key(link: &UplinkSettings) -> Option<SecretString> {
    match &link.credentials {
        Credentials::Key(key) => Some(key.clone()),
        _ => None,
    }
}
