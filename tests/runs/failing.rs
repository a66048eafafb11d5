//! Runs that go wrong: what fails, what is interrupted, what is killed, and what is left to do then.

use skydeck::owner::{Answer, Request};
use skydeck::provisioning::run::{Phase, Progress, RunRequest};

use super::place::{Place, change, demo, has_terraform, plan};

/// One that is quick, one that takes long, one that needs it.
const SLOW: &str = r#"resource "terraform_data" "first" {
  input = "x"
}

resource "terraform_data" "slow" {
  input = terraform_data.first.output

  provisioner "local-exec" {
    command = "sleep 20"
  }
}

resource "terraform_data" "after" {
  input = terraform_data.slow.output
}
"#;

const FAILING: &str = r#"variable "password" {
  type      = string
  sensitive = true
  default   = "hunter2-secret"
}

resource "terraform_data" "first" {
  input = var.password
}

resource "terraform_data" "fails" {
  input = terraform_data.first.id

  provisioner "local-exec" {
    command = "echo; echo 'the password hunter2-secret is wrong'; exit 3"
  }
}

resource "terraform_data" "after" {
  input = terraform_data.fails.output
}
"#;

/// Two of the emulated cloud's, of which one needs the other.
const EMULATED: &str = r#"terraform {
  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
    }
  }
}

provider "azurerm" {
  features {}
}

resource "azurerm_resource_group" "g" {
  name     = "rg-a"
  location = "westeurope"
}

resource "azurerm_user_assigned_identity" "after" {
  name                = "id-after"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
}
"#;

/// Waits until the slow resource of [`SLOW`] is being made.
async fn begin_slow(place: &Place) -> u32 {
    let planned = place.plan(plan()).await;
    assert_eq!(planned.phase, Phase::Planned, "{planned:#?}\n{}", place.log_text(planned.number).await);
    place.begin_apply(planned.number).await;
    let at_work = |progress: &Progress| matches!(progress, Progress::Running { .. });
    place
        .wait_for(planned.number, "the slow one being made", |run| {
            run.phase == Phase::Applying && at_work(&change(run, "terraform_data.slow").progress)
        })
        .await
        .number
}

/// Nobody else may read anything of a run.
fn assert_private(place: &Place) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut folders = vec![place.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let metadata = entry.metadata().expect("readable");
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{}", entry.path().display());
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
}

fn pid_alive(pid: u32) -> bool {
    // A zombie is dead; its parent only hasn't looked yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, signal).expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_fails_is_named_and_what_was_made_stays() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(FAILING);
    let secret = [("password".to_owned(), "hunter2-secret".to_owned())].into();
    let failed = place.apply(RunRequest { variables: secret, ..plan() }).await;
    assert_eq!(failed.request.variables["password"], "(sensitive)");
    assert_eq!(failed.phase, Phase::Failed);
    assert!(matches!(change(&failed, "terraform_data.first").progress, Progress::Done { .. }), "{failed:#?}");
    assert_eq!(change(&failed, "terraform_data.after").progress, Progress::Skipped);
    let Progress::Failed { error } = &change(&failed, "terraform_data.fails").progress else { panic!("{failed:#?}") };
    assert!(error.contains("local-exec provisioner error") && error.contains("main.tf:"), "{error}");
    let failure = failed.failure.clone().expect("why");
    assert_eq!((failure.phase, failure.interrupted, failure.lock.clone()), (Phase::Applying, false, None));
    assert!(failure.advice.starts_with("1 of 3 changes were made and are in the state, 1 failed, 1 were not begun"));
    // A secret that Terraform itself writes in clear is masked by its value.
    let everything = format!("{failed:?}{}", place.log_text(1).await);
    assert_private(&place);
    assert!(
        !everything.contains("hunter2") && everything.contains("the password (sensitive) is wrong"),
        "{everything}"
    );
    assert_eq!(place.status().await.resources, Some(2), "the failed one is in the state, to be replaced");
    let words = place.refused(Request::ApplyRun { environment: demo(), number: 1 }).await;
    assert!(words.contains("it is failed"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_is_sent_once_and_waited_for() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(SLOW);
    let number = begin_slow(&place).await;
    let lock = place.status().await.lock.expect("Terraform holds the lock");
    assert_eq!(lock.by_live_run, Some(number));
    let words = place.refused(Request::Unlock { environment: demo(), id: lock.id }).await;
    assert!(words.contains("run 1 is at work and holds it"), "{words}");
    place.ask(Request::CancelRun { environment: demo(), number }).await.expect("interrupted");
    let words = place.refused(Request::CancelRun { environment: demo(), number }).await;
    assert!(words.contains("an interrupt was sent already") || words.contains("has ended already"), "{words}");
    let run = place.wait_for(number, "the end", |run| run.phase.is_end()).await;
    let failure = run.failure.clone().expect("why");
    assert!(run.phase == Phase::Failed && failure.interrupted, "{run:#?}\n{}", place.log_text(number).await);
    assert!(matches!(change(&run, "terraform_data.first").progress, Progress::Done { .. }));
    assert!(matches!(change(&run, "terraform_data.slow").progress, Progress::Failed { .. }));
    assert_eq!(change(&run, "terraform_data.after").progress, Progress::Skipped);
    assert_eq!(place.status().await.lock, None, "an interrupt leaves no lock");
    let next = place.plan(plan()).await;
    assert_eq!(next.counts.expect("counted").to_string(), "+1 ~0 -/+1 -0", "the next plan holds what is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_killed_is_a_failed_run_and_its_terraform_ends_by_itself() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(&SLOW.replace("sleep 20", "sleep 3"));
    let number = begin_slow(&place).await;
    let runner = place.run(number).await.runner_pid.expect("its process");
    let terraform = terraform_pid(&place);
    kill(runner, rustix::process::Signal::KILL);
    let run = place.wait_for(number, "the dead runner", |run| run.phase.is_end()).await;
    let failure = run.failure.clone().expect("why");
    assert_eq!(run.phase, Phase::Failed);
    assert_eq!(failure.diagnostics[0].summary, format!("the runner ended (pid {runner})"));
    assert!(failure.advice.contains(&format!("Terraform (pid {terraform}) is still at work")), "{}", failure.advice);
    assert!(matches!(change(&run, "terraform_data.first").progress, Progress::Done { .. }), "{run:#?}");

    // The next run waits for that Terraform, whose output nobody reads: it wasn't cut off by it.
    let next = place.plan(plan()).await;
    assert!(!pid_alive(terraform));
    assert_eq!(next.phase, Phase::Unchanged, "{next:#?}\n{}", place.log_text(next.number).await);
    assert!(place.log_text(next.number).await.contains("waits for run 1"));
    // What it did meanwhile is told of the dead run.
    let run = place.run(number).await;
    assert!(run.changes.iter().all(|change| matches!(change.progress, Progress::Done { .. })), "{run:#?}");
    assert!(place.log_text(number).await.contains("the runner ended"));
}

fn terraform_pid(place: &Place) -> u32 {
    let text = std::fs::read_to_string(place.data().join("working")).expect("somebody works");
    let worker: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    worker["terraform_pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process id")
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_killed_half_way_leaves_no_lock_and_a_plan_of_the_rest() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(SLOW);
    let number = begin_slow(&place).await;
    let terraform = terraform_pid(&place);
    kill(terraform, rustix::process::Signal::KILL);
    let run = place.wait_for_phase(number, Phase::Failed).await;
    let failure = run.failure.clone().expect("why");
    assert!(failure.diagnostics.iter().any(|d| d.summary.contains("terraform was killed")), "{failure:#?}");
    assert!(matches!(change(&run, "terraform_data.slow").progress, Progress::Failed { .. }));
    let status = place.status().await;
    assert_eq!(status.lock, None, "the lock ended with its process");
    let left =
        std::fs::read_to_string(place.data().join(".terraform.tfstate.lock.info")).expect("but its file is there");
    let left: serde_json::Value = serde_json::from_str(&left).expect("JSON");
    let id = left["ID"].as_str().expect("an id").to_owned();
    let unlocked = place.ask(Request::Unlock { environment: demo(), id }).await;
    assert!(matches!(unlocked, Ok(Answer::Done { message }) if message.contains("nobody held it any more")));
    let next = place.plan(plan()).await;
    assert_eq!(next.phase, Phase::Planned, "{next:#?}\n{}", place.log_text(next.number).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cant_be_written_for_a_while_ends_with_what_was_done_and_why() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(
        r#"resource "terraform_data" "talks" {
  provisioner "local-exec" {
    command = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done"
  }
}
"#,
    );
    let number = place.plan(plan()).await.number;
    let folder = place.data().join(format!("runs/{number:04}"));
    // Where the process itself would tell of it there is no room either.
    std::fs::remove_file(folder.join("runner.log")).expect("the plan's");
    std::os::unix::fs::symlink("/dev/full", folder.join("runner.log")).expect("linked");
    place.begin_apply(number).await;
    let run = place
        .wait_for(number, "it being made", |run| {
            run.runner_pid.is_some() && matches!(run.changes[0].progress, Progress::Running { .. })
        })
        .await;
    // A folder where the file would be made.
    let in_the_way = folder.join(format!("run.json#{}", run.runner_pid.expect("its process")));
    std::fs::create_dir(&in_the_way).expect("made");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    std::fs::remove_dir(&in_the_way).expect("removed");
    let run = place.wait_for(number, "the end", |run| run.phase.is_end()).await;
    let failure = run.failure.clone().expect("why");
    assert_eq!(run.phase, Phase::Failed, "{run:#?}");
    assert!(failure.diagnostics[0].summary.contains("run.json: Is a directory"), "{failure:#?}");
    assert!(matches!(run.changes[0].progress, Progress::Done { .. }), "{run:#?}");
    assert_eq!(place.plan(plan()).await.phase, Phase::Unchanged, "Terraform wasn't cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_managers_stop_reaches_terraform_once() {
    if !has_terraform() {
        return;
    }
    for who in ["both", "the runner alone"] {
        let place = Place::new(EMULATED);
        let planned = place.plan(plan()).await;
        assert_eq!(planned.phase, Phase::Planned, "{planned:#?}\n{}", place.log_text(planned.number).await);
        // Nobody can write to the cloud: Terraform's work goes on after an interrupt, until somebody can.
        let cloud = rusqlite::Connection::open(place.path().join("d/demo/data/cloud/cloud.db")).expect("there");
        cloud.execute_batch("BEGIN IMMEDIATE").expect("locked");
        let number = planned.number;
        place.begin_apply(number).await;
        place
            .wait_for(number, "the group being made", |run| {
                matches!(change(run, "azurerm_resource_group.g").progress, Progress::Running { .. })
            })
            .await;
        let (terraform, runner) = (terraform_pid(&place), place.run(number).await.runner_pid.expect("its process"));
        kill(runner, rustix::process::Signal::TERM);
        if who == "both" {
            kill(terraform, rustix::process::Signal::TERM);
        }
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(4);
        while tokio::time::Instant::now() < until {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            assert!(!place.log_text(number).await.contains("Two interrupts"), "{who}");
        }
        cloud.execute_batch("ROLLBACK").expect("freed");
        let run = place.wait_for(number, "the end", |run| run.phase.is_end()).await;
        let failure = run.failure.clone().expect("why");
        let log = place.log_text(number).await;
        assert!(run.phase == Phase::Failed && failure.interrupted, "{who}: {run:#?}\n{log}");
        assert_eq!(log.matches("Interrupt received").count(), 1, "{who}: {log}");
        assert!(!log.contains("Two interrupts"), "{who}: {log}");
        let progress = |address| change(&run, address).progress.clone();
        assert!(matches!(progress("azurerm_resource_group.g"), Progress::Done { .. }), "{who}: {run:#?}");
        assert_eq!(progress("azurerm_user_assigned_identity.after"), Progress::Skipped, "{who}");
        assert_eq!(place.status().await.lock, None, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_that_fails_ends_the_run_with_its_own_words() {
    if !has_terraform() {
        return;
    }
    for (module, phase, words, advice) in [
        (
            "resource \"terraform_data\" \"x\" {\n  inpt = 1\n}\n",
            Phase::Validating,
            "Unsupported argument",
            "correct what",
        ),
        (
            "resource \"terraform_data\" \"x\" {\n    input = 1\n}\n",
            Phase::CheckingFormat,
            "main.tf isn't formatted",
            "terraform fmt",
        ),
        (
            "resource \"random_id\" \"x\" {\n}\n",
            Phase::Initialising,
            "Failed to query available provider packages",
            "emulated providers",
        ),
        ("variable \"needed\" {\n}\n", Phase::Planning, "No value for required variable", "correct what"),
        ("{\n", Phase::Initialising, "Argument or block definition required", "see what init says"),
    ] {
        let place = Place::new(module);
        let run = place.plan(plan()).await;
        let failure = run.failure.clone().unwrap_or_else(|| panic!("{run:#?}"));
        assert_eq!((run.phase, failure.phase), (Phase::Failed, phase), "{run:#?}");
        assert!(failure.diagnostics[0].summary.contains(words), "{failure:#?}");
        assert!(failure.advice.contains(advice), "{failure:#?}");
        assert_eq!(run.steps.last().and_then(|step| step.succeeded), Some(false));
        assert!(!place.data().join("runs/0001/plan").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_a_folder_is_formatted_too_and_what_is_well_is_said_to_be() {
    if !has_terraform() {
        return;
    }
    let place = Place::new("module \"below\" {\n  source = \"./below\"\n}\n");
    let below = place.path().join("module/below");
    std::fs::create_dir(&below).expect("made");
    std::fs::write(below.join("main.tf"), "resource \"terraform_data\" \"x\" {\n    input = 1\n}\n").expect("written");
    let failure = place.plan(plan()).await.failure.expect("why");
    assert_eq!(failure.phase, Phase::CheckingFormat, "{failure:#?}");
    assert!(failure.diagnostics[0].summary.starts_with("below/main.tf isn't formatted"), "{failure:#?}");
    std::fs::write(below.join("main.tf"), "resource \"terraform_data\" \"x\" {\n  input = 1\n}\n").expect("written");
    let planned = place.plan(plan()).await;
    assert_eq!(planned.phase, Phase::Planned, "{planned:#?}");
    let log = place.log(planned.number).await;
    for (phase, words) in
        [(Phase::CheckingFormat, "every file is formatted"), (Phase::Validating, "the configuration is valid")]
    {
        let said = log.iter().filter(|line| line.phase == phase && line.text == words).count();
        assert_eq!(said, 1, "{log:#?}");
    }
}
