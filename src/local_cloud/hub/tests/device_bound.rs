//! Messages to devices.

use super::*;
use crate::local_cloud::registry::DeviceBoundMessage;

const FILTER: &str = "devices/roof-01/messages/devicebound/#";

fn message(id: &str) -> DeviceBoundMessage {
    DeviceBoundMessage { message_id: Some(id.into()), body: id.into(), ..DeviceBoundMessage::default() }
}

impl House {
    async fn send(&self, id: &str) {
        self.hub.send_to_device("roof-01", message(id)).await.expect("queued");
    }

    /// Waits until this many messages are in the queue.
    async fn waiting(&self, count: u64) {
        let reached = async {
            while self.hub.device("roof-01").await.expect("read").device_bound != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, reached).await.expect("in time");
    }
}

#[tokio::test]
async fn a_message_comes_with_its_properties_and_goes_when_it_is_acknowledged() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    device.subscribe(&[FILTER]).await;
    let sent = DeviceBoundMessage {
        correlation_id: Some("c/1".into()),
        properties: BTreeMap::from([("colour".into(), "a&b=ü".into())]),
        body: b"\x00\x01".to_vec(),
        ..message("m 1")
    };
    house.hub.send_to_device("roof-01", sent).await.expect("queued");
    let got = device.message().await;
    let bag = got.topic.strip_prefix("devices/roof-01/messages/devicebound/").expect("its topic");
    assert!(
        bag.starts_with("%24.mid=m%201&%24.cid=c%2F1&%24.to=%2Fdevices%2Froof-01%2Fmessages%2Fdevicebound&"),
        "{bag}"
    );
    assert!(bag.ends_with("&colour=a%26b%3D%C3%BC"), "{bag}");
    assert_eq!((got.qos, got.dup, &*got.payload), (QoS::AtLeastOnce, false, b"\x00\x01".as_slice()));
    assert_eq!(house.hub.device("roof-01").await.expect("read").device_bound, 1, "not before it is acknowledged");
    device.send(Packet::PublishAck { packet_id: got.packet_id.expect("an id") }).await;
    house.waiting(0).await;
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let house = House::open().await;
    house.hub.ensure_device("roof-01").await.expect("a device");
    for id in ["a", "b"] {
        house.send(id).await;
    }
    let mut device = house.device("roof-01").await;
    device.subscribe(&[FILTER]).await;
    let (a, b) = (device.message().await, device.message().await);
    assert_eq!((&*a.payload, &*b.payload), (b"a".as_slice(), b"b".as_slice()));
    device.send(Packet::PublishAck { packet_id: b.packet_id.expect("an id") }).await;
    let again = device.message().await;
    assert_eq!((&*again.payload, again.dup), (b"a".as_slice(), true), "after the lock's time");
    assert_ne!(again.packet_id, b.packet_id);
    let mut device = house.device("roof-01").await;
    device.subscribe(&[FILTER]).await;
    let again = device.message().await;
    assert_eq!(&*again.payload, b"a", "and on the next connection");
    device.send(Packet::PublishAck { packet_id: again.packet_id.expect("an id") }).await;
    house.waiting(0).await;
}

#[tokio::test]
async fn at_qos_0_a_message_is_done_when_it_is_sent() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    house.send("a").await;
    let topic_filters = vec![(FILTER.into(), QoS::AtMostOnce)];
    device.send(Packet::Subscribe { packet_id: NonZeroU16::MIN, topic_filters }).await;
    let status = vec![SubscribeReturnCode::Success(QoS::AtMostOnce)];
    assert_eq!(device.next().await, Some(Packet::SubscribeAck { packet_id: NonZeroU16::MIN, status }));
    let got = device.message().await;
    assert_eq!((got.qos, got.packet_id, &*got.payload), (QoS::AtMostOnce, None, b"a".as_slice()));
    house.waiting(0).await;
}

#[tokio::test]
async fn a_kept_session_gets_what_was_sent_meanwhile_and_a_clean_one_forgets() {
    let house = House::open().await;
    let mut kept = house.credentials("roof-01", 60).await;
    kept.clean_session = false;
    let mut device = Device::new(house.tls().await);
    assert!(!device.resume(kept.clone()).await, "there was none");
    device.subscribe(&[FILTER, "$iothub/methods/POST/#"]).await;
    device.send(Packet::Disconnect).await;
    assert_eq!(device.next().await, None);
    house.send("meanwhile").await;
    let mut device = Device::new(house.tls().await);
    assert!(device.resume(kept.clone()).await, "subscriptions are there");
    assert_eq!(&*device.message().await.payload, b"meanwhile");
    let clean = house.credentials("roof-01", 60).await;
    let mut device = Device::new(house.tls().await);
    assert!(!device.resume(clean).await);
    assert!(device.is_served().await, "and no message before the answer");
    let mut device = Device::new(house.tls().await);
    assert!(!device.resume(kept).await, "forgotten");
}

#[tokio::test]
async fn a_queue_has_its_bounds() {
    let house = House::open().await;
    house.hub.ensure_device("roof-01").await.expect("a device");
    for count in 0..50 {
        house.send(&count.to_string()).await;
    }
    let full = house.hub.send_to_device("roof-01", message("51")).await.expect_err("full");
    assert!(matches!(full, RegistryError::QueueFull(_)));
    assert_eq!(house.hub.purge_device_bound("roof-01").await.expect("purged"), 50);
    let large = DeviceBoundMessage { body: vec![0; 64 * 1024], ..message("x") };
    let error = house.hub.send_to_device("roof-01", large).await.expect_err("too large");
    assert!(error.to_string().contains("65536"), "{error}");
    let late = DeviceBoundMessage { expires_at: Some(Timestamp::UNIX_EPOCH), ..message("x") };
    house.hub.send_to_device("roof-01", late).await.expect_err("expired already");
    house.hub.send_to_device("roof-09", message("x")).await.expect_err("no such device");
    // Fifty are delivered one after the other, though nothing is acknowledged.
    for count in 0..50 {
        house.send(&count.to_string()).await;
    }
    let mut device = house.device("roof-01").await;
    device.subscribe(&[FILTER]).await;
    for count in 0..50 {
        assert_eq!(device.message().await.payload, Bytes::from(count.to_string()));
    }
}

#[tokio::test]
async fn an_expired_message_is_not_delivered() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    let soon = Timestamp::now() + jiff::SignedDuration::from_secs(600);
    house
        .hub
        .send_to_device("roof-01", DeviceBoundMessage { expires_at: Some(soon), ..message("short") })
        .await
        .expect("queued");
    house.send("long").await;
    // The hub's clock goes on by 20 minutes.
    house.hub.set_faults(Faults { clock_offset_s: 1200, ..Faults::default() });
    device.subscribe(&[FILTER]).await;
    assert_eq!(&*device.message().await.payload, b"long");
}
