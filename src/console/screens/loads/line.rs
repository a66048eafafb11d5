//! A file of the history: its facts, and where it failed the line next to its error.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::history::{NEXT_STEP, copied, duplicates, first_error, is_loaded, is_pending, lit};
use super::question::Question;
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{bytes, count, date_time_zone, fit, fit_end, wrap};
use crate::console::widgets::{lamp, pane};
use crate::owner::{Answer, AskError, LoadedFile, Request, WarehouseAsk};
use crate::station::text::printable;

/// A file that is looked into.
#[derive(Debug)]
pub struct LineView {
    file: LoadedFile,
    /// Whether the failing line may be asked for: it costs nothing, or that was agreed to.
    is_allowed: bool,
    /// What came of validating it.
    validated: Option<Result<String, String>>,
    /// The failing line, or why it can't be had; absent until it is answered.
    text: Option<Result<String, String>>,
    scroll: Selection,
}

impl LineView {
    /// Looks into `file`; its failing line is asked for at once where that is `free`.
    pub const fn of(file: LoadedFile, free: bool) -> Self {
        Self { file, is_allowed: free, validated: None, text: None, scroll: Selection { row: 0 } }
    }

    /// Its path.
    pub fn file(&self) -> &str {
        &self.file.file
    }

    /// What is asked before the failing line is; absent where there is none, or it was agreed to.
    pub fn question(&self) -> Option<Question> {
        let line = self.file.first_error_line.filter(|_| !self.is_allowed)?;
        Some(Question::Line { file: self.file.file.clone(), line })
    }

    /// The failing line may be asked for.
    pub const fn allow(&mut self) {
        self.is_allowed = true;
    }

    /// Asks for the failing line, once.
    pub fn wants(&self) -> Option<Request> {
        let line = self.file.first_error_line?;
        (self.is_allowed && self.text.is_none()).then(|| Request::FileLine { file: self.file.file.clone(), line })
    }

    /// Takes the line.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>) {
        if let Request::Warehouse(WarehouseAsk::Validate { file }) = request
            && *file == self.file.file
        {
            self.validated = match answer {
                Ok(Answer::Done { message }) => Some(Ok(printable(message))),
                Ok(_) => None,
                Err(error) => Some(Err(printable(&error.to_string()))),
            };
        }
        let Request::FileLine { file, line } = request else { return };
        if *file != self.file.file || Some(*line) != self.file.first_error_line {
            return;
        }
        match answer {
            Ok(Answer::FileLine { text }) => self.text = Some(Ok(printable(text))),
            Err(error) => self.text = Some(Err(printable(&error.to_string()))),
            Ok(_) => {}
        }
    }

    /// Scrolls; `false` for any other action.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let height = usize::from(ctx.area.height.saturating_sub(2));
        let rows = self.lines(ctx, usize::from(ctx.area.width.saturating_sub(2))).len();
        self.scroll.update(action, rows.saturating_sub(height) + 1, height)
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let name = printable(&self.file.file);
        let title = fit_end(&name, usize::from(area.width.saturating_sub(6)));
        let inner = pane::render(buf, area, &title, true, ctx.theme);
        let lines = self.lines(ctx, usize::from(inner.width));
        pane::scrolled(buf, inner, &lines, self.scroll.row, ctx.theme);
    }

    /// What `y` copies: the file and its error, what to do, and the failing line where it is known.
    pub fn copy(&self) -> Option<String> {
        match &self.text {
            Some(Ok(text)) => Some(format!("{}\n{text}", copied(&self.file))),
            _ => Some(copied(&self.file)),
        }
    }

    fn lines(&self, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
        let file = &self.file;
        let fact = |name: &str, text: String| {
            let text = fit(&text, room.saturating_sub(10)).into_owned();
            Line::from(vec![Span::styled(format!("{name:<10}"), ctx.theme.dim), Span::styled(text, ctx.theme.text)])
        };
        let lit = lit(file);
        let mut lines = vec![
            Line::from(vec![
                Span::styled(format!("{:<10}", "status"), ctx.theme.dim),
                Span::styled(format!("{} {}", lamp::glyph(lit), printable(&file.status)), lamp::style(lit, ctx.theme)),
            ]),
            fact(if is_pending(file) { "noticed" } else { "when" }, date_time_zone(file.loaded_at, ctx.zone)),
            fact("pipe", format!("{}, into {}", printable(&file.pipe), printable(&file.table))),
            fact(
                "rows",
                format!(
                    "{} parsed, {} loaded, {} duplicates",
                    count(file.rows_parsed),
                    count(file.rows_loaded),
                    duplicates(file, ctx)
                ),
            ),
            fact("size", bytes(file.bytes)),
        ];
        lines.extend(self.verdict(ctx, room));
        let Some(error) = first_error(file) else {
            let text = match () {
                () if is_loaded(file) => "nothing failed in it",
                () if is_pending(file) => "its pipe has not come to it yet",
                () => "no error is recorded of it",
            };
            lines.extend([Line::default(), Line::styled(text, ctx.theme.dim)]);
            return lines;
        };
        lines.extend([Line::default(), Line::styled("First error", ctx.theme.title)]);
        lines.extend(wrap(&error, room, 6).into_iter().map(|part| Line::styled(part, ctx.theme.fail)));
        lines.push(Line::default());
        lines.extend(self.failing_line(ctx, room));
        lines.push(Line::default());
        lines.extend(wrap(NEXT_STEP, room, 3).into_iter().map(|part| Line::styled(part, ctx.theme.text)));
        lines
    }

    /// What came of validating it.
    fn verdict(&self, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
        let (words, style) = match &self.validated {
            None => return Vec::new(),
            Some(Ok(words)) => (words, ctx.theme.text),
            Some(Err(words)) => (words, ctx.theme.fail),
        };
        let title = [Line::default(), Line::styled("Validated", ctx.theme.title)];
        title.into_iter().chain(wrap(words, room, 6).into_iter().map(|part| Line::styled(part, style))).collect()
    }

    fn failing_line(&self, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
        let Some(number) = self.file.first_error_line else {
            return vec![Line::styled("the error has no line: it concerns the whole file", ctx.theme.dim)];
        };
        let mut lines = vec![Line::styled(format!("Line {number}"), ctx.theme.title)];
        match &self.text {
            None if !self.is_allowed => lines.push(Line::styled("not read yet; enter reads it", ctx.theme.dim)),
            None => lines.push(Line::styled("asking …", ctx.theme.dim)),
            Some(Err(reason)) => {
                lines.extend(wrap(reason, room, 6).into_iter().map(|part| Line::styled(part, ctx.theme.fail)));
            }
            Some(Ok(text)) => lines.extend(self.marked(text, ctx, room)),
        }
        lines
    }

    /// The line broken at `room` characters, with a `^` beneath the column of the error.
    fn marked(&self, text: &str, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
        let mark = self.file.first_error_column.and_then(|c| usize::try_from(c).ok()?.checked_sub(1));
        let characters: Vec<char> = text.chars().collect();
        let mut lines = Vec::new();
        for (i, chunk) in characters.chunks(room.max(1)).enumerate() {
            let start = i * room.max(1);
            let at = mark.and_then(|mark| mark.checked_sub(start)).filter(|at| *at < chunk.len());
            let spans = chunk.iter().enumerate().map(|(n, c)| {
                let style =
                    if Some(n) == at { ctx.theme.fail.add_modifier(Modifier::REVERSED) } else { ctx.theme.text };
                Span::styled(c.to_string(), style)
            });
            lines.push(Line::from(spans.collect::<Vec<_>>()));
            if let Some(at) = at {
                lines.push(Line::styled(format!("{:at$}^", ""), ctx.theme.fail));
            }
        }
        lines
    }
}
