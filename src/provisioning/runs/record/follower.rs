//! Progress of a run's changes, from the lines of an apply.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::provisioning::run::{ChangeAction, Diagnostic, Progress, ResourceChange, Run};
use crate::provisioning::terraform::event::{self, Event, Line};
use crate::provisioning::terraform::mask::Masks;

/// Notes in a run's changes how far they are.
#[derive(Debug, Default)]
pub struct Follower {
    /// Replacements of which one half is done.
    half_done: BTreeSet<String>,
    /// The places of changes in the run, by the address that Terraform names: in the run it is masked, and two may read
    /// alike then.
    places: HashMap<String, usize>,
}

impl Follower {
    /// Notes what a line of an apply says. `masks` are those that the run's addresses were masked by.
    pub fn note(&mut self, run: &mut Run, line: &Line, masks: &Masks, now: Timestamp) {
        let at = line.at.unwrap_or(now);
        match &line.event {
            Event::Started { address, .. } => {
                if let Some(change) = self.find(run, address, masks)
                    && !matches!(change.progress, Progress::Running { .. })
                {
                    change.progress = Progress::Running { since: at };
                }
            }
            Event::Done { address, .. } => {
                if let Some(change) = self.find(run, address, masks) {
                    let is_first_half =
                        change.action == ChangeAction::Replace && self.half_done.insert(address.clone());
                    if let Progress::Running { since } = change.progress
                        && !is_first_half
                    {
                        change.progress = Progress::Done { took_s: at.duration_since(since).as_secs_f64() };
                    }
                }
            }
            Event::Failed { address } => {
                if let Some(change) = self.find(run, address, masks) {
                    change.progress = Progress::Failed { error: String::new() };
                }
            }
            Event::Diagnostic(diagnostic) if diagnostic.error => {
                if let Some(address) = &diagnostic.address
                    && let Some(change) = self.find(run, address, masks)
                {
                    add_error(&mut change.progress, &masks.apply_to(diagnostic.clone()));
                }
            }
            _ => {}
        }
    }

    fn find<'r>(&mut self, run: &'r mut Run, address: &str, masks: &Masks) -> Option<&'r mut ResourceChange> {
        let place = match self.places.get(address) {
            Some(place) => *place,
            None => {
                let masked = masks.apply(address);
                let is_taken = |at: usize| self.places.values().any(|place| *place == at);
                let mut alike = run.changes.iter().enumerate().filter(|(_, change)| change.address == masked);
                let (place, _) = alike.find(|(at, _)| masked == address || !is_taken(*at))?;
                self.places.insert(address.to_owned(), place);
                place
            }
        };
        run.changes.get_mut(place)
    }
}

fn add_error(progress: &mut Progress, diagnostic: &Diagnostic) {
    let words = event::words(diagnostic);
    match progress {
        Progress::Failed { error } if error.is_empty() => *error = words,
        Progress::Failed { error } => *error = format!("{error}\n{words}"),
        _ => *progress = Progress::Failed { error: words },
    }
}

/// Brings the changes to rest once an apply has ended: what was begun and not told of has failed, what wasn't begun was
/// left out. After a success, what Terraform doesn't tell of (imports, moves) was done with the rest.
pub fn settle(run: &mut Run, succeeded: bool, reason: &str) {
    for change in &mut run.changes {
        match &mut change.progress {
            Progress::Pending if succeeded => change.progress = Progress::Done { took_s: 0.0 },
            Progress::Pending => change.progress = Progress::Skipped,
            Progress::Running { .. } => change.progress = Progress::Failed { error: reason.to_owned() },
            Progress::Failed { error } if error.is_empty() => *error = reason.to_owned(),
            _ => {}
        }
    }
}
