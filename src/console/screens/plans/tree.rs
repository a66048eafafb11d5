//! Environments and, under the one the cursor is in, its runs.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::words;
use crate::console::Action;
use crate::console::screens::{Context, SizeClass};
use crate::console::widgets::pane;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{fit, width, wrap};
use crate::owner::{EnvironmentStatus, RunSummary};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// What is selected: an environment, or one of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The environment.
    pub environment: EnvironmentName,
    /// The run; absent stands for the newest.
    pub run: Option<u32>,
}

/// A row of the tree.
#[derive(Debug, Clone, Copy)]
enum Row<'a> {
    Environment(&'a EnvironmentStatus),
    Run(&'a EnvironmentStatus, &'a RunSummary),
}

impl Row<'_> {
    fn cursor(self) -> Cursor {
        match self {
            Self::Environment(of) => Cursor { environment: of.environment.clone(), run: None },
            Self::Run(of, run) => Cursor { environment: of.environment.clone(), run: Some(run.number) },
        }
    }
}

/// Where the cursor is: where it was put, as far as that is still there.
pub fn cursor(put: Option<&Cursor>, ctx: &Context<'_>) -> Cursor {
    let status = &ctx.snapshot.provisioning;
    let here = Cursor { environment: ctx.snapshot.environment.clone(), run: None };
    let Some(put) = put else { return here };
    match status.environment(&put.environment) {
        None => here,
        Some(of) if put.run.is_none() || of.run(put.run).is_some() => put.clone(),
        // A run that was just asked for isn't told of yet.
        Some(_) => Cursor { run: None, ..put.clone() },
    }
}

fn rows<'a>(at: &Cursor, ctx: &Context<'a>) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for of in &ctx.snapshot.provisioning.environments {
        rows.push(Row::Environment(of));
        if of.environment == at.environment {
            rows.extend(of.runs.iter().map(|run| Row::Run(of, run)));
        }
    }
    rows
}

fn position(rows: &[Row<'_>], at: &Cursor) -> usize {
    rows.iter().position(|row| row.cursor() == *at).unwrap_or(0)
}

/// Where an action takes the cursor; `None` where it moves nothing.
pub fn moved(put: Option<&Cursor>, action: Action, area: Rect, ctx: &Context<'_>) -> Option<Cursor> {
    let at = cursor(put, ctx);
    let rows = rows(&at, ctx);
    let mut selection = Selection { row: position(&rows, &at) };
    let page = usize::from(area.height.saturating_sub(2));
    selection.update(action, rows.len(), page).then(|| rows.get(selection.row).map_or(at, |row| row.cursor()))
}

/// What was clicked in the tree's pane.
pub fn clicked(put: Option<&Cursor>, (column, row): (u16, u16), area: Rect, ctx: &Context<'_>) -> Option<Cursor> {
    let at = cursor(put, ctx);
    let rows = rows(&at, ctx);
    let mut selection = Selection { row: position(&rows, &at) };
    // The tree has no line of titles: its frame stands in for it.
    let table = Rect { height: area.height.saturating_sub(1), ..area };
    let is_row = selection.click(column, row, table, rows.len());
    is_row.then(|| rows.get(selection.row).map(|row| row.cursor())).flatten()
}

/// Draws the tree; `note` says how the shared store of runs was looked into, `fault` why it couldn't be.
pub fn render(
    put: Option<&Cursor>,
    buf: &mut Buffer,
    area: Rect,
    (note, fault, focused): (&str, Option<&str>, bool),
    ctx: &Context<'_>,
) {
    let mut inner = pane::render_with_note(buf, area, "Environments & runs", note, focused, ctx.theme);
    if let Some(fault) = fault {
        let lines = wrap(fault, inner.width.into(), usize::from(inner.height / 3));
        inner.height -= u16::try_from(lines.len()).unwrap_or(0).min(inner.height);
        for (y, line) in (inner.bottom()..).zip(lines) {
            buf.set_stringn(inner.x, y, line, inner.width.into(), ctx.theme.warn);
        }
    }
    let at = cursor(put, ctx);
    if let Some(text) = older(&at, ctx)
        && inner.height > 2
    {
        inner.height -= 1;
        let room = usize::from(inner.width);
        buf.set_stringn(inner.x, inner.bottom(), fit(&text, room), room, ctx.theme.dim);
    }
    let rows = rows(&at, ctx);
    let selected = position(&rows, &at);
    let height = usize::from(inner.height);
    let first = Selection { row: selected }.first(rows.len(), height);
    for (y, (i, row)) in (inner.y..inner.bottom()).zip(rows.iter().enumerate().skip(first)) {
        let line = Rect { y, height: 1, ..inner };
        match row {
            Row::Environment(of) => environment(buf, line, of, of.environment == at.environment, ctx),
            Row::Run(_, summary) => run(buf, line, summary, ctx),
        }
        if i == selected {
            buf.set_style(line, ctx.theme.selection);
        }
    }
    if first + height < rows.len() && !inner.is_empty() {
        buf.set_stringn(inner.right() - 1, inner.bottom() - 1, "↓", 1, ctx.theme.dim);
    }
    if rows.is_empty() && !inner.is_empty() {
        let text = fit("no environment is known yet", usize::from(inner.width)).into_owned();
        buf.set_stringn(inner.x, inner.y, text, usize::from(inner.width), ctx.theme.dim);
    }
}

/// That there are runs before those that are listed.
fn older(at: &Cursor, ctx: &Context<'_>) -> Option<String> {
    let of = ctx.snapshot.provisioning.environment(&at.environment).filter(|of| of.older > 0)?;
    Some(format!("{} older: skydeck runs --all", of.older))
}

fn environment(buf: &mut Buffer, line: Rect, of: &EnvironmentStatus, open: bool, ctx: &Context<'_>) {
    let mark = if open { "▾" } else { "▸" };
    let emulated = if of.emulated { " EMULATED" } else { "" };
    let style = match () {
        () if of.active().is_some() => ctx.theme.notice,
        () if of.state_fault.is_some() || of.lock.is_some() || of.drift.is_some_and(|(count, _)| count > 0) => {
            ctx.theme.warn
        }
        () => ctx.theme.text,
    };
    let left = format!("{mark} {}{emulated}", of.environment);
    pair(buf, line, (&left, ctx.theme.title), &[(0, printable(&of.standing()), style)]);
}

fn run(buf: &mut Buffer, line: Rect, run: &RunSummary, ctx: &Context<'_>) {
    let standing = format!("{:>3} {} {}", run.number, words::sign(run.phase), words::standing(run));
    let (text, dim) = (ctx.theme.text, ctx.theme.dim);
    // Counts are the last to give way.
    let mut right = Vec::new();
    if ctx.size == SizeClass::Large {
        right.extend(run.targeted.then(|| (4, "targeted".to_owned(), dim)));
        right.push((3, format!("took {}", words::took(run, ctx.now)), dim));
    }
    if run.denials > 0 {
        right.push((1, format!("{} DENY", run.denials), ctx.theme.fail));
    }
    right.extend(run.counts.map(|counts| (0, counts.short(), text)));
    // How long it took says more of a run that has ended than when that was; there is room for both on a large screen.
    let time = if run.phase.is_end() && ctx.size != SizeClass::Large && run.took_s > 0.0 {
        words::took(run, ctx.now)
    } else {
        words::since(run, ctx.now)
    };
    right.push((2, time, dim));
    pair(buf, line, (&standing, words::style(run.phase, ctx.theme)), &right);
}

/// A text on the left and as many texts on the right as there is room for, those of the lowest rank first.
fn pair(buf: &mut Buffer, line: Rect, (left, left_style): (&str, Style), right: &[(u8, String, Style)]) {
    let room = usize::from(line.width);
    let mut free = room.saturating_sub(width(left));
    let mut ranked: Vec<usize> = (0..right.len()).collect();
    ranked.sort_by_key(|place| right[*place].0);
    let mut shown: Vec<(usize, Cow<'_, str>)> = Vec::new();
    for place in ranked {
        let (rank, text, _) = &right[place];
        // What matters most is cut, with a sign, before it is left out.
        let text = if *rank == 0 && free >= 4 { fit(text, free - 1) } else { Cow::Borrowed(text.as_str()) };
        if let Some(rest) = free.checked_sub(width(&text) + 1) {
            free = rest;
            shown.push((place, text));
        }
    }
    shown.sort_unstable_by_key(|(place, _)| *place);
    buf.set_stringn(line.x, line.y, fit(left, room), room, left_style);
    let used: usize = shown.iter().map(|(_, text)| width(text) + 1).sum();
    let mut x = line.right().saturating_sub(u16::try_from(used.saturating_sub(1)).unwrap_or(0));
    for (place, text) in shown {
        (x, _) = buf.set_stringn(x, line.y, text, room, right[place].2);
        x = x.saturating_add(1);
    }
}
