//! The shown run: what it is, its steps, how far its apply is, and its plan as a tree.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use super::{Focus, Plans, changes};
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::value::{age, fit, hour_minute, seconds, width, wrap};
use crate::owner::{Operation, Phase, Progress, Run, RunSummary, StepRecord, TerraformStatus};
use crate::station::text::{counted, printable};

/// Lines of what is known of a run beside its title, at most.
const MOST_LINES: usize = 2;

/// Whether something of it is, or was, applied.
pub const fn applies(run: &Run) -> bool {
    match (run.phase, &run.failure) {
        (Phase::Applying | Phase::Applied, _) => true,
        (Phase::Failed, Some(failure)) => matches!(failure.phase, Phase::Applying),
        _ => false,
    }
}

/// What stands above the rows of a plan.
struct Head {
    title: String,
    note: String,
    lines: Vec<String>,
}

impl Head {
    fn of(screen: &Plans, run: &Run, columns: u16, ctx: &Context<'_>) -> Self {
        let rows = screen.held.rows(ctx.filter);
        let marked = screen.marked(ctx).len();
        let mut note = Vec::new();
        if marked > 0 {
            note.push(format!("{marked} marked"));
        }
        if ctx.filter.is_active() {
            note.push(format!("{} of {}", rows.passing, counted(rows.all, "change")));
        }
        let note = note.join(" · ");
        let room = usize::from(columns).saturating_sub(4);
        let for_title = room.saturating_sub(if note.is_empty() { 0 } else { width(&note) + 4 });
        let mut parts = parts(run, ctx).into_iter().peekable();
        let mut title = parts.next().unwrap_or_default();
        while let Some(part) = parts.next_if(|part| width(&title) + 3 + width(part) <= for_title) {
            title = format!("{title} · {part}");
        }
        let mut lines: Vec<String> = Vec::new();
        for part in parts {
            let is_full = lines.len() == MOST_LINES;
            match lines.last_mut() {
                Some(line) if is_full || width(line) + 3 + width(&part) <= room + 2 => {
                    *line = format!("{line} · {part}");
                }
                _ => lines.push(part),
            }
        }
        Self { title, note, lines }
    }

    /// Rows it takes within the frame.
    fn height(&self, run: &Run) -> u16 {
        u16::try_from(self.lines.len()).unwrap_or(0) + 1 + u16::from(applies(run))
    }
}

/// What is told of a run, what matters most first.
fn parts(run: &Run, ctx: &Context<'_>) -> Vec<String> {
    let kind = match run.request.operation {
        Operation::Plan => "plan",
        Operation::Destroy => "destroy plan",
        Operation::RefreshOnly => "drift",
    };
    let mut parts = vec![format!("{kind} {}", run.number), run.environment.to_string()];
    parts.extend(run.emulated.then(|| "EMULATED".to_owned()));
    parts.extend(run.counts.map(|counts| counts.to_string()));
    let ago = |word: &str, at| format!("{word} {} ago", age(at, ctx.now));
    parts.push(match (run.phase, run.planned_at, run.ended_at) {
        (Phase::Planned | Phase::Approved, Some(at), _) => {
            format!("{} by {}", ago("planned", at), printable(run.planned_by()))
        }
        (phase, _, Some(at)) => ago(phase.label(), at),
        (phase, _, None) => {
            let since = run.steps.last().filter(|step| step.phase == phase).map(|step| step.started_at);
            format!("{} for {}", phase.label(), age(since.unwrap_or(run.asked_at), ctx.now))
        }
    });
    parts.extend(approved(run, ctx));
    if !run.drift.is_empty() {
        parts.push(format!("{} drifted", run.drift.len()));
    }
    let count = |list: &[String], noun: &str| (!list.is_empty()).then(|| counted(list.len(), noun));
    parts.extend(count(&run.request.targets, "target"));
    parts.extend(count(&run.request.replace, "replacement"));
    // Where resources change too, the plan lists them.
    if run.changes.is_empty() {
        parts.extend(count(&run.changed_outputs, "changed output"));
    }
    if !run.phase.waits() {
        parts.push(format!("planned by {}", printable(run.planned_by())));
    }
    parts
}

/// `approved by ada and grace until 14:00`.
fn approved(run: &Run, ctx: &Context<'_>) -> Option<String> {
    let until = run.approvals.iter().map(|approval| approval.expires_at).min()?;
    let names: Vec<String> = run.approvals.iter().map(|approval| printable(&approval.by)).collect();
    let names = names.join(" and ");
    Some(match run.phase {
        phase if phase.waits() && until <= ctx.now => format!("approval by {names} has expired"),
        Phase::Planned => format!("approved by {names}, which isn't enough yet"),
        Phase::Approved => format!("approved by {names} until {}", clock(until, ctx)),
        _ => format!("approved by {names}"),
    })
}

/// A time of day, with the weekday where it isn't today's.
fn clock(at: Timestamp, ctx: &Context<'_>) -> String {
    let (then, now) = (at.to_zoned(ctx.zone.clone()), ctx.now.to_zoned(ctx.zone.clone()));
    let time = hour_minute(at, ctx.zone);
    if then.date() == now.date() { time } else { format!("{} {time}", then.strftime("%a")) }
}

/// Where the rows are in a pane at `area`.
pub fn rows_area(screen: &Plans, run: &Run, area: Rect, ctx: &Context<'_>) -> Rect {
    let top = 1 + Head::of(screen, run, area.width, ctx).height(run);
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
    let (Some(run), Some((_, summary))) = (screen.shown_run(ctx), screen.summary(ctx)) else {
        return render_none(screen, buf, area, focused, ctx);
    };
    let head = Head::of(screen, run, area.width, ctx);
    let inner = pane::render_with_note(buf, area, &head.title, &head.note, focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    let mut y = inner.y;
    for line in &head.lines {
        if y < inner.bottom() {
            buf.set_stringn(inner.x, y, fit(line, room), room, ctx.theme.text);
        }
        y += 1;
    }
    if y < inner.bottom() {
        steps(run, inner.width, ctx).render(Rect { y, height: 1, ..inner }, buf);
    }
    if applies(run) && y + 1 < inner.bottom() {
        bar(run, summary, inner.width, ctx).render(Rect { y: y + 1, height: 1, ..inner }, buf);
    }
    let place = rows_area(screen, run, area, ctx).intersection(inner);
    let rows = screen.held.rows(ctx.filter);
    if rows.is_empty() {
        let all = rows.all + screen.held.plan().outputs.len();
        for (y, text) in (place.y..place.bottom()).zip(wrap(&why_empty(run, all), room, place.height.into())) {
            buf.set_stringn(place.x, y, text, room, ctx.theme.dim);
        }
        return;
    }
    changes::render(screen, &rows, buf, place, (applies(run), focused), ctx);
}

const STEPS: [(Phase, &str); 6] = [
    (Phase::Initialising, "init"),
    (Phase::CheckingFormat, "fmt"),
    (Phase::Validating, "validate"),
    (Phase::Planning, "plan"),
    (Phase::Checking, "check"),
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
            // Not every apply is looked at before.
            if phase == Phase::Checking && record.is_none() {
                continue;
            }
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

/// A bar and how many of the changes are done, as the list of runs counts them.
fn bar(run: &Run, summary: &RunSummary, width: u16, ctx: &Context<'_>) -> Line<'static> {
    let (done, all) = summary.progress();
    let failed = run.changes.iter().filter(|change| matches!(change.progress, Progress::Failed { .. })).count();
    let figures = if failed > 0 { format!(" {done}/{all}, {failed} failed") } else { format!(" {done}/{all}") };
    let room = width.saturating_sub(u16::try_from(figures.len()).unwrap_or(0) + 1).min(60);
    let full = (u32::from(room) * done).checked_div(all).and_then(|full| u16::try_from(full).ok()).unwrap_or(0);
    let style = if run.phase == Phase::Failed { ctx.theme.fail } else { ctx.theme.ok };
    Line::from(vec![
        Span::styled("█".repeat(full.into()), style),
        Span::styled("░".repeat(room.saturating_sub(full).into()), ctx.theme.dim),
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
        (Phase::Planned | Phase::Approved, _) => "only outputs change".into(),
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
    match (status.terraform.fault(), &screen.held.failure) {
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
