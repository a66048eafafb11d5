//! The pane under the changes: the difference of what is selected there, line by line.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use super::diff::{self, DiffLine, Tone};
use super::plan::{Held, PlanKey};
use super::reading::Reading;
use super::rows::{Branch, Row, RowKey};
use super::words;
use super::{Plans, details::Details};
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::theme::Theme;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Selection};
use crate::console::widgets::value::{fit, fit_end, width, wrap};
use crate::owner::{DiffNode, PlanList, Run};
use crate::station::text::{counted, printable};

/// Where in the difference one is.
#[derive(Debug, Default)]
pub struct DiffPane {
    /// The selected line.
    pub selection: Selection,
    /// Whether attributes that stay as they are are shown.
    pub unchanged: bool,
}

/// What is shown of the selected row.
pub struct Subject {
    /// What it is of.
    pub title: String,
    /// Its lines.
    pub lines: Vec<DiffLine>,
    /// Whether secrets stand in clear.
    pub revealed: bool,
}

impl Subject {
    fn words(title: &str, tone: Tone, text: &str) -> Self {
        Self { title: title.to_owned(), lines: vec![DiffLine::words(tone, text)], revealed: false }
    }
}

/// The attributes that the lines of a row are of.
pub fn nodes<'a>(row: &RowKey, key: &PlanKey, held: &'a Held, details: &'a Details) -> &'a [DiffNode] {
    match row {
        RowKey::Change(list, index) => match details.get(key, *list, *index) {
            Some(Ok(detail)) => &detail.attributes,
            _ => &[],
        },
        RowKey::Output(place) => held.plan().outputs.get(*place).map_or(&[], std::slice::from_ref),
        RowKey::Branch(Branch::Outputs) => &held.plan().outputs,
        RowKey::Branch(_) | RowKey::Check(_) | RowKey::Variable(_) => &[],
    }
}

/// What is shown of a row.
pub fn subject(row: &Row, run: &Run, held: &Held, details: &Details, unchanged: bool) -> Subject {
    let key = (run.environment.clone(), run.number);
    let plan = held.plan();
    match &row.key {
        RowKey::Change(list, index) => change(*list, *index, run, held, details, unchanged),
        RowKey::Output(_) | RowKey::Branch(Branch::Outputs) => Subject {
            title: "Outputs that change".into(),
            lines: diff::lines(nodes(&row.key, &key, held, details), unchanged),
            revealed: false,
        },
        RowKey::Variable(place) => Subject {
            title: "Variables".into(),
            lines: plan.variables.get(*place).map(variable).into_iter().collect(),
            revealed: false,
        },
        RowKey::Branch(Branch::Variables) => {
            Subject { title: "Variables".into(), lines: plan.variables.iter().map(variable).collect(), revealed: false }
        }
        RowKey::Check(place) => {
            let lines = plan.checks.get(*place).map(check).unwrap_or_default();
            Subject { title: "Check".into(), lines, revealed: false }
        }
        RowKey::Branch(Branch::Checks) => {
            Subject { title: "Checks".into(), lines: plan.checks.iter().flat_map(check).collect(), revealed: false }
        }
        RowKey::Branch(Branch::Drift) => {
            let words = format!(
                "{} changed behind Terraform: by hand, by another program, or by the cloud itself. The plan takes \
                 that into account.",
                counted(row.below, "resource")
            );
            Subject::words("Drift", Tone::Plain, &words)
        }
        RowKey::Branch(Branch::Module(_, address)) => {
            let counts = row.counts;
            let all = [
                ("+", counts.create, "to create"),
                ("~", counts.update, "to update"),
                ("-/+", counts.replace, "to replace"),
                ("-", counts.delete, "to destroy"),
                (">", counts.import, "to import"),
                (".", counts.forget, "to forget"),
            ];
            let some = all.into_iter().filter(|(_, count, _)| *count > 0);
            let line = |(sign, count, does)| DiffLine::words(Tone::Plain, &format!("{sign:>3} {count} {does}"));
            let mut lines: Vec<DiffLine> = some.map(line).collect();
            let all = counted(row.below, "change");
            lines.push(DiffLine::words(Tone::Dim, &format!("    {all} in all, reads and moves among them")));
            Subject { title: printable(address), lines, revealed: false }
        }
    }
}

fn change(list: PlanList, index: usize, run: &Run, held: &Held, details: &Details, unchanged: bool) -> Subject {
    let Some(change) = words::listed(held.plan(), list).get(index) else {
        return Subject::words("", Tone::Dim, "it isn't in this plan");
    };
    let title = printable(&change.address);
    if let Some(failure) = held.missing(run) {
        return Subject::words(&title, Tone::Dim, failure);
    }
    match details.get(&(run.environment.clone(), run.number), list, index) {
        Some(Ok(detail)) => {
            // What was asked to be seen is seen, also where it doesn't change.
            let secrets = if detail.revealed { details.secrets(list, index) } else { Vec::new() };
            let mut lines = diff::lines_and(&detail.attributes, unchanged, &secrets);
            if lines.is_empty() {
                lines.push(DiffLine::words(Tone::Dim, "no attribute changes"));
            }
            Subject { title, lines, revealed: detail.revealed }
        }
        Some(Err(failure)) => Subject::words(&title, Tone::Alarm, failure),
        None if held.is_whole() => Subject::words(&title, Tone::Dim, "asking …"),
        None => Subject::words(&title, Tone::Dim, "its difference comes with the plan"),
    }
}

fn variable(of: &crate::owner::PlanVariable) -> DiffLine {
    let tone = if matches!(of.value, crate::owner::Shown::Value(_)) { Tone::Plain } else { Tone::Dim };
    DiffLine {
        gap: 1,
        values: vec![(tone, diff::value(&of.value))],
        ..DiffLine::words(Tone::Plain, &format!("{} =", of.name))
    }
}

fn check(of: &crate::owner::PlanCheck) -> Vec<DiffLine> {
    let tone = match of.status.as_str() {
        "pass" => Tone::Added,
        "fail" | "error" => Tone::Alarm,
        _ => Tone::Dim,
    };
    let mut lines = vec![DiffLine::words(tone, &format!("{}: {}", of.address, of.status))];
    lines.extend(of.problems.iter().map(|problem| DiffLine::words(Tone::Plain, &format!("  {problem}"))));
    lines
}

impl Plans {
    /// What the pane shows now.
    pub(super) fn shown_difference(&self, ctx: &Context<'_>) -> Option<Subject> {
        let run = self.shown_run(ctx)?;
        let rows = self.held.rows(ctx.filter);
        let row = rows.get(self.row(&rows))?;
        Some(subject(row, run, &self.held, &self.details, self.diff.unchanged))
    }

    /// Moves in the pane; `false` where an action moves nothing.
    pub(super) fn move_difference(&mut self, action: Action, height: usize, ctx: &Context<'_>) -> bool {
        let count = self.shown_difference(ctx).map_or(0, |subject| subject.lines.len());
        self.diff.selection.update(action, count, height)
    }

    /// The selected line's attribute, whole.
    pub(super) fn open_difference(&self, ctx: &Context<'_>) -> Option<Reading> {
        let run = self.shown_run(ctx)?;
        let rows = self.held.rows(ctx.filter);
        let row = rows.get(self.row(&rows))?;
        let subject = subject(row, run, &self.held, &self.details, self.diff.unchanged);
        let line = subject.lines.get(self.diff.selection.row.min(subject.lines.len().saturating_sub(1)))?;
        let key = (run.environment.clone(), run.number);
        let nodes = nodes(&row.key, &key, &self.held, &self.details);
        let revealed = if subject.revealed { " · REVEALED" } else { "" };
        let Some(node) = diff::at(nodes, &line.path) else {
            let text = subject.lines.iter().map(|line| (line.text(), line.tone.style(ctx.theme))).collect();
            return Some(Reading::verbatim(format!("{}{revealed}", subject.title), text));
        };
        let name = diff::full_name(nodes, &line.path);
        let text = diff::whole(node).into_iter().map(|(tone, text)| (text, tone.style(ctx.theme))).collect();
        Some(Reading::verbatim(format!("{} · {name}{revealed}", subject.title), text))
    }

    /// What `y` copies: the selected line.
    pub(super) fn copy_difference(&self, ctx: &Context<'_>) -> Option<String> {
        let subject = self.shown_difference(ctx)?;
        let line = subject.lines.get(self.diff.selection.row.min(subject.lines.len().saturating_sub(1)))?;
        Some(line.text().trim().to_owned())
    }
}

/// Draws the pane; `tabs` stand in its title where it shares its place with others.
pub fn render(
    subject: Option<&Subject>,
    pane: &DiffPane,
    buf: &mut Buffer,
    area: Rect,
    (tabs, focused): (&str, bool),
    ctx: &Context<'_>,
) {
    let mut note = Vec::new();
    if subject.is_some_and(|subject| subject.revealed) {
        note.push("REVEALED");
    } else if pane.unchanged {
        note.push("unchanged too");
    }
    let name = subject.map_or("Diff", |subject| &subject.title);
    let room = usize::from(area.width).saturating_sub(6 + note.iter().map(|n| n.len() + 4).sum::<usize>());
    let title = if tabs.is_empty() {
        fit_end(name, room).into_owned()
    } else {
        format!("{tabs} · {}", fit_end(name, room.saturating_sub(width(tabs) + 3)))
    };
    let inner = pane::render_with_note(buf, area, &title, &note.join(" · "), focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let Some(subject) = subject else {
        let text = "what is selected in the plan is shown here, attribute by attribute";
        for (y, text) in (inner.y..inner.bottom()).zip(wrap(text, inner.width.into(), inner.height.into())) {
            buf.set_stringn(inner.x, y, text, inner.width.into(), ctx.theme.dim);
        }
        return;
    };
    // A few sentences are wrapped; a difference stands a line an attribute, or a few where it is narrow.
    if let [line] = &subject.lines[..]
        && line.path.is_empty()
        && line.values.is_empty()
    {
        let style = line.tone.style(ctx.theme);
        for (y, text) in (inner.y..inner.bottom()).zip(wrap(&line.text(), inner.width.into(), inner.height.into())) {
            buf.set_stringn(inner.x, y, text, inner.width.into(), style);
        }
        return;
    }
    let (rows, first) = in_view(subject, pane.selection, inner);
    let selected = pane.selection.row.min(subject.lines.len().saturating_sub(1));
    for (y, (i, row)) in (inner.y..inner.bottom()).zip(rows.iter().skip(first)) {
        let place = Rect { y, height: 1, ..inner };
        drawn(row, inner.width, ctx.theme).render(place, buf);
        if focused && *i == selected {
            table::mark(buf, place, ctx.theme);
        }
    }
    if first + usize::from(inner.height) < rows.len() {
        buf.set_stringn(inner.right() - 1, inner.bottom() - 1, "↓", 1, ctx.theme.key);
    }
}

/// A row of a difference: the place of its line, and its parts.
type PaneRow = (usize, Vec<(Tone, String)>);

/// Every row of a difference within `inner`, and the first of them in view.
fn in_view(subject: &Subject, selection: Selection, inner: Rect) -> (Vec<PaneRow>, usize) {
    let of = |(i, line): (usize, &DiffLine)| line.rows(inner.width.into()).into_iter().map(move |row| (i, row));
    let rows: Vec<PaneRow> = subject.lines.iter().enumerate().flat_map(of).collect();
    let selected = selection.row.min(subject.lines.len().saturating_sub(1));
    let middle = rows.iter().position(|(i, _)| *i == selected).unwrap_or(0);
    let first = Selection { row: middle }.first(rows.len(), inner.height.into());
    (rows, first)
}

/// The line at a click in the pane at `area`.
pub fn clicked(subject: &Subject, pane: &DiffPane, area: Rect, row: u16) -> Option<usize> {
    let inner = area.inner(Margin::new(1, 1));
    let (rows, first) = in_view(subject, pane.selection, inner);
    let offset = usize::from(row.checked_sub(inner.y)?);
    (row < inner.bottom()).then(|| rows.get(first + offset))?.map(|(line, _)| *line)
}

/// A row in `room` columns. What forces a replacement keeps its room, and what is cut says so.
fn drawn(row: &[(Tone, String)], room: u16, theme: &Theme) -> Line<'static> {
    let kept = row.last().filter(|(_, text)| text == diff::FORCES).map_or(0, |(_, text)| width(text));
    let mut left = usize::from(room).saturating_sub(kept);
    let mut spans = Vec::new();
    for (tone, text) in row {
        let most = if text == diff::FORCES { usize::from(room) } else { left };
        let shown = fit(text, most).into_owned();
        left = left.saturating_sub(width(&shown));
        spans.push(Span::styled(shown, tone.style(theme)));
    }
    Line::from(spans)
}
