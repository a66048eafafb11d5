//! The carried module on the emulated providers, through runs: applied whole, changed by a setting, drifted, destroyed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use skydeck::local_cloud::cloud::{Cloud, Fault};
use skydeck::local_cloud::topology::read;
use skydeck::owner::{Answer, Request};
use skydeck::provisioning::run::{ChangeAction, Operation, Phase, Progress, RunRequest};

use super::place::{Place, change, demo, has_terraform, of, plan};

const HUB: &str = "azurerm_iothub.this";

fn cloud(place: &Place) -> Cloud {
    let folder = place.path().join("d/demo/data/cloud");
    std::fs::create_dir_all(&folder).expect("made");
    Cloud::open(&folder).expect("opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_module_is_applied_changed_by_a_setting_drifts_and_is_destroyed() {
    if !has_terraform() {
        return;
    }
    let place = Place::carried("");
    let cloud = cloud(&place);
    let part = place.apply(RunRequest { targets: vec!["azurerm_resource_group.this".into()], ..plan() }).await;
    assert_eq!(part.phase, Phase::Applied, "{part:#?}\n{}", place.log_text(1).await);
    assert!(!cloud.is_adopted().await.expect("read"), "a part of the ground isn't what everything stands on");

    let whole = place.apply(plan()).await;
    assert_eq!(whole.phase, Phase::Applied, "{:#?}\n{}", whole.failure, place.log_text(2).await);
    assert!(whole.changes.len() > 40, "{} changes", whole.changes.len());
    let undone = whole.changes.iter().filter(|change| !matches!(change.progress, Progress::Done { .. }));
    assert_eq!(undone.collect::<Vec<_>>(), Vec::<&skydeck::provisioning::run::ResourceChange>::new());
    assert!(cloud.is_adopted().await.expect("read"));
    let clean = place.plan(plan()).await;
    assert_eq!(clean.phase, Phase::Unchanged, "{:#?}", clean.changes);

    place.write_settings("[ingestion]\nbatch_window_s = 60\n");
    let window = place.apply(plan()).await;
    assert_eq!(window.counts.expect("counted").to_string(), "+0 ~3 -/+0 -0", "{:#?}", window.changes);
    let resources = cloud.resources().await.expect("read");
    let windows = resources.iter().filter_map(|resource| resource.attributes.get("batch_frequency_in_seconds"));
    assert_eq!(windows.collect::<Vec<_>>(), [60, 60, 60], "one a kind of message");

    let looked = place.plan(of(Operation::RefreshOnly)).await;
    assert_eq!((looked.phase, looked.drift.len()), (Phase::Unchanged, 0), "{looked:#?}");

    // Somebody changes it behind Terraform's back.
    let mut hub = resources.into_iter().find(|resource| resource.kind == "azurerm_iothub").expect("a hub");
    hub.attributes["event_hub_retention_in_days"] = 3.into();
    cloud.put(hub).await.expect("changed");
    let looked = place.plan(of(Operation::RefreshOnly)).await;
    assert_eq!(
        (looked.phase, looked.drift.len()),
        (Phase::Planned, 1),
        "{looked:#?}\n{}",
        place.log_text(looked.number).await
    );
    assert_eq!((looked.drift[0].address.as_str(), looked.drift[0].action), (HUB, ChangeAction::Update));
    assert_eq!(place.status().await.drift.map(|(count, _)| count), Some(1));
    let back = place.apply(plan()).await;
    assert_eq!((back.phase, back.drift.len()), (Phase::Applied, 1), "{back:#?}");
    assert_eq!(place.status().await.drift.map(|(count, _)| count), Some(0));
    assert_eq!(place.run(looked.number).await.phase, Phase::Stale, "what was found was put right by another run");

    let Ok(Answer::StateShow { text }) =
        place.ask(Request::StateShow { environment: demo(), address: HUB.into() }).await
    else {
        panic!("not shown")
    };
    assert!(text.contains("# azurerm_iothub.this:") && text.contains("(sensitive"), "{text}");
    assert!(place.status().await.runs.iter().all(|run| run.took_s > 0.0));

    let destroyed = place.apply(of(Operation::Destroy)).await;
    assert_eq!(destroyed.phase, Phase::Applied, "{:#?}\n{}", destroyed.failure, place.log_text(destroyed.number).await);
    assert_eq!(place.status().await.resources, Some(0));
    assert!(cloud.resources().await.expect("read").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_hub_takes_its_routes_with_it_and_the_next_plan_brings_them_back() {
    if !has_terraform() {
        return;
    }
    let place = Place::carried("");
    let cloud = cloud(&place);
    let whole = place.apply(plan()).await;
    assert_eq!(whole.phase, Phase::Applied, "{:#?}\n{}", whole.failure, place.log_text(whole.number).await);
    let before = read(&cloud.resources_made().await.expect("read"));
    let hub_before = before.hub.clone().expect("a hub");
    assert!(before.faults.is_empty() && hub_before.routes.len() >= 3, "{before:#?}");

    let replaced = place.apply(RunRequest { replace: vec![HUB.into()], ..plan() }).await;
    assert_eq!(replaced.phase, Phase::Applied, "{:#?}\n{}", replaced.failure, place.log_text(replaced.number).await);
    assert_eq!(change(&replaced, HUB).action, ChangeAction::Replace);
    // The routes name the hub, which has its name still: the plan has nothing to say of them, and they are gone.
    assert!(replaced.changes.iter().all(|change| !change.address.starts_with("azurerm_iothub_route.")));
    let between = read(&cloud.resources_made().await.expect("read"));
    assert!(between.hub.expect("a hub").routes.is_empty());
    assert_eq!((&between.containers, &between.tables), (&before.containers, &before.tables), "what holds data stays");
    assert_eq!(between.pipes, before.pipes);

    let back = place.apply(plan()).await;
    assert_eq!(back.phase, Phase::Applied, "{:#?}\n{}", back.failure, place.log_text(back.number).await);
    assert!(back.changes.iter().all(|change| change.action == ChangeAction::Create), "{:#?}", back.changes);
    let after = read(&cloud.resources_made().await.expect("read"));
    assert!(after.faults.is_empty(), "{:#?}", after.faults);
    assert_eq!(after.hub, Some(hub_before));
    assert_eq!(after.announcement, before.announcement);
    let clean = place.plan(plan()).await;
    assert_eq!(clean.phase, Phase::Unchanged, "{:#?}", clean.changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_a_resource_fails_the_run_and_the_next_one_makes_the_rest() {
    if !has_terraform() {
        return;
    }
    let place = Place::carried("");
    let cloud = cloud(&place);
    let fault = Fault { delay_ms: 0, message: Some("the quota of hubs is used up".into()) };
    cloud.set_fault("azurerm_iothub", "*", Some(fault)).await.expect("set");
    let failed = place.apply(plan()).await;
    assert_eq!(failed.phase, Phase::Failed);
    let Progress::Failed { error } = &change(&failed, HUB).progress else { panic!("{failed:#?}") };
    assert!(error.contains("the quota of hubs is used up"), "{error}");
    assert!(failed.changes.iter().any(|change| change.progress == Progress::Skipped));
    assert!(!cloud.is_adopted().await.expect("read"));
    cloud.set_fault("azurerm_iothub", "*", None).await.expect("taken back");
    let rest = place.apply(plan()).await;
    assert_eq!(rest.phase, Phase::Applied, "{:#?}", rest.failure);
    assert!(rest.changes.len() < failed.changes.len() && cloud.is_adopted().await.expect("read"));
}

/// Where the Terraform at work finds the providers.
fn sockets_of(place: &Place) -> PathBuf {
    let working = std::fs::read_to_string(place.data().join("working")).expect("somebody works");
    let worker: serde_json::Value = serde_json::from_str(working.trim()).expect("JSON");
    let environment = std::fs::read(format!("/proc/{}/environ", worker["terraform_pid"])).expect("it lives");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let reattach =
        environment.split('\0').find_map(|one| one.strip_prefix("TF_REATTACH_PROVIDERS=")).expect("emulated");
    let providers: serde_json::Value = serde_json::from_str(reattach).expect("JSON");
    let provider = providers.as_object().and_then(|all| all.values().next()).expect("one at least");
    let socket = Path::new(provider["Addr"]["String"].as_str().expect("a path"));
    socket.parent().expect("its folder").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_with_its_providers_leaves_a_state_that_can_be_planned_on() {
    if !has_terraform() {
        return;
    }
    let place = Place::carried("");
    let cloud = cloud(&place);
    let slow = Fault { delay_ms: 5000, message: None };
    cloud.set_fault("azurerm_iothub", "*", Some(slow)).await.expect("set");
    let number = place.plan(plan()).await.number;
    place.begin_apply(number).await;
    // Alone at work: whatever else is being made at the kill is made, and in no state to be planned on.
    let run = place
        .wait_for(number, "the hub alone being made", |run| {
            let at_work = run.changes.iter().filter(|one| matches!(one.progress, Progress::Running { .. }));
            run.phase == Phase::Applying && at_work.map(|one| one.address.as_str()).eq([HUB])
        })
        .await;
    // What the last one made allowed to begin is made too by then, and the hub isn't.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let runner = i32::try_from(run.runner_pid.expect("its process")).expect("a process id");
    let runner = rustix::process::Pid::from_raw(runner).expect("a process id");
    let sockets = sockets_of(&place);
    assert!(sockets.is_dir());
    rustix::process::kill_process(runner, rustix::process::Signal::KILL).expect("killed");
    place.wait_for_phase(number, Phase::Failed).await;
    assert!(sockets.is_dir(), "a killed process removes nothing");
    cloud.set_fault("azurerm_iothub", "*", None).await.expect("taken back");
    let rest = place.apply(plan()).await;
    assert_eq!(rest.phase, Phase::Applied, "{:#?}\n{}", rest.failure, place.log_text(rest.number).await);
    assert_eq!(place.status().await.lock, None);
    assert!(!sockets.exists(), "the next one has removed what it left");
    let dead = place.run(number).await;
    assert!(matches!(change(&dead, HUB).progress, Progress::Failed { .. }), "{:#?}", change(&dead, HUB));
}
