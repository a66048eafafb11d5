//! Plans: what Terraform is to change and why, what the policies say of it, approving and applying it, and what became of
//! it.
//!
//! `tree` – environments and their runs · `run` – the shown run: steps, progress, its plan · `plan` – the run and plan
//! that are held, and their rows · `rows` – a plan as rows · `changes` – the rows drawn, and which is selected · `below`,
//! `diff`, `details` – the difference within a resource: its pane, its lines, asking for it · `findings` – what the
//! policies say · `outcome` – what a failed run made and what not, what has moved · `log` – the run's log · `listing` –
//! the state's addresses, the outputs · `opening`, `reading` – one thing read
//! whole · `commands` – what can be done now · `judging` –
//! what is repeated before a plan is approved or applied · `question` – a question, with a word or a reason to type where
//! something is at stake · `store` – looking into the shared store · `words` –
//! signs and styles · `panes` – where everything is, and moving in it · `exports` – tables for files.

mod below;
mod changes;
mod commands;
mod details;
mod diff;
mod exports;
mod findings;
mod judging;
mod listing;
mod log;
mod opening;
mod outcome;
mod panes;
mod plan;
mod question;
mod reading;
mod rows;
mod run;
mod store;
mod tree;
mod words;

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::below::DiffPane;
use self::details::Details;
use self::listing::Listing;
use self::log::RunLog;
use self::panes::Below;
use self::plan::Held;
use self::question::{Question, Verdict};
use self::reading::Reading;
use self::rows::RowKey;
use self::store::Store;
use self::tree::Cursor;
use super::{Context, Effect, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::widgets::table::Selection;
use crate::owner::{Answer, AskError, EnvironmentStatus, Finding, Request, Run, RunSummary};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Which pane the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Focus {
    #[default]
    Tree,
    Changes,
    Diff,
    Log,
    Findings,
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct Plans {
    focus: Focus,
    /// Absent until the operator moves: then the newest run of the environment that runs here is shown.
    cursor: Option<Cursor>,
    held: Held,
    details: Details,
    /// The selected row of the plan; absent until the operator moves: then where the work is.
    picked: Option<RowKey>,
    diff: DiffPane,
    finding: Selection,
    /// Which of the selected finding's addresses is gone to next.
    jumped: usize,
    /// Chosen by the operator; absent: what fits the run.
    below: Option<Below>,
    log: RunLog,
    store: Store,
    /// Addresses marked for a targeted plan, all of one environment.
    marks: Option<(EnvironmentName, BTreeSet<String>)>,
    listing: Option<Listing>,
    reading: Option<Reading>,
    question: Option<Question>,
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
        self.held.run.as_deref().filter(is_it)
    }

    /// The selected finding.
    fn finding(&self, ctx: &Context<'_>) -> Option<&Finding> {
        let findings = &self.shown_run(ctx)?.findings;
        findings.get(self.finding.row.min(findings.len().saturating_sub(1)))
    }

    fn pick_finding(&mut self, place: usize) {
        if self.finding.row != place {
            (self.finding.row, self.jumped) = (place, 0);
        }
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

    /// The address under the cursor: of the open list, or of the plan.
    fn address(&self, ctx: &Context<'_>) -> Option<String> {
        match &self.listing {
            Some(listing) => listing.address(ctx),
            None => self.picked_address(ctx),
        }
    }

    fn act(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if action == Action::Reveal && self.details.is_revealed() {
            self.hide();
            return Outcome::done();
        }
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

    /// Hides what was revealed, and what was read of it.
    fn hide(&mut self) {
        if self.details.is_revealed() {
            self.details.hide();
            self.reading = None;
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

    fn show_listing(&mut self, outputs: bool, ctx: &Context<'_>) {
        let name = tree::cursor(self.cursor.as_ref(), ctx).environment;
        let wanted = Listing::new(name, outputs);
        self.reading = None;
        self.listing =
            if self.listing.as_ref().is_some_and(|open| open.is_same(&wanted)) { None } else { Some(wanted) };
    }

    fn update_listing(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if action == Action::Back {
            self.listing = None;
            return Outcome::done();
        }
        let moved = self.listing.as_mut().is_some_and(|listing| listing.update(action, ctx));
        if moved { Outcome::done() } else { Outcome::Ignored }
    }

    /// Actions on the panes.
    fn update_panes(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        match action {
            Action::FocusNext | Action::FocusPrevious => self.focus_by(action == Action::FocusPrevious, ctx),
            // In the tree they fold and unfold; where there is nothing to fold they go to the pane beside.
            Action::Left | Action::Right => {
                if self.focused(ctx) != Focus::Changes || !self.move_change(action, 0, ctx) {
                    self.focus_by(action == Action::Left, ctx);
                }
            }
            Action::Follow => self.log.toggle_follow(ctx),
            Action::ToggleLog => self.toggle_below(ctx),
            Action::Unchanged => self.diff.unchanged = !self.diff.unchanged,
            Action::FoldAll => self.held.folds.turn_all(),
            Action::RefreshRuns => {
                if let Some(reason) = self.disabled(action, ctx) {
                    return Outcome::effect(Effect::Notify(reason));
                }
                let name = tree::cursor(self.cursor.as_ref(), ctx).environment;
                return Outcome::effect(Effect::Ask(self.store.again(name)));
            }
            Action::Back if self.details.is_revealed() => self.hide(),
            Action::Click { column, row } => return self.click((column, row), ctx),
            _ => return self.select(action, ctx),
        }
        Outcome::done()
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
        // What was revealed isn't left standing on a screen that one has left.
        if action.destination().is_some() {
            self.hide();
        }
        if let Some(reading) = &mut self.reading {
            if action == Action::Back {
                self.reading = None;
                return Outcome::done();
            }
            if reading.update(action, ctx) {
                return Outcome::done();
            }
            if action == Action::Unchanged && self.read_again(ctx) {
                return Outcome::done();
            }
            if !commands::is_command(action) && action != Action::Jump {
                return Outcome::Ignored;
            }
        }
        match action {
            Action::ShowState | Action::ShowOutputs => {
                if let Some(reason) = self.disabled(action, ctx) {
                    return Outcome::effect(Effect::Notify(reason));
                }
                self.show_listing(action == Action::ShowOutputs, ctx);
                Outcome::done()
            }
            Action::Mark => match self.address(ctx) {
                Some(address) => {
                    self.mark(&address, ctx);
                    self.update(Action::Down, ctx)
                }
                None => Outcome::effect(Effect::Notify("nothing is selected here that could be marked".into())),
            },
            Action::Jump => self.jump(ctx),
            action if commands::is_command(action) => self.act(action, ctx),
            Action::Open => self.open(ctx),
            action if self.listing.is_some() => self.update_listing(action, ctx),
            action => self.update_panes(action, ctx),
        }
    }

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        let mut wants = Vec::new();
        if let Some((environment, summary)) = self.summary(ctx) {
            wants.extend(self.held.wants(environment, summary));
            wants.extend(self.log.wants(&environment.environment, summary.number, summary.last_line));
        }
        wants.extend(self.wants_details(ctx));
        wants.extend(self.environment(ctx).and_then(|of| self.store.wants(&of.environment)));
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
        self.store.receive(request, answer, ctx.now);
        let before = self.held.run.as_ref().map(|run| (run.environment.clone(), run.number));
        self.held.receive(request, answer);
        let now = self.held.run.as_ref().map(|run| (run.environment.clone(), run.number));
        if before != now {
            self.forget_place();
        }
        let looked_at = self.picked_change(ctx);
        let wanted = now.as_ref().zip(looked_at).map(|(key, (list, index))| (key, list, index));
        self.details.receive(request, answer, wanted);
        if let (Request::StartRun { environment, run }, Ok(Answer::RunStarted { number })) = (request, answer) {
            // What was marked is planned now, and what was asked for is what one wants to see.
            if !run.targets.is_empty() {
                self.marks = None;
            }
            (self.listing, self.reading) = (None, None);
            self.go(Cursor { environment: environment.clone(), run: Some(*number) });
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        if let Some(reading) = &self.reading {
            reading.render(buffer, area, ctx);
        } else if let Some(listing) = &self.listing {
            listing.render(buffer, area, &self.marked(ctx), ctx);
        } else {
            self.render_panes(buffer, area, ctx);
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
        match self.focused(ctx) {
            Focus::Tree => self.summary(ctx).map(|(environment, run)| words::run_line(environment, run)),
            Focus::Changes => self.address(ctx).map(|address| printable(&address)),
            Focus::Findings => self.finding(ctx).map(findings::in_words),
            Focus::Diff => self.copy_difference(ctx),
            Focus::Log => self.log.copy(ctx),
        }
    }

    fn hints(&self, ctx: &Context<'_>) -> Vec<Action> {
        if self.question.is_some() {
            return vec![Action::Open, Action::Back];
        }
        if self.reading.is_some() {
            let own = match self.focused(ctx) {
                Focus::Findings if self.disabled(Action::Jump, ctx).is_none() => Some(Action::Jump),
                Focus::Changes if self.listing.is_none() && self.picked_change(ctx).is_some() => {
                    Some(Action::Unchanged)
                }
                _ => None,
            };
            return own.into_iter().chain([Action::Back, Action::Copy]).collect();
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
