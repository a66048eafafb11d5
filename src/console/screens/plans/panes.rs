//! Where the panes are, and moving in them by keys and mouse.

use ratatui::layout::{Constraint, Layout, Rect};

use super::tree::Cursor;
use super::{Focus, Plans, outcome, run, tree};
use crate::console::Action;
use crate::console::screens::{Context, Outcome, SizeClass};

/// Where the panes are.
pub(super) struct Panes {
    pub tree: Rect,
    pub run: Rect,
    /// Empty unless the shown run failed.
    pub outcome: Rect,
    pub log: Rect,
}

impl Plans {
    /// Where the panes are in `area`.
    pub(super) fn panes(&self, area: Rect, ctx: &Context<'_>) -> Panes {
        let (side, low) = match ctx.size {
            SizeClass::Small => (32, area.height * 3 / 10),
            SizeClass::Medium => (40, area.height / 3),
            SizeClass::Large => (64, area.height / 3),
        };
        let outcome = self.shown_run(ctx).map_or(0, |run| outcome::height(run, area.width)).min(area.height / 3);
        let rows = [Constraint::Min(0), Constraint::Length(outcome), Constraint::Length(low)];
        let [above, outcome, log] = Layout::vertical(rows).areas(area);
        let [tree, run] = Layout::horizontal([Constraint::Length(side), Constraint::Min(0)]).areas(above);
        Panes { tree, run, outcome, log }
    }

    /// Selects what was clicked.
    pub(super) fn click(&mut self, (column, row): (u16, u16), ctx: &Context<'_>) -> Outcome {
        let panes = self.panes(ctx.area, ctx);
        let cell = (column, row).into();
        if panes.tree.contains(cell) {
            self.focus = Focus::Tree;
            if let Some(cursor) = tree::clicked(self.cursor.as_ref(), (column, row), panes.tree, ctx) {
                self.go(cursor);
            }
        } else if panes.run.contains(cell) {
            self.focus = Focus::Changes;
            if let Some(run) = self.shown_run(ctx) {
                let (table, rows) = (run::table_area(run, panes.run), run::rows(run, ctx));
                let mut selection = run::selection(self.change, &rows);
                if selection.click(column, row, table, rows.len()) {
                    self.change = Some(selection);
                }
            }
        } else if panes.log.contains(cell) {
            self.focus = Focus::Log;
            self.log.click((column, row), panes.log, ctx);
        } else {
            return Outcome::Ignored;
        }
        Outcome::done()
    }

    /// Shows what the cursor is on.
    pub(super) fn go(&mut self, cursor: Cursor) {
        if self.cursor.as_ref() != Some(&cursor) {
            self.cursor = Some(cursor);
            self.change = None;
        }
    }

    /// Moves in the pane that has the focus.
    pub(super) fn select(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let panes = self.panes(ctx.area, ctx);
        let moved = match self.focus {
            Focus::Tree => match tree::moved(self.cursor.as_ref(), action, panes.tree, ctx) {
                Some(cursor) => {
                    self.go(cursor);
                    true
                }
                None => false,
            },
            Focus::Changes => {
                let rows = self.shown_run(ctx).map(|run| run::rows(run, ctx)).unwrap_or_default();
                let mut selection = run::selection(self.change, &rows);
                let moved = selection.update(action, rows.len(), usize::from(panes.run.height.saturating_sub(6)));
                self.change = if moved { Some(selection) } else { self.change };
                moved
            }
            Focus::Log => self.log.update(action, panes.log, ctx),
        };
        if moved { Outcome::done() } else { Outcome::Ignored }
    }
}
