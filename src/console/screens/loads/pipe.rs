//! All that is known of one pipe: its figures, and what is wrong in the order to look at it.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::pipes::lit;
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{ABSENT, age, count, counted, wrap};
use crate::console::widgets::{lamp, pane};
use crate::owner::Pipe;
use crate::station::text::printable;

/// Columns of a figure's name.
const NAME: usize = 15;

/// A pipe that is looked at, by its name: the snapshot has how it stands.
#[derive(Debug)]
pub struct PipeView {
    pipe: String,
    scroll: Selection,
}

impl PipeView {
    /// Looks at the pipe of that name.
    pub fn of(pipe: &str) -> Self {
        Self { pipe: pipe.to_owned(), scroll: Selection::default() }
    }

    fn found<'a>(&self, ctx: &Context<'a>) -> Option<&'a Pipe> {
        ctx.snapshot.pipes.iter().find(|pipe| pipe.name == self.pipe)
    }

    /// Scrolls; `false` for any other action.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let height = usize::from(ctx.area.height.saturating_sub(2));
        let rows = self.lines(ctx, usize::from(ctx.area.width.saturating_sub(2))).len();
        self.scroll.update(action, rows.saturating_sub(height) + 1, height)
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let inner = pane::render(buf, area, &printable(&self.pipe), true, ctx.theme);
        let lines = self.lines(ctx, usize::from(inner.width));
        pane::scrolled(buf, inner, &lines, self.scroll.row, ctx.theme);
    }

    /// What `y` copies: what is wrong, with the statements that mend it.
    pub fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        let found = findings(self.found(ctx)?);
        Some(if found.is_empty() { self.pipe.clone() } else { found.join("\n") })
    }

    fn lines(&self, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
        let Some(pipe) = self.found(ctx) else {
            return vec![Line::styled("this pipe is gone", ctx.theme.dim)];
        };
        let lit = lit(pipe, ctx);
        let state =
            Span::styled(format!("{} {}", lamp::glyph(lit), printable(&pipe.state)), lamp::style(lit, ctx.theme));
        let name = |name: &str| Span::styled(format!("{name:<NAME$} "), ctx.theme.dim);
        let mut lines = vec![Line::from(vec![name("state"), state])];
        let figures = figures(pipe, ctx).into_iter();
        lines.extend(figures.map(|(of, text)| Line::from(vec![name(of), Span::styled(text, ctx.theme.text)])));
        let found = findings(pipe);
        lines.push(Line::default());
        if found.is_empty() {
            lines.push(Line::styled("nothing is wrong with it", ctx.theme.dim));
            return lines;
        }
        lines.push(Line::styled("What is wrong, the first to look at first", ctx.theme.title));
        for (number, finding) in (1..).zip(&found) {
            let parts = wrap(finding, room.saturating_sub(3), 20);
            let starts = std::iter::once(format!("{number}. ")).chain(std::iter::repeat("   ".to_owned()));
            lines.extend(starts.zip(parts).map(|(start, part)| Line::styled(format!("{start}{part}"), ctx.theme.fail)));
        }
        lines
    }
}

fn findings(pipe: &Pipe) -> Vec<String> {
    let of_its_own = || pipe.last_error.iter().cloned().collect::<Vec<_>>();
    let found = pipe.watch.as_ref().map_or_else(of_its_own, |watch| {
        // The last failed file stands beneath what is wrong with the pipe itself.
        let last = pipe.last_error.iter().filter(|last| !watch.findings.contains(last));
        watch.findings.iter().chain(last).cloned().collect::<Vec<_>>()
    });
    found.iter().map(|finding: &String| printable(finding)).collect()
}

fn figures(pipe: &Pipe, ctx: &Context<'_>) -> Vec<(&'static str, String)> {
    let now = ctx.pipeline_now();
    let since = |at: Option<Timestamp>| at.map_or_else(|| ABSENT.to_owned(), |at| age(at, now));
    let ago = |at: Option<Timestamp>| at.map_or_else(|| ABSENT.to_owned(), |at| format!("{} ago", age(at, now)));
    let watch = pipe.watch.as_deref();
    // What isn't known is no zero.
    let known = |is_known: Option<bool>, text: String| if is_known.unwrap_or(true) { text } else { ABSENT.to_owned() };
    let has_status = watch.map(|watch| watch.status_trouble.is_none());
    let has_files = watch.map(|watch| watch.files_known);
    let mut figures = vec![
        ("from, into", format!("{}, {}", printable(&pipe.container), printable(&pipe.table))),
        ("pending", known(has_status, counted(pipe.pending_files, "file"))),
        ("oldest pending", since(pipe.oldest_pending_at)),
        ("received", ago(pipe.last_received_at)),
    ];
    figures.extend(watch.map(|watch| ("forwarded", ago(watch.last_forwarded_at))));
    figures.extend([
        ("loaded", ago(pipe.last_loaded_at)),
        (
            "files",
            known(has_files, format!("{} loaded, {} failed", count(pipe.files_loaded), count(pipe.files_failed))),
        ),
        ("rows", known(watch.map(|watch| watch.rows_known), count(pipe.rows))),
        ("newest row", ago(pipe.newest_row_at)),
        ("duplicates", known(watch.map(|watch| watch.duplicates_known), count(pipe.duplicates))),
    ]);
    if let Some(watch) = watch {
        let number = |number: Option<f64>, digits: usize| {
            number.map_or_else(|| ABSENT.to_owned(), |number| format!("{number:.digits$}"))
        };
        figures.push(("rows a minute", number(watch.rows_per_min, 2)));
        figures.push(("credits today", number(watch.credits_today, 6)));
        figures.extend(watch.remade_at.map(|at| ("made anew", format!("{} ago", age(at, now)))));
    }
    figures
}
