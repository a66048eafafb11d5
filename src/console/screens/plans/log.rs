//! The shown run's log: followed or still, filtered, a line read whole.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};

use super::reading::Reading;
use super::words;
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{time, wrap};
use crate::owner::{Answer, AskError, Request, RunLogLine, RunSummary};
use crate::settings::EnvironmentName;
use crate::station::text::{counted, printable};

/// Lines kept at most.
const KEPT: usize = 5000;
/// Lines asked for at once.
const AT_ONCE: usize = 1000;

/// The log of one run.
#[derive(Debug)]
pub struct RunLog {
    of: Option<(EnvironmentName, u32)>,
    /// Oldest first.
    lines: VecDeque<RunLogLine>,
    /// Number of the newest line that came.
    newest: u64,
    follows: bool,
    selection: Selection,
    failure: Option<String>,
}

impl Default for RunLog {
    fn default() -> Self {
        Self {
            of: None,
            lines: VecDeque::new(),
            newest: 0,
            follows: true,
            selection: Selection::default(),
            failure: None,
        }
    }
}

impl RunLog {
    fn is_of(&self, environment: &EnvironmentName, number: u32) -> bool {
        self.of.as_ref().is_some_and(|(known, n)| known == environment && *n == number)
    }

    /// Asks for lines after those that came, where there are any.
    pub fn wants(&self, environment: &EnvironmentName, number: u32, last: u64) -> Option<Request> {
        let after = if self.is_of(environment, number) { self.newest } else { 0 };
        let is_known = self.is_of(environment, number) && last <= after;
        (last > 0 && !is_known).then(|| Request::RunLog {
            environment: environment.clone(),
            number,
            after,
            limit: AT_ONCE,
        })
    }

    /// Takes lines.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>) {
        let Request::RunLog { environment, number, after, .. } = request else { return };
        match answer {
            Ok(Answer::RunLog { lines }) => {
                if !self.is_of(environment, *number) {
                    *self = Self { of: Some((environment.clone(), *number)), ..Self::default() };
                }
                if *after > self.newest {
                    return;
                }
                self.failure = None;
                for line in lines.iter().filter(|line| line.number > self.newest).collect::<Vec<_>>() {
                    self.newest = line.number;
                    self.lines.push_back(line.clone());
                }
                while self.lines.len() > KEPT {
                    self.lines.pop_front();
                    self.selection.row = self.selection.row.saturating_sub(1);
                }
            }
            Ok(_) => {}
            Err(error) => self.failure = Some(printable(&error.to_string())),
        }
    }

    /// The lines that pass the filter.
    pub fn shown(&self, ctx: &Context<'_>) -> Vec<&RunLogLine> {
        self.lines.iter().filter(|line| ctx.filter.matches(&line.text)).collect()
    }

    fn row(&self, shown: usize) -> Selection {
        if self.follows { Selection { row: shown.saturating_sub(1) } } else { self.selection }
    }

    /// Follows the newest lines, or stays.
    pub fn toggle_follow(&mut self, ctx: &Context<'_>) {
        self.selection = self.row(self.shown(ctx).len());
        self.follows = !self.follows;
    }

    /// Moves by an action; `false` where it moves nothing.
    pub fn update(&mut self, action: Action, area: Rect, ctx: &Context<'_>) -> bool {
        let shown = self.shown(ctx).len();
        let mut selection = self.row(shown);
        if !selection.update(action, shown, usize::from(area.height.saturating_sub(3))) {
            return false;
        }
        self.selection = selection;
        // The last row is where following begins again.
        self.follows = selection.row + 1 >= shown && !matches!(action, Action::Up | Action::WheelUp { .. });
        true
    }

    /// Selects the clicked line.
    pub fn click(&mut self, (column, row): (u16, u16), area: Rect, ctx: &Context<'_>) {
        let shown = self.shown(ctx).len();
        let mut selection = self.row(shown);
        // There is no line of titles: the frame stands in for it.
        let table = Rect { y: area.y, height: area.height.saturating_sub(1), ..area.inner(Margin::new(1, 0)) };
        if selection.click(column, row, table, shown) {
            (self.selection, self.follows) = (selection, false);
        }
    }

    /// The selected line, whole.
    pub fn open(&self, ctx: &Context<'_>) -> Option<Reading> {
        let shown = self.shown(ctx);
        let line = shown.get(self.row(shown.len()).row)?;
        let title = format!("line {} · {} · {}", line.number, line.phase.label(), time(line.at, ctx.zone));
        Some(Reading::text(title, &line.text, words::level_style(line.level, ctx.theme)))
    }

    /// What `y` copies: the selected line.
    pub fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        let shown = self.shown(ctx);
        shown.get(self.row(shown.len()).row).map(|line| printable(&line.text))
    }

    /// Draws it; `tabs` stand in its title where it shares its place with others.
    pub fn render(
        &self,
        buf: &mut Buffer,
        area: Rect,
        (tabs, focused): (&str, bool),
        run: Option<&RunSummary>,
        ctx: &Context<'_>,
    ) {
        let shown = self.shown(ctx);
        let title = match run {
            _ if !tabs.is_empty() => tabs.to_owned(),
            Some(run) => format!("Log of run {}", run.number),
            None => "Log".to_owned(),
        };
        let follows = if self.follows { "following" } else { "still" };
        let count = if shown.len() < self.lines.len() {
            format!("{} of {}", shown.len(), counted(self.lines.len(), "line"))
        } else {
            counted(self.lines.len(), "line")
        };
        let inner = pane::render_with_note(buf, area, &title, &format!("{count} · {follows}"), focused, ctx.theme);
        if inner.is_empty() {
            return;
        }
        let is_of_it = self.of.as_ref().zip(run).is_some_and(|((_, number), run)| *number == run.number);
        if shown.is_empty() || !is_of_it {
            let text = match (&self.failure, run) {
                (Some(failure), _) => failure.clone(),
                (None, None) => "a run's log is shown here while it is written, and kept".into(),
                (None, Some(run)) if run.last_line == 0 => "nothing is logged yet".into(),
                (None, Some(_)) if self.lines.is_empty() || !is_of_it => "asking …".into(),
                (None, Some(_)) => "no line passes the filter".into(),
            };
            let room = usize::from(inner.width);
            for (y, text) in (inner.y..inner.bottom()).zip(wrap(&text, room, inner.height.into())) {
                buf.set_stringn(inner.x, y, text, room, ctx.theme.dim);
            }
            return;
        }
        let columns = [Column::text("", 8), Column::text("", 20).fill()];
        let row = |i: usize| {
            let line = shown[i];
            let text = Cell::styled(printable(&line.text), words::level_style(line.level, ctx.theme));
            vec![Cell::styled(time(line.at, ctx.zone), ctx.theme.dim), text]
        };
        let selection = self.row(shown.len());
        // The table's line of titles is empty: it lies on the frame and writes nothing there.
        let above = Rect { y: inner.y.saturating_sub(1), height: inner.height + 1, ..inner };
        if focused {
            table::render(buf, above, &columns, shown.len(), row, Some(selection), ctx.theme);
        } else {
            let first = selection.first(shown.len(), usize::from(inner.height));
            table::render(buf, above, &columns, shown.len() - first, |i| row(first + i), None, ctx.theme);
        }
    }
}
