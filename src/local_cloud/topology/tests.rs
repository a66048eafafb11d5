//! Resources as the module makes them, and everything that can be wrong with them.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ingestion::routing::UNROUTED;
use crate::ingestion::topology::{MESSAGE_CONTAINERS, Part};
use crate::local_cloud::cloud::Resource;

const SCOPE: &str = "/subscriptions/s/resourceGroups/skydeck-demo-rg/providers";

fn made() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn resource(kind: &str, id: &str, attributes: Value) -> (Resource, Timestamp) {
    (Resource { kind: kind.into(), id: id.into(), attributes }, made())
}

/// What the module makes in demo, as far as the pipeline runs on it. Attributes that aren't set are null.
fn module() -> Vec<(Resource, Timestamp)> {
    let hub = format!("{SCOPE}/Microsoft.Devices/iotHubs/skydeck-demo-hub");
    let account = format!("{SCOPE}/Microsoft.Storage/storageAccounts/skydeckdemodata");
    let mut all = vec![
        resource(
            "azurerm_iothub",
            &hub,
            json!({"name": "skydeck-demo-hub", "endpoint": [], "route": [], "fallback_route": [],
            "file_upload": [{"container_name": "pictures", "sas_ttl": "PT1H"}],
            "sku": [{"name": "S1", "capacity": 1}], "tags": {"environment": "demo"}}),
        ),
        resource(
            "azurerm_iothub_fallback_route",
            &hub,
            json!({"iothub_name": "skydeck-demo-hub", "condition": "true",
            "endpoint_names": ["events"], "enabled": true, "source": "DeviceMessages"}),
        ),
        resource(
            "azurerm_iothub_route",
            "live",
            json!({"name": "live", "iothub_name": "skydeck-demo-hub",
            "condition": "true", "endpoint_names": ["events"], "enabled": true, "source": "DeviceMessages"}),
        ),
        resource("azurerm_storage_queue", "q", json!({"name": "snowpipe-event-sub", "storage_account_id": account})),
        resource(
            "azurerm_storage_container",
            "u",
            json!({"name": "undelivered-notices", "storage_account_id": account}),
        ),
        resource("azurerm_storage_container", "p", json!({"name": "pictures", "storage_account_id": "/another"})),
        resource(
            "azurerm_eventgrid_system_topic",
            "t",
            json!({"name": "skydeck-demo-blobs",
            "source_resource_id": account, "source_arm_resource_id": null, "topic_type": "Microsoft.Storage.StorageAccounts"}),
        ),
        resource(
            "azurerm_eventgrid_system_topic_event_subscription",
            "s",
            json!({
            "name": "snowpipe-event-sub", "system_topic": "skydeck-demo-blobs",
            "included_event_types": ["Microsoft.Storage.BlobCreated"],
            "storage_queue_endpoint": [{"queue_name": "snowpipe-event-sub", "storage_account_id": account}],
            "subject_filter": [{"subject_begins_with": "/blobServices/default/containers/json-blob-",
                "subject_ends_with": null, "case_sensitive": true}],
            "advanced_filter": [{"bool_equals": [], "number_in": [], "string_contains": [], "string_begins_with": [
                {"key": "subject", "values": MESSAGE_CONTAINERS.map(|name| format!("/blobServices/default/containers/{name}/blobs/"))}]}]}),
        ),
    ];
    let kinds = [
        ("measurements", "$body.type = 'WeatherMeasurement'", "JSON", "DQ", ""),
        ("predictions", "$body.type = 'Prediction'", "PREDICTIONS", "PRED_DQ", "PRED_"),
        ("health", "$body.type = 'DeviceHealth' OR $body.type = 'PictureTaken'", "HEALTH", "HEALTH_DQ", "HEALTH_"),
    ];
    for (container, (name, condition, table, pipe, stage)) in MESSAGE_CONTAINERS.into_iter().zip(kinds) {
        let lies_in = |name: String, more: Value| {
            let mut attributes = json!({"database": "WEATHER_DEMO", "schema": "DATAWAREHOUSE_DEMO", "name": name});
            attributes.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            attributes
        };
        all.extend([
            resource("azurerm_storage_container", name, json!({"name": container, "storage_account_id": account})),
            resource("azurerm_iothub_endpoint_storage_container", name, json!({"name": name, "iothub_id": hub,
                "container_name": container, "batch_frequency_in_seconds": 60, "max_chunk_size_in_bytes": 104_857_600,
                "encoding": "JSON", "file_name_format": "{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}"})),
            resource("azurerm_iothub_route", name, json!({"name": name, "iothub_name": "skydeck-demo-hub",
                "condition": condition, "endpoint_names": [name], "enabled": true, "source": "DeviceMessages"})),
            resource("snowflake_table", name, lies_in(format!("WEATHER_{table}_DEMO"), json!({}))),
            resource("snowflake_stage_external_azure", name, lies_in(format!("SNOWPIPE_STAGE_{stage}DEMO"),
                json!({"url": format!("azure://skydeckdemodata.blob.core.windows.net/{container}/")}))),
            resource("snowflake_pipe", name, lies_in(format!("WEATHER_PIPE_{pipe}_DEMO"), json!({"auto_ingest": true,
                "copy_statement": format!("COPY INTO \"WEATHER_DEMO\".\"DATAWAREHOUSE_DEMO\".\"WEATHER_{table}_DEMO\" FROM (\n  SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$START_SCAN_TIME\n  FROM @\"WEATHER_DEMO\".\"DATAWAREHOUSE_DEMO\".\"SNOWPIPE_STAGE_{stage}DEMO\"\n)")}))),
        ]);
    }
    all
}

/// The module's resources with the first of a kind whose name holds `name` changed, or left out by `null`.
fn with(kind: &str, name: &str, attribute: &str, value: Value) -> Vec<(Resource, Timestamp)> {
    let mut all = module();
    let is_it = |resource: &Resource| resource.kind == kind && resource.text("name").contains(name);
    let place = all.iter().position(|(resource, _)| is_it(resource)).expect("a resource of the module");
    if attribute.is_empty() {
        all.remove(place);
    } else {
        all[place].0.attributes[attribute] = value;
    }
    all
}

fn without(kind: &str, name: &str) -> Topology {
    read(&with(kind, name, "", Value::Null))
}

#[test]
fn the_modules_resources_are_the_built_in_topology() {
    let topology = read(&module());
    assert_eq!(topology.faults, []);
    let expected = Topology::built_in("demo", "skydeck-demo-hub", SignedDuration::from_secs(60), 100 << 20);
    let (hub, wanted) = (topology.hub.clone().expect("a hub"), expected.hub.expect("a hub"));
    assert_eq!((&hub.name, hub.fallback.as_deref()), (&wanted.name, None));
    for endpoint in &wanted.endpoints {
        assert!(hub.endpoints.contains(endpoint), "{endpoint:?}");
    }
    for kind in ["WeatherMeasurement", "Prediction", "DeviceHealth", "PictureTaken"] {
        assert_eq!(
            topology.containers_for(Some(kind)),
            Topology::built_in("demo", "h", SignedDuration::ZERO, 0).containers_for(Some(kind))
        );
    }
    assert_eq!(topology.containers_for(Some("Nonsense")), [UNROUTED]);
    for (pipe, wanted) in topology.pipes.iter().zip(&expected.pipes) {
        assert_eq!(*pipe, crate::ingestion::topology::PipeTopology { made: Some(made()), ..wanted.clone() });
    }
    assert!(expected.tables.keys().eq(topology.tables.keys()));
    let announced = topology.announcement.clone().expect("announced");
    assert_eq!(announced.queue, "snowpipe-event-sub");
    assert!(announced.containers.iter().map(String::as_str).eq([
        "json-blob-health",
        "json-blob-messages",
        "json-blob-predictions"
    ]));
    assert!(topology.has_container("pictures") && !topology.announces("pictures"));
    assert_eq!(topology.upload_container(), Some("pictures"));
    assert_eq!(without("azurerm_storage_container", "pictures").upload_container(), None);
    assert_eq!(topology.windows(), Some((SignedDuration::from_secs(60), SignedDuration::from_secs(60))));
}

#[test]
fn what_is_left_out_of_the_resources_is_left_out_of_the_pipeline() {
    assert!(without("azurerm_iothub", "").hub.is_none());
    assert!(without("azurerm_eventgrid_system_topic", "").announcement.is_none());
    assert!(without("azurerm_eventgrid_system_topic_event_subscription", "").announcement.is_none());
    assert!(without("azurerm_storage_queue", "").announcement.is_none());
    assert_eq!(without("azurerm_iothub_route", "health").containers_for(Some("DeviceHealth")), [UNROUTED]);
    assert!(!without("azurerm_storage_container", "messages").announces("json-blob-messages"));
    let topology = without("snowflake_table", "JSON");
    assert!(topology.pipe_of("json-blob-messages").is_some_and(|pipe| !topology.tables.contains_key(&pipe.full_table)));
    assert!(without("snowflake_pipe", "PRED").pipe_of("json-blob-predictions").is_none());
    let topology = without("snowflake_stage_external_azure", "HEALTH");
    assert!(topology.pipe_of("json-blob-health").is_none());
    assert!(
        topology.faults[0].to_string().contains("SNOWPIPE_STAGE_HEALTH_DEMO isn't there; apply it"),
        "{:?}",
        topology.faults
    );
    assert!(read(&[]).faults.is_empty());
}

#[test]
fn what_cannot_be_followed_is_left_out_with_a_fault() {
    let endpoint = "azurerm_iothub_endpoint_storage_container";
    for (kind, name, attribute, value, part, words) in [
        ("azurerm_iothub", "", "name", json!("../x"), Part::Hub, "name it so"),
        (endpoint, "health", "encoding", Value::Null, Part::Route, "encoding Avro"),
        (endpoint, "health", "batch_frequency_in_seconds", json!(30), Part::Route, "from 60 to 720"),
        (endpoint, "health", "batch_frequency_in_seconds", json!("60"), Part::Route, "from 60 to 720"),
        (endpoint, "health", "max_chunk_size_in_bytes", json!(1e30), Part::Route, "from 10485760"),
        (endpoint, "health", "container_name", json!("../up"), Part::Route, "names no container"),
        (
            endpoint,
            "health",
            "file_name_format",
            json!("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}"),
            Part::Route,
            "{mm} has to be in it once",
        ),
        (
            endpoint,
            "health",
            "file_name_format",
            json!("../{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}{mm}"),
            Part::Route,
            "only dots",
        ),
        (
            endpoint,
            "health",
            "file_name_format",
            json!("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}#{mm}"),
            Part::Route,
            "letters, digits",
        ),
        ("azurerm_iothub_route", "health", "condition", json!("$body.t > 3\u{1b}[2J"), Part::Route, "expected `true`"),
        ("azurerm_iothub_route", "health", "endpoint_names", json!(["nowhere"]), Part::Route, "nowhere isn't there"),
        ("azurerm_storage_container", "health", "name", json!("UP"), Part::Route, "lower-case"),
        (
            "azurerm_eventgrid_system_topic_event_subscription",
            "",
            "advanced_filter",
            json!([{"number_in": [{"key": "data.contentLength", "values": [1]}]}]),
            Part::Event,
            "number_in on \"data.contentLength\"",
        ),
        ("snowflake_pipe", "HEALTH", "auto_ingest", json!(false), Part::Pipe, "auto_ingest is off"),
        ("snowflake_pipe", "HEALTH", "copy_statement", json!("INSERT INTO x"), Part::Pipe, "COPY INTO"),
        ("snowflake_stage_external_azure", "HEALTH", "url", json!("s3://b/"), Part::Pipe, "name a whole container"),
        (
            "snowflake_stage_external_azure",
            "HEALTH",
            "url",
            json!("azure://a.blob.core.windows.net/pictures/"),
            Part::Pipe,
            "no messages are kept",
        ),
        (
            "snowflake_stage_external_azure",
            "HEALTH",
            "url",
            json!("azure://a.blob.core.windows.net/json-blob-messages/"),
            Part::Pipe,
            "loads from",
        ),
    ] {
        let topology = read(&with(kind, name, attribute, value.clone()));
        let fault = topology.faults.iter().find(|fault| fault.to_string().contains(words));
        let fault = fault.unwrap_or_else(|| panic!("{kind} {attribute} {value}: {:?}", topology.faults));
        assert_eq!(fault.part, part);
        assert!(fault.to_string().contains(';') && !fault.to_string().contains('\u{1b}'), "{fault}");
    }
}

#[test]
fn filters_take_and_leave_containers() {
    let subscription = "azurerm_eventgrid_system_topic_event_subscription";
    let announces =
        |attribute: &str, value: Value| read(&with(subscription, "", attribute, value)).announces("json-blob-messages");
    for (attribute, value) in [
        ("included_event_types", Value::Null),
        ("subject_filter", json!([])),
        ("advanced_filter", json!([{"string_contains": [{"key": "Subject", "values": ["JSON-BLOB-M", "x"]}]}])),
        ("advanced_filter", json!([{"string_in": [{"key": "data.api", "values": ["CopyBlob", "PutBlob"]}]}])),
        (
            "advanced_filter",
            json!([{"string_begins_with": [{"key": "subject",
            "values": ["/blobServices/default/containers/json-blob-messages/blobs/skydeck-demo-hub/0/"]}]}]),
        ),
    ] {
        assert!(announces(attribute, value.clone()), "{attribute} {value}");
    }
    for (attribute, value) in [
        ("included_event_types", json!(["Microsoft.Storage.BlobDeleted"])),
        (
            "subject_filter",
            json!([{"subject_begins_with": "/blobServices/default/containers/JSON", "case_sensitive": true}]),
        ),
        ("subject_filter", json!([{"subject_ends_with": ".avro"}])),
        ("advanced_filter", json!([{"string_not_contains": [{"key": "subject", "values": ["messages"]}]}])),
        ("advanced_filter", json!([{"string_in": [{"key": "subject", "values": ["json-blob-messages"]}]}])),
        ("system_topic", json!("another")),
        ("storage_queue_endpoint", json!([])),
    ] {
        assert!(!announces(attribute, value.clone()), "{attribute} {value}");
    }
}

#[test]
fn what_the_hub_itself_names_counts_where_no_resource_of_its_own_does() {
    let mut all = with("azurerm_iothub_route", "health", "", Value::Null);
    all.retain(|(resource, _)| {
        !(resource.kind.ends_with("endpoint_storage_container") && resource.text("name") == "health")
    });
    let (hub, _) = all.iter_mut().find(|(resource, _)| resource.kind == "azurerm_iothub").expect("a hub");
    hub.attributes["endpoint"] = json!([
        {"type": "AzureIotHub.StorageContainer", "name": "health", "container_name": "json-blob-health", "encoding": "JSON",
         "batch_frequency_in_seconds": 120, "max_chunk_size_in_bytes": null,
         "file_name_format": "{mm}{HH}{DD}{MM}{YYYY}/{partition}_{iothub}"},
        {"type": "AzureIotHub.EventHub", "name": "elsewhere"},
        {"type": "AzureIotHub.StorageContainer", "name": "measurements", "container_name": "pictures", "encoding": "JSON"},
    ]);
    hub.attributes["route"] = json!([
        {"name": "health", "source": "DeviceMessages", "condition": "$body.type = 'DeviceHealth'", "endpoint_names": ["Health"], "enabled": true},
        {"name": "off", "source": "DeviceMessages", "condition": "true", "endpoint_names": ["health"], "enabled": false},
        {"name": "twins", "source": "TwinChangeEvents", "condition": "true", "endpoint_names": ["health"], "enabled": true},
    ]);
    let topology = read(&all);
    assert_eq!(topology.faults, []);
    assert_eq!(topology.containers_for(Some("DeviceHealth")), ["json-blob-health"]);
    assert_eq!(topology.containers_for(Some("PictureTaken")), [UNROUTED]);
    assert_eq!(topology.containers_for(Some("WeatherMeasurement")), ["json-blob-messages"]);
    let health = topology.endpoint_of("json-blob-health").expect("an endpoint");
    assert_eq!((health.window, health.max_bytes), (SignedDuration::from_secs(120), 300 << 20));
}

#[tokio::test]
async fn the_built_in_runs_until_an_apply_has_ended_and_then_what_is_applied_as_it_changes() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let built_in = Topology::built_in("demo", "skydeck-hub", SignedDuration::from_secs(300), 1024);
    let cloud = Cloud::open(folder.path()).expect("opens");
    let (follower, mut ground) = follow(cloud, folder.path(), built_in.clone()).await.expect("followed");
    assert_eq!(*ground.now(), built_in);
    let following = tokio::spawn(follower.run());
    // Another process applies.
    let other = Cloud::open(folder.path()).expect("opens beside it");
    for (resource, _) in module() {
        other.put(resource).await.expect("put");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!ground.now().applied, "an apply that has not ended changes nothing");
    other.adopt().await.expect("adopted");
    let soon = Duration::from_secs(10);
    tokio::time::timeout(soon, ground.changed()).await.expect("noticed");
    let first = ground.now();
    assert!(first.applied && first.faults.is_empty());
    // The same again is no change; a table made anew is one.
    let (table, _) = module().into_iter().find(|(resource, _)| resource.kind == "snowflake_table").expect("a table");
    other.put(table.clone()).await.expect("put");
    tokio::time::timeout(Duration::from_millis(300), ground.changed()).await.expect_err("nothing new");
    other.delete(&table.kind, &table.id).await.expect("deleted");
    other.put(table).await.expect("put");
    tokio::time::timeout(soon, ground.changed()).await.expect("noticed");
    assert!(ground.now().tables.keys().eq(first.tables.keys()) && ground.now().tables != first.tables);
    following.abort();
}

/// Any JSON, with attribute names and texts that mean something here.
fn any_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("true".to_owned()),
        Just("health".to_owned()),
        Just("JSON".to_owned()),
        Just("events".to_owned()),
        Just("json-blob-health".to_owned()),
        Just("azure://a.b/json-blob-health/".to_owned()),
        ".{0,40}",
        "COPY INTO [a-z.\"]{0,8} (\\([a-z,]*\\) )?FROM (\\(SELECT .{0,9} FROM )?@[a-z.\"/%]{0,9}.{0,9}",
        "(\\{iothub\\}|\\{mm\\}|\\{YYYY\\}|\\{MM\\}|\\{DD\\}|\\{HH\\}|\\{partition\\}|/|\\.){0,9}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(
                (
                    prop::sample::select(vec![
                        "name",
                        "key",
                        "values",
                        "type",
                        "queue_name",
                        "string_in",
                        "subject_begins_with",
                        "endpoint_names",
                        "container_name",
                        "encoding",
                        "condition"
                    ]),
                    inner
                ),
                0..4
            )
            .prop_map(|fields| Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_resources_are_read_without_a_panic(changes in prop::collection::vec((0_usize..40, 0_usize..30, any_value()), 0..12)) {
        let mut all = module();
        for (place, attribute, value) in changes {
            let count = all.len();
            let Some(object) = all[place % count].0.attributes.as_object_mut() else { continue };
            let Some(key) = object.keys().nth(attribute % object.len().max(1)).cloned() else { continue };
            object.insert(key, value);
        }
        let topology = read(&all);
        for fault in &topology.faults {
            prop_assert!(!fault.to_string().chars().any(char::is_control));
        }
        for endpoint in topology.hub.iter().flat_map(|hub| &hub.endpoints) {
            prop_assert!(!endpoint.file_name_format.split('/').any(|part| part.is_empty() || part == ".."));
        }
    }
}
