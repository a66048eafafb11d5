//! Fetching runs: what others did to a run comes here.

use std::path::Path;

use super::clean;
use super::error::SharedError;
use super::layout::{self, ENDED, PARTS, Part, RUN, USED, Used};
use super::link::Link;
use super::objects::Version;
use super::store::{ListedRun, approval_id, json};
use super::sync::Sharing;
use crate::provisioning::approval::record::{PlanRecord, Signed};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::runs::store::Stored;

/// What was fetched of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    /// Whether it wasn't here before.
    pub made: bool,
    /// Whether the run itself has changed.
    pub changed: bool,
    /// Whether approvals came.
    pub approved: bool,
}

impl Sharing {
    /// Takes in what is newer in the store: approvals and uses of every run, and the rest of runs that others carry out.
    /// Plans stay where they are, see [`Sharing::take_plan`].
    pub(super) async fn take(&self, listed: &ListedRun) -> Result<Fetched, SharedError> {
        let number = listed.number;
        let folder = self.store.run_folder(number);
        let mut fetched = Fetched::default();
        // A number that is claimed has no run yet.
        if !listed.objects.contains_key(RUN) {
            return Ok(fetched);
        }
        let mut link = match Link::read(&folder)? {
            Some(link) => link,
            None => {
                fetched.made = true;
                self.first_link(number).await?
            }
        };
        let before = link.clone();
        let is_new = |link: &Link, name: &str| -> Option<Version> {
            let version = listed.objects.get(name)?;
            link.seen.get(name).is_none_or(|seen| !version.is(seen)).then(|| version.clone())
        };
        // Whoever uses the plan carries the run out from then on; whoever ends it in another's stead, even more so.
        let mut handed_over = false;
        for name in [USED, ENDED] {
            let Some(version) = is_new(&link, name) else { continue };
            let read: Option<(Used, _)> = self.shared.read(&layout::of_run(number, name)).await?;
            if let Some((used, _)) = read {
                files::make_folder(&folder)?;
                files::write_whole(&folder.join(name), &json(&used)?)?;
                (link.home_id, link.home_of) = (used.home_id, used.who);
                link.seen.insert(name.to_owned(), version.0);
                handed_over = true;
            }
        }
        let is_ours = link.home_id == self.home.id && self.store.run_file(number).exists();
        if !is_ours {
            for part in PARTS.iter().filter(|part| !part.sealed) {
                if let Some(version) = is_new(&link, part.name) {
                    self.take_part(number, &folder, part).await?;
                    link.seen.insert(part.name.to_owned(), version.0);
                }
            }
            if let Some(version) = is_new(&link, RUN) {
                fetched.changed = self.take_run(number, &link).await?;
                link.seen.insert(RUN.to_owned(), version.0);
            } else if handed_over {
                fetched.changed = self.hand_over(number, &link)?;
            }
        }
        fetched.approved = self.take_approvals(listed, &folder, &mut link).await?;
        if link != before || fetched.made {
            link.write(&folder)?;
        }
        Ok(fetched)
    }

    /// The link of a run that is seen for the first time.
    async fn first_link(&self, number: u32) -> Result<Link, SharedError> {
        let claim = self.shared.claimed(number).await?.ok_or_else(|| {
            self.shared
                .objects
                .damaged(&layout::of_run(number, layout::CLAIM), "isn't there; nobody has claimed this run, remove it")
        })?;
        if self.store.run_file(number).exists() {
            return Err(SharedError::Conflict(format!(
                "run {number}: the shared run of {} can't be shown, a run that was made here before runs were shared has its number; move {} away",
                claim.who,
                self.store.run_folder(number).display()
            )));
        }
        files::make_folder(&self.store.run_folder(number))?;
        Ok(Link { run_id: claim.run_id, home_id: claim.home_id, home_of: claim.who, ..Link::default() })
    }

    async fn take_part(&self, number: u32, folder: &Path, part: &Part) -> Result<(), SharedError> {
        let object = layout::of_run(number, part.name);
        let Some((bytes, _)) = self.shared.objects.get(&object).await? else { return Ok(()) };
        let content = if part.name == "log.jsonl" { clean::log(&bytes) } else { bytes };
        Ok(files::write_whole(&folder.join(part.local), &content)?)
    }

    /// Takes the run in as a copy. Only the word of the home that carries it out counts.
    async fn take_run(&self, number: u32, link: &Link) -> Result<bool, SharedError> {
        let Some((shared, _)) = self.shared.run(number).await? else { return Ok(false) };
        if shared.home_id != link.home_id && self.store.run_file(number).exists() {
            return self.hand_over(number, link);
        }
        let mut stored = shared.stored;
        stored.run.home = Some(link.home_of.clone());
        stored.run.runner_pid = None;
        let _lock = self.store.lock()?;
        let here = self.store.read(number).map_or(0, |here| here.revision);
        stored.revision = stored.revision.max(here);
        let has_ended = stored.run.phase.is_end();
        self.store.write(&mut stored)?;
        if has_ended {
            self.drop_plans(number)?;
        }
        Ok(true)
    }

    /// Notes in the copy that is here who carries the run out by now.
    fn hand_over(&self, number: u32, link: &Link) -> Result<bool, SharedError> {
        let _lock = self.store.lock()?;
        let mut stored: Stored = self.store.read(number)?;
        let home = (link.home_id != self.home.id).then(|| link.home_of.clone());
        if stored.run.home == home {
            return Ok(false);
        }
        stored.run.home = home;
        self.store.write(&mut stored)?;
        Ok(true)
    }

    async fn take_approvals(&self, listed: &ListedRun, folder: &Path, link: &mut Link) -> Result<bool, SharedError> {
        let number = listed.number;
        let mut any = false;
        for name in listed.objects.keys() {
            let Some(id) = layout::approval_id(name).filter(|_| !link.seen.contains_key(name)) else { continue };
            let object = layout::of_run(number, name);
            let Some(approval) = self.shared.signed(&object).await? else { continue };
            if approval_id(number, &approval)? != id {
                return Err(self.shared.objects.damaged(&object, "is another approval than its name says; remove it"));
            }
            keep_approval(folder, id, &approval)?;
            link.seen.insert(name.clone(), String::new());
            any = true;
        }
        Ok(any)
    }

    /// Fetches and decrypts the plan of a run that was made elsewhere. What comes is held against the run's record.
    pub(super) async fn take_plan(&self, number: u32) -> Result<(), SharedError> {
        let folder = self.store.run_folder(number);
        let record: Option<Signed> =
            files::read(&folder.join("record.json"))?.and_then(|text| serde_json::from_str(&text).ok());
        let record: Option<PlanRecord> = record.and_then(|signed| serde_json::from_str(&signed.payload).ok());
        for part in PARTS.iter().filter(|part| part.sealed) {
            let object = layout::of_run(number, part.name);
            let Some((sealed, _)) = self.shared.objects.get(&object).await? else {
                if part.local == "plan" {
                    return Err(SharedError::Refused(format!(
                        "run {number}: its plan isn't in the run store; it was published without provisioning.plan_recipient, or has ended; plan again"
                    )));
                }
                continue;
            };
            let content = self.keys.decrypt(&format!("run {number}: {}", part.name), &sealed)?;
            if let Some(record) = record.as_ref().filter(|_| part.local == "plan")
                && digest(&content) != record.plan_sha256
            {
                return Err(self.shared.objects.damaged(&object, "isn't the plan that was recorded; plan again"));
            }
            files::write_whole(&folder.join(part.local), &content)?;
        }
        Ok(())
    }

    /// Removes plans that are of no more use: they hold secrets.
    pub(super) fn drop_plans(&self, number: u32) -> Result<(), ProvisioningError> {
        let folder = self.store.run_folder(number);
        PARTS.iter().filter(|part| part.sealed).try_for_each(|part| files::remove(&folder.join(part.local)))
    }
}

/// Keeps an approval in a run's folder.
pub(super) fn keep_approval(folder: &Path, id: &str, approval: &Signed) -> Result<(), SharedError> {
    let approvals = folder.join(layout::APPROVALS);
    files::make_folder(&approvals)?;
    Ok(files::write_whole(&approvals.join(format!("{id}.json")), &json(approval)?)?)
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    sha2::Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a text can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
