//! Nowcast: the forecast against what came, and how good forecasts have been.
//!
//! `forecast` – a fan chart a variable · `model` – what made it · `verification` – scores by variable and lead.

mod forecast;
mod model;
mod verification;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::verification::Verification;
use super::{Context, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::owner::{Answer, AskError, NowcastView, Request};

/// The screen's state.
#[derive(Debug, Default)]
pub struct Nowcast {
    /// The nowcast issued at or before this instant; absent is the newest.
    at: Option<Timestamp>,
    /// Instants to return to on the way forward, the nearest last; the newest nowcast lies after the first.
    later: Vec<Option<Timestamp>>,
    /// The last answer; absent until there is one.
    answered: Option<Option<Box<NowcastView>>>,
    failure: Option<String>,
    /// The scores, when they are up.
    verification: Option<Verification>,
    /// The variable marked in both views.
    marked: usize,
}

impl Nowcast {
    /// The newest nowcast.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The nowcast that is shown.
    fn shown(&self) -> Option<&NowcastView> {
        self.answered.as_ref()?.as_deref()
    }

    /// To the newest nowcast issued at least `earlier` before the one shown.
    fn back(&mut self, earlier: SignedDuration) {
        let Some(issued_at) = self.shown().map(|view| view.prediction.measured_at) else { return };
        if let Ok(at) = issued_at.checked_sub(earlier) {
            self.later.push(self.at);
            self.at = Some(at);
        }
    }

    fn forward(&mut self) {
        self.at = self.later.pop().flatten();
    }

    fn update_forecast(&mut self, action: Action) -> Outcome {
        match action {
            Action::TimeBack | Action::WheelDown { .. } => self.back(SignedDuration::from_secs(1)),
            Action::TimeForward | Action::WheelUp { .. } => self.forward(),
            Action::PageDown => self.back(SignedDuration::from_hours(1)),
            Action::PageUp => self.forward(),
            Action::TimeNow => (self.at, self.later) = (None, Vec::new()),
            Action::Down | Action::FocusNext => self.mark(1),
            Action::Up | Action::FocusPrevious => self.mark(-1),
            _ => return Outcome::Ignored,
        }
        Outcome::done()
    }

    fn mark(&mut self, step: isize) {
        let count = self.shown().map_or(0, |view| view.prediction.forecasts.len());
        self.marked = self.marked.min(count.saturating_sub(1)).saturating_add_signed(step).min(count.saturating_sub(1));
    }
}

impl Screen for Nowcast {
    fn name(&self) -> ScreenName {
        ScreenName::Nowcast
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        match (action, &mut self.verification) {
            (Action::Verification, Some(_)) | (Action::Back, Some(_)) => self.verification = None,
            (Action::Verification, None) => self.verification = Some(Verification::default()),
            (_, Some(verification)) => return verification.update(action, ctx),
            (Action::Back, None) if self.at.is_some() => (self.at, self.later) = (None, Vec::new()),
            (_, None) => return self.update_forecast(action),
        }
        Outcome::done()
    }

    fn wants(&self, _ctx: &Context<'_>) -> Vec<Request> {
        vec![Request::Nowcast { at: self.at }]
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, _ctx: &Context<'_>) {
        if *request != (Request::Nowcast { at: self.at }) {
            return;
        }
        match answer {
            Ok(Answer::Nowcast { nowcast: None }) if self.at.is_some() => {
                // Nothing is older than what was shown: stay there.
                self.forward();
                self.failure = Some("there is no earlier nowcast".to_owned());
            }
            Ok(Answer::Nowcast { nowcast }) => (self.answered, self.failure) = (Some(nowcast.clone()), None),
            Ok(_) => {}
            Err(error) => self.failure = Some(error.to_string()),
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        match &self.verification {
            Some(verification) => verification.render(buffer, area, ctx),
            None => forecast::render(self, buffer, area, ctx),
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        match &self.verification {
            Some(_) => vec![verification::table(ctx)],
            None => self.shown().map(|view| forecast::exports(view, ctx)).unwrap_or_default(),
        }
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        match &self.verification {
            Some(verification) => verification.copy(ctx),
            None => self.shown().and_then(|view| forecast::copy(view, self.marked, ctx)),
        }
    }

    fn hints(&self, _ctx: &Context<'_>) -> Vec<Action> {
        if self.verification.is_some() {
            vec![Action::TimeForward, Action::Down, Action::Verification, Action::Filter, Action::Export]
        } else {
            vec![Action::TimeBack, Action::TimeForward, Action::TimeNow, Action::Verification, Action::Export]
        }
    }

    fn meaning(&self, action: Action, _ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
        match (action, &self.verification) {
            (Action::TimeForward, Some(_)) => Some(("variable", "The next variable's scores")),
            (Action::TimeBack, Some(_)) => Some(("variable", "The scores of the variable before")),
            (Action::Verification, Some(_)) => Some(("forecast", "Return to the forecast")),
            _ => None,
        }
    }

    fn disabled(&self, action: Action, _ctx: &Context<'_>) -> Option<String> {
        match action {
            Action::TimeForward | Action::TimeNow if self.verification.is_none() && self.at.is_none() => {
                Some("this is the newest nowcast".to_owned())
            }
            Action::TimeBack if self.verification.is_none() && self.shown().is_none() => {
                Some("there is no nowcast yet".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
