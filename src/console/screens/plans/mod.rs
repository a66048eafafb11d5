//! Plans: what Terraform is to change, applying it, and what became of it.
//!
//! `tree` – environments and their runs · `run` – the shown run: steps, progress, changes · `outcome` – what a failed
//! run made and what not · `log` – the run's log · `listing` – the state's addresses, the outputs · `reading` – one
//! thing read whole · `commands` – what can be done now, and the questions before it · `question` – a question, with a
//! word to type where something is at stake · `fresh` – which revision an answer is of · `words` – signs and styles ·
//! `panes` – where everything is, and moving in it · `exports` – tables for files.

mod commands;
mod exports;
mod fresh;
mod listing;
mod log;
mod outcome;
mod panes;
mod question;
mod reading;
mod run;
mod tree;
mod words;

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::fresh::Fresh;
use self::listing::Listing;
use self::log::RunLog;
use self::question::{Question, Verdict};
use self::reading::Reading;
use self::tree::Cursor;
use super::{Context, Effect, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::widgets::table::Selection;
use crate::owner::{Answer, AskError, EnvironmentStatus, Request, Run, RunSummary};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Which pane the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Focus {
    #[default]
    Tree,
    Changes,
    Log,
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct Plans {
    focus: Focus,
    /// Absent until the operator moves: then the newest run of the environment that runs here is shown.
    cursor: Option<Cursor>,
    /// The shown run, as it was last answered.
    run: Option<Box<Run>>,
    fresh: Fresh,
    /// The selected change; absent until the operator moves: then where the work is.
    change: Option<Selection>,
    log: RunLog,
    /// Addresses marked for a targeted plan, all of one environment.
    marks: Option<(EnvironmentName, BTreeSet<String>)>,
    listing: Option<Listing>,
    reading: Option<Reading>,
    question: Option<Question>,
    failure: Option<String>,
}

impl Plans {
    /// The environment the cursor is in.
    fn environment<'a>(&self, ctx: &Context<'a>) -> Option<&'a EnvironmentStatus> {
        let name = tree::cursor(self.cursor.as_ref(), ctx).environment;
        ctx.snapshot.provisioning.environment(&name)
    }

    /// The run that is shown: the one under the cursor, or the newest of its environment.
    fn summary<'a>(&self, ctx: &Context<'a>) -> Option<(&'a EnvironmentStatus, &'a RunSummary)> {
        let environment = self.environment(ctx)?;
        let number = tree::cursor(self.cursor.as_ref(), ctx).run;
        Some((environment, environment.run(number)?))
    }

    /// The shown run whole, where it has been answered.
    fn shown_run(&self, ctx: &Context<'_>) -> Option<&Run> {
        let (environment, summary) = self.summary(ctx)?;
        let is_it = |run: &&Run| run.number == summary.number && run.environment == environment.environment;
        self.run.as_deref().filter(is_it)
    }

    /// Addresses marked in the environment of the cursor.
    fn marked(&self, ctx: &Context<'_>) -> Vec<String> {
        let name = tree::cursor(self.cursor.as_ref(), ctx).environment;
        let of_it = self.marks.iter().filter(|(of, _)| *of == name);
        of_it.flat_map(|(_, addresses)| addresses.iter().cloned()).collect()
    }

    fn mark(&mut self, address: &str, ctx: &Context<'_>) {
        let name = tree::cursor(self.cursor.as_ref(), ctx).environment;
        let mut marks = self.marks.take().filter(|(of, _)| *of == name).map(|(_, marks)| marks).unwrap_or_default();
        if !marks.remove(address) {
            marks.insert(address.to_owned());
        }
        self.marks = (!marks.is_empty()).then_some((name, marks));
    }

    /// The address under the cursor: of the open list, or of the changes.
    fn address(&self, ctx: &Context<'_>) -> Option<String> {
        match &self.listing {
            Some(listing) => listing.address(ctx),
            None => {
                let run = self.shown_run(ctx)?;
                let rows = run::rows(run, ctx);
                rows.get(run::selection(self.change, &rows).row).map(|row| row.change.address.clone())
            }
        }
    }

    fn open(&mut self, ctx: &Context<'_>) -> Outcome {
        if let Some(listing) = &self.listing {
            self.reading = listing.open(ctx);
            return Outcome::done();
        }
        let failed = self.shown_run(ctx).filter(|run| run.failure.is_some());
        self.reading = match self.focus {
            Focus::Tree => {
                let reading = failed.map(|run| Reading::failure(run, ctx.theme));
                self.focus = if reading.is_none() { Focus::Changes } else { self.focus };
                reading
            }
            Focus::Changes => self.shown_run(ctx).and_then(|run| {
                let rows = run::rows(run, ctx);
                let row = rows.get(run::selection(self.change, &rows).row.min(rows.len().saturating_sub(1)));
                row.map(|row| Reading::change(run, row.change, row.drifted, ctx))
                    .or_else(|| run.failure.is_some().then(|| Reading::failure(run, ctx.theme)))
            }),
            Focus::Log => self.log.open(ctx),
        };
        Outcome::done()
    }

    fn act(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(reason) = self.disabled(action, ctx) {
            return Outcome::effect(Effect::Notify(reason));
        }
        match commands::step(self, action, ctx) {
            commands::Step::Ask(question) => {
                self.question = Some(question);
                Outcome::done()
            }
            commands::Step::Send(request) => Outcome::effect(Effect::Ask(request)),
            commands::Step::Quit => Outcome::effect(Effect::Quit),
            commands::Step::Nothing => Outcome::done(),
        }
    }

    fn answer(&mut self, mut question: Question, action: Action) -> Outcome {
        match question.update(action) {
            Verdict::Stay => self.question = Some(question),
            Verdict::No => self.question = None,
            Verdict::Yes(request) => {
                self.question = None;
                return Outcome::effect(Effect::Ask(request));
            }
        }
        Outcome::done()
    }

    fn update_listing(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if action == Action::Back {
            self.listing = None;
            return Outcome::done();
        }
        let moved = self.listing.as_mut().is_some_and(|listing| listing.update(action, ctx));
        if moved { Outcome::done() } else { Outcome::Ignored }
    }
}

impl Screen for Plans {
    fn name(&self) -> ScreenName {
        ScreenName::Plans
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(question) = self.question.take() {
            return self.answer(question, action);
        }
        if let Some(reading) = &mut self.reading {
            if action == Action::Back {
                self.reading = None;
                return Outcome::done();
            }
            if reading.update(action, ctx) {
                return Outcome::done();
            }
            if !commands::is_command(action) {
                return Outcome::Ignored;
            }
        }
        match action {
            Action::ShowState | Action::ShowOutputs => {
                if let Some(reason) = self.disabled(action, ctx) {
                    return Outcome::effect(Effect::Notify(reason));
                }
                let name = tree::cursor(self.cursor.as_ref(), ctx).environment;
                let wanted = Listing::new(name, action == Action::ShowOutputs);
                self.reading = None;
                self.listing =
                    if self.listing.as_ref().is_some_and(|open| open.is_same(&wanted)) { None } else { Some(wanted) };
                Outcome::done()
            }
            Action::Mark => match self.address(ctx) {
                Some(address) => {
                    self.mark(&address, ctx);
                    self.update(Action::Down, ctx)
                }
                None => Outcome::effect(Effect::Notify("nothing is selected here that could be marked".into())),
            },
            action if commands::is_command(action) => self.act(action, ctx),
            Action::Open => self.open(ctx),
            action if self.listing.is_some() => self.update_listing(action, ctx),
            Action::FocusNext | Action::FocusPrevious | Action::Left | Action::Right => {
                let order = [Focus::Tree, Focus::Changes, Focus::Log];
                let by = if matches!(action, Action::FocusNext | Action::Right) { 1 } else { 2 };
                self.focus = order[(self.focus as usize + by) % 3];
                Outcome::done()
            }
            Action::Follow => {
                self.log.toggle_follow(ctx);
                Outcome::done()
            }
            Action::Click { column, row } => self.click((column, row), ctx),
            _ => self.select(action, ctx),
        }
    }

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        let mut wants = Vec::new();
        if let Some((environment, summary)) = self.summary(ctx) {
            let (name, number) = (&environment.environment, summary.number);
            if self.fresh.is_wanted((name, u64::from(number)), summary.revision) {
                wants.push(Request::Run { environment: name.clone(), number });
            }
            wants.extend(self.log.wants(name, number, summary.last_line));
        }
        wants.extend(self.listing.iter().filter_map(|listing| listing.wants(ctx)));
        wants.extend(self.reading.iter().filter_map(Reading::wants));
        wants
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>) {
        if let Some(listing) = &mut self.listing {
            listing.receive(request, answer);
        }
        if let Some(reading) = &mut self.reading {
            reading.receive(request, answer, ctx.theme);
        }
        self.log.receive(request, answer);
        match (request, answer) {
            (Request::Run { environment, number }, answer) => {
                if !self.fresh.received((environment, u64::from(*number))) {
                    return;
                }
                match answer {
                    Ok(Answer::Run { run }) => (self.run, self.failure) = (Some(run.clone()), None),
                    Ok(_) => {}
                    Err(error) => self.failure = Some(printable(&error.to_string())),
                }
            }
            (Request::StartRun { environment, run }, Ok(Answer::RunStarted { number })) => {
                // What was marked is planned now, and what was asked for is what one wants to see.
                if !run.targets.is_empty() {
                    self.marks = None;
                }
                (self.listing, self.reading) = (None, None);
                self.go(Cursor { environment: environment.clone(), run: Some(*number) });
            }
            _ => {}
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        if let Some(reading) = &self.reading {
            reading.render(buffer, area, ctx);
        } else if let Some(listing) = &self.listing {
            listing.render(buffer, area, &self.marked(ctx), ctx);
        } else {
            let panes = self.panes(area, ctx);
            tree::render(self.cursor.as_ref(), buffer, panes.tree, self.focus == Focus::Tree, ctx);
            run::render(self, buffer, panes.run, ctx);
            if let Some(run) = self.shown_run(ctx) {
                outcome::render(run, buffer, panes.outcome, ctx);
            }
            let summary = self.summary(ctx).map(|(_, summary)| summary);
            self.log.render(buffer, panes.log, self.focus == Focus::Log, summary, ctx);
        }
        if let Some(question) = &self.question {
            question.render(buffer, area, ctx.theme);
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        exports::all(self, ctx)
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        if let Some(reading) = &self.reading {
            return Some(reading.copy());
        }
        if let Some(listing) = &self.listing {
            return listing.copy(ctx);
        }
        match self.focus {
            Focus::Tree => self.summary(ctx).map(|(environment, run)| words::run_line(environment, run)),
            Focus::Changes => self.address(ctx).map(|address| printable(&address)),
            Focus::Log => self.log.copy(ctx),
        }
    }

    fn hints(&self, ctx: &Context<'_>) -> Vec<Action> {
        if self.question.is_some() {
            return vec![Action::Open, Action::Back];
        }
        if self.reading.is_some() {
            return vec![Action::Back, Action::Copy];
        }
        commands::hints(self, ctx)
    }

    fn meaning(&self, action: Action, ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
        commands::meaning(self, action, ctx)
    }

    fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        commands::disabled(self, action, ctx)
    }

    fn modal(&self) -> bool {
        self.question.is_some()
    }

    fn takes_text(&self) -> bool {
        self.question.as_ref().is_some_and(Question::takes_text)
    }
}

#[cfg(test)]
mod tests;
