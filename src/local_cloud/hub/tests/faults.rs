//! What a scenario lets go wrong.

use super::*;

const OWN: &str = "devices/roof-01/messages/events/";

#[tokio::test]
async fn a_refusing_hub_ends_connections_and_lets_nobody_in() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    house.hub.set_faults(Faults { refuse: true, ..Faults::default() });
    assert_eq!(device.next().await, None);
    let credentials = house.credentials("roof-01", 60).await;
    assert_eq!(house.answer(credentials.clone()).await, Some(ConnectAckReason::ServiceUnavailable));
    assert!(house.hub.status().borrow().faults.refuse);
    house.hub.set_faults(Faults::default());
    let back = async {
        while house.answer(credentials.clone()).await != Some(ConnectAckReason::ConnectionAccepted) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, back).await.expect("let in again");
}

#[tokio::test]
async fn a_half_open_connection_is_silent_and_goes_on_afterwards() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    house.hub.set_faults(Faults { half_open: true, ..Faults::default() });
    device.send(publish(OWN, QoS::AtLeastOnce, 1, "x")).await;
    // Newcomers hang too: the connection is made, and TLS gets no answer.
    let mut plain = TcpStream::connect(house.hub.address()).await.expect("the system connects");
    plain.write_all(b"\x16\x03\x01").await.expect("writes");
    let mut byte = [0];
    let silence = tokio::time::timeout(Duration::from_millis(300), async {
        tokio::select! {
            packet = device.packets.next(SOON) => format!("{packet:?}"),
            read = plain.read(&mut byte) => format!("{read:?}"),
        }
    });
    silence.await.expect_err("neither an answer nor an end");
    house.hub.set_faults(Faults::default());
    assert_eq!(device.next().await, Some(ack(1)));
}

#[tokio::test]
async fn dropped_connections_are_gone_even_while_they_hang() {
    let house = House::open().await;
    let mut one = house.device("roof-01").await;
    house.hub.drop_connections();
    assert!(one.packets.next(SOON).await.is_err(), "cut, without a goodbye");
    let mut two = house.device("roof-01").await;
    house.hub.set_faults(Faults { half_open: true, ..Faults::default() });
    house.hub.drop_connections();
    assert!(two.packets.next(SOON).await.is_err());
    house.status(|status| status.connected.is_empty()).await;
}

#[tokio::test]
async fn over_the_rate_a_connection_ends_after_what_came_was_acknowledged() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    house.hub.set_faults(Faults { throttle_per_s: Some(5), ..Faults::default() });
    let mut buffer = BytesMut::new();
    for id in 1..=100 {
        wire::encode(publish(OWN, QoS::AtLeastOnce, id, "x").into(), &mut buffer).expect("encodes");
    }
    device.write.write_all(&buffer).await.expect("writes");
    device.write.flush().await.expect("writes");
    let mut acknowledged = 0;
    while let Some(packet) = device.next().await {
        acknowledged += 1;
        assert_eq!(packet, ack(acknowledged));
    }
    // A second may have ended among them.
    assert!((5..=10).contains(&acknowledged), "{acknowledged}");
    assert_eq!(house.logged(), i64::from(acknowledged));
    let status = house.status(|status| status.refused == 1).await;
    assert!(status.last_error.expect("words").contains("more messages a second"));
}

#[tokio::test]
async fn twins_are_throttled_with_429() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    device.subscribe(&["$iothub/twin/res/#"]).await;
    house.hub.set_faults(Faults { throttle_per_s: Some(0), ..Faults::default() });
    assert_eq!(device.ask("$iothub/twin/GET/?$rid=1", "").await.0, "$iothub/twin/res/429/?$rid=1");
}

#[tokio::test]
async fn a_slow_hub_takes_its_time() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    house.hub.set_faults(Faults { slow_ms: 200, ..Faults::default() });
    let since = std::time::Instant::now();
    assert!(device.is_served().await);
    assert!(since.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_hub_with_the_wrong_time_refuses_good_tokens_and_takes_old_ones() {
    let house = House::open().await;
    let good = house.credentials("roof-01", 60).await;
    let old = house.credentials("roof-01", -60).await;
    house.hub.set_faults(Faults { clock_offset_s: 3600, ..Faults::default() });
    assert_eq!(house.answer(good).await, Some(ConnectAckReason::NotAuthorized));
    house.hub.set_faults(Faults { clock_offset_s: -3600, ..Faults::default() });
    assert_eq!(house.answer(old).await, Some(ConnectAckReason::ConnectionAccepted));
}

#[tokio::test]
async fn a_hub_ends_while_connections_hang() {
    let house = House::open().await;
    let _device = house.device("roof-01").await;
    house.hub.set_faults(Faults { half_open: true, ..Faults::default() });
    house.shutdown.cancel();
    tokio::time::timeout(SOON, house.hub.ended()).await.expect("ends");
}
