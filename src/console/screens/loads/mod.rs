//! Loads: what the pipes do, and what became of every file.
//!
//! `pipes` – one row a pipe · `pipe` – all that is known of one · `archive` the copy history as it is held, `history` as it is
//! drawn · `side` – queue, newest row, latency · `line` – a failed file's line next to its error · `question` – what is asked
//! before anything is done · `storage` – the page of the batches themselves.

mod archive;
mod history;
mod line;
mod pipe;
mod pipes;
mod question;
mod side;
mod storage;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use self::archive::{Archive, Passing};
use self::line::LineView;
use self::pipe::PipeView;
use self::question::{Question, Verdict};
use self::storage::Storage;
use super::{Context, Effect, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::widgets::table::Selection;
use crate::owner::{Answer, AskError, Pipe, Request, StorageAsk};

/// Columns of the side pane.
const SIDE: u16 = 35;

/// Which pane the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Focus {
    #[default]
    Pipes,
    History,
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct Loads {
    focus: Focus,
    pipe: Selection,
    file: Selection,
    failed_only: bool,
    files: Archive,
    failure: Option<String>,
    line: Option<LineView>,
    looked_at: Option<PipeView>,
    question: Option<Question>,
    /// The page of the batches, when it is up.
    storage: Option<Storage>,
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
    fn shown_files(&self, ctx: &Context<'_>) -> Passing<'_> {
        self.files.passing(self.failed_only, ctx.filter)
    }

    fn ask(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(reason) = self.disabled(action, ctx) {
            return Outcome::effect(Effect::Notify(reason));
        }
        self.question = match action {
            Action::LookNow => Some(Question::Look),
            Action::ValidateFile => self.named_file(ctx).map(|file| Question::Validate { file }),
            _ => self.selected_pipe(ctx).map(|pipe| match action {
                Action::RefreshPipe => Question::refresh(pipe),
                _ if pipe.watch.as_ref().is_some_and(|watch| watch.stale) => {
                    Question::ForceResume { pipe: pipe.name.clone() }
                }
                _ => Question::Pause { pipe: pipe.name.clone(), pause: pipe.state != "PAUSED" },
            }),
        };
        Outcome::done()
    }

    fn answer(&mut self, mut question: Question, action: Action, ctx: &Context<'_>) -> Outcome {
        match question.update(action, ctx.pipeline_now()) {
            Verdict::Stay => {
                self.question = Some(question);
                Outcome::done()
            }
            Verdict::No => {
                self.question = None;
                Outcome::done()
            }
            Verdict::Yes(request) => {
                self.question = None;
                // The line is asked for by the view that shows it.
                match (&mut self.line, &request) {
                    (Some(line), Request::FileLine { .. }) => line.allow(),
                    _ => return Outcome::effect(Effect::Ask(request)),
                }
                Outcome::done()
            }
        }
    }

    /// The file that is looked into, or the one that is selected.
    fn named_file(&self, ctx: &Context<'_>) -> Option<String> {
        if let Some(line) = &self.line {
            return Some(line.file().to_owned());
        }
        self.shown_files(ctx).nearest(self.file.row).map(|file| file.file.clone())
    }

    /// Looks into the selected file. Reading its failing line from a watched warehouse's stage costs something, and is
    /// asked about.
    fn open_file(&mut self, ctx: &Context<'_>) {
        let is_free = ctx.snapshot.warehouse.is_none();
        let file = self.shown_files(ctx).nearest(self.file.row).cloned();
        self.line = file.map(|file| LineView::of(file, is_free));
        self.ask_for_the_line(ctx);
    }

    fn ask_for_the_line(&mut self, ctx: &Context<'_>) {
        // Who may only look doesn't cause costs.
        if !ctx.read_only && !ctx.stale {
            self.question = self.line.as_ref().and_then(LineView::question);
        }
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
        if let Some(storage) = &mut self.storage {
            if action == Action::Batches && !storage.modal() {
                self.storage = None;
                return Outcome::done();
            }
            let outcome = storage.update(action, ctx);
            if outcome == Outcome::Ignored && action == Action::Back {
                self.storage = None;
                return Outcome::done();
            }
            return outcome;
        }
        if let Some(question) = self.question.clone() {
            return self.answer(question, action, ctx);
        }
        if let Some(line) = &mut self.line {
            match action {
                Action::Back => self.line = None,
                Action::Open => self.ask_for_the_line(ctx),
                Action::ValidateFile => return self.ask(action, ctx),
                action if line.update(action, ctx) => {}
                _ => return Outcome::Ignored,
            }
            return Outcome::done();
        }
        if let Some(pipe) = &mut self.looked_at {
            match action {
                Action::Back | Action::Open => self.looked_at = None,
                Action::RefreshPipe | Action::PausePipe => return self.ask(action, ctx),
                action if pipe.update(action, ctx) => {}
                _ => return Outcome::Ignored,
            }
            return Outcome::done();
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
            Action::RefreshPipe | Action::PausePipe | Action::ValidateFile | Action::LookNow => self.ask(action, ctx),
            Action::Batches => {
                self.storage = Some(Storage::default());
                Outcome::done()
            }
            Action::Open if self.focus == Focus::Pipes => {
                self.looked_at = self.selected_pipe(ctx).map(|pipe| PipeView::of(&pipe.name));
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

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        if let Some(storage) = &self.storage {
            return storage.wants(ctx);
        }
        std::iter::once(self.files.wants()).chain(self.line.as_ref().and_then(LineView::wants)).collect()
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>) {
        if let Some(storage) = &mut self.storage {
            storage.receive(request, answer, ctx);
        }
        if let Some(line) = &mut self.line {
            line.receive(request, answer);
        }
        match (request, answer) {
            (Request::CopyHistory { after, .. }, Ok(Answer::CopyHistory { files, upto, total })) => {
                self.failure = None;
                self.files.take(*after, files, *upto, *total);
            }
            (Request::CopyHistory { .. }, Err(error)) => self.failure = Some(error.to_string()),
            _ => {}
        }
    }

    fn said(&mut self, request: &Request, answer: Result<&Answer, &AskError>) -> Option<String> {
        let Request::Storage(StorageAsk::LookNow) = request else { return None };
        match answer {
            Ok(Answer::Done { message }) => Some(message.clone()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        if let Some(storage) = &self.storage {
            return storage.render(buffer, area, ctx);
        }
        if let Some(line) = &self.line {
            line.render(buffer, area, ctx);
        } else if let Some(pipe) = &self.looked_at {
            pipe.render(buffer, area, ctx);
        } else {
            let panes = Self::panes(area, ctx);
            pipes::render(self, buffer, panes.pipes, ctx);
            history::render(self, buffer, panes.history, ctx);
            side::render(buffer, panes.side, ctx);
        }
        if let Some(question) = &self.question {
            question.render(buffer, area, ctx);
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        if let Some(storage) = &self.storage {
            return storage.exports(ctx);
        }
        vec![history::table(self.shown_files(ctx).iter()), pipes::table(&ctx.snapshot.pipes), side::table(ctx)]
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        if let Some(storage) = &self.storage {
            return storage.copy(ctx);
        }
        if let Some(line) = &self.line {
            return line.copy();
        }
        if let Some(pipe) = &self.looked_at {
            return pipe.copy(ctx);
        }
        match self.focus {
            Focus::Pipes => self.selected_pipe(ctx).map(|pipe| pipe.name.clone()),
            Focus::History => self.shown_files(ctx).get(self.file.row).map(history::copied),
        }
    }

    fn hints(&self, ctx: &Context<'_>) -> Vec<Action> {
        if let Some(storage) = &self.storage {
            return storage.hints(ctx);
        }
        if self.question.is_some() {
            return vec![Action::Open, Action::Back];
        }
        if self.line.is_some() {
            return vec![Action::Open, Action::ValidateFile, Action::Copy, Action::Back];
        }
        if self.looked_at.is_some() {
            return vec![Action::RefreshPipe, Action::PausePipe, Action::Copy, Action::Back];
        }
        vec![
            Action::FocusNext,
            Action::Open,
            Action::FailedOnly,
            Action::RefreshPipe,
            Action::PausePipe,
            Action::Batches,
            Action::Export,
        ]
    }

    fn meaning(&self, action: Action, _ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
        self.storage.as_ref()?;
        match action {
            Action::Batches => Some(("pipes", "Return to the pipes")),
            Action::LookNow => Some(("look now", "Look at a watched storage account now")),
            _ => None,
        }
    }

    fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        if let Some(storage) = &self.storage {
            return storage.disabled(action, ctx);
        }
        if action == Action::TakeNotice {
            return Some("notices are among the batches; v shows them".to_owned());
        }
        let of_a_pipe = matches!(action, Action::RefreshPipe | Action::PausePipe);
        if !of_a_pipe && !matches!(action, Action::ValidateFile | Action::LookNow) {
            return None;
        }
        if ctx.read_only {
            return Some("this console is read-only; start it without --read-only to change a pipe".to_owned());
        }
        if ctx.stale {
            return Some("the owner of this environment has ended, so nothing can be changed".to_owned());
        }
        if action == Action::LookNow && ctx.snapshot.warehouse.is_none() {
            return Some("files and rows are as they are now: this warehouse is the environment's own".to_owned());
        }
        if action == Action::ValidateFile && self.named_file(ctx).is_none() {
            return Some("no file is selected".to_owned());
        }
        (of_a_pipe && ctx.snapshot.pipes.is_empty()).then(|| pipes::no_pipe(ctx).to_owned())
    }

    fn takes_text(&self) -> bool {
        self.question.as_ref().is_some_and(Question::takes_text)
    }

    fn modal(&self) -> bool {
        self.question.is_some() || self.storage.as_ref().is_some_and(Storage::modal)
    }
}

#[cfg(test)]
mod tests;
