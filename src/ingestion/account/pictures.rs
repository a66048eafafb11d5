//! The container of pictures: what is in it, looked at each minute, and single pictures, read within a bound.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, watch};

use super::error::AccountError;
use super::expiry::{Expiry, expiries};
use super::store::{BatchStore, Right};
use crate::clock::Clock;
use crate::ingestion::azure::{http_client, identity, secret};
use crate::ingestion::written::BatchFile;
use crate::settings::AzureSettings;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(60);
/// How far back pictures are listed.
const SHOWN: SignedDuration = SignedDuration::from_hours(72);
/// What a thumbnail's name ends with, as the agent names it: `STEM.thumb.jpg` beside `STEM.jpg`.
const THUMBNAIL: &str = ".thumb.jpg";

/// What was seen in the container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PicturesStatus {
    /// When the look began that saw this; absent before the first that went well.
    pub looked_at: Option<Timestamp>,
    /// From when on pictures were listed, by when they were written.
    pub since: Timestamp,
    /// Pictures by their blobs' names.
    pub blobs: Arc<BTreeMap<String, PictureBlob>>,
    /// Why the last look saw nothing; what one before it saw stays.
    pub trouble: Option<AccountError>,
    /// When the container's own signature ends.
    pub expiry: Option<Expiry>,
}

/// A picture in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureBlob {
    /// Its size, bytes.
    pub bytes: u64,
    /// When it was written, by the account's clock.
    pub written_at: Timestamp,
    /// The blob of its thumbnail, where there is one.
    pub thumbnail: Option<String>,
}

impl PicturesStatus {
    /// The picture that was written last.
    #[must_use]
    pub fn newest(&self) -> Option<BatchFile> {
        let (name, blob) = self.blobs.iter().max_by_key(|(name, blob)| (blob.written_at, *name))?;
        Some(BatchFile { name: name.clone(), bytes: blob.bytes, written_at: blob.written_at })
    }

    fn of(files: Vec<BatchFile>, looked_at: Timestamp, since: Timestamp) -> Self {
        let (thumbnails, pictures): (Vec<_>, Vec<_>) =
            files.into_iter().filter(|file| is_picture(&file.name)).partition(|file| is_thumbnail(&file.name));
        let stems: BTreeMap<&str, &BatchFile> =
            thumbnails.iter().filter_map(|file| Some((file.name.strip_suffix(THUMBNAIL)?, file))).collect();
        let picture = |file: BatchFile| {
            let stem = file.name.rsplit_once('.').map_or("", |(stem, _)| stem);
            let thumbnail = stems.get(stem).map(|file| file.name.clone());
            (file.name, PictureBlob { bytes: file.bytes, written_at: file.written_at, thumbnail })
        };
        let blobs = Arc::new(pictures.into_iter().map(picture).collect());
        Self { looked_at: Some(looked_at), since, blobs, ..Self::default() }
    }
}

/// What a picture's name says, as the agent makes it: `DEVICE/2026-01-31/14-05-00-0123abcd.jpg`, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameTells {
    /// The device that took it; absent where the name has no folder.
    pub device_id: Option<String>,
    /// When it was taken, to the second.
    pub taken_at: Option<Timestamp>,
}

/// Reads a picture's name.
#[must_use]
pub fn name_tells(name: &str) -> NameTells {
    let device_id = name.split_once('/').map(|(device, _)| device.to_owned()).filter(|device| !device.is_empty());
    let taken_at = || {
        let (folders, file) = name.rsplit_once('/')?;
        let day = folders.rsplit('/').next()?;
        let time = file.get(..8)?;
        let at = jiff::civil::DateTime::strptime("%Y-%m-%d %H-%M-%S", format!("{day} {time}")).ok()?;
        at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    };
    NameTells { device_id, taken_at: taken_at() }
}

fn is_picture(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| matches!(extension.as_str(), "jpg" | "jpeg" | "png"))
}

fn is_thumbnail(name: &str) -> bool {
    name.ends_with(THUMBNAIL)
}

/// The container; clones share it.
#[derive(Clone)]
pub struct PictureContainer {
    parts: Arc<Parts>,
    status: watch::Sender<PicturesStatus>,
    /// One looks at a time.
    looking: Arc<Mutex<()>>,
    every: Duration,
}

struct Parts {
    settings: AzureSettings,
    account: String,
    /// Whether it is the account of the batches too: address and signature are the same then, where it has none of its own.
    is_shared: bool,
    client: reqwest::Client,
    credential: Option<Arc<dyn TokenCredential>>,
    clock: Clock,
}

impl PictureContainer {
    /// The container that the settings name; `None` where they name no account of pictures.
    pub fn open(settings: &AzureSettings, clock: Clock) -> Result<Option<Self>, AccountError> {
        let Some(account) = settings.pictures_account.clone() else { return Ok(None) };
        let failed = |error| AccountError::settings(&format!("account {account}"), &error);
        let is_shared = settings.storage_account.as_ref() == Some(&account);
        let credential = match reference(settings, is_shared) {
            Some(_) => None,
            None => Some(identity(settings).map_err(failed)?),
        };
        let client = http_client(settings).map_err(failed)?;
        let parts = Parts { settings: settings.clone(), account, is_shared, client, credential, clock };
        let (status, looking) = (watch::Sender::default(), Arc::default());
        Ok(Some(Self { parts: Arc::new(parts), status, looking, every: EVERY }))
    }

    /// It, looked at in another rhythm than each minute.
    #[must_use]
    pub fn at_pace(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// What is seen in it, from now on; told where that has changed, not at each look.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<PicturesStatus> {
        self.status.subscribe()
    }

    /// What was seen in it; the first to ask has it looked at.
    pub async fn known(&self) -> PicturesStatus {
        if is_new(&self.status.borrow()) {
            let _turn = self.looking.lock().await;
            if is_new(&self.status.borrow()) {
                self.look_once().await;
            }
        }
        self.status.borrow().clone()
    }

    /// Has it looked at, and answers what is seen.
    pub(super) async fn look(&self) -> PicturesStatus {
        let _turn = self.looking.lock().await;
        self.look_once().await;
        self.status.borrow().clone()
    }

    async fn look_once(&self) {
        let looked_at = self.parts.clock.now();
        let since = looked_at.checked_sub(SHOWN).unwrap_or(looked_at);
        let look = async { self.parts.open()?.since(since).await };
        let files = tokio::time::timeout(LOOK, look).await.unwrap_or_else(|_| {
            let words = format!("no answer within {} s; asked again in a minute", LOOK.as_secs());
            Err(AccountError::new(&self.parts.name(), words))
        });
        self.status.send_if_modified(|status| {
            let seen = match files {
                Ok(files) => PicturesStatus::of(files, looked_at, since),
                Err(trouble) => PicturesStatus { trouble: Some(trouble), ..status.clone() },
            };
            let next = PicturesStatus { expiry: self.parts.expiry(), ..seen };
            let unaged = PicturesStatus { looked_at: status.looked_at, since: status.since, ..next.clone() };
            let is_news = is_new(status) || unaged != *status;
            *status = next;
            is_news
        });
    }

    /// Looks each minute, for good: where no watcher of the account does.
    pub async fn run(self) {
        loop {
            self.look().await;
            tokio::time::sleep(self.every).await;
        }
    }

    /// A blob of at most `most` bytes; `None` where it isn't in the container.
    pub async fn read(&self, name: &str, most: usize) -> Result<Option<Bytes>, AccountError> {
        self.parts.open()?.read(name, most).await
    }
}

fn is_new(status: &PicturesStatus) -> bool {
    status.looked_at.is_none() && status.trouble.is_none()
}

/// The signature that opens the pictures' account: its own, or that of the batches where both are one account.
fn reference(settings: &AzureSettings, is_shared: bool) -> Option<(&'static str, &str)> {
    let own = settings.pictures_sas.as_deref().map(|reference| ("pictures_sas", reference));
    own.or_else(|| Some(("storage_sas", settings.storage_sas.as_deref().filter(|_| is_shared)?)))
}

impl Parts {
    fn name(&self) -> String {
        format!("container {} of {}", self.settings.pictures_container, self.account)
    }

    /// When its own signature ends, where that can be read.
    fn expiry(&self) -> Option<Expiry> {
        let text = secret("pictures_sas", self.settings.pictures_sas.as_deref()?).ok()?;
        expiries(&[("azure.pictures_sas", text.expose_secret())], None).pop()
    }

    /// The container, by the signature as it is now: it may have been renewed.
    fn open(&self) -> Result<BatchStore, AccountError> {
        let what = format!("account {}", self.account);
        let right = match (reference(&self.settings, self.is_shared), &self.credential) {
            (Some((name, reference)), _) => {
                Right::Signature(secret(name, reference).map_err(|error| AccountError::settings(&what, &error))?)
            }
            (None, Some(credential)) => Right::Entra(Arc::clone(credential)),
            (None, None) => return Err(AccountError::new(&what, "nothing opens it")),
        };
        let shared = self.settings.blob_url.as_deref().filter(|_| self.is_shared);
        let url = self.settings.pictures_url.as_deref().or(shared);
        BatchStore::open(&self.account, &self.settings.pictures_container, url, &right, self.client.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_name_tells_device_and_time_where_it_is_the_agents() {
        let tells = |name: &str| {
            let told = name_tells(name);
            (told.device_id, told.taken_at)
        };
        let roof = Some("roof-01".to_owned());
        let noon = Some(at("2026-01-31T12:05:07Z"));
        assert_eq!(tells("roof-01/2026-01-31/12-05-07-0123abcd.jpg"), (roof.clone(), noon));
        assert_eq!(tells("roof-01/archive/2026-01-31/12-05-07.png"), (roof.clone(), noon));
        assert_eq!(tells("roof-01/2026-01-31/image.jpg"), (roof.clone(), None));
        assert_eq!(tells("roof-01/2026-02-30/12-05-07.jpg"), (roof, None));
        assert_eq!(tells("sky.jpg"), (None, None));
        // Cut within a letter of two bytes.
        assert_eq!(tells("/2026-01-31/1234567ä.jpg"), (None, None));
    }

    #[test]
    fn thumbnails_lie_beside_their_pictures_and_what_is_no_picture_is_left_out() {
        let file = |name: &str| BatchFile { name: name.into(), bytes: 7, written_at: Timestamp::UNIX_EPOCH };
        let names = ["r/d/a.thumb.jpg", "r/d/a.png", "r/d/b.JPG", "r/d/gone.thumb.jpg", "r/d/notes.txt", "r/d/none"];
        let status = PicturesStatus::of(names.map(file).to_vec(), Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let found: Vec<_> =
            status.blobs.iter().map(|(name, blob)| (name.as_str(), blob.thumbnail.as_deref())).collect();
        assert_eq!(found, [("r/d/a.png", Some("r/d/a.thumb.jpg")), ("r/d/b.JPG", None)]);
        assert_eq!(status.newest().expect("one").name, "r/d/b.JPG");
    }

    #[test]
    fn the_signature_of_the_batches_opens_the_pictures_where_both_are_one_account() {
        let settings = AzureSettings { storage_sas: Some("env:A".into()), ..AzureSettings::default() };
        assert_eq!(reference(&settings, true), Some(("storage_sas", "env:A")));
        assert_eq!(reference(&settings, false), None);
        let settings = AzureSettings { pictures_sas: Some("env:B".into()), ..settings };
        assert_eq!(reference(&settings, true), Some(("pictures_sas", "env:B")));
        assert_eq!(reference(&settings, false), Some(("pictures_sas", "env:B")));
    }
}
