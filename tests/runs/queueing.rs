//! Order, age and locks: who comes first, what is stale or expired, who holds the state.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use skydeck::owner::{Refusal, Request};
use skydeck::provisioning::run::{Operation, Phase, RunRequest};

use super::place::{PATIENCE, Place, demo, has_terraform, of, plan};

const ONE: &str = "resource \"terraform_data\" \"one\" {\n  input = \"x\"\n}\n";

const SLOW: &str = r#"resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "sleep 20"
  }
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_carried_out_in_the_order_they_were_asked_for_and_a_waiting_one_can_be_taken_out() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(SLOW);
    let first = place.plan(plan()).await.number;
    place.begin_apply(first).await;
    place.wait_for_phase(first, Phase::Applying).await;
    let (second, third, fourth) = (place.start(plan()).await, place.start(plan()).await, place.start(plan()).await);
    place.wait_for(third, "its place in the queue", |run| run.runner_pid.is_some()).await;
    place.ask(Request::CancelRun { environment: demo(), number: third }).await.expect("taken out");
    let discarded = place.wait_for_phase(third, Phase::Discarded).await;
    assert!(discarded.steps.is_empty() && discarded.ended_at.is_some());
    assert_eq!(place.run(second).await.phase, Phase::Queued);
    assert_eq!(place.run(fourth).await.phase, Phase::Queued);
    // Its process takes a moment to come to the queue.
    let says_so = async {
        while !place.log_text(fourth).await.contains("waits for run 1, 2") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, says_so).await.expect("the fourth says whom it waits for");
    place.ask(Request::CancelRun { environment: demo(), number: first }).await.expect("interrupted");
    let second = place.wait_for_phase(second, Phase::Planned).await;
    let fourth = place.wait_for_phase(fourth, Phase::Planned).await;
    let began = |run: &skydeck::provisioning::run::Run| run.steps[0].started_at;
    assert!(began(&second) < began(&fourth), "first come, first served");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_run_has_overtaken_is_stale() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(ONE);
    let (one, two) = (place.plan(plan()).await, place.plan(plan()).await);
    place.begin_apply(two.number).await;
    place.wait_for_phase(two.number, Phase::Applied).await;
    let stale = place.wait_for_phase(one.number, Phase::Stale).await;
    assert!(stale.ended_at.is_some() && !place.data().join("runs/0001/plan").exists());
    let words = place.refused(Request::ApplyRun { environment: demo(), number: one.number }).await;
    assert!(words.contains("it is stale"), "{words}");

    // So is one whose state was changed by a hand.
    let three = place.plan(of(Operation::Destroy)).await;
    let state = place.data().join("terraform.tfstate");
    let text = std::fs::read_to_string(&state).expect("a state");
    let serial = three.state_serial.expect("a serial");
    std::fs::write(&state, text.replace(&format!("\"serial\": {serial}"), "\"serial\": 99")).expect("written");
    let words = place.refused(Request::ApplyRun { environment: demo(), number: three.number }).await;
    assert!(words.contains("stale, the state has moved on"), "{words}");
    assert_eq!(place.run(three.number).await.phase, Phase::Stale);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_too_old_has_expired() {
    if !has_terraform() {
        return;
    }
    let place = Place::with_settings(ONE, "plan_max_age_h = 1");
    let planned = place.plan(plan()).await;
    let file = place.data().join("runs/0001/run.json");
    let mut run: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("a run")).expect("JSON");
    let two_days = jiff::SignedDuration::from_hours(48);
    run["plannedAt"] = (planned.planned_at.expect("a time") - two_days).to_string().into();
    std::fs::write(&file, run.to_string()).expect("written");
    let words = place.refused(Request::ApplyRun { environment: demo(), number: 1 }).await;
    assert!(words.contains("expired, the plan is older than"), "{words}");
    assert_eq!(place.run(1).await.phase, Phase::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_run_is_discarded_and_what_is_not_there_is_not_applied() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(ONE);
    place.plan(plan()).await;
    place.ask(Request::CancelRun { environment: demo(), number: 1 }).await.expect("discarded");
    assert_eq!(place.run(1).await.phase, Phase::Discarded);
    assert!(!place.data().join("runs/0001/plan").exists());
    let words = place.refused(Request::CancelRun { environment: demo(), number: 1 }).await;
    assert!(words.contains("has ended already"), "{words}");
    let staging = "staging".parse().expect("a name");
    let words = place.refused(Request::ApplyRun { environment: staging, number: 1 }).await;
    assert!(words.contains("run 1"), "{words}");
    let words = place.refused(Request::ApplyRun { environment: demo(), number: 7 }).await;
    assert!(words.contains("run 7: the environment demo has none"), "{words}");
    let request = RunRequest { targets: vec!["-destroy".into()], ..plan() };
    let words = place.refused(Request::StartRun { environment: demo(), run: request }).await;
    assert!(words.contains("not an address"), "{words}");
}

/// Somebody else's Terraform, which holds the lock of the demo's state.
struct Somebody(Child);

impl Somebody {
    fn applies(place: &Place) -> Self {
        let command = Command::new("terraform")
            .args(["apply", "-auto-approve", "-input=false", "-no-color", "-lock=true"])
            .current_dir(place.data().join("module"))
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(command.expect("terraform starts"))
    }
}

impl Drop for Somebody {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_else_holds_is_told_of_and_can_be_taken() {
    if !has_terraform() {
        return;
    }
    let place = Place::with_settings(SLOW, "lock_timeout_s = 0");
    place.plan(plan()).await;
    let mut somebody = Somebody::applies(&place);
    let lock = held(&place).await;
    assert_eq!((lock.operation.as_str(), lock.by_live_run), ("OperationTypeApply", None));
    assert!(lock.who.contains('@') && lock.since.is_some(), "{lock:?}");

    let refused = place.plan(plan()).await;
    let failure = refused.failure.clone().unwrap_or_else(|| panic!("{refused:#?}"));
    assert_eq!(failure.lock.map(|holder| holder.id), Some(lock.id.clone()));
    assert!(failure.advice.contains("holds the state lock"), "{}", failure.advice);

    let words = place.refused(Request::Unlock { environment: demo(), id: "another".into() }).await;
    assert!(words.contains("locked by another"), "{words}");
    place.ask(Request::Unlock { environment: demo(), id: lock.id.clone() }).await.expect("taken");
    let free = tokio::time::timeout(PATIENCE, async {
        while place.status().await.lock.is_some() {
            place.provisioner.changed().await;
        }
    });
    free.await.expect("the bell rings for a lock that is let go of");
    let ended = somebody.0.wait().expect("ended");
    assert_eq!(ended.code(), Some(1), "it was interrupted, and ended in order");
    let words = place.refused(Request::Unlock { environment: demo(), id: lock.id }).await;
    assert!(words.contains("isn't locked"), "{words}");
    let planned = place.plan(plan()).await;
    assert_eq!(planned.phase, Phase::Planned, "{planned:#?}");
}

/// Waits until somebody's Terraform holds the state's lock.
async fn held(place: &Place) -> skydeck::provisioning::status::LockHolder {
    let lock = tokio::time::timeout(PATIENCE, async {
        loop {
            place.provisioner.changed().await;
            if let Some(lock) = place.status().await.lock.filter(|lock| !lock.operation.is_empty()) {
                return lock;
            }
        }
    });
    lock.await.expect("the lock is seen")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_held_for_a_moment_is_waited_out() {
    if !has_terraform() {
        return;
    }
    let place = Place::with_settings(SLOW, "lock_timeout_s = 60");
    place.plan(plan()).await;
    let _somebody = Somebody::applies(&place);
    let lock = held(&place).await;
    let number = place.start(plan()).await;
    let waits = async {
        while !place.log_text(number).await.contains("Acquiring state lock") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("it waits for the lock");
    assert_eq!(place.run(number).await.phase, Phase::Planning);
    place.ask(Request::Unlock { environment: demo(), id: lock.id }).await.expect("taken");
    place.wait_for_phase(number, Phase::Planned).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_does_not_let_go_keeps_its_lock() {
    if !has_terraform() {
        return;
    }
    let place = Place::with_settings(SLOW, "lock_timeout_s = 0");
    let refused = place.plan(plan()).await;
    assert_eq!(refused.phase, Phase::Planned);
    let somebody = Somebody::applies(&place);
    let lock = held(&place).await;
    let signal = |signal: &str| {
        let pid = somebody.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("it runs").success());
    };
    // It hears of nothing.
    signal("-STOP");
    let failed = place.plan(plan()).await.failure.expect("why");
    assert!(failed.advice.contains(&format!("`skydeck unlock {}`", lock.id)), "{}", failed.advice);
    let error = place.ask(Request::Unlock { environment: demo(), id: lock.id }).await.expect_err("still held");
    signal("-CONT");
    assert_eq!(error.why(), Some(Refusal::Locked), "{error}");
    assert!(error.to_string().contains("was interrupted and holds it still"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_there_ever_was_can_be_listed() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(ONE);
    place.plan(plan()).await;
    place.ask(Request::CancelRun { environment: demo(), number: 1 }).await.expect("discarded");
    let run = std::fs::read_to_string(place.data().join("runs/0001/run.json")).expect("a run");
    for number in 2..=129 {
        let folder = place.data().join(format!("runs/{number:04}"));
        std::fs::create_dir(&folder).expect("made");
        let run = run.replace("\"number\":1,", &format!("\"number\":{number},"));
        std::fs::write(folder.join("run.json"), run).expect("written");
    }
    let status = place.another().status().await.environments.remove(0);
    assert_eq!((status.runs.len(), status.older), (100, 29));
    let skydeck = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.args(["--data-dir"]).arg(place.path().join("d")).arg("--config").arg(place.path().join("skydeck.toml"));
        let output = command.args(args).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let listed = |args: &[&str]| {
        let page: serde_json::Value = serde_json::from_str(&skydeck(args)).expect("JSON");
        let numbers: Vec<_> = page["runs"].as_array().expect("runs").iter().map(|run| run["number"].as_u64()).collect();
        (numbers.len(), numbers.last().copied().flatten(), page["older"].as_u64())
    };
    assert_eq!(listed(&["runs", "--json"]), (100, Some(30), Some(29)));
    assert_eq!(listed(&["runs", "--limit", "110", "--json"]), (110, Some(20), Some(19)));
    assert_eq!(listed(&["runs", "--limit", "3", "--json"]), (3, Some(127), Some(126)));
    assert_eq!(listed(&["runs", "--all", "--json"]), (129, Some(1), Some(0)));
    assert!(skydeck(&["runs"]).ends_with("29 runs before these; --limit N or --all shows them\n"));
    assert!(!skydeck(&["runs", "--all"]).contains("before these"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_sees_the_same_runs() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(ONE);
    let other = place.another();
    // The folder is there once somebody has asked for a run.
    let number = place.start(plan()).await;
    let seen = tokio::time::timeout(PATIENCE, async {
        loop {
            let status = other.status().await;
            let run = status.environments[0].runs.iter().find(|run| run.number == number).cloned();
            if let Some(run) = run.filter(|run| run.phase == Phase::Planned) {
                return run;
            }
            other.changed().await;
        }
    });
    let seen = seen.await.expect("seen by the other");
    assert!(seen.last_line > 0 && seen.revision > 0 && seen.counts.is_some());
    // Idle, nothing rings.
    let rung = tokio::time::timeout(Duration::from_millis(500), async {
        loop {
            other.changed().await;
            other.status().await;
        }
    });
    let before = std::time::Instant::now();
    drop(rung.await);
    assert!(before.elapsed() >= Duration::from_millis(500));
}
