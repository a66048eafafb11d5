//! Approving a run's plan, here or by a file that was made elsewhere.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::ask;
use super::log::LogWriter;
use super::seen;
use super::store::{Store, StoreLock, Stored};
use crate::provisioning::approval::approvers::Approvers;
use crate::provisioning::approval::check::{Case, authorise, counts};
use crate::provisioning::approval::make::{self, Wish};
use crate::provisioning::approval::record::Signed;
use crate::provisioning::audit::chain::Deed;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::plan::read::PlanReading;
use crate::provisioning::run::{LogLevel, Phase};
use crate::provisioning::terraform::mask::Masks;
use crate::provisioning::words::command;
use crate::provisioning::workspace::secrets;
use crate::settings::{EnvironmentKind, EnvironmentName, ProvisioningSettings};
use crate::station::text::printable;

/// What came of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The approval.
    pub signed: Signed,
    /// Its id.
    pub id: String,
    /// For people.
    pub message: String,
}

/// Approves the plan of run `number`. Refused in words where the approval wouldn't count; nothing is kept then.
pub fn approve(
    store: &Store,
    number: u32,
    settings: &ProvisioningSettings,
    wish: &Wish<'_>,
    now: Timestamp,
) -> Result<Approved, ProvisioningError> {
    take(store, number, settings, (wish.label, now), |record| {
        // What is secret in the plan is secret in a reason too, as far as it is known here.
        let mut masks = match files::read(&store.plan_json(number))? {
            Some(text) => PlanReading::read(text.as_bytes())?.masks().clone(),
            None => Masks::default(),
        };
        masks.extend(secrets::known(settings.module.as_deref(), &store.workspace()));
        let reason = wish.reason.map(|reason| masks.apply(reason));
        let wish = &Wish { reason: reason.as_deref(), ..*wish };
        let key = settings.signing_key.as_deref();
        let key = key.filter(|_| store.environment().kind() == EnvironmentKind::Cloud);
        make::approve(record, wish, now, key)
    })
}

/// Takes in an approval that was made elsewhere: its file's text. `asked_by` is whoever brings it.
pub fn import(
    store: &Store,
    number: u32,
    settings: &ProvisioningSettings,
    text: &str,
    (asked_by, now): (&str, Timestamp),
) -> Result<Approved, ProvisioningError> {
    take(store, number, settings, (asked_by, now), |_| {
        make::from_file(text).map_err(|error| ProvisioningError::NotApproved(error.to_string()))
    })
}

/// A refusal is told in the audit trail: somebody wanted to approve.
fn take(
    store: &Store,
    number: u32,
    settings: &ProvisioningSettings,
    (asked_by, now): (&str, Timestamp),
    approval: impl FnOnce(&Signed) -> Result<Signed, ProvisioningError>,
) -> Result<Approved, ProvisioningError> {
    let lock = store.lock()?;
    seen::bury(store, &lock)?;
    let stored = store.read(number)?;
    let run = stored.run.clone();
    taken(store, (&lock, stored), settings, (asked_by, now), approval).or_else(|error| {
        let words = format!("approving: {error}");
        ask::tell(store, &run, &printable(asked_by), AuditEvent::Refused, &words)?;
        Err(error)
    })
}

fn taken(
    store: &Store,
    (lock, mut stored): (&StoreLock, Stored),
    settings: &ProvisioningSettings,
    (asked_by, now): (&str, Timestamp),
    approval: impl FnOnce(&Signed) -> Result<Signed, ProvisioningError>,
) -> Result<Approved, ProvisioningError> {
    let number = stored.run.number;
    if !stored.run.phase.waits() {
        let label = stored.run.phase.label();
        let plan = command(store.environment(), "plan");
        let words = format!("run {number}: can't be approved, it is {label}; only a planned run can, {plan} makes one");
        return Err(ended(stored.run.phase, words));
    }
    ask::refuse_outdated(store, lock, &mut stored, settings, (asked_by, now))?;
    let record = store.record(number)?.ok_or_else(|| {
        ProvisioningError::Stale(format!("run {number}: its plan was recorded by an older skydeck; plan again"))
    })?;
    let signed = approval(&record)?;
    let approvers = Approvers::find(settings.approvers.as_deref())?;
    let used = store.used()?;
    let run = (number, stored.run.id.clone());
    let case = case(store.environment(), (run.0, &run.1), &record, stored.run.denials(), &used, settings);
    let counted = counts(&case, &signed, approvers.as_ref(), now)?;
    let overrides = make::approval_of(&signed)?.overrides_denials;
    let twice = stored.run.approvals.iter().find(|one| {
        let same = if counted.key.is_some() { one.key == counted.key } else { one.by == counted.by };
        same && one.expires_at > now && (one.overrides_denials || !overrides) && one.id != counted.id
    });
    if let Some(before) = twice {
        let message = format!("run {number}: {} has approved it already, until {}", before.by, before.expires_at);
        let kept = store.approvals(number)?.into_iter();
        let same = |signed: &Signed| make::approval_of(signed).is_ok_and(|approval| approval.id == before.id);
        if let Some(signed) = kept.into_iter().find(same) {
            return Ok(Approved { signed, id: before.id.clone(), message });
        }
    }
    // One that came before, by another way, was told of then.
    let is_known = store.approvals(number)?.contains(&signed);
    store.add_approval(number, &counted.id, &signed)?;
    let settled = settle(store, lock, &mut stored, settings, now)?;
    if is_known {
        let message = settled.err().unwrap_or_else(|| format!("run {number}: {} has approved it already", counted.by));
        return Ok(Approved { signed, id: counted.id, message });
    }
    let approval = make::approval_of(&signed)?;
    let words = match (&approval.reason, approval.overrides_denials) {
        (Some(reason), true) => format!("overrides what the policies deny: {reason}"),
        (Some(reason), false) => reason.clone(),
        (None, _) => String::new(),
    };
    let mut digests = make::record_of(&record)?.digests();
    digests.insert("approval".to_owned(), crate::provisioning::approval::digest::of_bytes(signed.payload.as_bytes()));
    digests.extend(counted.key.clone().map(|key| ("key".to_owned(), key)));
    store.trail().append(Deed {
        who: counted.by.clone(),
        event: AuditEvent::Approved,
        emulated: stored.run.emulated,
        run: Some(number),
        words,
        digests,
    })?;
    let message = match settled {
        Ok(()) => format!("run {number}: approved by {}; it can be applied", counted.by),
        // They say who has approved it, and what is missing.
        Err(lacks) => lacks,
    };
    LogWriter::open(&store.run_folder(number))?.append(stored.run.phase, LogLevel::Info, &message)?;
    Ok(Approved { signed, id: counted.id, message })
}

/// Brings a waiting run in step with the approvals that it has. The inner error says what is still missing.
pub fn settle(
    store: &Store,
    _lock: &StoreLock,
    stored: &mut Stored,
    settings: &ProvisioningSettings,
    now: Timestamp,
) -> Result<Result<(), String>, ProvisioningError> {
    let number = stored.run.number;
    let Some(record) = store.record(number)? else { return Ok(Ok(())) };
    let approvals = store.approvals(number)?;
    let approvers = Approvers::find(settings.approvers.as_deref())?;
    let used = store.used()?;
    let run_id = stored.run.id.clone();
    let case = case(store.environment(), (number, &run_id), &record, stored.run.denials(), &used, settings);
    let verdict = authorise(&case, &approvals, approvers.as_ref(), now);
    let mut views: Vec<_> = approvals.iter().filter_map(|signed| make::view(signed, approvers.as_ref()).ok()).collect();
    views.sort_by_key(|view| view.at);
    let phase = if verdict.is_ok() && !views.is_empty() { Phase::Approved } else { Phase::Planned };
    if stored.run.approvals != views || stored.run.phase != phase {
        stored.run.approvals = views;
        stored.run.phase = phase;
        store.write(stored)?;
    }
    Ok(verdict.map(|_| ()).map_err(|refusal| refusal.to_string()))
}

/// The case of a run, as approvals are weighed in it.
#[must_use]
pub fn case<'a>(
    environment: &'a EnvironmentName,
    (run, run_id): (u32, &'a str),
    record: &'a Signed,
    denials: u32,
    used: &'a BTreeSet<String>,
    settings: &ProvisioningSettings,
) -> Case<'a> {
    Case {
        environment,
        run,
        run_id,
        record,
        denials,
        used,
        plan_max_age: SignedDuration::from_hours(i64::from(settings.plan_max_age_h)),
        approval_max_age: SignedDuration::from_hours(i64::from(settings.approval_max_age_h)),
    }
}

/// A refusal of a run that isn't waiting any more, by what became of it.
pub fn ended(phase: Phase, words: String) -> ProvisioningError {
    match phase {
        Phase::Stale => ProvisioningError::Stale(words),
        Phase::Expired => ProvisioningError::Expired(words),
        _ => ProvisioningError::Refused(printable(&words)),
    }
}
