//! A camera in the network that answers a GET with one picture.

use std::path::Path;
use std::time::Duration;

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncWriteExt;

use super::MAX_BYTES;
use crate::edge_agent::files::chain;
use crate::edge_agent::uplink;
use crate::settings::SecretReference;
use crate::station::text::printable;

/// Longest time for a picture, from the first word to the last.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the camera is, and how it is signed in to. The password is read anew for each picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::edge_agent) struct Snapshot {
    url: String,
    signed_in: Option<(String, SecretReference)>,
}

impl Snapshot {
    pub const fn new(url: String, signed_in: Option<(String, SecretReference)>) -> Self {
        Self { url, signed_in }
    }

    /// The camera's host: what of the URL can be told. A path or query may hold a password.
    pub fn host(&self) -> String {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        printable(rest.split(['/', '?', '#']).next().unwrap_or_default())
    }

    /// Writes the picture to `draft`.
    pub async fn take(&self, draft: &Path) -> Result<(), String> {
        match tokio::time::timeout(TIMEOUT, self.fetch(draft)).await {
            Ok(taken) => taken.map_err(|words| format!("camera {}: {words}", self.host())),
            Err(_) => Err(format!("camera {}: it took longer than {} s", self.host(), TIMEOUT.as_secs())),
        }
    }

    async fn fetch(&self, draft: &Path) -> Result<(), String> {
        let client = Client::builder()
            .tls_backend_preconfigured(uplink::outside_config(self.url.starts_with("https:"))?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("skydeck/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| chain(&error))?;
        let mut request = client.get(&self.url);
        if let Some((user, password)) = &self.signed_in {
            let password: SecretString = password.resolve().map_err(|error| format!("camera.password: {error}"))?;
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        // The URL may hold a password in its query.
        let said = |error: reqwest::Error| chain(&error.without_url());
        let mut response = request.send().await.map_err(said)?;
        let status = response.status();
        if !status.is_success() {
            let wants =
                response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let wants_digest = wants.to_ascii_lowercase().starts_with("digest");
            return Err(format!("{status}; {}", next_step(status, wants_digest)));
        }
        let mut file = tokio::fs::File::create(draft).await.map_err(|error| format!("{error}; check the disk"))?;
        let mut left = MAX_BYTES;
        while let Some(chunk) = response.chunk().await.map_err(said)? {
            left = left
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| format!("it sends more than {MAX_BYTES} bytes; a snapshot is wanted, not a stream"))?;
            file.write_all(&chunk).await.map_err(|error| format!("{error}; check the disk"))?;
        }
        file.flush().await.map_err(|error| format!("{error}; check the disk"))
    }
}

fn next_step(status: StatusCode, wants_digest: bool) -> &'static str {
    match status.as_u16() {
        401 if wants_digest => {
            "it wants HTTP's Digest scheme, which isn't spoken here; set it to Basic, or set camera.command to a program that speaks it"
        }
        401 | 403 => "check camera.user and camera.password",
        404 => "check the path of camera.url",
        300..=399 => "it leads elsewhere; set camera.url to where the picture is",
        _ => "tried again with the next picture",
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A camera that answers each request with the next of `answers`; sends what it was asked.
    async fn camera(answers: Vec<Vec<u8>>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}/shot.jpg?pwd=hunter2", listener.local_addr().expect("an address"));
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.expect("a request");
                asked.push(String::from_utf8_lossy(&head[..read]).into_owned());
                // The reader may have had enough.
                let _ = stream.write_all(&answer).await;
            }
            asked
        });
        (url, asked)
    }

    #[tokio::test]
    async fn a_picture_is_fetched_signed_in_within_limits_and_without_a_secret_in_words() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let draft = folder.path().join("draft");
        let secret = folder.path().join("password");
        std::fs::write(&secret, "hunter3\n").expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&secret, mode).expect("private");
        let too_much = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![0; 40 * 1024 * 1024]].concat();
        let (url, asked) = camera(vec![
            b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\npicture".to_vec(),
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"x\"\r\nContent-Length: 0\r\n\r\n".to_vec(),
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n".to_vec(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\ncut off".to_vec(),
            too_much,
        ])
        .await;
        let reference = format!("file:{}", secret.display()).parse().expect("a reference");
        let snapshot = Snapshot::new(url, Some(("ada".to_owned(), reference)));
        snapshot.take(&draft).await.expect("a picture");
        assert_eq!(std::fs::read_to_string(&draft).expect("read"), "picture");
        let mut words = Vec::new();
        for _ in 0..4 {
            words.push(snapshot.take(&draft).await.expect_err("no picture"));
        }
        let asked = asked.await.expect("answered");
        // base64 of ada:hunter3
        assert!(
            asked[0].to_ascii_lowercase().contains("authorization: basic ") && asked[0].contains("YWRhOmh1bnRlcjM=")
        );
        for (words, wanted) in words.iter().zip(["Digest", "leads elsewhere", "", "a snapshot is wanted, not a stream"])
        {
            assert!(words.starts_with("camera 127.0.0.1:") && words.contains(wanted), "{words}");
            assert!(!words.contains("hunter"), "{words}");
        }
    }
}
