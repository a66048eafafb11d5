//! Two agents with one identity, which shows a certificate of an authority's.

use crate::certificates;
use crate::ground::Ground;

#[test]
fn two_agents_with_one_identity_are_found_out_and_a_removed_device_is_gone() {
    let ground = Ground::open();
    ground.hub(&["add", "mast-01", "--ca"]);
    let hub = ground.place.data("local").join("hub");
    let link = certificates::signed(&hub, ground.place.path(), "mast-01");
    let link = format!("{link}\nhub = \"skydeck-hub\"\ngateway = \"127.0.0.1\"\ntransport = \"mqtt\"");
    let mut first = ground.agent("mast-01", &link, "");
    first.connect();
    assert_eq!(ground.hub(&["show", "mast-01"])["connectionState"], "Connected");
    assert_eq!(ground.place.run(&["--env", "local", "alarms"]).code(), 0);

    let mut second = ground.agent("mast-01", &link, "");
    second.connect();
    let alarms = ["--env", "local", "alarms", "--json"];
    ground.place.wait_for_json(&alarms, "same-identity", |page| {
        page["alarms"].as_array().into_iter().flatten().any(|alarm| {
            alarm["rule"] == "same-identity" && alarm["message"].to_string().contains("two devices connect as mast-01")
        })
    });
    let ran = ground.place.run(&["--env", "local", "status", "devices"]);
    assert_eq!(ran.code(), 7);
    assert!(ran.out().contains("mast-01: two devices have this identity"), "{}", ran.out());
    assert!(first.times("link: down") > 0 && second.times("link: down") > 0);

    // Another's name on the certificate isn't enough.
    ground.hub(&["add", "mast-02", "--ca"]);
    let mut other = ground.agent("mast-02", &link, "");
    other.start();
    other.process().wait_for("refused the credentials of device mast-02");
    assert_eq!(other.times("link: connected by"), 0);

    // One that is removed is neither let in nor called a rival any more.
    let refusals = [first.times("refused the credentials"), second.times("refused the credentials")];
    ground.done(&["remove", "mast-01"], "device mast-01 removed");
    first.says_again("refused the credentials", refusals[0]);
    second.says_again("refused the credentials", refusals[1]);
    ground.place.wait_for_json(&alarms, "no rivals", |page| {
        page["alarms"].as_array().into_iter().flatten().all(|alarm| alarm["rule"] != "same-identity")
    });
    let said = [&first, &second, &other].map(|agent| agent.process().said()).concat();
    assert!(!said.contains("PRIVATE KEY"));
}
