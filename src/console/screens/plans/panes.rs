//! Where the panes are, and moving in them by keys and mouse.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use super::tree::Cursor;
use super::{Focus, Plans, below, findings, outcome, run, tree};
use crate::console::Action;
use crate::console::screens::{Context, Outcome, SizeClass};
use crate::console::widgets::table::Selection;
use crate::owner::Phase;

/// What shares the place under the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    Diff,
    Log,
}

/// Where the panes are; one that isn't shown is empty.
#[derive(Debug, Default)]
pub(super) struct Panes {
    pub tree: Rect,
    pub findings: Rect,
    pub run: Rect,
    /// Empty unless the shown run failed or doesn't hold any more.
    pub outcome: Rect,
    pub diff: Rect,
    pub log: Rect,
}

impl Plans {
    /// What is under the changes: what the operator chose, or else the log while there is work to follow.
    pub(super) fn below(&self, ctx: &Context<'_>) -> Below {
        self.below.unwrap_or_else(|| match self.summary(ctx) {
            Some((_, run)) if run.phase.is_active() || run.phase == Phase::Failed => Below::Log,
            Some(_) => Below::Diff,
            None => Below::Log,
        })
    }

    /// The pane that has the focus: one of those that are shown.
    pub(super) fn focused(&self, ctx: &Context<'_>) -> Focus {
        match (self.focus, self.below(ctx)) {
            (focus, _) if ctx.size == SizeClass::Large => focus,
            (Focus::Diff | Focus::Log, Below::Diff) => Focus::Diff,
            (Focus::Diff | Focus::Log, Below::Log) => Focus::Log,
            (focus, _) => focus,
        }
    }

    /// Gives the focus to the next pane, or the one before.
    pub(super) fn focus_by(&mut self, back: bool, ctx: &Context<'_>) {
        let below: &[Focus] = match self.below(ctx) {
            _ if ctx.size == SizeClass::Large => &[Focus::Diff, Focus::Log],
            Below::Diff => &[Focus::Diff],
            Below::Log => &[Focus::Log],
        };
        let order: Vec<Focus> =
            [Focus::Tree, Focus::Changes].iter().chain(below).chain(&[Focus::Findings]).copied().collect();
        let at = order.iter().position(|focus| *focus == self.focused(ctx)).unwrap_or(0);
        self.focus = order[(at + if back { order.len() - 1 } else { 1 }) % order.len()];
    }

    /// Shows the log in place of the difference, or the other way round; where both are shown, goes to the other.
    pub(super) fn toggle_below(&mut self, ctx: &Context<'_>) {
        let is_log =
            if ctx.size == SizeClass::Large { self.focus == Focus::Log } else { self.below(ctx) == Below::Log };
        let (below, focus) = if is_log { (Below::Diff, Focus::Diff) } else { (Below::Log, Focus::Log) };
        self.below = Some(below);
        if ctx.size == SizeClass::Large || matches!(self.focus, Focus::Diff | Focus::Log | Focus::Findings) {
            self.focus = focus;
        }
    }

    /// Where the panes are in `area`.
    pub(super) fn panes(&self, area: Rect, ctx: &Context<'_>) -> Panes {
        let outcome = self.shown_run(ctx).map_or(0, |run| outcome::height(run, area.width));
        let low_has_focus = !matches!(self.focused(ctx), Focus::Tree | Focus::Changes);
        let (side, low, outcome) = match ctx.size {
            // Where it is tight, the half that is used has the most of it.
            SizeClass::Small if low_has_focus => (32, area.height * 11 / 20, outcome.min(area.height / 5)),
            SizeClass::Small => (32, area.height * 3 / 10, outcome.min(area.height / 3)),
            SizeClass::Medium => (40, area.height * 2 / 5, outcome.min(area.height / 3)),
            SizeClass::Large => (64, area.height * 2 / 5, outcome.min(area.height / 3)),
        };
        let rows = [Constraint::Min(0), Constraint::Length(outcome), Constraint::Length(low)];
        let [above, outcome, low] = Layout::vertical(rows).areas(area);
        let columns = [Constraint::Length(side), Constraint::Min(0)];
        let [tree, run] = Layout::horizontal(columns).areas(above);
        let mut panes = Panes { tree, run, outcome, ..Panes::default() };
        if ctx.size == SizeClass::Small {
            // One place for all three; its title has them as tabs.
            match (self.focused(ctx), self.below(ctx)) {
                (Focus::Findings, _) => panes.findings = low,
                (_, Below::Diff) => panes.diff = low,
                (_, Below::Log) => panes.log = low,
            }
            return panes;
        }
        let [findings, low] = Layout::horizontal(columns).areas(low);
        panes.findings = findings;
        match self.below(ctx) {
            _ if ctx.size == SizeClass::Large => {
                [panes.diff, panes.log] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(low);
            }
            Below::Diff => panes.diff = low,
            Below::Log => panes.log = low,
        }
        panes
    }

    /// The names of what shares one place, the one that is shown in brackets; empty where each has a place of its own.
    fn tabs(&self, ctx: &Context<'_>) -> String {
        if ctx.size != SizeClass::Small {
            return String::new();
        }
        let findings = self.shown_run(ctx).map_or(0, |run| run.findings.len());
        let findings = if findings == 0 { "Findings".to_owned() } else { format!("Findings {findings}") };
        let shown = match (self.focused(ctx), self.below(ctx)) {
            (Focus::Findings, _) => 1,
            (_, Below::Diff) => 0,
            (_, Below::Log) => 2,
        };
        let names = ["Diff".to_owned(), findings, "Log".to_owned()];
        let named =
            names.iter().enumerate().map(|(i, name)| if i == shown { format!("[{name}]") } else { name.clone() });
        named.collect::<Vec<_>>().join(" ")
    }

    /// Draws every pane.
    pub(super) fn render_panes(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let (panes, focus) = (self.panes(area, ctx), self.focused(ctx));
        let store = self.store_note(ctx);
        let looked = (&*store, self.store_fault(ctx), focus == Focus::Tree);
        tree::render(self.cursor.as_ref(), buffer, panes.tree, looked, ctx);
        run::render(self, buffer, panes.run, ctx);
        let run = self.shown_run(ctx);
        if let Some(run) = run {
            outcome::render(run, buffer, panes.outcome, ctx);
        }
        let tabs = self.tabs(ctx);
        if !panes.findings.is_empty() {
            findings::render(run, self.finding, buffer, panes.findings, (&tabs, focus == Focus::Findings), ctx);
        }
        if !panes.diff.is_empty() {
            let subject = self.shown_difference(ctx);
            below::render(subject.as_ref(), &self.diff, buffer, panes.diff, (&tabs, focus == Focus::Diff), ctx);
        }
        if !panes.log.is_empty() {
            let summary = self.summary(ctx).map(|(_, summary)| summary);
            self.log.render(buffer, panes.log, (&tabs, focus == Focus::Log), summary, ctx);
        }
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
            self.click_change((column, row), panes.run, ctx);
        } else if panes.findings.contains(cell) {
            let findings = self.shown_run(ctx).map_or(&[][..], |run| &run.findings);
            let clicked = findings::clicked(findings, self.finding.row, panes.findings, row);
            self.focus = Focus::Findings;
            self.pick_finding(clicked.unwrap_or(self.finding.row));
        } else if panes.diff.contains(cell) {
            let subject = self.shown_difference(ctx);
            let clicked = subject.and_then(|subject| below::clicked(&subject, &self.diff, panes.diff, row));
            self.diff.selection.row = clicked.unwrap_or(self.diff.selection.row);
            self.focus = Focus::Diff;
        } else if panes.log.contains(cell) {
            self.focus = Focus::Log;
            self.log.click((column, row), panes.log, ctx);
        } else {
            return Outcome::Ignored;
        }
        Outcome::done()
    }

    /// Selects the clicked row of the plan; a branch is folded or unfolded too.
    fn click_change(&mut self, (column, row): (u16, u16), pane: Rect, ctx: &Context<'_>) {
        let Some(run) = self.shown_run(ctx) else { return };
        let area = run::rows_area(self, run, pane, ctx);
        let rows = self.held.rows(ctx.filter);
        let mut selection = Selection { row: self.row(&rows) };
        let with_title = Rect { y: area.y.saturating_sub(1), height: area.height + 1, ..area };
        if selection.click(column, row, with_title, rows.len()) {
            self.pick_at(selection.row, &rows);
            self.turn(ctx);
        }
    }

    /// Moves in the pane that has the focus.
    pub(super) fn select(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let panes = self.panes(ctx.area, ctx);
        let inner = |area: Rect| usize::from(area.height.saturating_sub(2));
        let moved = match self.focused(ctx) {
            Focus::Tree => match tree::moved(self.cursor.as_ref(), action, panes.tree, ctx) {
                Some(cursor) => {
                    self.go(cursor);
                    true
                }
                None => false,
            },
            Focus::Changes => {
                let head = self.shown_run(ctx).map_or(0, |run| run::rows_area(self, run, panes.run, ctx).height);
                self.move_change(action, head.into(), ctx)
            }
            Focus::Findings => {
                let count = self.shown_run(ctx).map_or(0, |run| run.findings.len());
                let mut selection = self.finding;
                let moved = selection.update(action, count, inner(panes.findings) / 2);
                self.pick_finding(selection.row);
                moved
            }
            Focus::Diff => self.move_difference(action, inner(panes.diff), ctx),
            Focus::Log => self.log.update(action, panes.log, ctx),
        };
        if moved { Outcome::done() } else { Outcome::Ignored }
    }

    /// Shows what the cursor is on.
    pub(super) fn go(&mut self, cursor: Cursor) {
        if self.cursor.as_ref() != Some(&cursor) {
            self.forget_place();
            self.cursor = Some(cursor);
        }
    }

    /// Another run is shown: what was selected in the one before means nothing in it.
    pub(super) fn forget_place(&mut self) {
        self.details.hide();
        (self.picked, self.below, self.jumped) = (None, None, 0);
        (self.finding, self.diff.selection) = (Selection::default(), Selection::default());
    }
}
