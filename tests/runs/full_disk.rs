//! A disk that is really full: the provisioning folder is on a small file system of its own.
//!
//! To mount one takes a user namespace, which only a process of one thread can enter: the test starts itself again
//! in there.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use skydeck::owner::Request;
use skydeck::provisioning::run::{Phase, Run};

use super::place::{Place, demo, has_terraform, plan};

/// Set in the test that was started again.
const INSIDE: &str = "SKYDECK_TEST_SMALL_DISK";

/// Makes something, then fills the disk, so that no state can be written.
const FILLING: &str = r#"resource "terraform_data" "first" {
  input = "x"
}

resource "terraform_data" "filling" {
  input = terraform_data.first.id

  provisioner "local-exec" {
    command = "cat /dev/zero >FILL 2>/dev/null; true"
  }
}
"#;

/// Whether this is inside; outside it starts the test `name` again in there, which must pass.
fn is_inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success()) {
        let words = "skipped: no user namespaces here (unshare -rm)";
        assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
        eprintln!("{words}");
        return false;
    }
    let mut again = Command::new("unshare");
    again.arg("-rm").arg(std::env::current_exe().expect("a path"));
    let output = again.args(["--exact", name, "--nocapture"]).env(INSIDE, "1").process_group(0).output();
    let output = output.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    false
}

fn mount(place: &Place) -> std::path::PathBuf {
    let disk = place.data();
    std::fs::create_dir_all(&disk).expect("made");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "none"]).arg(&disk).status();
    assert!(mounted.expect("it runs").success());
    disk
}

/// Applies `module`, which fills the disk, and makes room again once the run has ended.
async fn fill(place: &Place, module: &str) -> Run {
    let disk = mount(place);
    let fill = disk.join("fill");
    place.write_module(&module.replace("FILL", &fill.display().to_string()));
    let planned = place.plan(plan()).await;
    assert_eq!(planned.phase, Phase::Planned, "{planned:#?}");
    place.begin_apply(planned.number).await;
    let run = place.wait_for(planned.number, "the end", |run| run.phase.is_end()).await;
    assert!(fill.exists(), "{run:#?}");
    std::fs::remove_file(&fill).expect("removed");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_in_an_apply_is_told_of_also_once_there_is_room_again() {
    const NAME: &str = "full_disk::a_disk_that_fills_in_an_apply_is_told_of_also_once_there_is_room_again";
    if !has_terraform() || !is_inside(NAME) {
        return;
    }
    let place = Place::new(FILLING);
    let run = fill(&place, FILLING).await;
    assert_eq!(run.phase, Phase::Failed, "{run:#?}");
    let then = run.failure.clone().expect("why").advice;
    assert!(then.starts_with("make room on that disk; "), "{run:#?}");
    // There is room again, and what was told stays.
    let later = place.run(run.number).await.failure.expect("why");
    assert!(later.advice.starts_with("make room on that disk; "), "{later:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_for_which_there_was_no_room_is_not_said_to_hold_what_was_made() {
    const NAME: &str = "full_disk::a_state_for_which_there_was_no_room_is_not_said_to_hold_what_was_made";
    if !has_terraform() || !is_inside(NAME) {
        return;
    }
    // A state that grows where there is no room left.
    let large = r#"
resource "terraform_data" "large" {
  input      = join("", [for i in range(300) : join("", [for j in range(100) : "0123456789"])])
  depends_on = [terraform_data.filling]
}
"#;
    let place = Place::new(FILLING);
    let run = fill(&place, &format!("{FILLING}{large}")).await;
    let failure = run.failure.clone().expect("why");
    let state = std::fs::read_to_string(place.data().join("terraform.tfstate")).unwrap_or_default();
    let advice = &failure.advice;
    assert!(serde_json::from_str::<serde_json::Value>(&state).is_err(), "it is whole: {state}");
    assert!(advice.starts_with("make room on that disk; "), "{failure:#?}");
    assert!(!advice.contains("are in the state"), "{advice}");
    assert!(advice.contains("terraform_data.first") && advice.contains("import block"), "{advice}");
    assert!(advice.contains("`skydeck demo reset`"), "{advice}");
    // Nor is what Terraform left in its stead, which had no room either.
    let copy = place.data().join("module/errored.tfstate");
    assert!(
        advice.ends_with(&format!("{}, is cut off as well: remove it before you plan", copy.display())),
        "{advice}"
    );
    let words = place.refused(Request::StartRun { environment: demo(), run: plan() }).await;
    assert!(words.contains("is cut off") && words.contains("remove that file"), "{words}");
    std::fs::remove_file(copy).expect("removed");
}
