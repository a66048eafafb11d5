//! One container, read: what came lately, and the lines of a batch.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use object_store::azure::{AzureConfigKey, AzureCredential, MicrosoftAzureBuilder};
use object_store::client::{CredentialProvider, HttpClient, HttpConnector};
use object_store::path::Path as BlobPath;
use object_store::{ClientOptions, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::{AccountError, ENTRA};
use crate::ingestion::lines::{self, BlobLine, Place, Places};
use crate::ingestion::written::BatchFile;

/// Blobs that one look lists at most.
const MOST_BLOBS: usize = 50_000;
/// Folders above the days that one look goes through.
const MOST_FOLDERS: usize = 512;
/// How long a blob may send nothing.
const SILENCE: Duration = Duration::from_secs(20);
/// What Entra calls storage.
const SCOPE: &str = "https://storage.azure.com/.default";

/// By what right containers are read.
#[derive(Clone)]
pub(super) enum Right {
    Signature(SecretString),
    Entra(Arc<dyn TokenCredential>),
}

/// One container; clones share it.
#[derive(Debug, Clone)]
pub struct BatchStore {
    store: Arc<dyn ObjectStore>,
    what: String,
}

#[derive(Debug)]
struct Client(reqwest::Client);

impl HttpConnector for Client {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// Entra's tokens for storage, renewed by whoever gives them.
struct Tokens(Arc<dyn TokenCredential>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

#[async_trait::async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self.0.get_token(&[SCOPE], None).await;
        let token = token.map_err(|error| object_store::Error::Generic { store: ENTRA, source: error.into() })?;
        Ok(Arc::new(AzureCredential::BearerToken(token.token.secret().to_owned())))
    }
}

impl BatchStore {
    /// A container of an account; `url` where its blobs aren't at the account's own address.
    pub(super) fn open(
        account: &str,
        container: &str,
        url: Option<&str>,
        right: &Right,
        client: reqwest::Client,
    ) -> Result<Self, AccountError> {
        let what = format!("container {container} of {account}");
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(container)
            .with_http_connector(Client(client))
            .with_retry(RetryConfig {
                max_retries: 2,
                retry_timeout: Duration::from_secs(20),
                ..RetryConfig::default()
            });
        if let Some(url) = url {
            builder =
                builder.with_endpoint(url.trim_end_matches('/').to_owned()).with_allow_http(url.starts_with("http:"));
        }
        builder = match right {
            Right::Signature(sas) => {
                builder.with_config(AzureConfigKey::SasKey, sas.expose_secret().trim_start_matches('?').to_owned())
            }
            Right::Entra(credential) => builder.with_credentials(Arc::new(Tokens(Arc::clone(credential)))),
        };
        let store = builder.build().map_err(|error| AccountError::of_store(&what, &error))?;
        Ok(Self { store: Arc::new(store), what })
    }

    /// The blobs written at or after `since`, by name's day and written time, oldest first. Folders named after a day
    /// (`2026-01-31`), as the hub's file names and the pictures' have them, are gone into from the day of `since` on; a
    /// container without such folders is listed whole, up to 50,000 blobs.
    pub async fn since(&self, since: Timestamp) -> Result<Vec<BatchFile>, AccountError> {
        // A batch of the last minutes of a day may be named after it and written after.
        let first = since.checked_sub(SignedDuration::from_hours(1)).unwrap_or(since);
        let first = jiff::tz::TimeZone::UTC.to_datetime(first).date();
        let mut folders = vec![None::<BlobPath>];
        let (mut found, mut looked) = (Vec::new(), 0);
        while let Some(folder) = folders.pop() {
            looked += 1;
            if looked > MOST_FOLDERS {
                return Err(AccountError::new(
                    &self.what,
                    "more folders than can be looked through; is it one of batches?",
                ));
            }
            let listed = self.store.list_with_delimiter(folder.as_ref()).await;
            let listed = listed.map_err(|error| AccountError::of_store(&self.what, &error))?;
            found.extend(listed.objects.iter().filter_map(|meta| file(meta, since)));
            for inner in listed.common_prefixes {
                match inner.filename().map(str::parse::<Date>) {
                    Some(Ok(day)) if day < first => {}
                    Some(Ok(_)) => self.list(&inner, since, &mut found).await?,
                    _ => folders.push(Some(inner)),
                }
            }
        }
        found.sort_by(|a, b| (a.written_at, &a.name).cmp(&(b.written_at, &b.name)));
        Ok(found)
    }

    async fn list(&self, folder: &BlobPath, since: Timestamp, found: &mut Vec<BatchFile>) -> Result<(), AccountError> {
        let mut listed = self.store.list(Some(folder));
        while let Some(meta) = listed.try_next().await.map_err(|error| AccountError::of_store(&self.what, &error))? {
            found.extend(file(&meta, since));
            if found.len() > MOST_BLOBS {
                return Err(AccountError::new(&self.what, "more than 50,000 blobs in a day; look at fewer"));
            }
        }
        Ok(())
    }

    /// The lines of a batch from number `from` on (1 is the first), at most `count`. The batch passes by in pieces: of one
    /// of 100 MiB no more is held than what is answered. What `places` knows of it isn't read again to come to a page
    /// far into it.
    pub async fn lines(
        &self,
        name: &str,
        from: u64,
        count: usize,
        places: &Places,
    ) -> Result<Vec<BlobLine>, AccountError> {
        let what = self.what_of(name);
        let failed = |error: &object_store::Error| AccountError::of_store(&what, error);
        let path = self.path(name)?;
        let blob = format!("{}/{name}", self.what);
        let known = places.before(&blob, from);
        let mut start = known.as_ref().map_or(Place::FIRST, |(place, _)| *place);
        let from_there = known.filter(|(place, _)| place.offset > 0).map(|(place, version)| GetOptions {
            range: Some(GetRange::Offset(place.offset)),
            if_match: Some(version),
            ..GetOptions::default()
        });
        let got = match from_there {
            Some(there) => self.store.get_opts(&path, there).await,
            None => self.store.get(&path).await,
        };
        let got = match got {
            // It has been written anew since.
            Err(object_store::Error::Precondition { .. }) => {
                start = Place::FIRST;
                self.store.get(&path).await
            }
            got => got,
        };
        let got = got.map_err(|error| failed(&error))?;
        let version = got.meta.e_tag.clone();
        let read = lines::lines(got.into_stream(), start, from, count).await;
        let (found, last) = read.map_err(|error| failed(&error))?;
        if let (Some(version), Some(last)) = (version, last) {
            places.learn(&blob, &version, last);
        }
        Ok(found)
    }

    /// The first line of a batch that holds `text`.
    pub async fn find(&self, name: &str, text: &str) -> Result<Option<BlobLine>, AccountError> {
        let mut found = None;
        let failed = |error: object_store::Error| AccountError::of_store(&self.what_of(name), &error);
        let got = self.store.get(&self.path(name)?).await.map_err(failed)?;
        let looked = lines::scan(got.into_stream(), Place::FIRST, |place, line| {
            if line.contains(text) {
                found = Some(BlobLine { number: place.number, text: line.to_owned() });
            }
            found.is_none()
        });
        looked.await.map_err(failed)?;
        Ok(found)
    }

    /// A blob of at most `most` bytes, whole; `None` where it isn't in the container.
    pub(super) async fn read(&self, name: &str, most: usize) -> Result<Option<Bytes>, AccountError> {
        let Ok(path) = BlobPath::parse(name) else { return Ok(None) };
        let failed = |error: &object_store::Error| AccountError::of_store(&self.what, error);
        let silent = || {
            let words = format!("no answer for {} s; check the network and azure.proxy", SILENCE.as_secs());
            AccountError::new(&self.what, words)
        };
        let got = match tokio::time::timeout(SILENCE, self.store.get(&path)).await.map_err(|_| silent())? {
            Ok(got) => got,
            Err(error) if is_no_blob(&error) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        if got.meta.size > most as u64 {
            let words = format!("the blob has {} bytes; at most {most} are read", got.meta.size);
            return Err(AccountError::new(&self.what, words));
        }
        let mut whole = BytesMut::with_capacity(usize::try_from(got.meta.size).unwrap_or(0).min(most));
        let mut pieces = got.into_stream();
        // However slow it is, as long as something comes.
        while let Some(piece) = tokio::time::timeout(SILENCE, pieces.next()).await.map_err(|_| silent())? {
            let piece = piece.map_err(|error| failed(&error))?;
            if whole.len() + piece.len() > most {
                return Err(AccountError::new(&self.what, format!("the blob has more than {most} bytes")));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Some(whole.freeze()))
    }

    /// What a blob is called in errors.
    fn what_of(&self, name: &str) -> String {
        format!("blob {name} in {}", self.what)
    }

    fn path(&self, name: &str) -> Result<BlobPath, AccountError> {
        BlobPath::parse(name).map_err(|_| AccountError::new(&self.what_of(name), "no blob's name"))
    }
}

/// Whether it is the blob that isn't there, and not its container.
fn is_no_blob(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && !error.to_string().contains("ContainerNotFound")
}

fn file(meta: &ObjectMeta, since: Timestamp) -> Option<BatchFile> {
    let written_at = Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).ok()?;
    let name = meta.location.as_ref().to_owned();
    (written_at >= since).then_some(BatchFile { name, bytes: meta.size, written_at })
}

#[cfg(test)]
mod tests {
    use object_store::PutPayload;
    use object_store::memory::InMemory;

    use super::*;
    use crate::ingestion::lines::MOST_LINE;

    async fn store(blobs: &[(&str, Vec<u8>)]) -> BatchStore {
        let store = InMemory::new();
        for (name, content) in blobs {
            store.put(&BlobPath::from(*name), PutPayload::from(content.clone())).await.expect("written");
        }
        BatchStore { store: Arc::new(store), what: "container c of a".into() }
    }

    #[tokio::test]
    async fn days_before_the_first_aren_t_gone_into() {
        let now = Timestamp::now();
        let today = now.strftime("%Y-%m-%d").to_string();
        let (new, old) = (format!("hub/00/{today}/14-05"), "hub/00/2020-01-31/14-05");
        let store = store(&[(&new, b"x\n".to_vec()), (old, b"y\n".to_vec()), ("hub/01/notes", Vec::new())]).await;
        let hour_ago = now - SignedDuration::from_hours(1);
        let names: Vec<_> = store.since(hour_ago).await.expect("listed").into_iter().map(|file| file.name).collect();
        // The old day's blob was written just now, and is left out by its day.
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names.contains(&new) && names.contains(&"hub/01/notes".to_owned()), "{names:?}");
        assert!(store.since(now + SignedDuration::from_hours(1)).await.expect("listed").is_empty());
    }

    #[tokio::test]
    async fn a_blob_is_read_whole_within_its_bound() {
        let store = store(&[("r/a.jpg", vec![7; 9000])]).await;
        assert_eq!(store.read("r/a.jpg", 9000).await.expect("read"), Some(Bytes::from(vec![7; 9000])));
        let words = store.read("r/a.jpg", 8999).await.expect_err("too large").to_string();
        assert_eq!(words, "container c of a: the blob has 9000 bytes; at most 8999 are read");
        for gone in ["r/b.jpg", "../a.jpg", "r//a.jpg"] {
            assert_eq!(store.read(gone, 9000).await.expect("asked"), None, "{gone}");
        }
    }

    #[tokio::test]
    async fn lines_are_counted_and_one_that_never_ends_is_cut() {
        let long = "z".repeat(MOST_LINE * 3);
        let store = store(&[("b", format!("one\r\ntwo\n\n{long}\nlast").into_bytes())]).await;
        let lines = store.lines("b", 2, 9, &Places::default()).await.expect("read");
        let short: Vec<_> = lines.iter().map(|line| (line.number, line.text.len())).collect();
        assert_eq!(short, [(2, 3), (3, 0), (4, MOST_LINE), (5, 4)]);
        assert_eq!(store.find("b", "las").await.expect("read").map(|line| line.number), Some(5));
        assert_eq!(store.find("b", "nothing").await.expect("read"), None);
        assert!(
            store
                .lines("c", 1, 1, &Places::default())
                .await
                .expect_err("none")
                .to_string()
                .contains("blob c in container c of a: not found")
        );
    }

    #[tokio::test]
    async fn a_page_is_read_from_where_the_one_before_it_ended() {
        let text: String = (1..=500).map(|number| format!("line {number} {}\n", "x".repeat(number % 7))).collect();
        let store = store(&[("b", text.clone().into_bytes())]).await;
        let places = Places::default();
        let numbers = |lines: Vec<BlobLine>| {
            for line in &lines {
                assert_eq!(
                    Some(line.text.as_str()),
                    text.lines().nth(usize::try_from(line.number).expect("small") - 1)
                );
            }
            (lines.first().map(|line| line.number), lines.len())
        };
        // A page is asked with the first line of the next one.
        for (from, known) in [(1, None), (101, Some(101)), (201, Some(201)), (150, Some(101)), (480, Some(301))] {
            let place = places.before("container c of a/b", from).map(|(place, _)| place);
            assert_eq!(place.map(|place| place.number), known);
            if let Some(place) = place {
                assert!(
                    text.get(usize::try_from(place.offset).expect("small")..)
                        .is_some_and(|rest| { rest.starts_with(&format!("line {} ", place.number)) })
                );
            }
            let lines = store.lines("b", from, 101, &places).await.expect("read");
            assert_eq!(numbers(lines), (Some(from), 101.min(501 - usize::try_from(from).expect("small"))));
        }
        assert_eq!(store.lines("b", 501, 101, &places).await.expect("read"), []);
        // Written anew, it is read from its beginning.
        store.store.put(&BlobPath::from("b"), PutPayload::from("other\n".repeat(300))).await.expect("written");
        let lines = store.lines("b", 299, 101, &places).await.expect("read");
        assert_eq!(
            lines.iter().map(|line| (line.number, line.text.as_str())).collect::<Vec<_>>(),
            [(299, "other"), (300, "other")]
        );
        assert_eq!(places.before("container c of a/b", 250), None);
    }
}
