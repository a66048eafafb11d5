//! Direct methods.

use super::*;

const METHODS: &str = "$iothub/methods/POST/#";
const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// The request id of a call.
fn request_id(call: &Publish) -> String {
    call.topic.split_once("?$rid=").expect("a request id").1.to_owned()
}

#[tokio::test]
async fn a_method_is_called_and_its_answer_comes_back() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    device.subscribe(&[METHODS]).await;
    let payload = json!({"seconds": 5});
    let invoke = house.hub.invoke("roof-01", "set interval", &payload, SECONDS(0), SECONDS(5));
    let serve = async {
        let call = device.message().await;
        assert!(call.topic.starts_with("$iothub/methods/POST/set%20interval/?$rid="), "{}", call.topic);
        assert_eq!((call.qos, &*call.payload), (QoS::AtMostOnce, br#"{"seconds":5}"#.as_slice()));
        let topic = format!("$iothub/methods/res/207/?$rid={}", request_id(&call));
        device.send(publish(&topic, QoS::AtLeastOnce, 3, r#"{"was":30}"#)).await;
        assert_eq!(device.next().await, Some(ack(3)));
        // Too late, and nobody's: acknowledged, and that is all.
        device.send(publish(&topic, QoS::AtLeastOnce, 4, "{}")).await;
        assert_eq!(device.next().await, Some(ack(4)));
    };
    let (answer, ()) = tokio::join!(invoke, serve);
    assert_eq!(answer.expect("answered"), MethodAnswer { status: 207, payload: json!({"was": 30}) });
}

#[tokio::test]
async fn a_device_that_comes_in_time_is_waited_for() {
    let house = House::open().await;
    let credentials = house.credentials("roof-01", 60).await;
    let invoke = house.hub.invoke("roof-01", "flush", &Value::Null, SECONDS(10), SECONDS(5));
    let serve = async {
        let mut device = Device::new(house.tls().await);
        device.resume(credentials).await;
        device.subscribe(&[METHODS]).await;
        let call = device.message().await;
        assert_eq!(&*call.payload, b"null");
        let topic = format!("$iothub/methods/res/200/?$rid={}", request_id(&call));
        device.send(publish(&topic, QoS::AtMostOnce, 0, "")).await;
        device
    };
    let (answer, _device) = tokio::join!(invoke, serve);
    assert_eq!(answer.expect("answered"), MethodAnswer { status: 200, payload: Value::Null });
}

#[tokio::test]
async fn a_method_without_an_answer_says_why() {
    let house = House::open().await;
    house.hub.ensure_device("roof-01").await.expect("a device");
    let invoke = |id: &'static str, response: Duration| {
        let hub = house.hub.clone();
        async move { hub.invoke(id, "m", &Value::Null, SECONDS(0), response).await.expect_err("no answer") }
    };
    assert!(matches!(invoke("roof-09", SECONDS(5)).await, InvokeError::NotFound(_)));
    assert!(matches!(invoke("roof-01", SECONDS(5)).await, InvokeError::NotConnected(_)));
    let mut device = house.device("roof-01").await;
    assert!(matches!(invoke("roof-01", SECONDS(5)).await, InvokeError::NotServed(_)));
    device.subscribe(&[METHODS]).await;
    assert!(matches!(invoke("roof-01", SECONDS(5)).await, InvokeError::TimedOut { seconds: 5, .. }));
    let (gone, ()) = tokio::join!(invoke("roof-01", SECONDS(300)), async {
        device.message().await;
        device.message().await;
        device.send(Packet::Disconnect).await;
    });
    assert!(matches!(gone, InvokeError::NotConnected(_)), "not after five minutes");
    for (what, error) in [
        ("a short timeout", invoke("roof-01", SECONDS(4)).await),
        ("a long timeout", invoke("roof-01", SECONDS(301)).await),
    ] {
        assert!(matches!(error, InvokeError::Invalid(_)), "{what}");
    }
    let large = Value::from("x".repeat(128 * 1024));
    let error = house.hub.invoke("roof-01", "m", &large, SECONDS(0), SECONDS(5)).await.expect_err("too large");
    assert!(error.to_string().contains("131072"), "{error}");
}

#[tokio::test]
async fn only_the_device_that_was_called_can_answer() {
    let house = House::open().await;
    let mut device = house.device("roof-01").await;
    let mut other = house.device("roof-02").await;
    device.subscribe(&[METHODS]).await;
    let invoke = house.hub.invoke("roof-01", "m", &Value::Null, SECONDS(0), SECONDS(10));
    let serve = async {
        let topic = format!("$iothub/methods/res/200/?$rid={}", request_id(&device.message().await));
        other.send(publish(&topic, QoS::AtLeastOnce, 1, r#""forged""#)).await;
        assert_eq!(other.next().await, Some(ack(1)));
        device.send(publish(&topic, QoS::AtLeastOnce, 1, r#""true""#)).await;
        assert_eq!(device.next().await, Some(ack(1)));
    };
    let (answer, ()) = tokio::join!(invoke, serve);
    assert_eq!(answer.expect("answered").payload, "true");
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_too_large_ends_the_connection() {
    let house = House::open().await;
    for (count, body) in (1..).zip(["{".to_owned(), format!("\"{}\"", "x".repeat(128 * 1024))]) {
        let mut device = house.device("roof-01").await;
        device.send(publish("$iothub/methods/res/200/?$rid=1", QoS::AtMostOnce, 0, body)).await;
        assert_eq!(device.next().await, None);
        house.status(|status| status.refused == count).await;
    }
}
