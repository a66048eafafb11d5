//! Loads: what the pipes do, and what became of every file.
//!
//! `pipes` – one row a pipe · `history` – the copy history · `side` – queue, newest row, latency · `line` – a failed
//! file's line next to its error.

mod history;
mod line;
mod pipes;
mod side;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use self::line::LineView;
use super::{Context, Effect, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::widgets::dialog;
use crate::console::widgets::table::Selection;
use crate::owner::{Answer, AskError, LoadedFile, Pipe, Request};
use crate::station::text::printable;

/// Files asked for.
const FILES: usize = 500;
/// Columns of the side pane.
const SIDE: u16 = 35;

/// Which pane the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Focus {
    #[default]
    Pipes,
    History,
}

/// A question that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Refresh { pipe: String },
    Pause { pipe: String, pause: bool },
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct Loads {
    focus: Focus,
    pipe: Selection,
    file: Selection,
    failed_only: bool,
    /// Absent until the first answer.
    files: Option<Vec<LoadedFile>>,
    failure: Option<String>,
    line: Option<LineView>,
    question: Option<Question>,
}

/// Where the panes are.
struct Panes {
    pipes: Rect,
    history: Rect,
    /// Empty where there is no room.
    side: Rect,
}

impl Loads {
    /// Every file of every pipe.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn panes(area: Rect, ctx: &Context<'_>) -> Panes {
        let pipes = u16::try_from(ctx.snapshot.pipes.len()).unwrap_or(u16::MAX);
        // Frame, titles, one row a pipe, and the selected one's error.
        let errors = pipes::error_rows(&ctx.snapshot.pipes, area.width);
        let height = pipes.saturating_add(3 + errors).min((area.height / 2).max(5));
        let [pipes, below] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
        let side = if area.width >= 72 { SIDE + area.width.saturating_sub(120).min(40) / 2 } else { 0 };
        let [history, side] = Layout::horizontal([Constraint::Min(0), Constraint::Length(side)]).areas(below);
        Panes { pipes, history, side }
    }

    fn selected_pipe<'a>(&self, ctx: &Context<'a>) -> Option<&'a Pipe> {
        let pipes = &ctx.snapshot.pipes;
        pipes.get(self.pipe.row.min(pipes.len().saturating_sub(1)))
    }

    /// The files that pass the filter, newest first.
    fn shown_files(&self, ctx: &Context<'_>) -> Vec<&LoadedFile> {
        let files = self.files.iter().flatten();
        files.filter(|file| ctx.filter.matches(&history::line(file))).collect()
    }

    fn ask(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(reason) = self.disabled(action, ctx) {
            return Outcome::effect(Effect::Notify(reason));
        }
        let Some(pipe) = self.selected_pipe(ctx) else { return Outcome::done() };
        self.question = Some(if action == Action::RefreshPipe {
            Question::Refresh { pipe: pipe.name.clone() }
        } else {
            Question::Pause { pipe: pipe.name.clone(), pause: pipe.state != "PAUSED" }
        });
        Outcome::done()
    }

    fn answer(&mut self, question: Question, action: Action) -> Outcome {
        match action {
            Action::Open => {
                self.question = None;
                Outcome::effect(Effect::Ask(match question {
                    Question::Refresh { pipe } => Request::RefreshPipe { pipe },
                    Question::Pause { pipe, pause } => Request::PausePipe { pipe, paused: pause },
                }))
            }
            Action::Back => {
                self.question = None;
                Outcome::done()
            }
            _ => Outcome::done(),
        }
    }

    fn open_file(&mut self, ctx: &Context<'_>) {
        let shown = self.shown_files(ctx);
        let row = self.file.row.min(shown.len().saturating_sub(1));
        self.line = shown.get(row).map(|file| LineView::of((*file).clone()));
    }

    fn click(&mut self, (column, row): (u16, u16), ctx: &Context<'_>) -> Outcome {
        let panes = Self::panes(ctx.area, ctx);
        let inside = |pane: Rect| Rect {
            x: pane.x + 1,
            y: pane.y + 1,
            width: pane.width.saturating_sub(2),
            height: pane.height.saturating_sub(3),
        };
        let cell = (column, row).into();
        if panes.pipes.contains(cell) {
            self.focus = Focus::Pipes;
            self.pipe.click(column, row, inside(panes.pipes), ctx.snapshot.pipes.len());
        } else if panes.history.contains(cell) {
            self.focus = Focus::History;
            let count = self.shown_files(ctx).len();
            self.file.click(column, row, inside(panes.history), count);
        } else {
            return Outcome::Ignored;
        }
        Outcome::done()
    }

    fn select(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let panes = Self::panes(ctx.area, ctx);
        let moved = match self.focus {
            Focus::Pipes => self.pipe.update(action, ctx.snapshot.pipes.len(), 5),
            Focus::History => {
                let count = self.shown_files(ctx).len();
                self.file.update(action, count, usize::from(panes.history.height.saturating_sub(4)))
            }
        };
        if moved { Outcome::done() } else { Outcome::Ignored }
    }
}

impl Screen for Loads {
    fn name(&self) -> ScreenName {
        ScreenName::Loads
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(question) = self.question.clone() {
            return self.answer(question, action);
        }
        if let Some(line) = &mut self.line {
            if action == Action::Back {
                self.line = None;
                return Outcome::done();
            }
            return if line.update(action, ctx) { Outcome::done() } else { Outcome::Ignored };
        }
        match action {
            Action::FocusNext | Action::FocusPrevious => {
                self.focus = if self.focus == Focus::Pipes { Focus::History } else { Focus::Pipes };
                Outcome::done()
            }
            Action::FailedOnly => {
                (self.failed_only, self.focus, self.file) = (!self.failed_only, Focus::History, Selection::default());
                Outcome::done()
            }
            Action::RefreshPipe | Action::PausePipe => self.ask(action, ctx),
            Action::Open if self.focus == Focus::Pipes => {
                self.focus = Focus::History;
                Outcome::done()
            }
            Action::Open => {
                self.open_file(ctx);
                Outcome::done()
            }
            Action::Click { column, row } => self.click((column, row), ctx),
            _ => self.select(action, ctx),
        }
    }

    fn wants(&self, _ctx: &Context<'_>) -> Vec<Request> {
        let history = Request::CopyHistory { failed_only: self.failed_only, limit: FILES };
        std::iter::once(history).chain(self.line.as_ref().and_then(LineView::wants)).collect()
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, _ctx: &Context<'_>) {
        if let Some(line) = &mut self.line {
            line.receive(request, answer);
        }
        match (request, answer) {
            (Request::CopyHistory { failed_only, .. }, Ok(Answer::CopyHistory { files }))
                if *failed_only == self.failed_only =>
            {
                self.failure = None;
                self.files = Some(files.clone());
            }
            (Request::CopyHistory { .. }, Err(error)) => self.failure = Some(error.to_string()),
            _ => {}
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        if let Some(line) = &self.line {
            line.render(buffer, area, ctx);
        } else {
            let panes = Self::panes(area, ctx);
            pipes::render(self, buffer, panes.pipes, ctx);
            history::render(self, buffer, panes.history, ctx);
            side::render(buffer, panes.side, ctx);
        }
        if let Some(question) = &self.question {
            let (title, paragraphs) = words(question);
            dialog::question(buffer, area, title, &paragraphs, ctx.theme);
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        vec![history::table(&self.shown_files(ctx)), pipes::table(&ctx.snapshot.pipes), side::table(ctx)]
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        if let Some(line) = &self.line {
            return line.copy();
        }
        match self.focus {
            Focus::Pipes => self.selected_pipe(ctx).map(|pipe| pipe.name.clone()),
            Focus::History => self.shown_files(ctx).get(self.file.row).map(|file| history::copied(file)),
        }
    }

    fn hints(&self, _ctx: &Context<'_>) -> Vec<Action> {
        if self.question.is_some() || self.line.is_some() {
            return vec![Action::Open, Action::Back];
        }
        vec![
            Action::FocusNext,
            Action::Open,
            Action::FailedOnly,
            Action::RefreshPipe,
            Action::PausePipe,
            Action::Export,
        ]
    }

    fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        if !matches!(action, Action::RefreshPipe | Action::PausePipe) {
            return None;
        }
        if ctx.read_only {
            return Some("this console is read-only; start it without --read-only to change a pipe".to_owned());
        }
        if ctx.stale {
            return Some("the owner of this environment has ended, so nothing can be changed".to_owned());
        }
        let none = ctx.snapshot.pipes.is_empty();
        none.then(|| no_pipe(ctx).to_owned())
    }

    fn modal(&self) -> bool {
        self.question.is_some()
    }
}

/// A question's title and words.
fn words(question: &Question) -> (&'static str, Vec<String>) {
    const KEYS: &str = "enter: yes · q: no";
    match question {
        Question::Refresh { pipe } => (
            "Refresh the pipe",
            vec![
                format!("Queue again every file of the last 7 days that {} hasn't seen?", printable(pipe)),
                "What it can duplicate: nothing. Files in the copy history are skipped, and a message that is in the \
                 table already is counted as a duplicate and not stored again."
                    .to_owned(),
                "A file that failed is in the history too: to load it, put it back mended under a new name.".to_owned(),
                KEYS.to_owned(),
            ],
        ),
        Question::Pause { pipe, pause: true } => (
            "Pause the pipe",
            vec![
                format!("Pause {}?", printable(pipe)),
                "Files go on arriving and wait in its queue; nothing is lost. Their rows come when it is resumed."
                    .to_owned(),
                KEYS.to_owned(),
            ],
        ),
        Question::Pause { pipe, pause: false } => (
            "Resume the pipe",
            vec![
                format!("Resume {}?", printable(pipe)),
                "The files that wait in its queue are loaded now, the oldest first.".to_owned(),
                KEYS.to_owned(),
            ],
        ),
    }
}

/// Why there is no pipe, and what to do.
fn no_pipe(ctx: &Context<'_>) -> &'static str {
    if ctx.snapshot.topology.applied {
        "no pipe is provisioned; plan and apply on 2 Plans make the pipes again"
    } else {
        "no pipe yet; they come up with the loader, a moment after the start"
    }
}

#[cfg(test)]
mod tests;
