//! What fails or is interrupted while it is applied.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use skydeck::local_cloud::cloud::Fault;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::place::{Place, has_terraform};

const APPLY: [&str; 4] = ["apply", "-auto-approve", "-input=false", "-no-color"];

const THREE: &str = r#"
resource "azurerm_resource_group" "g" {
  name     = "rg-a"
  location = "westeurope"
}
resource "azurerm_user_assigned_identity" "slow" {
  name                = "id-slow"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
}
resource "azurerm_role_assignment" "last" {
  scope                = azurerm_resource_group.g.id
  role_definition_name = "Reader"
  principal_id         = azurerm_user_assigned_identity.slow.principal_id
}
"#;

async fn kinds(place: &Place) -> Vec<String> {
    place.cloud().resources().await.expect("readable").into_iter().map(|resource| resource.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_fails_leaves_the_others_and_the_next_apply_goes_on() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(THREE).await;
    let fails = Fault { message: Some("the quota is used up; ask for more".to_owned()), ..Fault::default() };
    place.fault("azurerm_user_assigned_identity", "id-slow", fails).await;
    let line = format!("on main.tf line {}", place.line_of("\"slow\""));
    let words = ["azurerm_user_assigned_identity id-slow: the quota is used up; ask for more", "EMULATED", &line];
    place.refused(&APPLY, &words).await;
    assert_eq!(kinds(&place).await, ["azurerm_resource_group"]);
    let listed = place.ends_with(0, &["state", "list"]).await.text;
    assert_eq!(listed.trim(), "azurerm_resource_group.g");

    place.cloud().set_fault("azurerm_user_assigned_identity", "id-slow", None).await.expect("taken back");
    place.apply().await;
    place.is_clean(&[]).await;
    assert_eq!(kinds(&place).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_a_deletion_that_fail_leave_what_was() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(THREE).await;
    place.apply().await;
    let fails = Fault { message: Some("not now".to_owned()), ..Fault::default() };
    place.fault("azurerm_resource_group", "*", fails).await;
    place.write(&THREE.replacen("location = \"westeurope\"", "location = \"westeurope\"\n  tags = { a = \"b\" }", 1));
    place.refused(&APPLY, &["azurerm_resource_group rg-a: not now"]).await;
    assert!(place.attributes("azurerm_resource_group.g").await["tags"].is_null());
    place.write(THREE);
    place.is_clean(&[]).await;
    place
        .refused(&["destroy", "-auto-approve", "-input=false", "-no-color"], &["azurerm_resource_group rg-a: not now"])
        .await;
    assert_eq!(kinds(&place).await, ["azurerm_resource_group"]);
    let listed = place.ends_with(0, &["state", "list"]).await.text;
    assert_eq!(listed.trim(), "azurerm_resource_group.g");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_what_waits_and_leaves_no_lock() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(THREE).await;
    let slow = Fault { delay_ms: 600_000, message: None };
    place.fault("azurerm_user_assigned_identity", "*", slow).await;
    let mut child =
        place.command(&APPLY).await.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("terraform starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut errors = child.stderr.take().expect("piped");
    let heard = tokio::spawn(async move {
        let mut text = String::new();
        errors.read_to_string(&mut text).await.map(|_| text)
    });
    let began = async {
        loop {
            let line = lines.next_line().await.expect("readable").expect("it goes on");
            if line.contains("azurerm_user_assigned_identity.slow: Creating...") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), began).await.expect("it begins");
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs");
    kill_process(pid, Signal::INT).expect("interrupted");
    let end = async {
        while lines.next_line().await.expect("readable").is_some() {}
        child.wait().await.expect("waited for")
    };
    // Ten minutes are what it would take without.
    let status = tokio::time::timeout(Duration::from_secs(60), end).await.expect("it ends");
    assert_eq!(status.code(), Some(1));
    let said = heard.await.expect("heard").expect("readable");
    assert!(said.contains("id-slow: interrupted before it was made"), "{said}");
    assert!(!place.module().join(".terraform.tfstate.lock.info").exists());
    assert_eq!(kinds(&place).await, ["azurerm_resource_group"]);

    place.cloud().set_fault("azurerm_user_assigned_identity", "*", None).await.expect("taken back");
    place.apply().await;
    assert_eq!(kinds(&place).await.len(), 3);
}
