//! A home, settings and data of a test's own, and the binary run in it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Folders of a test's own; deleted with it.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// An empty one.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("temporary folder") }
    }

    /// Its folder, which is HOME and the folder commands are run in.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What `--data-dir` names.
    pub fn root(&self) -> PathBuf {
        self.path().join("d")
    }

    /// The data folder of an environment.
    pub fn data(&self, environment: &str) -> PathBuf {
        self.root().join(environment).join("data")
    }

    /// The settings folder.
    pub fn settings(&self) -> PathBuf {
        self.path().join("config/skydeck")
    }

    /// Writes a file into the settings folder.
    pub fn write_settings(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.settings()).expect("made");
        std::fs::write(self.settings().join(name), text).expect("written");
    }

    /// The variables that keep the user's own settings out.
    pub fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("HOME", self.path().to_owned()),
            ("XDG_CONFIG_HOME", self.path().join("config")),
            ("XDG_DATA_HOME", self.path().join("share")),
            ("XDG_STATE_HOME", self.path().join("state")),
            ("SKYDECK_DATA_DIR", self.root()),
            ("PATH", std::env::var_os("PATH").unwrap_or_default().into()),
        ]
    }

    /// The binary with `arguments`, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_skydeck"), arguments)
    }

    /// Any program, in this place.
    pub fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.variables()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().expect("the binary runs"))
    }

    /// The JSON a viewer's command writes.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let ran = self.run(arguments);
        serde_json::from_str(&ran.out()).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out(), ran.err()))
    }

    /// Asks again and again until the JSON of a command is as it should be.
    pub fn wait_for_json(
        &self,
        arguments: &[&str],
        what: &str,
        is_so: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.json(arguments);
            if is_so(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "not seen: {what}\n{found:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A command that has ended.
pub struct Ran(pub Output);

impl Ran {
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or_else(|| panic!("killed: {:?}\n{}", self.0.status, self.err()))
    }

    pub fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// It ended with `code` and one line that says all of `words`, in that order.
    #[track_caller]
    pub fn fails_with(&self, code: i32, words: &[&str]) {
        let said = self.err();
        assert_eq!((self.code(), self.out().as_str()), (code, ""), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("skydeck: "), "{said}");
        let mut rest = said.as_str();
        for word in words {
            let Some(at) = rest.find(word) else { panic!("{word:?} isn't said (in that place): {said}") };
            rest = &rest[at + word.len()..];
        }
    }
}

/// A process that runs on; killed when dropped.
pub struct Running {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Starts `command` and reads what it writes to standard output, line by line.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, out) = (Arc::clone(&said), child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lines.lock().expect("no panic").push(line);
            }
        });
        Self { child, said }
    }

    /// `skydeck run ENV` in `place`, once it says that its hub listens.
    pub fn owner(place: &Place, arguments: &[&str]) -> Self {
        let owner = Self::start(place.command(arguments));
        owner.wait_for("hub");
        owner
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("no panic").join("\n")
    }

    /// Waits until it has written `words`.
    #[track_caller]
    pub fn wait_for(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.said().contains(words) {
            assert!(Instant::now() < deadline, "not said: {words}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end: the exit code, and what it wrote to standard error.
    #[track_caller]
    pub fn ended(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("can be waited for") {
                break status;
            }
            assert!(Instant::now() < deadline, "doesn't end\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut words = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut words).expect("UTF-8");
        }
        (status.code(), words)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process of the test's own.
pub fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("the process is there");
}
