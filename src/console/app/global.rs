//! The actions that mean the same on every screen, and why some can't be done now.

use super::App;
use crate::clock::{ClockReading, SPEED_RANGE};
use crate::console::Action;
use crate::console::action::Scope;
use crate::console::filter::Filter;
use crate::console::frame;
use crate::console::popup::Popup;
use crate::console::screens::Effect;
use crate::owner::Request;
use crate::settings::EnvironmentKind;

/// Speeds that faster and slower step through.
const SPEEDS: [u32; 10] = [1, 2, 5, 10, 30, 60, 120, 240, 480, 600];

impl App {
    /// Why `action` can't be done now, on the screen that is up; absent where it can.
    #[must_use]
    pub fn disabled(&self, action: Action) -> Option<String> {
        let info = action.info()?;
        if let Scope::On(screens) = info.scope {
            if !screens.contains(&self.up) {
                let names: Vec<&str> = screens.iter().map(|screen| screen.label()).collect();
                return Some(format!("{} means something on {} only", info.name, names.join(" and ")));
            }
            return self.screen().disabled(action, &self.context());
        }
        match action {
            Action::ReplaySlower | Action::ReplayFaster | Action::ReplayRealTime => self.speed_disabled(),
            _ => None,
        }
    }

    fn speed_disabled(&self) -> Option<String> {
        match self.view.live.clock {
            _ if self.view.read_only => Some("this console is read-only; it can't change the replay's speed".into()),
            ClockReading::Wall { .. } => Some("nothing is replayed here: the clock is the wall's".into()),
            ClockReading::Replay { ended: true, .. } => Some("the replayed series has ended".into()),
            ClockReading::Replay { .. } => None,
        }
    }

    pub(super) fn global(&mut self, action: Action) -> Vec<Effect> {
        if let Some(screen) = action.destination() {
            self.goto(screen);
            return Vec::new();
        }
        match action {
            Action::Back => self.back(),
            Action::Quit => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Palette => self.popups.push(Popup::palette(self)),
            Action::Help => self.popups.push(Popup::help()),
            Action::Filter => self.popups.push(Popup::filter(self.view.filter(self.up).text())),
            Action::Theme => self.popups.push(Popup::themes(&self.theme_names, &self.view.theme.name)),
            Action::Pause => self.view.pause(),
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.notify(if self.mouse { "mouse on" } else { "mouse off: the terminal selects text" });
                return vec![Effect::Mouse(self.mouse)];
            }
            Action::Copy => return self.copy(),
            Action::Export => {
                let items = self.screen().exports(&self.context());
                self.choose_export(items);
            }
            Action::ReplaySlower | Action::ReplayFaster | Action::ReplayRealTime => return self.change_speed(action),
            Action::Click { column, row } => {
                let tab = frame::tab_at(self.view.size, self.up, column, row);
                tab.into_iter().for_each(|screen| self.goto(screen));
            }
            _ => {}
        }
        Vec::new()
    }

    /// Whether a real station's readings end with the console.
    pub(super) fn ends_a_station(&self) -> bool {
        let live = &self.view.live;
        let is_wall = matches!(live.clock, ClockReading::Wall { .. });
        self.view.hosts && is_wall && live.environment.kind() == EnvironmentKind::Local && !self.context().stale
    }

    pub(super) fn tell_what_ends(&mut self) -> Vec<Effect> {
        self.quit_told = true;
        let key = self.keymap.first_key(self.up, Action::Quit).unwrap_or_else(|| ":quit".into());
        self.notify_until_key(&format!(
            "the station is read in this console: it ends too. {key} again quits; `skydeck run local` goes on without one"
        ));
        Vec::new()
    }

    /// Lets go of the filter, or else back to the screen before; on the first one there is nothing to go back to, and
    /// quitting is another key.
    fn back(&mut self) {
        if self.view.filter(self.up).is_active() {
            self.view.set_filter(self.up, Filter::default());
        } else if let Some(screen) = self.trail.pop() {
            self.up = screen;
        } else {
            let key = self.keymap.first_key(self.up, Action::Quit).unwrap_or_else(|| ":quit".into());
            self.notify(&format!("{key} ends the console"));
        }
    }

    fn copy(&mut self) -> Vec<Effect> {
        match self.screen().copy(&self.context()) {
            Some(text) => vec![Effect::Copy(text)],
            None => {
                self.notify("nothing is selected here that could be copied");
                Vec::new()
            }
        }
    }

    fn change_speed(&mut self, action: Action) -> Vec<Effect> {
        if let Some(reason) = self.speed_disabled() {
            self.notify(&reason);
            return Vec::new();
        }
        let speed = self.view.live.clock.speed();
        let new = match action {
            Action::ReplayFaster => SPEEDS.into_iter().find(|s| *s > speed).unwrap_or(*SPEED_RANGE.end()),
            Action::ReplaySlower => SPEEDS.into_iter().rev().find(|s| *s < speed).unwrap_or(*SPEED_RANGE.start()),
            _ => *SPEED_RANGE.start(),
        };
        self.settle(vec![Effect::Ask(Request::SetSpeed { speed: new })])
    }
}
