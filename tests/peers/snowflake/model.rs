//! Pipes as Snowflake has them: a path is loaded once in 14 days, whatever became of it; what is paused waits; what was
//! paused for over 14 days is stale; a bad line fails its file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub const USER: &str = "SKYDECK_STAGING";
pub const PASSWORD: &str = "correct horse";
pub const OAUTH_TOKEN: &str = "ver:1-oauth";
pub const DATABASE: &str = "WEATHER_STAGING";
pub const SCHEMA: &str = "DATAWAREHOUSE_STAGING";
pub const WAREHOUSE: &str = "WEATHER_WHS_STAGING";

/// A path isn't loaded again for so long, and a pause makes stale after it.
const MEMORY: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A file in a stage.
#[derive(Debug, Clone)]
pub struct File {
    pub lines: Vec<String>,
    pub modified: Timestamp,
}

/// What became of a file.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub file: String,
    pub received: Timestamp,
    pub at: Timestamp,
    pub status: &'static str,
    pub rows: usize,
    pub parsed: usize,
    pub bytes: usize,
    /// Line and character of the first error, with its words.
    pub error: Option<(usize, usize, String)>,
}

/// A row of a table.
#[derive(Debug, Clone)]
pub struct TableRow {
    pub line: Value,
    /// When it was loaded.
    pub at: Timestamp,
    pub file: String,
    /// Its line in the file, from 1.
    pub number: usize,
}

/// A pipe with its stage, and what it loaded into its table, which another pipe may load into as well.
#[derive(Debug, Clone, Default)]
pub struct Pipe {
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether its stage signs in by a token of its own, and not by an integration.
    pub has_credentials: bool,
    pub stage: &'static str,
    pub table: &'static str,
    pub paused_since: Option<Timestamp>,
    pub can_monitor: bool,
    pub can_operate: bool,
    pub can_select: bool,
    /// A state that isn't RUNNING or PAUSED.
    pub stalled: Option<(&'static str, &'static str)>,
    pub invalid_reason: Option<&'static str>,
    /// Why its channel can't be read.
    pub channel_error: Option<&'static str>,
    pub files: BTreeMap<String, File>,
    pub pending: Vec<(String, Timestamp)>,
    pub seen: BTreeMap<String, Timestamp>,
    pub history: Vec<Loaded>,
    pub rows: Vec<TableRow>,
    pub received: Option<Timestamp>,
    pub forwarded: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub pipes: BTreeMap<&'static str, Pipe>,
    pub awake_until: Option<Timestamp>,
    /// Named formats of the session.
    pub formats: BTreeSet<String>,
    pub can_make_formats: bool,
    /// Why the warehouse doesn't run.
    pub warehouse_refuses: Option<(&'static str, &'static str)>,
    /// How much time has passed for everybody: a test doesn't wait for it.
    pub ahead: SignedDuration,
    /// How much more the server's clock shows than this machine's: a token is judged by it, and answers bear it.
    pub skew: SignedDuration,
}

impl Model {
    /// The server's time.
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    /// What the server's clock shows.
    pub fn clock(&self) -> Timestamp {
        Timestamp::now() + self.skew
    }

    /// Ten pipes in place of the module's three.
    pub fn of_ten() -> Self {
        let mut model = Self::of_the_module();
        for number in 0..7 {
            let name = |kind: &str| -> &'static str { Box::leak(format!("{kind}_{number}").into_boxed_str()) };
            let pipe =
                Pipe { stage: name("STAGE"), table: name("TABLE"), ..model.pipes["WEATHER_PIPE_DQ_STAGING"].clone() };
            model.pipes.insert(name("PIPE"), pipe);
        }
        model
    }

    /// What the Terraform module makes.
    pub fn of_the_module() -> Self {
        let created = "2026-01-01T00:00:00Z".parse().ok();
        let pipe = |stage, table| Pipe {
            created,
            stage,
            table,
            can_monitor: true,
            can_operate: true,
            can_select: true,
            ..Pipe::default()
        };
        let pipes = [
            ("WEATHER_PIPE_DQ_STAGING", pipe("SNOWPIPE_STAGE_STAGING", "WEATHER_JSON_STAGING")),
            ("WEATHER_PIPE_PRED_DQ_STAGING", pipe("SNOWPIPE_STAGE_PRED_STAGING", "WEATHER_PREDICTIONS_STAGING")),
            ("WEATHER_PIPE_HEALTH_DQ_STAGING", pipe("SNOWPIPE_STAGE_HEALTH_STAGING", "WEATHER_HEALTH_STAGING")),
        ];
        Self { pipes: pipes.into(), can_make_formats: true, ..Self::default() }
    }

    /// The pipe of that name.
    pub fn pipe(&mut self, name: &str) -> &mut Pipe {
        self.pipes.get_mut(name).unwrap_or_else(|| panic!("no pipe {name} in the model"))
    }

    /// Whether the warehouse slept; it is awake for a minute now.
    pub fn wake(&mut self, now: Timestamp) -> bool {
        let slept = self.awake_until.is_none_or(|until| now >= until);
        self.awake_until = Some(now + SignedDuration::from_secs(60));
        slept
    }
}

impl Pipe {
    /// A file comes into the container, and its notice to the pipe.
    pub fn comes(&mut self, path: &str, lines: &[&str]) {
        self.comes_at(path, lines, Timestamp::now());
    }

    /// The same at the server's time `now`.
    pub fn comes_at(&mut self, path: &str, lines: &[&str], now: Timestamp) {
        self.files
            .insert(path.to_owned(), File { lines: lines.iter().map(|l| (*l).to_owned()).collect(), modified: now });
        self.notice(path, now);
    }

    /// Takes a notice; a path that was seen within 14 days is forgotten again. Answers whether it is new.
    pub fn notice(&mut self, path: &str, now: Timestamp) -> bool {
        self.received = Some(now);
        self.forwarded = Some(now);
        if self.seen.get(path).is_some_and(|at| now.duration_since(*at) < MEMORY) {
            return false;
        }
        self.seen.insert(path.to_owned(), now);
        self.pending.push((path.to_owned(), now));
        self.load(now);
        true
    }

    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.paused_since.is_some_and(|since| now.duration_since(since) >= MEMORY)
    }

    /// Makes the pipe anew: it has forgotten what it loaded.
    pub fn is_made_anew(&mut self, now: Timestamp) {
        self.created = Some(now);
        self.seen.clear();
        self.pending.clear();
    }

    /// Loads what waits, where the pipe runs.
    pub fn load(&mut self, at: Timestamp) {
        if self.paused_since.is_some() || self.stalled.is_some() {
            return;
        }
        for (path, received) in std::mem::take(&mut self.pending) {
            let file = self.files.get(&path).unwrap_or_else(|| panic!("no file {path}")).clone();
            let parsed: Vec<_> = file.lines.iter().map(|line| serde_json::from_str::<Value>(line)).collect();
            let bad = parsed.iter().enumerate().find_map(|(line, parsed)| {
                parsed.as_ref().err().map(|error| (line + 1, error.column(), format!("Error parsing JSON: {error}")))
            });
            if bad.is_none() {
                let row = |(index, line)| TableRow { line, at, file: path.clone(), number: index + 1 };
                self.rows.extend(parsed.into_iter().flatten().enumerate().map(row));
            }
            self.history.push(Loaded {
                received,
                at,
                status: if bad.is_none() { "Loaded" } else { "Load failed" },
                rows: if bad.is_none() { file.lines.len() } else { 0 },
                parsed: bad.as_ref().map_or(file.lines.len(), |(line, ..)| *line),
                bytes: file.lines.iter().map(|line| line.len() + 1).sum(),
                error: bad,
                file: path,
            });
        }
    }
}
