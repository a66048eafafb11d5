//! What the hub asks: twin, methods, messages to the device.

use serde_json::{Value, json};
use skydeck::edge_agent::uplink::control::MethodReply;
use skydeck::local_cloud::registry::DeviceBoundMessage;

use super::*;

struct Pair {
    folder: tempfile::TempDir,
    hub: RunningHub,
    outbox: Outbox,
    link: RunningLink,
}

async fn pair() -> Pair {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    let link = RunningLink::start(&outbox, hub.settings().await, &ledger);
    Pair { folder, hub, outbox, link }
}

fn desired(value: &Value) -> Value {
    json!({"properties": {"desired": value}})
}

async fn twin(link: &mut RunningLink) -> (Value, u64) {
    match link.asked().await {
        HubRequest::Twin(twin) => (twin.desired, twin.desired_version),
        other => panic!("{other:?}"),
    }
}

/// Waits until the hub's copy of the reported properties is this.
async fn reported(hub: &Hub, wanted: Value) {
    tokio::time::timeout(SOON, async {
        loop {
            let twin = hub.twin(DEVICE).await.expect("a twin");
            if Value::Object(twin.reported.properties) == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("in time");
}

#[tokio::test]
async fn the_twin_comes_first_changes_follow_in_order_and_the_report_is_kept_equal() {
    let Pair { folder: _folder, hub, outbox: _outbox, mut link } = pair().await;
    hub.hub.patch_twin(DEVICE, &desired(&json!({"measureEveryS": 5})), None).await.expect("changed");
    let (first, version) = twin(&mut link).await;
    assert!(version >= 1);
    link.reported.send_replace(json!({"agent": {"version": "1"}, "settings": {"a": {"value": 1}}}));
    reported(&hub.hub, json!({"agent": {"version": "1"}, "settings": {"a": {"value": 1}}})).await;

    // Whether the first change was in the GET or came after it, the next two come in order.
    let mut known = first;
    for (value, wanted) in [(json!({"x": {"y": 1}}), 1), (json!({"x": null, "z": 2}), 2)] {
        hub.hub.patch_twin(DEVICE, &desired(&value), None).await.expect("changed");
        loop {
            match link.asked().await {
                HubRequest::Desired { version: now, patch } if patch == value => {
                    assert!(now > version, "{now} after {version}, change {wanted}");
                    break;
                }
                HubRequest::Desired { patch, .. } => known = patch,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(known["measureEveryS"], 5);

    link.reported.send_replace(json!({"agent": {"version": "2"}}));
    reported(&hub.hub, json!({"agent": {"version": "2"}})).await;
    let before = hub.hub.twin(DEVICE).await.expect("a twin").reported.version;
    hub.hub.drop_connections();
    let (again, _) = twin(&mut link).await;
    assert_eq!(again, json!({"measureEveryS": 5, "z": 2}));
    link.reported.send_replace(json!({"agent": {"version": "2", "bootId": "b"}}));
    reported(&hub.hub, json!({"agent": {"version": "2", "bootId": "b"}})).await;
    assert_eq!(hub.hub.twin(DEVICE).await.expect("a twin").reported.version, before + 1, "the difference, once");
    link.stop().await;
    hub.stop().await;
}

#[tokio::test]
async fn methods_are_answered_while_messages_go_on() {
    let Pair { folder, hub, outbox, mut link } = pair().await;
    twin(&mut link).await;
    let call = |name: &'static str, payload: Value| {
        let hub = hub.hub.clone();
        tokio::spawn(async move { hub.invoke(DEVICE, name, &payload, SOON, SOON).await })
    };
    let first = call("capture", json!({"width": 3}));
    let HubRequest::Method { name, payload, reply } = link.asked().await else { panic!("a method") };
    assert_eq!((name.as_str(), payload), ("capture", json!({"width": 3})));
    // The method is being served: messages don't wait for it.
    let messages = measurements(50);
    outbox.append(messages.clone(), Vec::new()).await.expect("appends");
    empty(&outbox).await;
    reply.send(MethodReply { status: 404, payload: json!({"error": "no camera"}) }).expect("waited for");
    let answer = first.await.expect("joins").expect("answered");
    assert_eq!((answer.status, answer.payload), (404, json!({"error": "no camera"})));

    let second = call("diagnose", Value::Null);
    let HubRequest::Method { payload, reply, .. } = link.asked().await else { panic!("a method") };
    assert_eq!(payload, Value::Null);
    drop(reply);
    let answer = second.await.expect("joins").expect("answered");
    assert_eq!(answer.status, 500);
    assert_eq!(logged(folder.path()).len(), 50);

    // Nobody listens any more: 500, and not for ever.
    let RunningLink { requests, shutdown, task, settings, status, reported } = link;
    drop(requests);
    let third = call("diagnose", json!(1)).await.expect("joins").expect("answered");
    assert_eq!(third.status, 500);
    shutdown.cancel();
    task.await.expect("ends well");
    drop((settings, status, reported));
    hub.stop().await;
}

#[tokio::test]
async fn a_message_to_the_device_stays_at_the_hub_until_it_is_dealt_with() {
    let Pair { folder: _folder, hub, outbox: _outbox, mut link } = pair().await;
    twin(&mut link).await;
    let message = DeviceBoundMessage {
        message_id: Some("m 1".into()),
        correlation_id: Some("c&1".into()),
        properties: BTreeMap::from([("level".to_owned(), "50 % + ä".to_owned())]),
        body: b"hello".to_vec(),
        ..DeviceBoundMessage::default()
    };
    hub.hub.send_to_device(DEVICE, message.clone()).await.expect("queued");
    let HubRequest::DeviceBound { message: came, done } = link.asked().await else { panic!("a message") };
    assert_eq!((came.message_id.as_deref(), came.correlation_id.as_deref()), (Some("m 1"), Some("c&1")));
    assert_eq!(
        (came.properties.get("level").map(String::as_str), came.body.as_slice()),
        (Some("50 % + ä"), b"hello".as_slice())
    );
    drop(done);
    hub.hub.drop_connections();
    // The hub sends it with the subscription; the twin is asked for. Which comes first is nobody's promise.
    let (mut seen, mut has_twin) = (None, false);
    while seen.is_none() || !has_twin {
        match link.asked().await {
            HubRequest::Twin(_) => has_twin = true,
            HubRequest::DeviceBound { message, done } => seen = Some((message, done)),
            other => panic!("{other:?}"),
        }
    }
    let (again, done) = seen.expect("seen");
    assert_eq!(again, came);
    done.send(()).expect("waited for");
    let queue = tokio::time::timeout(SOON, async {
        while hub.hub.device(DEVICE).await.expect("known").public_json()["cloudToDeviceMessageCount"] != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    queue.await.expect("acknowledged in time");
    link.stop().await;
    hub.stop().await;
}
