//! A plan's differences, all of them: a screen holds only those that were looked at.

use std::time::Duration;

use tokio::time::Instant;

use crate::console::export::PlanReport;
use crate::owner::{Answer, ChangeDetail, OwnerClient, PlanList, Request};

/// Resources asked for at once.
const AT_ONCE: usize = 200;
/// Least time between two words on how far it is.
const WORDS_FLOOR: Duration = Duration::from_secs(1);

/// Asks for every difference of the report's plan, and says how far it is while that takes its time. Fails in words
/// where one of them can't be had: a report with holes isn't written.
pub(super) async fn whole(
    client: &OwnerClient,
    mut report: PlanReport,
    say: impl Fn(String),
) -> Result<PlanReport, String> {
    let total = report.total();
    let mut said = Instant::now();
    for list in [PlanList::Changes, PlanList::Drift] {
        let (wanted, before) = match list {
            PlanList::Changes => (report.plan.changes.len(), 0),
            PlanList::Drift => (report.plan.drift.len(), report.plan.changes.len()),
        };
        let mut found: Vec<ChangeDetail> = Vec::with_capacity(wanted);
        while found.len() < wanted {
            found.extend(page(client, &report, list, found.len()).await?);
            if said.elapsed() >= WORDS_FLOOR {
                said = Instant::now();
                say(format!("{}: {} of {total} resources read", report.name, before + found.len()));
            }
        }
        match list {
            PlanList::Changes => report.changes = found,
            PlanList::Drift => report.drift = found,
        }
    }
    Ok(report)
}

/// The next differences, one at least.
async fn page(
    client: &OwnerClient,
    report: &PlanReport,
    list: PlanList,
    from: usize,
) -> Result<Vec<ChangeDetail>, String> {
    let environment = report.run.environment.clone();
    let request = Request::PlanDetails { environment, number: report.run.number, list, from, count: AT_ONCE };
    match client.ask(request).await {
        Ok(Answer::PlanDetails { details }) if !details.is_empty() => Ok(details),
        Ok(_) => {
            let name = &report.name;
            Err(format!("export {name} not made: the plan's differences aren't kept any more; make a new plan"))
        }
        Err(error) => Err(format!("export {} not made: {error}", report.name)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::fixture;
    use crate::console::fixture::provisioning::{RICH, answer, plan, run};
    use crate::owner::Ask;

    /// A client whose asks are answered by the fixture, or with nothing after `pages` of them.
    fn client(pages: usize) -> OwnerClient {
        let (asks, mut asked) = tokio::sync::mpsc::channel::<Ask>(4);
        let (_, snapshots) = tokio::sync::watch::channel(Arc::new(fixture::snapshot()));
        tokio::spawn(async move {
            let mut left = pages;
            while let Some(ask) = asked.recv().await {
                let answered = match left.checked_sub(1) {
                    Some(rest) => {
                        left = rest;
                        answer(&ask.request)
                    }
                    None => Answer::PlanDetails { details: Vec::new() },
                };
                drop(ask.answer.send(Ok(answered)));
            }
        });
        OwnerClient::new(snapshots, asks)
    }

    fn report() -> PlanReport {
        PlanReport::of(&run(RICH), &Arc::new(plan::outline()))
    }

    #[tokio::test]
    async fn every_difference_is_there_in_the_plans_order() {
        let report = whole(&client(usize::MAX), report(), |_| {}).await.expect("whole");
        let places = |details: &[ChangeDetail]| details.iter().map(|detail| detail.index).collect::<Vec<_>>();
        assert_eq!(places(&report.changes), (0..report.plan.changes.len()).collect::<Vec<_>>());
        assert_eq!(places(&report.drift), (0..report.plan.drift.len()).collect::<Vec<_>>());
        assert!(!report.changes.is_empty() && !report.drift.is_empty());
    }

    #[tokio::test]
    async fn what_is_not_kept_any_more_is_said_and_nothing_is_written_with_holes() {
        let error = whole(&client(1), report(), |_| {}).await.expect_err("the drift isn't there");
        assert!(error.contains("aren't kept any more; make a new plan"), "{error}");
    }
}
