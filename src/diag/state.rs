//! What is shown, and how keys change it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::owner::{Diagnosis, PreviewPicture};

/// The panes, in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// What is the matter, and what to do.
    Findings,
    /// The hardware.
    Device,
    /// The agent: sensors, outbox, twin, model, camera.
    Agent,
    /// The way to the hub.
    Link,
    /// The newest picture.
    Camera,
    /// The newest warnings and errors.
    Log,
}

/// All of them.
pub const PANES: [Pane; 6] = [Pane::Findings, Pane::Device, Pane::Agent, Pane::Link, Pane::Camera, Pane::Log];

impl Pane {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Findings => "Findings",
            Self::Device => "Device",
            Self::Agent => "Agent",
            Self::Link => "Link",
            Self::Camera => "Camera",
            Self::Log => "Log",
        }
    }

    /// Its place in [`PANES`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What the loop is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// End.
    Quit,
    /// Stop the process until it is told to go on.
    Suspend,
    /// Try the way to the hub.
    TestLink,
    /// Write a bundle for support.
    Bundle,
    /// Draw everything anew.
    Redraw,
}

/// What is shown.
#[derive(Debug, Default)]
pub struct State {
    /// The newest diagnosis; absent before the first.
    pub diagnosis: Option<Diagnosis>,
    /// Why the newest attempt to get one failed.
    pub failed: Option<String>,
    /// The newest picture.
    pub preview: Option<PreviewPicture>,
    /// The pane in front, or with the border that stands out.
    pub front: usize,
    /// Lines that each pane is scrolled by.
    pub scroll: [u16; PANES.len()],
    /// Whether the keys are shown.
    pub help: bool,
    /// Whether what comes in waits.
    pub paused: bool,
    /// Seconds since the link's test began, while it runs.
    pub testing_s: Option<u64>,
    /// What was last done, or why it wasn't.
    pub said: Option<String>,
}

/// The keys, as the help has them.
pub const KEYS: [(&str, &str); 12] = [
    ("1-6", "go to a pane"),
    ("tab, shift-tab", "the next pane, the one before"),
    ("j k, arrows", "scroll by a line"),
    ("space, b", "scroll by a page, back"),
    ("g, G", "to the top, to the end"),
    ("t", "try the way to the hub"),
    ("p", "pause: what comes in waits"),
    ("w", "write a bundle for support into this folder"),
    ("ctrl-l", "draw everything anew"),
    ("ctrl-z", "suspend"),
    ("?", "these keys"),
    ("q, esc", "quit"),
];

/// Lines that a page is scrolled by.
const PAGE: u16 = 10;

impl State {
    /// The pane in front.
    pub const fn pane(&self) -> Pane {
        PANES[self.front % PANES.len()]
    }

    /// Takes a key; answers what is to be done beyond the screen.
    pub fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if self.help {
            self.help = false;
            return None;
        }
        self.said = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Wish::Quit),
                KeyCode::Char('z') => Some(Wish::Suspend),
                KeyCode::Char('l') => Some(Wish::Redraw),
                _ => None,
            };
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Wish::Quit),
            KeyCode::Char('t') if self.testing_s.is_none() => return Some(Wish::TestLink),
            KeyCode::Char('t') => self.said = Some("the way to the hub is being tried".into()),
            KeyCode::Char('w') => return Some(Wish::Bundle),
            KeyCode::Char('?') => self.help = true,
            KeyCode::Char('p') => self.paused = !self.paused,
            KeyCode::Char(digit @ '1'..='6') => self.front = digit as usize - '1' as usize,
            KeyCode::Tab => self.front = (self.front + 1) % PANES.len(),
            KeyCode::BackTab => self.front = (self.front + PANES.len() - 1) % PANES.len(),
            code => self.scroll_by(code),
        }
        None
    }

    fn scroll_by(&mut self, code: KeyCode) {
        let scroll = &mut self.scroll[self.front % PANES.len()];
        *scroll = match code {
            KeyCode::Char('j') | KeyCode::Down => scroll.saturating_add(1),
            KeyCode::Char('k') | KeyCode::Up => scroll.saturating_sub(1),
            KeyCode::Char(' ') | KeyCode::PageDown => scroll.saturating_add(PAGE),
            KeyCode::Char('b') | KeyCode::PageUp => scroll.saturating_sub(PAGE),
            KeyCode::Char('g') | KeyCode::Home => 0,
            // Drawing holds it to the last line.
            KeyCode::Char('G') | KeyCode::End => u16::MAX,
            _ => return,
        };
    }

    /// Takes what was heard, unless the view is paused.
    pub fn hear(&mut self, heard: Result<Diagnosis, String>) {
        match heard {
            Ok(diagnosis) => {
                self.failed = None;
                if !self.paused || self.diagnosis.is_none() {
                    self.diagnosis = Some(diagnosis);
                }
            }
            Err(words) => self.failed = Some(words),
        }
    }
}
