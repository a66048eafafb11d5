//! Runs and an owner that answers about them, for the tests of the commands.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::owner::{
    Answer, Approval, ApprovalView, Ask, AskError, AuditEntry, AuditEvent, ChangeAction, ChangeCounts, ChangeDetail,
    Content, Diagnostic, DiffNode, Difference, EnvironmentStatus, Failure, Finding, FindingSeverity, LockHolder,
    LogLevel, OutputValue, OwnerClient, Phase, PlanCheck, PlanList, PlanOutline, PlanRecord, PlanVariable,
    PlannedChange, Progress, ProvisioningStatus, Refusal, Request, ResourceChange, Run, RunLogLine, RunRequest,
    RunSummary, Shown, Signed, StateResource, StateView, StepRecord, TerraformStatus,
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
        planner: None,
        applied_by: None,
        home: None,
    }
}

/// The same, denied by a policy and warned of by another.
pub fn denied() -> Run {
    let mut run = planned();
    run.findings = vec![
        Finding {
            severity: FindingSeverity::Deny,
            policy: "data-holders".into(),
            message: "destroys what holds data; keep it, or copy the data first".into(),
            addresses: vec!["azurerm_storage_account.messages".into()],
            explanation: Some("policies.html#data-holders".into()),
        },
        Finding {
            severity: FindingSeverity::Warn,
            policy: "pipes".into(),
            message: "a pipe made again has lost its load history".into(),
            addresses: Vec::new(),
            explanation: None,
        },
    ];
    run
}

/// An approval of run 7 as it is shown.
pub fn approvals() -> Vec<ApprovalView> {
    vec![ApprovalView {
        id: "5a0c7a6e-0a55-4d07-9f6c-0d7c3b1a9a10".into(),
        by: "grace".into(),
        key: Some("SHA256:n0tAr3alK3y".into()),
        at: ago(60),
        expires_at: ago(60) + SignedDuration::from_hours(24),
        reason: Some("read it twice".into()),
        overrides_denials: false,
    }]
}

/// An approval of run 7 as its file holds it.
pub fn approval() -> String {
    let record = PlanRecord {
        schema: 1,
        environment: EnvironmentName::demo(),
        run: 7,
        run_id: "0d3c7f0e-8f43-4f6f-a8d5-6d9f0c1b2a33".into(),
        plan_sha256: "aa".repeat(32),
        content_digest: "bb".repeat(32),
        state_lineage: None,
        state_serial: None,
        configuration_digest: "cc".repeat(32),
        lock_file_digest: None,
        policies_digest: "dd".repeat(32),
        verdict_digest: "ee".repeat(32),
        denials: 0,
        terraform_version: "1.11.4".into(),
        planned_by: "ada@roof".into(),
        planned_at: ago(120),
    };
    let approval = Approval {
        schema: 1,
        id: "5a0c7a6e-0a55-4d07-9f6c-0d7c3b1a9a10".into(),
        record,
        approved_by: "grace@cellar".into(),
        approved_at: ago(60),
        expires_at: now(),
        reason: None,
        overrides_denials: false,
        emulated: true,
    };
    let payload = serde_json::to_string(&approval).expect("JSON");
    serde_json::to_string(&Signed { payload, signature: None }).expect("JSON")
}

/// Two entries of the audit trail.
pub fn trail() -> Vec<AuditEntry> {
    let entry = |number, who: &str, event, words: &str| AuditEntry {
        number,
        at: ago(120),
        who: who.into(),
        event,
        environment: EnvironmentName::demo(),
        emulated: true,
        run: Some(7),
        words: words.into(),
        digests: std::collections::BTreeMap::new(),
        previous: "0".repeat(64),
        hash: "f".repeat(64),
    };
    vec![
        entry(9, "ada@roof", AuditEvent::Planned, "+1 ~0 -/+1 -1"),
        entry(10, "grace", AuditEvent::Approved, "until 2026-03-03 13:03:31Z"),
    ]
}

fn leaf(name: &str, difference: Difference, before: Option<Shown>, after: Option<Shown>) -> DiffNode {
    DiffNode { name: name.into(), difference, forces_replacement: false, content: Content::Value { before, after } }
}

/// Run 7's plan, with a module, a replacement, drift, an output, a variable and a check that fails.
pub fn plan() -> PlanOutline {
    let change = |address: &str, action| PlannedChange {
        address: address.into(),
        module: address.rsplit_once(".azurerm").map_or("", |(module, _)| module).into(),
        kind: "azurerm_iothub".into(),
        data: false,
        action,
        create_first: false,
        cause: None,
        replace_paths: Vec::new(),
        previous_address: None,
        deposed: None,
        importing: None,
    };
    let replaced = PlannedChange {
        cause: Some("can't be changed in place".into()),
        replace_paths: vec!["name".into()],
        create_first: true,
        ..change("azurerm_storage_account.messages", ChangeAction::Replace)
    };
    PlanOutline {
        terraform_version: "1.11.4".into(),
        format_version: "1.2".into(),
        made_at: Some(ago(120)),
        applyable: true,
        complete: true,
        errored: false,
        counts: planned().counts.unwrap_or_default(),
        changes: vec![
            change("module.azure.azurerm_iothub.hub", ChangeAction::Create),
            replaced,
            change("snowflake_pipe.messages[\"health\"]", ChangeAction::Delete),
        ],
        drift: vec![change("snowflake_warehouse.weather", ChangeAction::Update)],
        unchanged: 41,
        outputs: vec![leaf("hub_host_name", Difference::Added, None, Some(Shown::Unknown))],
        variables: vec![PlanVariable { name: "snowflake_key".into(), value: Shown::Sensitive }],
        checks: vec![PlanCheck {
            address: "check.consent".into(),
            status: "fail".into(),
            problems: vec!["Snowflake has no consent yet.".into()],
        }],
    }
}

/// The differences within its resources.
pub fn details(list: PlanList, from: usize, count: usize) -> Vec<ChangeDetail> {
    let text = |text: &str| Some(Shown::Value(text.into()));
    let plan = plan();
    let changes = match list {
        PlanList::Changes => plan.changes,
        PlanList::Drift => plan.drift,
    };
    let attributes = vec![
        DiffNode { forces_replacement: true, ..leaf("name", Difference::Changed, text("old"), text("new")) },
        leaf("key", Difference::Added, None, Some(Shown::SensitiveUnknown)),
        leaf("location", Difference::Same, text("north"), text("north")),
    ];
    let detail =
        |(index, change)| ChangeDetail { list, index, change, attributes: attributes.clone(), revealed: false };
    changes.into_iter().enumerate().skip(from).take(count).map(detail).collect()
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
        older: 0,
        state_fault: None,
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
        Request::Plan { number: 7, .. } => Ok(Answer::Plan { plan: Arc::new(plan()) }),
        // At most two at once, so that a caller has to come again.
        Request::PlanDetails { list, from, count, .. } => {
            Ok(Answer::PlanDetails { details: details(*list, *from, (*count).min(2)) })
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
