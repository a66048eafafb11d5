//! The rows of a plan as they are drawn, and which of them is selected.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::rows::{self, Branch, Row, RowKey, Rows};
use super::{Plans, diff, words};
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::table::{self, Selection};
use crate::console::widgets::value::{fit, fit_end, width};
use crate::owner::{PlanList, Request};
use crate::station::text::{counted, printable};

/// Columns an apply's progress takes.
const PROGRESS: usize = 11;
/// Columns that a cause has at least, where it is that long.
const LEAST_WHY: usize = 22;

impl Plans {
    /// Where the selected row is: where it was put, or else where the work is, or the first change.
    pub(super) fn row(&self, rows: &Rows) -> usize {
        let put = self.picked.as_ref().and_then(|key| rows.position(key).or_else(|| self.nearest(key, rows)));
        put.or_else(|| self.held.at_work().filter(|_| self.picked.is_none()).and_then(|key| rows.position(&key)))
            .unwrap_or_else(|| rows.first_change())
    }

    /// The branch that a row was folded into.
    fn nearest(&self, key: &RowKey, rows: &Rows) -> Option<usize> {
        let RowKey::Change(list, index) = key else { return None };
        let around = self.held.around(*list, *index);
        around.into_iter().rev().find_map(|branch| rows.position(&RowKey::Branch(branch)))
    }

    /// Selects a row. What was revealed of another is hidden.
    pub(super) fn pick(&mut self, key: RowKey) {
        if self.picked.as_ref() != Some(&key) {
            self.details.hide();
            self.diff.selection = Selection::default();
            self.picked = Some(key);
        }
    }

    /// Selects the row at a place.
    pub(super) fn pick_at(&mut self, place: usize, rows: &Rows) {
        if let Some(row) = rows.get(place) {
            self.pick(row.key.clone());
        }
    }

    /// The selected resource, where one is.
    pub(super) fn picked_change(&self, ctx: &Context<'_>) -> Option<(PlanList, usize)> {
        let rows = self.held.rows(ctx.filter);
        match rows.get(self.row(&rows))?.key {
            RowKey::Change(list, index) => Some((list, index)),
            _ => None,
        }
    }

    /// The selected resource's address.
    pub(super) fn picked_address(&self, ctx: &Context<'_>) -> Option<String> {
        self.shown_run(ctx)?;
        let (list, index) = self.picked_change(ctx)?;
        words::listed(self.held.plan(), list).get(index).map(|change| change.address.clone())
    }

    /// Selects the resource of an address and unfolds what it lies in; `false` where the plan has none.
    pub(super) fn jump_to(&mut self, address: &str) -> bool {
        let Some(key) = self.held.find(address) else { return false };
        let RowKey::Change(list, index) = key else { return false };
        for branch in self.held.around(list, index) {
            self.held.folds.set(&branch, true);
        }
        self.pick(key);
        true
    }

    /// Folds, unfolds or moves in the tree; `false` where an action does nothing here.
    pub(super) fn move_change(&mut self, action: Action, height: usize, ctx: &Context<'_>) -> bool {
        let rows: Arc<Rows> = self.held.rows(ctx.filter);
        let place = self.row(&rows);
        match action {
            Action::Left | Action::Right => self.fold(action == Action::Right, place, &rows, ctx),
            action => {
                let mut selection = Selection { row: place };
                let moved = selection.update(action, rows.len(), height);
                if moved {
                    self.pick_at(selection.row, &rows);
                }
                moved
            }
        }
    }

    fn fold(&mut self, open: bool, place: usize, rows: &Rows, ctx: &Context<'_>) -> bool {
        let Some(row) = rows.get(place) else { return false };
        match &row.key {
            RowKey::Branch(branch) if row.open != open && !ctx.filter.is_active() => {
                self.held.folds.set(branch, open);
                self.pick(row.key.clone());
                true
            }
            RowKey::Branch(_) if open => {
                self.pick_at(place + 1, rows);
                true
            }
            // From within a branch to the branch.
            _ if !open => rows.parent(place).inspect(|parent| self.pick_at(*parent, rows)).is_some(),
            _ => false,
        }
    }

    /// Asks for the difference of the selected resource.
    pub(super) fn wants_details(&self, ctx: &Context<'_>) -> Option<Request> {
        let run = self.shown_run(ctx).filter(|_| self.held.is_whole())?;
        let (list, index) = self.picked_change(ctx)?;
        self.details.wants(&(run.environment.clone(), run.number), list, index)
    }
}

/// Draws the rows in view.
pub fn render(
    screen: &Plans,
    rows: &Rows,
    buf: &mut Buffer,
    area: Rect,
    (applies, focused): (bool, bool),
    ctx: &Context<'_>,
) {
    let selected = screen.row(rows);
    let height = usize::from(area.height);
    let first = Selection { row: selected }.first(rows.len(), height);
    let marked = screen.marked(ctx);
    for (y, place) in (area.y..area.bottom()).zip(first..rows.len()) {
        let Some(row) = rows.get(place) else { break };
        let line = Rect { y, height: 1, ..area };
        draw(screen, row, buf, line, (applies, &marked), ctx);
        if place == selected && focused {
            table::mark(buf, line, ctx.theme);
        } else if place == selected {
            buf.set_stringn(line.x, y, "▸", 1, ctx.theme.key);
        }
    }
    if first + height < rows.len() && !area.is_empty() {
        buf.set_stringn(area.right() - 1, area.bottom() - 1, "↓", 1, ctx.theme.key);
    }
}

fn draw(
    screen: &Plans,
    row: &Row,
    buf: &mut Buffer,
    line: Rect,
    (applies, marked): (bool, &[String]),
    ctx: &Context<'_>,
) {
    let theme = ctx.theme;
    let plan = screen.held.plan();
    let indent = 1 + 2 * u16::try_from(row.depth).unwrap_or(u16::MAX).min(line.width / 4);
    let place = Rect { x: line.x.saturating_add(indent), width: line.width.saturating_sub(indent), ..line };
    match &row.key {
        RowKey::Branch(branch) => {
            let (name, counts) = titled(branch, row);
            let fold = if row.open { "▾" } else { "▸" };
            spread(buf, place, &[(format!("{fold} {name}"), theme.title)], &counts, theme.dim);
        }
        RowKey::Change(list, index) => {
            let Some(change) = words::listed(plan, *list).get(*index) else { return };
            if marked.contains(&change.address) {
                buf.set_stringn(line.x, line.y, "◆", 1, theme.key);
            }
            let drifted = *list == PlanList::Drift;
            let sign = if drifted { "≠" } else { words::change_sign(change) };
            let style = if drifted { theme.notice } else { words::action_style(change.action, theme) };
            buf.set_stringn(place.x, place.y, format!("{sign:>3}"), usize::from(place.width), style);
            let mut rest = Rect { x: place.x.saturating_add(4), width: place.width.saturating_sub(4), ..place };
            if applies && !drifted && usize::from(rest.width) > PROGRESS + 8 {
                let columns = u16::try_from(PROGRESS).unwrap_or(0);
                if let Some(progress) = screen.held.progress(&change.address) {
                    let (text, style) = words::progress(progress, ctx.now, theme);
                    buf.set_stringn(rest.right() - columns, rest.y, fit(&text, PROGRESS), PROGRESS, style);
                }
                rest.width -= columns + 1;
            }
            let label = printable(rows::within(&change.address, &change.module));
            let why = printable(&words::why(change, *list));
            labelled(buf, rest, (&label, theme.text), (&why, theme.dim));
        }
        RowKey::Output(i) => {
            let Some(output) = plan.outputs.get(*i) else { return };
            let text = diff::lines(std::slice::from_ref(output), true).first().map(diff::DiffLine::text);
            let shown = text.unwrap_or_default();
            buf.set_stringn(place.x, place.y, fit(&shown, place.width.into()), place.width.into(), theme.text);
        }
        RowKey::Variable(i) => {
            let Some(variable) = plan.variables.get(*i) else { return };
            let label = (printable(&variable.name), theme.text);
            let value = diff::value(&variable.value);
            labelled(buf, place, (&label.0, label.1), (&value, theme.dim));
        }
        RowKey::Check(i) => {
            let Some(check) = plan.checks.get(*i) else { return };
            let (sign, style) = match check.status.as_str() {
                "pass" => ("✓", theme.ok),
                "fail" | "error" => ("✖", theme.fail),
                _ => ("○", theme.dim),
            };
            let problems = printable(&check.problems.join("; "));
            let why = if problems.is_empty() { printable(&check.status) } else { problems };
            buf.set_stringn(place.x, place.y, sign, place.width.into(), style);
            let rest = Rect { x: place.x.saturating_add(2), width: place.width.saturating_sub(2), ..place };
            labelled(buf, rest, (&printable(&check.address), style), (&why, theme.dim));
        }
    }
}

/// A branch's name, and its counts.
fn titled(branch: &Branch, row: &Row) -> (String, String) {
    match branch {
        Branch::Module(..) if row.counts.is_empty() => (printable(&row.name), counted(row.below, "change")),
        Branch::Module(..) => (printable(&row.name), row.counts.short()),
        Branch::Drift => ("drift".into(), format!("≠{} changed behind Terraform", row.below)),
        Branch::Outputs => ("outputs".into(), counted(row.below, "change")),
        Branch::Checks => ("checks".into(), row.below.to_string()),
        Branch::Variables => ("variables".into(), row.below.to_string()),
    }
}

fn spread(buf: &mut Buffer, place: Rect, left: &[(String, Style)], right: &str, style: Style) {
    let text: Vec<&str> = left.iter().map(|(text, _)| text.as_str()).collect();
    let left_style = left.first().map_or(style, |(_, style)| *style);
    labelled(buf, place, (&text.join(" "), left_style), (right, style));
}

/// A label and, behind it, what is to know of it. The label's beginning gives way, a cause's end; each with a sign.
fn labelled(buf: &mut Buffer, place: Rect, (label, style): (&str, Style), (why, dim): (&str, Style)) {
    let room = usize::from(place.width);
    let least = if why.is_empty() || room < LEAST_WHY + 20 { 0 } else { width(why).min(LEAST_WHY) + 2 };
    let shown = fit_end(label, room.saturating_sub(least));
    let (x, _) = buf.set_stringn(place.x, place.y, &shown, room, style);
    let left = usize::from(place.right().saturating_sub(x)).saturating_sub(2);
    if !why.is_empty() && left >= 4 {
        buf.set_stringn(x + 2, place.y, fit(why, left), left, dim);
    }
}
