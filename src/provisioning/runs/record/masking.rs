//! A run without its secrets.

use crate::provisioning::policy::finding::Finding;
use crate::provisioning::run::{Progress, ResourceChange, Run};
use crate::provisioning::terraform::mask::Masks;

/// Masks what is secret in a run. What it is limited to stays as it was asked for: a fresh plan needs it, and a run whose
/// secrets stand in there is refused before it is planned.
pub(super) fn mask(run: &mut Run, masks: &Masks) {
    for list in [&mut run.changes, &mut run.drift] {
        *list = std::mem::take(list).into_iter().map(|one| change(one, masks)).collect();
    }
    let texts = run.changed_outputs.iter_mut().chain(&mut run.moved).chain(run.request.variables.values_mut());
    texts.for_each(|text| *text = masks.apply(text));
    if let Some(failure) = &mut run.failure {
        failure.advice = masks.apply(&failure.advice);
        for diagnostic in &mut failure.diagnostics {
            *diagnostic = masks.apply_to(diagnostic.clone());
        }
    }
    run.findings = std::mem::take(&mut run.findings).into_iter().map(|one| finding(one, masks)).collect();
}

/// A finding without secrets.
pub fn finding(finding: Finding, masks: &Masks) -> Finding {
    Finding {
        message: masks.apply(&finding.message),
        addresses: finding.addresses.iter().map(|address| masks.apply(address)).collect(),
        ..finding
    }
}

/// A change without its secrets.
pub(super) fn change(change: ResourceChange, masks: &Masks) -> ResourceChange {
    ResourceChange {
        address: masks.apply(&change.address),
        reason: change.reason.map(|reason| masks.apply(&reason)),
        importing: change.importing.map(|id| masks.apply(&id)),
        progress: match change.progress {
            Progress::Failed { error } => Progress::Failed { error: masks.apply(&error) },
            other => other,
        },
        ..change
    }
}
