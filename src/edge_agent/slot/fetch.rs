//! Fetches a package: in pieces, each asked for by its range, hashed as they come.
//!
//! What is there already isn't fetched again. A link is a secret: it is in no words, and no redirect is followed with it.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use rand::Rng as _;
use reqwest::header::{CONTENT_RANGE, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Store;
use crate::edge_agent::files::chain;
use crate::edge_agent::uplink::{self, UplinkSettings};
use crate::nowcast::package::{MAX_PACKAGE, hex};
use crate::station::text::printable;

/// Bytes that are asked for at a time: what a cut costs at most.
const PIECE: u64 = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest time without a byte.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The shortest and the longest wait between attempts.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(60);
/// Attempts without a byte after which it is given up: at the longest wait, about twenty minutes.
const MAX_ATTEMPTS: u32 = 24;
/// Longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Why a package can't be fetched.
#[derive(Debug)]
enum Trouble {
    /// It may go better later.
    Passing { words: String, retry_after: Option<Duration> },
    /// It won't, with this link.
    Lasting(String),
    /// It ends before what is here.
    Beyond,
}

/// A package that is to be fetched.
pub(in crate::edge_agent) struct Fetch<'a> {
    pub store: &'a Store,
    pub sha256: &'a str,
    pub url: &'a SecretString,
    /// The link to the hub, for whom its host is trusted by; absent without one.
    pub link: Option<&'a UplinkSettings>,
}

/// How far it is: bytes that are there, and of how many where that is known.
pub(in crate::edge_agent) type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// The client and the address, told apart from the secret in it.
struct Way {
    client: Client,
    url: Url,
    /// For people.
    host: String,
}

/// A link that may be followed: `https`, or `http` to this machine, as a storage emulator has it.
pub(in crate::edge_agent) fn check_url(url: &SecretString) -> Result<(), String> {
    parsed(url).map(drop)
}

fn parsed(url: &SecretString) -> Result<Url, String> {
    let url = Url::parse(url.expose_secret()).map_err(|_| "url: it isn't a URL".to_owned())?;
    let host = url.host_str().ok_or("url: it names no host")?;
    let bare = host.trim_matches(['[', ']']);
    let is_here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("url: a name or password before the host isn't taken; give a link with a shared access signature"
                .to_owned())
        }
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        _ => Err("url: only https is fetched from, or http on this machine".to_owned()),
    }
}

impl Fetch<'_> {
    /// Fetches the package and puts it into the store. Tries for as long as it may still succeed. Fails in words.
    pub async fn run(&self, progress: Progress<'_>) -> Result<(), String> {
        let way = self.way()?;
        let part = self.store.part(self.sha256);
        let (mut backoff, mut attempts) = (FIRST_BACKOFF, 0);
        loop {
            let before = size(&part).await;
            let trouble = match self.go_on(&way, &part, progress).await {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            let (words, retry_after) = match trouble {
                Trouble::Lasting(words) => return Err(words),
                Trouble::Passing { words, retry_after } => (words, retry_after),
                Trouble::Beyond => return Err("the package is empty; check the link and deploy it again".to_owned()),
            };
            if size(&part).await > before {
                (backoff, attempts) = (FIRST_BACKOFF, 0);
            }
            attempts += 1;
            if attempts >= MAX_ATTEMPTS {
                return Err(format!("{words}; given up after {attempts} attempts; deploy it again to go on"));
            }
            tracing::warn!(target: "agent", "a model is fetched: {words}; tried again");
            let jittered = backoff.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::time::sleep(retry_after.unwrap_or(jittered)).await;
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    }

    fn way(&self) -> Result<Way, String> {
        let url = parsed(self.url)?;
        let bare = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        // The local hub's storage is on its own host, under its own authority. It isn't shown the device's certificate.
        let own = self.link.filter(|link| link.host == bare);
        let config = match own {
            Some(link) => uplink::hubs_config(link)?,
            None => uplink::outside_config(url.scheme() == "https")?,
        };
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("skydeck/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("no HTTP client can be made: {}", chain(&error)))?;
        Ok(Way { client, host: printable(url.host_str().unwrap_or_default()), url })
    }

    /// Goes on where the part ends, to its end.
    async fn go_on(&self, way: &Way, part: &Path, progress: Progress<'_>) -> Result<(), Trouble> {
        let (mut file, mut hash, mut there) = open(part).await.map_err(|error| self.unwritable(part, &error))?;
        let resumed = there;
        // A crash may have come between the last byte and the package's name.
        if resumed > 0 && hex(&hash.clone().finalize()) == self.sha256 {
            return self.finish(file, part).await;
        }
        let mut total = None;
        while total.is_none_or(|total| there < total) {
            let mut piece = match way.ask(there).await {
                Err(Trouble::Beyond) if there > 0 => {
                    return Err(self.begin_anew(part, "it is shorter than what is here").await);
                }
                asked => asked?,
            };
            if total.is_none_or(|total| total != piece.total) {
                self.store.check_room(piece.total.saturating_sub(there)).map_err(Trouble::Lasting)?;
            }
            if total.replace(piece.total).is_some_and(|before| before != piece.total) || piece.total < there {
                return Err(self.begin_anew(part, "it has another size than before").await);
            }
            progress(there, total);
            let cut = loop {
                match piece.next().await {
                    Ok(Some(chunk)) => {
                        file.write_all(&chunk).await.map_err(|error| self.unwritable(part, &error))?;
                        hash.update(&chunk);
                        there += chunk.len() as u64;
                    }
                    Ok(None) => break None,
                    Err(trouble) => break Some(trouble),
                }
            };
            // What came before a cut is gone on from.
            file.flush().await.map_err(|error| self.unwritable(part, &error))?;
            progress(there, total);
            if let Some(trouble) = cut {
                return Err(trouble);
            }
        }
        if hex(&hash.finalize()) != self.sha256 {
            let words = "what was fetched hasn't the digest that was named";
            let trouble = self.begin_anew(part, words).await;
            // What lay there from before may be what is wrong.
            let again = Trouble::Lasting(format!("{words}; check sha256 and the link, and deploy it again"));
            return Err(if resumed > 0 { trouble } else { again });
        }
        self.finish(file, part).await
    }

    async fn finish(&self, file: File, part: &Path) -> Result<(), Trouble> {
        file.sync_all().await.map_err(|error| self.unwritable(part, &error))?;
        drop(file);
        let (store, sha256) = (self.store.clone(), self.sha256.to_owned());
        let finished = tokio::task::spawn_blocking(move || store.finish(&sha256)).await;
        match finished {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.unwritable(part, &error)),
            Err(error) => Err(Trouble::Lasting(format!("it couldn't be put into its place: {error}"))),
        }
    }

    async fn begin_anew(&self, part: &Path, words: &str) -> Trouble {
        // Where it stays, the next attempt comes here again.
        drop(tokio::fs::remove_file(part).await);
        Trouble::Passing { words: format!("{words}; it is fetched from the beginning"), retry_after: None }
    }

    /// A disk that is full is given back what was fetched: measurements need it.
    fn unwritable(&self, part: &Path, error: &io::Error) -> Trouble {
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            drop(std::fs::remove_file(part));
            let words = "the disk is full; free some space and deploy it again";
            return Trouble::Lasting(words.to_owned());
        }
        let folder = self.store.folder().display();
        Trouble::Lasting(format!("{folder}: {error}; check that the folder can be written and deploy it again"))
    }
}

/// The part with a hash of what is in it, and how much that is.
async fn open(part: &Path) -> io::Result<(File, Sha256, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(part).await?;
    let (mut hash, mut there) = (Sha256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok((file, hash, there)),
            read => {
                hash.update(&buffer[..read]);
                there += read as u64;
            }
        }
    }
}

async fn size(part: &Path) -> u64 {
    tokio::fs::metadata(part).await.map_or(0, |meta| meta.len())
}

/// A piece on its way.
struct Piece {
    response: Response,
    host: String,
    /// Bytes of the piece that may still come.
    left: u64,
    /// Bytes of the whole.
    total: u64,
}

impl Piece {
    async fn next(&mut self) -> Result<Option<bytes::Bytes>, Trouble> {
        match self.response.chunk().await {
            Ok(Some(chunk)) => {
                self.left = self.left.checked_sub(chunk.len() as u64).ok_or_else(|| {
                    Trouble::Lasting(format!("storage {}: it sends more than was asked for", self.host))
                })?;
                Ok(Some(chunk))
            }
            Ok(None) if self.left > 0 => Err(passing(format!("storage {}: it broke off", self.host))),
            Ok(None) => Ok(None),
            Err(error) => Err(passing(format!("storage {}: {}", self.host, chain(&error.without_url())))),
        }
    }
}

impl Way {
    /// Asks for a piece that begins at `from`.
    async fn ask(&self, from: u64) -> Result<Piece, Trouble> {
        let range = format!("bytes={from}-{}", from + PIECE - 1);
        let asked = self.client.get(self.url.clone()).header(RANGE, &range).header("x-ms-range", &range);
        let response = asked.send().await;
        // The URL holds the storage's token.
        let response =
            response.map_err(|error| passing(format!("storage {}: {}", self.host, chain(&error.without_url()))))?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT => header(CONTENT_RANGE).and_then(|range| total_from(range, from)),
            // A storage without ranges gives all of it.
            StatusCode::OK if from == 0 => response.content_length(),
            _ => return Err(self.refusal(&response)),
        };
        let total = total.ok_or_else(|| {
            Trouble::Lasting(format!("storage {}: it doesn't say how large the package is", self.host))
        })?;
        if total > MAX_PACKAGE {
            let words = format!("storage {}: {total} bytes; a package has at most {MAX_PACKAGE}", self.host);
            return Err(Trouble::Lasting(words));
        }
        let left = if response.status() == StatusCode::OK { total } else { PIECE.min(total.saturating_sub(from)) };
        Ok(Piece { response, host: self.host.clone(), left, total })
    }

    fn refusal(&self, response: &Response) -> Trouble {
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        // The answer's body may repeat what was asked.
        let code = header("x-ms-error-code").map(|code| format!(" {}", printable(code))).unwrap_or_default();
        let said = |step: &str| format!("storage {}: {status}{code}; {step}", self.host);
        match status.as_u16() {
            401 | 403 => {
                Trouble::Lasting(said("the link isn't good any more, or never was; deploy it again with a new one"))
            }
            404 => Trouble::Lasting(said("the package isn't there; publish it and deploy it again")),
            416 => Trouble::Beyond,
            300..=399 => Trouble::Lasting(said("it leads elsewhere; give the link of the package itself")),
            400..=499 if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::REQUEST_TIMEOUT => {
                Trouble::Lasting(said("check the link"))
            }
            _ => {
                let seconds = header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
                let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
                Trouble::Passing { words: said("it is busy"), retry_after }
            }
        }
    }
}

/// The whole's size in `bytes FROM-LAST/TOTAL`.
fn total_from(range: &str, from: u64) -> Option<u64> {
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    (first.parse() == Ok(from)).then(|| total.parse().ok()).flatten()
}

const fn passing(words: String) -> Trouble {
    Trouble::Passing { words, retry_after: None }
}
