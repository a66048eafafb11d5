use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::settings::{Layers, Roots, load};

fn desk(folder: &Path, settings: &str) -> DeviceDesk {
    let file = folder.join("roof.toml");
    std::fs::write(&file, settings).expect("written");
    let name = "roof".parse().expect("a name");
    let settings = load(&name, &Layers { file: Some(file), ..Layers::default() }).expect("loads").settings;
    let folders = Roots::one(folder).and_then(|roots| roots.of(&name)).expect("folders");
    DeviceDesk::new("roof", &settings, &folders)
}

#[tokio::test]
async fn without_an_agent_the_way_is_tried_and_what_fails_is_in_the_diagnosis() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let shut = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let key = folder.path().join("key");
    std::fs::write(&key, "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5").expect("written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("set");
    let link =
        format!("[link]\nhub = \"127.0.0.1\"\ntransport = \"mqtt\"\nport = {shut}\nkey = \"file:{}\"\n", key.display());
    let desk = desk(folder.path(), &link);
    assert_eq!(desk.diagnose(false).await.expect("diagnosed").link_test, None);
    let test = desk.test_link().await.expect("tried").expect("there is a hub");
    let diagnosis = desk.diagnose(false).await.expect("diagnosed");
    assert_eq!(diagnosis.link_test.as_ref(), Some(&test));
    assert_eq!((test.steps.len(), diagnosis.no_hub), (7, None));
    let things: Vec<_> = diagnosis.findings.iter().map(|found| found.thing.as_str()).collect();
    assert!(things.starts_with(&["agent", "link test, TCP"]), "{things:?}");
}

#[tokio::test]
async fn without_a_hub_it_says_what_to_set_and_where_the_environment_has_one_how_it_comes_up() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let bare = desk(folder.path(), "");
    assert_eq!(bare.test_link().await, Ok(None));
    let diagnosis = bare.diagnose(false).await.expect("diagnosed");
    assert_eq!(diagnosis.no_hub, Some(format!("no hub is set; {SET_HUB}")));
    let link = diagnosis.findings.iter().find(|found| found.thing == "link").expect("a finding");
    assert_eq!((link.cause.as_str(), link.step.as_str()), ("no hub is set", SET_HUB));
    let own = bare.starting(Starting {
        start: "skydeck --data-dir d run demo".into(),
        restart: String::new(),
        has_own_hub: true,
    });
    let diagnosis = own.diagnose(false).await.expect("diagnosed");
    assert!(diagnosis.no_hub.is_some_and(|words| words.ends_with("; skydeck --data-dir d run demo")));
    assert!(diagnosis.findings.iter().all(|found| found.thing != "link"), "its own isn't missing");
    assert_eq!(diagnosis.findings[0].step, "start it: skydeck --data-dir d run demo");
}

#[test]
fn settings_of_another_device_are_told() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let desk = desk(folder.path(), "[station]\ndevice_id = \"roof-02\"\n");
    let of = |device: &str| {
        let agent = AgentReport { device_id: device.into(), ..AgentReport::default() };
        desk.beside_settings(Diagnosis { agent: Some(Arc::new(agent)), ..desk.empty() }).findings
    };
    assert!(of("roof-02").is_empty());
    assert!(of("roof-01")[0].cause.contains("those of roof-02; the agent runs as roof-01"), "{:?}", of("roof-01"));
}

#[test]
fn a_refused_access_names_the_group_that_may() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let socket = folder.path().join("agent.sock");
    let mode = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).expect("set");
    mode(0o750);
    let refused = || words(AttachError::Refused { path: socket.clone() });
    let gid = rustix::process::getegid().as_raw();
    let groups = std::fs::read_to_string("/etc/group").expect("readable");
    let group = group_name(&groups, gid).expect("this user's group has a name");
    assert_eq!(
        refused(),
        format!(
            "{}: access is refused: the agent answers its group {group}; join it: sudo usermod -aG {group} $USER, \
             then log in anew",
            socket.display()
        )
    );
    mode(0o700);
    assert!(refused().ends_with("access is refused; ask as the user that runs it, or as root"), "{}", refused());
    assert_eq!(group_name("root:x:0:\nskydeck:x:998:anna\nbroken\n", 998).as_deref(), Some("skydeck"));
    assert_eq!(group_name("root:x:0:\n", 7), None);
}
