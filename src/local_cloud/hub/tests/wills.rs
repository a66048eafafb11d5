//! Last wills.

use super::*;

const OWN: &str = "devices/roof-01/messages/events/$.mid=w-1&why=gone";

fn will(topic: &str, qos: QoS) -> Option<LastWill> {
    Some(LastWill { qos, retain: false, topic: topic.into(), message: Bytes::from_static(b"gone") })
}

#[tokio::test]
async fn a_will_is_telemetry_when_the_device_goes_without_a_goodbye() {
    let house = House::open().await;
    let mut arrivals = house.log.arrivals();
    let credentials = house.credentials("roof-01", 60).await;
    let with_will = Connect { last_will: will(OWN, QoS::AtLeastOnce), ..credentials.clone() };
    let mut polite = Device::new(house.tls().await);
    polite.sign_in(with_will.clone()).await;
    polite.send(Packet::Disconnect).await;
    assert_eq!(polite.next().await, None);
    let mut lost = Device::new(house.tls().await);
    lost.sign_in(with_will).await;
    drop(lost);
    let message = tokio::time::timeout(SOON, arrivals.recv()).await.expect("in time").expect("arrives");
    assert_eq!((message.message_id.as_deref(), message.body.as_slice()), (Some("w-1"), b"gone".as_slice()));
    let expected = BTreeMap::from([("iothub-MessageType".into(), "Will".into()), ("why".into(), "gone".into())]);
    assert_eq!(message.properties, expected);
    assert_eq!(house.logged(), 1, "the polite one left none");
}

#[tokio::test]
async fn a_will_for_another_topic_is_refused() {
    let house = House::open().await;
    let credentials = house.credentials("roof-01", 60).await;
    for last_will in [
        will("devices/roof-02/messages/events/", QoS::AtMostOnce),
        will("anything", QoS::AtMostOnce),
        will("devices/roof-01/messages/events/a=%ff", QoS::AtMostOnce),
        will(OWN, QoS::ExactlyOnce),
    ] {
        let connect = Connect { last_will, ..credentials.clone() };
        assert_eq!(house.answer(connect).await, Some(ConnectAckReason::NotAuthorized));
    }
}

#[tokio::test]
async fn no_will_is_published_when_the_hub_goes() {
    let house = House::open().await;
    let connect = Connect { last_will: will(OWN, QoS::AtMostOnce), ..house.credentials("roof-01", 60).await };
    let mut device = Device::new(house.tls().await);
    device.sign_in(connect).await;
    house.shutdown.cancel();
    house.hub.ended().await;
    assert_eq!(house.logged(), 0);
}
