//! The agent as a service of the system: what it tells systemd, who may ask it, what is installed.
//!
//! No systemd runs here: a socket stands for it, and an image's folder for the machine.

#![cfg(feature = "agent")]
#![allow(clippy::panic, reason = "a test may panic in its helpers as well")]

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Longest wait for what comes at once; a test that waits so long fails.
const LONG: Duration = Duration::from_secs(60);

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("temporary folder"));
        let key = place.path("key");
        std::fs::write(&key, "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5").expect("written");
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("set");
        // Nobody listens there.
        let settings = format!(
            "[source]\nkind = \"none\"\n[link]\nhub = \"hub.invalid\"\ngateway = \"127.0.0.1\"\nport = 1\nkey = \"file:{}\"\n",
            key.display()
        );
        std::fs::write(place.path("roof.toml"), settings).expect("written");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SKYDECK_") {
                command.env_remove(name);
            }
        }
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        command.args(arguments).env("HOME", self.0.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.stdin(Stdio::null());
        command
    }

    /// The agent of `roof`, told where systemd listens.
    fn agent(&self, flags: &[&str], variables: &[(&str, &str)]) -> Running {
        let (config, data) = (self.path("roof.toml"), self.path("d"));
        let mut command = self.command(&["--env", "roof", "agent", "run"]);
        command.args(flags).arg("--config").arg(config).arg("--data-dir").arg(data);
        command.envs(variables.iter().copied()).stdout(Stdio::piped());
        Running(command.spawn().expect("starts"))
    }

    fn status(&self) -> Output {
        let mut command = self.command(&["--env", "roof", "agent", "status", "--json", "--data-dir"]);
        command.arg(self.path("d")).output().expect("runs")
    }
}

struct Running(Child);

impl Running {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What stands for systemd.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("bound");
        socket.set_read_timeout(Some(LONG)).expect("set");
        Self(socket)
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let read = self.0.recv(&mut bytes).expect("the agent says something");
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    /// Waits for a word that begins so; what comes before it.
    fn until(&self, start: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let word = self.next();
            if word.starts_with(start) {
                return before;
            }
            before.push(word);
        }
    }
}

#[test]
fn systemd_hears_that_it_is_ready_how_it_stands_that_it_lives_and_that_it_ends() {
    let place = Place::new();
    let socket = place.path("notify");
    let manager = Manager::new(&socket);
    let mut agent = place.agent(&[], &[("NOTIFY_SOCKET", &socket.display().to_string()), ("WATCHDOG_USEC", "600000")]);
    let before = manager.until("READY=1");
    assert!(before.iter().all(|word| word == "WATCHDOG=1"), "{before:?}");
    // Whoever is told that it is ready can ask it.
    let status = place.status();
    let report: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(report["uplink"]["connected"], false);
    assert!(report.get("service").is_none(), "it isn't the machine's service");
    manager.until("STATUS=link: down: ");
    for _ in 0..3 {
        manager.until("WATCHDOG=1");
    }
    agent.signal("TERM");
    manager.until("STOPPING=1");
    assert!(agent.0.wait().expect("ends").success());
}

#[test]
fn a_watchdog_of_another_process_is_not_fed_and_without_systemd_it_runs_as_well() {
    let place = Place::new();
    let socket = place.path("notify");
    let manager = Manager::new(&socket);
    let named = socket.display().to_string();
    let mut agent = place.agent(&[], &[("NOTIFY_SOCKET", &named), ("WATCHDOG_USEC", "3000"), ("WATCHDOG_PID", "1")]);
    manager.until("READY=1");
    manager.until("STATUS=");
    agent.signal("TERM");
    let before = manager.until("STOPPING=1");
    assert!(before.iter().all(|word| word.starts_with("STATUS=")), "{before:?}");
    assert!(agent.0.wait().expect("ends").success());
    // Nobody listens on that socket any more.
    drop(manager);
    let mut agent = place.agent(&[], &[("NOTIFY_SOCKET", &named)]);
    let mut first = String::new();
    let mut lines = BufReader::new(agent.0.stdout.take().expect("piped"));
    lines.read_line(&mut first).expect("it says that it runs");
    assert!(first.contains("agent roof-01 of roof"), "{first}");
    agent.signal("TERM");
    assert!(agent.0.wait().expect("ends").success());
}

#[test]
fn the_group_may_ask_the_service_and_nobody_else_a_users_own_agent() {
    for (flags, folder, socket) in [(&["--service"][..], 0o750, 0o660), (&[][..], 0o700, 0o600)] {
        let place = Place::new();
        let notify = place.path("notify");
        let manager = Manager::new(&notify);
        let _agent = place.agent(flags, &[("NOTIFY_SOCKET", &notify.display().to_string())]);
        manager.until("READY=1");
        let about = |name: &str| std::fs::metadata(place.path(name)).expect("there");
        let mode = |name: &str| about(name).mode() & 0o7777;
        assert_eq!((mode("d/roof/run"), mode("d/roof/run/agent.sock")), (folder, socket), "{flags:?}");
        assert_eq!(about("d/roof/run/agent.sock").gid(), about("d/roof/run").gid());
        assert_eq!((mode("d/roof/data"), mode("d/roof/state")), (0o700, 0o700), "data and log are nobody else's");
    }
}

/// An image with a user `skydeck` and settings.
fn image() -> tempfile::TempDir {
    let image = tempfile::tempdir().expect("temporary folder");
    for (path, text) in [
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\nskydeck:x:990:991::/var/lib/skydeck:/usr/sbin/nologin\n"),
        ("etc/group", "root:x:0:\nskydeck:x:991:\ni2c:x:40:skydeck\n"),
        ("etc/skydeck/roof.toml", "[link]\nconnection_string = \"file:/etc/skydeck/roof.secret\"\n"),
        ("etc/skydeck/roof.secret", "not a real one"),
        ("usr/local/bin/skydeck", "a program"),
    ] {
        let path = image.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    image
}

/// Every file and link below `folder`, with its mode, and what is in it or where it leads.
fn tree(folder: &Path) -> String {
    let mut lines = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(of) = folders.pop() {
        for entry in std::fs::read_dir(of).expect("a folder") {
            let path = entry.expect("readable").path();
            let about = std::fs::symlink_metadata(&path).expect("there");
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            if about.is_dir() {
                lines.push(format!("{name}/  {:04o}", about.mode() & 0o7777));
                folders.push(path);
            } else if about.is_symlink() {
                lines.push(format!("{name} -> {}", std::fs::read_link(&path).expect("a link").display()));
            } else {
                let text = std::fs::read_to_string(&path).expect("text");
                lines.push(format!(
                    "{name}  {:04o}\n    {}",
                    about.mode() & 0o7777,
                    text.trim().replace('\n', "\n    ")
                ));
            }
        }
    }
    lines.sort();
    lines.join("\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_installed_into_an_image_changes_only_on_purpose() {
    let (place, image) = (Place::new(), image());
    // Folders of the image are as a system has them, whatever this process's umask.
    for folder in ["etc", "etc/skydeck", "usr", "usr/local", "usr/local/bin"] {
        std::fs::set_permissions(image.path().join(folder), Permissions::from_mode(0o755)).expect("set");
    }
    let root = image.path().display().to_string();
    let run = |arguments: &[&str]| place.command(arguments).args(["--root", &root]).output().expect("runs");
    let dry = run(&["--env", "roof", "agent", "install", "--dry-run"]);
    assert!(dry.status.success(), "{}", text(&dry.stderr));
    assert!(!image.path().join("etc/skydeck/agent.env").exists(), "a dry run changes nothing");
    let done = run(&["--env", "roof", "agent", "install"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(text(&dry.stdout), text(&done.stdout), "it says the same and does it");
    for folder in
        ["etc/systemd", "etc/systemd/system", "etc/systemd/system/multi-user.target.wants", "var", "var/lib", "var/log"]
    {
        std::fs::set_permissions(image.path().join(folder), Permissions::from_mode(0o755)).expect("set");
    }
    insta::assert_snapshot!("installed", tree(image.path()));
    let again = run(&["agent", "install"]);
    if is_root() {
        assert_eq!(text(&again.stdout), "nothing to do\n");
    }
    let json = run(&["agent", "uninstall", "--json"]);
    let steps: Vec<serde_json::Value> =
        text(&json.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(steps.iter().any(|step| step["isDone"] == true), "{steps:?}");
    assert!(!image.path().join("etc/skydeck/agent.env").exists());
    let asks = run(&["agent", "uninstall", "--purge"]);
    assert_eq!(asks.status.code(), Some(2));
    assert!(text(&asks.stderr).starts_with("skydeck: agent uninstall: there is no terminal to ask on"));
    assert!(image.path().join("var/lib/skydeck").exists(), "nothing is deleted unasked");
}

/// Only root can give files away.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

#[test]
fn it_is_refused_before_anything_is_changed() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let ended = place.command(arguments).output().expect("runs");
        (ended.status.code(), text(&ended.stderr))
    };
    let (code, words) = run(&["agent", "install", "--root", "/nonexistent/image"]);
    assert_eq!(code, Some(1));
    assert!(words.starts_with("skydeck: /nonexistent/image: "), "{words}");
    let image = image();
    let root = image.path().display().to_string();
    let (code, words) = run(&["agent", "install", "--root", &root]);
    assert_eq!(code, Some(2));
    assert!(words.starts_with("skydeck: agent install: no environment is named"), "{words}");
    let (code, words) = run(&["--env", "roof", "agent", "install", "--root", &root, "--program", "/home/anna/skydeck"]);
    assert_eq!(code, Some(1));
    assert!(words.contains("the service doesn't see what lies there"), "{words}");
    if is_root() && !Path::new("/run/systemd/system").exists() {
        let (code, words) = run(&["--env", "roof", "agent", "install"]);
        assert_eq!(code, Some(1));
        assert!(words.starts_with("skydeck: systemd: it doesn't run this machine"), "{words}");
    }
    if !is_root() {
        let (code, words) = run(&["--env", "roof", "agent", "install"]);
        assert_eq!(code, Some(1));
        assert!(words.starts_with("skydeck: agent install: only root may do that"), "{words}");
    }
}

/// The unit holds for systemd itself, where its checker is installed.
#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let unit = include_str!("../config/systemd/skydeck-agent.service").replace("/usr/bin/skydeck", "/bin/sh");
    let path = folder.path().join("skydeck-agent.service");
    std::fs::write(&path, unit).expect("written");
    let Ok(checked) = Command::new("systemd-analyze").arg("verify").arg(&path).output() else {
        assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "systemd-analyze isn't there");
        println!("skipped: systemd-analyze not installed, run apt-get install systemd");
        return;
    };
    // Newer than some systemd: it says so and goes on.
    let newer = ["RestartSteps", "RestartMaxDelaySec"];
    let said = text(&checked.stderr);
    let faults: Vec<_> = said
        .lines()
        .filter(|line| line.contains("skydeck-agent.service") && !newer.iter().any(|key| line.contains(key)))
        .collect();
    assert_eq!(faults, Vec::<&str>::new());
    let secure =
        Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&path).output();
    let secure = secure.expect("runs");
    assert!(secure.status.success(), "more exposed than 2.0 of 10: {}", text(&secure.stdout));
}

/// A machine's `/etc` with a service of the environment `roof`, and a systemd that knows it; seen by one command only.
struct Machine {
    etc: tempfile::TempDir,
}

impl Machine {
    fn new(file: &str) -> Self {
        let etc = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir_all(etc.path().join("skydeck")).expect("made");
        std::fs::create_dir_all(etc.path().join("bin")).expect("made");
        std::fs::write(etc.path().join("skydeck/agent.env"), file).expect("written");
        for name in ["passwd", "group"] {
            std::fs::copy(Path::new("/etc").join(name), etc.path().join(name)).expect("copied");
        }
        let systemctl = etc.path().join("bin/systemctl");
        let known = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nResult=success\nNRestarts=2\n";
        std::fs::write(&systemctl, format!("#!/bin/sh\ncat << 'END'\n{known}END\n")).expect("written");
        std::fs::set_permissions(&systemctl, Permissions::from_mode(0o755)).expect("set");
        Self { etc }
    }

    /// `command` as it runs there; `None` where this machine has no namespaces of its own to give.
    fn run(&self, place: &Place, arguments: &[&str]) -> Option<Output> {
        let ours: &[&str] = if is_root() { &["--mount"] } else { &["--map-root-user", "--mount"] };
        let can = Command::new("unshare").args(ours).arg("true").output().is_ok_and(|ended| ended.status.success());
        if !can {
            assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "unshare --mount isn't allowed");
            println!("skipped: no mount namespace (unshare --mount)");
            return None;
        }
        let path = format!("/etc/bin:{}", std::env::var("PATH").unwrap_or_default());
        let of_ours = place.command(arguments);
        let mut command = Command::new("unshare");
        command.args(ours).args(["sh", "-c", "mount --bind \"$0\" /etc && exec \"$@\""]).arg(self.etc.path());
        command.arg(of_ours.get_program()).args(of_ours.get_args());
        for (name, value) in of_ours.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Some(command.env("PATH", path).stdin(Stdio::null()).output().expect("runs"))
    }
}

#[test]
fn without_a_name_the_machines_service_is_asked() {
    let place = Place::new();
    let file = |place: &Place| {
        let (data, config) = (place.path("d"), place.path("roof.toml"));
        format!("SKYDECK_ENV=roof\nSKYDECK_DATA_DIR={}\nSKYDECK_CONFIG={}\n", data.display(), config.display())
    };
    let machine = Machine::new(&file(&place));
    let Some(nobody) = machine.run(&place, &["agent", "status"]) else { return };
    assert_eq!(nobody.status.code(), Some(9));
    assert_eq!(
        text(&nobody.stderr),
        "skydeck: agent of roof: nobody runs it (/etc/skydeck/agent.env names the environment roof); its service is active \
         (running), restarted 2 times; start it with `systemctl start skydeck-agent`, look with `journalctl -u \
         skydeck-agent`\n"
    );
    let notify = place.path("notify");
    let manager = Manager::new(&notify);
    let _agent = place.agent(&["--service"], &[("NOTIFY_SOCKET", &notify.display().to_string())]);
    manager.until("READY=1");
    let json = |arguments: &[&str]| -> serde_json::Value {
        let ended = machine.run(&place, arguments).expect("as before");
        serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&ended.stderr)))
    };
    let status = json(&["agent", "status", "--json"]);
    assert_eq!((&status["deviceId"], &status["service"]["restarts"]), (&"roof-01".into(), &2.into()));
    #[cfg(feature = "diag")]
    assert_eq!(json(&["diag", "--once", "--json"])["agent"]["deviceId"], "roof-01");
    // Whoever names an environment gets that one.
    let other = machine.run(&place, &["agent", "status", "--env", "field"]).expect("as before");
    assert!(
        text(&other.stderr).starts_with("skydeck: agent of field: nobody runs it; start it"),
        "{}",
        text(&other.stderr)
    );
}

#[test]
fn a_service_file_that_says_nothing_is_named() {
    let place = Place::new();
    for (file, words) in [
        ("SKYDECK_ENV=Roof\n", "skydeck: /etc/skydeck/agent.env:1: environment \"Roof\": a name has"),
        ("# nothing\n", "skydeck: /etc/skydeck/agent.env: names no environment; write SKYDECK_ENV=NAME"),
    ] {
        let Some(ended) = Machine::new(file).run(&place, &["agent", "status"]) else { return };
        assert_eq!(ended.status.code(), Some(1));
        assert!(text(&ended.stderr).starts_with(words), "{}", text(&ended.stderr));
    }
}
