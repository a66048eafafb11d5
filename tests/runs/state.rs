//! What becomes of the state when things go wrong: not written, damaged, half destroyed.

use skydeck::owner::{Answer, AskError, Refusal, Request};
use skydeck::provisioning::run::{Operation, Phase, RunRequest};

use super::place::{PATIENCE, Place, demo, has_terraform, of, plan};

const MANY: &str = r#"variable "size" {
  type    = number
  default = 1
}

resource "terraform_data" "many" {
  count = var.size
  input = "x"
}
"#;

fn size(size: &str) -> RunRequest {
    RunRequest { variables: [("size".to_owned(), size.to_owned())].into(), ..plan() }
}

/// Nothing can be written to the state: Terraform makes a backup before, and that file is a folder.
fn bar(place: &Place) -> std::path::PathBuf {
    let backup = place.data().join("terraform.tfstate.backup");
    if backup.is_file() {
        std::fs::remove_file(&backup).expect("removed");
    }
    std::fs::create_dir(&backup).expect("made");
    backup
}

/// Waits until the process of the last run has gone.
async fn at_rest(place: &Place) {
    let gone = async {
        while place.status().await.runs.iter().any(|run| run.busy) {
            place.provisioner.changed().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("its process goes");
}

/// Asks for the state to be put back, once nothing is at work.
async fn recover(place: &Place) -> Result<Answer, AskError> {
    at_rest(place).await;
    place.ask(Request::RecoverState { environment: demo() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_could_not_be_written_is_kept_and_put_back() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(MANY);
    assert_eq!(place.apply(size("1")).await.phase, Phase::Applied);
    assert_eq!(recover(&place).await.expect_err("nothing to recover").why(), Some(Refusal::NotFound));
    let bar = bar(&place);
    let failed = place.apply(size("3")).await;
    let advice = failed.failure.clone().expect("why").advice;
    let unsaved = place.data().join("module/errored.tfstate");
    assert!(advice.starts_with("2 of 2 changes were made, but Terraform couldn't write the state"), "{advice}");
    assert!(advice.contains(&unsaved.display().to_string()) && advice.contains("`skydeck state recover`"), "{advice}");
    assert!(!advice.contains("are in the state"), "{advice}");
    let kept = std::fs::read(&unsaved).expect("Terraform has left it");

    // Nothing is planned on what is known to be too little.
    let words = place.refused(Request::StartRun { environment: demo(), run: plan() }).await;
    assert!(words.contains("errored.tfstate") && words.contains("`skydeck state recover`"), "{words}");
    let status = place.status().await;
    assert_eq!((status.standing().as_str(), status.resources), ("state at risk", Some(1)));
    assert!(status.state_fault.is_some_and(|fault| fault.contains("errored.tfstate")));
    assert_eq!(std::fs::read(&unsaved).expect("it is there"), kept);

    // Where it still can't be written, it stays.
    let words = recover(&place).await.expect_err("refused").to_string();
    assert!(words.starts_with("terraform state push: ") && words.contains("try again"), "{words}");
    assert_eq!(std::fs::read(&unsaved).expect("it is there"), kept);
    std::fs::remove_dir(bar).expect("removed");
    let Answer::Done { message } = recover(&place).await.expect("recovered") else { panic!("another answer") };
    assert!(message.contains("3 resources are in it again"), "{message}");
    assert!(!unsaved.exists());
    let status = place.status().await;
    assert_eq!((status.resources, status.state_fault), (Some(3), None));
    assert_eq!(place.plan(size("3")).await.phase, Phase::Unchanged, "nothing is made again");
    let request = Request::Audit { environment: demo(), after: 0, limit: 100 };
    let Answer::Audit { entries } = place.ask(request).await.expect("a trail") else { panic!("another answer") };
    assert!(entries.iter().any(|entry| entry.event.label() == "recovered" && entry.emulated), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_left_behind_does_not_replace_one_that_has_moved_on() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(MANY);
    assert_eq!(place.apply(size("1")).await.phase, Phase::Applied);
    let old = std::fs::read(place.data().join("terraform.tfstate")).expect("a state");
    assert_eq!(place.apply(size("3")).await.phase, Phase::Applied);
    let unsaved = place.data().join("module/errored.tfstate");
    std::fs::write(&unsaved, old).expect("written");
    let error = recover(&place).await.expect_err("older");
    assert_eq!(error.why(), Some(Refusal::Stale), "{error}");
    assert!(unsaved.exists() && error.to_string().contains("import blocks"), "{error}");
    assert!(matches!(error, AskError::Barred { .. }));
    assert_eq!(place.status().await.resources, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_said_to_be_and_its_backup_is_named() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(MANY);
    place.apply(size("1")).await;
    place.apply(size("2")).await;
    // A state that may be being written isn't called damaged.
    at_rest(&place).await;
    let state = place.data().join("terraform.tfstate");
    let whole = std::fs::read(&state).expect("a state");
    std::fs::write(&state, &whole[..whole.len() / 2]).expect("written");
    let backup = place.data().join("terraform.tfstate.backup").display().to_string();
    let fault = place.status().await.state_fault.expect("a fault");
    assert!(fault.contains("the state is damaged") && fault.contains(&backup), "{fault}");
    let failed = place.plan(plan()).await;
    let failure = failed.failure.expect("why");
    assert!(failure.diagnostics[0].summary.contains(&backup), "{failure:?}");
    assert_eq!(failure.advice, "put the state right as it says, then plan again");
    // As it says.
    std::fs::copy(&backup, &state).expect("copied");
    assert_eq!(place.status().await.state_fault, None);
    assert_eq!(place.plan(size("2")).await.counts.expect("counted").to_string(), "+1 ~0 -/+0 -0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_that_failed_is_not_to_be_planned_over() {
    if !has_terraform() {
        return;
    }
    let module = r#"resource "terraform_data" "stays" {
  input = "x"

  provisioner "local-exec" {
    when    = destroy
    command = "exit 3"
  }
}

resource "terraform_data" "goes" {
  input = terraform_data.stays.id
}
"#;
    let place = Place::new(module);
    assert_eq!(place.apply(plan()).await.phase, Phase::Applied);
    let failed = place.apply(of(Operation::Destroy)).await;
    let advice = failed.failure.expect("why").advice;
    assert_eq!(
        advice,
        "1 of 2 resources were removed and are no longer in the state, 1 failed; correct what failed, then plan the rest with `skydeck destroy`; a plain plan would make again what is gone"
    );
}
