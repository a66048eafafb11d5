//! What the state holds: its addresses, or its outputs.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};

use super::reading::Reading;
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::screens::fresh::Fresh;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::wrap;
use crate::owner::{Answer, AskError, OutputValue, Request, StateResource, StateView};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// The list of a state's addresses, or of its outputs.
#[derive(Debug)]
pub struct Listing {
    environment: EnvironmentName,
    outputs: bool,
    state: Option<StateView>,
    failure: Option<String>,
    selection: Selection,
    fresh: Fresh,
}

impl Listing {
    /// Of that environment: its outputs, or its addresses.
    pub fn new(environment: EnvironmentName, outputs: bool) -> Self {
        let selection = Selection::default();
        Self { environment, outputs, state: None, failure: None, selection, fresh: Fresh::default() }
    }

    /// Whether it shows the same as another.
    pub fn is_same(&self, other: &Self) -> bool {
        self.environment == other.environment && self.outputs == other.outputs
    }

    /// Asks for the state, again whenever a run of its environment has changed.
    pub fn wants(&self, ctx: &Context<'_>) -> Option<Request> {
        let of = ctx.snapshot.provisioning.environment(&self.environment)?;
        let changes = of.runs.iter().map(|run| run.revision).sum::<u64>();
        let revision = changes.wrapping_add(u64::from(of.resources.unwrap_or_default()));
        let request = || Request::State { environment: self.environment.clone() };
        self.fresh.is_wanted((&self.environment, 0), revision).then(request)
    }

    /// Takes the state.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>) {
        let Request::State { environment } = request else { return };
        if *environment != self.environment || !self.fresh.received((environment, 0)) {
            return;
        }
        match answer {
            Ok(Answer::State { state }) => (self.state, self.failure) = (Some(state.clone()), None),
            Ok(_) => {}
            Err(error) => self.failure = Some(printable(&error.to_string())),
        }
    }

    fn resources(&self, ctx: &Context<'_>) -> Vec<&StateResource> {
        let all = self.state.iter().flat_map(|state| &state.resources).filter(|_| !self.outputs);
        all.filter(|of| ctx.filter.matches(&of.address)).collect()
    }

    fn shown_outputs(&self, ctx: &Context<'_>) -> Vec<&OutputValue> {
        let all = self.state.iter().flat_map(|state| &state.outputs).filter(|_| self.outputs);
        all.filter(|of| ctx.filter.matches(&of.name)).collect()
    }

    fn count(&self, ctx: &Context<'_>) -> usize {
        self.resources(ctx).len() + self.shown_outputs(ctx).len()
    }

    /// The selected address.
    pub fn address(&self, ctx: &Context<'_>) -> Option<String> {
        self.resources(ctx).get(self.selection.row).map(|of| of.address.clone())
    }

    /// The selected resource or output, to be read whole.
    pub fn open(&self, ctx: &Context<'_>) -> Option<Reading> {
        if let Some(address) = self.address(ctx) {
            return Some(Reading::resource(self.environment.clone(), address, ctx.theme));
        }
        let outputs = self.shown_outputs(ctx);
        let output = outputs.get(self.selection.row)?;
        let text = output.value.as_ref().map_or_else(|| SENSITIVE.to_owned(), |value| format!("{value:#}"));
        Some(Reading::text(format!("output {} of {}", output.name, self.environment), &text, ctx.theme.text))
    }

    /// Moves; `false` for any other action.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let count = self.count(ctx);
        if let Action::Click { column, row } = action {
            return self.selection.click(column, row, ctx.area.inner(Margin::new(1, 1)), count);
        }
        self.selection.update(action, count, usize::from(ctx.area.height.saturating_sub(3)))
    }

    /// What `y` copies: the address, or the output as `name = value`.
    pub fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        let outputs = self.shown_outputs(ctx);
        let output = || outputs.get(self.selection.row).map(|of| printable(&format!("{} = {}", of.name, value(of))));
        self.address(ctx).map(|address| printable(&address)).or_else(output)
    }

    /// What is shown, for files.
    pub fn state(&self, ctx: &Context<'_>) -> (Vec<&StateResource>, Vec<&OutputValue>) {
        (self.resources(ctx), self.shown_outputs(ctx))
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, marked: &[String], ctx: &Context<'_>) {
        let of = ctx.snapshot.provisioning.environment(&self.environment);
        let emulated = if of.is_some_and(|of| of.emulated) { " · EMULATED" } else { "" };
        let what = if self.outputs { "Outputs" } else { "State" };
        let serial = self.state.as_ref().and_then(|state| state.serial);
        let serial = serial.map_or_else(String::new, |serial| format!(" · serial {serial}"));
        let title = format!("{what} of {}{emulated}{serial}", self.environment);
        let all = self.state.as_ref().map_or(
            0,
            |state| {
                if self.outputs { state.outputs.len() } else { state.resources.len() }
            },
        );
        let shown = self.count(ctx);
        let noun = if self.outputs { "outputs" } else { "resources" };
        let count = if shown < all { format!("{shown} of {all} {noun}") } else { format!("{all} {noun}") };
        let marks = if marked.is_empty() { String::new() } else { format!("{} marked · ", marked.len()) };
        let note = format!("esc returns · {marks}{count}");
        let inner = pane::render_with_note(buf, area, &title, &note, true, ctx.theme);
        if shown == 0 {
            let text = match (&self.failure, &self.state) {
                (Some(failure), _) => failure.clone(),
                (None, None) => "asking …".into(),
                (None, Some(_)) if all > 0 => format!("none of the {noun} passes the filter"),
                (None, Some(_)) if self.outputs => "it has no outputs".into(),
                (None, Some(_)) => "it holds nothing: nothing was applied yet, or everything was destroyed".into(),
            };
            let room = usize::from(inner.width);
            for (y, text) in (inner.y..inner.bottom()).zip(wrap(&text, room, inner.height.into())) {
                buf.set_stringn(inner.x, y, text, room, ctx.theme.dim);
            }
            return;
        }
        if self.outputs {
            let outputs = self.shown_outputs(ctx);
            let columns = [Column::text("output", 32), Column::text("value", 30).fill()];
            let row = |i: usize| {
                let style = if outputs[i].value.is_none() { ctx.theme.dim } else { ctx.theme.text };
                vec![Cell::from(printable(&outputs[i].name)), Cell::styled(printable(&value(outputs[i])), style)]
            };
            return table::render(buf, inner, &columns, shown, row, Some(self.selection), ctx.theme);
        }
        let resources = self.resources(ctx);
        let columns = [
            Column::text("", 1),
            Column::text("address", 40).fill().keep_end(),
            Column::text("id", 70).keep_end().gives_way(1),
        ];
        let row = |i: usize| {
            let mark = if marked.contains(&resources[i].address) { "◆" } else { " " };
            let id = resources[i].id.as_deref().map_or_else(String::new, printable);
            vec![
                Cell::styled(mark, ctx.theme.key),
                printable(&resources[i].address).into(),
                Cell::styled(id, ctx.theme.dim),
            ]
        };
        table::render(buf, inner, &columns, shown, row, Some(self.selection), ctx.theme);
    }
}

/// What stands for a sensitive value.
pub const SENSITIVE: &str = "(sensitive)";

/// An output's value on one line.
pub fn value(output: &OutputValue) -> String {
    output.value.as_ref().map_or_else(|| SENSITIVE.to_owned(), ToString::to_string)
}
