//! The batches of the selected container, newest first.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::history::whole;
use crate::console::Action;
use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{bytes, time, wrap};
use crate::owner::{Answer, AskError, BatchView, ContainerView, Request, StorageAnswer, StorageAsk};
use crate::station::text::printable;

/// Batches that are asked for.
const NEWEST: usize = 500;
/// A batch that is older stands with its date.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Of what a listing is.
#[derive(Debug, PartialEq)]
struct Listed {
    container: String,
    /// Its newest batch then: with another one it is listed anew.
    newest: Option<BatchView>,
    /// When a listing failed, the account's last look then: after the next it is tried again.
    failed_at: Option<Option<Timestamp>>,
}

/// The listing.
#[derive(Debug, Default)]
pub struct Listing {
    /// The selected batch, among those that pass the filter.
    pub row: Selection,
    listed: Option<Listed>,
    batches: Vec<BatchView>,
    since: Option<Timestamp>,
    failure: Option<String>,
}

impl Listing {
    /// Asks for the batches of `container`, where those at hand are of another one or older.
    pub fn wants(&self, container: Option<&ContainerView>, ctx: &Context<'_>) -> Option<Request> {
        let container = container?;
        let looked_at = ctx.snapshot.storage.as_ref()?.looked_at;
        let is_listed = self.listed.as_ref().is_some_and(|listed| {
            listed.container == container.name
                && listed.newest == container.newest
                && listed.failed_at.is_none_or(|at| at == looked_at)
        });
        let ask = StorageAsk::Batches { container: container.name.clone(), limit: NEWEST };
        (!is_listed).then_some(Request::Storage(ask))
    }

    /// Takes an answer.
    pub fn receive(
        &mut self,
        ask: &StorageAsk,
        answer: Result<&Answer, &AskError>,
        container: Option<&ContainerView>,
        ctx: &Context<'_>,
    ) {
        let StorageAsk::Batches { container: of, .. } = ask else { return };
        let Some(container) = container.filter(|container| container.name == *of) else { return };
        let looked_at = ctx.snapshot.storage.as_ref().and_then(|view| view.looked_at);
        let mut listed = Listed { container: of.clone(), newest: container.newest.clone(), failed_at: None };
        match answer {
            Ok(Answer::Storage(StorageAnswer::Batches { batches, since })) => {
                // What was selected stays it, where newer ones have come.
                let selected = self.selected(ctx).filter(|_| self.row.row > 0).map(|batch| batch.name.clone());
                (self.batches, self.since, self.failure) = (batches.clone(), *since, None);
                let shown = self.passing(ctx);
                let again = selected.and_then(|name| shown.iter().position(|batch| batch.name == name));
                if let Some(row) = again {
                    self.row = Selection { row };
                }
            }
            Ok(_) => return,
            Err(error) => {
                (self.batches, self.since, self.failure) = (Vec::new(), None, Some(error.to_string()));
                listed.failed_at = Some(looked_at);
            }
        }
        self.listed = Some(listed);
    }

    fn passing(&self, ctx: &Context<'_>) -> Vec<&BatchView> {
        self.batches.iter().filter(|batch| ctx.filter.matches(&batch.name)).collect()
    }

    /// The batches of `container` that pass the filter.
    pub fn shown(&self, container: Option<&ContainerView>, ctx: &Context<'_>) -> Vec<&BatchView> {
        let is_it = container.is_some_and(|container| self.is_of(container));
        if is_it { self.passing(ctx) } else { Vec::new() }
    }

    fn is_of(&self, container: &ContainerView) -> bool {
        self.listed.as_ref().is_some_and(|listed| listed.container == container.name)
    }

    /// The selected batch.
    pub fn selected(&self, ctx: &Context<'_>) -> Option<&BatchView> {
        let shown = self.passing(ctx);
        shown.get(self.row.row.min(shown.len().checked_sub(1)?)).copied()
    }

    /// Moves the selection; `false` for any other action.
    pub fn update(&mut self, action: Action, page: usize, ctx: &Context<'_>) -> bool {
        let count = self.passing(ctx).len();
        self.row.update(action, count, page)
    }

    /// Draws it.
    pub fn render(
        &self,
        buf: &mut Buffer,
        area: Rect,
        focused: bool,
        container: Option<&ContainerView>,
        ctx: &Context<'_>,
    ) {
        let shown = self.shown(container, ctx);
        let now = ctx.pipeline_now();
        let is_old = shown.last().is_some_and(|batch| now.duration_since(batch.written_at) > A_DAY);
        let columns = [
            Column::text("batch", 16).fill().keep_end(),
            Column::number("size", 9),
            Column::text("written", if is_old { 11 } else { 8 }),
        ];
        let name = container.map(|container| printable(&container.name)).unwrap_or_default();
        let of_all = if shown.len() < self.batches.len() {
            format!("{} of {} batches", shown.len(), self.batches.len())
        } else if shown.len() == NEWEST {
            format!("newest {NEWEST} batches")
        } else {
            format!("{} batch{}", shown.len(), if shown.len() == 1 { "" } else { "es" })
        };
        let inner = pane::render_with_note(buf, area, &name, &of_all, focused, ctx.theme);
        if inner.is_empty() {
            return;
        }
        if shown.is_empty() {
            let words = self.why_empty(container, ctx);
            let style = if self.failure.is_some() { ctx.theme.fail } else { ctx.theme.dim };
            let lines = wrap(&words, usize::from(inner.width), usize::from(inner.height));
            for (y, text) in (inner.y..inner.bottom()).zip(lines) {
                buf.set_stringn(inner.x, y, text, usize::from(inner.width), style);
            }
            return;
        }
        let row = |i: usize| shown.get(i).map(|batch| cells(batch, is_old, ctx)).unwrap_or_default();
        table::render(buf, inner, &columns, shown.len(), row, focused.then_some(self.row), ctx.theme);
    }

    fn why_empty(&self, container: Option<&ContainerView>, ctx: &Context<'_>) -> String {
        let Some(container) = container else { return "no container is selected".to_owned() };
        match (&self.failure, self.since) {
            _ if !self.is_of(container) => "asking …".to_owned(),
            (Some(failure), _) => printable(failure),
            _ if !self.batches.is_empty() && ctx.filter.is_active() => "no batch passes the filter".to_owned(),
            (None, Some(_)) => "no batch was written in the last 7 days".to_owned(),
            (None, None) => "no batch has been written yet; the first comes within its window".to_owned(),
        }
    }

    /// The batches shown, as a table.
    pub fn table(&self, container: Option<&ContainerView>, ctx: &Context<'_>) -> Exportable {
        let name = container.map(|container| container.name.clone()).unwrap_or_default();
        let row = |batch: &&BatchView| {
            vec![
                export::Cell::Text(name.clone()),
                export::Cell::Text(batch.name.clone()),
                whole(batch.bytes),
                export::Cell::Time(batch.written_at),
            ]
        };
        Exportable::Table(export::Table {
            name: "batches".to_owned(),
            columns: ["container", "batch", "size bytes", "written at"].map(str::to_owned).to_vec(),
            rows: self.shown(container, ctx).iter().map(row).collect(),
        })
    }
}

fn cells(batch: &BatchView, is_old: bool, ctx: &Context<'_>) -> Vec<Cell> {
    let written = if is_old {
        batch.written_at.to_zoned(ctx.zone.clone()).strftime("%m-%d %H:%M").to_string()
    } else {
        time(batch.written_at, ctx.zone)
    };
    let size = if batch.bytes == 0 { Cell::styled("empty", ctx.theme.warn) } else { bytes(batch.bytes).into() };
    vec![printable(&batch.name).into(), size, written.into()]
}
