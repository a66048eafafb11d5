//! Asking the terminal what it can show pictures by.
//!
//! The question goes out before the first frame, and the answers come in among what is typed: whatever is none of them is
//! typed, and is acted on afterwards. A terminal that doesn't answer is waited for two seconds at most, while the first
//! frame is shown; what it says later than that is heard by [`Late`](super::late::Late).

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::console::pictures::Abilities;

/// How long a terminal is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long, after tmux has answered for itself, the terminal around it is waited for.
const AROUND: Duration = Duration::from_secs(1);
/// Bytes that an answer has at most: what is longer is none.
const LONGEST: usize = 256;

/// Kitty's graphics: one pixel, and the same deflated. Nothing is kept of either.
const KITTY: &str =
    "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b_Gi=32,s=1,v=1,a=q,t=d,f=24,o=z;eJxjYGAAAAADAAE=\x1b\\";
/// Attributes (sixels among them), a cell's size in pixels, and the status: every terminal answers the last.
const REST: &str = "\x1b[c\x1b[16t\x1b[5n";

/// The question; inside tmux once for itself, and once, passed through, for the terminal around it.
pub(super) fn question(tmux: bool) -> String {
    if !tmux {
        // A terminal that doesn't know the first writes it on the screen; the frame comes over it.
        return format!("\x1b[H{KITTY}{REST}\x1b[H\x1b[2J");
    }
    format!("{}{REST}", question_around())
}

/// The question that tmux passes through to the terminal around it.
pub(super) fn question_around() -> String {
    let passed = format!("{KITTY}\x1b[16t\x1b[5n").replace('\x1b', "\x1b\x1b");
    format!("\x1bPtmux;{passed}\x1b\\")
}

impl Abilities {
    /// Takes what kitty's graphics answer, less its frame: `i=31;OK`, or why not.
    pub(super) fn hear_kitty(&mut self, answer: &str) {
        let is = |number: &str| answer.starts_with(&format!("i={number};OK"));
        self.kitty |= is("31");
        self.deflate |= is("32");
    }
}

/// What was told, and what was typed meanwhile.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub told: Abilities,
    pub typed: Vec<Event>,
    /// Whether everybody asked has answered: nothing comes late.
    pub complete: bool,
}

/// Reads the answers from the terminal. It blocks, for [`PATIENCE`] at most.
pub(super) fn listen(terminal: BorrowedFd<'_>, tmux: bool) -> Heard {
    let started = Instant::now();
    let mut until = started + PATIENCE;
    let mut listener = Listener::default();
    let expected = if tmux { 2 } else { 1 };
    while listener.statuses < expected {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || !has_come(terminal, left) {
            break;
        }
        let mut buffer = [0; 1024];
        match rustix::io::read(terminal, &mut buffer) {
            Ok(read @ 1..) => buffer[..read].iter().for_each(|byte| listener.hear(*byte)),
            Err(rustix::io::Errno::INTR) => {}
            _ => break,
        }
        if tmux && listener.statuses == 1 {
            until = until.min(Instant::now() + AROUND);
        }
    }
    let complete = listener.statuses >= expected;
    let (told, typed) = listener.end();
    Heard { told, typed: keys(&typed), complete }
}

fn has_come(terminal: BorrowedFd<'_>, within: Duration) -> bool {
    let seconds = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
    let within = Timespec { tv_sec: seconds, tv_nsec: within.subsec_nanos().into() };
    let mut wanted = [PollFd::from_borrowed_fd(terminal, PollFlags::IN)];
    loop {
        match poll(&mut wanted, Some(&within)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(come) => return come > 0,
            Err(_) => return false,
        }
    }
}

/// Tells answers from keys, a byte at a time.
#[derive(Debug, Default)]
struct Listener {
    told: Abilities,
    typed: Vec<u8>,
    /// A sequence that has begun.
    open: Vec<u8>,
    statuses: u32,
}

impl Listener {
    fn hear(&mut self, byte: u8) {
        if self.open.is_empty() && byte != 0x1b {
            self.typed.push(byte);
            return;
        }
        self.open.push(byte);
        let is_over = match self.open.get(1) {
            None => false,
            Some(b'_') => self.open.ends_with(b"\x1b\\") && self.open.len() > 3,
            Some(b'[') => self.open.len() > 2 && (0x40..=0x7e).contains(&byte),
            // The escape key, and a key after it.
            Some(0x1b) => {
                self.typed.push(0x1b);
                self.open.truncate(1);
                false
            }
            Some(_) => true,
        };
        if is_over || self.open.len() > LONGEST {
            let sequence = std::mem::take(&mut self.open);
            if !self.answer(&sequence) {
                self.typed.extend(sequence);
            }
        }
    }

    /// Whether it is an answer.
    fn answer(&mut self, sequence: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(sequence) else { return false };
        if let Some(kitty) = text.strip_prefix("\x1b_G") {
            self.told.hear_kitty(kitty);
            return true;
        }
        let Some(rest) = text.strip_prefix("\x1b[") else { return false };
        let numbers = |text: &str| text.split(';').map(|part| part.parse::<u16>().ok()).collect::<Vec<_>>();
        match rest.split_at_checked(rest.len().saturating_sub(1)) {
            Some(("0", "n")) => self.statuses += 1,
            Some((attributes, "c")) if attributes.starts_with('?') => {
                self.told.sixel |= attributes[1..].split(';').skip(1).any(|attribute| attribute == "4");
            }
            Some((size, "t")) => match numbers(size)[..] {
                [Some(6), Some(height), Some(width)] => self.told.cell = Some((width, height)),
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    /// What was told and typed. Half a sequence that nothing followed was typed.
    fn end(mut self) -> (Abilities, Vec<u8>) {
        self.typed.append(&mut self.open);
        (self.told, self.typed)
    }
}

/// The keys that bytes stand for: what can be typed before the first frame is acted on.
fn keys(mut bytes: &[u8]) -> Vec<Event> {
    let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
    let mut keys = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        let (event, after) = match first {
            0x1b => match escaped(rest) {
                Some((code, modifiers, length)) => (Some(key(code, modifiers)), &rest[length..]),
                None => (None, &rest[sequence_length(rest)..]),
            },
            b'\r' | b'\n' => (Some(key(KeyCode::Enter, KeyModifiers::NONE)), rest),
            b'\t' => (Some(key(KeyCode::Tab, KeyModifiers::NONE)), rest),
            0x7f => (Some(key(KeyCode::Backspace, KeyModifiers::NONE)), rest),
            control @ 1..=26 => (Some(key(KeyCode::Char(char::from(control - 1 + b'a')), KeyModifiers::CONTROL)), rest),
            _ => {
                let length = (1..=4.min(bytes.len())).find(|n| std::str::from_utf8(&bytes[..*n]).is_ok()).unwrap_or(1);
                let typed = std::str::from_utf8(&bytes[..length]).ok().and_then(|text| text.chars().next());
                let shift =
                    if typed.is_some_and(char::is_uppercase) { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
                (typed.filter(|c| !c.is_control()).map(|c| key(KeyCode::Char(c), shift)), &bytes[length..])
            }
        };
        keys.extend(event);
        bytes = after;
    }
    keys
}

/// The key that an escape and what follows it stand for, and how many of the following bytes belong to it.
fn escaped(rest: &[u8]) -> Option<(KeyCode, KeyModifiers, usize)> {
    let plain = |code, length| Some((code, KeyModifiers::NONE, length));
    match rest {
        [] | [0x1b, ..] => plain(KeyCode::Esc, 0),
        [b'[' | b'O', b'A', ..] => plain(KeyCode::Up, 2),
        [b'[' | b'O', b'B', ..] => plain(KeyCode::Down, 2),
        [b'[' | b'O', b'C', ..] => plain(KeyCode::Right, 2),
        [b'[' | b'O', b'D', ..] => plain(KeyCode::Left, 2),
        [b'[' | b'O', b'H', ..] => plain(KeyCode::Home, 2),
        [b'[' | b'O', b'F', ..] => plain(KeyCode::End, 2),
        [b'O', b'P', ..] => plain(KeyCode::F(1), 2),
        [b'[', b'Z', ..] => Some((KeyCode::BackTab, KeyModifiers::SHIFT, 2)),
        [b'[', b'5', b'~', ..] => plain(KeyCode::PageUp, 3),
        [b'[', b'6', b'~', ..] => plain(KeyCode::PageDown, 3),
        [b'[', ..] => None,
        [c, ..] if c.is_ascii_graphic() => Some((KeyCode::Char(char::from(*c)), KeyModifiers::ALT, 1)),
        _ => plain(KeyCode::Esc, 0),
    }
}

/// The length of a control sequence that is no known key, less its escape.
fn sequence_length(rest: &[u8]) -> usize {
    rest.iter().skip(1).position(|byte| (0x40..=0x7e).contains(byte)).map_or(rest.len(), |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8]) -> (Abilities, Vec<u8>, u32) {
        let mut listener = Listener::default();
        bytes.iter().for_each(|byte| listener.hear(*byte));
        let statuses = listener.statuses;
        let (told, typed) = listener.end();
        (told, typed, statuses)
    }

    #[test]
    fn answers_are_told_from_what_is_typed_between_them() {
        // Kitty's, xterm's and foot's own words.
        let bytes = b"4\x1b_Gi=31;OK\x1b\\q\x1b_Gi=32;OK\x1b\\\x1b[A\x1b[?62;4;22c\x1b[6;20;10t:\x1b[0n?";
        let (told, typed, statuses) = heard(bytes);
        assert_eq!(told, Abilities { kitty: true, deflate: true, sixel: true, cell: Some((10, 20)) });
        assert_eq!((typed.as_slice(), statuses), (&b"4q\x1b[A:?"[..], 1));
    }

    #[test]
    fn a_terminal_without_graphics_says_so() {
        let (told, typed, statuses) = heard(b"\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\\x1b[?1;2c\x1b[0n");
        assert_eq!((told, typed.as_slice(), statuses), (Abilities::default(), &b""[..], 1));
        // A 4 that is the terminal's class is none that is an attribute.
        assert!(!heard(b"\x1b[?4;6c").0.sixel);
    }

    #[test]
    fn keys_typed_meanwhile_are_keys_afterwards() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        let typed = "4\r\u{1b}[B\u{3}G\u{e4}\u{1b}x\u{1b}[5~\u{1b}[99;1u\u{1b}".as_bytes();
        let expected = [
            key(KeyCode::Char('4'), KeyModifiers::NONE),
            key(KeyCode::Enter, KeyModifiers::NONE),
            key(KeyCode::Down, KeyModifiers::NONE),
            key(KeyCode::Char('c'), KeyModifiers::CONTROL),
            key(KeyCode::Char('G'), KeyModifiers::SHIFT),
            key(KeyCode::Char('ä'), KeyModifiers::NONE),
            key(KeyCode::Char('x'), KeyModifiers::ALT),
            key(KeyCode::PageUp, KeyModifiers::NONE),
            key(KeyCode::Esc, KeyModifiers::NONE),
        ];
        assert_eq!(keys(typed), expected);
    }

    #[test]
    fn a_terminal_that_says_nothing_is_not_waited_for_for_good() {
        let (silent, _held) = std::io::pipe().expect("a pipe");
        let started = Instant::now();
        let heard = listen(std::os::fd::AsFd::as_fd(&silent), false);
        assert_eq!(heard, Heard::default());
        assert!((PATIENCE..PATIENCE * 2).contains(&started.elapsed()));
    }
}
