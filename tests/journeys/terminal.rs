//! The real console in a pseudo-terminal: keys in, a screen out, every byte kept; and what the terminal answers when it
//! is asked what it can.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtyPair, PtySize, SlavePty, native_pty_system};
use rustix::process::Signal;
use vt100::MouseProtocolMode;

use crate::place::{PATIENCE, Place, send};

/// What the terminal shows and has been sent.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    /// How many of the bytes are on the screen.
    shown: usize,
    at_end: bool,
}

impl Seen {
    /// Takes what came, none of it at the end of the output. A frame is shown when it is whole, as terminals with
    /// synchronized updates do: half a frame is neither what was nor what is.
    fn take(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
        self.at_end |= more.is_empty();
        let ended = last(&self.bytes[self.shown..], "\x1b[?2026l");
        let whole = match last(&self.bytes[self.shown..], "\x1b[?2026h") {
            Some(begun) if !self.at_end && ended < Some(begun) => self.shown + begun,
            _ => self.bytes.len(),
        };
        self.parser.process(&self.bytes[self.shown..whole]);
        self.shown = whole;
    }
}

/// Where the last of some bytes begin.
fn last(bytes: &[u8], wanted: &str) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|window| window == wanted.as_bytes())
}

/// What a terminal answers when it is asked what it can show pictures by.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Graphics {
    /// That it has no graphics.
    #[default]
    No,
    /// That it has kitty's.
    Kitty,
    /// That it has sixels.
    Sixel,
    /// The size of its cells only; what else it has is told by the environment.
    Cells,
    /// Nothing at all, not even that it is well.
    Silent,
}

/// Width and height of a cell, pixels, as the terminal answers it.
pub const CELL: (u32, u32) = (8, 16);

/// Answers questions in what is sent to a terminal.
struct Answerer {
    graphics: Graphics,
    /// The end of what was looked at: a question may come in two parts.
    rest: Vec<u8>,
}

impl Answerer {
    fn answers(&mut self, more: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(more);
        let (width, height) = CELL;
        let kitty = |number: u8| match self.graphics {
            Graphics::Kitty => format!("\x1b_Gi={number};OK\x1b\\"),
            _ => String::new(),
        };
        let attributes = if self.graphics == Graphics::Sixel { "\x1b[?62;4;22c" } else { "\x1b[?62;22c" };
        let size = if self.graphics == Graphics::No { String::new() } else { format!("\x1b[6;{height};{width}t") };
        let known = [
            (&b"\x1b_Gi=31"[..], kitty(31)),
            (b"\x1b_Gi=32", kitty(32)),
            (b"\x1b[c", attributes.to_owned()),
            (b"\x1b[16t", size),
            (b"\x1b[5n", "\x1b[0n".to_owned()),
        ];
        let mut answers = Vec::new();
        loop {
            let found = known.iter().filter_map(|(question, answer)| {
                let at = self.rest.windows(question.len()).position(|window| window == *question)?;
                Some((at + question.len(), answer))
            });
            let Some((end, answer)) = found.min_by_key(|(end, _)| *end) else { break };
            answers.extend_from_slice(answer.as_bytes());
            self.rest.drain(..end);
        }
        let kept = self.rest.len().min(16);
        self.rest.drain(..self.rest.len() - kept);
        if self.graphics == Graphics::Silent { Vec::new() } else { answers }
    }
}

type Writer = Arc<Mutex<Box<dyn std::io::Write + Send>>>;

/// A terminal with skydeck in it; what runs in it is killed when it is dropped.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    /// Held so that the terminal outlives the process and its modes can be looked at.
    slave: Option<Box<dyn SlavePty + Send>>,
    writer: Writer,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    /// The terminal's modes before anything ran in it, as `stty` would tell them.
    modes: String,
}

impl Terminal {
    /// Starts `skydeck ARGUMENTS` in `place`, on a terminal of that many columns and rows.
    pub fn start(place: &Place, arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start_with(place, arguments, size, &[])
    }

    /// The same, with more variables.
    pub fn start_with(place: &Place, arguments: &[&str], size: (u16, u16), variables: &[(&str, &str)]) -> Self {
        Self::program(place, env!("CARGO_BIN_EXE_skydeck"), arguments, size, variables)
    }

    /// The same, on a terminal that has some graphics.
    pub fn with_graphics(
        place: &Place,
        arguments: &[&str],
        size: (u16, u16),
        variables: &[(&str, &str)],
        graphics: Graphics,
    ) -> Self {
        Self::any(place, (env!("CARGO_BIN_EXE_skydeck"), arguments), size, variables, graphics)
    }

    /// Starts any program.
    pub fn program(
        place: &Place,
        program: &str,
        arguments: &[&str],
        size: (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        Self::any(place, (program, arguments), size, variables, Graphics::No)
    }

    /// Starts any program on any terminal.
    pub fn any(
        place: &Place,
        (program, arguments): (&str, &[&str]),
        size: (u16, u16),
        variables: &[(&str, &str)],
        graphics: Graphics,
    ) -> Self {
        let PtyPair { master, slave } = native_pty_system().openpty(pty_size(size)).expect("a pseudo-terminal");
        let modes = modes(master.as_ref());
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        for (name, value) in place.variables() {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(place.path());
        let child = slave.spawn_command(command).expect("the binary starts");
        let mut reader = master.try_clone_reader().expect("a reader");
        let writer: Writer = Arc::new(Mutex::new(master.take_writer().expect("a writer")));
        let (mut answerer, answered) = (Answerer { graphics, rest: Vec::new() }, Arc::clone(&writer));
        let parser = vt100::Parser::new(cells(size.1), cells(size.0), 0);
        let seen = Arc::new((Mutex::new(Seen { parser, bytes: Vec::new(), shown: 0, at_end: false }), Condvar::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            loop {
                // On Linux a terminal that nobody holds any more ends with an error.
                let read = reader.read(&mut buffer).unwrap_or(0);
                let answers = answerer.answers(&buffer[..read]);
                // Whoever asked may have ended.
                drop(answered.lock().expect("no panic").write_all(&answers));
                let (seen, news) = &*shared;
                seen.lock().expect("no panic").take(&buffer[..read]);
                news.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { master, slave: Some(slave), writer, child, seen, modes }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().expect("no panic")
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Every byte that was sent to the terminal.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen().bytes.clone()
    }

    /// Waits until the bytes that were sent are as they should be, and answers with them.
    #[track_caller]
    pub fn wait_for_bytes(&self, what: &str, is_so: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let bytes = self.bytes();
            if is_so(&bytes) {
                return bytes;
            }
            assert!(Instant::now() < deadline, "not sent: {what}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The colours of the cell in that column and row.
    pub fn colours(&self, column: u16, row: u16) -> (vt100::Color, vt100::Color) {
        let seen = self.seen();
        let cell = seen.parser.screen().cell(row, column).expect("on the screen");
        (cell.fgcolor(), cell.bgcolor())
    }

    /// Row and column of the cursor, from 0.
    pub fn cursor(&self) -> (u16, u16) {
        self.seen().parser.screen().cursor_position()
    }

    /// Types keys.
    pub fn keys(&mut self, keys: &str) {
        let mut writer = self.writer.lock().expect("no panic");
        writer.write_all(keys.as_bytes()).expect("the terminal takes keys");
        writer.flush().expect("the terminal takes keys");
    }

    /// Types keys and waits for what they bring.
    #[track_caller]
    pub fn press(&mut self, keys: &str, words: &str) -> String {
        self.keys(keys);
        self.wait_for(words)
    }

    /// Waits until `words` are on the screen, which is answered.
    #[track_caller]
    pub fn wait_for(&self, words: &str) -> String {
        self.wait_until(words, |text| text.contains(words))
    }

    /// Waits until `words` have left the screen.
    #[track_caller]
    pub fn wait_without(&self, words: &str) -> String {
        self.wait_until(&format!("a screen without {words}"), |text| !text.contains(words))
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen();
        loop {
            let text = seen.parser.screen().contents();
            if is_so(&text) {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.at_end {
                // Others lock it after a failure, too.
                let why = if seen.at_end { "the output has ended" } else { "in time" };
                drop(seen);
                panic!("not seen ({why}): {what}\n{text}");
            }
            seen = self.seen.1.wait_timeout(seen, left).expect("no panic").0;
        }
    }

    /// Gives the terminal another size.
    pub fn resize(&self, size: (u16, u16)) {
        self.seen().parser.screen_mut().set_size(cells(size.1), cells(size.0));
        self.master.resize(pty_size(size)).expect("resized");
    }

    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for the end of what runs in it: its exit code. A signal's is 128 and more.
    #[track_caller]
    pub fn ended(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("can be waited for") {
                break status;
            }
            assert!(Instant::now() < deadline, "doesn't end\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        };
        if let Some(name) = status.signal() {
            panic!("ended by the signal {name}\n{}", self.text());
        }
        status.exit_code()
    }

    /// The terminal is as it was before: modes, alternate screen, cursor, mouse, paste. To be called after the end;
    /// answers what stands on the screen then.
    #[track_caller]
    pub fn is_restored(&mut self) -> String {
        assert_eq!(modes(self.master.as_ref()), self.modes, "raw mode is off");
        // Without the last holder the reader comes to the end of what was written.
        self.slave = None;
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen();
        while !seen.at_end {
            assert!(Instant::now() < deadline, "the terminal's output doesn't end");
            seen = self.seen.1.wait_timeout(seen, Duration::from_millis(100)).expect("no panic").0;
        }
        let screen = seen.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None, "the mouse is off");
        assert!(!screen.bracketed_paste(), "pasting is as it was");
        for (on, off) in
            [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?2026h", "\x1b[?2026l"), ("\x1b[?1006h", "\x1b[?1006l")]
        {
            let (on, off) = (last(&seen.bytes, on), last(&seen.bytes, off));
            assert!(on.is_none() || on < off, "a mode was left on");
        }
        screen.contents()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(side: u16) -> NonZero<u16> {
    NonZero::new(side).expect("a terminal has cells")
}

fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("a terminal has modes"))
}
