//! Who may connect, as operators decide it.

use super::*;
use crate::local_cloud::registry::DeviceSpec;

fn spec(body: Value) -> DeviceSpec {
    DeviceSpec::from_rest("roof-01", &body).expect("a device")
}

#[tokio::test]
async fn both_keys_open_the_door_and_changed_ones_close_it() {
    let house = House::open().await;
    let [old, new, third] = [7_u8, 8, 9].map(|byte| STANDARD.encode([byte; 32]));
    let keys = |primary: &str, secondary: &str| {
        spec(json!({"authentication": {"type": "sas",
            "symmetricKey": {"primaryKey": primary, "secondaryKey": secondary}}}))
    };
    house.hub.put_device("roof-01", keys(&old, &new), None).await.expect("registered");
    for byte in [7, 8] {
        let answer = house.answer(connect("roof-01", &[byte; 32], 60)).await;
        assert_eq!(answer, Some(ConnectAckReason::ConnectionAccepted), "{byte}");
    }
    let mut device = Device::new(house.tls().await);
    device.sign_in(connect("roof-01", &[8; 32], 60)).await;
    house.hub.put_device("roof-01", keys(&new, &third), Some("*".into())).await.expect("changed");
    assert_eq!(device.next().await, None, "its connection is ended");
    assert_eq!(house.answer(connect("roof-01", &[7; 32], 60)).await, Some(ConnectAckReason::NotAuthorized));
    assert_eq!(house.answer(connect("roof-01", &[8; 32], 60)).await, Some(ConnectAckReason::ConnectionAccepted));
}

#[tokio::test]
async fn a_disabled_or_deleted_device_is_put_out_and_stays_out() {
    let house = House::open().await;
    let credentials = house.credentials("roof-01", 60).await;
    let mut device = house.device("roof-01").await;
    let mut other = house.device("roof-02").await;
    let disabled = spec(json!({"status": "disabled", "statusReason": "stolen"}));
    house.hub.put_device("roof-01", disabled, Some("*".into())).await.expect("disabled");
    assert_eq!(device.next().await, None);
    assert_eq!(house.answer(credentials.clone()).await, Some(ConnectAckReason::NotAuthorized));
    let status = house.status(|status| status.refused == 1).await;
    assert!(status.last_error.expect("words").contains("stolen"));
    let statistics = house.hub.statistics().await.expect("counted");
    let Statistics { total_device_count, enabled_device_count, disabled_device_count, connected_device_count } =
        statistics;
    let counts = (total_device_count, enabled_device_count, disabled_device_count, connected_device_count);
    assert_eq!(counts, (2, 1, 1, 1));
    house.hub.put_device("roof-01", spec(json!({"status": "enabled"})), Some("*".into())).await.expect("enabled");
    let mut device = Device::new(house.tls().await);
    assert_eq!(device.sign_in(credentials.clone()).await, Some(ConnectAckReason::ConnectionAccepted));
    house.hub.delete_device("roof-01", None).await.expect("deleted");
    assert_eq!(device.next().await, None);
    assert_eq!(house.answer(credentials).await, Some(ConnectAckReason::NotAuthorized));
    assert!(other.is_served().await, "another device isn't touched");
}

#[tokio::test]
async fn connections_are_seen_in_the_registry() {
    let house = House::open().await;
    house.hub.ensure_device("roof-01").await.expect("a device");
    let before = house.hub.device("roof-01").await.expect("read");
    assert!(!before.is_connected && before.last_activity_at.is_none());
    let mut device = house.device("roof-01").await;
    device.send(publish("devices/roof-01/messages/events/", QoS::AtLeastOnce, 1, "x")).await;
    assert_eq!(device.next().await, Some(ack(1)));
    let during = house.hub.device("roof-01").await.expect("read");
    assert!(during.is_connected && during.connection_updated_at.is_some());
    let seen = during.last_activity_at.expect("heard of");
    device.send(Packet::Disconnect).await;
    assert_eq!(device.next().await, None);
    house.status(|status| status.connected.is_empty()).await;
    house.shutdown.cancel();
    house.hub.ended().await;
    // Kept over a restart.
    let registry = Registry::open(&house.folder.path().join("hub").join("devices.db")).await.expect("opens");
    let after = registry.get("roof-01").await.expect("read").expect("there");
    assert!(!after.is_connected);
    assert_eq!(after.last_activity_at, Some(seen));
}

#[tokio::test]
async fn a_second_connection_in_a_devices_name_is_counted() {
    let house = House::open().await;
    let _one = house.device("roof-01").await;
    let _other = house.device("roof-02").await;
    let _two = house.device("roof-01").await;
    let mut three = house.device("roof-01").await;
    let takeovers = house.hub.status().borrow().takeovers.clone();
    assert_eq!(takeovers.keys().collect::<Vec<_>>(), ["roof-01"]);
    let (count, last) = takeovers["roof-01"];
    assert_eq!(count, 2);
    assert!(last >= Timestamp::now() - jiff::SignedDuration::from_secs(60));
    three.send(Packet::Disconnect).await;
    assert_eq!(three.next().await, None);
    house.status(|status| !status.connected.contains("roof-01")).await;
    let _four = house.device("roof-01").await;
    assert_eq!(house.hub.status().borrow().takeovers["roof-01"].0, 2, "one after the other is none");
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let house = House::open().await;
    let credentials = house.credentials("roof-01", 2).await;
    let mut device = Device::new(house.tls().await);
    assert_eq!(device.sign_in(credentials).await, Some(ConnectAckReason::ConnectionAccepted));
    assert!(device.is_served().await);
    let since = std::time::Instant::now();
    assert_eq!(device.next().await, None);
    assert!(since.elapsed() >= Duration::from_secs(5), "with some grace");
    let status = house.status(|status| status.refused == 1).await;
    assert!(status.last_error.expect("words").contains("expired while it was connected"));
}
