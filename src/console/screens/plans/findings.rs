//! What the policies say of the shown run's plan: the gravest first, each whole or in a few lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::reading::Reading;
use super::words;
use crate::console::screens::Context;
use crate::console::theme::Theme;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Selection};
use crate::console::widgets::value::wrap;
use crate::owner::{Finding, FindingSeverity, Phase, Run};
use crate::station::text::printable;

/// Lines a finding has at most: as many as let all of them be seen at once, but so many in any case.
const MOST_LINES: std::ops::RangeInclusive<usize> = 3..=8;
/// Columns of a severity's word and the space behind it.
const WORD: u16 = 5;

/// How many findings of each weight there are: `1 DENY · 2 WARN`; empty where there are none.
pub fn tally(findings: &[Finding]) -> String {
    let severities = [FindingSeverity::Deny, FindingSeverity::Warn, FindingSeverity::Info];
    let counts = severities.map(|severity| (severity, findings.iter().filter(|f| f.severity == severity).count()));
    let some = counts.into_iter().filter(|(_, count)| *count > 0);
    some.map(|(severity, count)| format!("{count} {}", severity.label())).collect::<Vec<_>>().join(" · ")
}

/// A finding in words, for dialogs: `DENY data-holders: …`.
pub fn in_words(finding: &Finding) -> String {
    printable(&format!("{} {}: {}", finding.severity.label(), finding.policy, finding.message))
}

/// One finding whole.
pub fn reading(finding: &Finding, theme: &Theme) -> Reading {
    let style = words::severity_style(finding.severity, theme);
    let mut text = vec![(printable(&finding.message), style), (String::new(), theme.text)];
    text.extend(finding.addresses.iter().map(|address| (printable(address), theme.text)));
    if !finding.addresses.is_empty() {
        text.push((String::new(), theme.text));
        text.push(("J goes there in the plan; pressed again, to the next one".into(), theme.dim));
    }
    if let Some(link) = finding.see() {
        let word = if link.starts_with('`') { "by" } else { "in" };
        text.push((format!("explained {word} {}", printable(&link)), theme.notice));
    }
    text.push((format!("policy {}", printable(&finding.policy)), theme.dim));
    Reading::paragraphs(format!("{} · {}", finding.severity.label(), finding.policy), text)
}

/// The lines of a list in that room: the place of each line's finding, and the line.
fn lines(findings: &[Finding], room: Rect) -> Vec<(usize, String)> {
    let columns = usize::from(room.width.saturating_sub(WORD));
    let of = |most: usize| {
        let lines = move |(place, finding): (usize, &Finding)| {
            let lines = wrap(&printable(&finding.message), columns, most);
            lines.into_iter().map(move |line| (place, line))
        };
        findings.iter().enumerate().flat_map(lines).collect::<Vec<_>>()
    };
    let fits = |most: usize| Some(of(most)).filter(|lines| lines.len() <= usize::from(room.height));
    MOST_LINES.rev().find_map(fits).unwrap_or_else(|| of(*MOST_LINES.start()))
}

fn first(lines: &[(usize, String)], selected: usize, height: usize) -> usize {
    let middle = lines.iter().position(|(place, _)| *place == selected).unwrap_or(0) + 1;
    Selection { row: middle }.first(lines.len(), height)
}

/// The finding at a click in the pane at `area`.
pub fn clicked(findings: &[Finding], selected: usize, area: Rect, row: u16) -> Option<usize> {
    let inner = area.inner(ratatui::layout::Margin::new(1, 1));
    let lines = lines(findings, inner);
    let offset = usize::from(row.checked_sub(inner.y)?);
    (row < inner.bottom()).then(|| lines.get(first(&lines, selected, inner.height.into()) + offset))?.map(|line| line.0)
}

/// Draws the pane; `tabs` stand in its title where it shares its place with others.
pub fn render(
    run: Option<&Run>,
    selection: Selection,
    buf: &mut Buffer,
    area: Rect,
    (tabs, focused): (&str, bool),
    ctx: &Context<'_>,
) {
    let findings = run.map_or(&[][..], |run| &run.findings);
    let title = if tabs.is_empty() { "Findings" } else { tabs };
    let note = tally(findings);
    let inner = pane::render_with_note(buf, area, title, &note, focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    if findings.is_empty() {
        let (text, style) = nothing(run, ctx.theme);
        for (y, text) in (inner.y..inner.bottom()).zip(wrap(text, room, inner.height.into())) {
            buf.set_stringn(inner.x, y, text, room, style);
        }
        return;
    }
    let lines = lines(findings, inner);
    let selected = selection.row.min(findings.len() - 1);
    let height = usize::from(inner.height);
    let first = first(&lines, selected, height);
    let mut told = None;
    for (y, (place, line)) in (inner.y..inner.bottom()).zip(lines.iter().skip(first)) {
        let severity = findings[*place].severity;
        let style = words::severity_style(severity, ctx.theme);
        if told != Some(*place) {
            buf.set_stringn(inner.x, y, severity.label(), room, style);
            told = Some(*place);
        }
        buf.set_stringn(inner.x + WORD.min(inner.width), y, line, room.saturating_sub(WORD.into()), ctx.theme.text);
        if focused && *place == selected {
            table::mark(buf, Rect { y, height: 1, ..inner }, ctx.theme);
        }
    }
    if first + height < lines.len() {
        buf.set_stringn(inner.right() - 1, inner.bottom() - 1, "↓", 1, ctx.theme.key);
    }
}

fn nothing(run: Option<&Run>, theme: &Theme) -> (&'static str, Style) {
    match run {
        None => ("what the policies say of a plan is shown here", theme.dim),
        Some(run) if run.record.is_some() => ("no policy has anything to say of this plan", theme.ok),
        Some(run) if run.phase.is_active() && run.phase != Phase::Applying => {
            ("the policies judge the plan as soon as it is made", theme.dim)
        }
        Some(_) => ("its plan wasn't judged", theme.dim),
    }
}
