//! The shown run: what it is, its steps, how far its apply is, and every change by address.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use super::{Focus, Plans, words};
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{age, fit, seconds, width, wrap};
use crate::owner::{Operation, Phase, Progress, ResourceChange, Run, StepRecord, TerraformStatus};
use crate::station::text::printable;

/// A row of the list: a change that is planned, or one found behind Terraform's back.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The change.
    pub change: &'a ResourceChange,
    /// Whether it was made behind Terraform's back.
    pub drifted: bool,
}

/// The changes and the drift that pass the filter.
pub fn rows<'a>(run: &'a Run, ctx: &Context<'_>) -> Vec<Row<'a>> {
    let planned = run.changes.iter().map(|change| Row { change, drifted: false });
    let drifted = run.drift.iter().map(|change| Row { change, drifted: true });
    planned.chain(drifted).filter(|row| ctx.filter.matches(&line(row))).collect()
}

/// What the filter is held against.
fn line(row: &Row<'_>) -> String {
    format!("{} {} {}", row.change.action.sign(), row.change.address, why(row))
}

fn why(row: &Row<'_>) -> String {
    let why = row.change.why().map(|why| printable(&why));
    if row.drifted { "drifted: changed behind Terraform".into() } else { why.unwrap_or_default() }
}

/// Rows above the list: summary, steps, and a progress bar where something is applied.
const fn head(run: &Run) -> u16 {
    if applies(run) { 3 } else { 2 }
}

const fn applies(run: &Run) -> bool {
    match (run.phase, &run.failure) {
        (Phase::Applying | Phase::Applied, _) => true,
        (Phase::Failed, Some(failure)) => matches!(failure.phase, Phase::Applying),
        _ => false,
    }
}

/// Where the list is, its title line included, in a pane at `area`.
pub const fn table_area(run: &Run, area: Rect) -> Rect {
    let top = 1 + head(run);
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(top),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(top + 1),
    }
}

/// Draws the shown run, or why there is none.
pub fn render(screen: &Plans, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let focused = screen.focus == Focus::Changes;
    let Some(run) = screen.shown_run(ctx) else { return render_none(screen, buf, area, focused, ctx) };
    let shown = rows(run, ctx);
    let all = run.changes.len() + run.drift.len();
    let marked = screen.marked(ctx);
    let mut note = Vec::new();
    if !marked.is_empty() {
        note.push(format!("{} marked", marked.len()));
    }
    if shown.len() < all {
        note.push(format!("{} of {all} changes", shown.len()));
    }
    let inner = pane::render_with_note(buf, area, &run.title(), &note.join(" · "), focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    buf.set_stringn(inner.x, inner.y, fit(&summary(run, ctx), room), room, ctx.theme.text);
    if inner.height > 1 {
        steps(run, inner.width, ctx).render(Rect { y: inner.y + 1, height: 1, ..inner }, buf);
    }
    if applies(run) && inner.height > 2 {
        bar(run, inner.width, ctx).render(Rect { y: inner.y + 2, height: 1, ..inner }, buf);
    }
    let place = table_area(run, area).intersection(inner);
    if shown.is_empty() {
        for (y, text) in (place.y..place.bottom()).zip(wrap(&why_empty(run, all), room, place.height.into())) {
            buf.set_stringn(place.x, y, text, room, ctx.theme.dim);
        }
        return;
    }
    let columns = columns(applies(run), &shown, place.width);
    let selection = selection(screen.change, &shown);
    let row = |i: usize| shown.get(i).map(|row| cells(row, &marked, ctx)).unwrap_or_default();
    if focused {
        return table::render(buf, place, &columns, shown.len(), row, Some(selection), ctx.theme);
    }
    let first = selection.first(shown.len(), usize::from(place.height.saturating_sub(1)));
    table::render(buf, place, &columns, shown.len() - first, |i| row(first + i), None, ctx.theme);
}

/// The selected row: where it was put, or else where the work is: what failed, what is worked on.
pub fn selection(put: Option<Selection>, shown: &[Row<'_>]) -> Selection {
    let at = |is: fn(&Progress) -> bool| shown.iter().position(|row| is(&row.change.progress));
    let at_work = || {
        at(|progress| matches!(progress, Progress::Failed { .. }))
            .or_else(|| at(|progress| matches!(progress, Progress::Running { .. })))
            .unwrap_or(0)
    };
    put.unwrap_or_else(|| Selection { row: at_work() })
}

fn columns(applies: bool, shown: &[Row<'_>], room: u16) -> [Column; 5] {
    let longest =
        |of: &dyn Fn(&Row<'_>) -> usize| u16::try_from(shown.iter().map(of).max().unwrap_or(0)).unwrap_or(u16::MAX);
    let progress = if applies { 11 } else { 0 };
    let address = longest(&|row| width(&row.change.address));
    let left = room.saturating_sub(address.saturating_add(progress + 1 + 3 + 4));
    // Addresses have their room first; why has a little in any case, but beside a narrow pane's progress.
    let least = if applies && room < 84 { 0 } else { 18 };
    let why = left.max(least).min(longest(&|row| width(&why(row))));
    let why = if why > 0 { Column::text("why", why.max(3)) } else { Column::text("", 0) };
    let progress = Column::text("progress", progress);
    [Column::text("", 1), Column::text("", 3), Column::text("address", 12).fill().keep_end(), why, progress]
}

fn cells(row: &Row<'_>, marked: &[String], ctx: &Context<'_>) -> Vec<Cell> {
    let change = row.change;
    let mark = if marked.contains(&change.address) { "◆" } else { " " };
    let sign = if change.importing.is_some() && change.action == crate::owner::ChangeAction::Import {
        ">".to_owned()
    } else {
        change.action.sign().to_owned()
    };
    let (progress, style) = words::progress(&change.progress, ctx.now, ctx.theme);
    let (progress, style) = if row.drifted { (String::new(), Style::new()) } else { (progress, style) };
    let sign_style = if row.drifted { ctx.theme.notice } else { words::action_style(change.action, ctx.theme) };
    vec![
        Cell::styled(mark, ctx.theme.key),
        Cell::styled(if row.drifted { "≠".to_owned() } else { sign }, sign_style),
        printable(&change.address).into(),
        Cell::styled(why(row), ctx.theme.dim),
        Cell::styled(progress, style),
    ]
}

/// `+46 ~0 -/+0 -0 · planned 2 min ago · 2 targets · by ada@roof`.
fn summary(run: &Run, ctx: &Context<'_>) -> String {
    let mut parts = Vec::new();
    parts.extend(run.counts.map(|counts| counts.to_string()));
    let ago = |word: &str, at| format!("{word} {} ago", age(at, ctx.now));
    parts.push(match (run.phase, run.planned_at, run.ended_at) {
        (Phase::Planned, Some(at), _) => ago("planned", at),
        (phase, _, Some(at)) => ago(phase.label(), at),
        (phase, _, None) => {
            let since = run.steps.last().filter(|step| step.phase == phase).map(|step| step.started_at);
            format!("{} for {}", phase.label(), age(since.unwrap_or(run.asked_at), ctx.now))
        }
    });
    if !run.drift.is_empty() {
        parts.push(format!("{} drifted", run.drift.len()));
    }
    let count = |list: &[String], word: &str| match list.len() {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    parts.extend(count(&run.request.targets, "target"));
    parts.extend(count(&run.request.replace, "replacement"));
    if !run.changed_outputs.is_empty() {
        parts.extend(count(&run.changed_outputs, "changed output"));
    }
    parts.push(format!("by {}", printable(&run.asked_by)));
    parts.join(" · ")
}

const STEPS: [(Phase, &str); 5] = [
    (Phase::Initialising, "init"),
    (Phase::CheckingFormat, "fmt"),
    (Phase::Validating, "validate"),
    (Phase::Planning, "plan"),
    (Phase::Applying, "apply"),
];

/// The steps with their signs, and how long each took where there is room for it.
fn steps(run: &Run, width: u16, ctx: &Context<'_>) -> Line<'static> {
    let spans = |timed: bool, gap: &str| {
        let queued = if run.phase == Phase::Queued { ("»", ctx.theme.notice) } else { ("✓", ctx.theme.ok) };
        let mut spans = vec![Span::styled("queued ", ctx.theme.dim), Span::styled(queued.0, queued.1)];
        // Where there is little room, what lies behind every run gives way.
        if gap == " " && run.phase != Phase::Queued {
            spans.clear();
        }
        for (phase, name) in STEPS {
            let record = run.steps.iter().rev().find(|step| step.phase == phase);
            let (sign, style) = sign(record, run, ctx);
            let gap = if spans.is_empty() { "" } else { gap };
            spans.push(Span::styled(format!("{gap}{name} "), ctx.theme.dim));
            spans.push(Span::styled(sign, style));
            if let Some(took) = record.filter(|_| timed).and_then(|step| took(step, run, ctx)) {
                spans.push(Span::styled(format!(" {took}"), ctx.theme.dim));
            }
        }
        Line::from(spans)
    };
    let mut forms = [spans(true, "  "), spans(false, "  ")].into_iter();
    forms.find(|line| line.width() <= usize::from(width)).unwrap_or_else(|| spans(false, " "))
}

fn sign(record: Option<&StepRecord>, run: &Run, ctx: &Context<'_>) -> (&'static str, Style) {
    match record {
        None => ("○", ctx.theme.dim),
        Some(StepRecord { succeeded: Some(true), .. }) => ("✓", ctx.theme.ok),
        Some(StepRecord { succeeded: None, .. }) if !run.phase.is_end() => ("»", ctx.theme.notice),
        Some(_) => ("✖", ctx.theme.fail),
    }
}

fn took(step: &StepRecord, run: &Run, ctx: &Context<'_>) -> Option<String> {
    let end = step.ended_at.or(run.ended_at).unwrap_or(ctx.now);
    let took = end.duration_since(step.started_at).as_secs_f64().max(0.0);
    Some(seconds(if step.ended_at.is_some() { took } else { took.floor() }))
}

/// A bar and how many of the changes are done.
fn bar(run: &Run, width: u16, ctx: &Context<'_>) -> Line<'static> {
    let done = run.changes.iter().filter(|change| matches!(change.progress, Progress::Done { .. })).count();
    let failed = run.changes.iter().filter(|change| matches!(change.progress, Progress::Failed { .. })).count();
    let all = run.changes.len();
    let figures = if failed > 0 { format!(" {done}/{all}, {failed} failed") } else { format!(" {done}/{all}") };
    let room = usize::from(width).saturating_sub(figures.len() + 1).min(60);
    let full = (room * done).checked_div(all).unwrap_or(0);
    let style = if run.phase == Phase::Failed { ctx.theme.fail } else { ctx.theme.ok };
    Line::from(vec![
        Span::styled("█".repeat(full), style),
        Span::styled("░".repeat(room - full), ctx.theme.dim),
        Span::styled(figures, ctx.theme.text),
    ])
}

fn why_empty(run: &Run, all: usize) -> String {
    match (run.phase, run.request.operation) {
        _ if all > 0 => "no change passes the filter".into(),
        (Phase::Failed, _) => "nothing was planned; why stands below".into(),
        (Phase::Unchanged, Operation::RefreshOnly) => {
            "nothing has drifted: what is there is what the state says".into()
        }
        (Phase::Unchanged, _) if !run.request.targets.is_empty() => {
            "no changes to what was looked at; the rest was not".into()
        }
        (Phase::Unchanged, _) => "no changes: what is there is what the configuration says".into(),
        (phase, _) if phase.is_end() => "it planned no change of a resource".into(),
        (Phase::Planned, _) => "only outputs change".into(),
        (phase, _) => format!("{} …", phase.label()),
    }
}

fn render_none(screen: &Plans, buf: &mut Buffer, area: Rect, focused: bool, ctx: &Context<'_>) {
    let status = &ctx.snapshot.provisioning;
    let environment = screen.environment(ctx);
    let name = environment.map_or_else(|| ctx.snapshot.environment.to_string(), |of| of.environment.to_string());
    let emulated = if environment.is_some_and(|of| of.emulated) { " · EMULATED" } else { "" };
    let inner = pane::render(buf, area, &format!("{name}{emulated}"), focused, ctx.theme);
    let mut sentences: Vec<(String, Style)> = Vec::new();
    let asked = screen.summary(ctx).is_some();
    match (status.terraform.fault(), &screen.failure) {
        _ if status.terraform == TerraformStatus::Unknown => {
            sentences.push(("looking for Terraform …".into(), ctx.theme.dim));
        }
        (Some(fault), _) if !asked => {
            sentences.push((printable(&fault), ctx.theme.warn));
            let also = "Or name its file in the setting provisioning.terraform. Everything else works without it.";
            sentences.push((also.into(), ctx.theme.dim));
        }
        (_, Some(failure)) => sentences.push((failure.clone(), ctx.theme.fail)),
        _ if asked => sentences.push(("asking …".into(), ctx.theme.dim)),
        _ => {
            let text = format!("no run yet: p plans {name}, shows what would be made or changed, and applies nothing");
            sentences.push((text, ctx.theme.text));
            if !emulated.is_empty() {
                let text = "Its providers are emulated: no account is needed, and none is touched.";
                sentences.push((text.into(), ctx.theme.dim));
            }
        }
    }
    let room = usize::from(inner.width.saturating_sub(2));
    let mut y = inner.y;
    for (sentence, style) in sentences {
        for line in wrap(&sentence, room, inner.bottom().saturating_sub(y).into()) {
            buf.set_stringn(inner.x + 1, y, line, room, style);
            y += 1;
        }
        y = y.saturating_add(1).min(inner.bottom());
    }
}
