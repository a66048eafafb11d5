//! The batches themselves: the containers they lie in, what is in them, the queue that announces them, and what ends.
//!
//! `containers` one row a container · `listing` the batches of the selected one · `batch` a batch that is opened, `line` one of
//! its lines · `queue` notices, pictures and what ends · `notice` a notice that no pipe takes, and taking it off.

mod batch;
mod containers;
mod line;
mod listing;
mod notice;
mod queue;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use self::batch::BatchText;
use self::listing::Listing;
use self::notice::NoticeView;
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::screens::{Context, Effect, Outcome, SizeClass};
use crate::console::widgets::pane;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::wrap;
use crate::owner::{Answer, AskError, ContainerView, PoisonView, Request, StorageAsk, StorageView};

/// Columns of the side panes.
const SIDE: u16 = 35;

/// Which pane the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Focus {
    #[default]
    Containers,
    Batches,
    Queue,
}

/// The page's state.
#[derive(Debug, Default)]
pub struct Storage {
    focus: Focus,
    container: Selection,
    notice: Selection,
    listing: Listing,
    opened: Option<BatchText>,
    noticed: Option<NoticeView>,
    /// The notice that is about to be taken off.
    question: Option<PoisonView>,
}

/// Where the panes are.
struct Panes {
    containers: Rect,
    batches: Rect,
    /// Empty where there is no room.
    queue: Rect,
    /// Empty where there is nothing to say, or no room.
    ends: Rect,
    /// The selected container's hours; only where there is much room.
    hours: Rect,
}

impl Storage {
    fn panes(&self, area: Rect, view: &StorageView, ctx: &Context<'_>) -> Panes {
        let rows = u16::try_from(view.containers.len()).unwrap_or(u16::MAX);
        let words = containers::word_rows(self.selected(ctx), area.width, ctx);
        let height = rows.saturating_add(3 + words).min((area.height / 2).max(5));
        let [containers, below] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
        let side = if area.width >= 72 { SIDE + area.width.saturating_sub(100).min(60) / 2 } else { 0 };
        let [batches, side] = Layout::horizontal([Constraint::Min(0), Constraint::Length(side)]).areas(below);
        let ends = queue::ends_rows(view, side.width, ctx);
        let ends = if ends == 0 { 0 } else { (ends + 2).min(side.height.saturating_sub(side.height / 2)) };
        let hours = if ctx.size == SizeClass::Large { 26 } else { 0 };
        let [queue, ends, hours] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(ends), Constraint::Length(hours)]).areas(side);
        Panes { containers, batches, queue, ends, hours }
    }

    fn selected<'a>(&self, ctx: &Context<'a>) -> Option<&'a ContainerView> {
        let containers = &ctx.snapshot.storage.as_ref()?.containers;
        containers.get(self.container.row.min(containers.len().saturating_sub(1)))
    }

    fn selected_notice<'a>(&self, ctx: &Context<'a>) -> Option<&'a PoisonView> {
        let all = queue::notices(ctx);
        all.get(self.notice.row.min(all.len().saturating_sub(1))).copied()
    }

    /// Takes an action; what is ignored goes on to whoever else may have it.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(notice) = self.question.take() {
            return match action {
                Action::Open => {
                    self.noticed = None;
                    Outcome::effect(Effect::Ask(Request::Storage(StorageAsk::TakePoison { id: notice.id })))
                }
                Action::Back => Outcome::done(),
                _ => {
                    self.question = Some(notice);
                    Outcome::done()
                }
            };
        }
        match action {
            Action::LookNow => return Outcome::effect(Effect::Ask(Request::Storage(StorageAsk::LookNow))),
            Action::TakeNotice => {
                self.question = self.selected_notice(ctx).cloned();
                return Outcome::done();
            }
            _ => {}
        }
        if let Some(opened) = &mut self.opened {
            if action == Action::Back && !opened.leave_line() {
                self.opened = None;
                return Outcome::done();
            }
            let is_done = action == Action::Back || opened.update(action, ctx);
            return if is_done { Outcome::done() } else { Outcome::Ignored };
        }
        if let Some(notice) = &mut self.noticed {
            if matches!(action, Action::Back | Action::Open) {
                self.noticed = None;
                return Outcome::done();
            }
            return if notice.update(action, ctx) { Outcome::done() } else { Outcome::Ignored };
        }
        match action {
            Action::FocusNext => self.turn(1),
            Action::FocusPrevious => self.turn(2),
            Action::Open => self.open(ctx),
            Action::Click { column, row } => return self.click((column, row), ctx),
            _ => return self.select(action, ctx),
        }
        Outcome::done()
    }

    const fn turn(&mut self, steps: u8) {
        let order = [Focus::Containers, Focus::Batches, Focus::Queue];
        self.focus = order[(self.focus as usize + steps as usize) % order.len()];
    }

    fn open(&mut self, ctx: &Context<'_>) {
        match self.focus {
            Focus::Containers => self.focus = Focus::Batches,
            Focus::Batches => {
                let found = self.selected(ctx).zip(self.listing.selected(ctx));
                self.opened = found.map(|(container, batch)| BatchText::of(&container.name, batch));
            }
            Focus::Queue => self.noticed = self.selected_notice(ctx).cloned().map(NoticeView::of),
        }
    }

    fn select(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let Some(view) = &ctx.snapshot.storage else { return Outcome::Ignored };
        let panes = self.panes(ctx.area, view, ctx);
        let moved = match self.focus {
            Focus::Containers => {
                let before = self.container;
                let moved = self.container.update(action, view.containers.len(), 5);
                if self.container != before {
                    self.listing.row = Selection::default();
                }
                moved
            }
            Focus::Batches => self.listing.update(action, usize::from(panes.batches.height.saturating_sub(3)), ctx),
            Focus::Queue => self.notice.update(action, queue::notices(ctx).len(), 5),
        };
        if moved { Outcome::done() } else { Outcome::Ignored }
    }

    fn click(&mut self, (column, row): (u16, u16), ctx: &Context<'_>) -> Outcome {
        let Some(view) = &ctx.snapshot.storage else { return Outcome::Ignored };
        let panes = self.panes(ctx.area, view, ctx);
        let inside = |pane: Rect| Rect {
            x: pane.x + 1,
            y: pane.y + 1,
            width: pane.width.saturating_sub(2),
            height: pane.height.saturating_sub(2),
        };
        let cell = (column, row).into();
        if panes.containers.contains(cell) {
            self.focus = Focus::Containers;
            if self.container.click(column, row, inside(panes.containers), view.containers.len()) {
                self.listing.row = Selection::default();
            }
        } else if panes.batches.contains(cell) {
            self.focus = Focus::Batches;
            let count = self.listing.shown(self.selected(ctx), ctx).len();
            self.listing.row.click(column, row, inside(panes.batches), count);
        } else if panes.queue.contains(cell) {
            self.focus = Focus::Queue;
        } else {
            return Outcome::Ignored;
        }
        Outcome::done()
    }

    /// What the page needs now.
    pub fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        match &self.opened {
            Some(opened) => opened.wants().into_iter().collect(),
            None => self.listing.wants(self.selected(ctx), ctx).into_iter().collect(),
        }
    }

    /// Takes an answer.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>) {
        let Request::Storage(ask) = request else { return };
        if let Some(opened) = &mut self.opened {
            opened.receive(ask, answer);
        }
        self.listing.receive(ask, answer, self.selected(ctx), ctx);
    }

    /// Draws the page.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let Some(view) = &ctx.snapshot.storage else {
            let inner = pane::render(buf, area, "Batches", true, ctx.theme);
            let words = "the storage isn't watched; set azure.storage_account and start the owner again";
            for (y, text) in (inner.y..inner.bottom()).zip(wrap(words, usize::from(inner.width), 4)) {
                buf.set_stringn(inner.x, y, text, usize::from(inner.width), ctx.theme.dim);
            }
            return;
        };
        if let Some(opened) = &self.opened {
            opened.render(buf, area, ctx);
        } else if let Some(notice) = &self.noticed {
            notice.render(buf, area, ctx);
        } else {
            let panes = self.panes(area, view, ctx);
            containers::render(view, buf, panes.containers, (self.focus == Focus::Containers, self.container), ctx);
            self.listing.render(buf, panes.batches, self.focus == Focus::Batches, self.selected(ctx), ctx);
            queue::render(view, buf, panes.queue, (self.focus == Focus::Queue, self.notice), ctx);
            queue::render_ends(view, buf, panes.ends, ctx);
            containers::render_hours(self.selected(ctx), buf, panes.hours, ctx);
        }
        if let Some(notice) = &self.question {
            notice::ask(notice, buf, area, ctx);
        }
    }

    /// What `e` can write.
    pub fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        if let Some(opened) = &self.opened {
            return vec![opened.table(ctx)];
        }
        let Some(view) = &ctx.snapshot.storage else { return Vec::new() };
        let batches = self.listing.table(self.selected(ctx), ctx);
        vec![batches, containers::table(view), containers::gaps_table(view), queue::table(ctx), queue::ends_table(view)]
    }

    /// What `y` copies.
    pub fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        if let Some(opened) = &self.opened {
            return opened.copy(ctx);
        }
        match self.focus {
            _ if self.noticed.is_some() => self.noticed.as_ref().map(NoticeView::copy),
            Focus::Containers => self.selected(ctx).map(|container| container.name.clone()),
            Focus::Batches => self.listing.selected(ctx).map(|batch| batch.name.clone()),
            Focus::Queue => self.selected_notice(ctx).map(|notice| format!("{}: {}", notice.reason, notice.content)),
        }
    }

    /// What the footer hints at.
    pub fn hints(&self, ctx: &Context<'_>) -> Vec<Action> {
        if self.question.is_some() {
            return vec![Action::Open, Action::Back];
        }
        if self.opened.is_some() {
            return vec![
                Action::FocusNext,
                Action::PageDown,
                Action::Filter,
                Action::Copy,
                Action::Export,
                Action::Back,
            ];
        }
        let has_poison = ctx.snapshot.storage.as_ref().and_then(|view| view.queue.as_ref());
        let has_poison = has_poison.is_some_and(|queue| !queue.poison.is_empty());
        let taking = has_poison.then_some(Action::TakeNotice);
        let most = [Action::FocusNext, Action::Open, Action::Batches, Action::Filter];
        let is_watched = ctx.snapshot.storage.as_ref().is_some_and(|view| !view.own);
        let looking = is_watched.then_some(Action::LookNow);
        most.into_iter().chain(taking).chain(looking).chain([Action::Export]).collect()
    }

    /// Why an action can't be done now.
    pub fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        let view = ctx.snapshot.storage.as_ref();
        match action {
            Action::LookNow if view.is_none() => Some("the storage isn't watched".to_owned()),
            Action::LookNow if view.is_some_and(|view| view.own) => {
                Some("containers and queue are as they are now: they are the environment's own".to_owned())
            }
            Action::LookNow if ctx.stale => Some("the owner of this environment has ended".to_owned()),
            Action::TakeNotice => notice::not_taken(self.selected_notice(ctx), ctx),
            Action::FailedOnly | Action::RefreshPipe | Action::PausePipe | Action::ValidateFile => {
                Some("that is of pipes and their files; v returns to them".to_owned())
            }
            _ => None,
        }
    }

    /// Whether a dialog is open.
    pub const fn modal(&self) -> bool {
        self.question.is_some()
    }

    /// Whether something lies over the page that goes away first.
    #[cfg(test)]
    pub const fn is_opened(&self) -> bool {
        self.opened.is_some()
    }
}

#[cfg(test)]
mod tests;
