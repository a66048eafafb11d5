//! A realistic state of the demo environment and answers to go with it, for the tests of every screen.

mod drawing;
pub mod pictures;
pub mod provisioning;
pub mod storage;

use std::f64::consts::TAU;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub use self::drawing::{body, drawn, drawn_in, make, styles_of, text_of};
use super::filter::Filter;
use super::pictures::Pictures;
use super::screens::{Context, Screen, SizeClass};
use super::theme::Theme;
use super::units::Units;
use crate::clock::ClockReading;
use crate::clock::ledger::Hop;
use crate::owner::{
    Alarm, Answer, Ask, Device, Lamp, LoadedFile, LogLine, NoticeQueue, Now, NowcastView, OwnerClient, OwnerInfo, Pipe,
    Point, ReceivedMessage, Request, Score, Series, Severity, Snapshot, Stage, StageName, TopologySummary, Trace,
    TraceHop,
};
use crate::settings::{EnvironmentKind, EnvironmentName};
use crate::station::{
    LeadForecast, MessageId, Prediction, Quantiles, SCHEMA_VERSION, StationMetadata, Variable, VariableForecast,
    WeatherMeasurement,
};

/// An instant from its text.
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's timestamp")
}

/// Wall time when the fixture's snapshot was taken.
pub fn wall_now() -> Timestamp {
    at("2026-03-02T13:04:31Z")
}

/// Pipeline time then.
pub fn pipeline_now() -> Timestamp {
    at("2016-06-09T14:05:12Z")
}

fn ago(seconds: i64) -> Timestamp {
    pipeline_now() - SignedDuration::from_secs(seconds)
}

/// A value with a plausible course of the day; absent for sound, which the station doesn't measure.
pub fn value(variable: Variable, time: Timestamp) -> Option<f64> {
    let hours = time.as_second() as f64 / 3600.0;
    let day = ((hours - 9.0) / 24.0 * TAU).sin();
    let ripple = (hours / 1.7 * TAU).sin();
    Some(match variable {
        Variable::Temperature => 14.5 + 4.5 * day + 0.4 * ripple,
        Variable::Humidity => 70.0 - 18.0 * day - 2.0 * ripple,
        Variable::Pressure => 957.5 + 2.0 * (hours / 60.0 * TAU).sin(),
        Variable::Light => (62_000.0 * ((hours - 5.5) / 24.0 * TAU).sin()).max(0.0),
        Variable::Rain => 0.0,
        Variable::WindSpeed => 2.8 + 1.1 * ripple,
        Variable::WindDirection => 240.0 + 20.0 * ripple,
        Variable::Sound => return None,
    })
}

/// A series of ten-minute means with a gap of an hour and a half that ends three hours before `to`.
pub fn series(variable: Variable, from: Timestamp, to: Timestamp) -> Series {
    let step = (to.duration_since(from).as_secs() / 120).clamp(60, 600);
    let gap = to - SignedDuration::from_mins(270)..to - SignedDuration::from_mins(180);
    let first = from.as_second() / step * step;
    let points = (0..)
        .map(|i| Timestamp::from_second(first + i * step).expect("in range"))
        .take_while(|time| *time <= to)
        .filter(|time| !gap.contains(time) && *time >= from)
        .filter_map(|at| value(variable, at).map(|mean| Point { at, mean, min: mean - 0.2, max: mean + 0.2 }))
        .collect();
    Series { variable, points, gap_s: 2.5 * step as f64, flags: Vec::new() }
}

fn stage(name: StageName, lamp: Lamp, headline: &str, detail: &str, rate: Option<f64>, lag: Option<f64>) -> Stage {
    Stage {
        name,
        lamp,
        headline: headline.into(),
        detail: detail.into(),
        rate_per_s: rate,
        lag_s: lag,
        last_error: None,
        missing: false,
    }
}

fn stages() -> Vec<Stage> {
    let mut stages = vec![
        stage(StageName::Roof, Lamp::Ok, "1.0/s", "0 in outbox", Some(1.0), None),
        stage(StageName::Hub, Lamp::Ok, "1.0/s", "1 device", Some(1.0), Some(0.041)),
        stage(StageName::Route, Lamp::Ok, "300 s batch", "batch 212 s 8.1 KiB", Some(1.0), None),
        stage(StageName::Blob, Lamp::Ok, "1/5 min", "6048 files", None, Some(2.4)),
        stage(StageName::Event, Lamp::Ok, "0 queued", "0 set aside", None, Some(0.4)),
        stage(StageName::Pipe, Lamp::Warning, "RUNNING", "2 pending", None, Some(0.02)),
        stage(StageName::Table, Lamp::Ok, "row 4 min", "12.3 k rows", None, Some(0.011)),
        stage(StageName::Nowcast, Lamp::Ok, "5 min old", "skill +38 %", None, None),
    ];
    stages[5].last_error = Some(
        "file skydeck-hub/00/2016/06/09/13/55.json, line 17, column 41: expected `,` or `}`; the file is kept in set-aside, the next ones load".into(),
    );
    stages
}

fn measurement() -> WeatherMeasurement {
    let time = ago(12);
    let mut measurement = WeatherMeasurement::empty("roof-01", time);
    measurement.message_id =
        MessageId::try_from("01553552-4d30-7cc3-8a55-2f1c7ad90b11".to_owned()).expect("a right identity");
    for variable in Variable::ALL {
        measurement.set(variable, value(variable, time));
    }
    measurement
}

/// A nowcast issued at `issued_at`: four hours in steps of ten minutes.
pub fn prediction(issued_at: Timestamp) -> Prediction {
    let forecasts = [Variable::Temperature, Variable::Humidity, Variable::Pressure, Variable::Light]
        .into_iter()
        .filter_map(|variable| {
            let persistence = value(variable, issued_at)?;
            let leads = (1..=24)
                .filter_map(|step| {
                    let lead_minutes = step * 10;
                    let valid = issued_at + SignedDuration::from_mins(i64::from(lead_minutes));
                    let median = value(variable, valid)?;
                    let scale = if variable == Variable::Light { 4000.0 } else { 0.8 };
                    let spread = scale * f64::from(step).sqrt() / 3.0;
                    let values = [-2.4, -1.0, 0.0, 1.0, 2.4].map(|k| median + k * spread);
                    let (low, high) = variable.range();
                    Some(LeadForecast { lead_minutes, quantiles: Quantiles::ordered(values).clamped(low, high) })
                })
                .collect();
            Some(VariableForecast { variable, persistence, leads })
        })
        .collect();
    Prediction {
        device_id: "roof-01".into(),
        message_id: MessageId::try_from("01553551-2000-7aa0-9b44-0d6d2c2f7e02".to_owned()).expect("a right identity"),
        measured_at: issued_at,
        schema: SCHEMA_VERSION,
        clock: None,
        model_id: "anomaly-persistence-1".into(),
        forecasts,
        rain_probability: None,
        cloud_probability: Vec::new(),
    }
}

fn scores() -> Vec<Score> {
    let mut scores = Vec::new();
    for variable in [Variable::Temperature, Variable::Humidity, Variable::Pressure, Variable::Light] {
        for step in 1..=24_u16 {
            let growth = f64::from(step).sqrt();
            let scale = if variable == Variable::Light { 2500.0 } else { 0.3 };
            let (mae, persistence_mae) = (scale * growth, scale * growth * (1.0 + f64::from(step) / 30.0));
            scores.push(Score {
                variable,
                lead_minutes: step * 10,
                count: 1008 - u64::from(step),
                mae,
                rmse: mae * 1.3,
                bias: -0.1 * scale,
                coverage_50: 0.52,
                coverage_90: 0.88,
                persistence_mae,
                skill: Some(1.0 - mae / persistence_mae),
            });
        }
    }
    scores
}

fn pipe(name: &str, container: &str, table: &str, rows: u64) -> Pipe {
    Pipe {
        name: name.into(),
        state: "RUNNING".into(),
        container: container.into(),
        table: table.into(),
        pending_files: 0,
        oldest_pending_at: None,
        last_received_at: Some(ago(250)),
        last_loaded_at: Some(ago(248)),
        rows,
        newest_row_at: Some(ago(240)),
        files_loaded: 2016,
        files_failed: 0,
        duplicates: 3,
        last_error: None,
        watch: None,
    }
}

fn pipes() -> Vec<Pipe> {
    let mut pipes = vec![
        pipe("WEATHER_PIPE_MESSAGES", "json-blob-messages", "WEATHER_MESSAGES", 12_345),
        pipe("WEATHER_PIPE_PREDICTIONS", "json-blob-predictions", "WEATHER_PREDICTIONS", 1_008),
        pipe("WEATHER_PIPE_HEALTH", "json-blob-health", "WEATHER_HEALTH", 1_009),
    ];
    pipes[0].pending_files = 2;
    pipes[0].oldest_pending_at = Some(ago(390));
    pipes[0].files_failed = 1;
    pipes[0].last_error = Some("skydeck-hub/00/2016/06/09/13/55.json, line 17, column 41: expected `,` or `}`".into());
    pipes
}

/// Lines of the owner's log, oldest first.
pub fn log_lines() -> Vec<LogLine> {
    let lines = [
        ("INFO", "skydeck::owner", "demo: owner started, process 4711, data in /home/ada/.local/share/skydeck/demo"),
        ("INFO", "skydeck::local_cloud::hub", "listening on 127.0.0.1:38883, TLS, 1 device registered"),
        ("INFO", "skydeck::edge_agent::uplink", "connected to 127.0.0.1:38883 as roof-01; SAS good for 1 h"),
        ("DEBUG", "skydeck::edge_agent::outbox", "10080 messages of the week offline are waiting"),
        ("INFO", "skydeck::edge_agent::uplink", "outbox drained: 11097 messages in 6.2 s"),
        ("INFO", "skydeck::ingestion::loader", "skydeck-hub/00/2016/06/09/13/50.json: 5 rows into WEATHER_MESSAGES"),
        (
            "ERROR",
            "skydeck::ingestion::loader",
            "skydeck-hub/00/2016/06/09/13/55.json, line 17, column 41: expected `,` or `}`; kept in set-aside",
        ),
        ("WARN", "skydeck::owner::alarms", "notice-age: oldest pending file 6 min (limit 5 min)"),
    ];
    (1_u64..)
        .zip(lines)
        .map(|(seq, (level, target, message))| LogLine {
            seq,
            at: wall_now() - SignedDuration::from_secs(80 - 10 * i64::try_from(seq).expect("small")),
            level: level.into(),
            target: target.into(),
            message: message.into(),
        })
        .collect()
}

/// The demo environment, an hour into its second week: one file failed, one alarm raised.
pub fn snapshot() -> Snapshot {
    let mut warnings: Vec<LogLine> =
        log_lines().into_iter().filter(|l| matches!(&*l.level, "WARN" | "ERROR")).collect();
    warnings.reverse();
    Snapshot {
        version: 812,
        environment: EnvironmentName::demo(),
        environment_kind: EnvironmentKind::Demo,
        owner: OwnerInfo {
            pid: 4711,
            version: "0.1.0".into(),
            started_at: wall_now() - SignedDuration::from_secs(80),
            data_dir: PathBuf::from("/home/ada/.local/share/skydeck/demo"),
            hub_address: Some("127.0.0.1:38883".into()),
        },
        topology: TopologySummary {
            applied: true,
            hub: Some("skydeck-hub".into()),
            window_s: Some(300.0),
            faults: Vec::new(),
        },
        clock: ClockReading::Replay { now: pipeline_now(), speed: 60, end: at("2016-06-30T23:59:00Z"), ended: false },
        taken_at: wall_now(),
        station: StationMetadata {
            name: "Payerne".into(),
            latitude_deg: 46.815,
            longitude_deg: 6.944,
            altitude_m: 491.0,
            horizon_deg: Vec::new(),
        },
        time_zone: "Europe/Zurich".into(),
        warehouse: None,
        pictures: None,
        storage: None,
        stages: stages(),
        alarms: vec![
            Alarm {
                rule: "notice-age".into(),
                severity: Severity::Warn,
                stage: StageName::Pipe,
                message: "oldest pending file 6 min (limit 5 min)".into(),
                raised_at: ago(427),
                acknowledged_at: None,
            },
            Alarm {
                rule: "load-errors".into(),
                severity: Severity::Critical,
                stage: StageName::Pipe,
                message: "1 file failed within the last hour (limit 1)".into(),
                raised_at: ago(600),
                acknowledged_at: Some(ago(300)),
            },
        ],
        now: Now {
            measurement: Some(measurement()),
            tendency_per_h: vec![
                (Variable::Temperature, 0.8),
                (Variable::Humidity, -3.1),
                (Variable::Pressure, -0.6),
                (Variable::Light, -4200.0),
            ],
            sea_level_pressure_hpa: Some(1013.2),
            sun_elevation_deg: Some(48.3),
            received: 12_400,
        },
        pipes: pipes(),
        notices: NoticeQueue { depth: 2, oldest_at: Some(ago(390)), set_aside: 0 },
        nowcast: Some(prediction(ago(312))),
        verification: scores(),
        devices: vec![Device {
            id: "roof-01".into(),
            connected: true,
            last_seen_at: Some(ago(12)),
            outbox_rows: 0,
            outbox_bytes: 0,
            outbox_max_rows: 518_400,
            outbox_given_up: 0,
            set_aside: 2,
            agent_version: Some("0.1.0".into()),
            model_id: Some("anomaly-persistence-1".into()),
            source: "replay of payerne_2016-06_1min.csv.gz at 60×".into(),
            source_ended: false,
            last_error: None,
            health: None,
        }],
        agent: Some(Arc::new(crate::owner::AgentReport {
            machine: Some(crate::owner::agent::fixture::machine()),
            ..crate::owner::agent::fixture::report()
        })),
        hub_faults: crate::owner::HubFaults::default(),
        rivals: Vec::new(),
        roof_to_table_s: (0..64).map(|i| 2.0 + 3.5 * f64::from(i % 13) / 13.0).collect(),
        provisioning: provisioning::status(provisioning::RICH),
        last_log: 8,
        warnings,
    }
}

/// The state before anything is known: what a viewer holds in its first frame.
pub fn empty_snapshot() -> Snapshot {
    Snapshot {
        version: 0,
        stages: StageName::ALL.map(|name| stage(name, Lamp::Unknown, "", "", None, None)).to_vec(),
        alarms: Vec::new(),
        now: Now::default(),
        pipes: Vec::new(),
        notices: NoticeQueue::default(),
        nowcast: None,
        verification: Vec::new(),
        devices: Vec::new(),
        agent: None,
        roof_to_table_s: Vec::new(),
        last_log: 0,
        warnings: Vec::new(),
        provisioning: crate::owner::ProvisioningStatus::default(),
        ..snapshot()
    }
}

fn received(i: i64) -> ReceivedMessage {
    let measured_at = ago(12 + 60 * i);
    let mut measurement = measurement();
    measurement.measured_at = measured_at;
    for variable in Variable::ALL {
        measurement.set(variable, value(variable, measured_at));
    }
    let message = crate::station::Message::WeatherMeasurement(measurement);
    ReceivedMessage {
        device_id: "roof-01".into(),
        message_id: Some(format!("01553552-4d30-7cc3-8a55-{i:012}")),
        message_type: Some("WeatherMeasurement".into()),
        enqueued_at: measured_at + SignedDuration::from_secs(3),
        measured_at: Some(measured_at),
        body: serde_json::to_value(message).expect("a message is JSON"),
        properties: serde_json::json!({"schema": "1"}),
        system_properties: serde_json::json!({
            "contentType": "application/json", "contentEncoding": "utf-8", "connectionDeviceId": "roof-01"
        }),
    }
}

fn trace(message_id: Option<&String>) -> Trace {
    let latencies = [None, Some(0.003), Some(0.041), Some(2.4), Some(0.4), Some(0.02)];
    let places = ["outbox", "uplink", "hub", "55.json", "queue", "WEATHER_MESSAGES"];
    let hops = Hop::ALL
        .into_iter()
        .zip(latencies)
        .zip(places)
        .map(|((hop, latency_s), place)| TraceHop {
            hop,
            at: Some(ago(240) + SignedDuration::from_secs(3 * hop as i64)),
            latency_s,
            monotonic: latency_s.is_some(),
            place: place.into(),
        })
        .collect();
    Trace {
        message_id: message_id.cloned().unwrap_or_else(|| "01553552-4d30-7cc3-8a55-000000000004".into()),
        device_id: "roof-01".into(),
        message_type: Some("WeatherMeasurement".into()),
        hops,
        file: Some("skydeck-hub/00/2016/06/09/14/00.json".into()),
        file_line: Some(3),
        table: Some("WEATHER_MESSAGES".into()),
        rows: None,
        message: Some(received(4)),
    }
}

fn files() -> Vec<LoadedFile> {
    (0..40_i64)
        .map(|i| {
            let loaded_at = ago(248 + 300 * i);
            let failed = i == 1 || i == 23;
            LoadedFile {
                id: 40 - i.unsigned_abs(),
                file: format!("skydeck-hub/00/{}.json", loaded_at.strftime("%Y/%m/%d/%H/%M")),
                pipe: "WEATHER_PIPE_MESSAGES".into(),
                table: "WEATHER_MESSAGES".into(),
                loaded_at,
                status: if failed { "Load failed" } else { "Loaded" }.into(),
                rows_parsed: 5,
                rows_loaded: if failed { 0 } else { 5 },
                duplicates: u64::from(i == 7),
                bytes: 3_480,
                first_error: failed.then(|| "expected `,` or `}`".into()),
                first_error_line: failed.then_some(3),
                first_error_column: failed.then_some(41),
            }
        })
        .collect()
}

/// What the fixture's owner answers.
pub fn answer(request: &Request) -> Answer {
    match request {
        Request::Series { variable, from, to, .. } => Answer::Series(series(*variable, *from, *to)),
        Request::Messages { limit } => Answer::Messages { messages: (0..60).map(received).take(*limit).collect() },
        Request::Trace { message_id, .. } => Answer::Trace(Box::new(trace(message_id.as_ref()))),
        Request::CopyHistory { after: Some(40), .. } => Answer::CopyHistory { files: Vec::new(), upto: 40, total: 40 },
        Request::CopyHistory { .. } => Answer::CopyHistory { files: files(), upto: 40, total: 40 },
        Request::FileLine { line, .. } => Answer::FileLine {
            text: format!("{{\"EnqueuedTimeUtc\":\"2016-06-09T13:59:0{line}Z\",\"Body\":{{\"temperatureC\" 14.2}}}}"),
        },
        Request::Nowcast { at } => {
            let issued_at = at.unwrap_or_else(|| ago(312));
            let (from, to) = (issued_at - SignedDuration::from_hours(6), issued_at + SignedDuration::from_hours(4));
            let prediction = prediction(issued_at);
            let measured =
                prediction.forecasts.iter().map(|f| series(f.variable, from, to.min(pipeline_now()))).collect();
            Answer::Nowcast { nowcast: Some(Box::new(NowcastView { prediction, measured })) }
        }
        Request::Logs { after, limit } => {
            let lines: Vec<LogLine> = log_lines().into_iter().filter(|line| line.seq > *after).collect();
            Answer::Logs { lines: lines[lines.len().saturating_sub(*limit)..].to_vec() }
        }
        Request::Hub(ask) => {
            crate::owner::hub::fixture::answer(ask).map_or_else(|| Answer::Done { message: "done".into() }, Answer::Hub)
        }
        Request::Extremes { from, to, .. } => Answer::Extremes { extremes: pictures::extremes(*from, *to) },
        Request::Pictures { limit, .. } => Answer::Pictures { pictures: pictures::notes(*limit) },
        Request::Picture { blob_name, max_px, overlay } => {
            Answer::Picture(Box::new(pictures::picture(blob_name, *max_px, *overlay)))
        }
        Request::CloudCover { from, to } => Answer::CloudCover { covers: pictures::covers(*from, *to) },
        Request::Agent => Answer::Agent { report: Arc::new(crate::owner::agent::fixture::report()) },
        // What asks these isn't the console.
        Request::Diagnose { .. } | Request::TestLink | Request::Preview { .. } => {
            Answer::Done { message: "done".into() }
        }
        Request::Subscribe
        | Request::Models(_)
        | Request::SetSpeed { .. }
        | Request::AcknowledgeAlarm { .. }
        | Request::PausePipe { .. }
        | Request::RefreshPipe { .. }
        | Request::Warehouse(_) => Answer::Done { message: "done".into() },
        Request::Storage(ask) => storage::answer(ask),
        Request::StartRun { .. }
        | Request::ApplyRun { .. }
        | Request::CheckApply { .. }
        | Request::CancelRun { .. }
        | Request::EndElsewhere { .. }
        | Request::Unlock { .. }
        | Request::RecoverState { .. }
        | Request::Runs { .. }
        | Request::Run { .. }
        | Request::RunLog { .. }
        | Request::RunLogPage { .. }
        | Request::State { .. }
        | Request::StateShow { .. }
        | Request::Plan { .. }
        | Request::PlanDetails { .. }
        | Request::RevealChange { .. }
        | Request::Approve { .. }
        | Request::ImportApproval { .. }
        | Request::Audit { .. }
        | Request::VerifyAudit { .. }
        | Request::RefreshRuns { .. } => provisioning::answer(request),
    }
}

/// A client of an owner that has this snapshot and the fixture's answers. Needs a runtime.
pub fn client(snapshot: Snapshot) -> OwnerClient {
    let (asks, mut asked) = tokio::sync::mpsc::channel::<Ask>(16);
    let (sender, snapshots) = tokio::sync::watch::channel(Arc::new(snapshot));
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            drop(ask.answer.send(Ok(answer(&ask.request))));
        }
        drop(sender);
    });
    OwnerClient::new(snapshots, asks)
}

/// Calls `then` with a context for a screen of `columns` × `rows`, frame included; the body is what the frame leaves.
pub fn with_context<T>(snapshot: &Snapshot, columns: u16, rows: u16, then: impl FnOnce(&Context<'_>) -> T) -> T {
    with_pictures(snapshot, (columns, rows), &Pictures::default(), then)
}

/// The same, with pictures that were made.
pub fn with_pictures<T>(
    snapshot: &Snapshot,
    (columns, rows): (u16, u16),
    pictures: &Pictures,
    then: impl FnOnce(&Context<'_>) -> T,
) -> T {
    with_theme(snapshot, (columns, rows), pictures, &Theme::midnight(), then)
}

/// The same, in a theme.
pub fn with_theme<T>(
    snapshot: &Snapshot,
    (columns, rows): (u16, u16),
    pictures: &Pictures,
    theme: &Theme,
    then: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let zone = TimeZone::get(&snapshot.time_zone).expect("a zone that is there");
    let filter = Filter::default();
    then(&Context {
        snapshot,
        theme,
        zone: &zone,
        filter: &filter,
        area: Rect::new(0, 2, columns, rows.saturating_sub(3)),
        size: SizeClass::of(columns, rows),
        units: Units::default(),
        pictures,
        read_only: false,
        now: wall_now(),
        stale: false,
    })
}

/// Asks the fixture what a screen wants until it wants nothing new, and hands it the answers.
pub fn feed(screen: &mut dyn Screen, ctx: &Context<'_>) {
    let mut wanted = Vec::new();
    for _ in 0..4 {
        let wants = screen.wants(ctx);
        if wants == wanted {
            return;
        }
        for request in &wants {
            screen.receive(request, Ok(&answer(request)), ctx);
        }
        wanted = wants;
    }
}
