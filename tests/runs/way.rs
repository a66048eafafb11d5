//! The way of a run that goes well: plan, apply, plan clean, update, replace, destroy.

use skydeck::owner::{Answer, Request};
use skydeck::provisioning::run::{ChangeAction, Operation, Phase, Progress, RunRequest};
use skydeck::settings::EnvironmentName;

use super::place::{PATIENCE, Place, change, demo, has_terraform, of, plan};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_limited_to_targets_and_replaces_what_it_is_told_to() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(MODULE);
    let address = "terraform_data.window[\"b c\"]".to_owned();
    let targeted = place.apply(RunRequest { targets: vec![address.clone()], ..plan() }).await;
    assert_eq!(targeted.changes.iter().map(|change| &change.address).collect::<Vec<_>>(), [&address]);
    let status = place.status().await;
    assert!(status.runs[0].targeted && status.drift.is_none(), "a look at a part says nothing of the whole");
    let replaced = place.plan(RunRequest { replace: vec![address.clone()], ..plan() }).await;
    assert_eq!(change(&replaced, &address).action, ChangeAction::Replace);
    assert_eq!(replaced.counts.expect("counted").to_string(), "+2 ~0 -/+1 -0");

    let show = Request::StateShow { environment: demo(), address: address.clone() };
    let Ok(Answer::StateShow { text }) = place.ask(show).await else { panic!("not shown") };
    assert!(text.contains("# terraform_data.window[\"b c\"]:") && text.contains("300 b c"), "{text}");
    let show = Request::StateShow { environment: demo(), address: "terraform_data.none".into() };
    let words = place.refused(show).await;
    assert!(words.starts_with("terraform state show") && words.contains("No instance found"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_moves_and_removals_are_told_of() {
    if !has_terraform() {
        return;
    }
    let resource = |name: &str| format!("resource \"terraform_data\" \"{name}\" {{\n}}\n");
    let place = Place::new(&(resource("gone") + "\n" + &resource("old")));
    assert_eq!(place.apply(plan()).await.phase, Phase::Applied);
    let blocks = "\nremoved {\n  from = terraform_data.gone\n  lifecycle {\n    destroy = false\n  }\n}\n\nmoved {\n  from = terraform_data.old\n  to   = terraform_data.new\n}\n\nimport {\n  to = terraform_data.imported\n  id = \"some-id\"\n}\n";
    place.write_module(&(resource("new") + "\n" + &resource("imported") + blocks));
    let run = place.apply(plan()).await;
    assert_eq!(run.phase, Phase::Applied, "{}", place.log_text(run.number).await);
    let action = |address: &str| change(&run, address).action;
    assert_eq!(action("terraform_data.gone"), ChangeAction::Forget);
    assert_eq!(action("terraform_data.new"), ChangeAction::Move);
    assert_eq!(change(&run, "terraform_data.imported").importing.as_deref(), Some("some-id"));
    assert_eq!(run.counts.expect("counted").to_string(), "+0 ~0 -/+0 -0 >1 .1 =>1");
    assert!(run.changes.iter().all(|change| matches!(change.progress, Progress::Done { .. })), "{run:#?}");
    assert!(place.log_text(run.number).await.contains("Warning: Some objects will no longer be managed"));

    let looked = place.plan(of(Operation::RefreshOnly)).await;
    assert_eq!((looked.phase, looked.drift.len()), (Phase::Unchanged, 0));
    assert_eq!(place.status().await.drift.map(|(count, _)| count), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_environment_is_planned_with_its_own_files_and_not_applied_unapproved() {
    if !has_terraform() {
        return;
    }
    let module = "terraform {\n  backend \"local\" {\n  }\n}\n\nvariable \"name\" {\n  type = string\n}\n\nresource \"terraform_data\" \"x\" {\n  input = var.name\n}\n";
    let place = Place::new(module);
    let staging: EnvironmentName = "staging".parse().expect("a name");
    let start = Request::StartRun { environment: staging.clone(), run: plan() };
    let run = async |number: u32| {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let request = Request::Run { environment: staging.clone(), number };
                match place.ask(request).await {
                    Ok(Answer::Run { run }) if !run.phase.is_active() => return *run,
                    Ok(_) => place.provisioner.changed().await,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        waited.await.expect("in time")
    };
    place.ask(start.clone()).await.expect("started");
    let failed = run(1).await;
    let failure = failed.failure.clone().expect("why");
    assert!(failure.diagnostics[0].summary.contains("backend/staging.tfvars: the environment staging needs it"));
    for (file, text) in [
        ("backend/staging.tfvars", format!("path = \"{}\"\n", place.path().join("elsewhere.tfstate").display())),
        ("environments/staging.tfvars", "name = \"from its file\"\n".to_owned()),
    ] {
        let path = place.path().join("module").join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    place.ask(start).await.expect("started");
    let planned = run(2).await;
    assert_eq!((planned.phase, planned.emulated), (Phase::Planned, false), "{planned:#?}");
    let status = place.provisioner.status().await;
    let seen = status.environments.iter().find(|one| one.environment == staging).expect("it has runs");
    assert!(!seen.emulated && seen.resources.is_none());
    let words = place.refused(Request::ApplyRun { environment: staging, number: 2 }).await;
    assert!(words.contains("nobody has approved it"), "{words}");
}
