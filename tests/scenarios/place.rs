//! Where a scenario plays: folders, settings, and the commands that go with them.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};

use tempfile::TempDir;

use crate::count::Stores;
use crate::disk::Disk;
use crate::script::{Credentials, Environment, Readings, Scenario, Whom};

/// The agents' identity.
pub const DEVICE: &str = "roof-01";
/// Minutes of the series that lie in the outbox at the first start: a day.
const BACK_LOG: usize = 1440;
/// Minutes of the series a kill is expected to let pass: a second at 600×, and some.
const PER_KILL: usize = 12;

/// A scenario's own folder, gone when it is dropped unless the scenario failed.
pub struct Place {
    root: TempDir,
    environment: Environment,
    listen: IpAddr,
    credentials: Credentials,
    pub disk: Option<Disk>,
    has_agents: bool,
    has_second: bool,
    /// Minutes of the series, where there is one.
    pub minutes: usize,
}

impl Place {
    pub fn new(scenario: &Scenario) -> Result<Self, String> {
        // A loopback address of its own, so that a port is free and stays the same over restarts.
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let listen = Ipv4Addr::new(127, 0, 84, NEXT.fetch_add(1, Ordering::Relaxed)).into();
        let root = tempfile::Builder::new().prefix("sky").tempdir().map_err(|error| error.to_string())?;
        let data = root.path().join("data");
        std::fs::create_dir(&data).map_err(|error| error.to_string())?;
        let disk = scenario.needs_disk().then(|| Disk::new(root.path().join("disk"), &data)).transpose()?;
        let minutes = match scenario.readings {
            Readings::Series { spare_minutes } => BACK_LOG + spare_minutes + scenario.kills() * PER_KILL,
            Readings::Lines { .. } => 0,
        };
        let place = Self {
            root,
            environment: scenario.environment,
            listen,
            credentials: scenario.credentials,
            disk,
            has_agents: scenario.has_agents(),
            has_second: scenario.has_second(),
            minutes,
        };
        place.write_settings(scenario)?;
        Ok(place)
    }

    fn write_settings(&self, scenario: &Scenario) -> Result<(), String> {
        if self.minutes > 0 {
            write(&self.root.path().join("series.csv"), &series(self.minutes))?;
        }
        let mut owner = match scenario.readings {
            Readings::Series { .. } => table(&format!(
                "[source]\nkind = 'replay'\npath = {:?}\nspeed = 600\nbacklog_days = 1",
                self.root.path().join("series.csv")
            )),
            Readings::Lines { .. } => table(&format!(
                "[source]\nkind = 'none'\n[station]\ndevice_id = 'owner-01'\n[hub]\nlisten = '{}'\nport = 8883\n\
                 https_port = 8443\n[ingestion]\nbatch_window_s = 60",
                self.listen
            )),
        };
        lay_over(&mut owner, &scenario.owner);
        write(&self.settings(Whom::Owner), &toml::to_string(&owner).map_err(|error| error.to_string())?)?;
        if !self.has_agents {
            return Ok(());
        }
        for whom in [Whom::Agent, Whom::Second] {
            let secret = match self.credentials {
                Credentials::Key => format!("connection_string = 'file:{}'", self.secret().display()),
                Credentials::Certificate => format!(
                    "hub = 'skydeck-hub'\ncertificate = {:?}\ncertificate_key = {:?}",
                    self.certificate(),
                    self.certificate_key()
                ),
            };
            let mut agent = table(&format!(
                "[source]\nkind = 'lines'\npath = {:?}\n[station]\ndevice_id = '{DEVICE}'\n[agent]\nmax_backoff_s = 2\n\
                 [link]\n{secret}\ngateway = '{}'\nport = 8883\nhttps_port = 8443\nca = {:?}\n\
                 max_per_s = 2000\n",
                self.lines(whom),
                self.listen,
                self.owner_data().join("hub/ca.pem")
            ));
            lay_over(&mut agent, &scenario.agent);
            write(&self.settings(whom), &toml::to_string(&agent).map_err(|error| error.to_string())?)?;
        }
        Ok(())
    }

    /// Keeps the folder for a look, and says where.
    pub fn keep(self) -> PathBuf {
        self.root.keep()
    }

    fn environment_name(&self) -> &'static str {
        match self.environment {
            Environment::Demo => "demo",
            Environment::Local => "local",
        }
    }

    fn name(whom: Whom) -> &'static str {
        match whom {
            Whom::Owner => "owner",
            Whom::Agent => "agent",
            Whom::Second => "second",
        }
    }

    fn settings(&self, whom: Whom) -> PathBuf {
        self.root.path().join(format!("{}.toml", Self::name(whom)))
    }

    fn folder(&self, whom: Whom) -> PathBuf {
        self.root.path().join("data").join(Self::name(whom)).join(self.environment_name())
    }

    pub fn owner_data(&self) -> PathBuf {
        self.folder(Whom::Owner).join("data")
    }

    pub fn outbox(&self, whom: Whom) -> PathBuf {
        self.folder(whom).join("data/agent/outbox.db")
    }

    /// Lines that an agent reads.
    pub fn lines(&self, whom: Whom) -> PathBuf {
        self.root.path().join(format!("{}.lines", Self::name(whom)))
    }

    /// The agents there are.
    pub fn agents(&self) -> Vec<Whom> {
        match (self.has_agents, self.has_second) {
            (false, _) => Vec::new(),
            (true, false) => vec![Whom::Agent],
            (true, true) => vec![Whom::Agent, Whom::Second],
        }
    }

    /// Everybody.
    pub fn everybody(&self) -> Vec<Whom> {
        std::iter::once(Whom::Owner).chain(self.agents()).collect()
    }

    /// How the agents sign in.
    pub const fn credentials(&self) -> Credentials {
        self.credentials
    }

    pub fn secret(&self) -> PathBuf {
        self.root.path().join("roof-01.secret")
    }

    pub fn certificate(&self) -> PathBuf {
        self.root.path().join("roof-01.pem")
    }

    /// The authority that signs the agents' certificates; the hub takes what is in this folder.
    pub fn authority(&self) -> PathBuf {
        self.owner_data().join("hub/device-ca/agents.pem")
    }

    pub fn certificate_key(&self) -> PathBuf {
        self.root.path().join("roof-01.key")
    }

    /// What a process wrote to its standard output and error.
    pub fn output(&self, whom: Whom) -> PathBuf {
        self.root.path().join(format!("{}.out", Self::name(whom)))
    }

    /// Everything a process has said: its output and its log.
    pub fn said(&self, whom: Whom) -> String {
        let mut text = std::fs::read_to_string(self.output(whom)).unwrap_or_default();
        let logs = std::fs::read_dir(self.folder(whom).join("state")).into_iter().flatten().flatten();
        for log in logs.filter(|log| log.path().is_file()) {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(log.path()).unwrap_or_default()));
        }
        text
    }

    /// The file that holds how far a process's wall clock is off, seconds.
    pub fn clock(&self, whom: Whom) -> PathBuf {
        self.root.path().join(format!("{}.clock", Self::name(whom)))
    }

    pub fn stores(&self) -> Stores {
        let mut outboxes: Vec<_> = self.agents().into_iter().map(|whom| self.outbox(whom)).collect();
        if outboxes.is_empty() {
            outboxes.push(self.outbox(Whom::Owner));
        }
        Stores { data: self.owner_data(), outboxes }
    }

    /// The command that is the process.
    pub fn process(&self, whom: Whom) -> Command {
        let mut command = self.command(whom);
        match whom {
            Whom::Owner => command.arg("run"),
            Whom::Agent | Whom::Second => command.args(["agent", "run"]),
        };
        if let Some(disk) = &self.disk {
            disk.carry(&mut command);
        }
        command.env("SKYDECK_TEST_CLOCK", self.clock(whom));
        command
    }

    /// A command to a process.
    pub fn ask<T: AsRef<std::ffi::OsStr>>(&self, whom: Whom, arguments: &[T]) -> Result<Output, String> {
        let mut command = self.command(whom);
        command.args(arguments).output().map_err(|error| error.to_string())
    }

    fn command(&self, whom: Whom) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.args(["--no-color", "--env", self.environment_name(), "--data-dir"]);
        command.arg(self.root.path().join("data").join(Self::name(whom)));
        command.arg("--config").arg(self.settings(whom));
        // The settings of whoever runs the tests are none of theirs.
        command.env("XDG_CONFIG_HOME", self.root.path()).env_remove("SKYDECK_ENV").env_remove("SKYDECK_CONFIG");
        command
    }

    /// Whether a process can be spoken to.
    pub fn answers(&self, whom: Whom) -> bool {
        let socket = if whom == Whom::Owner { "owner.sock" } else { "agent.sock" };
        UnixStream::connect(self.folder(whom).join("run").join(socket)).is_ok()
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn table(text: &str) -> toml::Table {
    text.parse().expect("the runner's own settings")
}

fn lay_over(base: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => lay_over(base, over),
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
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
