//! A disk that is really full: the provisioning folder is on a small file system of its own.
//!
//! To mount one takes a user namespace, which only a process of one thread can enter: the test starts itself again
//! in there.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use skydeck::provisioning::run::{Phase, Run};

use super::place::{Place, has_terraform, plan};

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

async fn fill(place: &Place) -> Run {
    let disk = mount(place);
    let fill = disk.join("fill");
    place.write_module(&FILLING.replace("FILL", &fill.display().to_string()));
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
    if !has_terraform()
        || !is_inside("full_disk::a_disk_that_fills_in_an_apply_is_told_of_also_once_there_is_room_again")
    {
        return;
    }
    let place = Place::new(FILLING);
    let run = fill(&place).await;
    assert_eq!(run.phase, Phase::Failed, "{run:#?}");
    let advice = run.failure.clone().expect("why").advice;
    assert!(advice.starts_with("make room on that disk; "), "{run:#?}");
    let state = std::fs::read_to_string(place.data().join("terraform.tfstate")).unwrap_or_default();
    for address in ["first", "filling"] {
        let known = serde_json::from_str::<serde_json::Value>(&state).is_ok()
            && state.contains(&format!("\"name\": \"{address}\""));
        eprintln!("{address}: in the state: {known}");
    }
    // Now there is room again: what was told stays.
    let later = place.run(run.number).await.failure.expect("why");
    assert!(later.advice.starts_with("make room on that disk; "), "{later:#?}");
    eprintln!("{}\n{advice}\n{state}", later.advice);
}
