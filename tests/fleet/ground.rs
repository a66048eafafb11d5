//! The environment `local` with its hub, and agents with folders of their own.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{PATIENCE, Place, Ran, Running};

/// An owner whose hub serves devices alone: it has no source of its own.
pub struct Ground {
    pub place: Place,
    pub owner: Running,
    port: String,
    https_port: String,
    service: String,
}

impl Ground {
    pub fn open() -> Self {
        let place = Place::new();
        let settings =
            "[station]\ndevice_id = \"owner-01\"\n[source]\nkind = \"none\"\n[ingestion]\nbatch_window_s = 60\n";
        place.write_settings("local.toml", settings);
        let owner = Running::owner(&place, &["run", "local"]);
        let overview = place.json(&["--env", "local", "status", "--json"]);
        let address = overview["snapshot"]["owner"]["hubAddress"].as_str().expect("an address");
        let port = address.rsplit(':').next().expect("a port").to_owned();
        let told = place.json(&["--env", "local", "hub", "connection-string", "--service", "--json"]);
        let service = told["connectionString"].as_str().expect("a text").to_owned();
        let host = service.split(';').next().expect("a host");
        let https_port = host.rsplit(':').next().expect("a port").to_owned();
        Self { place, owner, port, https_port, service }
    }

    /// The connection string of the service side.
    pub fn service(&self) -> &str {
        &self.service
    }

    pub fn ca(&self) -> PathBuf {
        self.place.data("local").join("hub/ca.pem")
    }

    /// `skydeck hub …` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.place.run(&[&["--env", "local", "hub"], arguments].concat())
    }

    /// The same; answers its JSON.
    #[track_caller]
    pub fn hub(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!((ran.code(), ran.err().as_str()), (0, ""), "{arguments:?}: {}", ran.out());
        serde_json::from_str(&ran.out()).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", ran.out()))
    }

    /// The same for a command that says in a line what it has done.
    #[track_caller]
    pub fn done(&self, arguments: &[&str], words: &str) {
        let ran = self.run(arguments);
        assert_eq!((ran.code(), ran.err().as_str()), (0, ""), "{arguments:?}");
        assert!(ran.out().contains(words), "{arguments:?}: {}", ran.out());
    }

    pub fn audit(&self) -> String {
        self.place.run(&["--env", "local", "audit"]).out()
    }

    /// An agent that isn't started yet. `link` says as what it shows itself, `more` are further settings.
    pub fn agent(&self, device: &str, link: &str, more: &str) -> Agent {
        let place = Place::new();
        let readings = place.path().join("readings.jsonl");
        std::fs::write(&readings, "").expect("written");
        place.write_settings(
            "roof.toml",
            &format!(
                "{more}\n[station]\ndevice_id = \"{device}\"\n[source]\nkind = \"lines\"\npath = {readings:?}\n\
                 [agent]\nmax_backoff_s = 1\n[link]\nport = {}\nhttps_port = {}\nca = {:?}\n{link}\n",
                self.port,
                self.https_port,
                self.ca(),
            ),
        );
        Agent { place, readings, process: None }
    }

    /// An agent that signs in with its key, which is registered here and carried there.
    pub fn agent_with_key(&self, device: &str, more: &str) -> Agent {
        self.hub(&["add", device]);
        let secret = self.place.path().join(format!("{device}.secret"));
        self.hub(&["connection-string", device, "--out", &secret.display().to_string()]);
        let link = format!("connection_string = \"file:{}\"\ntransport = \"mqtt\"", secret.display());
        self.agent(device, &link, more)
    }

    /// What the data in `table` of the warehouse says for `sql`, once it says anything.
    pub fn wait_for_row(&self, sql: &str, within: Duration) -> Vec<String> {
        let deadline = Instant::now() + within;
        loop {
            let rows = self.rows(sql);
            if !rows.is_empty() {
                return rows;
            }
            assert!(Instant::now() < deadline, "no row: {sql}\n{}", self.owner.said());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        // Only looks: the owner writes.
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let warehouse = self.place.data("local").join("warehouse.db");
        let connection = rusqlite::Connection::open_with_flags(warehouse, flags).expect("opens");
        connection.busy_timeout(Duration::from_secs(2)).expect("set");
        let mut statement = connection.prepare(sql).expect("prepares");
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("reads")
    }
}

/// An agent alone.
pub struct Agent {
    pub place: Place,
    pub readings: PathBuf,
    process: Option<Running>,
}

impl Agent {
    pub fn start(&mut self) {
        self.process = Some(Running::start(self.place.command(&["--env", "roof", "agent", "run"])));
    }

    /// Starts it, and waits until the hub has taken it.
    pub fn connect(&mut self) {
        self.start();
        self.process().wait_for("link: connected by");
    }

    /// Ends it in order.
    pub fn end(&mut self) {
        let mut process = self.process.take().expect("started");
        process.signal(rustix::process::Signal::TERM);
        process.ended();
    }

    pub fn process(&self) -> &Running {
        self.process.as_ref().expect("started")
    }

    /// Another program appends a reading.
    pub fn measure(&self, temperature_c: f64) {
        let mut file = std::fs::File::options().append(true).open(&self.readings).expect("there");
        writeln!(file, "{{\"temperatureC\":{temperature_c}}}").expect("written");
    }

    /// Waits until it has said `words` more often than `times`.
    #[track_caller]
    pub fn says_again(&self, words: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.times(words) <= times {
            assert!(Instant::now() < deadline, "not said again: {words}\n{}", self.process().said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How often it has said `words`.
    pub fn times(&self, words: &str) -> usize {
        self.process().said().matches(words).count()
    }
}
