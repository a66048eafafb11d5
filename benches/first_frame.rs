//! Time from starting the program to its first frame on a terminal, on a fresh data folder and on one that is in
//! use.
//!
//! `cargo bench --bench first_frame`; the figures are in `docs/src/performance.md`.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// Starts the console on `folder`, waits for the Overview's first pane, and ends it.
fn first_frame(folder: &Path) -> Duration {
    let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_skydeck"));
    command.args(["--data-dir", &folder.to_string_lossy()]);
    command.env("TERM", "xterm-256color");
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let started = Instant::now();
    let mut child = pty.slave.spawn_command(command).expect("starts");
    let mut shown = Vec::new();
    let mut buffer = [0; 65536];
    while !shown.windows(8).any(|window| window == b"Pipeline") {
        let read = reader.read(&mut buffer).expect("the console writes");
        assert!(read > 0, "the console ended: {}", String::from_utf8_lossy(&shown));
        shown.extend_from_slice(&buffer[..read]);
    }
    let elapsed = started.elapsed();
    child.kill().expect("killed");
    child.wait().expect("reaped");
    elapsed
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("first_frame");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("fresh_folder", |b| {
        b.iter_custom(|n| (0..n).map(|_| first_frame(tempfile::tempdir().expect("temporary folder").path())).sum());
    });
    let used = tempfile::tempdir().expect("temporary folder");
    first_frame(used.path());
    group.bench_function("used_folder", |b| b.iter_custom(|n| (0..n).map(|_| first_frame(used.path())).sum()));
    group.finish();
}

criterion_group!(first_frames, benches);
criterion_main!(first_frames);
