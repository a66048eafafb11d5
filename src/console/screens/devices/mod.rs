//! Devices: the fleet, and what is known of the selected one.
//!
//! `fleet` – a row a device · `detail` – the selected one, with its twin · `machine` – its hardware as lines and bars ·
//! `dialog` – methods: asked, answered · `ssh` – a device looked at over SSH.

mod detail;
mod dialog;
mod fleet;
mod machine;
mod ssh;

use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Margin, Rect};

use self::dialog::Open;
pub(super) use self::dialog::call;
use self::ssh::Ssh;
use super::{Context, Effect, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::widgets::table::Selection;
use crate::owner::remote::RemoteState;
use crate::owner::{Answer, AskError, Device, HubAnswer, HubAsk, HubDevice, HubTwin, Request};

/// The methods that have keys.
const METHODS: [Action; 5] =
    [Action::Diagnose, Action::TailLog, Action::SetInterval, Action::CapturePicture, Action::RestartAgent];

/// A device: as the pipeline has heard of it, and as it is registered with the hub.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    device: Option<&'a Device>,
    registered: Option<&'a HubDevice>,
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct Devices {
    selection: Selection,
    /// How far the selected device's facts are scrolled, and whether keys go there.
    scroll: Selection,
    in_detail: bool,
    registered: Vec<HubDevice>,
    twin: Option<HubTwin>,
    open: Option<Open>,
    ssh: Option<Ssh>,
}

fn split(area: Rect, devices: usize) -> [Rect; 2] {
    let most = (area.height / 3).clamp(1, 12);
    let rows = u16::try_from(devices).unwrap_or(most).clamp(1, most) + 3;
    Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(area)
}

impl Devices {
    /// Every device, those that the pipeline has heard of first.
    fn all<'a>(&'a self, ctx: &Context<'a>) -> Vec<Row<'a>> {
        let devices = &ctx.snapshot.devices;
        // Those that aren't taken out by a device that was heard of are silent.
        let mut silent: HashMap<&str, &HubDevice> =
            self.registered.iter().map(|known| (known.device_id.as_str(), known)).collect();
        let heard =
            devices.iter().map(|device| Row { device: Some(device), registered: silent.remove(device.id.as_str()) });
        let mut rows: Vec<_> = heard.collect();
        let silent = self.registered.iter().filter(|known| silent.contains_key(known.device_id.as_str()));
        rows.extend(silent.map(|known| Row { device: None, registered: Some(known) }));
        rows
    }

    /// Those that pass the filter.
    fn shown<'a>(&'a self, ctx: &Context<'a>) -> Vec<Row<'a>> {
        let mut rows = self.all(ctx);
        if !ctx.filter.is_active() {
            return rows;
        }
        let text = |row: &Row<'_>| {
            let source = row.device.map_or("", |device| device.source.as_str());
            let status = row.registered.map_or("", |known| known.status.as_str());
            format!("{} {} {source} {status}", row.id(), row.link())
        };
        rows.retain(|row| ctx.filter.matches(&text(row)));
        rows
    }

    fn selected<'a>(&'a self, ctx: &Context<'a>) -> Option<Row<'a>> {
        self.selected_of(&self.shown(ctx))
    }

    fn selected_of<'a>(&self, rows: &[Row<'a>]) -> Option<Row<'a>> {
        rows.get(self.selection.row.min(rows.len().saturating_sub(1))).copied()
    }

    /// How many there are, whatever the filter.
    fn count(&self, shown: usize, ctx: &Context<'_>) -> usize {
        if ctx.filter.is_active() { self.all(ctx).len() } else { shown }
    }

    /// The selected device's twin, where it is that one's.
    fn twin_of(&self, row: Row<'_>) -> Option<&HubTwin> {
        self.twin.as_ref().filter(|twin| twin.device_id == row.id())
    }

    fn call(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(reason) = self.disabled(action, ctx) {
            return Outcome::effect(Effect::Notify(reason));
        }
        let Some(id) = self.selected(ctx).map(|row| row.id().to_owned()) else { return Outcome::done() };
        let Some((open, request)) = Open::by(action, &id) else { return Outcome::done() };
        self.open = Some(open);
        request.map_or_else(Outcome::done, |request| Outcome::effect(Effect::Ask(request)))
    }

    fn moved(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let count = self.shown(ctx).len();
        let [fleet, below] = split(ctx.area, count);
        match action {
            Action::FocusNext | Action::FocusPrevious => {
                self.in_detail = !self.in_detail;
                true
            }
            Action::Click { column, row } => {
                self.in_detail = below.contains((column, row).into());
                self.selection.click(column, row, fleet.inner(Margin::new(1, 1)), count) || self.in_detail
            }
            action if self.in_detail => {
                let lines = self.selected(ctx).map_or(0, |row| detail::scrollable(row, self.twin_of(row), below, ctx));
                self.scroll.update(action, lines, below.height.saturating_sub(2).into())
            }
            action => {
                let before = self.selection.row;
                let taken = self.selection.update(action, count, fleet.height.saturating_sub(3).into());
                if self.selection.row != before {
                    self.scroll = Selection::default();
                }
                taken
            }
        }
    }

    fn take_method(&mut self, ask: &HubAsk, answer: Result<&Answer, &AskError>) {
        let HubAsk::Method { id, name, .. } = ask else { return };
        // Whoever doesn't wait any more, or waits for another, isn't shown it.
        let Some(Open::Waiting { device, method }) = &self.open else { return };
        if device != id || method != name {
            return;
        }
        self.open = Some(match answer {
            Ok(Answer::Hub(HubAnswer::Method { status, payload })) => Open::answered(id, name, *status, payload),
            Ok(_) => Open::failed(id, name, "the owner answered what wasn't asked; restart it with this skydeck"),
            Err(error) => Open::failed(id, name, &error.to_string()),
        });
    }
}

impl Screen for Devices {
    fn name(&self) -> ScreenName {
        ScreenName::Devices
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(open) = self.open.take() {
            let outcome;
            (self.open, outcome) = open.update(action);
            return outcome;
        }
        if let Some(ssh) = self.ssh.take() {
            let outcome;
            (self.ssh, outcome) = ssh.update(action, ctx.area.height.saturating_sub(2));
            return outcome;
        }
        if METHODS.contains(&action) {
            return self.call(action, ctx);
        }
        if action == Action::LookOverSsh {
            self.ssh = self.selected(ctx).map(|row| Ssh::ask(row.id()));
            return Outcome::done();
        }
        if self.moved(action, ctx) { Outcome::done() } else { Outcome::Ignored }
    }

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        let twin = self.selected(ctx).map(|row| Request::Hub(HubAsk::Twin { id: row.id().to_owned() }));
        std::iter::once(Request::Hub(HubAsk::Devices)).chain(twin).collect()
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, _ctx: &Context<'_>) {
        match (request, answer) {
            (Request::Hub(HubAsk::Devices), Ok(Answer::Hub(HubAnswer::Devices { devices }))) => {
                self.registered.clone_from(devices);
            }
            (Request::Hub(HubAsk::Twin { .. }), Ok(Answer::Hub(HubAnswer::Twin { twin }))) => {
                self.twin = Some((**twin).clone());
            }
            (Request::Hub(HubAsk::Twin { .. }), Err(_)) => self.twin = None,
            (Request::Hub(ask @ HubAsk::Method { .. }), answer) => self.take_method(ask, answer),
            _ => {}
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let rows = self.shown(ctx);
        let [fleet, below] = split(area, rows.len());
        fleet::render(buffer, fleet, &rows, self.count(rows.len(), ctx), self.selection, ctx);
        if let Some(row) = self.selected_of(&rows) {
            detail::render(buffer, below, row, self.twin_of(row), self.scroll.row, ctx);
        }
        if let Some(open) = &self.open {
            open.render(buffer, area, ctx);
        }
        if let Some(ssh) = &self.ssh {
            ssh.render(buffer, area, ctx);
        }
    }

    fn hear_remote(&mut self, state: RemoteState) {
        if let Some(ssh) = &mut self.ssh {
            ssh.hear(state);
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        let table = fleet::exported(&self.shown(ctx), ctx);
        if table.rows.is_empty() { Vec::new() } else { vec![Exportable::Table(table)] }
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        let answered = self.open.as_ref().and_then(Open::copied);
        answered.or_else(|| self.selected(ctx).map(|row| row.id().to_owned()))
    }

    fn hints(&self, _ctx: &Context<'_>) -> Vec<Action> {
        if self.open.is_some() || self.ssh.is_some() {
            return vec![Action::Open, Action::Back];
        }
        METHODS.into_iter().chain([Action::LookOverSsh, Action::FocusNext, Action::Export]).collect()
    }

    fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        if action == Action::LookOverSsh && self.selected(ctx).is_none() {
            return Some("no device is there to be looked at".to_owned());
        }
        if !METHODS.contains(&action) {
            return None;
        }
        if ctx.read_only {
            return Some("this console is read-only; start it without --read-only to call a device".to_owned());
        }
        if ctx.stale {
            return Some("the owner of this environment has ended, so no device can be called".to_owned());
        }
        match self.selected(ctx) {
            None => Some("no device is there to be called".to_owned()),
            Some(row) if !row.is_connected() => {
                let id = crate::station::text::printable(row.id());
                Some(format!("{id} isn't connected, so it can't be called; see its last error"))
            }
            Some(row) if action == Action::CapturePicture => {
                let own = ctx.snapshot.agent.as_deref().filter(|agent| agent.device_id == row.id());
                own.filter(|agent| agent.camera.is_none())
                    .map(|_| "this device has no camera; set camera.command in its settings".to_owned())
            }
            Some(_) => None,
        }
    }

    fn takes_text(&self) -> bool {
        self.open.as_ref().is_some_and(Open::takes_text) || self.ssh.as_ref().is_some_and(Ssh::takes_text)
    }

    fn modal(&self) -> bool {
        self.open.is_some() || self.ssh.is_some()
    }
}

#[cfg(test)]
mod tests;
