//! A notice that no pipe takes: what it says, and what is asked before it is taken off the queue.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{date_time_zone, wrap};
use crate::console::widgets::{dialog, pane};
use crate::owner::PoisonView;
use crate::station::text::printable;

/// A notice that is looked at.
#[derive(Debug)]
pub struct NoticeView {
    notice: PoisonView,
    scroll: Selection,
}

impl NoticeView {
    /// Looks at `notice`.
    pub const fn of(notice: PoisonView) -> Self {
        Self { notice, scroll: Selection { row: 0 } }
    }

    /// Scrolls; `false` for any other action.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let height = usize::from(ctx.area.height.saturating_sub(2));
        let rows = self.lines(ctx, usize::from(ctx.area.width.saturating_sub(2))).len();
        self.scroll.update(action, rows.saturating_sub(height) + 1, height)
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let title = format!("Notice {}", printable(&self.notice.id));
        let inner = pane::render(buf, area, &title, true, ctx.theme);
        let lines = self.lines(ctx, usize::from(inner.width));
        pane::scrolled(buf, inner, &lines, self.scroll.row, ctx.theme);
    }

    /// What `y` copies.
    pub fn copy(&self) -> String {
        format!("{}: {}", self.notice.reason, self.notice.content)
    }

    fn lines(&self, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
        let notice = &self.notice;
        let fact = |name: &str, text: String| {
            Line::from(vec![Span::styled(format!("{name:<10}"), ctx.theme.dim), Span::styled(text, ctx.theme.text)])
        };
        let mut lines =
            vec![fact("is", if notice.aside_at.is_some() { "kept aside" } else { "in the queue" }.to_owned())];
        lines.extend(notice.put_at.map(|at| fact("put in", date_time_zone(at, ctx.zone))));
        lines.extend(notice.aside_at.map(|at| fact("aside", date_time_zone(at, ctx.zone))));
        lines.extend([Line::default(), Line::styled("Why no pipe takes it", ctx.theme.title)]);
        lines.extend(wrap(&notice.reason, room, 6).into_iter().map(|part| Line::styled(part, ctx.theme.fail)));
        lines.extend([Line::default(), Line::styled("Its beginning", ctx.theme.title)]);
        let content = if notice.content.is_empty() { "it is empty" } else { &notice.content };
        lines.extend(wrap(&printable(content), room, 20).into_iter().map(|part| Line::styled(part, ctx.theme.text)));
        lines
    }
}

/// Asks whether a notice is to be taken off.
pub fn ask(notice: &PoisonView, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let paragraphs = [
        format!("Take notice {} off the queue?", printable(&notice.id)),
        format!("No pipe takes it: {}.", printable(&notice.reason)),
        "It is received, kept in aside.db with its reason, and then deleted from the queue, it alone. Up to 31 notices that \
         are received with it are hidden from their pipe for 10 seconds, and come back by themselves."
            .to_owned(),
        "enter: yes · q: no".to_owned(),
    ];
    dialog::question(buf, area, "Take the notice off", &paragraphs, ctx.theme);
}

/// Why the selected notice can't be taken off.
pub fn not_taken(notice: Option<&PoisonView>, ctx: &Context<'_>) -> Option<String> {
    let is_own = ctx.snapshot.storage.as_ref().is_some_and(|view| view.own);
    let words = match notice {
        _ if ctx.read_only => "this console is read-only; start it without --read-only to take a notice off",
        _ if ctx.stale => "the owner of this environment has ended, so nothing can be changed",
        _ if is_own => "the loader of this environment keeps what it can't read aside by itself",
        None => "no notice is there that no pipe takes",
        Some(notice) if notice.aside_at.is_some() => "it is off the queue already, and kept aside",
        Some(_) => return None,
    };
    Some(words.to_owned())
}
