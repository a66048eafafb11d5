//! What other machines see of an apply.

use std::os::unix::fs::PermissionsExt as _;

use crate::place::{Place, has_terraform};

#[test]
fn an_apply_at_work_is_seen_elsewhere_and_not_begun_twice() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    let slow =
        "\nresource \"terraform_data\" \"slow\" {\n  provisioner \"local-exec\" {\n    command = \"sleep 5\"\n  }\n}\n";
    place.write("module/main.tf", &(place.read("module/main.tf") + slow));
    place.let_sign("grace", "skydeck-approval");
    let (ada, grace, ci) = (place.home("ada"), place.home("grace"), place.home("ci"));
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    grace.run(&["approve", "--env", "staging", "--yes"]).ends_with(0);
    ci.run(&["apply", "--env", "staging", "--yes", "--detach"]).ends_with(0);
    let phase = || grace.run(&["runs", "--env", "staging", "--json"]).json()["runs"][0]["phase"].clone();
    let begun = std::time::Instant::now();
    while phase() != "applying" {
        assert!(begun.elapsed().as_secs() < 60, "nobody else sees the apply: {}", phase());
    }
    ada.run(&["apply", "1", "--env", "staging", "--yes"]).ends_with(9).says("applying");
    grace.run(&["discard", "1", "--env", "staging"]).ends_with(1).says("ci");
    grace.run(&["discard", "1", "--gone", "--env", "staging"]).ends_with(2).says("--yes");
    grace.run(&["audit", "--env", "staging"]).ends_with(0).says("applying");
    while phase() != "applied" {
        assert!(begun.elapsed().as_secs() < 60, "it doesn't end: {}", phase());
    }
}

#[test]
fn a_look_that_came_to_nothing_lets_the_plan_wait() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    let fail = place.path().join("fail");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = plan ] && [ -e {} ]; then echo 'the network is down' >&2; exit 1; fi\nexec terraform \"$@\"\n",
        fail.display()
    );
    place.write("terraform.sh", &script);
    let program = place.path().join("terraform.sh");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    place.let_sign("grace", "skydeck-approval");
    let ada = place.home_with("ada", &format!("terraform = {:?}\n", program.display().to_string()));
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    place.home("grace").run(&["approve", "--env", "staging", "--yes"]).ends_with(0);
    std::fs::write(&fail, "").expect("written");
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(1).says("the plan still waits");
    ada.run(&["runs", "--env", "staging"]).ends_with(0).says("approved");
    assert!(!place.path().join("state/staging.tfstate").exists(), "something was applied");
    std::fs::remove_file(&fail).expect("removed");
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(0);
    ada.run(&["audit", "verify", "--env", "staging"]).ends_with(0);
}
