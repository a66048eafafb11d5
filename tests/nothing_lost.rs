//! Killed at random moments, over and over: every measured message is in the table exactly once.
//!
//! `SKYDECK_KILLS=200 cargo test --release --test nothing_lost` is the long form; the default is short.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rusqlite::{Connection, OpenFlags};

/// Minutes of the series that lie in the outbox at the first start: a day.
const BACK_LOG: usize = 1440;
/// Minutes of the series a kill is expected to let pass: a second at 600×, and some.
const PER_KILL: usize = 12;
const DEADLINE: Duration = Duration::from_secs(300);

#[test]
fn nothing_is_lost_and_nothing_is_doubled() {
    let kills: usize = std::env::var("SKYDECK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let seed: u64 = std::env::var("SKYDECK_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(rand::random);
    println!("{kills} kills, SKYDECK_SEED={seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("temporary folder");
    let minutes = BACK_LOG + 120 + kills * PER_KILL;
    std::fs::write(folder.path().join("series.csv"), series(minutes)).expect("series written");
    let config = folder.path().join("config.toml");
    let settings = format!(
        "[source]\nkind = \"replay\"\npath = {:?}\nspeed = 600\nbacklog_days = 1\n",
        folder.path().join("series.csv")
    );
    std::fs::write(&config, settings).expect("config written");

    for _ in 0..kills {
        let mut owner = start(folder.path(), &config);
        std::thread::sleep(Duration::from_millis(random.random_range(20..1200)));
        owner.kill().expect("killed");
        owner.wait().expect("reaped");
    }
    let mut owner = start(folder.path(), &config);
    let deadline = Instant::now() + DEADLINE;
    while !is_drained(&folder.path().join("demo/data"), minutes) {
        assert!(Instant::now() < deadline, "not drained: {:?}", counts(&folder.path().join("demo/data")));
        assert!(owner.try_wait().expect("asked").is_none(), "the owner ended by itself");
        std::thread::sleep(Duration::from_millis(200));
    }
    owner.kill().expect("killed");
    owner.wait().expect("reaped");

    let warehouse = open(&folder.path().join("demo/data").join("warehouse.db")).expect("the warehouse is there");
    let one = |sql: &str| warehouse.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
    let expected = i64::try_from(minutes).expect("small");
    assert_eq!(one("SELECT count(*) FROM WEATHER_MEASUREMENTS_V"), expected, "rows");
    assert_eq!(one("SELECT count(DISTINCT measured_at_ms) FROM WEATHER_MEASUREMENTS_V"), expected, "minutes");
    assert_eq!(one("SELECT count(DISTINCT message_id) FROM WEATHER_MEASUREMENTS_V"), expected, "messages");
    // The nowcast of each ten minutes is there once as well, from the first one on.
    let nowcasts = one("SELECT count(*) FROM WEATHER_PREDICTIONS");
    assert_eq!(one("SELECT count(DISTINCT measured_at_ms) FROM WEATHER_PREDICTIONS"), nowcasts, "nowcasts");
    let (first, last) = (
        one("SELECT min(measured_at_ms) FROM WEATHER_PREDICTIONS"),
        one("SELECT max(measured_at_ms) FROM WEATHER_PREDICTIONS"),
    );
    assert_eq!((last - first) / 600_000 + 1, nowcasts, "no nowcast is missing in between");
    assert_eq!(one("SELECT count(*) FROM copy_history WHERE status <> 'Loaded'"), 0, "files");
    println!("{expected} measurements and {nowcasts} nowcasts, each once, after {kills} kills");
}

/// Minutes of plausible weather, in the carried series' columns.
fn series(minutes: usize) -> String {
    let mut csv = "time_utc,temperature_c,humidity_pct,pressure_hpa,ghi_w_m2,dhi_w_m2,lwd_w_m2\n".to_owned();
    let start: jiff::Timestamp = "2016-06-01T00:00:00Z".parse().expect("a time");
    for minute in 0..minutes {
        let at = start + jiff::SignedDuration::from_mins(i64::try_from(minute).expect("small"));
        let phase = minute as f64 / 1440.0 * std::f64::consts::TAU;
        let temperature = 15.0 - 5.0 * phase.cos() + (minute % 17) as f64 / 10.0;
        writeln!(csv, "{at},{temperature:.1},60.0,958.0,{:.1},,", (-300.0 * phase.cos()).max(0.0)).expect("in memory");
    }
    csv
}

fn start(folder: &Path, config: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_skydeck"))
        .args(["run", "demo", "--data-dir"])
        .arg(folder)
        .arg("--config")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("skydeck starts")
}

/// Everything measured, and nothing waiting anywhere on the way.
fn is_drained(data: &Path, minutes: usize) -> bool {
    counts(data).is_some_and(|(rows, waiting)| rows == minutes && waiting == 0)
}

/// Rows in the table, and what waits in outbox, hub, queue and pipes.
fn counts(data: &Path) -> Option<(usize, usize)> {
    let count = |path: &Path, sql: &str| -> Option<usize> {
        let count: i64 = open(path)?.query_row(sql, [], |row| row.get(0)).ok()?;
        usize::try_from(count).ok()
    };
    let rows = count(&data.join("warehouse.db"), "SELECT count(*) FROM WEATHER_JSON")?;
    let waiting = count(&data.join("agent/outbox.db"), "SELECT count(*) FROM message")?
        + count(&data.join("hub/enqueued.db"), "SELECT count(*) FROM enqueued")?
        + count(&data.join("notices.db"), "SELECT count(*) FROM notice")?
        + count(&data.join("warehouse.db"), "SELECT count(*) FROM copy_history WHERE status = 'Pending'")?;
    Some((rows, waiting))
}

fn open(path: &Path) -> Option<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()
}
