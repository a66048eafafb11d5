//! What a scenario's file can say.

use serde::Deserialize;

/// A scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, for people.
    pub about: String,
    pub environment: Environment,
    pub readings: Readings,
    /// Settings of the owner, laid over the runner's own.
    #[serde(default)]
    pub owner: toml::Table,
    /// Settings of the agents that are processes of their own.
    #[serde(default)]
    pub agent: toml::Table,
    /// How an agent of its own signs in.
    #[serde(default)]
    pub credentials: Credentials,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// Measurements that may be missing in the end, all of which must be told as lost. None as a rule.
    #[serde(default)]
    pub told_lost_at_most: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Demo,
    Local,
}

/// What is measured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Readings {
    /// By the owner's own agent: a replayed series at 600 times its speed, of which a day lies in the outbox at the
    /// start, and so many minutes beyond what the kills need.
    Series { spare_minutes: usize },
    /// By agents of their own, from lines that are written while the scenario plays.
    Lines {
        /// Lines that are there before anything starts.
        before: usize,
        /// Time between two lines after that, ms.
        every_ms: u64,
    },
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credentials {
    #[default]
    Key,
    Certificate,
}

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whom {
    /// `skydeck run`: the hub, the batcher, the loader.
    Owner,
    /// `skydeck agent run`.
    Agent,
    /// Another one with the same identity and readings of its own.
    Second,
}

/// Something that happens, or that must be seen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "do")]
pub enum Step {
    /// Starts processes and waits until they answer.
    Start { whom: Vec<Whom> },
    /// Starts a process that needn't ever answer.
    Launch { whom: Whom },
    /// A process ends by itself, with exit code `exit`.
    Ends {
        whom: Whom,
        exit: i32,
        #[serde(default = "half_a_minute")]
        within_s: u64,
    },
    /// Ends processes in order, with exit code `exit`.
    Stop {
        whom: Vec<Whom>,
        #[serde(default)]
        exit: i32,
    },
    /// `kill -9`.
    Kill { whom: Vec<Whom> },
    /// `kill -9` and, of each of their files, the loss of what wasn't synced; a write may be torn.
    CutPower { whom: Vec<Whom> },
    /// So many times: after a random while one or all of them are killed at once and started again. `SKYDECK_KILLS`
    /// takes the place of `times`.
    KillAtRandom {
        whom: Vec<Whom>,
        times: usize,
        /// Shortest and longest life, ms.
        life_ms: (u64, u64),
        /// Whether it is a power cut.
        #[serde(default)]
        power: bool,
    },
    /// The process stands still with its connections open.
    Freeze { whom: Whom },
    /// And goes on.
    Thaw { whom: Whom },
    /// The disk of all processes is full, or has room again.
    Disk { full: bool },
    /// The wall clock of processes is off by so many seconds from now on.
    Clock { whom: Vec<Whom>, offset_s: i64 },
    /// Bytes of an agent's outbox are overwritten, in the first page that holds measurements.
    DamageOutbox { whom: Whom },
    /// The agents' certificate is made anew with so many days to live, in the place of the old one.
    Certificate { days: i64 },
    /// Time goes by.
    Pass { seconds: f64 },
    /// So many lines are measured at once.
    Measure { count: usize },
    /// So many measurements more than at this step's start arrive at the hub.
    Arrive {
        more: usize,
        #[serde(default = "half_a_minute")]
        within_s: u64,
    },
    /// None arrives for so long, from now on or from some time `within_s` on.
    Still {
        seconds: f64,
        #[serde(default)]
        within_s: u64,
    },
    /// A log says all these words (of any time since the scenario's start).
    Log {
        of: Whom,
        says: Vec<String>,
        #[serde(default = "half_a_minute")]
        within_s: u64,
    },
    /// A command is asked until it ends with this code and shows these words.
    Ask {
        of: Whom,
        run: Vec<String>,
        #[serde(default)]
        exit: i32,
        #[serde(default)]
        shows: Vec<String>,
        #[serde(default)]
        hides: Vec<String>,
        #[serde(default = "half_a_minute")]
        within_s: u64,
    },
}

const fn half_a_minute() -> u64 {
    30
}

impl Scenario {
    pub fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())
    }

    /// Whether agents are processes of their own.
    pub const fn has_agents(&self) -> bool {
        matches!(self.readings, Readings::Lines { .. })
    }

    /// Whether there is a second agent.
    pub fn has_second(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Start { whom } if whom.contains(&Whom::Second)))
    }

    /// Whether the processes need a disk that can be full, or forgets.
    pub fn needs_disk(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::CutPower { .. } | Step::Disk { .. } => true,
            Step::KillAtRandom { power, .. } => *power,
            _ => false,
        })
    }

    /// Kills at random moments that it has.
    pub fn kills(&self) -> usize {
        let kills = |step: &Step| if let Step::KillAtRandom { times, .. } = step { kills(*times) } else { 0 };
        self.steps.iter().map(kills).sum()
    }
}

/// How often is killed where a scenario says `times`.
pub fn kills(times: usize) -> usize {
    std::env::var("SKYDECK_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(times)
}
