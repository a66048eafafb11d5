//! The way of a run that goes well: plan, apply, plan clean, update, replace, destroy.

use skydeck::provisioning::run::{ChangeAction, Operation, Phase, Progress, RunRequest};

use super::place::{Place, change, demo, has_terraform, of, plan};

const MODULE: &str = r#"variable "words" {
  type    = string
  default = "one"
}

variable "batch_window_s" {
  type = number
}

resource "terraform_data" "words" {
  input = var.words
}

resource "terraform_data" "window" {
  for_each = toset(["a", "b c"])

  triggers_replace = var.words
  input            = "${var.batch_window_s} ${each.key}"
}

output "words" {
  value = terraform_data.words.output
}
"#;

fn setting(name: &str, value: &str) -> RunRequest {
    RunRequest { variables: [(name.to_owned(), value.to_owned())].into(), ..plan() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_made_applied_and_then_there_is_nothing_to_do() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(MODULE);
    let planned = place.plan(plan()).await;
    assert_eq!(planned.phase, Phase::Planned, "{planned:#?}\n{}", place.log_text(1).await);
    assert_eq!(planned.counts.expect("counted").to_string(), "+3 ~0 -/+0 -0");
    assert!(planned.emulated && planned.runner_pid.is_none() && planned.ended_at.is_none());
    let steps: Vec<_> = planned.steps.iter().map(|step| (step.phase, step.succeeded)).collect();
    let good = Some(true);
    assert_eq!(
        steps,
        [
            (Phase::Initialising, good),
            (Phase::CheckingFormat, good),
            (Phase::Validating, good),
            (Phase::Planning, good)
        ]
    );
    assert_eq!(planned.changed_outputs, ["words"]);
    let log = place.log(1).await;
    assert!(log[0].text.starts_with("EMULATED: "), "{log:?}");
    assert!(log.iter().enumerate().all(|(index, line)| line.number == index as u64 + 1), "{log:?}");
    assert!(log.iter().any(|line| line.text == "terraform_data.words: Plan to create"), "{log:?}");

    place.begin_apply(1).await;
    let applied = place.wait_for_phase(1, Phase::Applied).await;
    assert!(applied.changes.iter().all(|change| matches!(change.progress, Progress::Done { .. })), "{applied:#?}");
    let status = place.status().await;
    assert_eq!((status.resources, status.runs[0].done, status.lock), (Some(3), 3, None));
    assert!(!place.data().join("runs/0001/plan").exists(), "an applied plan is of no more use, and holds secrets");

    let state = place.state().await;
    let addresses: Vec<_> = state.resources.iter().map(|resource| resource.address.as_str()).collect();
    assert_eq!(addresses, ["terraform_data.window[\"a\"]", "terraform_data.window[\"b c\"]", "terraform_data.words"]);
    assert_eq!(state.outputs[0].value, Some("one".into()));

    let again = place.plan(plan()).await;
    assert_eq!((again.phase, again.changes.len()), (Phase::Unchanged, 0), "{again:#?}");

    let changed = place.apply(setting("words", "two")).await;
    assert_eq!(changed.phase, Phase::Applied, "{}", place.log_text(3).await);
    assert_eq!(changed.counts.expect("counted").to_string(), "+0 ~1 -/+2 -0");
    let replaced = change(&changed, "terraform_data.window[\"b c\"]");
    assert_eq!((replaced.action, replaced.reason.as_deref()), (ChangeAction::Replace, Some("cannot_update")));
    assert!(matches!(replaced.progress, Progress::Done { .. }));
    assert!(!place.log_text(3).await.contains("words=two"), "a variable's value may be secret");

    let destroyed = place.apply(of(Operation::Destroy)).await;
    assert_eq!(destroyed.counts.expect("counted").delete, 3);
    assert_eq!(place.status().await.resources, Some(0));
    let status = place.status().await;
    assert_eq!(status.runs.iter().map(|run| run.number).collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert!(status.runs.iter().all(|run| run.took_s > 0.0), "{status:#?}");
    assert_eq!(status.environment, demo());
}
