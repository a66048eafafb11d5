//! A state of the demo environment with one failed file, for the tests of what is written.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::clock::ClockReading;
use crate::clock::ledger::Hop;
use crate::owner::{
    Alarm, Answer, Ask, AskError, CloudCover, Device, Extremes, KnownBy, Lamp, LoadedFile, LogLine, NoticeQueue, Now,
    OwnerClient, OwnerInfo, PicturePlace, PictureView, Pipe, Point, Request, Score, Series, Severity, Snapshot, Stage,
    StageName, Trace, TraceHop,
};
use crate::settings::{EnvironmentName, StationSettings};
use crate::station::{
    LeadForecast, MessageId, Prediction, Quantiles, SCHEMA_VERSION, SkyClass, SkyFeatures, SkyWarning, Variable,
    VariableForecast, WeatherMeasurement,
};

/// An instant from its text.
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's timestamp")
}

/// The state.
pub fn snapshot() -> Snapshot {
    let now = at("2016-06-09T14:05:12Z");
    let owner = OwnerInfo {
        pid: 4711,
        version: "0.1.0".into(),
        started_at: at("2026-03-02T13:00:00Z"),
        data_dir: PathBuf::from("/home/op/.local/share/skydeck/demo"),
        hub_address: Some("127.0.0.1:41883".into()),
    };
    let clock = ClockReading::Replay { now, speed: 60, end: at("2016-07-01T00:00:00Z"), ended: false };
    let mut snapshot = Snapshot::first(EnvironmentName::demo(), owner, clock, &StationSettings::default());
    snapshot.taken_at = at("2026-03-02T13:04:31Z");
    snapshot.stages = stages();
    snapshot.agent = Some(Arc::new(crate::owner::agent::fixture::report()));
    snapshot.alarms = vec![Alarm {
        rule: "load-errors".into(),
        severity: Severity::Warn,
        stage: StageName::Pipe,
        message: "1 file failed within the last hour (limit 1)".into(),
        raised_at: at("2016-06-09T13:58:00Z"),
        acknowledged_at: None,
    }];
    snapshot.now = Now {
        measurement: Some(measurement()),
        tendency_per_h: vec![(Variable::Temperature, 0.83), (Variable::Pressure, -0.4)],
        sea_level_pressure_hpa: Some(1016.29),
        sun_elevation_deg: Some(54.2),
        received: 10_921,
    };
    snapshot.pipes = vec![pipe()];
    snapshot.notices = NoticeQueue { depth: 2, oldest_at: Some(at("2016-06-09T14:05:00Z")), set_aside: 0 };
    snapshot.nowcast = Some(prediction());
    snapshot.verification = vec![Score {
        variable: Variable::Temperature,
        lead_minutes: 60,
        count: 912,
        mae: 0.412,
        rmse: 0.604,
        bias: -0.021,
        coverage_50: 0.49,
        coverage_90: 0.88,
        persistence_mae: 0.66,
        skill: Some(0.376),
    }];
    snapshot.devices = vec![device()];
    snapshot.roof_to_table_s = vec![5.1, 4.8, 5.3];
    snapshot.provisioning = crate::cli::plans::fixture::status();
    snapshot
}

fn stages() -> Vec<Stage> {
    let stage = |name, lamp, headline: &str, detail: &str, rate_per_s, lag_s| Stage {
        name,
        lamp,
        headline: headline.into(),
        detail: detail.into(),
        rate_per_s,
        lag_s,
        last_error: None,
        missing: false,
    };
    let mut stages = vec![
        stage(StageName::Roof, Lamp::Ok, "1.0/s", "0 in outbox", Some(1.0), None),
        stage(StageName::Hub, Lamp::Ok, "1.0/s", "1 device", Some(1.0), Some(0.0412)),
        stage(StageName::Route, Lamp::Ok, "2 routes", "batch 212 s 8.1 KiB", None, None),
        stage(StageName::Blob, Lamp::Ok, "1/5 min", "", None, Some(2.4)),
        stage(StageName::Event, Lamp::Ok, "2 queued", "", None, Some(0.4)),
        stage(StageName::Pipe, Lamp::Warning, "RUNNING", "0 pending", None, None),
        stage(StageName::Table, Lamp::Ok, "row 12 s", "12342 rows", None, None),
        stage(StageName::Nowcast, Lamp::Unknown, "starting", "", None, None),
    ];
    stages[5].last_error =
        Some("skydeck-hub/00/2016-06-09/13-55: line 17: not JSON\u{1b}[31m; the file is kept".into());
    stages
}

fn measurement() -> WeatherMeasurement {
    let mut measurement = WeatherMeasurement::empty("roof-01", at("2016-06-09T14:05:00Z"));
    measurement.temperature_c = Some(14.24);
    measurement.humidity_pct = Some(61.0);
    measurement.pressure_hpa = Some(958.0);
    measurement.illuminance_lx = Some(61_930.0);
    measurement
}

fn prediction() -> Prediction {
    let lead = |lead_minutes, median: f64| LeadForecast {
        lead_minutes,
        quantiles: Quantiles::ordered([median - 1.0, median - 0.4, median, median + 0.4, median + 1.0]),
    };
    let leads = vec![lead(10, 14.3), lead(20, 14.4), lead(60, 14.9), lead(240, 12.0)];
    Prediction {
        device_id: "roof-01".into(),
        message_id: MessageId::new(at("2016-06-09T14:00:00Z")),
        measured_at: at("2016-06-09T14:00:00Z"),
        schema: SCHEMA_VERSION,
        clock: None,
        model_id: "anomaly-persistence-1".into(),
        forecasts: vec![VariableForecast { variable: Variable::Temperature, persistence: 14.2, leads }],
        rain_probability: None,
        cloud_probability: Vec::new(),
    }
}

fn pipe() -> Pipe {
    Pipe {
        name: "weather_measurements".into(),
        state: "RUNNING".into(),
        container: "json-blob-messages".into(),
        table: "weather_measurements".into(),
        pending_files: 2,
        oldest_pending_at: Some(at("2016-06-09T14:05:00Z")),
        last_received_at: Some(at("2016-06-09T14:05:00Z")),
        last_loaded_at: Some(at("2016-06-09T14:00:01Z")),
        rows: 12_342,
        newest_row_at: Some(at("2016-06-09T14:00:00Z")),
        files_loaded: 2016,
        files_failed: 1,
        duplicates: 3,
        last_error: None,
        watch: None,
    }
}

fn device() -> Device {
    Device {
        id: "roof-01".into(),
        connected: true,
        last_seen_at: Some(at("2016-06-09T14:05:00Z")),
        outbox_rows: 0,
        outbox_bytes: 0,
        outbox_max_rows: 518_400,
        outbox_given_up: 0,
        set_aside: 0,
        agent_version: Some("0.1.0".into()),
        model_id: Some("anomaly-persistence-1".into()),
        source: "replay of the carried month".into(),
        source_ended: false,
        last_error: None,
        health: None,
    }
}

fn files() -> Vec<LoadedFile> {
    let loaded = LoadedFile {
        id: 1,
        file: "skydeck-hub/00/2016-06-09/14-00".into(),
        pipe: "weather_measurements".into(),
        table: "weather_measurements".into(),
        loaded_at: at("2016-06-09T14:00:01Z"),
        status: "Loaded".into(),
        rows_parsed: 5,
        rows_loaded: 5,
        duplicates: 0,
        bytes: 2710,
        first_error: None,
        first_error_line: None,
        first_error_column: None,
    };
    let failed = LoadedFile {
        file: "skydeck-hub/00/2016-06-09/13-55".into(),
        status: "Load failed".into(),
        rows_loaded: 0,
        first_error: Some("not JSON: expected `,` or `}`".into()),
        first_error_line: Some(17),
        first_error_column: Some(41),
        ..loaded.clone()
    };
    vec![loaded, failed]
}

/// A message's way, still without its row.
pub fn trace() -> Trace {
    let hop = |hop, time: Option<&str>, latency_s, monotonic, place: &str| TraceHop {
        hop,
        at: time.map(at),
        latency_s,
        monotonic,
        place: place.into(),
    };
    Trace {
        message_id: "01552f10-8e20-7d10-8a44-5b0c6a7d8e90".into(),
        device_id: "roof-01".into(),
        message_type: Some("WeatherMeasurement".into()),
        hops: vec![
            hop(Hop::Measured, Some("2016-06-09T14:05:00Z"), None, false, "outbox"),
            hop(Hop::Sent, Some("2016-06-09T14:05:00.18Z"), Some(0.003), true, "outbox"),
            hop(Hop::Enqueued, Some("2016-06-09T14:05:02.6Z"), Some(0.041), true, "hub"),
            hop(Hop::Batched, Some("2016-06-09T14:08:40Z"), Some(217.4), false, "json-blob-messages"),
            hop(Hop::Noticed, None, None, false, "notice queue"),
            hop(Hop::Loaded, None, None, false, "weather_measurements"),
        ],
        file: Some("skydeck-hub/00/2016-06-09/14-05".into()),
        file_line: Some(1),
        table: None,
        rows: None,
        message: None,
    }
}

/// A photograph with warnings, and a drawn one of which nothing is known.
fn pictures() -> Vec<PictureView> {
    let taken_at = at("2016-06-09T14:00:00Z");
    let seen = SkyFeatures {
        cloud_cover_pct: Some(43.2),
        okta: Some(3),
        sky_class: Some(SkyClass::Scattered),
        sun_elevation_deg: Some(48.1),
        motion_direction_deg: Some(48.0),
        motion_deg_per_min: Some(2.1),
        warnings: vec![SkyWarning::Blurred, SkyWarning::WetLens],
        ..SkyFeatures::at(taken_at)
    };
    let photograph = PictureView {
        blob_name: "roof-01/2016/06/09/140000.jpg".into(),
        device_id: "roof-01".into(),
        taken_at,
        size_bytes: 812_345,
        analysis: Some(seen),
        place: PicturePlace::Uploaded,
        known_by: KnownBy::Note,
    };
    let drawn_at = at("2016-06-09T13:50:00Z");
    let drawn = PictureView {
        blob_name: "roof-01/2016/06/09/135000.jpg".into(),
        taken_at: drawn_at,
        analysis: Some(SkyFeatures { rendered: true, ..SkyFeatures::at(drawn_at) }),
        place: PicturePlace::Absent,
        ..photograph.clone()
    };
    vec![photograph, drawn]
}

fn answer(request: &Request) -> Result<Answer, AskError> {
    match request {
        Request::Series { variable, .. } => {
            let has_sensor = !matches!(variable, Variable::Sound | Variable::Rain);
            let point = Point { at: at("2016-06-09T10:00:00Z"), mean: 12.0, min: 11.5, max: 14.6 };
            let points = if has_sensor { vec![point] } else { Vec::new() };
            Ok(Answer::Series(Series { variable: *variable, points, gap_s: 150.0, flags: Vec::new() }))
        }
        Request::Extremes { .. } => Ok(Answer::Extremes {
            extremes: vec![Extremes {
                variable: Variable::Temperature,
                min: 9.25,
                min_at: at("2016-06-09T03:12:00Z"),
                max: 14.6,
                max_at: at("2016-06-09T13:40:00Z"),
            }],
        }),
        Request::Pictures { .. } => Ok(Answer::Pictures { pictures: pictures() }),
        Request::CloudCover { .. } => Ok(Answer::CloudCover {
            covers: [("2016-06-09T13:50:00Z", 50.0), ("2016-06-09T14:00:00Z", 43.0)]
                .map(|(taken, cover_pct)| CloudCover { at: at(taken), cover_pct, okta: Some(4) })
                .into(),
        }),
        Request::CopyHistory { .. } => Ok(Answer::CopyHistory { files: files(), upto: 0, total: 0 }),
        Request::Trace { message_id: None, .. } => Ok(Answer::Trace(Box::new(trace()))),
        Request::Logs { .. } => Ok(Answer::Logs {
            lines: vec![LogLine {
                seq: 1,
                at: at("2026-03-02T13:00:00.25Z"),
                level: "WARN".into(),
                target: "loader".into(),
                message: "a file failed".into(),
            }],
        }),
        Request::Hub(ask) => crate::owner::hub::fixture::answer(ask)
            .map(Answer::Hub)
            .ok_or_else(|| AskError::Refused("not answered in this test".into())),
        other => Err(AskError::Refused(format!("{other:?}: not answered in this test"))),
    }
}

/// A viewer's handle on that state. Needs a runtime.
pub fn client() -> OwnerClient {
    let (snapshots, shown) = watch::channel(Arc::new(snapshot()));
    let (asks, mut asked) = mpsc::channel::<Ask>(4);
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            drop(ask.answer.send(answer(&ask.request)));
        }
        drop(snapshots);
    });
    OwnerClient::new(shown, asks)
}
