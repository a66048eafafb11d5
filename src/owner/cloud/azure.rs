//! Azure's part as viewers see it: the stages from roof to notice, and what alarms look at.

use std::sync::Arc;

use jiff::Timestamp;

use super::lags::Lags;
use super::way::{median_lag, to_the_hub};
use crate::clock::ledger::Hop;
use crate::ingestion::account::{AccountError, AccountStatus, ContainerStatus, Gap, PicturesStatus, Urgency};
use crate::ingestion::events::{EventsStatus, LineState, TOLD};
use crate::ingestion::feed::{FeedStatus, LiveFeed};
use crate::owner::alarms::AzureInputs;
use crate::owner::figures::{age, bytes_in_words, per_second};
use crate::owner::lamp::Lamp;
use crate::owner::snapshot::{NoticeQueue, Stage, StageName};
use crate::station::text::{counted, thousands};

/// Messages whose way to the hub is looked at for its lag.
const RECENT: usize = 50;

/// How Azure's part stands; absent is what isn't watched.
#[derive(Debug, Clone, Default)]
pub(super) struct AzureParts {
    pub(super) events: Option<EventsStatus>,
    pub(super) account: Option<AccountStatus>,
    pub(super) pictures: Option<PicturesStatus>,
    pub(super) feed: FeedStatus,
    pub(super) heard: Vec<(Arc<str>, Timestamp)>,
    pub(super) lags: Lags,
}

impl AzureParts {
    /// Whether the feed is read now.
    pub(super) fn is_read(&self) -> bool {
        self.events.as_ref().is_some_and(|events| events.line == LineState::Reading)
    }

    /// Whether a stage is watched here.
    pub(super) fn watches(&self, name: StageName) -> bool {
        let is_queue = self.account.as_ref().is_some_and(|account| account.queue.is_some());
        match name {
            StageName::Roof | StageName::Hub | StageName::Nowcast => self.events.is_some(),
            StageName::Route | StageName::Blob => self.account.is_some(),
            StageName::Event => is_queue,
            StageName::Pipe | StageName::Table => false,
        }
    }

    /// A stage that is watched here.
    pub(super) fn stage(&self, name: StageName, feed: &LiveFeed, now: Timestamp) -> Option<Stage> {
        let events = self.events.as_ref();
        let account = self.account.as_ref();
        match name {
            StageName::Roof => Some(roof(events?, &self.feed, self.heard.len())),
            StageName::Hub => Some(hub(events?, &self.feed, feed, now)),
            StageName::Route => Some(route(account?, now)),
            StageName::Blob => Some(Stage { lag_s: self.lags.of(Hop::Batched), ..blob(account?) }),
            StageName::Event => Some(Stage { lag_s: self.lags.of(Hop::Noticed), ..event(account?, now)? }),
            StageName::Nowcast => events.map(|_| nowcast(&self.feed, now)),
            StageName::Pipe | StageName::Table => None,
        }
    }

    /// When the newest message reached the hub.
    pub(super) fn telemetry_at(&self) -> Option<Timestamp> {
        self.events.as_ref()?.partitions.values().filter_map(|partition| partition.enqueued_at).max()
    }

    /// When the newest batch of measurements was written.
    pub(super) fn batch_at(&self) -> Option<Timestamp> {
        Some(self.account.as_ref()?.containers.get("json-blob-messages")?.newest.as_ref()?.written_at)
    }

    /// The queue of notices; what was taken off it others know.
    pub(super) fn notices(&self) -> NoticeQueue {
        let queue = self.account.as_ref().and_then(|account| account.queue.as_ref()?.as_ref().ok());
        queue.map_or_else(NoticeQueue::default, |queue| NoticeQueue {
            depth: queue.depth,
            oldest_at: queue.oldest_at,
            set_aside: 0,
        })
    }

    /// What the alarms look at.
    pub(super) fn alarm_inputs(&self, now: Timestamp) -> AzureInputs {
        let mut inputs = AzureInputs::default();
        if let Some(events) = &self.events {
            inputs.feed.clone_from(&events.problem);
            let problems = events.partitions.values().filter_map(|partition| partition.problem.clone());
            inputs.partitions = if inputs.feed.is_some() { Vec::new() } else { problems.collect() };
        }
        let containers = self.account.iter().flat_map(|account| account.containers.values());
        let troubles = containers.filter_map(|container| container.trouble.as_ref());
        let pictures = self.pictures.as_ref().and_then(|pictures| pictures.trouble.as_ref());
        inputs.storage = troubles.chain(pictures).map(words).collect();
        let expiries = self.account.iter().flat_map(|account| &account.expiries);
        let pictures = self.pictures.iter().filter_map(|pictures| pictures.expiry.as_ref());
        for expiry in expiries.chain(pictures) {
            let step = match expiry.urgency(now) {
                Urgency::Far => continue,
                Urgency::Weeks => 0,
                Urgency::Days => 1,
                Urgency::Last => 2,
            };
            let when = if expiry.ends_at > now { "; renew it before" } else { "; renew it" };
            inputs.ends[step].push(expiry.words(now) + when);
        }
        let Some(account) = &self.account else { return inputs };
        inputs.gaps = account.containers.iter().flat_map(|(name, container)| gaps(name, container, now)).collect();
        match &account.queue {
            Some(Err(error)) => inputs.queue = Some(words(error)),
            Some(Ok(queue)) => {
                let poison = |notice: &crate::ingestion::account::PoisonNotice| {
                    format!(
                        "a notice that no pipe will take: {}; `skydeck storage take-poison {}` takes it off",
                        notice.reason, notice.id
                    )
                };
                inputs.poison = queue.poison.iter().map(poison).collect();
            }
            None => {}
        }
        inputs
    }
}

fn words(error: &AccountError) -> String {
    error.to_string()
}

/// The gaps that ended a short while ago, or go on.
fn gaps<'c>(name: &'c str, container: &'c ContainerStatus, now: Timestamp) -> impl Iterator<Item = String> + 'c {
    let told = move |gap: &&Gap| now.duration_since(gap.to) <= TOLD;
    container.gaps.iter().flatten().filter(told).map(move |gap| {
        format!(
            "container {name}: no batch of {} messages that the hub took in between {} and {}; check the hub's route and its \
             right to write",
            thousands(gap.messages),
            gap.from.strftime("%H:%M"),
            gap.to.strftime("%H:%M UTC")
        )
    })
}

fn stage(name: StageName, lamp: Lamp, headline: String, detail: String) -> Stage {
    Stage { name, lamp, headline, detail, rate_per_s: None, lag_s: None, last_error: None, missing: false }
}

fn roof(events: &EventsStatus, feed: &FeedStatus, devices: usize) -> Stage {
    let lamp = match (events.line, devices) {
        (LineState::Reading, 1..) => Lamp::Ok,
        _ => Lamp::Unknown,
    };
    let headline = per_second(feed.rate_per_s);
    let detail = counted(devices, "device");
    Stage { rate_per_s: Some(feed.rate_per_s), ..stage(StageName::Roof, lamp, headline, detail) }
}

fn hub(events: &EventsStatus, status: &FeedStatus, feed: &LiveFeed, now: Timestamp) -> Stage {
    let behind: u64 = events.partitions.values().map(|partition| partition.behind).sum();
    let trouble = events.partitions.values().find_map(|partition| partition.problem.clone());
    let recent = events.last_aside.as_ref().filter(|(at, _)| now.duration_since(*at) < TOLD);
    let aside = recent.map(|(_, words)| format!("put aside, kept in feed.db: {words}"));
    let (lamp, headline) = match events.line {
        LineState::Reading if trouble.is_some() || aside.is_some() => (Lamp::Warning, per_second(status.rate_per_s)),
        LineState::Reading => (Lamp::Ok, per_second(status.rate_per_s)),
        LineState::Connecting => (Lamp::Unknown, "connecting".to_owned()),
        LineState::Waiting { .. } => (Lamp::Failed, "not read".to_owned()),
    };
    let mut detail = format!("{} partitions", events.partitions.len());
    if let LineState::Waiting { until } = events.line {
        detail = format!("again in {} s", until.duration_since(now).as_secs().max(0));
    } else if behind > 0 {
        detail = format!("{} behind", thousands(behind));
    } else if events.missed > 0 {
        detail = format!("{} missed", thousands(events.missed));
    } else if events.aside > 0 {
        detail = format!("{} aside", thousands(events.aside));
    }
    let before = || events.last_problem.as_ref().map(|(_, words)| words.clone());
    let last_error = events.problem.clone().or(trouble).or(aside).or_else(before);
    Stage {
        rate_per_s: Some(status.rate_per_s),
        lag_s: median_lag(&to_the_hub(&feed.recent(RECENT)), Hop::Enqueued),
        last_error,
        ..stage(StageName::Hub, lamp, headline, detail)
    }
}

fn route(account: &AccountStatus, now: Timestamp) -> Stage {
    let is_missing = account.containers.iter().any(|(name, container)| gaps(name, container, now).next().is_some());
    let newest = account
        .containers
        .values()
        .filter_map(|container| container.newest.as_ref())
        .max_by_key(|file| file.written_at);
    let count = account.containers.len();
    let headline = format!("{count} container{}", if count == 1 { "" } else { "s" });
    let (lamp, detail) = match newest {
        Some(file) => {
            (if is_missing { Lamp::Failed } else { Lamp::Ok }, format!("batch {}", age(now, file.written_at)))
        }
        None => (Lamp::Unknown, "no batch yet".to_owned()),
    };
    stage(StageName::Route, lamp, headline, detail)
}

fn blob(account: &AccountStatus) -> Stage {
    let trouble = account.containers.values().find_map(|container| container.trouble.as_ref());
    let last_hour: u32 = account.containers.values().filter_map(|container| container.per_hour.last()).sum();
    let newest = account
        .containers
        .values()
        .filter_map(|container| container.newest.as_ref())
        .max_by_key(|file| file.written_at);
    let lamp = match (account.looked_at, trouble) {
        (None, _) => Lamp::Unknown,
        (Some(_), Some(_)) => Lamp::Failed,
        (Some(_), None) => Lamp::Ok,
    };
    let detail = newest.map_or_else(String::new, |file| bytes_in_words(file.bytes));
    Stage { last_error: trouble.map(words), ..stage(StageName::Blob, lamp, format!("{last_hour}/h"), detail) }
}

fn event(account: &AccountStatus, now: Timestamp) -> Option<Stage> {
    Some(match account.queue.as_ref()? {
        Ok(queue) => {
            let lamp = if queue.poison.is_empty() { Lamp::Ok } else { Lamp::Warning };
            let oldest = queue.oldest_at.map_or_else(String::new, |at| format!("oldest {}", age(now, at)));
            let last_error = queue.poison.first().map(|notice| notice.reason.clone());
            Stage { last_error, ..stage(StageName::Event, lamp, format!("{} queued", queue.depth), oldest) }
        }
        Err(error) => Stage {
            last_error: Some(words(error)),
            ..stage(StageName::Event, Lamp::Failed, "no answer".to_owned(), String::new())
        },
    })
}

fn nowcast(feed: &FeedStatus, now: Timestamp) -> Stage {
    match &feed.prediction {
        Some(prediction) => {
            let headline = format!("{} old", age(now, prediction.measured_at));
            stage(StageName::Nowcast, Lamp::Ok, headline, String::new())
        }
        None => stage(StageName::Nowcast, Lamp::Unknown, "none yet".to_owned(), String::new()),
    }
}
