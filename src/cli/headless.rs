//! Without a terminal: one line for each change of the pipeline's state.

use jiff::Timestamp;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::host::Session;
use super::output::Output;
use super::signals::Signals;
use crate::clock::ClockReading;
use crate::owner::{Lamp, Severity, Snapshot, Stage, StageName};
use crate::station::text::printable;

/// One change, as JSON; its text is [`Change::words`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
enum Change {
    /// The first line: who owns what.
    Owner { environment: String, pid: u32, version: String, data_dir: String },
    /// The hub listens.
    Hub { address: String },
    /// A stage's lamp changed.
    Stage { stage: StageName, lamp: Lamp, headline: String, detail: String, error: Option<String> },
    /// An alarm was raised.
    AlarmRaised { rule: String, severity: Severity, message: String },
    /// An alarm was acknowledged.
    AlarmAcknowledged { rule: String },
    /// An alarm was cleared.
    AlarmCleared { rule: String },
    /// The replay has another speed.
    Speed { speed: u32 },
    /// The replay has come to its end.
    ReplayEnded,
    /// The owner has ended.
    OwnerGone,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Pipeline time.
    at: Timestamp,
    #[serde(flatten)]
    change: &'a Change,
}

/// Writes the changes until a signal comes, the owner goes or nobody reads on.
pub async fn follow(session: &Session, output: Output, signals: &mut Signals) -> Result<Exit, Failure> {
    let mut snapshots = session.client.snapshots();
    let mut before = None;
    let mut unread = std::pin::pin!(nobody_reads());
    loop {
        let now = snapshots.borrow_and_update().clone();
        for change in changes(before.as_deref(), &now) {
            write(output, now.clock.now(), &change)?;
        }
        before = Some(now);
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() {
                let at = before.map_or_else(Timestamp::now, |snapshot| snapshot.clock.now());
                write(output, at, &Change::OwnerGone)?;
                return Ok(Exit::Done);
            },
            exit = signals.next() => return Ok(exit),
            () = &mut unread => return Ok(Exit::Done),
        }
    }
}

/// Waits until standard output's reader is gone, so that `| head` ends at once and not with the next change.
async fn nobody_reads() {
    let (gone, is_gone) = tokio::sync::oneshot::channel();
    let watch = move || {
        let output = std::io::stdout();
        // Without events asked for, only an error or a hang-up is told.
        let mut descriptor = [rustix::event::PollFd::new(&output, rustix::event::PollFlags::empty())];
        while let Err(rustix::io::Errno::INTR) = rustix::event::poll(&mut descriptor, None) {}
        // Whoever waited may have gone as well.
        let _ = gone.send(());
    };
    let watching = std::thread::Builder::new().name("output-watch".into()).spawn(watch);
    if watching.is_err() || is_gone.await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn write(output: Output, at: Timestamp, change: &Change) -> Result<(), Failure> {
    if output.json {
        output.json_line(&Line { at, change })
    } else {
        output.line(&format!("{}  {}", at.strftime("%Y-%m-%dT%H:%M:%SZ"), change.words()))
    }
}

/// What differs between two snapshots; everything there is, where there was none before.
fn changes(before: Option<&Snapshot>, now: &Snapshot) -> Vec<Change> {
    let mut found = Vec::new();
    if before.is_none() {
        found.push(Change::Owner {
            environment: now.environment.to_string(),
            pid: now.owner.pid,
            version: now.owner.version.clone(),
            data_dir: now.owner.data_dir.display().to_string(),
        });
    }
    if let Some(address) = &now.owner.hub_address
        && before.is_none_or(|before| before.owner.hub_address.as_ref() != Some(address))
    {
        found.push(Change::Hub { address: address.clone() });
    }
    found.extend(now.stages.iter().filter_map(|stage| stage_change(before, stage)));
    found.extend(alarm_changes(before, now));
    found.extend(clock_changes(before, now));
    found
}

fn stage_change(before: Option<&Snapshot>, stage: &Stage) -> Option<Change> {
    let lamp = |snapshot: &Snapshot| snapshot.stages.iter().find(|other| other.name == stage.name).map(|s| s.lamp);
    let was = before.and_then(lamp).unwrap_or(Lamp::Unknown);
    // An old error beside a good lamp would read as news.
    let error = if stage.lamp == Lamp::Ok { None } else { stage.last_error.clone() };
    (stage.lamp != was).then(|| Change::Stage {
        stage: stage.name,
        lamp: stage.lamp,
        headline: stage.headline.clone(),
        detail: stage.detail.clone(),
        error,
    })
}

fn alarm_changes(before: Option<&Snapshot>, now: &Snapshot) -> Vec<Change> {
    let alarms_before = before.map_or(&[][..], |before| &before.alarms);
    let mut found = Vec::new();
    for alarm in &now.alarms {
        let was = alarms_before.iter().find(|was| was.rule == alarm.rule && was.raised_at == alarm.raised_at);
        if was.is_none() {
            found.push(Change::AlarmRaised {
                rule: alarm.rule.clone(),
                severity: alarm.severity,
                message: alarm.message.clone(),
            });
        }
        if alarm.acknowledged_at.is_some() && was.is_none_or(|was| was.acknowledged_at.is_none()) {
            found.push(Change::AlarmAcknowledged { rule: alarm.rule.clone() });
        }
    }
    let cleared = alarms_before.iter().filter(|was| !now.alarms.iter().any(|alarm| alarm.rule == was.rule));
    found.extend(cleared.map(|was| Change::AlarmCleared { rule: was.rule.clone() }));
    found
}

fn clock_changes(before: Option<&Snapshot>, now: &Snapshot) -> Vec<Change> {
    let ClockReading::Replay { speed, ended, .. } = now.clock else { return Vec::new() };
    let before = before.map(|before| before.clock);
    let had_ended = matches!(before, Some(ClockReading::Replay { ended: true, .. }));
    let mut found = Vec::new();
    if before.is_none_or(|before| before.speed() != speed) {
        found.push(Change::Speed { speed });
    }
    if ended && !had_ended {
        found.push(Change::ReplayEnded);
    }
    found
}

impl Change {
    /// The change in words, printable.
    fn words(&self) -> String {
        printable(&self.raw_words())
    }

    fn raw_words(&self) -> String {
        match self {
            Self::Owner { environment, pid, version, data_dir } => {
                format!("environment {environment}: owned by process {pid} (skydeck {version}), data in {data_dir}")
            }
            Self::Hub { address } => format!("hub: listens on {address}"),
            Self::Stage { stage, lamp, headline, detail, error } => {
                let figures: Vec<_> = [headline, detail].into_iter().filter(|text| !text.is_empty()).cloned().collect();
                let figures = if figures.is_empty() { String::new() } else { format!(" ({})", figures.join(", ")) };
                let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                format!("{}: {}{figures}{error}", stage.label().to_lowercase(), lamp_word(*lamp))
            }
            Self::AlarmRaised { rule, severity, message } => {
                format!("alarm {rule}: raised, {}: {message}", severity_word(*severity))
            }
            Self::AlarmAcknowledged { rule } => format!("alarm {rule}: acknowledged"),
            Self::AlarmCleared { rule } => format!("alarm {rule}: cleared"),
            Self::Speed { speed } => format!("replay: {speed} seconds a second"),
            Self::ReplayEnded => "replay: ended; `skydeck demo reset` begins it anew".to_owned(),
            Self::OwnerGone => "owner: ended".to_owned(),
        }
    }
}

/// A lamp in a word.
pub const fn lamp_word(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Unknown => "unknown",
        Lamp::Ok => "ok",
        Lamp::Warning => "warning",
        Lamp::Failed => "failed",
    }
}

/// A severity in a word.
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warn => "WARN",
        Severity::Critical => "CRITICAL",
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::fixture::snapshot;
    use super::*;

    fn words(before: Option<&Snapshot>, now: &Snapshot) -> Vec<String> {
        changes(before, now).iter().map(Change::words).collect()
    }

    #[test]
    fn the_first_snapshot_says_everything_that_is_known() {
        let first = words(None, &snapshot());
        insta::assert_snapshot!(first.join("\n"));
    }

    #[test]
    fn an_unchanged_state_says_nothing_and_each_change_is_one_line() {
        let before = snapshot();
        let mut now = snapshot();
        now.version += 1;
        assert_eq!(words(Some(&before), &now), Vec::<String>::new());
        now.stages[5].lamp = Lamp::Ok;
        assert_eq!(words(Some(&before), &now), ["pipe: ok (RUNNING, 0 pending)"]);
        now = snapshot();
        now.alarms[0].acknowledged_at = Some(now.clock.now());
        assert_eq!(words(Some(&before), &now), ["alarm load-errors: acknowledged"]);
        now.alarms.clear();
        assert_eq!(words(Some(&before), &now), ["alarm load-errors: cleared"]);
    }

    #[test]
    fn the_replays_end_is_told_once() {
        let before = snapshot();
        let mut now = snapshot();
        if let ClockReading::Replay { ended, speed, .. } = &mut now.clock {
            (*ended, *speed) = (true, 1);
        }
        let told = words(Some(&before), &now);
        assert_eq!(told, ["replay: 1 seconds a second", "replay: ended; `skydeck demo reset` begins it anew"]);
        assert!(words(Some(&now), &now).is_empty());
    }

    #[test]
    fn a_line_of_json_bears_its_time_and_event() {
        let change = Change::AlarmCleared { rule: "row-age".into() };
        let at = "2016-06-09T14:05:00Z".parse().expect("a time");
        let line = serde_json::to_string(&Line { at, change: &change }).expect("JSON");
        assert_eq!(line, r#"{"at":"2016-06-09T14:05:00Z","event":"alarmCleared","rule":"row-age"}"#);
    }
}
