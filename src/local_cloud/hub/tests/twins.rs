//! Twins: what a device asks and reports, and what it is told.

use super::*;

const ANSWERS: &str = "$iothub/twin/res/#";
const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";
const GET: &str = "$iothub/twin/GET/?$rid=g";
const REPORT: &str = "$iothub/twin/PATCH/properties/reported/?$rid=r";

#[tokio::test]
async fn a_device_reads_its_twin_reports_and_is_told_of_changes() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    device.subscribe(&[ANSWERS, DESIRED]).await;
    let empty = json!({"desired": {"$version": 1}, "reported": {"$version": 1}});
    assert_eq!(device.ask(GET, "").await, ("$iothub/twin/res/200/?$rid=g".into(), empty));

    let reported = r#"{"model": {"id": "a", "old": true}, "gone": 1}"#;
    assert_eq!(device.ask(REPORT, reported).await.0, "$iothub/twin/res/204/?$rid=r&$version=2");
    let (topic, body) = device.ask(REPORT, r#"{"model": {"old": null}, "gone": null}"#).await;
    assert_eq!((topic.as_str(), body), ("$iothub/twin/res/204/?$rid=r&$version=3", Value::Null));

    let patch = json!({"tags": {"site": "roof"}, "properties": {"desired": {"everyS": 5, "log": {"level": "info"}}}});
    let twin = house.hub.patch_twin("roof-01", &patch, None).await.expect("changed");
    assert_eq!((twin.version, twin.desired.version, twin.reported.version), (4, 2, 3));
    let told = device.message().await;
    assert_eq!((&*told.topic, told.qos), ("$iothub/twin/PATCH/properties/desired/?$version=2", QoS::AtMostOnce));
    let body: Value = serde_json::from_slice(&told.payload).expect("JSON");
    assert_eq!(body, json!({"everyS": 5, "log": {"level": "info"}, "$version": 2}));

    let (_, body) = device.ask(GET, "").await;
    let expected = json!({
        "desired": {"everyS": 5, "log": {"level": "info"}, "$version": 2},
        "reported": {"model": {"id": "a"}, "$version": 3},
    });
    assert_eq!(body, expected);

    // Replaced as a whole: the device is told what has gone.
    let whole = json!({"properties": {"desired": {"everyS": 9, "log": {}, "$version": 7, "$metadata": {}}}});
    let twin = house.hub.replace_twin("roof-01", &whole, Some(twin.etag)).await.expect("changed");
    assert_eq!(Value::from(twin.desired.properties), json!({"everyS": 9, "log": {}}));
    assert_eq!(twin.tags["site"], "roof", "sections that aren't given stay");
    let body: Value = serde_json::from_slice(&device.message().await.payload).expect("JSON");
    assert_eq!(body, json!({"everyS": 9, "log": {"level": null}, "$version": 3}));
}

#[tokio::test]
async fn a_report_that_cannot_be_kept_is_answered_with_400_and_changes_nothing() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    device.subscribe(&[ANSWERS]).await;
    let large = json!({"a": vec!["x".repeat(4096); 8], "b": "x"}).to_string();
    for (body, word) in
        [("{", "not JSON"), ("[1]", "object"), (r#"{"a.b": 1}"#, "a.b"), (&large, "32768"), ("\u{1}", "not JSON")]
    {
        let (topic, answer) = device.ask(REPORT, body).await;
        assert_eq!(topic, "$iothub/twin/res/400/?$rid=r", "{body}");
        assert!(answer["message"].as_str().expect("words").contains(word), "{answer}");
    }
    let most = json!({"a": vec!["x".repeat(4095); 8]}).to_string();
    assert_eq!(device.ask(REPORT, &most).await.0, "$iothub/twin/res/204/?$rid=r&$version=2");
    let twin = house.hub.twin("roof-01").await.expect("read");
    assert_eq!(twin.reported.properties.len(), 1);
}

#[tokio::test]
async fn who_has_not_subscribed_is_told_nothing_and_acknowledged_all_the_same() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    device.send(publish(GET, QoS::AtLeastOnce, 7, "")).await;
    assert_eq!(device.next().await, Some(ack(7)));
    let patch = json!({"properties": {"desired": {"a": 1}}});
    house.hub.patch_twin("roof-01", &patch, None).await.expect("changed");
    assert!(device.is_served().await);
    device.subscribe(&[ANSWERS]).await;
    device.send(Packet::Unsubscribe { packet_id: NonZeroU16::MIN, topic_filters: vec![ANSWERS.into()] }).await;
    assert_eq!(device.next().await, Some(Packet::UnsubscribeAck { packet_id: NonZeroU16::MIN }));
    device.send(publish(GET, QoS::AtMostOnce, 0, "")).await;
    assert!(device.is_served().await);
}

#[tokio::test]
async fn changes_of_an_operator_have_their_rules() {
    let house = House::open().await;
    house.hub.ensure_device("roof-01").await.expect("a device");
    let desired = |value: Value| json!({"properties": {"desired": value}});
    let patch = |body: Value, tag: Option<&str>| {
        let (hub, tag) = (house.hub.clone(), tag.map(str::to_owned));
        async move { hub.patch_twin("roof-01", &body, tag).await }
    };
    let first = patch(desired(json!({"a": 1})), Some("*")).await.expect("changed");
    let stale = patch(desired(json!({"a": 2})), Some("\"AAAAAAAAAAE=\"")).await.expect_err("stale");
    assert!(matches!(&stale, RegistryError::Changed(tag) if *tag == first.etag), "{stale}");
    let quoted = format!("\"{}\"", first.etag);
    patch(desired(json!({"a": 3})), Some(&quoted)).await.expect("changed");
    for (body, word) in [
        (json!([]), "object"),
        (json!({"tags": 1}), "tags"),
        (desired(json!(1)), "desired"),
        (desired(json!({"a b": 1})), "a b"),
        (json!({"tags": {"a": "x".repeat(4096), "b": "x".repeat(4096)}}), "8192"),
    ] {
        let error = patch(body, None).await.expect_err("refused").to_string();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(house.hub.twin("roof-01").await.expect("read").desired.version, 3);
    let unknown = house.hub.patch_twin("roof-09", &json!({}), None).await.expect_err("unknown");
    assert!(matches!(unknown, RegistryError::NotFound(_)));
}
