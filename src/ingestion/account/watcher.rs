//! The account, looked at each minute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;

use super::aside::AsideNotices;
use super::error::AccountError;
use super::expiry::{Expiry, expiries};
use super::gaps::{Gap, gaps};
use super::pictures::PictureContainer;
use super::queue::{Notices, PoisonNotice, QueueRight, QueueView, SEEN_AGAIN};
use super::store::{BatchStore, Right};
use crate::clock::Clock;
use crate::ingestion::azure::{client_options, http_client, identity, secret};
use crate::ingestion::events::EventsMemory;
use crate::ingestion::pulse::Pulse;
use crate::ingestion::written::{BatchFile, Day, REMEMBERED};
use crate::settings::AzureSettings;
use crate::station::text::printable;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60);
/// Width of a slot in which messages are counted.
const SLOT: SignedDuration = SignedDuration::from_mins(1);
/// Batches that are told one by one.
const RECENT: usize = 12;

/// How the account stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountStatus {
    /// When it was looked at last; absent before the first time.
    pub looked_at: Option<Timestamp>,
    /// Each container of batches.
    pub containers: BTreeMap<String, ContainerStatus>,
    /// The newest picture of the last three days, or why it isn't known; absent where pictures aren't watched.
    pub picture: Option<Result<Option<BatchFile>, AccountError>>,
    /// The queue, or why it isn't known; absent where it isn't watched.
    pub queue: Option<Result<QueueView, AccountError>>,
    /// What ends, and when.
    pub expiries: Vec<Expiry>,
}

/// How a container stands, over the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerStatus {
    /// Why it isn't known how it stands.
    pub trouble: Option<AccountError>,
    /// The newest batch.
    pub newest: Option<BatchFile>,
    /// The newest batches that aren't empty, oldest first; at most 12.
    pub recent: Vec<BatchFile>,
    /// Batches in each of the last 24 hours, the newest hour last.
    pub per_hour: Vec<u32>,
    /// Bytes of them all.
    pub bytes: u64,
    /// Those that are empty.
    pub empty: u64,
    /// Times in which telemetry came and no batch was written; absent where it isn't known what came.
    pub gaps: Option<Vec<Gap>>,
}

/// Watches an account; clones share it.
#[derive(Clone)]
pub struct AccountWatcher {
    parts: Arc<Parts>,
    status: watch::Sender<AccountStatus>,
    now: Pulse,
}

struct Parts {
    settings: AzureSettings,
    account: String,
    client: reqwest::Client,
    credential: Option<Arc<dyn TokenCredential>>,
    memory: Option<EventsMemory>,
    pictures: Option<PictureContainer>,
    window: SignedDuration,
    clock: Clock,
}

impl AccountWatcher {
    /// The watcher of the account that the settings name; `None` where they name none. `memory` knows what came, and
    /// `window_s` is the longest that the hub gathers a batch.
    pub fn open(
        settings: &AzureSettings,
        memory: Option<EventsMemory>,
        window_s: u32,
        clock: Clock,
    ) -> Result<Option<Self>, AccountError> {
        let Some(account) = settings.storage_account.clone() else { return Ok(None) };
        let failed = |error| AccountError::settings(&format!("account {account}"), &error);
        let credential = match settings.storage_sas {
            Some(_) => None,
            None => Some(identity(settings).map_err(failed)?),
        };
        let client = http_client(settings).map_err(failed)?;
        let window = SignedDuration::from_secs(i64::from(window_s));
        let pictures = PictureContainer::open(settings, clock.clone())?;
        let settings = settings.clone();
        let parts = Parts { settings, account, client, credential, memory, pictures, window, clock };
        Ok(Some(Self { parts: Arc::new(parts), status: watch::Sender::default(), now: Pulse::default() }))
    }

    /// How it stands, from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<AccountStatus> {
        self.status.subscribe()
    }

    /// The container of pictures, which is looked at with the account; absent where none is named.
    #[must_use]
    pub fn pictures(&self) -> Option<PictureContainer> {
        self.parts.pictures.clone()
    }

    /// Has it looked at soon.
    pub fn look(&self) {
        self.now.ring();
    }

    /// Looks each minute, for good.
    pub async fn run(self) {
        loop {
            let status = self.parts.look().await;
            self.status.send_replace(status);
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.now.rung() => {}
            }
        }
    }

    /// A container of batches, to read its blobs.
    pub fn store(&self, container: &str) -> Result<BatchStore, AccountError> {
        self.parts.store(&self.parts.account, container, self.parts.settings.blob_url.as_deref())
    }

    /// The containers of batches.
    #[must_use]
    pub fn containers(&self) -> Vec<String> {
        self.parts.settings.named_containers()
    }

    /// Takes a notice that no pipe will take off the queue: it is kept in `aside` first, and then deleted.
    pub async fn take_poison(&self, id: &str, aside: &AsideNotices) -> Result<PoisonNotice, AccountError> {
        let unwatched = || AccountError::new("queue", "none is watched; set azure.queue and start the owner again");
        let queue = self.parts.settings.queue.as_deref().ok_or_else(unwatched)?;
        let notices = self.parts.notices(queue)?;
        let held = notices.hold(id).await?;
        let kept = aside.keep(queue, self.parts.clock.now(), held.notice.clone()).await;
        kept.map_err(|error| AccountError::new(&format!("notice {}", printable(id)), error.to_string()))?;
        notices.delete(&held).await?;
        self.status.send_modify(|status| {
            if let Some(Ok(queue)) = &mut status.queue {
                queue.poison.retain(|notice| notice.id != held.notice.id);
                queue.depth = queue.depth.saturating_sub(1);
            }
        });
        // The others that were held for it can be seen again by then.
        let watcher = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(SEEN_AGAIN).await;
            watcher.look();
        });
        Ok(held.notice)
    }

    /// The container whose batches hold messages of this kind.
    #[must_use]
    pub fn container_of(&self, kind: &str) -> Option<String> {
        let named = self.parts.settings.named_containers();
        named.into_iter().find(|container| kinds(container).contains(&kind))
    }
}

/// The setting that holds the account's signature.
const SIGNATURE: &str = "azure.storage_sas";

impl Parts {
    fn signature(&self) -> Result<Option<SecretString>, AccountError> {
        let reference = self.settings.storage_sas.as_deref();
        let read = reference.map(|reference| secret("storage_sas", reference)).transpose();
        read.map_err(|error| AccountError::settings(&format!("account {}", self.account), &error))
    }

    fn store(&self, account: &str, container: &str, url: Option<&str>) -> Result<BatchStore, AccountError> {
        let right = match (self.signature()?, &self.credential) {
            (Some(sas), _) => Right::Signature(sas),
            (None, Some(credential)) => Right::Entra(Arc::clone(credential)),
            (None, None) => return Err(AccountError::new(&format!("account {account}"), "nothing opens it")),
        };
        BatchStore::open(account, container, url, &right, self.client.clone())
    }

    async fn look(&self) -> AccountStatus {
        let now = self.clock.now();
        let mut containers = BTreeMap::new();
        for name in self.settings.named_containers() {
            let status = self.container(&name, now).await;
            let trouble = |trouble| ContainerStatus { trouble: Some(trouble), ..ContainerStatus::default() };
            containers.insert(name, status.unwrap_or_else(trouble));
        }
        let mut queue = self.queue().await;
        let expiries = self.expiries();
        // What an account says of a signature that has ended has many causes; this one is known.
        if let Some(ended) = expiries.iter().find(|expiry| expiry.what == SIGNATURE && expiry.ends_at <= now) {
            let troubles = containers.values_mut().filter_map(|container| container.trouble.as_mut());
            troubles
                .chain(queue.as_mut().and_then(|queue| queue.as_mut().err()))
                .for_each(|error| error.is_of(ended, now));
        }
        AccountStatus { looked_at: Some(self.clock.now()), containers, picture: self.picture().await, queue, expiries }
    }

    async fn container(&self, name: &str, now: Timestamp) -> Result<ContainerStatus, AccountError> {
        let store = self.store(&self.account, name, self.settings.blob_url.as_deref())?;
        let since = now.checked_sub(REMEMBERED).unwrap_or(now);
        let files = store.since(since).await?;
        let Day { per_hour, bytes, empty } = Day::of(files.iter().map(|file| (file.written_at, file.bytes)), now);
        let mut status = ContainerStatus { per_hour, bytes, empty, ..ContainerStatus::default() };
        let written: Vec<_> = files.iter().map(|file| file.written_at).collect();
        if let (Some(memory), kinds @ [_, ..]) = (&self.memory, kinds(name)) {
            let came = memory.came(kinds, since, SLOT).await;
            status.gaps = came.ok().map(|came| gaps(&written, &came, SLOT, self.window, now));
        }
        let full: Vec<_> = files.iter().filter(|file| file.bytes > 0).collect();
        status.recent = full.iter().skip(full.len().saturating_sub(RECENT)).map(|file| (*file).clone()).collect();
        status.newest = files.into_iter().next_back();
        Ok(status)
    }

    async fn picture(&self) -> Option<Result<Option<BatchFile>, AccountError>> {
        let seen = self.pictures.as_ref()?.look().await;
        Some(seen.trouble.clone().map_or_else(|| Ok(seen.newest()), Err))
    }

    async fn queue(&self) -> Option<Result<QueueView, AccountError>> {
        let queue = self.settings.queue.as_deref()?;
        let look = async { self.notices(queue)?.look().await };
        Some(look.await)
    }

    fn notices(&self, queue: &str) -> Result<Notices, AccountError> {
        let failed = |error| AccountError::settings(&format!("queue {queue} of {}", self.account), &error);
        let sas = self.signature()?;
        let right = match (&sas, &self.credential) {
            (Some(sas), _) => QueueRight::Signature(sas),
            (None, Some(credential)) => QueueRight::Entra(credential),
            (None, None) => return Err(AccountError::new(&format!("queue {queue}"), "nothing opens it")),
        };
        let options = client_options(&self.settings).map_err(failed)?;
        Notices::open(&self.account, queue, self.settings.queue_url.as_deref(), &right, options)
    }

    fn expiries(&self) -> Vec<Expiry> {
        let read = |name: &str, reference: &Option<String>| {
            reference.as_deref().and_then(|reference| secret(name, reference).ok())
        };
        let sas = read("storage_sas", &self.settings.storage_sas);
        let feed = read("feed", &self.settings.feed);
        let text = |secret: &Option<SecretString>| secret.as_ref().map(|text| text.expose_secret().to_owned());
        let named = [(SIGNATURE, text(&sas)), ("azure.feed", text(&feed))];
        let named: Vec<_> = named.iter().filter_map(|(what, text)| Some((*what, text.as_deref()?))).collect();
        expiries(&named, self.settings.ca.as_deref())
    }
}

/// Which messages the routes put into a container, by the names that the module gives.
fn kinds(container: &str) -> &'static [&'static str] {
    match container {
        "json-blob-messages" => &["WeatherMeasurement"],
        "json-blob-predictions" => &["Prediction"],
        "json-blob-health" => &["DeviceHealth", "PictureTaken"],
        _ => &[],
    }
}
