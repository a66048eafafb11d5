//! A device's technician: the full screen, text and JSON, a bundle for support; and the same from afar, over SSH.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;

use crate::place::{PATIENCE, Place, Running};
use crate::skipping::skip;
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

/// A demo with its owner.
fn demo() -> (Place, Running) {
    let place = Place::new();
    let mut command = place.command(&["run", "demo"]);
    command.env(ONE_DAY.0, ONE_DAY.1);
    let owner = Running::start(command);
    owner.wait_for("hub");
    (place, owner)
}

#[test]
fn the_screen_shows_the_device_tries_its_link_and_writes_a_bundle() {
    let (place, _owner) = demo();
    let mut terminal = Terminal::start(&place, &["diag"], (80, 24));
    terminal.wait_for("skydeck diag  roof-01");
    terminal.wait_for("nothing is the matter");
    terminal.press("3", "anomaly-persistence-1");
    terminal.press("4", "not tried yet");
    terminal.press("t", "it is open");
    let text = terminal.wait_for("a health message was acknowledged");
    for step in ["DNS", "TCP", "TLS", "clock", "credential", "sign-in", "publish"] {
        assert!(text.contains(step), "{step}: {text}");
    }
    terminal.press("w", "; read it before you send");
    terminal.press("?", "draw everything anew");
    terminal.keys("x");
    terminal.wait_without("draw everything anew");
    // Any size is drawn whole.
    terminal.resize((250, 80));
    let panes = ["Findings", "Device", "Agent", "Link", "Camera", "Log"];
    terminal.wait_until("every pane", |text| panes.iter().all(|pane| text.contains(&format!("┌ {pane} "))));
    terminal.keys("q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
    let bundles: Vec<_> = std::fs::read_dir(place.path())
        .expect("readable")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("skydeck-diag-roof-01-") && name.ends_with(".tar.gz"))
        .collect();
    assert_eq!(bundles.len(), 1, "{bundles:?}");
}

#[test]
fn without_a_terminal_it_is_text_json_and_lines_and_a_bundle_holds_no_secret() {
    let (place, owner) = demo();
    let once = place.run(&["diag", "--once", "--test-link"]);
    let text = once.out();
    assert_eq!(once.code(), 0, "{text}{}", once.err());
    for words in ["Findings", "nothing is the matter", "Agent", "Link", "publish"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains('\u{1b}'));
    let diagnosis = place.json(&["diag", "--json"]);
    assert_eq!((&diagnosis["agent"]["deviceId"], &diagnosis["environment"]), (&"roof-01".into(), &"demo".into()));
    assert_eq!(diagnosis["linkTest"]["steps"].as_array().map(Vec::len), Some(7), "the test is remembered");

    let mut watching = Running::start(place.command(&["diag", "--json", "--watch", "1"]));
    let deadline = Instant::now() + PATIENCE;
    while watching.said().lines().count() < 2 {
        assert!(Instant::now() < deadline, "{}", watching.said());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for line in watching.said().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line is a document");
        assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    }
    watching.signal(Signal::INT);
    assert_eq!(watching.ended().0, Some(130));

    let bundle = place.run(&["diag", "bundle", "--out", "b.tar.gz"]);
    assert_eq!(bundle.code(), 0, "{}", bundle.err());
    let file = place.path().join("b.tar.gz");
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let mut whole = String::new();
    let opened = flate2::read::GzDecoder::new(std::fs::File::open(&file).expect("opens"));
    std::io::BufReader::new(opened).read_to_string(&mut whole).expect("text");
    assert!(whole.contains("\"deviceId\": \"roof-01\"") && whole.contains("[station]"), "{whole}");
    let secret = place.path().join("secret");
    let got = place.run(&["hub", "connection-string", "roof-01", "--out", &secret.display().to_string()]);
    assert_eq!(got.code(), 0, "{}", got.err());
    let secret = std::fs::read_to_string(secret).expect("there");
    let key = secret.trim().rsplit_once("SharedAccessKey=").expect("a key").1;
    assert!(!whole.contains(key), "the device's key is in the bundle");
    place.run(&["diag", "bundle", "--out", "b.tar.gz"]).fails_with(1, &["bundle b.tar.gz", "--out"]);
    drop(owner);
    let alone = place.run(&["diag", "--once"]);
    assert_eq!(alone.code(), 7);
    assert!(alone.out().contains("agent: nobody runs it"), "{}", alone.out());
}

#[test]
fn without_an_agent_the_way_to_the_hub_is_tried_and_shown() {
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let key = place.path().join("key");
    std::fs::write(&key, "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5").expect("written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("set");
    let link =
        format!("[link]\nhub = \"127.0.0.1\"\ntransport = \"mqtt\"\nport = {port}\nkey = \"file:{}\"\n", key.display());
    std::fs::write(place.path().join("good.toml"), link).expect("written");
    let diag = ["--env", "roof", "--config", "good.toml", "diag"];
    let tried = place.run(&[&diag[..], &["--once", "--test-link"]].concat());
    assert_eq!(tried.code(), 7);
    let text = tried.out();
    for words in [
        "agent: nobody runs it",
        "→ start it: skydeck --env roof --config good.toml agent run",
        "link test, TCP: hub 127.0.0.1 at 127.0.0.1",
        "\nLink\n",
        "publish",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let mut terminal = Terminal::start(&place, &diag, (80, 24));
    terminal.wait_for("nobody runs it");
    terminal.press("4", "not tried yet");
    terminal.press("t", "TCP failed");
    let text = terminal.wait_for("no agent runs that has something to send");
    assert!(text.contains("nothing listens") && !text.contains("not tried yet"), "{text}");
    terminal.keys("q");
    assert_eq!(terminal.ended(), 0);
}

/// An SSH server on loopback with keys of its own; killed when it is dropped.
struct Sshd {
    child: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn keygen(file: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).output();
    assert!(made.expect("ssh-keygen runs").status.success());
}

/// Starts one that lets `user`'s key in, with a `skydeck` of this build on its PATH, in `there`.
fn sshd(folder: &Path, there: &Place, program: &Path) -> Option<Sshd> {
    let path = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists())?;
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    keygen(&folder.join("host"));
    keygen(&folder.join("user"));
    std::fs::copy(folder.join("user.pub"), folder.join("authorized")).expect("copied");
    let bin = program.parent().expect("a folder").display();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {host}\nPidFile none\nAuthorizedKeysFile {authorized}\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n\
         SetEnv PATH={bin}:/usr/bin:/bin SKYDECK_DATA_DIR={data} XDG_CONFIG_HOME={settings}\n",
        host = folder.join("host").display(),
        authorized = folder.join("authorized").display(),
        data = there.root().display(),
        settings = there.path().join("config").display(),
    );
    std::fs::write(folder.join("sshd_config"), config).expect("written");
    // Root's server needs a folder that only a package's installation or the system's start makes.
    drop(std::fs::create_dir_all("/run/sshd"));
    let child = Command::new(path)
        .args(["-D", "-e", "-f"])
        .arg(folder.join("sshd_config"))
        .stderr(Stdio::null())
        .spawn()
        .expect("sshd starts");
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "sshd doesn't listen");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Some(Sshd { child, port })
}

/// An SSH configuration by which `roof-01` is the server, with the host key `known`.
fn ssh_config(place: &Place, folder: &Path, server: &Sshd, known: &Path) {
    let known = std::fs::read_to_string(known).expect("a public key");
    std::fs::write(folder.join("known"), format!("[127.0.0.1]:{} {known}", server.port)).expect("written");
    let config = format!(
        "Host roof-01\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
         GlobalKnownHostsFile /dev/null\n",
        server.port,
        folder.join("user").display(),
        folder.join("known").display(),
    );
    std::fs::write(folder.join("ssh_config"), config).expect("written");
    place.write_settings("demo.toml", &format!("[console]\nssh_config = {:?}\n", folder.join("ssh_config")));
}

#[test]
fn from_the_console_a_device_is_seen_over_ssh_as_it_sees_itself() {
    let (place, there) = (Place::new(), Place::new());
    let folder = tempfile::tempdir().expect("temporary folder");
    let program = Path::new(env!("CARGO_BIN_EXE_skydeck"));
    let Some(server) = sshd(folder.path(), &there, program) else {
        return skip("sshd not installed, run apt-get install openssh-server");
    };
    ssh_config(&place, folder.path(), &server, &folder.path().join("host.pub"));
    let mut terminal = Terminal::start_with(&place, &[], (100, 30), &[ONE_DAY]);
    terminal.wait_for("▸1 Overview");
    terminal.press("7", "connected by mqtt");
    terminal.press("s", "A device over SSH");
    terminal.press("\r", "over SSH · esc closes");
    // Nobody runs an agent there, and that is what is seen first.
    terminal.wait_for("agent: nobody runs it");
    let mut command = there.command(&["run", "demo"]);
    command.env(ONE_DAY.0, ONE_DAY.1);
    let mut owner = Running::start(command);
    owner.wait_for("hub");
    terminal.wait_for("nothing is the matter");
    owner.signal(Signal::TERM);
    owner.ended();
    terminal.wait_for("agent: nobody runs it");
    terminal.keys("\x1b");
    terminal.wait_without("esc closes");

    // A host with another key than the known one is told nothing.
    ssh_config(&place, folder.path(), &server, &folder.path().join("user.pub"));
    terminal.press("s", "A device over SSH");
    terminal.press("\r", "its host key is");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
}
