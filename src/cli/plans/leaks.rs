//! Whatever is marked as sensitive anywhere in a plan stands in nothing that a run tells, keeps or shows: its file, log,
//! findings and diagnostics, the audit trail, what the commands write, what the console draws.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use self::generator::{forms, plans};
use super::reading::{self, Reading};
use super::{follow, stake, text};
use crate::cli::output::Output;
use crate::owner::export::{Report, html, json, markdown};
use crate::owner::{
    Answer, Ask, AskError, ChangeDetail, EnvironmentStatus, Finding, FindingSeverity, OwnerClient, Phase, PlanList,
    PlanOutline, ProvisioningStatus, Request, Run, RunLogLine, RunRequest, RunSummary, TerraformStatus,
};
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::plan::{kept, read::PlanReading};
use crate::provisioning::runs::ask::{self, Wish};
use crate::provisioning::runs::log;
use crate::provisioning::runs::record::Recorder;
use crate::provisioning::runs::store::Store;
use crate::provisioning::terraform::event;
use crate::settings::EnvironmentName;

#[path = "../../../tests/plan_reading/generator.rs"]
mod generator;

/// A run that was carried out, and everything that is known of it outside.
struct Made {
    run: Run,
    plan: PlanOutline,
    changes: Vec<ChangeDetail>,
    drift: Vec<ChangeDetail>,
    log: Vec<RunLogLine>,
    kept: Vec<(String, String)>,
}

/// Carries a run out as [`crate::provisioning::runs::carry`] does, Terraform's words and the plan made up.
fn made(plan: &Value, secrets: &[Value]) -> Made {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::of(&EnvironmentName::demo(), folder.path());
    let (number, ticket) = ask::start(&store, Wish::of(RunRequest::default()), "ada@roof").expect("a run");
    let mut recorder = Recorder::open(&store, number).expect("opened");
    recorder.begin(Phase::Planning).expect("begun");
    let told = secrets.iter().map(|secret| secret.as_str().map_or_else(|| secret.to_string(), str::to_owned));
    let told = told.collect::<Vec<_>>().join(", ");
    let says = |kind: &str, more: Value| {
        let mut line = serde_json::json!({"@level": "info", "@message": format!("it was {told}"),
            "@timestamp": "2026-03-02T13:00:00Z", "type": kind});
        line.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        event::parse(&line.to_string())
    };
    for change in plan["resource_changes"].as_array().expect("changes") {
        let resource = serde_json::json!({"addr": change["address"], "resource_type": "a"});
        let change = serde_json::json!({"resource": resource, "action": "update", "reason": told});
        recorder.take(says("planned_change", serde_json::json!({ "change": change }))).expect("taken");
        recorder.take(says("resource_drift", serde_json::json!({ "change": change }))).expect("taken");
    }
    let diagnostic = serde_json::json!({"severity": "error", "summary": told, "detail": format!("it was {told}"),
        "address": format!("a.b[{told:?}]")});
    recorder.take(says("diagnostic", serde_json::json!({ "diagnostic": diagnostic }))).expect("taken");
    recorder.take(says("change_summary_of_tomorrow", serde_json::json!({}))).expect("taken");
    recorder.take(event::parse(&format!("panic: {told}"))).expect("taken");
    recorder
        .take(says("outputs", serde_json::json!({"outputs": {told.clone(): {"action": "create"}}})))
        .expect("taken");
    let before = std::fs::read_to_string(store.run_folder(number).join("log.jsonl")).expect("a log");

    let reading = PlanReading::read(plan.to_string().as_bytes()).expect("a plan");
    recorder.know(reading.masks().clone()).expect("known");
    recorder.release().expect("told");
    kept::write(&store.run_folder(number), &reading).expect("kept");
    recorder.planned(Some(1));
    let finding = |severity| Finding {
        severity,
        policy: "own".into(),
        message: format!("it holds {told}"),
        addresses: vec![format!("a.b[{told:?}]")],
        explanation: None,
    };
    recorder.judged(vec![finding(FindingSeverity::Deny), finding(FindingSeverity::Info)]).expect("judged");
    recorder.tell(AuditEvent::Planned, &format!("of {told}"), std::collections::BTreeMap::new()).expect("told");
    recorder.run_mut().moved = vec![reading.masks().apply(&format!("a.b[{told:?}]: moved"))];
    if plan["errored"] == true {
        recorder.fail(false).expect("failed");
    } else {
        recorder.rest(Phase::Planned).expect("waits");
    }
    ticket.give_back();
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("readable");
    let mut files = vec![("the log before the plan was read".to_owned(), before)];
    for name in ["run.json", "log.jsonl", kept::OUTLINE, kept::DETAILS] {
        files.push((name.to_owned(), read(&store.run_folder(number).join(name))));
    }
    files.push(("the audit trail".to_owned(), read(&folder.path().join("provisioning/audit/trail.jsonl"))));
    let plan = kept::outline(&store.run_folder(number)).expect("kept");
    let details = |list, count| kept::details(&store.run_folder(number), list, 0, count).expect("kept");
    Made {
        run: store.read(number).expect("a run").run,
        changes: details(PlanList::Changes, plan.changes.len()),
        drift: details(PlanList::Drift, plan.drift.len()),
        plan,
        log: log::read(&log::path(&store.run_folder(number)), 0, 1000).expect("a log"),
        kept: files,
    }
}

/// Whatever the commands write of it.
fn written(made: &Made) -> Vec<(String, String)> {
    let Made { run, plan, changes, drift, log, kept } = made;
    let output = Output { json: false, color: false };
    let of = Reading { run, plan, changes, drift };
    let report = Report { run, plan, changes, drift, repository: None };
    let mut texts = kept.clone();
    let shown = [
        ("plan", text::plan(run, output)),
        ("runs N", text::run(run, output)),
        ("show", reading::text(&of, false, Timestamp::now(), output)),
        ("denials", stake::denials(run)),
        ("losses", stake::losses(run)),
        ("at stake", stake::at_stake(run, Timestamp::now())),
        ("standard error", follow::words(run).unwrap_or_default()),
        ("log", log.iter().map(follow::line_text).collect::<Vec<_>>().join("\n")),
        ("JSON", serde_json::to_string(run).expect("JSON")),
        ("Markdown", markdown(&report)),
        ("HTML", html(&report)),
        ("a plan's JSON", json(&report)),
    ];
    texts.extend(shown.map(|(name, text)| (name.to_owned(), text)));
    texts
}

fn status(run: &Run) -> ProvisioningStatus {
    let environment = EnvironmentStatus {
        environment: run.environment.clone(),
        emulated: true,
        resources: Some(1),
        lock: None,
        drift: None,
        runs: vec![RunSummary::of(run, 9, 9)],
        older: 0,
        state_fault: None,
    };
    let terraform = TerraformStatus::Found { path: "/usr/bin/terraform".into(), version: "1.11.4".into() };
    ProvisioningStatus { terraform, environments: vec![environment] }
}

/// An owner that tells of this run alone. Needs a runtime.
fn client(made: &Arc<Made>) -> OwnerClient {
    let mut snapshot = crate::cli::status::fixture::snapshot();
    snapshot.version = 1;
    snapshot.environment = made.run.environment.clone();
    snapshot.provisioning = status(&made.run);
    let (snapshots, shown) = watch::channel(Arc::new(snapshot));
    let (asks, mut asked) = mpsc::channel::<Ask>(4);
    let made = Arc::clone(made);
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            let answer = match &ask.request {
                Request::Run { .. } => Ok(Answer::Run { run: Box::new(made.run.clone()) }),
                Request::RunLog { .. } | Request::RunLogPage { .. } => Ok(Answer::RunLog { lines: made.log.clone() }),
                Request::Plan { .. } => Ok(Answer::Plan { plan: Arc::new(made.plan.clone()) }),
                Request::PlanDetails { list, from, count, .. } => {
                    let of = if *list == PlanList::Changes { &made.changes } else { &made.drift };
                    Ok(Answer::PlanDetails { details: of.iter().skip(*from).take(*count).cloned().collect() })
                }
                _ => Err(AskError::Refused("not answered in this test".into())),
            };
            drop(ask.answer.send(answer));
        }
        drop(snapshots);
    });
    OwnerClient::new(shown, asks)
}

/// Whatever the console draws of it, at three sizes.
#[cfg(feature = "console")]
fn drawn(made: Made) -> Vec<(String, String)> {
    use crate::console::{ScreenName, frame_as_text};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = client(&Arc::new(made));
        let settings = crate::settings::ConsoleSettings::default();
        let mut frames = Vec::new();
        for (width, height) in [(80, 24), (100, 30), (250, 80)] {
            for screen in [ScreenName::Plans, ScreenName::Overview] {
                let frame = frame_as_text(&client, screen, width, height, &settings).await;
                frames.push((format!("{screen:?} at {width}×{height}"), frame));
            }
        }
        assert!(frames[4].1.contains("a.c"), "the plan isn't drawn:\n{}", frames[4].1);
        frames
    })
}

#[cfg(not(feature = "console"))]
fn drawn(made: Made) -> Vec<(String, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { drop(client(&Arc::new(made))) });
    Vec::new()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_masked_value_is_told_kept_or_drawn_of_a_run((plan, secrets) in plans()) {
        let made = made(&plan, &secrets);
        assert_eq!(made.run.failure.is_some(), plan["errored"] == true);
        let mut texts = written(&made);
        texts.extend(drawn(made));
        for (what, text) in texts {
            for form in secrets.iter().flat_map(forms) {
                assert!(!text.contains(&form), "{form:?} is in {what}:\n{text}");
            }
        }
    }
}
