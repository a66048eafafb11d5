//! The pipeline's stages as lamps and words, from what its parts say of themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::figures::{age, bytes_in_words, per_second};
use super::lamp::Lamp;
use super::snapshot::{Alarm, Score, Severity, Stage, StageName};
use crate::clock::ledger::{Hop, Ledger};
use crate::edge_agent::outbox::OutboxStatus;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::report::AgentStatus;
use crate::edge_agent::uplink::UplinkStatus;
use crate::ingestion::batching::{BatchError, BatchStatus};
use crate::ingestion::enqueued::OpenBatch;
use crate::ingestion::feed::FeedStatus;
use crate::ingestion::loader::{LoaderStatus, PipeStatus, Stall};
use crate::ingestion::notices::QueueStatus;
use crate::ingestion::routing::UNROUTED;
use crate::ingestion::topology::{MESSAGE_CONTAINERS, Part, Topology};
use crate::local_cloud::hub::HubStatus;
use crate::station::text::{counted, thousands};

/// What the parts say of themselves at one moment.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The agent.
    pub agent: AgentStatus,
    /// Its outbox.
    pub outbox: OutboxStatus,
    /// What it says of itself.
    pub report: Arc<AgentReport>,
    /// Its link.
    pub uplink: UplinkStatus,
    /// Devices whose identity two have.
    pub rivals: Vec<String>,
    /// The hub.
    pub hub: HubStatus,
    /// Batches being collected.
    pub open: Vec<(String, OpenBatch)>,
    /// What the pipeline runs on.
    pub topology: Arc<Topology>,
    /// The batcher.
    pub batch: BatchStatus,
    /// The notice queue.
    pub queue: QueueStatus,
    /// The loader.
    pub loader: LoaderStatus,
    /// The feed.
    pub feed: FeedStatus,
    /// Verification.
    pub verification: Vec<Score>,
    /// Events a wall second over the last minute: readings, batches, notices, files, rows.
    pub rates: PartRates,
}

impl Parts {
    /// The pipe of the measurements.
    #[must_use]
    pub fn measurements(&self) -> Option<&PipeStatus> {
        self.loader.pipes.values().find(|status| status.pipe.container == MESSAGE_CONTAINERS[0])
    }

    /// Blobs that no notice was made for.
    fn unannounced(&self) -> u64 {
        self.batch.unannounced.values().sum()
    }
}

/// Stages of which nothing is provisioned.
#[must_use]
pub fn missing(topology: &Topology) -> BTreeSet<StageName> {
    let has_routes = topology.hub.as_ref().is_some_and(|hub| {
        hub.endpoints.iter().any(|endpoint| MESSAGE_CONTAINERS.contains(&endpoint.container.as_str()))
    });
    let is_there = [
        (StageName::Hub, topology.hub.is_some()),
        (StageName::Route, has_routes),
        (StageName::Blob, MESSAGE_CONTAINERS.iter().any(|name| topology.has_container(name))),
        (StageName::Event, topology.announcement.is_some()),
        (StageName::Pipe, !topology.pipes.is_empty()),
        (StageName::Table, !topology.tables.is_empty()),
    ];
    is_there.into_iter().filter(|(_, is_there)| !is_there).map(|(stage, _)| stage).collect()
}

/// Events a wall second over the last minute.
#[derive(Debug, Clone, Copy, Default)]
pub struct PartRates {
    /// Readings.
    pub readings: Option<f64>,
    /// Batches.
    pub batches: Option<f64>,
    /// Notices.
    pub notices: Option<f64>,
    /// Files.
    pub files: Option<f64>,
    /// Rows.
    pub rows: Option<f64>,
}

/// The eight stages. An alarm on a stage colours its lamp; an error that is still so does as well.
#[must_use]
pub fn stages(parts: &Parts, alarms: &[Alarm], ledger: &Ledger, now: Timestamp) -> Vec<Stage> {
    let lag = |hop| ledger.median(hop).map(|latency: Duration| latency.as_secs_f64());
    let missing = missing(&parts.topology);
    StageName::ALL
        .into_iter()
        .map(|name| {
            let mut stage = match name {
                _ if missing.contains(&name) => not_provisioned(name, parts),
                StageName::Roof => roof(parts),
                StageName::Hub => hub(parts, lag(Hop::Enqueued)),
                StageName::Route => route(parts, now),
                StageName::Blob => blob(parts, lag(Hop::Batched)),
                StageName::Event => event(parts, lag(Hop::Noticed)),
                StageName::Pipe => pipe(parts, lag(Hop::Loaded)),
                StageName::Table => table(parts, now),
                StageName::Nowcast => nowcast(parts, now),
            };
            tell_faults(&mut stage, &parts.topology);
            for alarm in alarms.iter().filter(|alarm| alarm.stage == name) {
                let lamp = if alarm.severity == Severity::Critical { Lamp::Failed } else { Lamp::Warning };
                stage.lamp = stage.lamp.max(lamp);
            }
            stage
        })
        .collect()
}

fn stage(name: StageName, lamp: Lamp, headline: String, detail: String) -> Stage {
    Stage { name, lamp, headline, detail, rate_per_s: None, lag_s: None, last_error: None, missing: false }
}

/// A stage of which nothing is applied, with what waits for it.
fn not_provisioned(name: StageName, parts: &Parts) -> Stage {
    let detail = match name {
        StageName::Event if parts.unannounced() > 0 => format!("{} unannounced", parts.unannounced()),
        StageName::Pipe if parts.loader.waiting > 0 => match parts.loader.waiting {
            1 => "1 notice waits".to_owned(),
            waiting => format!("{} notices wait", thousands(waiting)),
        },
        _ => String::new(),
    };
    let headline = match name {
        StageName::Hub => "no hub",
        StageName::Route => "no route",
        StageName::Blob => "no store",
        StageName::Event => "no queue",
        StageName::Pipe => "no pipe",
        StageName::Table => "no table",
        StageName::Roof | StageName::Nowcast => "not there",
    };
    Stage { missing: true, ..stage(name, Lamp::Unknown, headline.to_owned(), detail) }
}

/// What was applied to this part and can't be followed.
fn tell_faults(stage: &mut Stage, topology: &Topology) {
    let part = |part: Part| match part {
        Part::Hub => StageName::Hub,
        Part::Route => StageName::Route,
        Part::Event => StageName::Event,
        Part::Pipe => StageName::Pipe,
    };
    if let Some(fault) = topology.faults.iter().find(|fault| part(fault.part) == stage.name) {
        if stage.lamp == Lamp::Ok {
            stage.lamp = Lamp::Warning;
        }
        stage.last_error.get_or_insert_with(|| fault.to_string());
    }
}

fn roof(parts: &Parts) -> Stage {
    let agent = &parts.agent;
    let lamp = match (&agent.last_error, agent.measured > 0 || agent.last_measured_at.is_some()) {
        (Some(_), _) => Lamp::Warning,
        (None, true) => Lamp::Ok,
        (None, false) => Lamp::Unknown,
    };
    let headline = if agent.source_ended {
        "series ended".to_owned()
    } else {
        parts.rates.readings.map_or_else(|| "no readings".to_owned(), per_second)
    };
    Stage {
        rate_per_s: parts.rates.readings,
        last_error: agent.last_error.clone(),
        ..stage(StageName::Roof, lamp, headline, roof_detail(parts))
    }
}

/// The outbox, and what keeps it from draining.
fn roof_detail(parts: &Parts) -> String {
    let link = &parts.report.uplink;
    let outbox = format!("outbox {}", thousands(parts.outbox.rows));
    match link.remaining_s {
        _ if parts.report.started_at.is_some() && !parts.report.clock.is_set => format!("{outbox}, clock unset"),
        _ if link.waits_until.is_some() => format!("{outbox}, quota spent"),
        // What went before: a link that isn't up yet at the start is nobody's news either.
        _ if parts.report.started_at.is_some() && !link.connected && link.last_error.is_some() => {
            format!("{outbox}, link down")
        }
        // A backlog that is through within a minute is nobody's news.
        Some(seconds) if seconds >= 60.0 => format!("{outbox}, {:.0} min", seconds / 60.0),
        _ => outbox,
    }
}

fn hub(parts: &Parts, lag: Option<f64>) -> Stage {
    let lamp = match (parts.uplink.connected, parts.feed.received > 0 || !parts.hub.connected.is_empty()) {
        (true, _) => Lamp::Ok,
        (false, true) => Lamp::Failed,
        (false, false) if parts.uplink.last_error.is_some() => Lamp::Failed,
        (false, false) => Lamp::Unknown,
    };
    let devices = parts.hub.connected.len();
    Stage {
        rate_per_s: Some(parts.feed.rate_per_s),
        lag_s: lag,
        last_error: parts.uplink.last_error.clone().or_else(|| parts.hub.last_error.clone()),
        ..stage(StageName::Hub, lamp, per_second(parts.feed.rate_per_s), counted(devices, "device"))
    }
}

fn route(parts: &Parts, now: Timestamp) -> Stage {
    let topology = &parts.topology;
    let left = |(container, batch): &(String, OpenBatch)| {
        let window = topology.endpoint_of(container)?.window;
        Some((window - now.duration_since(batch.first_at)).as_secs_f64().max(0.0))
    };
    let detail = parts.open.iter().filter_map(left).min_by(f64::total_cmp).map_or_else(
        || "no batch open".to_owned(),
        |left| {
            let bytes: u64 = parts.open.iter().map(|(_, b)| b.bytes).sum();
            // By half minutes, for the reason that ages go by minutes.
            format!("batch {:.0} s {}", (left / 30.0).ceil() * 30.0, bytes_in_words(bytes))
        },
    );
    let headline = match topology.windows() {
        Some((least, most)) if least == most => format!("{} s batch", least.as_secs()),
        Some((least, most)) => format!("{}–{} s batch", least.as_secs(), most.as_secs()),
        None => "no batches".to_owned(),
    };
    let waiting = parts.open.iter().find(|(container, _)| container == UNROUTED).map_or(0, |(_, batch)| batch.count);
    let unrouted = parts.batch.unrouted + waiting;
    let lamp = if unrouted > 0 { Lamp::Warning } else { Lamp::Ok };
    Stage {
        last_error: (unrouted > 0).then(|| {
            let (messages, they) = match unrouted {
                1 => ("1 message is".to_owned(), "it waits a day for one, then it is"),
                n => (format!("{} messages are", thousands(n)), "they wait a day for one, then they are"),
            };
            format!(
                "{messages} taken by no route; {they} kept in the container `unrouted`: look at the routes, and at `type` and content type of what comes"
            )
        }),
        ..stage(StageName::Route, lamp, headline, detail)
    }
}

fn blob(parts: &Parts, lag: Option<f64>) -> Stage {
    let batch = &parts.batch;
    let files: u64 = parts.loader.pipes.values().map(|p| p.counts.loaded + p.counts.failed + p.counts.pending).sum();
    let missing = batch.missing.iter().next().map(|name| BatchError::NoContainer(name.clone()).to_string());
    let last_error = missing.or_else(|| batch.last_error.clone());
    let lamp = match (&last_error, batch.batches > 0 || files > 0) {
        (Some(_), _) => Lamp::Failed,
        (None, true) => Lamp::Ok,
        (None, false) => Lamp::Unknown,
    };
    let detail =
        batch.last.as_ref().map_or_else(String::new, |(_, _, bytes, _)| format!("last {}", bytes_in_words(*bytes)));
    let headline = match parts.rates.batches {
        Some(rate) => format!("{:.0}/min", rate * 60.0),
        None => counted(files, "file"),
    };
    Stage { rate_per_s: parts.rates.batches, lag_s: lag, last_error, ..stage(StageName::Blob, lamp, headline, detail) }
}

fn event(parts: &Parts, lag: Option<f64>) -> Stage {
    let queue = &parts.queue;
    let pending: u64 = parts.loader.pipes.values().map(|p| p.counts.pending).sum();
    let files: u64 = parts.loader.pipes.values().map(|p| p.counts.loaded + p.counts.failed).sum();
    let unannounced = parts.unannounced();
    let lamp = match (queue.set_aside > 0 || unannounced > 0, queue.received > 0 || files > 0) {
        (true, _) => Lamp::Warning,
        (false, true) => Lamp::Ok,
        (false, false) => Lamp::Unknown,
    };
    let aside = (queue.set_aside > 0).then(|| match queue.set_aside {
        1 => "1 notice couldn't be read and is kept aside in the queue's database".to_owned(),
        n => format!("{} notices couldn't be read and are kept aside in the queue's database", thousands(n)),
    });
    let lost = (unannounced > 0).then(|| {
        let (blobs, their) = match unannounced {
            1 => ("1 blob was".to_owned(), "its pipe"),
            n => (format!("{} blobs were", thousands(n)), "their pipes"),
        };
        format!("{blobs} announced nowhere; refresh {their} once container and subscription are applied")
    });
    Stage {
        rate_per_s: parts.rates.notices,
        lag_s: lag,
        last_error: aside.or(lost),
        ..stage(StageName::Event, lamp, format!("{} queued", queue.depth), format!("{pending} in pipes"))
    }
}

fn pipe(parts: &Parts, lag: Option<f64>) -> Stage {
    let pipes = &parts.loader.pipes;
    let stalled = pipes.values().find_map(|p| p.stalled.as_ref());
    let failed: u64 = pipes.values().map(|p| p.counts.failed).sum();
    let pending: u64 = pipes.values().map(|p| p.counts.pending).sum();
    let paused = pipes.values().filter(|p| p.paused).count();
    let last_error =
        stalled.map(ToString::to_string).or_else(|| pipes.values().find_map(|p| p.counts.last_error.clone()));
    let (lamp, headline) = if let Some(stall) = stalled {
        let word = if matches!(stall, Stall::MissingTable(_)) { "STOPPED" } else { "STALLED" };
        (Lamp::Failed, word.to_owned())
    } else if paused > 0 {
        (Lamp::Warning, format!("{paused} PAUSED"))
    } else if pipes.is_empty() {
        (Lamp::Unknown, String::new())
    } else if pipes.values().any(|p| p.counts.is_failing) {
        (Lamp::Warning, "RUNNING".to_owned())
    } else {
        (Lamp::Ok, "RUNNING".to_owned())
    };
    let detail = if failed > 0 { format!("{pending} pending {failed} failed") } else { format!("{pending} pending") };
    Stage { rate_per_s: parts.rates.files, lag_s: lag, last_error, ..stage(StageName::Pipe, lamp, headline, detail) }
}

fn table(parts: &Parts, now: Timestamp) -> Stage {
    let rows: u64 = parts.loader.pipes.values().map(|p| p.counts.rows).sum();
    let lamp = if rows > 0 { Lamp::Ok } else { Lamp::Unknown };
    let newest = parts.measurements().and_then(|pipe| pipe.counts.newest_row_at);
    let headline = newest.map_or_else(|| "no row yet".to_owned(), |at| format!("row {}", age(now, at)));
    let detail = counted(rows, "row");
    Stage { rate_per_s: parts.rates.rows, ..stage(StageName::Table, lamp, headline, detail) }
}

fn nowcast(parts: &Parts, now: Timestamp) -> Stage {
    let Some(prediction) = &parts.feed.prediction else {
        let detail = "needs four hours".to_owned();
        return stage(StageName::Nowcast, Lamp::Unknown, "none yet".to_owned(), detail);
    };
    // One figure for the overview: temperature an hour ahead; the Nowcast screen has them all.
    let skill = parts
        .verification
        .iter()
        .find(|score| score.variable == crate::station::Variable::Temperature && score.lead_minutes == 60)
        .and_then(|score| score.skill);
    let detail =
        skill.map_or_else(|| "not verified yet".to_owned(), |skill| format!("skill 1 h {:+.0} %", skill * 100.0));
    stage(StageName::Nowcast, Lamp::Ok, format!("{} old", age(now, prediction.measured_at)), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_counts_are_readable() {
        assert_eq!(per_second(1.0), "1.0/s");
        assert_eq!(per_second(0.0167), "1.0/min");
    }
}
