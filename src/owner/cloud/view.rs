//! The watched warehouse as viewers see it: pipes, files, stages, and what alarms look at.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::azure::AzureParts;
use crate::clock::ledger::Hop;
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::warehouse::snowflake::{
    FRESH, KnownFile, Name, SnowflakeError, Verdict, WarehouseStatus, WatchedPipe,
};
use crate::owner::alarms::WarehouseInputs;
use crate::owner::lamp::Lamp;
use crate::owner::snapshot::{Alarm, Pipe, Severity, Stage, StageName};
use crate::owner::views::LoadedFile;
use crate::owner::warehouse::{PipeWatch, WarehouseView};
use crate::settings::SnowflakeSettings;
use crate::station::text::{printable, thousands};

/// The state of a pipe that may not be asked about.
const NO_RIGHT: &str = "NO RIGHT";

/// Stages that nothing here watches.
pub(super) fn unwatched(is_warehouse: bool, azure: &AzureParts) -> BTreeSet<StageName> {
    let watched =
        |name: &StageName| (is_warehouse && matches!(name, StageName::Pipe | StageName::Table)) || azure.watches(*name);
    StageName::ALL.into_iter().filter(|name| !watched(name)).collect()
}

fn words(error: &Option<SnowflakeError>) -> Option<String> {
    error.as_ref().map(|error| printable(&error.to_string()))
}

/// The pipes.
pub(super) fn pipes(status: &WarehouseStatus, now: Timestamp) -> Vec<Pipe> {
    status.pipes.iter().flatten().map(|(name, watched)| pipe(name, watched, now)).collect()
}

fn state(watched: &WatchedPipe) -> String {
    match (&watched.status, &watched.trouble) {
        (Some(status), _) => status.state(),
        (None, Some(_)) if watched.is_forbidden() => NO_RIGHT.to_owned(),
        (None, _) => "UNKNOWN".to_owned(),
    }
}

fn pipe(name: &str, watched: &WatchedPipe, now: Timestamp) -> Pipe {
    let status = watched.status.clone().unwrap_or_default();
    let files = watched.files.clone().unwrap_or_default();
    let part = |name: &Option<Name>| name.as_ref().map_or_else(|| "?".to_owned(), |name| printable(name.last()));
    let findings = watched.findings(now);
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
    let rows_per_min = watched.rows.map(|rows| (rows.last_hour as f64 / 60.0 * 100.0).round() / 100.0);
    Pipe {
        name: printable(name),
        state: state(watched),
        container: part(&watched.info.stage),
        table: part(&watched.info.table),
        pending_files: status.pending_file_count.unwrap_or(0),
        oldest_pending_at: status.oldest_file_timestamp,
        last_received_at: status.last_received_message_timestamp,
        last_loaded_at: status.last_ingested_timestamp.max(files.last_loaded_at),
        rows: watched.table_rows.unwrap_or(0),
        newest_row_at: watched.rows.and_then(|rows| rows.newest_at),
        files_loaded: files.loaded,
        files_failed: files.failed,
        duplicates: watched.rows.map_or(0, |rows| rows.duplicates),
        last_error: findings.first().cloned().or_else(|| {
            let (file, error) = files.last_failure.as_ref()?;
            Some(printable(&format!("{file}: {}", error.as_deref().unwrap_or("no error is recorded"))))
        }),
        watch: Some(Box::new(PipeWatch {
            status_trouble: words(&watched.trouble),
            rows_trouble: words(&watched.rows_trouble),
            rows_known: watched.table_rows.is_some(),
            files_known: watched.files.is_some(),
            duplicates_known: watched.rows.is_some(),
            last_forwarded_at: status.last_forwarded_message_timestamp,
            stale: status.is_stale(now),
            rows_per_min,
            credits_today: watched.credits_today,
            remade_at: watched.remade.map(|remade| remade.at),
            repeats: watched.remade.map_or(0, |remade| remade.repeats),
            findings,
        })),
    }
}

/// A file of the history.
pub(super) fn file(known: KnownFile) -> LoadedFile {
    let table = known.table_name().to_owned();
    let copied = known.copied;
    LoadedFile {
        id: known.id,
        file: copied.file,
        pipe: known.pipe,
        table,
        loaded_at: copied.loaded_at,
        status: copied.status,
        rows_parsed: copied.rows_parsed,
        rows_loaded: copied.rows_loaded,
        duplicates: 0,
        bytes: copied.bytes,
        first_error: copied.error,
        first_error_line: copied.error_line,
        first_error_column: copied.error_character,
    }
}

/// The warehouse and what watching it costs.
pub(super) fn warehouse(status: &WarehouseStatus, settings: &SnowflakeSettings, now: Timestamp) -> WarehouseView {
    let next_wake_at = match status.next_wake {
        Some(Verdict::NotBefore(at) | Verdict::Spent(at)) => Some(at),
        Some(Verdict::Wake | Verdict::Rest) | None => None,
    };
    WarehouseView {
        trouble: words(&status.trouble),
        rows_trouble: words(&status.warehouse_trouble),
        asked_at: status.asked_at,
        is_stale: status.asked_at.is_some_and(|at| now.duration_since(at) > FRESH),
        credits_per_wake: status.cost.map(|cost| cost.of_a_wake(0.0)),
        woke_at: status.woke_at,
        wakes_today: status.wakes_today,
        wakes_per_day: settings.wakes_per_day,
        credits_today: status.credits_today,
        credits_per_day: settings.credits_per_day,
        next_wake_at,
        spent: matches!(status.next_wake, Some(Verdict::Spent(_))),
    }
}

/// What the alarms about the warehouse look at.
pub(super) fn alarm_inputs(status: &WarehouseStatus, settings: &SnowflakeSettings, now: Timestamp) -> WarehouseInputs {
    let watched = || status.pipes.iter().flatten();
    let standing = watched().filter(|(_, pipe)| pipe.status.as_ref().is_some_and(|status| !status.is_running()));
    let rights = watched().flat_map(|(_, pipe)| [&pipe.trouble, &pipe.rows_trouble]).flatten();
    let spent = matches!(status.next_wake, Some(Verdict::Spent(_))).then(|| {
        let credits = status.credits_today.map_or_else(|| "unknown".to_owned(), |credits| format!("{credits:.2}"));
        format!(
            "watching is spent for today: {} of {} wakes, {credits} of {} credits; files and rows are asked for tomorrow",
            status.wakes_today, settings.wakes_per_day, settings.credits_per_day
        )
    });
    WarehouseInputs {
        trouble: words(&status.trouble),
        warehouse: words(&status.warehouse_trouble),
        standing: standing
            .filter_map(|(name, pipe)| {
                let mend = pipe.mend.as_ref().map_or_else(String::new, |mend| format!("; {mend}"));
                Some(format!("pipe {}: {}{mend}", printable(name), pipe.findings(now).first()?))
            })
            .collect(),
        duplicates: watched()
            .filter_map(|(name, pipe)| Some(format!("pipe {}: {}", printable(name), pipe.duplicates()?)))
            .collect(),
        rights: rights.filter(|error| error.is_not_authorised()).map(|error| printable(&error.to_string())).collect(),
        spent,
    }
}

/// The eight stages. What nobody watches is unknown, and says so.
pub(super) fn stages(
    status: Option<&WarehouseStatus>,
    (azure, feed): (&AzureParts, &LiveFeed),
    alarms: &[Alarm],
    now: Timestamp,
) -> Vec<Stage> {
    StageName::ALL
        .into_iter()
        .map(|name| {
            let mut stage = match (name, status) {
                (StageName::Pipe, Some(status)) => {
                    Stage { lag_s: azure.lags.of(Hop::Loaded), ..pipe_stage(status, now) }
                }
                (StageName::Table, Some(status)) => table_stage(status, now),
                _ => azure.stage(name, feed, now).unwrap_or_else(|| stage(name, Lamp::Unknown, "not watched", "")),
            };
            let Some(raised) = alarms.iter().filter(|alarm| alarm.stage == name).max_by_key(|alarm| alarm.severity)
            else {
                return stage;
            };
            match raised.severity {
                Severity::Critical => stage.lamp = Lamp::Failed,
                Severity::Warn if stage.lamp != Lamp::Failed => stage.lamp = Lamp::Warning,
                Severity::Warn => {}
            }
            stage.last_error.get_or_insert_with(|| raised.message.clone());
            stage
        })
        .collect()
}

fn stage(name: StageName, lamp: Lamp, headline: &str, detail: &str) -> Stage {
    Stage {
        name,
        lamp,
        headline: headline.to_owned(),
        detail: detail.to_owned(),
        rate_per_s: None,
        lag_s: None,
        last_error: None,
        missing: false,
    }
}

fn pipe_stage(status: &WarehouseStatus, now: Timestamp) -> Stage {
    let Some(pipes) = &status.pipes else {
        let headline = if status.trouble.is_some() { "no answer" } else { "asking" };
        return Stage { last_error: words(&status.trouble), ..stage(StageName::Pipe, Lamp::Unknown, headline, "") };
    };
    if pipes.is_empty() {
        return stage(StageName::Pipe, Lamp::Unknown, "no pipes", "none to be seen");
    }
    let known = || pipes.values().filter_map(|pipe| pipe.status.as_ref());
    let standing = known().find(|status| !status.is_running());
    let (lamp, headline) = match standing {
        Some(status) if status.state() == "PAUSED" => (Lamp::Warning, "PAUSED".to_owned()),
        Some(status) => (Lamp::Failed, status.state().split('_').next().unwrap_or_default().to_owned()),
        None if known().next().is_none() => (Lamp::Unknown, NO_RIGHT.to_owned()),
        None => (Lamp::Ok, "RUNNING".to_owned()),
    };
    let pending: u64 = known().filter_map(|status| status.pending_file_count).sum();
    let found = pipes.values().flat_map(|pipe| pipe.findings(now)).next();
    let last_error = words(&status.trouble).or(found);
    Stage { last_error, ..stage(StageName::Pipe, lamp, &headline, &format!("{pending} pending")) }
}

fn table_stage(status: &WarehouseStatus, now: Timestamp) -> Stage {
    let pipes = || status.pipes.iter().flatten().map(|(_, pipe)| pipe);
    let newest = pipes().filter_map(|pipe| pipe.rows?.newest_at).max();
    let counted: Vec<_> = pipes().filter_map(|pipe| pipe.table_rows).collect();
    let headline = newest.map_or_else(
        || "not asked yet".to_owned(),
        |at| format!("row {} min", now.duration_since(at).as_mins().max(0)),
    );
    let (lamp, detail) = if counted.is_empty() {
        (Lamp::Unknown, String::new())
    } else {
        (Lamp::Ok, format!("{} rows", thousands(counted.iter().sum())))
    };
    stage(StageName::Table, lamp, &headline, &detail)
}
