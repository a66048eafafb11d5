//! Opening what is selected, and going from a finding to what it is about.

use super::reading::{Changed, Reading};
use super::rows::RowKey;
use super::{Focus, Plans, findings, run, words};
use crate::console::screens::{Context, Effect, Outcome};
use crate::station::text::counted;

impl Plans {
    pub(super) fn open(&mut self, ctx: &Context<'_>) -> Outcome {
        if let Some(listing) = &self.listing {
            self.reading = listing.open(ctx);
            return Outcome::done();
        }
        match self.focused(ctx) {
            Focus::Tree => {
                self.reading = self.why_it_came_to_nothing(ctx);
                self.focus = if self.reading.is_none() { Focus::Changes } else { self.focus };
            }
            Focus::Changes => {
                if !self.turn(ctx) {
                    self.reading = self.read_change(ctx).or_else(|| self.why_it_came_to_nothing(ctx));
                }
            }
            Focus::Findings => self.reading = self.finding(ctx).map(|finding| findings::reading(finding, ctx.theme)),
            Focus::Diff => self.reading = self.open_difference(ctx),
            Focus::Log => self.reading = self.log.open(ctx),
        }
        Outcome::done()
    }

    /// Reads the difference that is read with what stays as it is, or again without; `false` where something else is read.
    pub(super) fn read_again(&mut self, ctx: &Context<'_>) -> bool {
        if self.listing.is_some() || self.focused(ctx) != Focus::Changes {
            return false;
        }
        let was = self.diff.unchanged;
        self.diff.unchanged = !was;
        let again = self.read_change(ctx);
        if again.is_none() {
            self.diff.unchanged = was;
            return false;
        }
        self.reading = again;
        true
    }

    fn why_it_came_to_nothing(&self, ctx: &Context<'_>) -> Option<Reading> {
        let run = self.shown_run(ctx)?;
        match &run.failure {
            Some(_) => Some(Reading::failure(run, ctx.theme)),
            None => (!run.moved.is_empty()).then(|| Reading::moved(run, ctx.theme)),
        }
    }

    /// Folds or unfolds the selected branch; `false` where something else is selected.
    pub(super) fn turn(&mut self, ctx: &Context<'_>) -> bool {
        let rows = self.held.rows(ctx.filter);
        let Some(row) = rows.get(self.row(&rows)) else { return false };
        let RowKey::Branch(branch) = &row.key else { return false };
        self.pick(row.key.clone());
        self.held.folds.set(branch, !row.open);
        true
    }

    /// What is selected in the plan, whole.
    fn read_change(&self, ctx: &Context<'_>) -> Option<Reading> {
        let run = self.shown_run(ctx)?;
        let Some((list, index)) = self.picked_change(ctx) else { return self.open_difference(ctx) };
        let change = words::listed(self.held.plan(), list).get(index)?;
        let subject = self.shown_difference(ctx)?;
        let progress = self.held.progress(&change.address).filter(|_| run::applies(run));
        let of = Changed { change, list, progress, revealed: subject.revealed };
        Some(Reading::change(run, &of, &subject.lines, ctx))
    }

    /// Goes to the next of the addresses that the selected finding is about.
    pub(super) fn jump(&mut self, ctx: &Context<'_>) -> Outcome {
        let addresses = self.finding(ctx).map(|finding| finding.addresses.clone()).unwrap_or_default();
        let Some(address) = addresses.get(self.jumped % addresses.len().max(1)) else { return Outcome::done() };
        self.jumped += 1;
        let notify = |text: String| Outcome::effect(Effect::Notify(text));
        if !self.jump_to(address) {
            return notify(format!("{address} isn't among what this plan changes"));
        }
        self.reading = None;
        let rows = self.held.rows(ctx.filter);
        let is_there = self.picked.as_ref().is_some_and(|key| rows.position(key).is_some());
        if !is_there {
            return notify(format!("{address} doesn't pass the filter"));
        }
        if addresses.len() > 1 {
            let at = (self.jumped - 1) % addresses.len() + 1;
            return notify(format!("{at} of {}", counted(addresses.len(), "resource")));
        }
        Outcome::done()
    }
}
