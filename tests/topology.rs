//! What is applied is what runs: an owner runs while another process applies, changes and destroys its ground.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use skydeck::local_cloud::cloud::{Cloud, Resource};
use skydeck::owner::{self, Lamp, LogBuffer, OwnerClient, Snapshot, Stage, StageName};
use skydeck::settings::{EnvironmentName, Folders, Settings};

const PATIENCE: Duration = Duration::from_secs(90);
const HUB: &str = "azurerm_iothub";
const PIPE: &str = "snowflake_pipe";
const TABLE: &str = "snowflake_table";
/// Kind, condition, container, table, pipe.
const KINDS: [(&str, &str, &str, &str, &str); 3] = [
    (
        "measurements",
        "$body.type = 'WeatherMeasurement'",
        "json-blob-messages",
        "WEATHER_JSON_DEMO",
        "WEATHER_PIPE_DQ_DEMO",
    ),
    (
        "predictions",
        "$body.type = 'Prediction'",
        "json-blob-predictions",
        "WEATHER_PREDICTIONS_DEMO",
        "WEATHER_PIPE_PRED_DQ_DEMO",
    ),
    ("health", "$body.type = 'DeviceHealth'", "json-blob-health", "WEATHER_HEALTH_DEMO", "WEATHER_PIPE_HEALTH_DQ_DEMO"),
];

fn resource(kind: &str, id: &str, attributes: serde_json::Value) -> Resource {
    Resource { kind: kind.into(), id: id.into(), attributes }
}

fn endpoint(kind: &str, container: &str, window_s: u32) -> Resource {
    let attributes = json!({"name": kind, "iothub_id": "/hubs/demo-hub", "container_name": container,
        "encoding": "JSON", "batch_frequency_in_seconds": window_s, "max_chunk_size_in_bytes": 104_857_600,
        "file_name_format": "{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}"});
    resource("azurerm_iothub_endpoint_storage_container", kind, attributes)
}

fn pipe(kind: &str, table: &str, pipe: &str) -> Resource {
    let attributes = json!({"database": "W", "schema": "D", "name": pipe, "auto_ingest": true,
        "copy_statement": format!("COPY INTO W.D.{table} FROM (SELECT $1 FROM @W.D.STAGE_{kind})")});
    resource(PIPE, kind, attributes)
}

fn table(kind: &str, name: &str) -> Resource {
    resource(TABLE, kind, json!({"database": "W", "schema": "D", "name": name}))
}

fn hub() -> Resource {
    resource(HUB, "hub", json!({"name": "demo-hub"}))
}

fn ground() -> Vec<Resource> {
    let mut all = vec![
        hub(),
        resource("azurerm_storage_queue", "q", json!({"name": "q"})),
        resource("azurerm_eventgrid_system_topic", "t", json!({"name": "t"})),
        resource(
            "azurerm_eventgrid_system_topic_event_subscription",
            "s",
            json!({"name": "s", "system_topic": "t", "storage_queue_endpoint": [{"queue_name": "q"}]}),
        ),
    ];
    for (kind, condition, container, table_name, pipe_name) in KINDS {
        let route = json!({"name": kind, "iothub_name": "demo-hub", "source": "DeviceMessages", "enabled": true,
            "condition": condition, "endpoint_names": [kind]});
        let url = format!("azure://demo.blob.core.windows.net/{container}/");
        let stage =
            json!({"database": "W", "schema": "D", "name": format!("STAGE_{}", kind.to_uppercase()), "url": url});
        all.extend([
            resource("azurerm_storage_container", kind, json!({"name": container})),
            endpoint(kind, container, 60),
            resource("azurerm_iothub_route", kind, route),
            resource("snowflake_stage_external_azure", kind, stage),
            table(kind, table_name),
            pipe(kind, table_name, pipe_name),
        ]);
    }
    all
}

/// Half an hour of the series, which ends.
fn settings(root: &Path) -> Settings {
    let series = root.join("series.csv");
    let mut csv = "time_utc,temperature_c,humidity_pct,pressure_hpa,ghi_w_m2\n".to_owned();
    for minute in 0..MINUTES {
        csv += &format!("2016-06-01T{:02}:{:02}:00Z,{},60,958.0,0\n", minute / 60, minute % 60, 10 + minute % 5);
    }
    std::fs::write(&series, csv).expect("written");
    let mut settings = Settings::default();
    settings.source.path = Some(series);
    settings.source.speed = 100;
    settings.source.backlog_days = 0;
    settings.agent.max_backoff_s = 1;
    settings
}

/// Minutes of the series: some 18 s of the test at its speed.
const MINUTES: u64 = 30;

async fn wait_for(client: &OwnerClient, what: &str, condition: impl Fn(&Snapshot) -> bool) {
    let mut snapshots = client.snapshots();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| condition(snapshot))).await;
    if !matches!(waited, Ok(Ok(_))) {
        let now = client.snapshots().borrow().clone();
        panic!("not seen: {what}: {:?} {:?} {:?}", now.topology, now.stages, now.pipes);
    }
}

fn stage(snapshot: &Snapshot, name: StageName) -> Stage {
    snapshot.stages.iter().find(|stage| stage.name == name).expect("every stage is there").clone()
}

fn is_missing(snapshot: &Snapshot, name: StageName) -> bool {
    let stage = stage(snapshot, name);
    stage.lamp == Lamp::Unknown && stage.missing
}

fn rows(snapshot: &Snapshot) -> u64 {
    snapshot.pipes.iter().find(|pipe| pipe.container == KINDS[0].2).map_or(0, |pipe| pipe.rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_follows_what_is_applied_and_every_message_arrives_once() {
    let root = tempfile::tempdir().expect("temporary folder");
    let at = |name: &str| root.path().join(name);
    let folders = Folders { data: at("data"), runtime: at("run"), state: at("state") };
    let mut running =
        owner::start(EnvironmentName::demo(), settings(root.path()), folders, LogBuffer::new()).await.expect("starts");
    running.ready().await.expect("runs");
    let client = running.client();
    wait_for(&client, "the built-in ground", |s| {
        !s.topology.applied && stage(s, StageName::Route).headline == "300 s batch"
    })
    .await;

    let cloud = Cloud::open(&at("data").join("cloud")).expect("opens beside the owner");
    for resource in ground() {
        cloud.put(resource).await.expect("put");
    }
    cloud.adopt().await.expect("adopted");
    wait_for(&client, "the applied ground", |s| {
        s.topology.applied
            && s.topology.faults.is_empty()
            && s.topology.hub.as_deref() == Some("demo-hub")
            && stage(s, StageName::Route).headline == "60 s batch"
    })
    .await;
    wait_for(&client, "rows by batches of a minute", |s| rows(s) >= 2).await;

    // The pipe goes and comes back, and the hub after it.
    let (kind, _, container, table_name, pipe_name) = KINDS[0];
    cloud.delete(PIPE, kind).await.expect("destroyed");
    wait_for(&client, "two pipes and waiting notices", |s| s.pipes.len() == 2 && s.notices.depth > 0).await;
    cloud.put(pipe(kind, table_name, pipe_name)).await.expect("applied");
    wait_for(&client, "the queue drained", |s| s.pipes.len() == 3 && s.notices.depth == 0 && rows(s) > 3).await;
    cloud.delete(HUB, "hub").await.expect("destroyed");
    wait_for(&client, "no hub, and the outbox keeps", |s| {
        is_missing(s, StageName::Hub) && is_missing(s, StageName::Route) && s.devices[0].outbox_rows > 0
    })
    .await;
    assert!(!client.snapshots().borrow().devices[0].connected);
    cloud.put(hub()).await.expect("applied");
    cloud.put(endpoint(kind, container, 90)).await.expect("applied");
    wait_for(&client, "the outbox drained", |s| {
        !is_missing(s, StageName::Hub) && s.devices[0].outbox_rows == 0 && s.devices[0].connected
    })
    .await;
    wait_for(&client, "two windows", |s| stage(s, StageName::Route).headline == "60–90 s batch").await;

    wait_for(&client, "every row", |s| rows(s) == MINUTES).await;
    let duplicates: u64 = client.snapshots().borrow().pipes.iter().map(|pipe| pipe.duplicates).sum();
    assert_eq!(duplicates, 0);

    // Without its queue the subscription announces nothing.
    wait_for(&client, "no batch open", |s| stage(s, StageName::Route).detail == "no batch open").await;
    assert!(!is_missing(&client.snapshots().borrow(), StageName::Event));
    cloud.delete("azurerm_storage_queue", "q").await.expect("destroyed");
    wait_for(&client, "nothing announced", |s| is_missing(s, StageName::Event)).await;
    cloud.put(resource("azurerm_storage_queue", "q", json!({"name": "q"}))).await.expect("applied");
    wait_for(&client, "announced again", |s| !is_missing(s, StageName::Event)).await;
    // A destroyed table: its rows are in the trash, and its pipe says what it needs.
    cloud.delete(TABLE, kind).await.expect("destroyed");
    wait_for(&client, "the pipe stopped", |s| s.pipes.iter().any(|pipe| pipe.state == "STOPPED_MISSING_TABLE")).await;
    let trash: Vec<_> = std::fs::read_dir(at("data").join("trash")).expect("there").flatten().collect();
    let name = trash[0].file_name().into_string().expect("text");
    assert!(trash.len() == 1 && name.starts_with("WEATHER_JSON_DEMO-") && name.ends_with(".db"), "{name}");
    // What can't be followed is said.
    let wrong = json!({"name": "odd", "iothub_name": "demo-hub", "enabled": true, "condition": "$twin.x = 1",
        "endpoint_names": ["health"], "source": "DeviceMessages"});
    cloud.put(resource("azurerm_iothub_route", "odd", wrong)).await.expect("applied");
    wait_for(&client, "the fault", |s| {
        stage(s, StageName::Route).last_error.is_some_and(|error| error.contains("azurerm_iothub_route odd"))
    })
    .await;
    running.shutdown().await;
}
