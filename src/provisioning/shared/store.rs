//! The runs of one environment as everybody sees them: numbers, approvals, what became of plans.
//!
//! Whatever must happen once is an object that is made on the condition that it isn't there: a run's number, an
//! approval, the use of a plan, an entry of the trail.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clean;
use super::error::SharedError;
use super::layout::{self, CLAIM, Claim, ENDED, RUN, SharedRun, USED, Used};
use super::objects::{Objects, Version};
use super::place::Place;
use crate::provisioning::approval::record::{Approval, Signed};
use crate::settings::EnvironmentName;

/// Numbers that are tried for one run: more claims at a time than that are a fault.
const MOST_TRIES: u32 = 1000;

/// The shared runs of one environment.
#[derive(Debug)]
pub struct SharedStore {
    pub(super) objects: Objects,
    pub(super) environment: EnvironmentName,
}

/// A run in the store, as a list shows it: which objects it has, and their versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRun {
    /// Its number.
    pub number: u32,
    /// Its objects by name.
    pub objects: BTreeMap<String, Version>,
}

impl SharedStore {
    /// The store at `url` (`azure://ACCOUNT/CONTAINER[/PREFIX]` or `file:///FOLDER`), with the credentials of this
    /// process's `AZURE_…` variables, or of whoever is signed in to the Azure CLI.
    pub fn open(url: &str, environment: &EnvironmentName) -> Result<Self, SharedError> {
        Self::open_with(&url.parse()?, environment, &variables())
    }

    /// The store at `place`, with the credentials in `variables`.
    pub fn open_with(
        place: &Place,
        environment: &EnvironmentName,
        variables: &[(String, String)],
    ) -> Result<Self, SharedError> {
        let opened = place.open(variables)?;
        let objects = Objects::new(place.clone(), opened, environment.as_str());
        Ok(Self { objects, environment: environment.clone() })
    }

    /// Where it is, without credentials.
    #[must_use]
    pub const fn place(&self) -> &Place {
        self.objects.place()
    }

    /// Claims the number of a run, which is larger than `above` and than every one that is claimed. Asked again for the
    /// same run it answers the same number where that is among the newest.
    pub async fn claim(&self, claim: &Claim, above: u32) -> Result<u32, SharedError> {
        let newest = self.list().await?;
        for listed in newest.iter().take(5) {
            let there: Option<(Claim, _)> = self.read(&layout::of_run(listed.number, CLAIM)).await?;
            if there.is_some_and(|(there, _)| there.run_id == claim.run_id) {
                return Ok(listed.number);
            }
        }
        let first = newest.first().map_or(0, |listed| listed.number).max(above).saturating_add(1);
        let content = json(claim)?;
        for number in first..first.saturating_add(MOST_TRIES) {
            if self.objects.create(&layout::of_run(number, CLAIM), &content).await? {
                return Ok(number);
            }
        }
        Err(SharedError::Conflict(format!(
            "run store {}: too many runs are being made at once; try again",
            self.place()
        )))
    }

    /// The runs, newest first.
    pub async fn list(&self) -> Result<Vec<ListedRun>, SharedError> {
        let mut runs: BTreeMap<u32, BTreeMap<String, Version>> = BTreeMap::new();
        for (object, version) in self.objects.list("runs").await? {
            if let Some((number, name)) = layout::read_run(&object) {
                runs.entry(number).or_default().insert(name.to_owned(), version);
            }
        }
        Ok(runs.into_iter().rev().map(|(number, objects)| ListedRun { number, objects }).collect())
    }

    /// One run; empty where it isn't there.
    pub async fn list_one(&self, number: u32) -> Result<ListedRun, SharedError> {
        let objects = self.objects.list(&format!("runs/{number:04}")).await?;
        let named = |(object, version): (String, Version)| {
            layout::read_run(&object).map(|(_, name)| (name.to_owned(), version.clone()))
        };
        Ok(ListedRun { number, objects: objects.into_iter().filter_map(named).collect() })
    }

    /// A run as it was published last, printable; `None` before it was.
    pub async fn run(&self, number: u32) -> Result<Option<(SharedRun, Version)>, SharedError> {
        let name = layout::of_run(number, RUN);
        let Some((bytes, version)) = self.objects.get(&name).await? else { return Ok(None) };
        let shared: SharedRun = serde_json::from_slice(&bytes)
            .and_then(|value| serde_json::from_value(clean::texts(value)))
            .map_err(|error: serde_json::Error| {
                self.objects.damaged(&name, format!("isn't a run: {error}; whoever made it publishes it again"))
            })?;
        let run = &shared.stored.run;
        if run.number != number || run.environment != self.environment {
            let words = format!("is run {} of {}; it doesn't belong here, remove it", run.number, run.environment);
            return Err(self.objects.damaged(&name, words));
        }
        Ok(Some((shared, version)))
    }

    /// Who has claimed a number.
    pub async fn claimed(&self, number: u32) -> Result<Option<Claim>, SharedError> {
        Ok(self.read(&layout::of_run(number, CLAIM)).await?.map(|(claim, _)| claim))
    }

    /// Adds an approval of run `number`. The same one twice is one; another one of the same id is refused.
    pub async fn add_approval(&self, number: u32, approval: &Signed) -> Result<(), SharedError> {
        let id = approval_id(number, approval)?;
        let refused = || SharedError::Refused(format!("approval of run {number}: its id isn't a UUID; approve again"));
        let name = layout::of_approval(&id).ok_or_else(refused)?;
        if self.objects.create(&layout::of_run(number, &name), &json(approval)?).await? {
            return Ok(());
        }
        Err(SharedError::Conflict(format!(
            "approval {id} of run {number}: the run store {} has another one of this id; approve again",
            self.place()
        )))
    }

    /// The approvals of run `number`, by id. What they are worth is for whoever applies to find out.
    pub async fn approvals(&self, number: u32) -> Result<BTreeMap<String, Signed>, SharedError> {
        let mut found = BTreeMap::new();
        for (object, _) in self.objects.list(&format!("runs/{number:04}/{}", layout::APPROVALS)).await? {
            let Some(id) = layout::read_run(&object).and_then(|(_, name)| layout::approval_id(name)) else { continue };
            if let Some(approval) = self.signed(&object).await? {
                found.insert(id.to_owned(), approval);
            }
        }
        Ok(found)
    }

    /// Uses the plan of run `number`: once over all machines. Refused, naming who did, where it was used already.
    pub async fn use_once(&self, number: u32, used: &Used) -> Result<(), SharedError> {
        let name = layout::of_run(number, USED);
        // Asked again after an answer was lost, by the same home for the same purpose.
        let same = |there: &Used| {
            (&there.run_id, &there.home_id, there.purpose, &there.approvals)
                == (&used.run_id, &used.home_id, used.purpose, &used.approvals)
        };
        if self.objects.create(&name, &json(used)?).await? {
            return Ok(());
        }
        match self.read::<Used>(&name).await? {
            Some((there, _)) if same(&there) => Ok(()),
            Some((there, _)) => Err(SharedError::Conflict(format!(
                "run {number}: its plan was used already, {} by {} at {}; plan again",
                there.words(),
                there.who,
                there.at.strftime("%Y-%m-%d %H:%M UTC")
            ))),
            None => Err(self.objects.damaged(&name, "is there and can't be read; try again")),
        }
    }

    /// Ends run `number` in the stead of a home that doesn't any more. Refused where somebody else did so already.
    pub async fn end_instead(&self, number: u32, used: &Used) -> Result<(), SharedError> {
        let name = layout::of_run(number, ENDED);
        if self.objects.create(&name, &json(used)?).await? {
            return Ok(());
        }
        let who = self.read::<Used>(&name).await?.map_or_else(|| "somebody".to_owned(), |(there, _)| there.who);
        Err(SharedError::Conflict(format!("run {number}: was ended by {who} already; refresh, and look again")))
    }

    /// What became of the plan of run `number`; `None` while it waits.
    pub async fn used(&self, number: u32) -> Result<Option<Used>, SharedError> {
        Ok(self.read(&layout::of_run(number, USED)).await?.map(|(used, _)| used))
    }

    /// A signed text, as it was written: a signature is over every byte of it.
    pub(super) async fn signed(&self, name: &str) -> Result<Option<Signed>, SharedError> {
        let Some((bytes, _)) = self.objects.get(name).await? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| self.objects.damaged(name, format!("isn't a signed text: {error}; sign it again")))
    }

    /// Who has ended run `number` in another's stead; `None` where nobody did.
    pub async fn ended(&self, number: u32) -> Result<Option<Used>, SharedError> {
        Ok(self.read(&layout::of_run(number, ENDED)).await?.map(|(ended, _)| ended))
    }

    /// An object of JSON, its texts printable.
    pub(super) async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<(T, Version)>, SharedError> {
        let Some((bytes, version)) = self.objects.get(name).await? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes).and_then(|value| serde_json::from_value(clean::texts(value)));
        match value {
            Ok(value) => Ok(Some((value, version))),
            Err(error) => Err(self.objects.damaged(name, format!("can't be understood: {error}; remove it"))),
        }
    }
}

impl Used {
    /// What was done with the plan, in a word or two.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self.purpose {
            layout::Purpose::Apply => "applied",
            layout::Purpose::End => "ended unapplied",
        }
    }
}

/// This process's variables that are text.
#[must_use]
pub fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Now, in the form that everything shared is stamped with.
#[must_use]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// The id of an approval, which has to be of run `number`.
pub fn approval_id(number: u32, approval: &Signed) -> Result<String, SharedError> {
    let read: Approval = serde_json::from_str(&approval.payload).map_err(|error| {
        SharedError::Refused(format!("approval of run {number}: isn't one: {error}; approve again"))
    })?;
    if read.record.run != number {
        let other = read.record.run;
        return Err(SharedError::Refused(format!(
            "approval {}: is of run {other}, not of run {number}; name that run",
            read.id
        )));
    }
    Ok(read.id)
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, SharedError> {
    serde_json::to_vec(value)
        .map_err(|error| SharedError::Refused(format!("run store: can't be written down: {error}")))
}
