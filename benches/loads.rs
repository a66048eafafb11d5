//! A copy history of 100,000 files: kept, read and held as the screen Loads needs it, drawn and filtered.
//!
//! `cargo bench --bench loads`; the figures are in `docs/src/performance.md`.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use skydeck::clock::ClockReading;
use skydeck::console::app::App;
use skydeck::console::keymap::Keymap;
use skydeck::console::theme::Theme;
use skydeck::console::{Action, ScreenName};
use skydeck::ingestion::warehouse::snowflake::{Copied, History};
use skydeck::owner::{Answer, LoadedFile, OwnerInfo, Request, Snapshot};
use skydeck::settings::StationSettings;

const FILES: u64 = 100_000;
const PAGE: usize = 10_000;

fn start() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().expect("a time")
}

fn path(n: u64) -> String {
    format!("skydeck-hub/{:02}/2026-06-{:02}/{:02}-{:02}-{n}", n % 4, n % 30 + 1, n % 24, n % 60)
}

fn loaded_at(n: u64) -> Timestamp {
    start() + SignedDuration::from_secs(i64::try_from(n).expect("small") * 12)
}

fn file(n: u64) -> LoadedFile {
    let failed = n.is_multiple_of(500);
    LoadedFile {
        id: n,
        file: path(n),
        pipe: "WEATHER_PIPE_DQ_STAGING".into(),
        table: "WEATHER_JSON_STAGING".into(),
        loaded_at: loaded_at(n),
        status: if failed { "Load failed" } else { "Loaded" }.into(),
        rows_parsed: 60,
        rows_loaded: if failed { 0 } else { 60 },
        duplicates: 0,
        bytes: 32_000,
        first_error: failed.then(|| "Error parsing JSON: missing comma".into()),
        first_error_line: failed.then_some(17),
        first_error_column: failed.then_some(41),
    }
}

fn copied(n: u64) -> Copied {
    Copied {
        file: path(n),
        loaded_at: loaded_at(n),
        received_at: Some(loaded_at(n)),
        status: "Loaded".into(),
        rows_loaded: 60,
        rows_parsed: 60,
        bytes: 32_000,
        bytes_billed: Some(32_000),
        error: None,
        error_line: None,
        error_character: None,
        error_column: None,
        pipe: None,
    }
}

/// What the owner answers: the newest, or a page of what comes after a change.
fn answer(request: &Request) -> Answer {
    let Request::CopyHistory { limit, after, .. } = request else { unreachable!("not asked by Loads: {request:?}") };
    let limit = *limit as u64;
    let files: Vec<_> = match *after {
        None => (FILES + 1 - limit..=FILES).rev().map(file).collect(),
        Some(after) => (after + 1..=(after + limit).min(FILES)).map(file).collect(),
    };
    let upto = files.iter().map(|file| file.id).max().or(*after).unwrap_or(0);
    Answer::CopyHistory { files, upto, total: FILES }
}

fn console() -> App {
    let owner = OwnerInfo {
        pid: 1,
        version: String::new(),
        started_at: start(),
        data_dir: std::path::PathBuf::from("data"),
        hub_address: None,
    };
    let environment = "staging".parse().expect("a name");
    let clock = ClockReading::Wall { now: loaded_at(FILES) };
    let snapshot = Snapshot::first(environment, owner, clock, &StationSettings::default());
    let size = Size { width: 140, height: 40 };
    let mut app = App::new(Arc::new(snapshot), Theme::midnight(), Keymap::default(), size, Timestamp::now());
    drop(app.update(Action::GotoLoads));
    app
}

/// Hands the screen one answer to what it wants; `false` where that is the same again.
fn feed(app: &mut App) -> bool {
    let wants = app.wants();
    for request in &wants {
        app.receive(ScreenName::Loads, request, Ok(&answer(request)));
    }
    app.wants() != wants
}

fn draw(app: &App) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 140, 40));
    app.screen().render(&mut buffer, app.context().area, &app.context());
    buffer
}

/// Types a filter; each letter finds anew what passes. Answers with the frame behind the last one.
fn typed(app: &mut App, letter: char) -> Buffer {
    drop(app.update(Action::Type(letter)));
    draw(app)
}

fn screen(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loads_100000");
    group.sample_size(20);
    group.bench_function("first_frame", |b| {
        b.iter_batched(
            console,
            |mut app| {
                feed(&mut app);
                draw(&app)
            },
            BatchSize::PerIteration,
        );
    });
    let mut full = console();
    while feed(&mut full) {}
    assert!(full.screen().exports(&full.context()).len() > 1, "it holds something");
    group.bench_function("last_page_taken", |b| {
        let before_last = || {
            let mut app = console();
            for _ in 0..FILES / PAGE as u64 {
                feed(&mut app);
            }
            app
        };
        b.iter_batched(
            before_last,
            |mut app| {
                feed(&mut app);
                app
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("frame_while_scrolling", |b| {
        drop(full.update(Action::FocusNext));
        b.iter(|| {
            drop(full.update(Action::PageDown));
            draw(&full)
        });
    });
    group.bench_function("letter_of_a_filter_and_frame", |b| {
        drop(full.update(Action::Filter));
        let mut letters = "failed.*line".chars().cycle();
        b.iter(|| {
            let letter = letters.next().expect("a letter");
            if letter == 'f' {
                drop(full.update(Action::EraseLine));
            }
            typed(&mut full, letter)
        });
    });
    group.finish();
}

fn store(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("temporary folder");
    let history = History::open(&folder.path().join("snowflake.db")).expect("opened");
    let names = || ("WEATHER_PIPE_DQ_STAGING".to_owned(), "WEATHER_JSON_STAGING".to_owned());
    runtime.block_on(history.note(names(), (1..=FILES).map(copied).collect(), start())).expect("noted");
    let mut group = criterion.benchmark_group("history_100000");
    group.sample_size(20);
    group.bench_function("newest_500", |b| {
        b.iter(|| runtime.block_on(history.files(false, 500)).expect("read"));
    });
    group.bench_function("page_of_10000", |b| {
        b.iter(|| runtime.block_on(history.changed(50_000, PAGE)).expect("read"));
    });
    group.bench_function("told_again_300", |b| {
        b.iter(|| {
            let files = (FILES - 300..FILES).map(copied).collect();
            runtime.block_on(history.note(names(), files, start())).expect("noted");
        });
    });
    group.finish();
}

criterion_group!(loads, screen, store);
criterion_main!(loads);
