//! Making, applying and ending runs; taking the state lock.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::approve;
use super::log::LogWriter;
use super::queue::{Job, Ticket};
use super::seen::{self, Living};
use super::store::{Store, StoreLock, Stored};
use crate::provisioning::approval::approvers::Approvers;
use crate::provisioning::approval::check;
use crate::provisioning::approval::record::PlanRecord;
use crate::provisioning::audit::chain::Deed;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::run::{LogLevel, Phase, Run, RunRequest};
use crate::provisioning::status::LockHolder;
use crate::provisioning::terraform::lock;
use crate::provisioning::words::command;
use crate::settings::{EnvironmentKind, EnvironmentName, ProvisioningSettings};
use crate::station::text::printable;

/// How long the holder of a local lock has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// The first line of every log of a run on emulated providers.
pub const EMULATED: &str = "EMULATED: skydeck itself plays the providers; no account can be touched";

/// A run to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// What tells it from every other run (UUID).
    pub id: String,
    /// Its number, where one was claimed for it; else the next one here.
    pub number: Option<u32>,
    /// What is asked of it.
    pub request: RunRequest,
}

impl Wish {
    /// A new run of `request`.
    #[must_use]
    pub fn of(request: RunRequest) -> Self {
        Self { id: uuid::Uuid::now_v7().to_string(), number: None, request }
    }
}

/// Makes a run and takes its ticket. `asked_by` is `user@host`.
pub fn start(store: &Store, wish: Wish, asked_by: &str) -> Result<(u32, Ticket), ProvisioningError> {
    let Wish { id, number, request } = wish;
    check_request(&request)?;
    store.refuse_unsaved()?;
    let lock = store.lock()?;
    seen::bury(store, &lock)?;
    let number = match number {
        Some(number) => number,
        None => store.numbers()?.first().map_or(1, |newest| newest + 1),
    };
    files::make_folder(&store.run_folder(number))?;
    let emulated = store.environment().kind() != EnvironmentKind::Cloud;
    let run = Run {
        number,
        id,
        environment: store.environment().clone(),
        emulated,
        request,
        asked_by: printable(asked_by),
        asked_at: Timestamp::now(),
        phase: Phase::Queued,
        steps: Vec::new(),
        changes: Vec::new(),
        drift: Vec::new(),
        changed_outputs: Vec::new(),
        counts: None,
        planned_at: None,
        state_serial: None,
        failure: None,
        ended_at: None,
        runner_pid: None,
        record: None,
        findings: Vec::new(),
        approvals: Vec::new(),
        moved: Vec::new(),
        planner: None,
        applied_by: None,
        home: None,
    };
    let mut log = LogWriter::open(&store.run_folder(number))?;
    if emulated {
        log.append(Phase::Queued, LogLevel::Info, EMULATED)?;
    }
    log.append(Phase::Queued, LogLevel::Info, &format!("run {number}, asked for by {}", run.asked_by))?;
    tell(store, &run, &run.asked_by, AuditEvent::Asked, &run.request.words())?;
    // The ticket is held before the run is there to be seen: a run without one is taken for dead.
    let ticket = Ticket::take(store, &lock, number, Job::Plan)?;
    store.write(&mut Stored { revision: 0, run })?;
    Ok((number, ticket))
}

/// Lets a run be applied, and takes its ticket. Refused in words where it can't be, because its environment asks for an
/// approval that isn't there say; a plan that is stale or expired is ended as such.
pub fn apply(
    store: &Store,
    number: u32,
    settings: &ProvisioningSettings,
    asked_by: &str,
    now: Timestamp,
) -> Result<Ticket, ProvisioningError> {
    let lock = store.lock()?;
    seen::bury(store, &lock)?;
    let mut stored = store.read(number)?;
    let asked_by = printable(asked_by);
    allowed_or_told(store, &lock, &mut stored, settings, (&asked_by, now))?;
    tell(store, &stored.run, &asked_by, AuditEvent::ApplyAsked, "")?;
    let words = format!("applying asked for by {asked_by}");
    LogWriter::open(&store.run_folder(number))?.append(Phase::Queued, LogLevel::Info, &words)?;
    files::remove(&store.mark(number))?;
    let ticket = Ticket::take(store, &lock, number, Job::Apply)?;
    stored.run.phase = Phase::Queued;
    stored.run.failure = None;
    stored.run.applied_by = Some(asked_by);
    // Wherever it was planned: from now on its process is here.
    stored.run.home = None;
    store.write(&mut stored)?;
    Ok(ticket)
}

/// Whether a run may be applied, as far as that can be told without a fresh plan. A refusal is told in the audit trail.
pub fn may_apply(
    store: &Store,
    number: u32,
    settings: &ProvisioningSettings,
    asked_by: &str,
    now: Timestamp,
) -> Result<(), ProvisioningError> {
    let lock = store.lock()?;
    seen::bury(store, &lock)?;
    let mut stored = store.read(number)?;
    allowed_or_told(store, &lock, &mut stored, settings, (&printable(asked_by), now))
}

fn allowed_or_told(
    store: &Store,
    lock: &StoreLock,
    stored: &mut Stored,
    settings: &ProvisioningSettings,
    (asked_by, now): (&str, Timestamp),
) -> Result<(), ProvisioningError> {
    allowed(store, lock, stored, settings, (asked_by, now)).or_else(|error| {
        tell(store, &stored.run, asked_by, AuditEvent::Refused, &error.to_string())?;
        Err(error)
    })
}

fn allowed(
    store: &Store,
    lock: &StoreLock,
    stored: &mut Stored,
    settings: &ProvisioningSettings,
    (asked_by, now): (&str, Timestamp),
) -> Result<(), ProvisioningError> {
    let number = stored.run.number;
    let phase = stored.run.phase;
    if !phase.waits() {
        let label = phase.label();
        let words = if stored.run.planned_at.is_some() && phase.is_active() {
            format!(
                "run {number}: its apply was asked for already, it is {label}; {} shows how far it is",
                command(store.environment(), &format!("runs {number}"))
            )
        } else {
            let plan = command(store.environment(), "plan");
            format!("run {number}: can't be applied, it is {label}; only a planned run can, {plan} makes one")
        };
        return Err(approve::ended(phase, words));
    }
    store.refuse_unsaved()?;
    refuse_outdated(store, lock, stored, settings, (asked_by, now))?;
    let record = store.record(number)?.ok_or_else(|| {
        ProvisioningError::Stale(format!("run {number}: its plan was recorded by an older skydeck; plan again"))
    })?;
    let (used, run_id) = (store.used()?, stored.run.id.clone());
    let case = approve::case(store.environment(), (number, &run_id), &record, stored.run.denials(), &used, settings);
    let approvers = Approvers::find(settings.approvers.as_deref())?;
    check::authorise(&case, &store.approvals(number)?, approvers.as_ref(), now)?;
    Ok(())
}

/// Ends a run whose plan is stale or expired, and refuses what was asked of it, by whom.
pub fn refuse_outdated(
    store: &Store,
    lock: &StoreLock,
    stored: &mut Stored,
    settings: &ProvisioningSettings,
    (asked_by, now): (&str, Timestamp),
) -> Result<(), ProvisioningError> {
    let Some((phase, words)) = outdated(store, &stored.run, settings, now)? else { return Ok(()) };
    stored.run.moved = vec![words.clone()];
    close(store, lock, stored, (asked_by, phase), &words)?;
    Err(approve::ended(phase, format!("run {}: {}, {words}; plan again", stored.run.number, phase.label())))
}

/// Whether a plan can't be applied any more: as what it ends, and what has moved.
pub fn outdated(
    store: &Store,
    run: &Run,
    settings: &ProvisioningSettings,
    now: Timestamp,
) -> Result<Option<(Phase, String)>, ProvisioningError> {
    // A state that is kept elsewhere is looked at before the apply, with the fresh plan.
    let serial = if store.workspace().is_embedded() { store.local_serial()? } else { run.state_serial };
    if serial != run.state_serial {
        let number = |serial: Option<u64>| serial.map_or("none".to_owned(), |serial| serial.to_string());
        let (was, is) = (number(run.state_serial), number(serial));
        return Ok(Some((Phase::Stale, format!("the state has moved on since the plan (serial {was}, now {is})"))));
    }
    let most = settings.plan_max_age_h;
    let age = run.planned_at.map(|planned_at| now.duration_since(planned_at));
    if age.is_none_or(|age| age > SignedDuration::from_hours(i64::from(most))) {
        return Ok(Some((
            Phase::Expired,
            format!("the plan is older than {most} hours (provisioning.plan_max_age_h)"),
        )));
    }
    Ok(None)
}

/// Ends runs whose plan was made on another state than there is now; `but` is left alone. A state that is kept elsewhere
/// is looked at when they are applied.
pub fn make_stale(store: &Store, but: u32) -> Result<(), ProvisioningError> {
    if !store.workspace().is_embedded() {
        return Ok(());
    }
    let lock = store.lock()?;
    let serial = store.local_serial()?;
    let by = store.read(but)?.run.carried_by().to_owned();
    for number in store.numbers()?.into_iter().filter(|number| *number != but) {
        let Ok(mut stored) = store.read(number) else { continue };
        if stored.run.phase.waits() && stored.run.state_serial != serial {
            let words = format!("stale: run {but} has changed the state since the plan; plan again");
            stored.run.moved = vec![format!("state: run {but} has changed it")];
            close(store, &lock, &mut stored, (&by, Phase::Stale), &words)?;
        }
    }
    Ok(())
}

/// Ends a run: a planned one is discarded, a queued or working one is sent one interrupt and ends by itself. Answers
/// what was done, in words.
pub fn cancel(store: &Store, number: u32, asked_by: &str) -> Result<String, ProvisioningError> {
    let lock = store.lock()?;
    seen::bury(store, &lock)?;
    let mut stored = store.read(number)?;
    let phase = stored.run.phase;
    let asked_by = printable(asked_by);
    if phase.waits() {
        close(store, &lock, &mut stored, (&asked_by, Phase::Discarded), &format!("discarded by {asked_by}"))?;
        return Ok(format!("run {number}: discarded"));
    }
    if phase.is_end() {
        let words = format!("run {number}: has ended already, it is {}; there is nothing to end", phase.label());
        return Err(ProvisioningError::Refused(words));
    }
    tell(store, &stored.run, &asked_by, AuditEvent::Ended, "asked to end")?;
    let mark = store.mark(number);
    let marked = std::fs::File::options().write(true).create_new(true).open(&mark);
    if let Err(error) = marked {
        if error.kind() != std::io::ErrorKind::AlreadyExists {
            return Err(ProvisioningError::file(&mark, &error));
        }
        return Err(ProvisioningError::Refused(format!(
            "run {number}: an interrupt was sent already and Terraform is ending its work; wait for it, a second one would cut it off and leave things half made"
        )));
    }
    // Its process may be about to start: then it finds the mark.
    if let Some(pid) = Living::look(store)?.holder(number).and_then(|holder| holder.pid) {
        interrupt(pid).map_err(|error| {
            ProvisioningError::Refused(format!(
                "run {number}: its process {pid} can't be interrupted: {error}; end it yourself"
            ))
        })?;
    }
    Ok(match phase {
        Phase::Queued => format!("run {number}: taken out of the queue"),
        _ => format!("run {number}: interrupted once; Terraform ends what it is doing, which may take a while"),
    })
}

/// Who holds the lock of the local state, and which process that is.
pub fn local_lock(store: &Store, living: &Living) -> Option<lock::LocalLock> {
    let workspace = store.workspace();
    let mut found = lock::of_local_state(workspace.local_state()?)?;
    let worker = living.worker.filter(|worker| worker.terraform_pid == found.pid && found.pid.is_some());
    found.holder.by_live_run = worker.map(|worker| worker.run).filter(|run| living.holder(*run).is_some());
    Some(found)
}

/// Takes the local state's lock from whoever holds it: that process is sent one interrupt, and waited for. `id` is the
/// lock's, as a confirmation. Answers what was done, in words.
pub async fn unlock_local(store: &Store, id: &str) -> Result<String, ProvisioningError> {
    let refused = |words: String| Err(ProvisioningError::Locked(words));
    let find = || Ok::<_, ProvisioningError>(local_lock(store, &Living::look(store)?));
    let Some(found) = find()? else {
        return clear_left_behind(store, id);
    };
    confirm(id, &found.holder)?;
    if let Some(run) = found.holder.by_live_run {
        return refused(format!("lock {id}: run {run} is at work and holds it; end that run first"));
    }
    let Some(pid) = found.pid else {
        return refused(format!("lock {id}: held by a process that can't be seen from here; end it where it runs"));
    };
    interrupt(pid).map_err(|error| {
        ProvisioningError::Locked(format!(
            "lock {id}: its process {pid} can't be interrupted: {error}; end it yourself"
        ))
    })?;
    let (freed, is_free) = tokio::sync::oneshot::channel();
    let workspace = store.workspace();
    // A thread of its own: one that waits for good keeps nobody from ending.
    std::thread::spawn(move || {
        let is_free = workspace.local_state().is_some_and(|state| lock::wait_for_local(state).is_ok());
        if freed.send(is_free).is_err() {
            tracing::debug!(target: "provisioning", "whoever asked for the lock has gone");
        }
    });
    match tokio::time::timeout(GRACE, is_free).await {
        Ok(Ok(true)) => Ok(format!("lock {id}: process {pid} was interrupted and has let go of it")),
        _ => refused(format!(
            "lock {id}: process {pid} was interrupted and holds it still; wait for it, or end it with `kill {pid}`"
        )),
    }
}

/// A killed Terraform leaves its lock file behind. It is in nobody's way, but reads as if somebody held the lock.
fn clear_left_behind(store: &Store, id: &str) -> Result<String, ProvisioningError> {
    let not_locked = || {
        ProvisioningError::NotFound(format!(
            "lock {}: the state isn't locked; there is nothing to unlock",
            printable(id)
        ))
    };
    let path = store.folder().join(".terraform.tfstate.lock.info");
    let left = files::read(&path)?.and_then(|text| lock::from_info(&text)).ok_or_else(not_locked)?;
    confirm(id, &left)?;
    files::remove(&path)?;
    Ok(format!("lock {id}: nobody held it any more; what was left of it is removed"))
}

/// Refuses an id that isn't the lock's.
pub fn confirm(id: &str, holder: &LockHolder) -> Result<(), ProvisioningError> {
    if id == holder.id && !id.is_empty() {
        return Ok(());
    }
    let words = format!("lock {}: the state is locked by another, {}; name that one", printable(id), holder.id);
    Err(ProvisioningError::NotFound(words))
}

fn interrupt(pid: u32) -> std::io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("no such process"))?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::INT)?)
}

/// Ends a run that nobody carries out; by whom, as what.
fn close(
    store: &Store,
    _lock: &StoreLock,
    stored: &mut Stored,
    (who, phase): (&str, Phase),
    words: &str,
) -> Result<(), ProvisioningError> {
    let number = stored.run.number;
    LogWriter::open(&store.run_folder(number))?.append(phase, LogLevel::Info, words)?;
    stored.run.phase = phase;
    stored.run.ended_at = Some(Timestamp::now());
    store.forget_plan(number)?;
    tell(store, &stored.run, who, AuditEvent::Ended, words)?;
    store.write(stored)
}

/// Writes to the audit trail what is done with a run. Without a name it is whoever has it carried out.
pub fn tell(store: &Store, run: &Run, who: &str, event: AuditEvent, words: &str) -> Result<(), ProvisioningError> {
    store.trail().append(Deed {
        who: if who.is_empty() { run.carried_by().to_owned() } else { who.to_owned() },
        event,
        emulated: run.emulated,
        run: Some(run.number),
        words: words.to_owned(),
        digests: run.record.as_ref().map(PlanRecord::digests).unwrap_or_default(),
    })?;
    Ok(())
}

/// Refuses what would be taken for another argument.
fn check_request(request: &RunRequest) -> Result<(), ProvisioningError> {
    request.targets.iter().chain(&request.replace).try_for_each(|address| check_address(address))?;
    for name in request.variables.keys() {
        let first_is_fine = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !first_is_fine || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            let words = format!("{:?}: not a variable's name, as in batch_window_s", printable(name));
            return Err(ProvisioningError::Refused(words));
        }
    }
    Ok(())
}

/// Refuses what isn't a resource's address, as far as that can be told without Terraform.
pub fn check_address(address: &str) -> Result<(), ProvisioningError> {
    if !address.is_empty() && !address.starts_with('-') && !address.chars().any(char::is_control) {
        return Ok(());
    }
    let words = format!("{:?}: not an address of a resource, as in azurerm_iothub.hub", printable(address));
    Err(ProvisioningError::Refused(words))
}

/// The run that is at work or waits in the data folder `data`, so that its files must stay where they are.
pub fn at_work(data: &Path) -> Result<Option<u32>, ProvisioningError> {
    // Whose folder it is makes no difference to who holds its locks.
    let living = Living::look(&Store::of(&EnvironmentName::demo(), data))?;
    Ok(living.holders.first().map(|holder| holder.run).or(living.worker.map(|worker| worker.run)))
}
