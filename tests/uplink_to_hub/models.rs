//! The whole agent's model slot, through the hub's own storage: fetched by a link for reading, which ends.

use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use skydeck::edge_agent::report::{DeployState, ModelReport};
use skydeck::ingestion::storage::Containers;
use skydeck::ingestion::topology::MODELS;
use skydeck::nowcast::package::sha256;
use skydeck::owner::models::pack;

use super::pictures::RunningAgent;
use super::ways::with_https;
use super::*;

const BLOB: &str = "roof/1.0.0/a.model";

fn package(folder: &Path) -> Vec<u8> {
    let folder = folder.join("roof");
    std::fs::create_dir(&folder).expect("made");
    let model = r#"{"name": "roof", "version": "1.0.0", "kind": "persistence", "needs": {"historyDays": 0}}"#;
    std::fs::write(folder.join("model.json"), model).expect("written");
    let weights = r#"{"variables": ["temperature"], "errorDays": 7, "minErrors": 24}"#;
    std::fs::write(folder.join("weights.json"), weights).expect("written");
    pack(&folder, None, now()).expect("packed").0
}

fn link(hub: &RunningHub, life_s: i64) -> SecretString {
    hub.hub.read_link(DEVICE, MODELS, BLOB, SignedDuration::from_secs(life_s)).expect("HTTPS is served")
}

async fn deploy(hub: &RunningHub, digest: &str, link: &SecretString) -> Value {
    let asked = json!({"name": "roof", "version": "1.0.0", "sha256": digest, "url": link.expose_secret()});
    let answer = hub.hub.invoke(DEVICE, "deploy_model", &asked, SOON, SOON).await.expect("answers");
    json!({"status": answer.status, "payload": answer.payload})
}

async fn until(agent: &RunningAgent, mut wanted: impl FnMut(&ModelReport) -> bool) -> ModelReport {
    let mut report = agent.handles.report.clone();
    let seen = report.wait_for(|report| wanted(&report.model));
    tokio::time::timeout(SOON, seen).await.expect("in time").expect("running").model.clone()
}

#[tokio::test]
async fn a_package_is_fetched_from_the_hubs_storage_by_a_link_that_reads_and_ends() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let hub = RunningHub::start(folder.path(), 0, &Ledger::default()).await;
    let https_port = with_https(&hub, folder.path()).await;
    let containers = Containers::open(&folder.path().join("containers")).expect("opens");
    let bytes = package(folder.path());
    let digest = sha256(&bytes);
    let mut blob = containers.create(MODELS, BLOB);
    blob.write(&bytes).await.expect("written");
    blob.finish().await.expect("there");

    let settings = UplinkSettings { https_port, ..hub.settings().await };
    let agent = RunningAgent::start(folder.path(), "cp nothing {file}".to_owned(), settings).await;
    let mut uplink = agent.handles.uplink.clone();
    let connected = uplink.wait_for(|uplink| uplink.connected);
    tokio::time::timeout(SOON, connected).await.expect("in time").expect("running");

    // A link that is over: the device says so, and a new one goes on.
    let ended = link(&hub, -1);
    let answer = deploy(&hub, &digest, &ended).await;
    assert_eq!((&answer["status"], &answer["payload"]["state"]), (&json!(202), &json!("fetching")));
    let told = until(&agent, |m| m.deploying.as_ref().is_some_and(|c| c.state == DeployState::Failed)).await;
    let words = told.deploying.and_then(|coming| coming.error).expect("words");
    assert!(words.contains("403 Forbidden AuthenticationFailed; the link isn't good any more"), "{words}");
    let good = link(&hub, 60);
    assert_eq!(deploy(&hub, &digest, &good).await["status"], 202);
    let told = until(&agent, |model| model.current == "roof@1.0.0" && model.deploying.is_none()).await;
    assert_eq!(told.sha256.as_deref(), Some(digest.as_str()));
    let twin = async || hub.hub.twin(DEVICE).await.expect("there").rest_json();
    let reported = tokio::time::timeout(SOON, async {
        while twin().await["properties"]["reported"]["model"]["current"] != "roof@1.0.0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        twin().await
    });
    let reported = reported.await.expect("told in time").to_string();

    let back = hub.hub.invoke(DEVICE, "rollback_model", &Value::Null, SOON, SOON).await.expect("answers");
    assert_eq!((back.status, &back.payload["current"]), (200, &json!("anomaly-persistence-1")));
    // Its signature is in nothing that is told or kept.
    let report = serde_json::to_string(&*agent.handles.report.borrow()).expect("JSON");
    for link in [&good, &ended] {
        let signature = link.expose_secret().split("sig=").nth(1).and_then(|rest| rest.split('&').next()).expect("one");
        assert!(!report.contains(signature) && !reported.contains(signature));
    }
    empty(&agent.handles.outbox).await;
    agent.stop().await;
    hub.stop().await;
}
