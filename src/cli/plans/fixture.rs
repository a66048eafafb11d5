//! Runs and an owner that answers about them, for the tests of the commands.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::owner::{
    Answer, Ask, AskError, ChangeAction, ChangeCounts, Diagnostic, EnvironmentStatus, Failure, LockHolder, LogLevel,
    OutputValue, OwnerClient, Phase, Progress, ProvisioningStatus, Refusal, Request, ResourceChange, Run, RunLogLine,
    RunRequest, RunSummary, StateResource, StateView, StepRecord, TerraformStatus,
};
use crate::settings::EnvironmentName;

/// Wall time of the fixture.
pub fn now() -> Timestamp {
    "2026-03-02T13:04:31Z".parse().expect("a timestamp")
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn change(address: &str, action: ChangeAction, progress: Progress) -> ResourceChange {
    let kind = address.split('.').next().unwrap_or_default().into();
    ResourceChange { address: address.into(), kind, action, reason: None, importing: None, progress }
}

/// Run 7, whose plan replaces and destroys.
pub fn planned() -> Run {
    let replaced = ResourceChange {
        reason: Some("replace_because_cannot_update".into()),
        ..change("azurerm_storage_account.messages", ChangeAction::Replace, Progress::Pending)
    };
    let changes = vec![
        change("azurerm_iothub.hub", ChangeAction::Create, Progress::Pending),
        replaced,
        change("snowflake_pipe.messages[\"health\"]", ChangeAction::Delete, Progress::Pending),
    ];
    Run {
        number: 7,
        id: "0198f2b4-0000-7000-8000-000000000001".into(),
        environment: EnvironmentName::demo(),
        emulated: true,
        request: RunRequest::default(),
        asked_by: "ada@roof".into(),
        asked_at: ago(125),
        phase: Phase::Planned,
        steps: vec![StepRecord {
            phase: Phase::Planning,
            started_at: ago(122),
            ended_at: Some(ago(121)),
            succeeded: Some(true),
        }],
        counts: Some(ChangeCounts::of(&changes)),
        changes,
        drift: vec![change("snowflake_warehouse.weather", ChangeAction::Update, Progress::Pending)],
        changed_outputs: vec!["hub_host_name".into()],
        planned_at: Some(ago(120)),
        state_serial: Some(3),
        failure: None,
        ended_at: None,
        runner_pid: None,
        record: None,
        findings: Vec::new(),
        approvals: Vec::new(),
        moved: Vec::new(),
    }
}

/// The same, after an apply that failed.
pub fn failed() -> Run {
    let mut run = planned();
    run.number = 8;
    run.phase = Phase::Failed;
    run.steps.push(StepRecord {
        phase: Phase::Applying,
        started_at: ago(100),
        ended_at: Some(ago(90)),
        succeeded: Some(false),
    });
    run.changes[0].progress = Progress::Done { took_s: 0.4 };
    run.changes[1].progress = Progress::Failed { error: "denied".into() };
    run.changes[2].progress = Progress::Skipped;
    run.ended_at = Some(ago(90));
    run.failure = Some(Failure {
        phase: Phase::Applying,
        interrupted: false,
        diagnostics: vec![Diagnostic {
            error: true,
            summary: "creating the account: denied".into(),
            detail: "The firewall denies this address.\n\nStatus 403.".into(),
            address: Some("azurerm_storage_account.messages".into()),
            place: Some("storage.tf:41".into()),
        }],
        advice: "correct what failed, then plan again".into(),
        lock: None,
    });
    run
}

/// Demo with both runs, the newest first.
pub fn status() -> ProvisioningStatus {
    let demo = EnvironmentStatus {
        environment: EnvironmentName::demo(),
        emulated: true,
        resources: Some(41),
        lock: Some(LockHolder {
            id: "9b2a1f04-55aa-4b0c-8a4e-6b1f0c7d2e11".into(),
            who: "grace@cellar".into(),
            operation: "OperationTypeApply".into(),
            since: Some(ago(300)),
            by_live_run: None,
        }),
        drift: Some((1, ago(121))),
        runs: vec![RunSummary::of(&failed(), 2, 9), RunSummary::of(&planned(), 2, 4)],
    };
    let terraform = TerraformStatus::Found { path: "/usr/bin/terraform".into(), version: "1.11.4".into() };
    ProvisioningStatus { terraform, environments: vec![demo] }
}

/// A small state.
pub fn state() -> StateView {
    StateView {
        serial: Some(3),
        resources: vec![StateResource {
            address: "azurerm_iothub.hub".into(),
            kind: "azurerm_iothub".into(),
            id: Some("/subscriptions/0/hub".into()),
        }],
        outputs: vec![
            OutputValue { name: "hub_host_name".into(), value: Some("skydeck-demo".into()) },
            OutputValue { name: "storage_key".into(), value: None },
        ],
    }
}

fn line(number: u64, text: &str) -> RunLogLine {
    RunLogLine { number, at: ago(120), phase: Phase::Planning, level: LogLevel::Info, text: text.into() }
}

fn answer(request: &Request) -> Result<Answer, AskError> {
    match request {
        Request::Run { number: 7, .. } => Ok(Answer::Run { run: Box::new(planned()) }),
        Request::Run { number: 8, .. } => Ok(Answer::Run { run: Box::new(failed()) }),
        Request::RunLogPage { after, .. } => {
            let lines = [line(1, "EMULATED: no account is touched"), line(2, "Plan: 1 to add")];
            Ok(Answer::RunLog { lines: lines.into_iter().filter(|line| line.number > *after).collect() })
        }
        Request::State { .. } => Ok(Answer::State { state: state() }),
        Request::CancelRun { .. } => Ok(Answer::Done { message: "asked to end".into() }),
        Request::Run { number, .. } => {
            Err(AskError::Barred { why: Refusal::NotFound, words: format!("run {number}: there is none") })
        }
        other => Err(AskError::Refused(format!("{other:?}: not answered in this test"))),
    }
}

/// An owner with that status. Needs a runtime.
pub fn client() -> OwnerClient {
    let (snapshots, shown) = watch::channel(Arc::new(crate::cli::status::fixture::snapshot()));
    let (asks, mut asked) = mpsc::channel::<Ask>(4);
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            drop(ask.answer.send(answer(&ask.request)));
        }
        drop(snapshots);
    });
    OwnerClient::new(shown, asks)
}
