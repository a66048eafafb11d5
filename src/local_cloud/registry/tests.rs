//! The registry over restarts, and from an older one's file.

use super::*;
use serde_json::json;

async fn open(folder: &Path) -> Registry {
    Registry::open(&folder.join("devices.db")).await.expect("opens")
}

fn now() -> Timestamp {
    Timestamp::now()
}

#[tokio::test]
async fn a_device_keeps_its_keys_and_no_two_share_one() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let registry = open(folder.path()).await;
    assert!(registry.get("roof-01").await.expect("reads").is_none());
    let (a, b) = tokio::join!(registry.ensure("roof-01", now()), registry.ensure("roof-02", now()));
    let (a, b) = (a.expect("made"), b.expect("made"));
    let keys = |device: &DeviceIdentity| device.key_texts().expect("keys").map(|key| key.expose_secret().to_owned());
    let all: std::collections::BTreeSet<_> = [keys(&a), keys(&b)].concat().into_iter().collect();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|key| STANDARD.decode(key).expect("base64").len() == 32));
    assert_eq!(a.generation_id.len(), 18);
    drop(registry);
    let again = open(folder.path()).await.ensure("roof-01", now()).await.expect("reads");
    assert_eq!((keys(&again), &again.generation_id, &again.etag), (keys(&a), &a.generation_id, &a.etag));
}

#[tokio::test]
async fn devices_of_an_older_file_keep_id_generation_and_key() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("devices.db");
    let old = Database::open(&path, &schema::MIGRATIONS[..1]).expect("opens");
    old.write(|transaction| {
        transaction.execute(
            "INSERT INTO device VALUES ('roof-01', '012345678901234567', ?1, '2026-01-02T03:04:05Z')",
            [[7_u8; 32]],
        )
    })
    .await
    .expect("written");
    drop(old);
    let registry = Registry::open(&path).await.expect("opens");
    let device = registry.get("roof-01").await.expect("reads").expect("there");
    assert_eq!((device.generation_id.as_str(), device.is_enabled), ("012345678901234567", true));
    let [Some(primary), Some(secondary)] = device.authentication.keys() else { panic!("no keys") };
    assert_eq!(primary.expose_secret(), &[7; 32]);
    assert_eq!(secondary.expose_secret().len(), 32);
    let twin = registry.twin("roof-01").await.expect("reads").expect("there");
    assert_eq!(twin.desired.rest_json()["$metadata"]["$lastUpdated"], "2026-01-02T03:04:05Z");
    assert_eq!(twin.device_json(), json!({"desired": {"$version": 1}, "reported": {"$version": 1}}));
}

#[tokio::test]
async fn identities_are_made_changed_and_deleted_only_in_a_known_state() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let registry = open(folder.path()).await;
    let put = |body: Value, tag: Option<&str>| {
        let spec = DeviceSpec::from_rest("d", &body).expect("a device");
        registry.put("d", spec, tag.map(str::to_owned), now())
    };
    assert!(matches!(put(json!({}), Some("*")).await, Err(RegistryError::NotFound(_))));
    let first = put(json!({}), None).await.expect("made");
    assert!(matches!(put(json!({}), None).await, Err(RegistryError::AlreadyExists(_))));
    let second = put(json!({"status": "disabled"}), Some(&first.etag)).await.expect("changed");
    assert!(second.status_updated_at.is_some() && !second.is_enabled);
    let keys = |device: &DeviceIdentity| device.key_texts().map(|keys| keys[0].expose_secret().to_owned());
    assert_eq!(keys(&second), keys(&first), "nothing was said of keys");
    let stale = put(json!({}), Some(&first.etag)).await.expect_err("stale");
    assert!(matches!(stale, RegistryError::Changed(tag) if tag == second.etag));
    let signed =
        json!({"authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "a".repeat(40)}}});
    let third = put(signed, Some("*")).await.expect("changed");
    assert_eq!((third.authentication.kind(), keys(&third)), ("selfSigned", None));
    let fourth = put(json!({"authentication": {"type": "sas"}}), Some("*")).await.expect("changed");
    assert!(keys(&fourth).is_some_and(|key| Some(key) != keys(&first)), "new keys");
    assert!(matches!(registry.delete("d", Some("x".into())).await, Err(RegistryError::Changed(_))));
    registry.delete("d", Some(fourth.etag)).await.expect("deleted");
    assert!(matches!(registry.delete("d", None).await, Err(RegistryError::NotFound(_))));
    assert!(registry.twin("d").await.expect("reads").is_none(), "its twin is gone too");
    let error = registry.put("a/b", DeviceSpec::default(), None, now()).await.expect_err("no id");
    assert!(error.to_string().contains("a/b"), "{error}");
}

#[tokio::test]
async fn the_json_of_identities_and_twins_is_rests() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let registry = open(folder.path()).await;
    let at: Timestamp = "2026-03-04T05:06:07Z".parse().expect("a timestamp");
    let device = registry.ensure("d", at).await.expect("made");
    let [primary, secondary] = device.key_texts().expect("keys").map(|key| key.expose_secret().to_owned());
    let never = "0001-01-01T00:00:00Z";
    let mut expected = json!({
        "deviceId": "d", "generationId": device.generation_id, "etag": device.etag, "connectionState": "Disconnected",
        "status": "enabled", "statusReason": null, "connectionStateUpdatedTime": never, "statusUpdatedTime": never,
        "lastActivityTime": never, "cloudToDeviceMessageCount": 0,
        "authentication": {"type": "sas", "symmetricKey": {"primaryKey": primary, "secondaryKey": secondary},
            "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null}},
        "capabilities": {"iotEdge": false},
    });
    assert_eq!(device.rest_json(), expected);
    expected["authentication"]["symmetricKey"] = json!({"primaryKey": null, "secondaryKey": null});
    assert_eq!(device.public_json(), expected, "and none of the keys where they aren't wanted");
    assert!(!format!("{device:?}").contains(&primary), "nor in a log");

    let change = TwinChange::from_rest(&json!({"tags": {"t": 1}, "properties": {"desired": {"a": 1}}}), false);
    let (twin, told) = registry.change_twin("d", change.expect("a change"), None, at).await.expect("changed");
    let patch = json!({"a": 1}).as_object().expect("an object").clone();
    assert_eq!(told, Some(DesiredChange { patch, version: 2 }));
    let note = |version: u64| json!({"$lastUpdated": "2026-03-04T05:06:07Z", "$lastUpdatedVersion": version});
    let mut metadata = note(2);
    metadata["a"] = note(2);
    let expected = json!({
        "deviceId": "d", "etag": "AAAAAAAAAAI=", "deviceEtag": device.etag, "status": "enabled", "statusReason": null,
        "statusUpdateTime": never, "connectionState": "Disconnected", "lastActivityTime": never,
        "cloudToDeviceMessageCount": 0, "authenticationType": "sas",
        "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null}, "version": 2, "tags": {"t": 1},
        "properties": {"desired": {"a": 1, "$metadata": metadata, "$version": 2},
            "reported": {"$metadata": {"$lastUpdated": "2026-03-04T05:06:07Z"}, "$version": 1}},
        "capabilities": {"iotEdge": false},
    });
    assert_eq!(twin.rest_json(), expected);
}

#[tokio::test]
async fn messages_wait_over_a_restart_and_are_given_up_after_ten_deliveries() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let registry = open(folder.path()).await;
    registry.ensure("d", now()).await.expect("made");
    let message = DeviceBoundMessage {
        message_id: Some("m".into()),
        correlation_id: Some("c".into()),
        system: BTreeMap::from([("$.ct".into(), "text/plain".into())]),
        properties: BTreeMap::from([("a".into(), "b".into())]),
        body: vec![0, 1, 2],
        expires_at: Some(Timestamp::from_second(now().as_second() + 60).expect("in range")),
    };
    let seq = registry.push("d", message.clone(), now()).await.expect("queued");
    drop(registry);
    let registry = open(folder.path()).await;
    for count in 1..=MAX_DELIVERIES {
        let taken = registry.take("d", 1..=i64::MAX, now()).await.expect("reads").expect("there");
        assert_eq!(taken, Pending { seq, message: message.clone(), delivery_count: count });
    }
    assert_eq!(registry.take("d", 1..=i64::MAX, now()).await.expect("reads"), None);
    assert_eq!(registry.get("d").await.expect("reads").expect("there").device_bound, 0);
    registry.push("d", message, now()).await.expect("queued");
    registry.complete("d", seq + 1).await.expect("done");
    assert_eq!(registry.purge("d").await.expect("purged"), 0);
}
