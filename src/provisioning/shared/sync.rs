//! One environment's runs here and in the store, brought together.

use std::fs::File;

use super::crypt::PlanKeys;
use super::error::SharedError;
use super::fetch::keep_approval;
use super::layout::{self, Purpose};
use super::link::{Home, Link, Stamp};
use super::place::Place;
use super::publish::Published;
use super::store::{SharedStore, approval_id, variables};
use crate::provisioning::approval::record::Signed;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::run::Phase;
use crate::provisioning::runs::store::Store;
use crate::provisioning::workspace::module::Module;
use crate::settings::{EnvironmentKind, ProvisioningSettings};

/// The newest runs that are taken in from the store.
const MOST_RUNS: usize = 200;

/// One environment's runs here, and where they are shared.
#[derive(Debug)]
pub struct Sharing {
    pub(super) store: Store,
    pub(super) shared: SharedStore,
    pub(super) home: Home,
    pub(super) keys: PlanKeys,
}

/// What a refresh came to. Whoever shows runs looks at those that are named here again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Runs that weren't here before.
    pub made: Vec<u32>,
    /// Runs that others have carried on, or have taken over.
    pub changed: Vec<u32>,
    /// Runs that approvals have come for, as `approvals/ID.json` in their folders.
    pub approved: Vec<u32>,
    /// Runs of which something was sent that couldn't be before.
    pub published: Vec<u32>,
    /// What is wrong with single runs; the others are up to date.
    pub faults: Vec<String>,
}

impl Sharing {
    /// The sharing of `store`'s environment as `settings` say, with the credentials of this process. `None` for demo and
    /// local, whose runs stay in their data folder. `label` is this user as `user@host`. Nothing is sent yet.
    pub fn open(store: &Store, settings: &ProvisioningSettings, label: &str) -> Result<Option<Self>, SharedError> {
        if store.environment().kind() != EnvironmentKind::Cloud {
            return Ok(None);
        }
        let place = match &settings.run_store {
            Some(url) => url.parse()?,
            None => Place::beside_state(&backend(store, settings)?)?,
        };
        let shared = SharedStore::open_with(&place, store.environment(), &variables())?;
        let keys = PlanKeys::new(settings.plan_recipient.as_deref(), settings.plan_identity.as_deref())?;
        Self::with(store, shared, keys, label).map(Some)
    }

    /// The same with what was opened already.
    pub fn with(store: &Store, shared: SharedStore, keys: PlanKeys, label: &str) -> Result<Self, SharedError> {
        let home = {
            let _lock = store.lock()?;
            Home::of(store.folder(), label)?
        };
        Ok(Self { store: store.clone(), shared, home, keys })
    }

    /// The store.
    #[must_use]
    pub const fn shared(&self) -> &SharedStore {
        &self.shared
    }

    /// This home.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Claims the number of a new run, and makes its folder here. `run_id` is the run's (UUID).
    pub async fn claim(&self, run_id: &str) -> Result<u32, SharedError> {
        let _lock = self.lock().await?;
        let above = self.store.numbers()?.first().copied().unwrap_or(0);
        let number = self.shared.claim(&self.home.claim(run_id), above).await?;
        let folder = self.store.run_folder(number);
        files::make_folder(&folder)?;
        let Home { id, label } = self.home.clone();
        Link { run_id: run_id.to_owned(), home_id: id, home_of: label, ..Link::default() }.write(&folder)?;
        Ok(number)
    }

    /// Publishes what is new of run `number`. Called again after a crash or a dead network it goes on where it ended;
    /// [`Sharing::refresh`] does that too.
    pub async fn publish(&self, number: u32) -> Result<Published, SharedError> {
        let _lock = self.lock().await?;
        let mut link = self.link(number)?;
        self.send(number, &mut link).await
    }

    /// Brings run `number` up to date from the store, its plan included: decrypted, and held against its record.
    pub async fn fetch(&self, number: u32) -> Result<(), SharedError> {
        let _lock = self.lock().await?;
        let listed = self.shared.list_one(number).await?;
        self.take(&listed).await?;
        if self.link(number)?.home_id != self.home.id || !self.store.plan(number).exists() {
            self.take_plan(number).await?;
        }
        Ok(())
    }

    /// Sends what couldn't be sent before, and takes in what others did. Where the store can't be reached everything
    /// here stays as it is, and the error says so.
    pub async fn refresh(&self) -> Result<Refreshed, SharedError> {
        let _lock = self.lock().await?;
        let mut refreshed = Refreshed::default();
        let listed = self.shared.list().await?;
        for number in self.store.numbers()?.into_iter().take(MOST_RUNS) {
            let folder = self.store.run_folder(number);
            let sent = match Link::read(&folder) {
                Ok(None) => continue,
                Ok(Some(mut link)) => self.send(number, &mut link).await,
                Err(error) => Err(error.into()),
            };
            match sent {
                Ok(published) if published.objects > 0 => refreshed.published.push(number),
                Ok(_) => {}
                Err(error) => note(&mut refreshed, error)?,
            }
        }
        for listed in listed.iter().take(MOST_RUNS) {
            match self.take(listed).await {
                Ok(fetched) => {
                    for (is_so, list) in [
                        (fetched.made, &mut refreshed.made),
                        (fetched.changed, &mut refreshed.changed),
                        (fetched.approved, &mut refreshed.approved),
                    ] {
                        if is_so {
                            list.push(listed.number);
                        }
                    }
                }
                Err(error) => note(&mut refreshed, error)?,
            }
        }
        Ok(refreshed)
    }

    /// Keeps an approval of run `number` here and in the store. Where the store can't be reached it stays here, the
    /// answer says so in words, and the next refresh sends it.
    pub async fn approve(&self, number: u32, approval: &Signed) -> Result<Option<String>, SharedError> {
        let _lock = self.lock().await?;
        let mut link = self.link(number)?;
        let id = approval_id(number, approval)?;
        if layout::of_approval(&id).is_none() {
            return Err(SharedError::Refused(format!("approval of run {number}: its id isn't a UUID; approve again")));
        }
        keep_approval(&self.store.run_folder(number), &id, approval)?;
        match self.send(number, &mut link).await {
            Ok(_) => Ok(None),
            Err(error) if error.passes() => Ok(Some(format!("{error}; the approval is kept here and sent then"))),
            Err(error) => Err(error),
        }
    }

    /// Uses the plan of run `number`, once over all machines; from then on this home carries the run out. Refused,
    /// naming who did, where it was used already. Called before anything is applied or the run is ended.
    pub async fn use_once(&self, number: u32, purpose: Purpose, approvals: &[String]) -> Result<(), SharedError> {
        let _lock = self.lock().await?;
        let mut link = self.link(number)?;
        self.shared.use_once(number, &self.home.uses(&link.run_id, purpose, approvals)).await?;
        self.take_over(number, &mut link)
    }

    /// Ends run `number` in the stead of a home that is gone: a machine of CI that was killed, say. Only a run that is
    /// carried out elsewhere and hasn't ended; whoever asks has to know that nobody is at work any more.
    pub async fn end_instead(&self, number: u32, phase: Phase) -> Result<(), SharedError> {
        let _lock = self.lock().await?;
        let mut link = self.link(number)?;
        let stored = self.store.read(number)?;
        if stored.run.home.is_none() || stored.run.phase.is_end() || !phase.is_end() {
            let words = "is carried out here or has ended; only a run that hangs elsewhere is ended in another's stead";
            return Err(SharedError::Refused(format!("run {number}: {words}")));
        }
        self.shared.end_instead(number, &self.home.uses(&link.run_id, Purpose::End, &[])).await?;
        self.take_over(number, &mut link)?;
        {
            let _lock = self.store.lock()?;
            let mut stored = self.store.read(number)?;
            stored.run.phase = phase;
            stored.run.ended_at = Some(super::store::now());
            self.store.write(&mut stored)?;
        }
        self.drop_plans(number)?;
        self.send(number, &mut link).await.map(|_| ())
    }

    /// From now on this home carries the run out.
    fn take_over(&self, number: u32, link: &mut Link) -> Result<(), SharedError> {
        let Home { id, label } = self.home.clone();
        (link.home_id, link.home_of) = (id, label);
        let folder = self.store.run_folder(number);
        // What the other home has sent is in the store, whether it is here or not: what changes from now on is sent, and
        // a plan that isn't here when the run ends is removed there.
        for part in layout::PARTS.iter().filter(|part| link.seen.contains_key(part.name) || part.sealed) {
            let stamp = Stamp::of(&folder.join(part.local)).unwrap_or_default();
            link.sent.entry(part.name.to_owned()).or_insert(stamp);
        }
        link.write(&folder)?;
        let _lock = self.store.lock()?;
        let mut stored = self.store.read(number)?;
        if stored.run.home.take().is_some() {
            self.store.write(&mut stored)?;
        }
        Ok(())
    }

    fn link(&self, number: u32) -> Result<Link, SharedError> {
        let words = "isn't shared: it was made before its environment's runs were; plan again";
        Link::read(&self.store.run_folder(number))?
            .ok_or_else(|| SharedError::Refused(format!("run {number}: {words}")))
    }

    /// One at a time in this data folder, whichever process it is.
    pub(super) async fn lock(&self) -> Result<File, SharedError> {
        let path = self.store.folder().join("sharing.lock");
        let wait = move || {
            let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
            let file = files::open(&path).map_err(failed)?;
            file.lock().map_err(failed)?;
            Ok::<_, ProvisioningError>(file)
        };
        let cut_off = |_| SharedError::Refused("run store: waiting was cut off; try again".to_owned());
        Ok(tokio::task::spawn_blocking(wait).await.map_err(cut_off)??)
    }
}

/// Notes what is wrong with one run. What is wrong with the store ends the refresh.
fn note(refreshed: &mut Refreshed, error: SharedError) -> Result<(), SharedError> {
    match error {
        SharedError::Damaged { .. }
        | SharedError::Conflict(_)
        | SharedError::Refused(_)
        | SharedError::Key(_)
        | SharedError::Here(_) => {
            refreshed.faults.push(error.to_string());
            Ok(())
        }
        other => Err(other),
    }
}

/// The text of the module's `backend/ENV.tfvars`; empty where it has none.
fn backend(store: &Store, settings: &ProvisioningSettings) -> Result<String, ProvisioningError> {
    let module = settings.module.as_deref().map_or_else(Module::carried, Module::read)?;
    let name = format!("backend/{}.tfvars", store.environment());
    let content = module.files.get(std::path::Path::new(&name));
    Ok(content.map(|content| String::from_utf8_lossy(content).into_owned()).unwrap_or_default())
}
