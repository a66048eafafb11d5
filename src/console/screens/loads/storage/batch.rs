//! A batch that is opened: its lines page by page, so that one of 100 MiB needs no more room than another.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use serde_json::Value;

use super::super::history::whole;
use super::line;
use crate::console::Action;
use crate::console::export::{self, Exportable};
use crate::console::screens::{Context, SizeClass};
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{ABSENT, bytes, fit_end, wrap};
use crate::owner::{Answer, AskError, BatchLine, BatchView, Request, StorageAnswer, StorageAsk};
use crate::station::text::printable;

/// Lines of a page.
const PAGE: usize = 200;

const COLUMNS: [Column; 5] = [
    Column::number("line", 6),
    Column::text("enqueued", 8).gives_way(2),
    Column::text("device", 10).gives_way(1),
    Column::text("type", 18).gives_way(3),
    Column::text("body", 16).fill(),
];

/// What is wanted once a page comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Land {
    First,
    Last,
}

/// The batch and the page of it that is at hand.
#[derive(Debug)]
pub struct BatchText {
    container: String,
    batch: BatchView,
    /// Number of the page's first line.
    from: u64,
    /// Absent until it is answered.
    page: Option<Result<Page, String>>,
    land: Land,
    row: Selection,
    /// Whether keys scroll the selected line.
    is_in_line: bool,
    scroll: Selection,
}

#[derive(Debug)]
struct Page {
    lines: Vec<BatchLine>,
    more: bool,
}

impl BatchText {
    /// Opens a batch of a container.
    pub fn of(container: &str, batch: &BatchView) -> Self {
        Self {
            container: container.to_owned(),
            batch: batch.clone(),
            from: 1,
            page: None,
            land: Land::First,
            row: Selection::default(),
            is_in_line: false,
            scroll: Selection::default(),
        }
    }

    /// Asks for the page, once.
    pub fn wants(&self) -> Option<Request> {
        let (container, file) = (self.container.clone(), self.batch.name.clone());
        let ask = StorageAsk::Lines { container, file, from: self.from, count: PAGE };
        self.page.is_none().then_some(Request::Storage(ask))
    }

    /// Takes the page.
    pub fn receive(&mut self, ask: &StorageAsk, answer: Result<&Answer, &AskError>) {
        let StorageAsk::Lines { container, file, from, .. } = ask else { return };
        if *container != self.container || *file != self.batch.name || *from != self.from {
            return;
        }
        self.page = Some(match answer {
            Ok(Answer::Storage(StorageAnswer::Lines { lines, more })) => {
                let last = lines.len().saturating_sub(1);
                self.row = Selection { row: if self.land == Land::Last { last } else { 0 } };
                Ok(Page { lines: lines.clone(), more: *more })
            }
            Ok(_) => return,
            Err(error) => Err(printable(&error.to_string())),
        });
        self.scroll = Selection::default();
    }

    /// Back to the lines from the line that is scrolled; `false` where none is.
    pub const fn leave_line(&mut self) -> bool {
        let was = self.is_in_line;
        self.is_in_line = false;
        was
    }

    fn lines(&self) -> &[BatchLine] {
        self.page.as_ref().and_then(|page| page.as_ref().ok()).map_or(&[], |page| &page.lines)
    }

    fn has_more(&self) -> bool {
        self.page.as_ref().and_then(|page| page.as_ref().ok()).is_some_and(|page| page.more)
    }

    fn shown(&self, ctx: &Context<'_>) -> Vec<&BatchLine> {
        self.lines().iter().filter(|line| ctx.filter.matches(&line.text)).collect()
    }

    fn selected(&self, ctx: &Context<'_>) -> Option<&BatchLine> {
        let shown = self.shown(ctx);
        shown.get(self.row.row.min(shown.len().checked_sub(1)?)).copied()
    }

    fn turn_to(&mut self, from: u64, land: Land) {
        (self.from, self.page, self.land) = (from, None, land);
    }

    fn panes(area: Rect, size: SizeClass) -> [Rect; 2] {
        match size {
            SizeClass::Large => {
                Layout::horizontal([Constraint::Percentage(55), Constraint::Percentage(45)]).areas(area)
            }
            SizeClass::Small | SizeClass::Medium => {
                Layout::vertical([Constraint::Percentage(45), Constraint::Min(0)]).areas(area)
            }
        }
    }

    /// Takes an action; `false` for one that means nothing here.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let [list, text] = Self::panes(ctx.area, ctx.size);
        match action {
            Action::FocusNext | Action::FocusPrevious | Action::Open => self.is_in_line = !self.is_in_line,
            Action::Click { column, row } => {
                self.is_in_line = text.contains((column, row).into());
                let inside = Rect { x: list.x + 1, y: list.y + 1, width: list.width.saturating_sub(2), ..list };
                let inside = Rect { height: list.height.saturating_sub(2), ..inside };
                let count = self.shown(ctx).len();
                self.row.click(column, row, inside, count);
            }
            _ if self.is_in_line => {
                let height = usize::from(text.height.saturating_sub(2));
                let room = usize::from(text.width.saturating_sub(2));
                let rows = self.selected(ctx).map_or(0, |found| line::lines(&found.text, room, ctx.theme).len());
                return self.scroll.update(action, rows.saturating_sub(height) + 1, height);
            }
            _ => return self.move_on(action, usize::from(list.height.saturating_sub(3)), ctx),
        }
        true
    }

    /// Moves through the lines, and at an end of the page to the next one.
    fn move_on(&mut self, action: Action, height: usize, ctx: &Context<'_>) -> bool {
        let last = self.shown(ctx).len().saturating_sub(1);
        let page = PAGE as u64;
        match action {
            Action::Down | Action::PageDown | Action::Bottom if self.row.row >= last && self.has_more() => {
                self.turn_to(self.from + page, Land::First);
            }
            Action::Up | Action::PageUp if self.row.row == 0 && self.from > 1 => {
                self.turn_to(self.from.saturating_sub(page).max(1), Land::Last);
            }
            Action::Top if self.from > 1 => self.turn_to(1, Land::First),
            _ => {
                self.scroll = Selection::default();
                return self.row.update(action, last + 1, height);
            }
        }
        true
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let [list, text] = Self::panes(area, ctx.size);
        let title = fit_end(&printable(&self.batch.name), usize::from(list.width.saturating_sub(6))).into_owned();
        let shown = self.shown(ctx);
        let inner = pane::render_with_note(buf, list, &title, &self.note(shown.len()), !self.is_in_line, ctx.theme);
        let room = usize::from(inner.width);
        let said = match &self.page {
            None => Some(("reading …".to_owned(), ctx.theme.dim)),
            Some(Err(failure)) => Some((failure.clone(), ctx.theme.fail)),
            Some(Ok(page)) if page.lines.is_empty() => Some(("it has no line".to_owned(), ctx.theme.dim)),
            Some(Ok(_)) if shown.is_empty() => {
                Some(("no line of this page passes the filter".to_owned(), ctx.theme.dim))
            }
            Some(Ok(_)) => None,
        };
        if let Some((words, style)) = said {
            for (y, part) in (inner.y..inner.bottom()).zip(wrap(&words, room, usize::from(inner.height))) {
                buf.set_stringn(inner.x, y, part, room, style);
            }
        } else {
            let row = |i: usize| shown.get(i).map(|line| cells(line)).unwrap_or_default();
            table::render(buf, inner, &COLUMNS, shown.len(), row, Some(self.row), ctx.theme);
        }
        let selected = self.selected(ctx);
        let title = selected.map_or_else(|| "Line".to_owned(), |line| format!("Line {}", line.number));
        let inner = pane::render(buf, text, &title, self.is_in_line, ctx.theme);
        if let Some(found) = selected {
            let lines = line::lines(&found.text, usize::from(inner.width), ctx.theme);
            pane::scrolled(buf, inner, &lines, self.scroll.row, ctx.theme);
        }
    }

    fn note(&self, shown: usize) -> String {
        let lines = self.lines();
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return bytes(self.batch.bytes) };
        let more = if self.has_more() { ", more below" } else { "" };
        let passing = if shown < lines.len() { format!("{shown} pass · ") } else { String::new() };
        format!("{} · {passing}lines {} to {}{more}", bytes(self.batch.bytes), first.number, last.number)
    }

    /// What `y` copies: the selected line.
    pub fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        self.selected(ctx).map(|line| line.text.clone())
    }

    /// The page's lines that are shown, as a table.
    pub fn table(&self, ctx: &Context<'_>) -> Exportable {
        let row = |line: &&BatchLine| {
            vec![
                export::Cell::Text(self.container.clone()),
                export::Cell::Text(self.batch.name.clone()),
                whole(line.number),
                export::Cell::Text(line.text.clone()),
            ]
        };
        Exportable::Table(export::Table {
            name: "batch-lines".to_owned(),
            columns: ["container", "batch", "line", "text"].map(str::to_owned).to_vec(),
            rows: self.shown(ctx).iter().map(row).collect(),
        })
    }
}

fn cells(line: &BatchLine) -> Vec<Cell> {
    let Ok(json) = serde_json::from_str::<Value>(&line.text) else {
        return vec![
            line.number.to_string().into(),
            ABSENT.into(),
            ABSENT.into(),
            ABSENT.into(),
            line.text.clone().into(),
        ];
    };
    let text =
        |pointer: &str| json.pointer(pointer).and_then(Value::as_str).map_or_else(|| ABSENT.to_owned(), printable);
    // `2026-06-01T12:00:05.1230000Z`: the time of day is enough in a list.
    let enqueued = text("/EnqueuedTimeUtc");
    let clock = enqueued.get(11..19).map_or_else(|| enqueued.clone(), str::to_owned);
    let body = json.get("Body").map_or_else(|| line.text.clone(), Value::to_string);
    vec![
        line.number.to_string().into(),
        clock.into(),
        text("/SystemProperties/connectionDeviceId").into(),
        text("/Body/type").into(),
        printable(&body).into(),
    ]
}
