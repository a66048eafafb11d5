//! The agent alone: beside one in Python, 30 days without a hub, and idle.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags};

use crate::client::Outcome;
use crate::hub::{HTTPS, Hub, MQTT};
use crate::process::{Process, Used, until};

/// 30 days at a reading each 5 s.
const THIRTY_DAYS: usize = 518_400;
/// Lines written at once for the CPU of a message in a burst.
const BURST: usize = 5_000;
const PATIENCE: Duration = Duration::from_secs(1800);

/// An agent, its lines and its outbox.
struct Agent {
    process: Process,
    lines: PathBuf,
    outbox: PathBuf,
    name: &'static str,
}

impl Agent {
    /// skydeck's, running.
    fn ours(hub: &Hub, folder: &Path) -> Outcome<Self> {
        Self::prepare(hub, folder)?;
        Self::start(folder)
    }

    /// Registers skydeck's and writes its settings.
    fn prepare(hub: &Hub, folder: &Path) -> Outcome<()> {
        std::fs::create_dir_all(folder)?;
        let lines = folder.join("lines");
        let (secret, string) = (folder.join("secret"), hub.register("roof-01")?);
        write_private(&secret, &string)?;
        let settings = format!(
            "[source]\nkind = 'lines'\npath = {lines:?}\n[station]\ndevice_id = 'roof-01'\n[agent]\nmax_backoff_s = 2\n\
             [link]\nconnection_string = 'file:{}'\ngateway = '{}'\nport = {MQTT}\nhttps_port = {HTTPS}\nca = {:?}\n\
             max_per_s = 100000\nmax_per_day = 1000000000\n",
            secret.display(),
            hub.host,
            hub.ca()
        );
        Ok(std::fs::write(folder.join("agent.toml"), settings)?)
    }

    fn start(folder: &Path) -> Outcome<Self> {
        let program = std::env::var_os("SKYDECK_BENCH_AGENT").unwrap_or_else(|| env!("CARGO_BIN_EXE_skydeck").into());
        let mut command = Command::new(program);
        command.args(["--no-color", "--env", "local", "--data-dir"]).arg(folder);
        command.arg("--config").arg(folder.join("agent.toml")).args(["agent", "run"]).env("XDG_CONFIG_HOME", folder);
        let process = Process::start(command, &folder.join("agent.log"))?;
        let outbox = folder.join("local/data/agent/outbox.db");
        Ok(Self { process, lines: folder.join("lines"), outbox, name: "skydeck agent run" })
    }

    /// The one in Python.
    fn python(hub: &Hub, folder: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(folder)?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/peers/bin/python");
        if !python.exists() {
            return Err("azure-iot-device is not installed; run tests/peers/install.sh".into());
        }
        let (lines, outbox) = (folder.join("lines"), folder.join("outbox.db"));
        let string = hub.register("roof-02")?;
        let mut command = Command::new(python);
        command.arg(root.join("benches/peers/python_agent.py")).args([&lines, &outbox]).arg(hub.ca());
        command.env("SKYDECK_BENCH_CONNECTION", string);
        let process = Process::start(command, &folder.join("agent.log"))?;
        Ok(Self { process, lines, outbox, name: "Python with azure-iot-device" })
    }

    fn write(&self, lines: &str) -> Outcome<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.lines)?;
        Ok(file.write_all(lines.as_bytes())?)
    }

    fn waiting(&self) -> Option<u64> {
        count(&self.outbox, "SELECT count(*) FROM message")
    }

    /// Messages it has ever taken in.
    fn taken(&self) -> Option<u64> {
        count(&self.outbox, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'message'")
    }

    /// Waits until `taken` messages were taken in and all of them were sent.
    fn drained(&self, taken: u64) -> Outcome<()> {
        until(self.name, PATIENCE, || (self.taken()? >= taken && self.waiting()? == 0).then_some(()))
    }
}

/// CPU of a message and memory, at a reading a second and in a burst; one hub, at the same time.
pub fn beside_python(seconds: u64) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let hub = Hub::start(&folder.path().join("hub"), 150, 0)?;
    let agents = [Agent::ours(&hub, &folder.path().join("ours"))?, Agent::python(&hub, &folder.path().join("python"))?];
    println!("the agent beside one in Python, same hub, same run");
    for agent in &agents {
        agent.write(&reading(0))?;
        agent.drained(1)?;
    }
    let before = agents.iter().map(|agent| agent.process.used()).collect::<Outcome<Vec<_>>>()?;
    let started = Instant::now();
    for second in 1..=seconds {
        for agent in &agents {
            agent.write(&reading(second as usize))?;
        }
        thread::sleep((started + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
    }
    let steady = agents.iter().map(|agent| agent.process.used()).collect::<Outcome<Vec<_>>>()?;
    for ((agent, before), after) in agents.iter().zip(&before).zip(&steady) {
        println!(
            "{}, a reading a second over {seconds} s: {}",
            agent.name,
            words(before, after, seconds, started.elapsed())
        );
    }
    for agent in &agents {
        agent.drained(seconds + 1)?;
        let before = agent.process.used()?;
        let started = Instant::now();
        agent.write(&(0..BURST).map(reading).collect::<String>())?;
        agent.drained(seconds + 1 + BURST as u64)?;
        let after = agent.process.used()?;
        println!(
            "{}, {BURST} readings at once: {}",
            agent.name,
            words(&before, &after, BURST as u64, started.elapsed())
        );
    }
    Ok(())
}

/// A measurement a second, and nothing else.
pub fn idle(seconds: u64) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let hub = Hub::start(&folder.path().join("hub"), 151, 0)?;
    let agent = Agent::ours(&hub, &folder.path().join("ours"))?;
    agent.write(&reading(0))?;
    agent.drained(1)?;
    let before = agent.process.used()?;
    let started = Instant::now();
    for second in 1..=seconds {
        agent.write(&reading(second as usize))?;
        thread::sleep((started + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
    }
    let after = agent.process.used()?;
    println!(
        "the agent at a measurement a second over {seconds} s: {}",
        words(&before, &after, seconds, started.elapsed())
    );
    Ok(())
}

/// Kept without a hub, then drained into one while readings go on.
pub fn thirty_days_offline() -> Outcome<()> {
    let folder = tempfile::tempdir_in(std::env::var_os("SKYDECK_BENCH_DIR").unwrap_or_else(|| "/tmp".into()))?;
    let place = folder.path().join("hub");
    // The agent has to know its key; then there is no hub for 30 days.
    let hub = Hub::start(&place, 152, 0)?;
    let ours = folder.path().join("ours");
    std::fs::create_dir_all(&ours)?;
    let mut file = std::io::BufWriter::new(File::create(ours.join("lines"))?);
    let start = Timestamp::now() - SignedDuration::from_secs(5 * i64::try_from(THIRTY_DAYS)?);
    for number in 0..THIRTY_DAYS {
        let at = start + SignedDuration::from_secs(5 * i64::try_from(number)?);
        let (temperature, humidity) = (10.0 + (number % 150) as f64 / 10.0, 40.0 + (number % 500) as f64 / 10.0);
        let (pressure, light) = (950.0 + (number % 200) as f64 / 10.0, number % 80_000);
        writeln!(
            file,
            "{{\"measuredAt\":\"{at}\",\"temperatureC\":{temperature:.1},\"humidityPct\":{humidity:.1},\
             \"pressureHpa\":{pressure:.1},\"illuminanceLx\":{light}}}"
        )?;
    }
    file.into_inner()?.sync_all()?;
    Agent::prepare(&hub, &ours)?;
    hub.process.stop()?;
    let agent = Agent::start(&ours)?;
    let started = Instant::now();
    until("the outbox is full", PATIENCE, || (agent.taken()? >= THIRTY_DAYS as u64).then_some(()))?;
    let filled = agent.process.used()?;
    let kept = agent.waiting().ok_or("the outbox can't be read")?;
    println!(
        "30 days offline: {kept} messages kept, {:.0} MB on disk; taken in in {:.0} s, {:.0} MiB resident",
        bytes(&agent.outbox) as f64 / 1e6,
        started.elapsed().as_secs_f64(),
        filled.resident_mib
    );
    let ended = Arc::new(AtomicBool::new(false));
    let live = {
        let (ended, lines) = (Arc::clone(&ended), agent.lines.clone());
        thread::spawn(move || {
            let mut written = 0_usize;
            while !ended.load(Ordering::Relaxed) {
                if let Ok(mut file) = OpenOptions::new().append(true).open(&lines) {
                    drop(file.write_all(format!("{{\"soundDba\":40.0,\"illuminanceLx\":{written}}}\n").as_bytes()));
                    written += 1;
                }
                thread::sleep(Duration::from_secs(1));
            }
            written
        })
    };
    let hub = Hub::start(&place, 152, 0)?;
    let started = Instant::now();
    // What is live keeps coming: the back-log is through when next to nothing waits.
    until("the back-log is drained", PATIENCE, || (agent.waiting()? < 5).then_some(()))?;
    let drained = started.elapsed();
    let used = agent.process.used()?;
    ended.store(true, Ordering::Relaxed);
    let written = live.join().map_err(|_| "the writer of lines failed")?;
    until("everything is drained", PATIENCE, || (agent.waiting()? == 0).then_some(()))?;
    println!(
        "drained into the local hub in {:.0} s ({:.0} messages a second), {} live readings meanwhile; agent: {:.0} us of \
         CPU a message, {:.0} MiB resident at most",
        drained.as_secs_f64(),
        kept as f64 / drained.as_secs_f64(),
        written,
        (used.cpu - filled.cpu).as_secs_f64() * 1e6 / kept as f64,
        used.peak_mib
    );
    let delays = live_delays(&hub.data().join("hub/enqueued.db"))?;
    if let (Some(median), Some(longest)) = (delays.get(delays.len() / 2), delays.last()) {
        println!("live readings at the hub {median:.1} s (median) and {longest:.1} s (longest) after they were made");
    }
    Ok(())
}

/// Seconds from a live reading's making to the hub, sorted, of what is in the hub's log still.
fn live_delays(log: &Path) -> Outcome<Vec<f64>> {
    let connection = Connection::open_with_flags(log, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(
        "SELECT enqueued_at, json_extract(CAST(body AS TEXT), '$.measuredAt') FROM enqueued
         WHERE json_extract(CAST(body AS TEXT), '$.soundDba') IS NOT NULL",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut delays = Vec::new();
    for row in rows {
        let (enqueued, measured) = row?;
        let (enqueued, measured): (Timestamp, Timestamp) = (enqueued.parse()?, measured.parse()?);
        delays.push(enqueued.duration_since(measured).as_secs_f64());
    }
    delays.sort_by(f64::total_cmp);
    Ok(delays)
}

fn words(before: &Used, after: &Used, messages: u64, elapsed: Duration) -> String {
    let cpu = after.cpu - before.cpu;
    format!(
        "{:.0} us of CPU a message, {:.2} % of a core, {:.1} wake-ups a second, {:.1} MiB resident ({:.1} its own, {:.1} of \
         files, {:.1} resident at most), {:.1} s",
        cpu.as_secs_f64() * 1e6 / messages as f64,
        cpu.as_secs_f64() / elapsed.as_secs_f64() * 100.0,
        after.woken.saturating_sub(before.woken) as f64 / elapsed.as_secs_f64(),
        after.resident_mib,
        after.private_mib,
        after.files_mib,
        after.peak_mib,
        elapsed.as_secs_f64()
    )
}

fn reading(number: usize) -> String {
    let temperature = 10.0 + (number % 150) as f64 / 10.0;
    format!(
        "{{\"temperatureC\":{temperature:.1},\"humidityPct\":61.0,\"pressureHpa\":958.3,\"illuminanceLx\":{number}}}\n"
    )
}

fn count(path: &Path, sql: &str) -> Option<u64> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let count: i64 = connection.query_row(sql, [], |row| row.get(0)).ok()?;
    u64::try_from(count).ok()
}

/// A database's bytes, with its log.
fn bytes(database: &Path) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |about| about.len());
    size(database) + size(&database.with_extension("db-wal"))
}

fn write_private(path: &Path, text: &str) -> Outcome<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
