//! Plays a scenario: its steps in order, then whatever it broke is mended, everything drains, and it is counted.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng as _};

use crate::place::{DEVICE, Place};
use crate::process::{Process, tail};
use crate::script::{Credentials, Readings, Scenario, Step, Whom, kills};

/// Time between looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time a process has until it answers.
const START: Duration = Duration::from_secs(60);
/// Time everything has to drain at the end: a batch window, and much for a loaded machine.
const DRAIN: Duration = Duration::from_secs(300);

/// Plays `scenario`; answers what was counted, or why it was skipped.
pub fn play(name: &str, scenario: &Scenario, seed: u64) -> Result<String, String> {
    if let Some(words) = missing(scenario) {
        let required = std::env::var_os("SKYDECK_PEERS_REQUIRED").is_some();
        return if required { Err(words) } else { Ok(format!("skipped: {words}")) };
    }
    let mut stage = Stage::new(name, scenario, seed)?;
    let started = Instant::now();
    let played = stage.play(scenario);
    match played {
        Ok(words) => {
            let lost =
                if scenario.needs_disk() { format!("; {} writes lost", stage.lost_writes) } else { String::new() };
            Ok(format!("{}: {words}{lost}; {} s", scenario.about, started.elapsed().as_secs()))
        }
        Err(words) => {
            let outputs: Vec<_> = stage.place.everybody().into_iter().map(|whom| stage.place.output(whom)).collect();
            let said: Vec<_> = outputs.iter().map(|path| format!("{}:\n{}", path.display(), tail(path))).collect();
            // How each stage stands, while the owner still runs; a frozen one wouldn't answer.
            stage.thaw();
            let status = stage.run(Whom::Owner, &["status".to_owned()]);
            let status = status.map_or_else(|words| words, |(_, said)| said);
            stage.stop_everything();
            let kept = stage.place.keep();
            Err(format!("{words}\n{}\n{status}\nkept in {}", said.join("\n"), kept.display()))
        }
    }
}

/// What keeps a scenario from being played here.
fn missing(scenario: &Scenario) -> Option<String> {
    let has_clock = scenario.steps.iter().any(|step| matches!(step, Step::Clock { .. }));
    if has_clock && !cfg!(debug_assertions) {
        return Some("its clock can be set in debug builds only; leave out --release".into());
    }
    if scenario.needs_disk() { crate::disk::missing() } else { None }
}

/// Processes, readings and chance.
struct Stage {
    place: Place,
    random: StdRng,
    owner: Process,
    agent: Process,
    second: Process,
    readings: Option<Writer>,
    is_full: bool,
    frozen: Vec<Whom>,
    registered: bool,
    /// Writes that power cuts took.
    lost_writes: usize,
}

impl Stage {
    fn new(name: &str, scenario: &Scenario, seed: u64) -> Result<Self, String> {
        let place = Place::new(scenario)?;
        let own = name.bytes().fold(seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let readings = match scenario.readings {
            Readings::Series { .. } => None,
            Readings::Lines { before, every_ms } => Some(Writer::start(&place, before, every_ms)?),
        };
        let process = |whom| Process::new(place.output(whom));
        Ok(Self {
            random: StdRng::seed_from_u64(own),
            owner: process(Whom::Owner),
            agent: process(Whom::Agent),
            second: process(Whom::Second),
            readings,
            is_full: false,
            frozen: Vec::new(),
            registered: false,
            lost_writes: 0,
            place,
        })
    }

    fn play(&mut self, scenario: &Scenario) -> Result<String, String> {
        for (number, step) in scenario.steps.iter().enumerate() {
            self.step(step).map_err(|words| format!("step {} ({step:?}): {words}", number + 1))?;
        }
        let expected = match &mut self.readings {
            Some(readings) => readings.stop(),
            None => self.place.minutes,
        };
        self.mend()?;
        self.drain(expected.saturating_sub(scenario.told_lost_at_most))?;
        self.stop_everything();
        self.place.stores().judge(expected, self.readings.is_some(), scenario.told_lost_at_most)
    }

    fn process(&mut self, whom: Whom) -> &mut Process {
        match whom {
            Whom::Owner => &mut self.owner,
            Whom::Agent => &mut self.agent,
            Whom::Second => &mut self.second,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Start { whom } => whom.iter().try_for_each(|&whom| self.start(whom, true)),
            Step::Launch { whom } => self.start(*whom, false),
            Step::Ends { whom, exit, within_s } => {
                let code = self.process(*whom).ended(Duration::from_secs(*within_s))?;
                if code == *exit { Ok(()) } else { Err(format!("ended with {code}")) }
            }
            Step::Stop { whom, exit } => whom.iter().try_for_each(|&whom| match self.process(whom).stop()? {
                code if code == *exit => Ok(()),
                code => Err(format!("{whom:?} ended with {code} instead of {exit}")),
            }),
            Step::Kill { whom } => self.kill(whom, false),
            Step::CutPower { whom } => self.kill(whom, true),
            Step::KillAtRandom { whom, times, life_ms, power } => {
                self.kill_at_random(whom, kills(*times), *life_ms, *power)
            }
            Step::Freeze { whom } => {
                self.process(*whom).freeze();
                self.frozen.push(*whom);
                Ok(())
            }
            Step::Thaw { whom } => {
                self.process(*whom).thaw();
                self.frozen.retain(|frozen| frozen != whom);
                Ok(())
            }
            Step::Disk { full } => {
                self.place.disk.as_ref().ok_or("there is no such disk")?.set_full(*full);
                self.is_full = *full;
                Ok(())
            }
            Step::Clock { whom, offset_s } => whom.iter().try_for_each(|&whom| {
                // In one go, so that nobody reads half of it.
                let (path, next) = (self.place.clock(whom), self.place.clock(whom).with_extension("next"));
                std::fs::write(&next, offset_s.to_string())
                    .and_then(|()| std::fs::rename(&next, &path))
                    .map_err(|error| error.to_string())
            }),
            Step::DamageOutbox { whom } => crate::harm::damage(&self.place.outbox(*whom)),
            Step::Certificate { days } => self.certify(*days),
            Step::Pass { seconds } => {
                thread::sleep(Duration::from_secs_f64(*seconds));
                Ok(())
            }
            Step::Measure { count } => self.readings.as_ref().ok_or("there are no lines")?.write(*count),
            Step::Arrive { more, within_s } => self.arrive(*more, Duration::from_secs(*within_s)),
            Step::Still { seconds, within_s } => {
                self.still(Duration::from_secs_f64(*seconds), Duration::from_secs(*within_s))
            }
            Step::Log { of, says, within_s } => self.until(Duration::from_secs(*within_s), |stage| {
                let said = stage.place.said(*of);
                says.iter().find(|&words| !said.contains(words.as_str())).map(|words| format!("doesn't say {words:?}"))
            }),
            Step::Ask { of, run, exit, shows, hides, within_s } => {
                self.until(Duration::from_secs(*within_s), |stage| {
                    let (code, said) = match stage.run(*of, run) {
                        Ok(answer) => answer,
                        Err(words) => return Some(words),
                    };
                    let missing = shows.iter().find(|&words| !said.contains(words.as_str()));
                    let wrong = hides.iter().find(|&words| said.contains(words.as_str()));
                    (code != *exit || missing.is_some() || wrong.is_some())
                        .then(|| format!("ended with {code} and showed:\n{said}"))
                })
            }
        }
    }

    fn start(&mut self, whom: Whom, wait: bool) -> Result<(), String> {
        let command = self.place.process(whom);
        self.process(whom).start(command)?;
        if !wait {
            return Ok(());
        }
        self.until(START, |stage| (!stage.place.answers(whom)).then(|| format!("{whom:?} doesn't answer")))?;
        if whom == Whom::Owner && self.readings.is_some() && !self.registered {
            self.register()?;
        }
        Ok(())
    }

    /// Makes the agents' identity known to the hub.
    fn register(&mut self) -> Result<(), String> {
        match self.place.credentials() {
            Credentials::Key => {
                let out = self.place.secret().display().to_string();
                self.ask_well(&["hub", "add", DEVICE])?;
                self.ask_well(&["hub", "connection-string", DEVICE, "--out", &out])?;
            }
            Credentials::Certificate => {
                self.ask_well(&["hub", "add", DEVICE, "--ca"])?;
            }
        }
        self.registered = true;
        Ok(())
    }

    fn ask_well(&self, arguments: &[&str]) -> Result<(), String> {
        // A hub that is still coming up says so.
        self.until_asked(Whom::Owner, &arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    fn run(&self, of: Whom, arguments: &[String]) -> Result<(i32, String), String> {
        let output = self.place.ask(of, arguments)?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned()))
    }

    fn kill(&mut self, whom: &[Whom], power: bool) -> Result<(), String> {
        // All die before any loses its writes: it is one moment.
        let killed: Vec<Option<u32>> = whom.iter().map(|&whom| self.process(whom).kill()).collect();
        for pid in killed {
            let pid = pid.ok_or("isn't started")?;
            if power {
                let disk = self.place.disk.as_ref().ok_or("there is no such disk")?;
                self.lost_writes += disk.forget(pid, &mut self.random);
            }
        }
        Ok(())
    }

    fn kill_at_random(&mut self, whom: &[Whom], times: usize, life: (u64, u64), power: bool) -> Result<(), String> {
        for _ in 0..times {
            thread::sleep(Duration::from_millis(self.random.random_range(life.0..=life.1)));
            let one = whom[self.random.random_range(0..whom.len())];
            let chosen = if self.random.random_bool(0.3) { whom.to_vec() } else { vec![one] };
            for &whom in &chosen {
                self.process(whom).check().map_err(|words| format!("{whom:?} {words}"))?;
            }
            self.kill(&chosen, power)?;
            for whom in chosen {
                self.start(whom, false)?;
            }
        }
        Ok(())
    }

    /// So many more come to the hub, or from there on to the table.
    fn arrive(&mut self, more: usize, within: Duration) -> Result<(), String> {
        let stores = self.place.stores();
        let there = move || stores.counts().map(|counts| counts.rows + counts.logged);
        let mut wanted = None;
        self.until(within, |_| {
            // A batch on its way is in neither place: a count that comes too low is looked at again.
            let Some(now) = there() else { return Some("nothing can be counted".into()) };
            let wanted = *wanted.get_or_insert(now + more);
            (now < wanted).then(|| format!("{now} at the hub, {wanted} are waited for"))
        })
    }

    /// For such a time nothing comes to the hub or from there to the table.
    fn still(&mut self, time: Duration, within: Duration) -> Result<(), String> {
        let stores = self.place.stores();
        let there = || stores.counts().map(|counts| counts.rows + counts.logged);
        let deadline = Instant::now() + within;
        loop {
            let before = there().ok_or("nothing can be counted")?;
            thread::sleep(time);
            match there() {
                Some(after) if after > before && Instant::now() > deadline => {
                    return Err(format!("{} measurements came in that time", after - before));
                }
                Some(after) if after > before => {}
                _ => return Ok(()),
            }
        }
    }

    /// Looks until `trouble` has none.
    fn until(&mut self, within: Duration, mut trouble: impl FnMut(&mut Self) -> Option<String>) -> Result<(), String> {
        let deadline = Instant::now() + within;
        while let Some(words) = trouble(self) {
            if Instant::now() > deadline {
                return Err(format!("{words} (after {} s)", within.as_secs()));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn until_asked(&self, of: Whom, arguments: &[String]) -> Result<(), String> {
        let deadline = Instant::now() + START;
        loop {
            match self.run(of, arguments)? {
                (0, _) => return Ok(()),
                (code, said) if Instant::now() > deadline => return Err(format!("{arguments:?}: {code}: {said}")),
                _ => thread::sleep(LOOK_EVERY),
            }
        }
    }

    fn certify(&self, days: i64) -> Result<(), String> {
        let place = &self.place;
        crate::harm::certify(&place.authority(), &place.certificate(), &place.certificate_key(), DEVICE, days)
    }

    /// Whoever is frozen goes on.
    fn thaw(&mut self) {
        for whom in std::mem::take(&mut self.frozen) {
            self.process(whom).thaw();
        }
    }

    /// Whatever the scenario left broken goes well again.
    fn mend(&mut self) -> Result<(), String> {
        self.thaw();
        if std::mem::take(&mut self.is_full)
            && let Some(disk) = &self.place.disk
        {
            disk.set_full(false);
        }
        for whom in self.place.everybody() {
            if !self.process(whom).is_started() {
                self.start(whom, true)?;
            }
        }
        Ok(())
    }

    fn drain(&mut self, expected: usize) -> Result<(), String> {
        let stores = self.place.stores();
        self.until(DRAIN, |stage| {
            for whom in stage.place.everybody() {
                if let Err(words) = stage.process(whom).check() {
                    return Some(format!("{whom:?} {words}"));
                }
            }
            match stores.counts() {
                Some(counts) if counts.rows >= expected && counts.waiting == 0 => None,
                counts => Some(format!("not drained: {counts:?}, {expected} rows expected")),
            }
        })
    }

    fn stop_everything(&mut self) {
        for whom in [Whom::Agent, Whom::Second, Whom::Owner] {
            self.process(whom).kill();
        }
    }
}

/// Writes readings, each with its number as light, in turn to the agents.
struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    files: Mutex<Vec<std::fs::File>>,
    written: AtomicUsize,
    ended: AtomicBool,
}

impl Writer {
    fn start(place: &Place, before: usize, every_ms: u64) -> Result<Self, String> {
        let open = |whom| {
            let path = place.lines(whom);
            OpenOptions::new().create(true).append(true).open(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let files = place.agents().into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let shared =
            Arc::new(Shared { files: Mutex::new(files), written: AtomicUsize::new(0), ended: AtomicBool::new(false) });
        shared.write(before)?;
        let writing = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while !writing.ended.load(Ordering::Relaxed) {
                writing.write(1).expect("a line is written");
                thread::sleep(Duration::from_millis(every_ms));
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    fn write(&self, count: usize) -> Result<(), String> {
        self.shared.write(count)
    }

    /// Ends it and answers how many were written.
    fn stop(&mut self) -> usize {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("ends well");
        }
        self.shared.written.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn write(&self, count: usize) -> Result<(), String> {
        let files = self.files.lock().map_err(|error| error.to_string())?;
        let mut lines = vec![String::new(); files.len()];
        for _ in 0..count {
            let number = self.written.fetch_add(1, Ordering::Relaxed) + 1;
            let temperature = 10.0 + (number % 100) as f64 / 10.0;
            let line = format!("{{\"temperatureC\":{temperature:.1},\"illuminanceLx\":{number}}}\n");
            lines[number % files.len()].push_str(&line);
        }
        for (mut file, lines) in files.iter().zip(&lines) {
            file.write_all(lines.as_bytes()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
