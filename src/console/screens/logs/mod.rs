//! Logs: the owner's log, by level and text, followed or still; and the audit trail, a view of its own.
//!
//! `audit` – who planned, approved, applied, and whether that is as it was written.

mod audit;

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;

use self::audit::Audit;
use super::{Context, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::{self, Exportable, Table};
use crate::console::theme::Theme;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::{pane, value};
use crate::owner::{Answer, AskError, LogLine, Request};
use crate::station::text::printable;

/// Lines kept here at most.
const KEPT: usize = 5000;
/// Lines asked for at once.
const AT_ONCE: usize = 1000;

/// The levels, the least first.
const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/// The screen's state.
#[derive(Debug)]
pub struct Logs {
    /// Oldest first.
    lines: VecDeque<LogLine>,
    /// Number of the newest line that came, or was told to be there.
    newest: u64,
    /// The least level shown: a place in [`LEVELS`].
    level: usize,
    follows: bool,
    selection: Selection,
    fault: Option<String>,
    /// The line that is read whole.
    opened: Option<LogLine>,
    /// The audit trail, while it is shown in place of the log.
    audit: Audit,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            newest: 0,
            level: 0,
            follows: true,
            selection: Selection::default(),
            fault: None,
            opened: None,
            audit: Audit::default(),
        }
    }
}

fn rank(level: &str) -> usize {
    LEVELS.iter().position(|known| *known == level).unwrap_or(2)
}

impl Logs {
    fn shown(&self, ctx: &Context<'_>) -> Vec<&LogLine> {
        let passes = |line: &&LogLine| {
            rank(&line.level) >= self.level
                && (!ctx.filter.is_active()
                    || ctx.filter.matches(&format!("{} {} {}", line.level, line.target, line.message)))
        };
        self.lines.iter().filter(passes).collect()
    }

    /// The selected row: the last one while the newest lines are followed.
    fn row(&self, shown: usize) -> Selection {
        if self.follows { Selection { row: shown.saturating_sub(1) } } else { self.selection }
    }

    fn take(&mut self, lines: &[LogLine]) {
        for line in lines {
            if line.seq > self.newest {
                self.newest = line.seq;
                self.lines.push_back(line.clone());
            }
        }
        while self.lines.len() > KEPT {
            self.lines.pop_front();
            self.selection.row = self.selection.row.saturating_sub(1);
        }
    }
}

impl Screen for Logs {
    fn name(&self) -> ScreenName {
        ScreenName::Logs
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if matches!(action, Action::AuditTrail | Action::FocusNext | Action::FocusPrevious) {
            self.audit.toggle();
            return Outcome::done();
        }
        if self.audit.is_shown() {
            return if self.audit.update(action, ctx) { Outcome::done() } else { Outcome::Ignored };
        }
        let shown = self.shown(ctx).len();
        if self.opened.is_some() {
            if !matches!(action, Action::Open | Action::Back) {
                return Outcome::Ignored;
            }
            self.opened = None;
            return Outcome::done();
        }
        match action {
            Action::Open => self.opened = self.shown(ctx).get(self.row(shown).row).map(|line| (*line).clone()),
            Action::Follow => {
                self.selection = self.row(shown);
                self.follows = !self.follows;
            }
            Action::Level => self.level = if self.level == 4 { 0 } else { (self.level + 1).max(2) },
            Action::Click { column, row } => {
                let mut selection = self.row(shown);
                if !selection.click(column, row, ctx.area.inner(Margin::new(1, 1)), shown) {
                    return Outcome::Ignored;
                }
                (self.selection, self.follows) = (selection, false);
            }
            moves => {
                let mut selection = self.row(shown);
                if !selection.update(moves, shown, ctx.area.height.saturating_sub(3).into()) {
                    return Outcome::Ignored;
                }
                self.selection = selection;
                // The last row is where following begins again.
                self.follows = selection.row + 1 >= shown && !matches!(moves, Action::Up | Action::WheelUp { .. });
            }
        }
        Outcome::done()
    }

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        if self.audit.is_shown() {
            return self.audit.wants(ctx);
        }
        let last = ctx.snapshot.last_log;
        match last.cmp(&self.newest) {
            std::cmp::Ordering::Equal => Vec::new(),
            std::cmp::Ordering::Greater => vec![Request::Logs { after: self.newest, limit: AT_ONCE }],
            // Another owner counts anew.
            std::cmp::Ordering::Less => vec![Request::Logs { after: 0, limit: AT_ONCE }],
        }
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>) {
        self.audit.receive(request, answer);
        match (request, answer) {
            (Request::Logs { after, .. }, Ok(Answer::Logs { lines })) => {
                if *after == 0 {
                    self.lines.clear();
                    self.newest = 0;
                }
                self.take(lines);
                // Lines that are gone from the owner's memory aren't asked for again.
                self.newest = self.newest.max(ctx.snapshot.last_log);
                self.fault = None;
            }
            (Request::Logs { .. }, Err(error)) => self.fault = Some(error.to_string()),
            _ => {}
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        if self.audit.is_shown() {
            return self.audit.render(buffer, area, ctx);
        }
        if let Some(line) = &self.opened {
            return render_line(buffer, area, line, ctx);
        }
        let shown = self.shown(ctx);
        let level = if self.level == 0 { "every level".to_owned() } else { format!("{} or worse", LEVELS[self.level]) };
        let follows = if self.follows { "following" } else { "still" };
        let noun = if self.lines.len() == 1 { "line" } else { "lines" };
        let note = format!("{} of {} {noun} · {level} · {follows}", shown.len(), self.lines.len());
        let title = format!("Owner's log · wall time {}", ctx.now.to_zoned(ctx.zone.clone()).strftime("%Z"));
        let inner = pane::render_with_note(buffer, area, &title, &note, true, ctx.theme);
        if shown.is_empty() {
            let text = match &self.fault {
                Some(fault) => printable(fault),
                None if self.lines.is_empty() => "the owner has logged nothing yet".into(),
                None => "no line passes the level and the filter".into(),
            };
            buffer.set_stringn(inner.x + 1, inner.y, text, inner.width.saturating_sub(1).into(), ctx.theme.dim);
            return;
        }
        let columns = [
            Column::text("time", 8),
            Column::text("level", 5),
            Column::text("from", 30).gives_way(1).keep_end(),
            Column::text("message", 30).fill(),
        ];
        let row = |i: usize| {
            let line = shown[i];
            vec![
                Cell::styled(value::time(line.at, ctx.zone), ctx.theme.dim),
                Cell::styled(line.level.clone(), level_style(&line.level, ctx.theme)),
                Cell::styled(printable(line.target.trim_start_matches("skydeck::")), ctx.theme.dim),
                printable(&line.message).into(),
            ]
        };
        // A narrow terminal has more use for words than for where they come from.
        let columns = if inner.width < 110 { columns.map(narrow) } else { columns };
        table::render(buffer, inner, &columns, shown.len(), row, Some(self.row(shown.len())), ctx.theme);
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        use export::Cell::{Integer, Text, Time};
        if self.audit.is_shown() {
            return self.audit.exports(ctx);
        }
        let rows: Vec<_> = self
            .shown(ctx)
            .into_iter()
            .map(|line| {
                vec![
                    Integer(i64::try_from(line.seq).unwrap_or(i64::MAX)),
                    Time(line.at),
                    Text(line.level.clone()),
                    Text(line.target.clone()),
                    Text(line.message.clone()),
                ]
            })
            .collect();
        let columns = ["seq", "at", "level", "target", "message"].map(str::to_owned).to_vec();
        if rows.is_empty() { Vec::new() } else { vec![Exportable::Table(Table { name: "log".into(), columns, rows })] }
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        if self.audit.is_shown() {
            return self.audit.copy(ctx);
        }
        let shown = self.shown(ctx);
        let line = self.opened.as_ref().or_else(|| shown.get(self.row(shown.len()).row).copied())?;
        Some(format!("{} {} {} {}", line.at, line.level, printable(&line.target), printable(&line.message)))
    }

    fn hints(&self, _ctx: &Context<'_>) -> Vec<Action> {
        match self.opened {
            Some(_) => vec![Action::Back, Action::Copy],
            None if self.audit.is_shown() => {
                vec![Action::AuditTrail, Action::Open, Action::Left, Action::Right, Action::Copy]
            }
            None => vec![Action::Open, Action::AuditTrail, Action::Follow, Action::Level, Action::Copy],
        }
    }

    fn meaning(&self, action: Action, _ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
        match action {
            Action::AuditTrail if self.audit.is_shown() => Some(("owner's log", "Return to the owner's log")),
            Action::Left if self.audit.is_shown() => Some(("environment", "The audit trail of the environment before")),
            Action::Right if self.audit.is_shown() => Some(("environment", "The audit trail of the next environment")),
            _ => None,
        }
    }

    fn disabled(&self, action: Action, _ctx: &Context<'_>) -> Option<String> {
        let of_the_log = matches!(action, Action::Follow | Action::Level) && self.audit.is_shown();
        of_the_log.then(|| "that is of the owner's log; the audit trail has no levels and is shown whole".into())
    }
}

/// Draws one line whole.
fn render_line(buffer: &mut Buffer, area: Rect, line: &LogLine, ctx: &Context<'_>) {
    let at = line.at.to_zoned(ctx.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
    let inner = pane::render_with_note(buffer, area, &at, "esc returns to the log", true, ctx.theme);
    let room = usize::from(inner.width).saturating_sub(2);
    let head = [(line.level.clone(), level_style(&line.level, ctx.theme)), (printable(&line.target), ctx.theme.dim)];
    let words = value::wrap(&printable(&line.message), room, inner.height.saturating_sub(3).into());
    let blank = (String::new(), ctx.theme.text);
    let rows = head.into_iter().chain([blank]).chain(words.into_iter().map(|text| (text, ctx.theme.text)));
    for (y, (text, style)) in (inner.y..inner.bottom()).zip(rows) {
        buffer.set_stringn(inner.x + 1, y, text, room, style);
    }
}

fn narrow(column: Column) -> Column {
    if column.title == "from" { Column { width: 16, ..column } } else { column }
}

const fn level_style(level: &str, theme: &Theme) -> Style {
    match level.as_bytes() {
        b"ERROR" => theme.fail,
        b"WARN" => theme.warn,
        b"INFO" => theme.text,
        _ => theme.dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::filter::Filter;
    use crate::console::fixture::{self, body, feed, snapshot, with_context};

    #[test]
    fn a_line_is_read_whole() {
        let mut snapshot = snapshot();
        snapshot.last_log = 1;
        with_context(&snapshot, 60, 15, |ctx| {
            let mut logs = Logs::default();
            let message = format!("{}its end", "a word and another ".repeat(12));
            let line = LogLine { seq: 1, at: ctx.now, level: "WARN".into(), target: "skydeck::owner".into(), message };
            logs.take(&[line]);
            let drawn = |logs: &Logs| {
                let mut buffer = Buffer::empty(Rect::new(0, 0, 60, 15));
                logs.render(&mut buffer, Rect::new(0, 0, 60, 15), ctx);
                fixture::text_of(&buffer)
            };
            assert!(!drawn(&logs).contains("its end"));
            logs.update(Action::Open, ctx);
            assert!(drawn(&logs).contains("its end"), "{}", drawn(&logs));
            logs.update(Action::Back, ctx);
            assert!(!drawn(&logs).contains("its end"));
        });
    }

    #[test]
    fn the_log_at_three_sizes() {
        for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
            let text = body(&mut Logs::default(), &snapshot(), columns, rows);
            insta::assert_snapshot!(format!("logs_{columns}x{rows}"), text);
        }
    }

    #[test]
    fn level_and_filter_hold_lines_back() {
        let snapshot = snapshot();
        with_context(&snapshot, 100, 30, |ctx| {
            let mut logs = Logs::default();
            feed(&mut logs, ctx);
            assert_eq!(logs.shown(ctx).len(), 8);
            logs.update(Action::Level, ctx);
            assert_eq!(logs.shown(ctx).len(), 7, "INFO or worse");
            logs.update(Action::Level, ctx);
            assert_eq!(logs.shown(ctx).len(), 2, "WARN or worse");
            logs.update(Action::Level, ctx);
            logs.update(Action::Level, ctx);
            assert_eq!(logs.shown(ctx).len(), 8, "every level again");
            let filter = Filter::parse("!uplink").expect("a filter");
            assert_eq!(logs.shown(&Context { filter: &filter, ..*ctx }).len(), 6);
        });
    }

    #[test]
    fn it_asks_for_what_is_new_only() {
        let mut snapshot = snapshot();
        let mut logs = Logs::default();
        with_context(&snapshot, 100, 30, |ctx| {
            assert_eq!(logs.wants(ctx), [Request::Logs { after: 0, limit: 1000 }]);
            feed(&mut logs, ctx);
            assert!(logs.wants(ctx).is_empty());
        });
        snapshot.last_log = 9;
        with_context(&snapshot, 100, 30, |ctx| assert_eq!(logs.wants(ctx), [Request::Logs { after: 8, limit: 1000 }]));
        snapshot.last_log = 2;
        with_context(&snapshot, 100, 30, |ctx| assert_eq!(logs.wants(ctx), [Request::Logs { after: 0, limit: 1000 }]));
    }

    #[test]
    fn moving_up_stops_following_and_the_end_starts_it() {
        let snapshot = fixture::snapshot();
        with_context(&snapshot, 100, 30, |ctx| {
            let mut logs = Logs::default();
            feed(&mut logs, ctx);
            logs.update(Action::Up, ctx);
            assert!(!logs.follows);
            assert!(logs.copy(ctx).expect("a line is selected").contains("kept in set-aside"));
            logs.update(Action::Bottom, ctx);
            assert!(logs.follows);
        });
    }
}
