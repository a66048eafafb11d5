//! The owner of an environment in the cloud: what the feed reads is on every screen, and a message is followed into its batch.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path as BlobPath;
use object_store::{ObjectStoreExt as _, PutPayload};
use skydeck::clock::Clock;
use skydeck::clock::ledger::Hop;
use skydeck::ingestion::account::AccountWatcher;
use skydeck::owner::{self, Answer, Lamp, LogBuffer, OwnerClient, Request, Snapshot, StageName, Trace};
use skydeck::settings::{Folders, Settings};
use skydeck::station::Variable;

use super::azurite::{ACCOUNT, Azurite, KEY};
use super::hub::{Hub, Reading, data, pace};

const PATIENCE: Duration = Duration::from_secs(90);

async fn wait_for(client: &OwnerClient, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut snapshots = client.snapshots();
    match tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_so(snapshot))).await {
        Ok(found) => (**found.expect("it runs")).clone(),
        Err(_) => panic!("not seen: {what}: {:#?}", client.snapshots().borrow()),
    }
}

/// The way of a message that is shown: it is known by then.
async fn trace(client: &OwnerClient, id: &str) -> Trace {
    match client.ask(Request::Trace { message_id: Some(id.to_owned()), rows: false }).await {
        Ok(Answer::Trace(trace)) => *trace,
        other => panic!("not a trace: {other:?}"),
    }
}

fn place(trace: &Trace, hop: Hop) -> &str {
    trace.hops.iter().find(|at| at.hop == hop).map_or("", |at| at.place.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_feed_reads_is_on_every_screen_and_a_message_is_followed_into_its_batch() {
    let Some(mut hub) = Hub::start() else { return };
    let Some(azurite) = Azurite::start().await else { return };
    azurite.make_container("json-blob-messages").await;
    hub.measure("0", 3, 2);
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, KEY);
    let store = MicrosoftAzureBuilder::new()
        .with_account(ACCOUNT)
        .with_container_name("json-blob-messages")
        .with_access_key(key)
        .with_endpoint(format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port))
        .with_allow_http(true)
        .build()
        .expect("a store");
    let now = jiff::Timestamp::now();
    let today = now.strftime("%Y-%m-%d");
    let ago = |seconds| (now - jiff::SignedDuration::from_secs(seconds)).to_string();
    // A batch of before: it tells how long a message waits for its own.
    let earlier = format!(
        r#"{{"EnqueuedTimeUtc":"{}","Properties":{{}},"SystemProperties":{{}},"Body":{{"messageId":"m-9","measuredAt":"{}"}}}}"#,
        ago(120),
        ago(121)
    );
    store.put(&BlobPath::from(format!("hub/00/{today}/14-00")), PutPayload::from(earlier)).await.expect("written");
    let mut settings = Settings { azure: hub.settings(), ..Settings::default() };
    settings.azure.storage_account = Some(ACCOUNT.to_owned());
    settings.azure.blob_url = Some(format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port));
    settings.azure.storage_sas = Some(signature(&hub, azurite.port));
    settings.azure.containers = "json-blob-messages".to_owned();
    let root = hub.folder.path().join("owner");
    let folders = Folders { data: root.join("data"), runtime: root.join("run"), state: root.join("state") };
    let name = "staging".parse().expect("a name");
    let mut running = owner::start(name, settings, folders, LogBuffer::new()).await.expect("starts");
    running.ready().await.expect("is ready");
    let client = running.client();

    let lamp = |snapshot: &Snapshot, name: StageName| {
        snapshot.stages.iter().find(|stage| stage.name == name).map(|stage| stage.lamp)
    };
    let seen = wait_for(&client, "the feed and the account", |snapshot| {
        // What ends soon makes the stage amber; that it can be looked at, not red.
        snapshot.now.received == 3 && lamp(snapshot, StageName::Blob) == Some(Lamp::Warning)
    })
    .await;
    assert_eq!(lamp(&seen, StageName::Hub), Some(Lamp::Ok));
    assert_eq!(lamp(&seen, StageName::Pipe), Some(Lamp::Unknown), "nobody watches Snowflake here");
    assert_eq!(seen.devices.iter().map(|device| device.id.as_str()).collect::<Vec<_>>(), ["roof-01"]);
    assert_eq!(seen.now.measurement.as_ref().and_then(|newest| newest.temperature_c), Some(14.2));
    let hub_stage = seen.stages.iter().find(|stage| stage.name == StageName::Hub).expect("a stage");
    assert!(hub_stage.lag_s.is_some_and(|lag| (0.9..1.1).contains(&lag)), "{hub_stage:?}");
    let seen = wait_for(&client, "how long a batch is waited for", |snapshot| {
        snapshot.stages.iter().any(|stage| stage.name == StageName::Blob && stage.lag_s.is_some())
    })
    .await;
    let blob = seen.stages.iter().find(|stage| stage.name == StageName::Blob).expect("a stage");
    assert!(blob.lag_s.is_some_and(|lag| (119.0..150.0).contains(&lag)), "{blob:?}");
    let ending: Vec<_> = seen.alarms.iter().map(|alarm| (alarm.rule.as_str(), alarm.message.as_str())).collect();
    assert!(
        ending.iter().any(|(rule, words)| *rule == "ends-in-3-days" && words.starts_with("azure.storage_sas ends in")),
        "{ending:?}"
    );

    let (from, to) = (now - jiff::SignedDuration::from_mins(30), now);
    let asked = Request::Series { device: None, variable: Variable::Temperature, from, to, max_points: 100 };
    match client.ask(asked).await {
        Ok(Answer::Series(series)) => assert!(!series.points.is_empty()),
        other => panic!("no series: {other:?}"),
    }
    let way = trace(&client, "m-0-1").await;
    assert_eq!(place(&way, Hop::Enqueued), "hub, partition 0 number 1");
    assert!(place(&way, Hop::Batched).starts_with("in no batch yet"), "{way:?}");

    let line = |id: &str| format!(r#"{{"Properties":{{}},"SystemProperties":{{}},"Body":{{"messageId":"{id}"}}}}"#);
    let name = format!("hub/00/{today}/14-05");
    let lines = [line("m-0-0"), line("m-0-1"), line("m-0-2")].join("\n");
    store.put(&BlobPath::from(name.as_str()), PutPayload::from(lines)).await.expect("written");
    let way = trace(&client, "m-0-1").await;
    assert_eq!((way.file.as_deref(), way.file_line), (Some(format!("json-blob-messages/{name}").as_str()), Some(2)));
    assert!(way.hops.iter().any(|hop| hop.hop == Hop::Batched && hop.at.is_some()), "{way:?}");
    assert_eq!(place(&way, Hop::Noticed), "not watched: set snowflake.account");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_of_which_no_batch_was_written_is_a_gap() {
    let Some(mut hub) = Hub::start() else { return };
    let Some(azurite) = Azurite::start().await else { return };
    azurite.make_container("json-blob-messages").await;
    // Twenty minutes ago, which a window of five minutes doesn't explain; and just now, which it does.
    hub.measure("0", 7, 1200);
    hub.measure("1", 2, 10);
    let mut settings = hub.settings();
    let mut reading = Reading::start(&settings, &data(hub.folder.path(), "data"), pace());
    reading.received(9).await;
    settings.storage_account = Some(ACCOUNT.to_owned());
    settings.blob_url = Some(format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port));
    settings.storage_sas = Some(signature(&hub, azurite.port));
    settings.containers = "json-blob-messages".to_owned();
    let memory = Some(reading.memory.clone());
    let watcher = AccountWatcher::open(&settings, memory, 300, Clock::wall()).expect("opens").expect("an account");
    let mut status = watcher.status();
    let running = tokio::spawn(watcher.run());
    let seen = tokio::time::timeout(PATIENCE, status.wait_for(|status| status.looked_at.is_some())).await;
    let seen = seen.expect("looked at in time").expect("it runs").containers["json-blob-messages"].clone();
    let gaps: Vec<_> = seen.gaps.expect("known").iter().map(|gap| gap.messages).collect();
    assert_eq!((seen.trouble, gaps), (None, vec![7]));
    running.abort();
}

/// A signature for the account, in a file; its reference.
fn signature(hub: &Hub, port: u16) -> String {
    let sas = Azurite::variables_with_sas(port, 48);
    let sas = &sas.iter().find(|(name, _)| name == "AZURE_STORAGE_SAS_TOKEN").expect("one").1;
    let file = hub.folder.path().join("storage.sas");
    std::fs::write(&file, sas).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("restricted");
    format!("file:{}", file.display())
}
