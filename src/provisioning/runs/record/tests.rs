use super::*;
use crate::provisioning::run::{ChangeAction, Progress, ResourceChange, RunRequest};
use crate::provisioning::runs::queue::{Job, Ticket};
use crate::provisioning::runs::seen::{self, Living};
use crate::settings::EnvironmentName;

fn change(address: &str, action: ChangeAction) -> ResourceChange {
    let kind = "terraform_data".to_owned();
    let progress = Progress::Pending;
    ResourceChange { address: address.to_owned(), kind, action, reason: None, importing: None, progress }
}

pub fn run(changes: Vec<ResourceChange>) -> Run {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().expect("a time");
    Run {
        number: 1,
        id: "0198f2b4-0000-7000-8000-000000000001".into(),
        environment: EnvironmentName::demo(),
        emulated: true,
        request: RunRequest::default(),
        asked_by: "somebody@somewhere".into(),
        asked_at: now,
        phase: Phase::Applying,
        steps: vec![StepRecord { phase: Phase::Applying, started_at: now, ended_at: None, succeeded: None }],
        changes,
        drift: Vec::new(),
        changed_outputs: Vec::new(),
        counts: None,
        planned_at: Some(now),
        state_serial: None,
        failure: None,
        ended_at: None,
        runner_pid: Some(4711),
        record: None,
        findings: Vec::new(),
        approvals: Vec::new(),
        moved: Vec::new(),
        planner: None,
        applied_by: None,
        home: None,
    }
}

fn line(second: u32, kind: &str, address: &str, action: &str) -> String {
    format!(
        r#"{{"@level":"info","@message":"m","@timestamp":"2026-11-24T00:00:{second:02}Z","hook":{{"resource":{{"addr":"{address}"}},"action":"{action}"}},"type":"{kind}"}}"#
    )
}

fn note(run: &mut Run, lines: &[String]) {
    let mut follower = Follower::default();
    for line in lines {
        follower.note(run, &event::parse(line), &Masks::default(), Timestamp::UNIX_EPOCH);
    }
}

#[test]
fn a_replacement_is_done_with_its_second_half() {
    for (first, second) in [("delete", "create"), ("create", "delete")] {
        let mut run = run(vec![change("a", ChangeAction::Replace)]);
        let lines = [
            line(1, "apply_start", "a", first),
            line(2, "apply_complete", "a", first),
            line(3, "apply_start", "a", second),
            line(5, "apply_complete", "a", second),
        ];
        note(&mut run, &lines[..2]);
        assert!(matches!(run.changes[0].progress, Progress::Running { .. }), "{first}");
        note(&mut run, &lines);
        assert_eq!(run.changes[0].progress, Progress::Done { took_s: 4.0 }, "{first}");
    }
}

#[test]
fn an_end_brings_every_change_to_rest() {
    let changes = ["done", "failed", "begun", "waiting"].map(|name| change(name, ChangeAction::Create));
    let mut run = run(changes.into());
    note(
        &mut run,
        &[
            line(1, "apply_start", "done", "create"),
            line(1, "apply_start", "failed", "create"),
            line(1, "apply_start", "begun", "create"),
            line(3, "apply_complete", "done", "create"),
            line(3, "apply_errored", "failed", "create"),
            r#"{"@level":"error","@message":"m","diagnostic":{"severity":"error","summary":"no","detail":"why","address":"failed"},"type":"diagnostic"}"#.to_owned(),
            // Of nothing that is planned: passed over.
            line(3, "apply_complete", "data.x", "read"),
        ],
    );
    settle(&mut run, false, "ended");
    let progress: Vec<_> = run.changes.iter().map(|change| change.progress.clone()).collect();
    assert_eq!(
        progress,
        [
            Progress::Done { took_s: 2.0 },
            Progress::Failed { error: "Error: no\n  failed\n  why".into() },
            Progress::Failed { error: "ended".into() },
            Progress::Skipped
        ]
    );
    let mut moved = self::run(vec![change("moved", ChangeAction::Move)]);
    settle(&mut moved, true, "");
    assert_eq!(moved.changes[0].progress, Progress::Done { took_s: 0.0 });
}

#[test]
fn a_run_whose_process_is_gone_has_failed_with_what_it_did_until_then() {
    let data = tempfile::tempdir().expect("temporary folder");
    let store = Store::of(&EnvironmentName::demo(), data.path());
    let lock = store.lock().expect("locked");
    std::fs::create_dir_all(store.run_folder(1).join("stream")).expect("made");
    let lines = [line(1, "apply_start", "one", "create"), line(2, "apply_complete", "one", "create")];
    std::fs::write(store.run_folder(1).join("stream/out"), lines.join("\n")).expect("written");
    let ticket = Ticket::take(&store, &lock, 1, Job::Apply).expect("a ticket");
    let changes = vec![change("one", ChangeAction::Create), change("two", ChangeAction::Create)];
    store.write(&mut Stored { revision: 4, run: run(changes) }).expect("written");
    let look = || seen::read(&store, 1, &Living::look(&store).expect("looked")).expect("a run");

    assert_eq!((look().run.phase, look().revision), (Phase::Applying, 5));
    drop(ticket);
    let seen = look();
    assert_eq!((seen.run.phase, seen.revision), (Phase::Failed, 6));
    let failure = seen.run.failure.clone().expect("why");
    assert_eq!(failure.diagnostics[0].summary, "the runner ended (pid 4711)");
    assert_eq!(seen.run.changes[0].progress, Progress::Done { took_s: 1.0 });
    assert_eq!(seen.run.changes[1].progress, Progress::Skipped);
    assert_eq!(seen.run.steps[0].succeeded, Some(false));

    // Written down, it reads the same.
    seen::bury(&store, &lock).expect("buried");
    assert_eq!(store.read(1).expect("a run"), seen);
    seen::bury(&store, &lock).expect("once");
    assert_eq!(store.read(1).expect("a run").revision, 6);
}
