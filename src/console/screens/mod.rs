//! The eight screens, and the border between a screen and the rest of the console.
//!
//! A screen owns its state (selection, window, what it was answered) and nothing else. It is told what the operator
//! does ([`Screen::update`]), says which data it needs ([`Screen::wants`]), is given them ([`Screen::receive`]) and
//! draws ([`Screen::render`]), which does no I/O and can't fail. What reaches beyond the screen is an [`Effect`].

mod devices;
mod fresh;
mod loads;
mod logs;
mod note;
mod nowcast;
mod overview;
mod plans;
mod sky;
mod telemetry;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

use super::Action;
use super::export::{Exportable, Format};
use super::filter::Filter;
use super::pictures::{Pictures, Shown};
use super::theme::Theme;
use super::units::Units;
use crate::clock::ClockReading;
use crate::owner::remote::RemoteState;
use crate::owner::{Answer, AskError, Request, Snapshot};
use crate::station::Variable;

/// A screen's name, in the order of the tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScreenName {
    /// Is the pipeline healthy, and what is the weather?
    Overview,
    /// Read, approve, apply.
    Plans,
    /// What the roof says now.
    Telemetry,
    /// The newest picture.
    Sky,
    /// The pipes and what they loaded.
    Loads,
    /// The forecast and its verification.
    Nowcast,
    /// The fleet.
    Devices,
    /// The owner's log.
    Logs,
}

impl ScreenName {
    /// Every screen, in the order of the tabs.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Plans,
        Self::Telemetry,
        Self::Sky,
        Self::Loads,
        Self::Nowcast,
        Self::Devices,
        Self::Logs,
    ];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Plans => "Plans",
            Self::Telemetry => "Telemetry",
            Self::Sky => "Sky",
            Self::Loads => "Loads",
            Self::Nowcast => "Nowcast",
            Self::Devices => "Devices",
            Self::Logs => "Logs",
        }
    }

    /// Name in keymaps and on the command line: the label in lower case.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Plans => "plans",
            Self::Telemetry => "telemetry",
            Self::Sky => "sky",
            Self::Loads => "loads",
            Self::Nowcast => "nowcast",
            Self::Devices => "devices",
            Self::Logs => "logs",
        }
    }

    /// Position in [`ScreenName::ALL`], from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for ScreenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for ScreenName {
    type Err = UnknownScreen;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|screen| screen.key().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownScreen(crate::station::text::printable(text)))
    }
}

/// A name that is no screen's.
#[derive(Debug, thiserror::Error)]
#[error("unknown screen {0:?}: expected overview, plans, telemetry, sky, loads, nowcast, devices or logs")]
pub struct UnknownScreen(pub String);

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SizeClass {
    /// Under 100 columns or 30 rows: panes stack or collapse.
    Small,
    /// The usual terminal.
    Medium,
    /// From 160 columns and 50 rows: room for everything.
    Large,
}

impl SizeClass {
    /// The class of a whole terminal.
    #[must_use]
    pub const fn of(columns: u16, rows: u16) -> Self {
        if columns < 100 || rows < 30 {
            Self::Small
        } else if columns >= 160 && rows >= 50 {
            Self::Large
        } else {
            Self::Medium
        }
    }
}

/// What a screen may know when it decides or draws.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The state that is shown; frozen while the view is paused.
    pub snapshot: &'a Snapshot,
    /// Colours by meaning.
    pub theme: &'a Theme,
    /// The station's zone, in which local times are shown.
    pub zone: &'a TimeZone,
    /// This screen's filter.
    pub filter: &'a Filter,
    /// Where the screen is drawn, in cells of the terminal; a click is compared with it.
    pub area: Rect,
    /// How much room the terminal has.
    pub size: SizeClass,
    /// Units that values are shown in.
    pub units: Units,
    /// Pictures made for this screen, and what the terminal can.
    pub pictures: &'a Pictures,
    /// Whether commands are off.
    pub read_only: bool,
    /// Wall time; stands still while the view is paused or the owner is gone.
    pub now: Timestamp,
    /// Whether the owner is gone, so that the snapshot is the last there was.
    pub stale: bool,
}

impl Context<'_> {
    /// Pipeline time at [`Context::now`], carried on from the snapshot's clock.
    #[must_use]
    pub fn pipeline_now(&self) -> Timestamp {
        pipeline_time(self.snapshot, self.now)
    }
}

/// Pipeline time at the wall's `now`, carried on from the clock of `snapshot`; a replay stops at its end.
#[must_use]
pub fn pipeline_time(snapshot: &Snapshot, now: Timestamp) -> Timestamp {
    let elapsed = now.duration_since(snapshot.taken_at).max(SignedDuration::ZERO);
    match snapshot.clock {
        ClockReading::Wall { now } => now.checked_add(elapsed).unwrap_or(now),
        ClockReading::Replay { now, end, ended: true, .. } => now.min(end),
        ClockReading::Replay { now, speed, end, ended: false } => {
            let ahead = i32::try_from(speed).ok().and_then(|speed| elapsed.checked_mul(speed));
            ahead.and_then(|ahead| now.checked_add(ahead).ok()).map_or(end, |now| now.min(end))
        }
    }
}

/// `measuredAt` of the newest row of measurements; of any row where no pipe loads measurements.
#[must_use]
pub fn newest_measurement_row(snapshot: &Snapshot) -> Option<Timestamp> {
    let of_messages = snapshot.pipes.iter().find(|pipe| pipe.container.ends_with("-messages"));
    of_messages.map_or_else(|| snapshot.pipes.iter().filter_map(|p| p.newest_row_at).max(), |pipe| pipe.newest_row_at)
}

/// What a screen made of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It means nothing here; somebody else may have it.
    Ignored,
    /// It is dealt with; these effects are left to do, in order.
    Consumed(Vec<Effect>),
}

impl Outcome {
    /// Dealt with, nothing left to do.
    #[must_use]
    pub const fn done() -> Self {
        Self::Consumed(Vec::new())
    }

    /// Dealt with, one effect left to do.
    #[must_use]
    pub fn effect(effect: Effect) -> Self {
        Self::Consumed(vec![effect])
    }
}

/// What reaches beyond a screen. The app or the runner carries it out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Go to another screen.
    Goto(ScreenName),
    /// Send a request outside of [`Screen::wants`]: a command, or something asked once. The answer comes by
    /// [`Screen::receive`]; a command's answer is also shown as a notification. Commands go one at a time, in order.
    Ask(Request),
    /// Put text on the clipboard.
    Copy(String),
    /// Let the operator write one of these to a file.
    Export(Vec<Exportable>),
    /// Write one of these to a file: what came of [`Effect::Export`].
    Write(Box<Exportable>, Format),
    /// Show another theme.
    Theme(String),
    /// Say something in the footer for a few seconds.
    Notify(String),
    /// Put the console to sleep.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Turn the mouse on or off.
    Mouse(bool),
    /// Look at this destination over SSH, instead of another one; end looking where absent. What is heard comes by
    /// [`Screen::hear_remote`].
    LookOverSsh(Option<String>),
    /// Show a variable in its next unit, on every screen.
    SwitchUnit(Variable),
    /// End the console.
    Quit,
}

/// One of the eight screens.
pub trait Screen: Send {
    /// Which it is.
    fn name(&self) -> ScreenName;

    /// Deals with an action. A screen is asked first; what it ignores goes to the app.
    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome;

    /// The data this screen needs now. Asked again when the snapshot has news or the list changes; an answer to a
    /// list that has changed meanwhile is dropped. Only requests that change nothing.
    fn wants(&self, ctx: &Context<'_>) -> Vec<Request>;

    /// Takes an answer to one of [`Screen::wants`] or [`Effect::Ask`].
    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>);

    /// What the footer says of an answer to [`Effect::Ask`]; absent where nothing more is to be said.
    fn said(&mut self, _request: &Request, _answer: Result<&Answer, &AskError>) -> Option<String> {
        None
    }

    /// Takes what was heard of a device over SSH.
    fn hear_remote(&mut self, _state: RemoteState) {}

    /// Draws into `area`, which may be of any size, also empty.
    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>);

    /// The pictures that are shown, and where.
    fn pictures(&self, _ctx: &Context<'_>) -> Vec<Shown> {
        Vec::new()
    }

    /// How long until [`Screen::step`] is due; absent where nothing moves by itself.
    fn pace(&self) -> Option<Duration> {
        None
    }

    /// Moves on what moves by itself.
    fn step(&mut self, _ctx: &Context<'_>) {}

    /// What `e` can write to files: tables and charts that are shown.
    fn exports(&self, _ctx: &Context<'_>) -> Vec<Exportable> {
        Vec::new()
    }

    /// What `y` copies.
    fn copy(&self, _ctx: &Context<'_>) -> Option<String> {
        None
    }

    /// Actions the footer hints at, most useful first.
    fn hints(&self, _ctx: &Context<'_>) -> Vec<Action> {
        Vec::new()
    }

    /// What an action means here where that isn't what the table of actions says: its hint and its description.
    fn meaning(&self, _action: Action, _ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Why an action of this screen's scope can't be done now; absent where it can.
    fn disabled(&self, _action: Action, _ctx: &Context<'_>) -> Option<String> {
        None
    }

    /// Whether keys are typed into a line of the screen now.
    fn takes_text(&self) -> bool {
        false
    }

    /// Whether a dialog of the screen is open: then actions go to it alone, but for help, suspend and quit.
    fn modal(&self) -> bool {
        false
    }
}

/// Every screen, in the order of the tabs.
#[must_use]
pub fn all() -> Vec<Box<dyn Screen>> {
    vec![
        Box::<overview::Overview>::default(),
        Box::<plans::Plans>::default(),
        Box::new(telemetry::Telemetry::new()),
        Box::<sky::Sky>::default(),
        Box::new(loads::Loads::new()),
        Box::new(nowcast::Nowcast::new()),
        Box::<devices::Devices>::default(),
        Box::<logs::Logs>::default(),
    ]
}
