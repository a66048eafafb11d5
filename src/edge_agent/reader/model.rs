//! The model at work: nowcasts from it, another one in its place, the one before where it fails.
//!
//! The model runs on its own thread. A nowcast is waited for a moment, so that it becomes durable with the readings that
//! brought it; one that takes longer is fetched when it is there. One at a time: the next mean waits for it, which it has to
//! only while a back-log is read.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Chunk, Reader};
use crate::edge_agent::slot::load::Loaded;
use crate::edge_agent::slot::{Entry, Loader, Primed, Ran, Runner, SLOT, Slot, SlotAsk};
use crate::nowcast::health::judge;
use crate::nowcast::{Mean, Model};
use crate::station::{Message, MessageId, Prediction, SCHEMA_VERSION, VariableForecast};

/// How long a nowcast is waited for before the readings go on without it.
const PATIENCE: Duration = Duration::from_millis(250);
/// Longest time that a model may take to take in the history.
const PRIMING: Duration = Duration::from_secs(600);
/// Tenths of the means of the days it needs that have to be there.
const NEEDED_TENTHS: usize = 9;

/// The model that makes the nowcasts.
pub(super) struct AtWork {
    runner: Runner,
    /// As it was before it learnt anything.
    blank: Model,
    /// A nowcast that isn't there yet.
    due: Option<Due>,
    /// The one that is to take its place.
    candidate: Option<Candidate>,
}

/// A nowcast that isn't there yet.
struct Due {
    issued_at: Timestamp,
    /// Who makes it.
    model: String,
    ran: oneshot::Receiver<Ran>,
    until: Instant,
}

/// A model that takes in the history beside the one at work.
struct Candidate {
    entry: Entry,
    runner: Runner,
    blank: Model,
    primed: oneshot::Receiver<Primed>,
    until: Instant,
    reply: oneshot::Sender<Result<(), String>>,
}

/// Something that the reader waits for beside its source.
pub(super) enum Word {
    /// The nowcast that was due, or why there is none.
    Nowcast(Result<Ran, String>),
    /// The candidate has taken in the history, or why not.
    Primed(Result<Primed, String>),
}

impl AtWork {
    pub fn new(blank: Model) -> std::io::Result<Self> {
        Ok(Self { runner: Runner::start(blank.clone())?, blank, due: None, candidate: None })
    }

    pub fn id(&self) -> &str {
        self.runner.id()
    }

    /// Shows a mean to the model at work and to the one that is to take its place.
    pub fn observe(&self, mean: Mean) {
        self.runner.observe(mean);
        if let Some(candidate) = &self.candidate {
            candidate.runner.observe(mean);
        }
    }

    /// Issue time of the nowcast that isn't there yet.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.due.as_ref().map(|due| due.issued_at)
    }

    fn ask(&mut self, issued_at: Timestamp, max_run: Duration) {
        let ran = self.runner.forecast(issued_at);
        self.due = Some(Due { issued_at, model: self.id().to_owned(), ran, until: Instant::now() + max_run });
    }

    /// The next word of either; sleeps for ever where nothing is waited for. May be dropped and called again.
    pub async fn word(&mut self, max_run: Duration) -> Word {
        let Self { due, candidate, .. } = self;
        tokio::select! {
            ran = due_word(due.as_mut(), max_run) => Word::Nowcast(ran),
            primed = primed_word(candidate.as_mut()) => Word::Primed(primed),
        }
    }
}

async fn due_word(due: Option<&mut Due>, max_run: Duration) -> Result<Ran, String> {
    let Some(due) = due else { return std::future::pending().await };
    match tokio::time::timeout_at(due.until, &mut due.ran).await {
        Ok(Ok(ran)) => Ok(ran),
        Ok(Err(_)) => Err("it ended by a fault of its own".to_owned()),
        Err(_) => Err(format!("a nowcast takes longer than {} s", max_run.as_secs())),
    }
}

async fn primed_word(candidate: Option<&mut Candidate>) -> Result<Primed, String> {
    let Some(candidate) = candidate else { return std::future::pending().await };
    match tokio::time::timeout_at(candidate.until, &mut candidate.primed).await {
        Ok(Ok(primed)) => Ok(primed),
        Ok(Err(_)) => Err("it ended by a fault of its own while it took in the history".to_owned()),
        Err(_) => Err(format!("it takes longer than {} s to take in the history", PRIMING.as_secs())),
    }
}

/// The model of the slot, or of what it falls back to.
pub(super) async fn first(loader: &Loader, slot: &mut Slot, now: Timestamp) -> Model {
    loop {
        match loader.load(&slot.current).await {
            Ok(loaded) => return loaded.model,
            Err(words) => {
                tracing::warn!(target: "agent", "{words}");
                let Some(next) = slot.fallen_back(words, now) else {
                    return Model::zero(loader.station.latitude_deg, loader.station.longitude_deg);
                };
                *slot = next;
            }
        }
    }
}

impl Reader {
    /// Takes in a mean: the nowcast that is due is made of it.
    pub(super) async fn nowcast(&mut self, mean: Mean, chunk: &mut Chunk) {
        self.settle(chunk).await;
        self.last_mean = mean.ends_at;
        self.at_work.observe(mean);
        chunk.means.push(mean);
        let every = SignedDuration::from_mins(i64::from(self.shared.effective.borrow().nowcast_every_min));
        let is_due = self.last_issue.is_none_or(|last| mean.ends_at.duration_since(last) >= every);
        if !is_due {
            return;
        }
        self.at_work.ask(mean.ends_at, self.shared.max_run);
        if let Ok(ran) = tokio::time::timeout(PATIENCE, due_word(self.at_work.due.as_mut(), self.shared.max_run)).await
        {
            self.ran(ran, chunk).await;
        }
    }

    /// Waits for the nowcast that isn't there yet, if any.
    async fn settle(&mut self, chunk: &mut Chunk) {
        if self.at_work.due.is_some() {
            let ran = self.shared.pulse.during(due_word(self.at_work.due.as_mut(), self.shared.max_run)).await;
            self.ran(ran, chunk).await;
        }
    }

    /// What came of the nowcast that was due: it is sent, or another model makes it.
    pub(super) async fn ran(&mut self, ran: Result<Ran, String>, chunk: &mut Chunk) {
        let Some(due) = self.at_work.due.take() else { return };
        let ran = ran.and_then(|ran| judge(&ran.forecasts).map(|()| ran));
        let skill = ran.as_ref().ok().and_then(|ran| ran.standing.skill);
        let is_package = self.slot.current.package().is_some();
        let is_own = due.model == self.at_work.id();
        let fault = match (ran, skill) {
            (Err(words), _) => words,
            (Ok(_), Some(skill)) if skill < 0.0 && is_package && is_own => worse(skill),
            (Ok(ran), _) => {
                if is_own {
                    self.say_run(&ran);
                }
                return self.issue(due.issued_at, due.model, ran.forecasts, chunk);
            }
        };
        if is_own {
            self.fall_back(fault, due.issued_at, chunk).await;
        } else {
            // Its successor is at work already, and knows the same means.
            self.at_work.ask(due.issued_at, self.shared.max_run);
            let ran = self.shared.pulse.during(due_word(self.at_work.due.as_mut(), self.shared.max_run)).await;
            Box::pin(self.ran(ran, chunk)).await;
        }
    }

    fn issue(&mut self, issued_at: Timestamp, model_id: String, forecasts: Vec<VariableForecast>, chunk: &mut Chunk) {
        if forecasts.is_empty() {
            return;
        }
        self.last_issue = Some(issued_at);
        let prediction = Prediction {
            device_id: self.shared.device_id.clone(),
            message_id: MessageId::new(issued_at),
            measured_at: issued_at,
            schema: SCHEMA_VERSION,
            clock: None,
            model_id,
            forecasts,
            rain_probability: None,
            cloud_probability: Vec::new(),
        };
        chunk.messages.push(Message::Prediction(prediction).into());
    }

    /// Gives up the model at work: the one before makes the nowcast, and those that follow.
    async fn fall_back(&mut self, mut fault: String, issued_at: Timestamp, chunk: &mut Chunk) {
        let now = self.shared.clock.now();
        while let Some(mut next) = self.slot.fallen_back(fault, now) {
            let given_up = self.slot.current.id();
            let reason = next.fallback.as_ref().map_or("", |fallback| &fallback.reason).to_owned();
            let blank = self.shared.pulse.during(first(&self.shared.loader, &mut next, now)).await;
            tracing::warn!(
                target: "agent",
                "the model {given_up} is given up: {reason}; {} makes the nowcasts now",
                next.current.id()
            );
            if let Err(error) = self.begin(blank, &chunk.means).await {
                tracing::error!(target: "agent", "{error}");
            }
            self.keep_slot(next).await;
            self.at_work.ask(issued_at, self.shared.max_run);
            let ran = self.shared.pulse.during(due_word(self.at_work.due.as_mut(), self.shared.max_run)).await;
            self.at_work.due = None;
            match ran.and_then(|ran| judge(&ran.forecasts).map(|()| ran)) {
                Ok(ran) => {
                    self.say_run(&ran);
                    return self.issue(issued_at, self.at_work.id().to_owned(), ran.forecasts, chunk);
                }
                Err(words) => fault = words,
            }
        }
        tracing::error!(target: "agent", "no model could make the nowcast of {issued_at}");
    }

    /// Puts `blank` to work, with all it can have learnt until now, of which `unstored` isn't in the history yet.
    async fn begin(&mut self, blank: Model, unstored: &[Mean]) -> Result<(), String> {
        let mut means = self.shared.history.means(self.last_mean).await.map_err(|error| error.to_string())?;
        let newest = means.last().map(Mean::bin);
        means.extend(unstored.iter().filter(|mean| newest.is_none_or(|newest| mean.bin() > newest)));
        let candidate = self.at_work.candidate.take();
        let at_work = AtWork::new(blank).map_err(|error| format!("the model has no thread: {error}"))?;
        self.at_work = AtWork { candidate, ..at_work };
        // What it says of the past is told with its first nowcast.
        drop(self.at_work.runner.prime(means));
        Ok(())
    }

    /// Has the nowcast made that was due when the agent ended, unless its time is over.
    pub(super) fn catch_up(&mut self, due: Option<Timestamp>) {
        let Some(due) = due.filter(|due| *due == self.last_mean && self.last_issue.is_none_or(|last| last < *due))
        else {
            return;
        };
        let every = SignedDuration::from_mins(i64::from(self.shared.effective.borrow().nowcast_every_min));
        let now = self.shared.clock.now();
        if !self.shared.is_wall || (self.shared.machine.now().is_set() && now.duration_since(due) < every) {
            self.at_work.ask(due, self.shared.max_run);
        }
    }

    /// Begins the model at work anew, with what the history has until now.
    pub(super) async fn begin_anew(&mut self) -> Result<(), String> {
        if let Some(candidate) = self.at_work.candidate.take() {
            let words = "the clock was set back while it took in the history; deploy it again";
            drop(candidate.reply.send(Err(words.to_owned())));
        }
        let blank = self.at_work.blank.clone();
        self.begin(blank, &[]).await
    }

    // The slot.

    /// Lets a model take in the history, beside the one that goes on making the nowcasts.
    pub(super) async fn prime(&mut self, ask: SlotAsk) {
        let SlotAsk { entry, loaded, reply } = ask;
        match self.candidate_of(&loaded).await {
            Ok((runner, primed)) => {
                let until = Instant::now() + PRIMING;
                self.at_work.candidate = Some(Candidate { entry, runner, blank: loaded.model, primed, until, reply });
            }
            // Whoever asked may have gone.
            Err(words) => drop(reply.send(Err(words))),
        }
    }

    async fn candidate_of(&self, loaded: &Loaded) -> Result<(Runner, oneshot::Receiver<Primed>), String> {
        let means = self.shared.history.means(self.last_mean).await.map_err(|error| error.to_string())?;
        let needed = usize::from(loaded.history_days) * 144 * NEEDED_TENTHS / 10;
        if means.len() < needed {
            let (days, there) = (loaded.history_days, means.len() as f64 / 144.0);
            return Err(format!("it needs {days} days of history, and {there:.1} are here; deploy it again later"));
        }
        let runner =
            Runner::start(loaded.model.clone()).map_err(|error| format!("the model has no thread: {error}"))?;
        let primed = runner.prime(means);
        Ok((runner, primed))
    }

    /// Puts the candidate to work, if it does well on what was.
    pub(super) async fn primed(&mut self, primed: Result<Primed, String>) {
        let Some(candidate) = self.at_work.candidate.take() else { return };
        if candidate.reply.is_closed() {
            return; // another one is wanted by now
        }
        let is_package = candidate.entry.package().is_some();
        let fault = match &primed {
            Err(words) => Some(words.clone()),
            Ok(Primed { fault: Some(words), .. }) => Some(words.clone()),
            Ok(primed) if is_package => match primed.standing.skill {
                Some(skill) if skill < 0.0 => Some(worse(skill)),
                _ if !primed.forecasts && self.last_issue == Some(self.last_mean) => {
                    let at_work = self.at_work.id();
                    Some(format!("it forecasts nothing from this device's history, of which {at_work} does"))
                }
                _ => None,
            },
            Ok(_) => None,
        };
        if let Some(words) = fault {
            // Whoever asked may have gone, here and below.
            return drop(candidate.reply.send(Err(words)));
        }
        let Candidate { entry, runner, blank, reply, .. } = candidate;
        self.at_work = AtWork { runner, blank, due: self.at_work.due.take(), candidate: None };
        let slot = self.slot.deployed(entry, self.shared.clock.now());
        tracing::info!(target: "agent", "the model {} makes the nowcasts now", slot.current.id());
        self.keep_slot(slot).await;
        drop(reply.send(Ok(())));
    }

    /// Makes the slot what it is now: known, told, and durable where that can be.
    pub(super) async fn keep_slot(&mut self, slot: Slot) {
        let kept = serde_json::to_string(&slot).unwrap_or_default();
        self.slot = slot;
        if let Err(error) = self.shared.outbox.put_state(vec![(SLOT.to_owned(), kept)]).await {
            tracing::error!(target: "agent", "the model slot holds until the next start only: {error}");
        }
        self.say_slot();
    }

    pub(super) fn say_slot(&self) {
        let id = self.slot.current.id();
        self.shared.slot.send_replace(self.slot.clone());
        self.shared.status.send_modify(|status| status.model_id = Some(id));
        self.shared.report.send_modify(|report| {
            let deploying = report.model.deploying.take();
            report.model = Default::default();
            report.model.deploying = deploying;
            self.slot.tell(&mut report.model);
        });
        self.shared.apply_twin();
    }

    fn say_run(&self, ran: &Ran) {
        let took = ran.took.as_secs_f64() * 1000.0;
        self.shared.report.send_modify(|report| {
            let model = &mut report.model;
            model.runs += 1;
            model.last_run_ms = Some(took);
            model.longest_run_ms = Some(model.longest_run_ms.map_or(took, |longest| longest.max(took)));
            (model.skill, model.verified) = (ran.standing.skill, ran.standing.verified);
        });
    }
}

fn worse(skill: f64) -> String {
    format!("its nowcasts of the last seven days are worse than persistence (skill {skill:.2})")
}
