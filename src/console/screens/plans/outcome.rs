//! What a failed run made, what it didn't, why, and what to do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::screens::Context;
use crate::console::theme::Theme;
use crate::console::widgets::pane;
use crate::console::widgets::value::{fit, wrap};
use crate::owner::{Failure, Phase, Progress, Run};
use crate::station::text::printable;

/// Rows its pane takes, frame included; 0 for a run that hasn't failed.
pub fn height(run: &Run, width: u16) -> u16 {
    let Some(failure) = &run.failure else { return 0 };
    let advice = wrap(&advice(failure), usize::from(width.saturating_sub(2)), 2).len();
    u16::try_from(lines(run, failure).len() + advice + 2).unwrap_or(u16::MAX)
}

fn advice(failure: &Failure) -> String {
    format!("→ {}", printable(&failure.advice))
}

/// A line's sign, its text, and whether that lost its way (fails), waits (warns) or is done.
fn lines(run: &Run, failure: &Failure) -> Vec<(Tone, String)> {
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
    }
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
}

impl Tone {
    const fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Done => theme.ok,
            Self::Left => theme.warn,
            Self::Failed => theme.fail,
        }
    }
}

/// Draws it; nothing for a run that hasn't failed.
pub fn render(run: &Run, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let Some(failure) = run.failure.as_ref().filter(|_| !area.is_empty()) else { return };
    let word = if failure.interrupted { "Interrupted" } else { "Failed" };
    let title = format!("{word} while {}", failure.phase.label());
    let inner = pane::render_with_note(buf, area, &title, "enter reads it whole", false, ctx.theme);
    let room = usize::from(inner.width);
    let mut rows: Vec<(String, Style)> = lines(run, failure)
        .into_iter()
        .map(|(tone, text)| (fit(&printable(&text), room).into_owned(), tone.style(ctx.theme)))
        .collect();
    let advice = wrap(&advice(failure), room, 2);
    // What to do is the last to give way.
    rows.truncate(usize::from(inner.height).saturating_sub(advice.len()));
    rows.extend(advice.into_iter().map(|text| (text, ctx.theme.notice)));
    for (y, (text, style)) in (inner.y..inner.bottom()).zip(rows) {
        buf.set_stringn(inner.x, y, text, room, style);
    }
}
