//! What is looked at and how: the snapshot, frozen or live, and everything a screen's context is made of.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::{Rect, Size};

use crate::console::filter::Filter;
use crate::console::frame;
use crate::console::pictures::Pictures;
use crate::console::screens::{Context, ScreenName, SizeClass};
use crate::console::theme::Theme;
use crate::console::units::Units;
use crate::owner::{Lamp, Snapshot};

/// What is looked at and how.
#[derive(Debug)]
pub struct View {
    /// The newest state there is.
    pub live: Arc<Snapshot>,
    /// The state and wall time at which the view was paused.
    frozen: Option<(Arc<Snapshot>, Timestamp)>,
    /// When the owner was lost.
    lost_at: Option<Timestamp>,
    /// Wall time.
    pub now: Timestamp,
    /// The terminal.
    pub size: Size,
    /// Colours by meaning.
    pub theme: Theme,
    /// Units that values are shown in.
    pub units: Units,
    /// Pictures made for the screen that is up, and what the terminal can.
    pub pictures: Pictures,
    /// Whether commands are off.
    pub read_only: bool,
    /// Whether the environment runs in this process, and so ends with the console.
    pub hosts: bool,
    filters: [Filter; 8],
    zone: TimeZone,
}

impl View {
    /// A view of `snapshot` at `now` on a terminal of `size`.
    pub fn new(snapshot: Arc<Snapshot>, theme: Theme, size: Size, now: Timestamp) -> Self {
        let zone = zone(&snapshot.time_zone);
        Self {
            live: snapshot,
            frozen: None,
            lost_at: None,
            now,
            size,
            theme,
            units: Units::default(),
            pictures: Pictures::default(),
            read_only: false,
            hosts: false,
            filters: Default::default(),
            zone,
        }
    }

    /// Takes a newer state. A paused view keeps showing its own.
    pub fn take(&mut self, snapshot: Arc<Snapshot>) {
        if snapshot.time_zone != self.live.time_zone {
            self.zone = zone(&snapshot.time_zone);
        }
        self.live = snapshot;
    }

    /// Freezes the view, or lets it go on.
    pub fn pause(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some((Arc::clone(&self.live), self.now)),
        };
    }

    /// Whether the view is frozen.
    pub const fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// The owner is gone: what is shown is the last there was.
    pub fn lose_owner(&mut self) {
        if self.lost_at.is_none() {
            self.lost_at = Some(self.now);
            // Nobody watches the stages any more, so nothing is known of them; a paused view shows that too.
            darken(&mut self.live);
            if let Some((snapshot, _)) = &mut self.frozen {
                darken(snapshot);
            }
        }
    }

    /// When the owner was lost.
    pub const fn lost_at(&self) -> Option<Timestamp> {
        self.lost_at
    }

    /// The zone of local times.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The filter of a screen.
    pub const fn filter(&self, screen: ScreenName) -> &Filter {
        &self.filters[screen.index()]
    }

    /// Gives a screen another filter.
    pub fn set_filter(&mut self, screen: ScreenName, filter: Filter) {
        self.filters[screen.index()] = filter;
    }

    /// The state that is shown, and the wall time it is shown at: both stand still while the view is paused.
    pub fn shown(&self) -> (&Snapshot, Timestamp) {
        match &self.frozen {
            Some((snapshot, at)) => (snapshot, *at),
            None => (&self.live, self.lost_at.unwrap_or(self.now)),
        }
    }

    /// The context of a screen.
    pub fn context(&self, screen: ScreenName) -> Context<'_> {
        let (snapshot, now) = self.shown();
        Context {
            snapshot,
            theme: &self.theme,
            zone: &self.zone,
            filter: &self.filters[screen.index()],
            area: frame::body(Rect::from((ratatui::layout::Position::ORIGIN, self.size))),
            size: SizeClass::of(self.size.width, self.size.height),
            units: self.units,
            pictures: &self.pictures,
            read_only: self.read_only,
            now,
            stale: self.lost_at.is_some(),
        }
    }
}

/// Makes every stage's lamp unknown.
fn darken(snapshot: &mut Arc<Snapshot>) {
    for stage in &mut Arc::make_mut(snapshot).stages {
        stage.lamp = Lamp::Unknown;
    }
}

/// The zone with this IANA name; UTC where the machine knows none of that name, and then times say so.
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}
