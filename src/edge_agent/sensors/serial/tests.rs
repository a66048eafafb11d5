//! On real pseudo-terminals: the board is the master's side, the sensor opens the slave's.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::super::board::Changes;
use super::super::tend::tend;
use super::*;
use crate::edge_agent::report::SensorState;
use crate::settings::sensors::model::SensorSettings;
use crate::station::Variable;

/// A board, plugged in at `port`.
struct Board {
    master: std::fs::File,
}

impl Board {
    /// Plugs a board in: its terminal is what `port` links to.
    fn plug_in(port: &Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let slave = ptsname(&master, Vec::new()).expect("a name");
        let _ = std::fs::remove_file(port);
        symlink(slave.to_str().expect("a path"), port).expect("linked");
        Self { master: master.into() }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        std::io::Write::write_all(&mut self.master, bytes)
    }

    fn say(&mut self, text: &str) {
        self.write(text.as_bytes()).expect("written");
    }
}

struct Place {
    port: PathBuf,
    settings: SensorSettings,
    desk: Arc<Desk>,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new(silent_s: u32) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let port = folder.path().join("ttyACM0");
        let text = format!(
            "rank = 1\nretry_s = 1\nkind = \"serial\"\ndevice = '{}'\nbaud = 57600\nsilent_s = {silent_s}\nformat = \"csv\"\n\
             rain_is = \"amount\"\ntemperature = \"1\"\nrain = \"2\"",
            port.display()
        );
        let settings: SensorSettings = toml::from_str(&text).expect("settings");
        let changes: Changes = Arc::new(tokio::sync::watch::Sender::new(None));
        let desk = Arc::new(Desk::new("board", &settings, &changes));
        Self { port, settings, desk, _folder: folder }
    }

    fn read(&self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(tend(self.settings.clone(), Arc::clone(&self.desk), self.port.clone()))
    }

    async fn until(&self, what: &str, holds: impl Fn(&Desk) -> bool) {
        let holding = async {
            while !holds(&self.desk) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), holding).await.is_err() {
            panic!("never {what}: {:?}", self.desk.report());
        }
    }

    /// The sensor has the device open once what it sends shows nowhere.
    async fn opened(&self, board: &mut Board) {
        let before = self.desk.report().reads;
        for _ in 0..200 {
            board.say("x\n20,0\n");
            tokio::time::sleep(Duration::from_millis(20)).await;
            if self.desk.report().reads > before {
                return;
            }
        }
        panic!("never opened: {:?}", self.desk.report());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_is_read_unplugged_in_mid_line_and_comes_back_by_itself() {
    let place = Place::new(60);
    let reading = place.read();
    place.until("absent", |desk| desk.report().state == SensorState::Absent).await;
    let error = place.desk.report().last_error.expect("words");
    assert!(
        error.starts_with("sensors.board: ") && error.contains("ttyACM0: isn't there; is the board plugged in?"),
        "{error}"
    );

    let mut board = Board::plug_in(&place.port);
    place.opened(&mut board).await;
    assert_eq!(place.desk.report().state, SensorState::Read);
    place.desk.take();
    let before = place.desk.report().reads;
    board.say("21.5,0.2\r\n21.");
    place.until("read", |desk| desk.report().reads > before).await;
    board.say("7,0.4\n2");
    place.until("read on", |desk| desk.report().reads > before + 1).await;
    let taken = place.desk.take();
    assert_eq!((taken.values[0].0, taken.values[0].1), (Variable::Temperature, 21.7));
    assert!((taken.values[1].1 - 0.6).abs() < 1e-9, "the rain of both lines");

    drop(board);
    place.until("unplugged", |desk| desk.report().state == SensorState::Absent).await;
    let taken = place.desk.take();
    assert_eq!(taken.values, [], "the half line is no value");
    assert_eq!(taken.aside[0].raw, "2");
    assert!(taken.aside[0].reason.ends_with("a line that was begun when it ended"), "{}", taken.aside[0].reason);

    let mut again = Board::plug_in(&place.port);
    place.opened(&mut again).await;
    assert_eq!(place.desk.report().state, SensorState::Read);
    reading.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_board_is_told_and_garbage_does_not_keep_it_alive() {
    let place = Place::new(1);
    let mut board = Board::plug_in(&place.port);
    let reading = place.read();
    place.opened(&mut board).await;
    let chatter = std::thread::spawn(move || {
        for _ in 0..60 {
            if board.write(b"\x00\xff}{,,\n").is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        board
    });
    place
        .until("silent", |desk| desk.report().last_error.is_some_and(|words| words.contains("no value for 1 s")))
        .await;
    assert!(!place.desk.take().aside.is_empty());
    reading.abort();
    drop(chatter.join());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_held_back_and_said() {
    let place = Place::new(60);
    let mut board = Board::plug_in(&place.port);
    let reading = place.read();
    place.opened(&mut board).await;
    let flood = std::thread::spawn(move || {
        let lines = ["y".repeat(20_000), "\n21.5,0\n".to_owned()].concat();
        for _ in 0..100 {
            if board.write(lines.as_bytes()).is_err() {
                break;
            }
        }
        board
    });
    place.until("flooded", |desk| desk.report().last_error.is_some_and(|words| words.contains("floods"))).await;
    assert_eq!(place.desk.report().state, SensorState::Read, "it goes on");
    place.until("read on", |desk| desk.take().values.iter().any(|(_, value, _)| *value == 21.5)).await;
    reading.abort();
    // Nobody reads any more, and a full line would block the writer for good: it isn't waited for.
    drop(flood);
}

#[test]
fn what_is_no_terminal_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    assert_eq!(open(file.path(), 9600).expect_err("no terminal"), Errno::NOTTY);
    assert_eq!(words(Errno::NOTTY), "is no serial device; check device");
}
