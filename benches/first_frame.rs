//! Time from starting the program to its first frame on a terminal, on a fresh data folder and on one that is in
//! use; the same of `skydeck diag` beside a demo that runs; and from the key that opens Plans to the first frame that shows a plan of 10,000 changes, made by Terraform.
//!
//! `cargo bench --bench first_frame`; the figures are in `docs/src/performance.md`.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

const ROWS: NonZeroU16 = NonZeroU16::new(30).expect("some rows");
const COLUMNS: NonZeroU16 = NonZeroU16::new(100).expect("some columns");

/// A console on a terminal of its own.
struct Console {
    child: Box<dyn Child + Send + Sync>,
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
    screen: vt100::Parser,
}

impl Console {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_skydeck"));
        command.args(["--data-dir", &folder.to_string_lossy()]);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        let reader = pty.master.try_clone_reader().expect("a reader");
        let writer = pty.master.take_writer().expect("a writer");
        let child = pty.slave.spawn_command(command).expect("starts");
        Self { child, reader, writer, screen: vt100::Parser::new(ROWS, COLUMNS, 0) }
    }

    /// Reads until the screen shows `words`.
    fn wait_for(&mut self, words: &str) {
        let mut buffer = [0; 65536];
        while !self.screen.screen().contents().contains(words) {
            let read = self.reader.read(&mut buffer).expect("the console writes");
            assert!(read > 0, "the console ended: {}", self.screen.screen().contents());
            self.screen.process(&buffer[..read]);
        }
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("written");
        self.writer.flush().expect("flushed");
    }

    fn end(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }
}

/// Starts the console on `folder` and waits for the Overview's first pane.
fn first_frame(folder: &Path) -> Duration {
    let started = Instant::now();
    let mut console = Console::start(folder, &[]);
    console.wait_for("Pipeline");
    let elapsed = started.elapsed();
    console.end();
    elapsed
}

/// Starts `skydeck diag` beside the demo in `folder`, and waits for what the agent says.
fn first_diagnosis(folder: &Path) -> Duration {
    let started = Instant::now();
    let mut screen = Console::start(folder, &["diag"]);
    screen.wait_for("skydeck diag  roof-01");
    let elapsed = started.elapsed();
    screen.end();
    elapsed
}

/// A data folder whose demo has a plan of 10,000 changes, and the settings for it; none without Terraform.
fn large_plan() -> Option<(tempfile::TempDir, String)> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let module = folder.path().join("module");
    std::fs::create_dir(&module).expect("made");
    let text = "resource \"terraform_data\" \"a\" {\n  count = 10000\n  input = { name = \"a${count.index}\", size = count.index }\n}\n";
    std::fs::write(module.join("main.tf"), text).expect("written");
    let config = folder.path().join("skydeck.toml");
    std::fs::write(&config, "[provisioning]\nmodule = \"module\"\n").expect("written");
    let config = config.display().to_string();
    let data = folder.path().join("data").display().to_string();
    let planned = Command::new(env!("CARGO_BIN_EXE_skydeck"))
        .args(["plan", "--config", &config, "--data-dir", &data])
        .output()
        .expect("it runs");
    if planned.status.code() == Some(3) {
        return Some((folder, config));
    }
    eprintln!("no plan of 10,000 changes: {}", String::from_utf8_lossy(&planned.stderr));
    None
}

/// From the key to the first change of the plan, and its differences.
fn plan_opens(folder: &Path, config: &str) -> Duration {
    let mut console = Console::start(&folder.join("data"), &["--config", config]);
    console.wait_for("Pipeline");
    // This terminal answers no question, for which a console waits two seconds; what is typed meanwhile waits too.
    std::thread::sleep(Duration::from_secs(3));
    let pressed = Instant::now();
    console.press("2");
    console.wait_for("terraform_data.a[0]");
    let elapsed = pressed.elapsed();
    console.end();
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
    let mut owner = Command::new(env!("CARGO_BIN_EXE_skydeck"))
        .args(["run", "demo", "--data-dir", &used.path().to_string_lossy()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    // Its first line comes once it listens.
    let mut said = std::io::BufReader::new(owner.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut said, &mut String::new()).expect("says something");
    group.bench_function("diag", |b| b.iter_custom(|n| (0..n).map(|_| first_diagnosis(used.path())).sum()));
    owner.kill().expect("killed");
    owner.wait().expect("reaped");
    if let Some((folder, config)) = large_plan() {
        group.bench_function("plan_of_10000_changes", |b| {
            b.iter_custom(|n| (0..n).map(|_| plan_opens(folder.path(), &config)).sum());
        });
    }
    group.finish();
}

criterion_group!(first_frames, benches);
criterion_main!(first_frames);
