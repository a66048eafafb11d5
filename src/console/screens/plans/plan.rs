//! The shown run and its plan, as they were last answered, and its rows as they are folded and filtered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::rows::{self, Branch, Folds, RowKey, Rows, Trees};
use super::words;
use crate::console::filter::Filter;
use crate::console::screens::fresh::Fresh;
use crate::owner::{Answer, AskError, EnvironmentStatus, PlanList, PlanOutline, Progress, Request, Run, RunSummary};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Which plan: a run's number in its environment.
pub type PlanKey = (EnvironmentName, u32);

/// The shown run and its plan.
#[derive(Debug, Default)]
pub struct Held {
    /// The run, as it was last answered.
    pub run: Option<Box<Run>>,
    /// Why the run isn't here.
    pub failure: Option<String>,
    /// Which branches are folded.
    pub folds: Folds,
    fresh: Fresh,
    /// The plan that was asked for, or why it isn't here.
    plan: Option<(PlanKey, Result<Arc<PlanOutline>, String>)>,
    /// What is shown: the plan, or what the run tells of it.
    shown: Arc<PlanOutline>,
    trees: Trees,
    /// Places in the run's changes by address.
    places: HashMap<String, usize>,
    /// Rises with every other plan that is shown.
    generation: u64,
    rows: RefCell<Option<Made>>,
}

/// The rows and what they were made of.
#[derive(Debug)]
struct Made {
    of: (u64, u64, String),
    rows: Arc<Rows>,
}

impl Held {
    /// Asks for the run where it has changed, and for its plan, once.
    pub fn wants(&self, environment: &EnvironmentStatus, summary: &RunSummary) -> Vec<Request> {
        let (name, number) = (&environment.environment, summary.number);
        let mut wants = Vec::new();
        if self.fresh.is_wanted((name, u64::from(number)), summary.revision) {
            wants.push(Request::Run { environment: name.clone(), number });
        }
        let is_planned = summary.planned_at.is_some();
        if is_planned && !self.plan.as_ref().is_some_and(|(key, _)| key.0 == *name && key.1 == number) {
            wants.push(Request::Plan { environment: name.clone(), number });
        }
        wants
    }

    /// Takes a run or a plan.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>) {
        match (request, answer) {
            (Request::Run { environment, number }, answer) => {
                if !self.fresh.received((environment, u64::from(*number))) {
                    return;
                }
                match answer {
                    Ok(Answer::Run { run }) => self.take(run),
                    Ok(_) => {}
                    Err(error) => self.failure = Some(printable(&error.to_string())),
                }
            }
            (Request::Plan { environment, number }, Ok(Answer::Plan { plan })) => {
                self.plan = Some(((environment.clone(), *number), Ok(Arc::clone(plan))));
                self.look();
            }
            (Request::Plan { environment, number }, Err(error)) => {
                self.plan = Some(((environment.clone(), *number), Err(printable(&error.to_string()))));
            }
            _ => {}
        }
    }

    /// Takes a run.
    pub fn take(&mut self, run: &Run) {
        let is_other = self.run.as_ref().is_none_or(|held| held.changes.len() != run.changes.len() || !same(held, run));
        self.run = Some(Box::new(run.clone()));
        self.failure = None;
        if is_other || self.plan_of(run).is_none() {
            self.places = run.changes.iter().enumerate().map(|(i, change)| (change.address.clone(), i)).collect();
        }
        self.look();
    }

    fn plan_of(&self, run: &Run) -> Option<&Arc<PlanOutline>> {
        let (_, plan) = self.plan.as_ref().filter(|(key, _)| key.0 == run.environment && key.1 == run.number)?;
        plan.as_ref().ok()
    }

    /// Chooses what is shown.
    fn look(&mut self) {
        let Some(run) = &self.run else { return };
        if let Some(plan) = self.plan_of(run).map(Arc::clone) {
            if !Arc::ptr_eq(&plan, &self.shown) {
                self.show(plan);
            }
            return;
        }
        let told = rows::outline_of(run);
        if told != *self.shown {
            self.show(Arc::new(told));
        }
    }

    fn show(&mut self, plan: Arc<PlanOutline>) {
        self.trees = Trees::of(&plan);
        self.folds.look_at(&plan);
        (self.shown, self.generation) = (plan, self.generation + 1);
    }

    /// The branches around a change, the outermost first.
    pub fn around(&self, list: PlanList, index: usize) -> Vec<Branch> {
        self.trees.around(list, index)
    }

    /// The plan that is shown; only what the run tells of it before it has come, or where it isn't kept.
    pub fn plan(&self) -> &PlanOutline {
        &self.shown
    }

    /// The run and its plan, where the plan itself has come.
    pub fn whole(&self) -> Option<(&Run, &Arc<PlanOutline>)> {
        let run = self.run.as_deref()?;
        Some((run, self.plan_of(run)?))
    }

    /// Whether the plan itself has come, so that there are differences to be asked for.
    pub fn is_whole(&self) -> bool {
        self.whole().is_some()
    }

    /// Why the plan of `run` isn't here.
    pub fn missing(&self, run: &Run) -> Option<&str> {
        let (_, plan) = self.plan.as_ref().filter(|(key, _)| key.0 == run.environment && key.1 == run.number)?;
        plan.as_ref().err().map(String::as_str)
    }

    /// The rows as they are folded and filtered, made anew only where one of these has changed.
    pub fn rows(&self, filter: &Filter) -> Arc<Rows> {
        let of = (self.generation, self.folds.generation, filter.text().to_owned());
        let mut made = self.rows.borrow_mut();
        match &*made {
            Some(made) if made.of == of => Arc::clone(&made.rows),
            _ => {
                let rows = Arc::new(Rows::of(&self.shown, &self.trees, filter, &self.folds));
                *made = Some(Made { of, rows: Arc::clone(&rows) });
                rows
            }
        }
    }

    /// How far the apply is with a resource.
    pub fn progress(&self, address: &str) -> Option<&Progress> {
        let run = self.run.as_ref()?;
        let change = run.changes.get(*self.places.get(address)?)?;
        (change.address == address).then_some(&change.progress)
    }

    /// Where the work is: what failed, or else what is worked on.
    pub fn at_work(&self) -> Option<RowKey> {
        let run = self.run.as_ref()?;
        let of = |is: fn(&Progress) -> bool| run.changes.iter().find(|change| is(&change.progress));
        let change = of(|progress| matches!(progress, Progress::Failed { .. }))
            .or_else(|| of(|progress| matches!(progress, Progress::Running { .. })))?;
        self.find(&change.address)
    }

    /// The row of an address: among what changes, or else among what has drifted.
    pub fn find(&self, address: &str) -> Option<RowKey> {
        [PlanList::Changes, PlanList::Drift].into_iter().find_map(|list| {
            let place = words::listed(&self.shown, list).iter().position(|change| change.address == address)?;
            Some(RowKey::Change(list, place))
        })
    }
}

fn same(one: &Run, other: &Run) -> bool {
    one.environment == other.environment && one.number == other.number && one.phase == other.phase
}
