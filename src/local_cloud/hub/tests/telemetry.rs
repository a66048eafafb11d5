//! Telemetry, and who may send it.

use super::*;

#[tokio::test]
async fn a_message_is_in_the_log_as_iot_hub_describes_it_when_its_puback_comes() {
    let house = House::open().await;
    let mut arrivals = house.log.arrivals();
    let mut device = house.device("roof-01").await;
    let topic = "devices/roof-01/messages/events/$.mid=m-1&$.ct=application%2Fjson&$.ce=utf-8&$.cid=c&type=X";
    let mut message = publish(topic, QoS::AtLeastOnce, 7, r#"{"a":1}"#);
    message.retain = true;
    device.send(message).await;
    assert_eq!(device.next().await, Some(ack(7)));
    assert_eq!(house.logged(), 1);
    let EnqueuedMessage { device_id, message_id, properties, system_properties, body, .. } =
        (*arrivals.recv().await.expect("arrives")).clone();
    assert_eq!(
        (device_id.as_str(), message_id.as_deref(), body.as_slice()),
        ("roof-01", Some("m-1"), br#"{"a":1}"#.as_slice())
    );
    assert_eq!(properties, BTreeMap::from([("mqtt-retain".into(), "true".into()), ("type".into(), "X".into())]));
    let generation = &system_properties["connectionDeviceGenerationId"];
    assert_eq!(generation.len(), 18);
    let expected = [
        ("connectionAuthMethod", r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#),
        ("connectionDeviceGenerationId", generation),
        ("connectionDeviceId", "roof-01"),
        ("correlationId", "c"),
    ];
    assert_eq!(system_properties, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    house.ledger.stamp(crate::clock::ledger::Hop::Batched, ["m-1"]);
    assert!(house.ledger.latency("m-1", crate::clock::ledger::Hop::Batched).is_some(), "stamped as enqueued");
    let status = house.status(|status| status.received == 1).await;
    assert!(status.connected.contains("roof-01") && status.last_seen.contains_key("roof-01"));
    device.send(Packet::Disconnect).await;
    assert_eq!(device.next().await, None);
    let status = house.status(|status| status.connected.is_empty()).await;
    assert_eq!((status.refused, status.last_error), (0, None));
}

#[tokio::test]
async fn answers_come_in_order_and_qos_0_has_none() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    let topic = "devices/roof-01/messages/events/";
    device.send(publish(topic, QoS::AtMostOnce, 0, "zero")).await;
    for id in 1..=200 {
        device.send(publish(topic, QoS::AtLeastOnce, id, vec![b'x'; 100])).await;
    }
    device.send(Packet::PingRequest).await;
    for id in 1..=200 {
        assert_eq!(device.next().await, Some(ack(id)));
    }
    assert_eq!(device.next().await, Some(Packet::PingResponse));
    assert_eq!(house.logged(), 201);
    let connection = rusqlite::Connection::open(house.folder.path().join("hub.db")).expect("opens");
    let first: Vec<u8> =
        connection.query_row("SELECT body FROM enqueued ORDER BY seq LIMIT 1", [], |row| row.get(0)).expect("reads");
    assert_eq!(first, b"zero");
}

#[tokio::test]
async fn wrong_credentials_are_told_apart() {
    use ConnectAckReason::{BadUserNameOrPassword, IdentifierRejected, NotAuthorized};
    let house = House::open().await;
    let good = house.credentials("roof-01", 60).await;
    let other = house.credentials("roof-02", 60).await;
    let changed = |change: &dyn Fn(&mut Connect)| {
        let mut connect = good.clone();
        change(&mut connect);
        connect
    };
    let name = |name: &'static str| changed(&|connect| connect.username = Some(name.into()));
    for (what, connect, expected) in [
        ("a wrong key", connect("roof-01", b"another key", 60), NotAuthorized),
        ("an expired token", house.credentials("roof-01", -5).await, NotAuthorized),
        ("an unknown device", connect("roof-99", b"key", 60), NotAuthorized),
        ("another device's token", changed(&|c| c.password = other.password.clone()), NotAuthorized),
        ("no user name", changed(&|c| c.username = None), BadUserNameOrPassword),
        ("another host", name("elsewhere/roof-01/?api-version=2021-04-12"), BadUserNameOrPassword),
        ("another device", name("skydeck-hub.local/roof-02/?api-version=2021-04-12"), BadUserNameOrPassword),
        ("no version", name("skydeck-hub.local/roof-01"), BadUserNameOrPassword),
        ("no password", changed(&|c| c.password = None), BadUserNameOrPassword),
        ("rubbish", changed(&|c| c.password = Some(Bytes::from_static(b"\xff\xfe"))), BadUserNameOrPassword),
        ("no client id", changed(&|c| c.client_id = "".into()), IdentifierRejected),
    ] {
        assert_eq!(house.answer(connect).await, Some(expected), "{what}");
    }
    let status = house.status(|status| status.refused == 11).await;
    assert!(status.last_error.is_some());
    assert_eq!(house.answer(good).await, Some(ConnectAckReason::ConnectionAccepted));
}

#[tokio::test]
async fn a_broken_rule_ends_the_connection_and_is_counted() {
    let house = House::open().await;
    let own = "devices/roof-01/messages/events/";
    let too_large = publish(own, QoS::AtLeastOnce, 1, vec![b'x'; 256 * 1024 + 1]);
    let far_too_large = publish(own, QoS::AtLeastOnce, 1, vec![b'x'; 1024 * 1024]);
    let wrong: [(&str, Packet); 8] = [
        ("another's topic", publish("devices/roof-02/messages/events/", QoS::AtLeastOnce, 1, "x").into()),
        ("no topic of a device", publish("anything", QoS::AtLeastOnce, 1, "x").into()),
        ("QoS 2", publish(own, QoS::ExactlyOnce, 1, "x").into()),
        ("262,145 bytes", too_large.into()),
        ("a megabyte", far_too_large.into()),
        ("a property that isn't UTF-8", publish(&format!("{own}a=%ff"), QoS::AtLeastOnce, 1, "x").into()),
        ("a server's packet", Packet::PingResponse),
        ("a second CONNECT", connect("roof-01", b"key", 60).into()),
    ];
    for (count, (what, packet)) in (1..).zip(wrong) {
        let mut device = house.device("roof-01").await;
        device.send(publish(own, QoS::AtLeastOnce, 9, "a good one before")).await;
        device.send(packet).await;
        assert_eq!(device.next().await, Some(ack(9)), "{what}");
        assert_eq!(device.next().await, None, "{what}");
        house.status(|status| status.refused == count).await;
    }
    assert_eq!(house.logged(), 8);
    let mut device = house.device("roof-01").await;
    device.send(publish(own, QoS::AtLeastOnce, 2, vec![b'x'; 256 * 1024])).await;
    assert_eq!(device.next().await, Some(ack(2)), "256 KB are taken");
}

#[tokio::test]
async fn a_newer_connection_of_a_device_ends_the_older() {
    let house = House::open().await;
    let mut older = house.device("roof-01").await;
    let mut other = house.device("roof-02").await;
    let mut newer = house.device("roof-01").await;
    assert_eq!(older.next().await, None);
    for device in [&mut newer, &mut other] {
        device.send(Packet::PingRequest).await;
        assert_eq!(device.next().await, Some(Packet::PingResponse));
    }
    let both = BTreeSet::from(["roof-01".to_owned(), "roof-02".to_owned()]);
    assert_eq!(house.hub.status().borrow().connected, both);
}

#[tokio::test]
async fn subscriptions_to_others_topics_are_refused_and_the_connection_stays() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    let packet_id = NonZeroU16::MIN;
    let filters = ["devices/roof-01/messages/devicebound/#", "$iothub/twin/res/#", "devices/roof-02/#", "#"];
    let topic_filters = filters.map(|filter| (filter.into(), QoS::ExactlyOnce)).to_vec();
    device.send(Packet::Subscribe { packet_id, topic_filters }).await;
    let granted = SubscribeReturnCode::Success(QoS::AtLeastOnce);
    let status = vec![granted, granted, SubscribeReturnCode::Failure, SubscribeReturnCode::Failure];
    assert_eq!(device.next().await, Some(Packet::SubscribeAck { packet_id, status }));
    device.send(Packet::Unsubscribe { packet_id, topic_filters: vec!["a".into()] }).await;
    assert_eq!(device.next().await, Some(Packet::UnsubscribeAck { packet_id }));
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_is_not_acknowledged() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    let topic = "devices/roof-01/messages/events/";
    let connection = rusqlite::Connection::open(house.folder.path().join("hub.db")).expect("opens");
    connection.execute_batch("ALTER TABLE enqueued RENAME TO gone").expect("renames");
    device.send(publish(topic, QoS::AtLeastOnce, 1, "x")).await;
    device.send(publish(topic, QoS::AtLeastOnce, 2, "x")).await;
    assert_eq!(device.next().await, None, "no PUBACK, and the connection is closed");
    let status = house.status(|status| status.last_error.is_some() && status.connected.is_empty()).await;
    assert_eq!(status.received, 0);
    assert!(status.last_error.expect("an error").contains("hub.db"));
    connection.execute_batch("ALTER TABLE gone RENAME TO enqueued").expect("renames");
    let mut device = house.device("roof-01").await;
    device.send(publish(topic, QoS::AtLeastOnce, 1, "x")).await;
    assert_eq!(device.next().await, Some(ack(1)), "and it is taken when it comes again");
}

#[tokio::test]
async fn rubbish_ends_its_own_connection_only() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    // No TLS at all.
    let mut plain = TcpStream::connect(house.hub.address()).await.expect("connects");
    plain.write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04roof").await.expect("writes");
    let mut rest = Vec::new();
    drop(plain.read_to_end(&mut rest).await);
    // TLS, then bytes that are no packet, a packet that isn't a CONNECT, half a CONNECT, a huge one.
    for bytes in [&b"\xff\xff\xff\xff\xff\xff"[..], b"\xc0\x00", b"\x10\x20\x00\x04MQ", b"\x10\xff\xff\xff\x7f"] {
        let mut tls = house.tls().await;
        tls.write_all(bytes).await.expect("writes");
        tls.shutdown().await.expect("ends");
        let mut rest = Vec::new();
        drop(tls.read_to_end(&mut rest).await);
        assert!(rest.is_empty(), "{bytes:?}");
    }
    // Half a CONNECT that ends is the line's fault and isn't counted.
    house.status(|status| status.refused == 4).await;
    device.send(Packet::PingRequest).await;
    assert_eq!(device.next().await, Some(Packet::PingResponse));
}

#[tokio::test]
async fn other_versions_of_mqtt_are_told_so() {
    let house = House::open().await;
    for connect in [
        &b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02d1"[..],
        b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02d1",
    ] {
        let mut tls = house.tls().await;
        tls.write_all(connect).await.expect("writes");
        let mut answer = Vec::new();
        drop(tls.read_to_end(&mut answer).await);
        assert_eq!(answer, b"\x20\x02\x00\x01");
    }
}

#[tokio::test]
async fn a_silent_device_is_left_after_one_and_a_half_keep_alives() {
    let house = House::open().await;
    let mut connect = house.credentials("roof-01", 60).await;
    connect.keep_alive = 1;
    let mut device = Device::new(house.tls().await);
    assert_eq!(device.sign_in(connect).await, Some(ConnectAckReason::ConnectionAccepted));
    let since = std::time::Instant::now();
    assert_eq!(device.next().await, None);
    assert!((Duration::from_millis(1400)..Duration::from_secs(6)).contains(&since.elapsed()));
}

#[tokio::test]
async fn a_hub_that_ends_frees_its_port_and_a_taken_one_is_named() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    let address = house.hub.address();
    let folder = house.folder.path().join("hub");
    let config = HubConfig { listen: address.ip(), port: address.port(), host_name: HOST.into(), folder };
    let again = || {
        start(config.clone(), ground(), house.log.clone(), Clock::wall(), Ledger::default(), CancellationToken::new())
    };
    let Err(taken) = again().await else { panic!("the port was taken") };
    assert!(taken.to_string().contains(&address.to_string()), "{taken}");
    house.shutdown.cancel();
    assert_eq!(device.next().await, None);
    house.hub.ended().await;
    let key = house.hub.ensure_device("roof-01").await.expect("still known");
    let hub = again().await.expect("the port is free");
    assert_eq!(hub.ca_pem(), house.hub.ca_pem());
    assert_eq!(hub.ensure_device("roof-01").await.expect("kept").expose_secret(), key.expose_secret());
}

#[tokio::test]
async fn an_impossible_device_id_is_refused() {
    let house = House::open().await;
    let error = house.hub.ensure_device("a/b\u{1b}").await.expect_err("refused");
    assert!(matches!(&error, HubError::DeviceId(id) if id == "a/b"));
}

#[tokio::test]
async fn a_destroyed_hub_lets_nobody_in_until_it_is_back() {
    let topology = ground().peek();
    let applied = tokio::sync::watch::Sender::new(Arc::clone(&topology));
    let house = House::on(Ground::from(applied.subscribe())).await;
    let mut device = house.device("roof-01").await;
    let without = Topology { hub: None, ..(*topology).clone() };
    applied.send_replace(Arc::new(without));
    assert_eq!(device.next().await, None, "the session is ended");
    let connect = || house.credentials("roof-01", 60);
    assert_eq!(house.answer(connect().await).await, Some(ConnectAckReason::ServiceUnavailable));
    applied.send_replace(topology);
    // The hub hears of it a moment after.
    let back = async {
        while house.answer(connect().await).await != Some(ConnectAckReason::ConnectionAccepted) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, back).await.expect("let in again");
    assert_eq!(house.hub.status().borrow().refused, 0, "nobody broke a rule");
}
