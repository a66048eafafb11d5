//! The audit trail of an environment: who asked, planned, approved, applied; and whether it is as it was written. It is
//! asked for only while it is shown.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;

use crate::console::Action;
use crate::console::export::{self, Exportable, Table};
use crate::console::screens::Context;
use crate::console::screens::fresh::Fresh;
use crate::console::theme::Theme;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::{pane, value};
use crate::owner::{Answer, AskError, AuditEntry, AuditEvent, EnvironmentStatus, Request};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Entries kept here at most.
const KEPT: usize = 5000;
/// Entries asked for at once.
const AT_ONCE: usize = 1000;
/// Lines that faults take at most.
const MOST_FAULTS: usize = 4;

/// What was found when a trail was looked through.
type Verdict = Result<(u64, Vec<String>), String>;

/// The view.
#[derive(Debug, Default)]
pub struct Audit {
    shown: bool,
    /// Rises whenever the view is opened: then it is asked for anew.
    looks: u64,
    /// Absent until the operator chooses one: then the one that runs here.
    environment: Option<EnvironmentName>,
    of: Option<EnvironmentName>,
    /// Oldest first.
    entries: Vec<AuditEntry>,
    verdict: Option<Verdict>,
    fault: Option<String>,
    /// Which revision the entries and the verdict are of.
    fresh: (Fresh, Fresh),
    /// Absent: the newest.
    selection: Option<Selection>,
    /// The entry that is read whole.
    opened: Option<AuditEntry>,
}

impl Audit {
    /// Whether it is shown in place of the log.
    pub const fn is_shown(&self) -> bool {
        self.shown
    }

    /// Shows it, or the log again.
    pub fn toggle(&mut self) {
        self.shown = !self.shown;
        self.looks += u64::from(self.shown);
        self.opened = None;
    }

    fn environment(&self, ctx: &Context<'_>) -> EnvironmentName {
        self.environment.clone().unwrap_or_else(|| ctx.snapshot.environment.clone())
    }

    fn status<'a>(&self, ctx: &Context<'a>) -> Option<&'a EnvironmentStatus> {
        ctx.snapshot.provisioning.environment(&self.environment(ctx))
    }

    fn is_of(&self, environment: &EnvironmentName) -> bool {
        self.of.as_ref() == Some(environment)
    }

    /// Asks for what is new, and whether all is as it was written, whenever a run of the environment has changed.
    pub fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        let environment = self.environment(ctx);
        let changes = self.status(ctx).map_or(0, |of| of.runs.iter().map(|run| run.revision).sum::<u64>());
        let revision = changes.wrapping_add(self.looks);
        let mut wants = Vec::new();
        if self.fresh.0.is_wanted((&environment, 0), revision) {
            let newest = self.entries.last().filter(|_| self.is_of(&environment)).map_or(0, |entry| entry.number);
            wants.push(Request::Audit { environment: environment.clone(), after: newest, limit: AT_ONCE });
        }
        if self.fresh.1.is_wanted((&environment, 0), revision) {
            wants.push(Request::VerifyAudit { environment });
        }
        wants
    }

    /// Takes entries, or a verdict.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>) {
        match (request, answer) {
            (Request::Audit { environment, .. }, answer) => {
                if !self.fresh.0.received((environment, 0)) {
                    return;
                }
                if !self.is_of(environment) {
                    (self.entries, self.verdict, self.selection) = (Vec::new(), None, None);
                    self.of = Some(environment.clone());
                }
                match answer {
                    Ok(Answer::Audit { entries }) => {
                        let newest = self.entries.last().map_or(0, |entry| entry.number);
                        self.entries.extend(entries.iter().filter(|entry| entry.number > newest).cloned());
                        let old = self.entries.len().saturating_sub(KEPT);
                        self.entries.drain(..old);
                        self.fault = None;
                    }
                    Ok(_) => {}
                    Err(error) => self.fault = Some(printable(&error.to_string())),
                }
            }
            (Request::VerifyAudit { environment }, answer) if self.fresh.1.received((environment, 0)) => {
                self.verdict = match answer {
                    Ok(Answer::AuditVerdict { entries, faults }) => Some(Ok((*entries, faults.clone()))),
                    Ok(_) => return,
                    Err(error) => Some(Err(printable(&error.to_string()))),
                };
            }
            _ => {}
        }
    }

    /// The entries that pass the filter.
    fn passing(&self, ctx: &Context<'_>) -> Vec<&AuditEntry> {
        let environment = self.environment(ctx);
        let all = self.entries.iter().filter(|_| self.is_of(&environment));
        all.filter(|entry| !ctx.filter.is_active() || ctx.filter.matches(&line(entry))).collect()
    }

    fn row(&self, count: usize) -> Selection {
        self.selection.unwrap_or(Selection { row: count.saturating_sub(1) })
    }

    fn selected<'a>(&self, entries: &[&'a AuditEntry]) -> Option<&'a AuditEntry> {
        entries.get(self.row(entries.len()).row.min(entries.len().saturating_sub(1))).copied()
    }

    /// Takes an action; `false` where it means nothing here.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        if self.opened.is_some() {
            let closes = matches!(action, Action::Open | Action::Back);
            self.opened = self.opened.take().filter(|_| !closes);
            return closes;
        }
        let entries = self.passing(ctx);
        match action {
            Action::Open => self.opened = self.selected(&entries).cloned(),
            Action::Left | Action::Right => self.choose(action == Action::Right, ctx),
            Action::Click { column, row } => {
                let (mut selection, top) = (self.row(entries.len()), self.head(ctx.area.width, ctx.theme).len());
                let inner = ctx.area.inner(Margin::new(1, 1));
                let top = u16::try_from(top).unwrap_or(0).min(inner.height);
                let place = Rect { y: inner.y + top, height: inner.height - top, ..inner };
                if !selection.click(column, row, place, entries.len()) {
                    return false;
                }
                self.selection = Some(selection);
            }
            moves => {
                let (mut selection, count) = (self.row(entries.len()), entries.len());
                if !selection.update(moves, count, ctx.area.height.saturating_sub(4).into()) {
                    return false;
                }
                // On the last one, what comes is followed.
                self.selection = (selection.row + 1 < count).then_some(selection);
            }
        }
        true
    }

    /// Goes to the next environment, or the one before.
    fn choose(&mut self, next: bool, ctx: &Context<'_>) {
        let all = &ctx.snapshot.provisioning.environments;
        let here = self.environment(ctx);
        let at = all.iter().position(|of| of.environment == here).unwrap_or(0);
        let step = if next { 1 } else { all.len().saturating_sub(1) };
        if let Some(chosen) = all.get((at + step) % all.len().max(1)) {
            self.environment = Some(chosen.environment.clone());
            self.selection = None;
        }
    }

    /// What stands above the entries: whether the trail is as it was written.
    fn head(&self, room: u16, theme: &Theme) -> Vec<(String, Style)> {
        let room = usize::from(room.saturating_sub(2));
        let entries = |count: u64| if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
        match &self.verdict {
            None => vec![("looking whether it is as it was written …".into(), theme.dim)],
            Some(Err(error)) => value::wrap(error, room, 2).into_iter().map(|line| (line, theme.warn)).collect(),
            Some(Ok((count, faults))) if faults.is_empty() => {
                vec![(format!("● {}, unbroken", entries(*count)), theme.ok)]
            }
            Some(Ok((count, faults))) => {
                let noun = if faults.len() == 1 { "fault" } else { "faults" };
                let mut lines = vec![(
                    format!("✖ {}, {} {noun}: it isn't as it was written", entries(*count), faults.len()),
                    theme.fail,
                )];
                let shown = if faults.len() > MOST_FAULTS { MOST_FAULTS - 1 } else { faults.len() };
                let fit = |fault: &String| (value::fit(&printable(fault), room).into_owned(), theme.fail);
                lines.extend(faults.iter().take(shown).map(fit));
                if faults.len() > shown {
                    let more = format!("… and {} more: skydeck audit verify tells them all", faults.len() - shown);
                    lines.push((value::fit(&more, room).into_owned(), theme.fail));
                }
                lines
            }
        }
    }

    /// Draws it.
    pub fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        if let Some(entry) = &self.opened {
            return render_entry(buffer, area, entry, ctx);
        }
        let environment = self.environment(ctx);
        let emulated = if self.status(ctx).is_some_and(|of| of.emulated) { " · EMULATED" } else { "" };
        let entries = self.passing(ctx);
        let title = format!("Audit trail of {environment}{emulated}");
        let held = if self.is_of(&environment) { self.entries.len() } else { 0 };
        let note = format!("←→ environment · {} of {held}", entries.len());
        let inner = pane::render_with_note(buffer, area, &title, &note, true, ctx.theme);
        let mut y = inner.y;
        for (text, style) in self.head(area.width, ctx.theme) {
            if y < inner.bottom() {
                buffer.set_stringn(inner.x, y, text, inner.width.into(), style);
                y += 1;
            }
        }
        let place = Rect { y, height: inner.bottom().saturating_sub(y), ..inner };
        if entries.is_empty() {
            let text = match &self.fault {
                Some(fault) => fault.clone(),
                None if !self.is_of(&environment) => "asking …".into(),
                None if held == 0 => format!("nothing has been asked of {environment} yet"),
                None => "no entry passes the filter".into(),
            };
            let lines = value::wrap(&text, usize::from(place.width.saturating_sub(1)), place.height.into());
            for (y, text) in (place.y..place.bottom()).zip(lines) {
                buffer.set_stringn(place.x, y, text, place.width.into(), ctx.theme.dim);
            }
            return;
        }
        let columns = [
            Column::number("no", 5).gives_way(2),
            Column::text("time", if inner.width < 110 { 11 } else { 16 }),
            Column::text("who", if inner.width < 110 { 14 } else { 24 }),
            Column::text("event", 11),
            Column::number("run", 4).gives_way(1),
            Column::text("words", 20).fill(),
        ];
        let row = |i: usize| {
            let entry = entries[i];
            let whole = value::date_time(entry.at, ctx.zone);
            // The year gives way first.
            let time = if inner.width < 110 { whole.get(5..).unwrap_or_default().to_owned() } else { whole };
            vec![
                Cell::styled(entry.number.to_string(), ctx.theme.dim),
                Cell::styled(time, ctx.theme.dim),
                printable(&entry.who).into(),
                Cell::styled(entry.event.label(), style(entry.event, ctx.theme)),
                Cell::from(entry.run.map(|run| run.to_string()).unwrap_or_default()),
                printable(&entry.shown()).into(),
            ]
        };
        table::render(buffer, place, &columns, entries.len(), row, Some(self.row(entries.len())), ctx.theme);
    }

    /// The entries shown, for files.
    pub fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        use export::Cell::{Absent, Integer, Text, Time};
        let row = |entry: &&AuditEntry| {
            vec![
                Integer(i64::try_from(entry.number).unwrap_or(i64::MAX)),
                Time(entry.at),
                Text(entry.environment.to_string()),
                Text(if entry.emulated { "EMULATED" } else { "" }.to_owned()),
                Text(entry.who.clone()),
                Text(entry.event.label().to_owned()),
                entry.run.map_or(Absent, |run| Integer(run.into())),
                Text(entry.words.clone()),
                Text(entry.previous.clone()),
                Text(entry.hash.clone()),
            ]
        };
        let rows: Vec<_> = self.passing(ctx).iter().map(row).collect();
        let columns = ["number", "at", "environment", "emulated", "who", "event", "run", "words", "previous", "hash"];
        let table = Table { name: "audit-trail".into(), columns: columns.map(str::to_owned).to_vec(), rows };
        if table.rows.is_empty() { Vec::new() } else { vec![Exportable::Table(table)] }
    }

    /// What `y` copies: the entry in a line.
    pub fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        let entries = self.passing(ctx);
        let entry = self.opened.as_ref().or_else(|| self.selected(&entries))?;
        Some(printable(&format!("{} {} {}", entry.at, line(entry), entry.hash)))
    }
}

/// An entry in a line: what the filter is held against.
fn line(entry: &AuditEntry) -> String {
    let run = entry.run.map_or_else(String::new, |run| format!("run {run} "));
    format!("{} {} {} {run}{}", entry.number, entry.who, entry.event.label(), entry.shown())
}

const fn style(event: AuditEvent, theme: &Theme) -> Style {
    match event {
        AuditEvent::Denied | AuditEvent::Refused => theme.fail,
        AuditEvent::Revealed | AuditEvent::Unlocked | AuditEvent::Recovered => theme.warn,
        AuditEvent::Approved => theme.ok,
        _ => theme.text,
    }
}

/// Draws one entry whole, with its digests.
fn render_entry(buffer: &mut Buffer, area: Rect, entry: &AuditEntry, ctx: &Context<'_>) {
    let title = format!("Entry {} of {}", entry.number, entry.environment);
    let inner = pane::render_with_note(buffer, area, &title, "esc returns to the trail", true, ctx.theme);
    let room = usize::from(inner.width).saturating_sub(2);
    let theme = ctx.theme;
    let at = entry.at.to_zoned(ctx.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
    let run = entry.run.map_or_else(String::new, |run| format!(" · run {run}"));
    let emulated = if entry.emulated { " · EMULATED" } else { "" };
    let mut told = vec![
        (at, theme.dim),
        (printable(&entry.who), theme.text),
        (format!("{}{run}{emulated}", entry.event.label()), style(entry.event, theme)),
        (String::new(), theme.text),
        (printable(&entry.words), theme.text),
        (String::new(), theme.text),
    ];
    told.extend(entry.digests.iter().map(|(name, digest)| (printable(&format!("{name} {digest}")), theme.dim)));
    told.push((format!("before {}", printable(&entry.previous)), theme.dim));
    told.push((format!("hash {}", printable(&entry.hash)), theme.dim));
    let mut y = inner.y;
    for (text, style) in told {
        let left = usize::from(inner.bottom().saturating_sub(y));
        let lines = if text.is_empty() { vec![String::new()] } else { value::wrap(&text, room, left) };
        for line in lines {
            if y < inner.bottom() {
                buffer.set_stringn(inner.x + 1, y, line, room, style);
                y += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
