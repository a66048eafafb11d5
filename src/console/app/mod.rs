//! The console's state and how it changes: which screen is up, what lies over it, what is said in the footer.
//!
//! [`App::update`] takes an action and answers with the effects that are left to the runner. The screen that is up is
//! asked first (it owns its own state); what it ignores is dealt with here. Nothing here does I/O.

mod global;
mod view;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Size;
pub use view::View;

use super::Action;
use super::action::Scope;
use super::export::{Exportable, Format};
use super::frame;
use super::keymap::Keymap;
use super::pictures::Shown;
use super::popup::{Popup, Verdict};
use super::screens::{self, Context, Effect, Outcome, Screen, ScreenName};
use super::theme::Theme;
use crate::owner::remote::RemoteState;
use crate::owner::{Answer, AskError, Request, Snapshot};
use crate::station::Variable;

/// How long the footer says something.
const NOTICE_TIME: SignedDuration = SignedDuration::from_secs(6);

/// Something said in the footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Printable text.
    pub text: String,
    /// Until when; absent: until the next key.
    until: Option<Timestamp>,
}

/// The console's state.
pub struct App {
    /// What is looked at and how.
    pub view: View,
    screens: Vec<Box<dyn Screen>>,
    up: ScreenName,
    /// Screens that `back` returns to, the newest last.
    trail: Vec<ScreenName>,
    popups: Vec<Popup>,
    notification: Option<Notification>,
    keymap: Keymap,
    theme_names: Vec<String>,
    mouse: bool,
    /// Whether the key before this one wanted to quit, and was told what ends with it.
    quit_told: bool,
}

impl App {
    /// A console on `snapshot`.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, theme: Theme, keymap: Keymap, size: Size, now: Timestamp) -> Self {
        Self {
            view: View::new(snapshot, theme, size, now),
            screens: screens::all(),
            up: ScreenName::Overview,
            trail: Vec::new(),
            popups: Vec::new(),
            notification: None,
            keymap,
            theme_names: Theme::names(None),
            mouse: true,
            quit_told: false,
        }
    }

    /// The screen that is up.
    #[must_use]
    pub const fn up(&self) -> ScreenName {
        self.up
    }

    /// What lies over the screen, the topmost last.
    #[must_use]
    pub fn popups(&self) -> &[Popup] {
        &self.popups
    }

    /// Which key does what.
    #[must_use]
    pub const fn keymap(&self) -> &Keymap {
        &self.keymap
    }

    /// What the footer says now.
    #[must_use]
    pub const fn notification(&self) -> Option<&Notification> {
        self.notification.as_ref()
    }

    /// Whether keys are typed into a line now.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.popups.last().map_or_else(|| self.screen().takes_text(), Popup::takes_text)
    }

    /// The names of themes to choose from.
    pub fn set_theme_names(&mut self, names: Vec<String>) {
        self.theme_names = names;
    }

    /// Whether the mouse is on, at the start.
    pub const fn set_mouse(&mut self, on: bool) {
        self.mouse = on;
    }

    /// Goes to a screen without leaving a trail, at the start.
    pub const fn start_on(&mut self, screen: ScreenName) {
        self.up = screen;
    }

    /// Says something in the footer for a few seconds.
    pub fn notify(&mut self, text: &str) {
        let until = self.view.now.checked_add(NOTICE_TIME).ok();
        self.notification = Some(Notification { text: crate::station::text::printable(text), until });
    }

    /// Says something in the footer until the next key.
    pub fn notify_until_key(&mut self, text: &str) {
        self.notification = Some(Notification { text: crate::station::text::printable(text), until: None });
    }

    /// The owner is gone. What was said before is less than that.
    pub fn lose_owner(&mut self) {
        self.view.lose_owner();
        self.notification = None;
    }

    /// Time passes; answers whether the footer changes by it.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        self.view.now = now;
        let over = self.notification.as_ref().and_then(|notice| notice.until).is_some_and(|until| until <= now);
        if over {
            self.notification = None;
        }
        over
    }

    /// The screen that is up.
    #[must_use]
    pub fn screen(&self) -> &dyn Screen {
        self.screens[self.up.index()].as_ref()
    }

    /// Its context.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        self.view.context(self.up)
    }

    /// The data that the screen needs now. A paused view needs nothing that it hasn't.
    #[must_use]
    pub fn wants(&self) -> Vec<Request> {
        self.screen().wants(&self.context())
    }

    /// Hands an answer to the screen that asked. A command's answer is said in the footer too.
    pub fn receive(&mut self, screen: ScreenName, request: &Request, answer: Result<&Answer, &AskError>) {
        if request.is_command() {
            match answer {
                Ok(Answer::Done { message } | Answer::Approved { message, .. }) => self.notify(message),
                Ok(Answer::RunStarted { number }) => self.notify(&format!("run {number} was asked for")),
                Ok(_) => {}
                Err(error) => self.notify(&error.to_string()),
            }
        }
        if let Some(words) = self.screens[screen.index()].said(request, answer) {
            self.notify(&words);
        }
        let context = self.view.context(screen);
        self.screens[screen.index()].receive(request, answer, &context);
    }

    /// Tells the screen Devices what was heard of a device over SSH.
    pub fn hear_remote(&mut self, state: RemoteState) {
        self.screens[ScreenName::Devices.index()].hear_remote(state);
    }

    /// Takes an action; answers with what is left to the runner, in order.
    pub fn update(&mut self, action: Action) -> Vec<Effect> {
        if self.notification.as_ref().is_some_and(|notice| notice.until.is_none()) {
            self.notification = None;
        }
        let quit_told = std::mem::take(&mut self.quit_told);
        if action == Action::Quit && !quit_told && self.ends_a_station() {
            return self.tell_what_ends();
        }
        if !self.popups.is_empty() && !matches!(action, Action::Quit | Action::Suspend | Action::Redraw) {
            return self.update_popup(action);
        }
        let modal = self.screen().modal();
        let always = matches!(action, Action::Quit | Action::Suspend | Action::Redraw | Action::Help);
        if always {
            return self.global(action);
        }
        if !modal && let Some(reason) = self.disabled(action) {
            self.notify(&reason);
            return Vec::new();
        }
        let context = self.view.context(self.up);
        match self.screens[self.up.index()].update(action, &context) {
            Outcome::Consumed(effects) => self.settle(effects),
            Outcome::Ignored if modal => Vec::new(),
            Outcome::Ignored => self.global(action),
        }
    }

    /// Carries out the effects that are the app's own and answers with the rest.
    fn settle(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut left = Vec::new();
        for effect in effects {
            match effect {
                Effect::Goto(screen) => self.goto(screen),
                Effect::Notify(text) => self.notify(&text),
                Effect::Export(items) => self.choose_export(items),
                Effect::SwitchUnit(variable) => self.switch_unit(variable),
                Effect::Ask(request) if request.is_command() && self.view.read_only => {
                    self.notify("this console is read-only; open one without --read-only to change something");
                }
                other => left.push(other),
            }
        }
        left
    }

    fn switch_unit(&mut self, variable: Variable) {
        let words = if self.view.units.switch(variable) {
            format!("{} in {}; exports stay in {}", variable.label(), self.view.units.unit(variable), variable.unit())
        } else {
            format!("{} is shown in {} only", variable.label(), variable.unit())
        };
        self.notify(&words);
    }

    /// The pictures that the screen shows, and where.
    #[must_use]
    pub fn pictures(&self) -> Vec<Shown> {
        // A view that is too small for any screen shows none.
        if frame::is_too_small(self.view.size) { Vec::new() } else { self.screen().pictures(&self.context()) }
    }

    /// How long until what moves by itself moves on.
    #[must_use]
    pub fn pace(&self) -> Option<Duration> {
        self.screen().pace()
    }

    /// Moves it on.
    pub fn step(&mut self) {
        let context = self.view.context(self.up);
        self.screens[self.up.index()].step(&context);
    }

    fn update_popup(&mut self, action: Action) -> Vec<Effect> {
        let Some(mut popup) = self.popups.pop() else { return Vec::new() };
        match popup.update(action, self) {
            Verdict::Stay(effects) => {
                self.popups.push(popup);
                self.settle(effects)
            }
            Verdict::Close(effects) => self.settle(effects),
            Verdict::Do(action) => self.update_anywhere(action),
        }
    }

    /// An action chosen by name: where it means something elsewhere only, its screen comes up first.
    fn update_anywhere(&mut self, action: Action) -> Vec<Effect> {
        if let Some(Scope::On(screens)) = action.info().map(|info| info.scope)
            && !screens.contains(&self.up)
            && let Some(screen) = screens.first()
        {
            self.goto(*screen);
        }
        self.update(action)
    }

    fn goto(&mut self, screen: ScreenName) {
        if screen != self.up {
            self.trail.retain(|passed| *passed != screen);
            self.trail.push(self.up);
            self.up = screen;
        }
    }

    /// What can be exported, one entry a format.
    fn choose_export(&mut self, items: Vec<Exportable>) {
        let choices: Vec<(Exportable, Format)> = items
            .into_iter()
            .flat_map(|item| {
                let formats = item.formats();
                formats.iter().map(move |format| (item.clone(), *format)).collect::<Vec<_>>()
            })
            .collect();
        if choices.is_empty() {
            self.notify("nothing is shown here that could be exported yet");
        } else {
            self.popups.push(Popup::export(choices));
        }
    }
}

#[cfg(test)]
mod tests;
