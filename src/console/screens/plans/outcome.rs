//! Why a run came to nothing: what a failed one made and what it didn't, what has moved since a plan was made.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::screens::Context;
use crate::console::theme::Theme;
use crate::console::widgets::pane;
use crate::console::widgets::value::{fit, wrap};
use crate::owner::{Failure, Phase, Progress, Run};
use crate::station::text::{counted, printable};

/// Lines that a diagnostic's detail has at most.
const MOST_DETAIL: usize = 3;
/// Lines of what has moved, at most.
const MOST_MOVED: usize = 6;

/// Rows its pane takes, frame included; 0 for a run that has neither failed nor been overtaken.
pub fn height(run: &Run, width: u16) -> u16 {
    let room = usize::from(width.saturating_sub(2));
    let rows = match &run.failure {
        Some(failure) => lines(run, failure, room).len() + wrap(&advice(failure), room, 2).len(),
        None if run.moved.is_empty() => return 0,
        None => run.moved.len().min(MOST_MOVED) + 1,
    };
    u16::try_from(rows + 2).unwrap_or(u16::MAX)
}

/// The rest of what is known of a run that doesn't hold any more, in words.
pub const fn moved_advice(run: &Run) -> &'static str {
    match run.phase {
        Phase::Expired => "→ make a new plan: this one is too old to be applied",
        Phase::Stale => "→ make a new plan, and read it: this one isn't what would happen now",
        _ => "→ it can't be applied as it is",
    }
}

/// A title for why a run that hasn't failed came to nothing.
pub fn moved_title(run: &Run) -> String {
    match run.phase {
        Phase::Stale => "Stale: what has moved since the plan".into(),
        Phase::Expired => "Expired".into(),
        phase => format!("Why it is {}", phase.label()),
    }
}

fn advice(failure: &Failure) -> String {
    format!("→ {}", printable(&failure.advice))
}

/// A line's sign, its text, and whether that lost its way (fails), waits (warns) or is done.
fn lines(run: &Run, failure: &Failure, room: usize) -> Vec<(Tone, String)> {
    let mut lines = Vec::new();
    if failure.phase == Phase::Applying {
        let of = |is: fn(&Progress) -> bool| {
            let addresses: Vec<&str> =
                run.changes.iter().filter(|change| is(&change.progress)).map(|change| &*change.address).collect();
            (addresses.len(), addresses.join(", "))
        };
        let (made, made_of) = of(|progress| matches!(progress, Progress::Done { .. }));
        let (left, left_of) = of(|progress| matches!(progress, Progress::Pending | Progress::Skipped));
        let made_of = if made == 0 { "nothing was made or changed".to_owned() } else { made_of };
        lines.push((Tone::Done, format!("✓ done {made}: {made_of}")));
        if left > 0 {
            lines.push((Tone::Left, format!("○ not begun {left}: {left_of}")));
        }
    }
    for diagnostic in failure.diagnostics.iter().filter(|diagnostic| diagnostic.error).take(2) {
        let about = diagnostic.address.as_deref().map(|address| format!("{address}: ")).unwrap_or_default();
        lines.push((Tone::Failed, format!("✖ {about}{}", diagnostic.summary)));
        let detail = wrap(&printable(&diagnostic.detail), room.saturating_sub(2), MOST_DETAIL);
        lines.extend(detail.into_iter().map(|line| (Tone::Detail, format!("  {line}"))));
    }
    lines.extend(run.moved.iter().take(MOST_MOVED).map(|line| (Tone::Left, format!("≠ {line}"))));
    if let Some(lock) = &failure.lock {
        lines.push((Tone::Left, format!("▲ locked by {} for {}, lock {}", lock.who, lock.purpose(), lock.short_id())));
    }
    lines
}

#[derive(Clone, Copy)]
enum Tone {
    Done,
    Left,
    Failed,
    Detail,
}

impl Tone {
    const fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Done => theme.ok,
            Self::Left => theme.warn,
            Self::Failed => theme.fail,
            Self::Detail => theme.text,
        }
    }
}

/// Draws it; nothing for a run that has neither failed nor been overtaken.
pub fn render(run: &Run, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    if area.is_empty() || (run.failure.is_none() && run.moved.is_empty()) {
        return;
    }
    let room = usize::from(area.width.saturating_sub(2));
    let (title, told, advice) = match &run.failure {
        Some(failure) => {
            let word = if failure.interrupted { "Interrupted" } else { "Failed" };
            let title = format!("{word} while {}", failure.phase.label());
            (title, lines(run, failure, room), wrap(&advice(failure), room, 2))
        }
        None => {
            let told = run.moved.iter().map(|line| (Tone::Left, format!("≠ {line}"))).collect();
            (moved_title(run), told, vec![moved_advice(run).to_owned()])
        }
    };
    let inner = pane::render_with_note(buf, area, &title, "enter reads it whole", false, ctx.theme);
    // What to do is the last to give way, and a diagnostic's detail the first.
    let height = usize::from(inner.height).saturating_sub(advice.len());
    let mut told = told;
    while told.len() > height {
        let Some(place) = told.iter().rposition(|(tone, _)| matches!(tone, Tone::Detail)) else { break };
        told.remove(place);
    }
    let hidden = told.len().saturating_sub(height);
    told.truncate(height);
    let mut rows: Vec<(String, Style)> = told
        .into_iter()
        .map(|(tone, text)| (fit(&printable(&text), room).into_owned(), tone.style(ctx.theme)))
        .collect();
    if let (Some(last), true) = (rows.last_mut(), hidden > 0) {
        last.0 = fit(&format!("… and {} more", counted(hidden + 1, "line")), room).into_owned();
    }
    rows.extend(advice.into_iter().map(|text| (text, ctx.theme.notice)));
    for (y, (text, style)) in (inner.y..inner.bottom()).zip(rows) {
        buf.set_stringn(inner.x, y, text, room, style);
    }
}
