//! The way down: twin, methods and messages to the device, within one connection.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rumqttc::{AsyncClient, ManualAck, Publish, PublishOptions, QoS, SubscribeFilter, SubscribeReasonCode};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::control::{HubRequest, MethodReply};
use super::inbox::Inbox;
use super::link::Link;
use super::talk::Talk;
use super::twin::{self, FromHub};

/// Requests that wait for the agent to take them, beside those in its channel.
const MAX_WAITING: usize = 64;
/// A method's payload, either way: IoT Hub's 128 KB.
const MAX_METHOD: usize = 128 * 1024;

type Later<T> = FuturesUnordered<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What lies on the desk.
pub(super) struct Desk<'a> {
    link: &'a Link,
    device_id: &'a str,
    client: &'a AsyncClient,
    inbox: &'a Inbox,
    /// How many methods are being answered.
    busy: &'a watch::Sender<usize>,
    reported: watch::Receiver<Value>,
    /// Absent until the hub has granted the subscription to its answers.
    talk: Option<Talk>,
    to_agent: VecDeque<HubRequest>,
    replies: Later<(String, Option<MethodReply>)>,
    dealt_with: Later<Option<ManualAck>>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        link: &'a Link,
        device_id: &'a str,
        client: &'a AsyncClient,
        inbox: &'a Inbox,
        busy: &'a watch::Sender<usize>,
    ) -> Self {
        Self {
            link,
            device_id,
            client,
            inbox,
            busy,
            reported: link.reported.clone(),
            talk: None,
            to_agent: VecDeque::new(),
            replies: FuturesUnordered::new(),
            dealt_with: FuturesUnordered::new(),
        }
    }

    /// Runs until it is dropped with the connection.
    pub(super) async fn run(mut self) {
        if !self.subscribe().await {
            std::future::pending::<()>().await;
        }
        loop {
            self.step().await;
            self.busy.send_if_modified(|busy| std::mem::replace(busy, self.replies.len()) != self.replies.len());
            let wakes_at = self.talk.as_ref().and_then(Talk::wakes_at);
            tokio::select! {
                publish = self.inbox.next(), if self.to_agent.len() < MAX_WAITING => match publish {
                    Some(publish) => self.take(&publish).await,
                    None => self.missed(),
                },
                permit = self.link.requests.reserve(), if !self.to_agent.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(request) = self.to_agent.pop_front() {
                            permit.send(request);
                        }
                    }
                    // Nobody is there: methods are answered with 500, messages come again.
                    Err(_) => self.to_agent.clear(),
                },
                Some((rid, answer)) = self.replies.next(), if !self.replies.is_empty() => {
                    reply(self.client, &rid, answer).await;
                }
                Some(ack) = self.dealt_with.next(), if !self.dealt_with.is_empty() => {
                    if let Some(ack) = ack {
                        drop(self.client.manual_ack(ack).await);
                    }
                }
                changed = self.reported.changed(), if self.talk.is_some() => {
                    if changed.is_err() {
                        // The agent is gone and changes nothing any more.
                        self.talk = None;
                    }
                }
                () = sleep_until(wakes_at), if wakes_at.is_some() => {}
            }
        }
    }

    /// Subscribes to all that a hub may ask; answers whether it serves any of it.
    async fn subscribe(&mut self) -> bool {
        let device_bound = twin::device_bound_filter(self.device_id);
        let wanted = [
            (twin::TWIN_ANSWERS, QoS::AtMostOnce),
            (twin::DESIRED, QoS::AtMostOnce),
            (twin::METHODS, QoS::AtMostOnce),
            (device_bound.as_str(), QoS::AtLeastOnce),
        ];
        let filters = wanted.map(|(filter, qos)| SubscribeFilter::new(filter.to_owned(), qos));
        // Where the connection ends before the answer, the connection's own words say why.
        let Ok(notice) = self.client.subscribe_many_tracked(filters).await else { return false };
        let Ok(answer) = notice.wait_async().await else { return false };
        let is_granted = |index: usize| matches!(answer.return_codes.get(index), Some(SubscribeReasonCode::Success(_)));
        let refused: Vec<&str> =
            (0..wanted.len()).filter(|index| !is_granted(*index)).map(|index| wanted[index].0).collect();
        if !refused.is_empty() && self.link.tell_refusal() {
            tracing::warn!(
                device = self.device_id,
                "the hub doesn't serve {}; messages go all the same, the rest works as far as it is served",
                refused.join(", ")
            );
        }
        self.talk = is_granted(0).then(Talk::new);
        refused.len() < wanted.len()
    }

    /// Sends what the twin's talk has to say.
    async fn step(&mut self) {
        let Some(talk) = &mut self.talk else { return };
        let request = {
            let wanted = self.reported.borrow_and_update();
            talk.step(Instant::now(), &wanted)
        };
        if let Some((topic, payload)) = request {
            send(self.client, topic, payload).await;
        }
    }

    /// Something was lost for want of room: only the twin has to be looked at again.
    const fn missed(&mut self) {
        if let Some(talk) = &mut self.talk {
            talk.missed();
        }
    }

    async fn take(&mut self, publish: &Publish) {
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let mut ack = self.client.prepare_ack(publish);
        match FromHub::of(&topic, self.device_id) {
            FromHub::TwinAnswer { status, rid } => self.answered(status, rid, &publish.payload),
            FromHub::Desired { version } => {
                let change = self.talk.as_mut().and_then(|talk| talk.desired(version, &publish.payload));
                if let Some((version, patch)) = change {
                    self.to_agent.push_back(HubRequest::Desired { version, patch });
                }
            }
            FromHub::Method { name, rid } => self.call(name, rid, &publish.payload).await,
            FromHub::DeviceBound { bag } => match twin::device_bound(bag, &publish.payload) {
                Some(message) => {
                    let (done, is_done) = oneshot::channel();
                    self.to_agent.push_back(HubRequest::DeviceBound { message, done });
                    let ack = ack.take();
                    self.dealt_with.push(Box::pin(async move { is_done.await.ok().and(ack) }));
                }
                None => tracing::warn!(
                    device = self.device_id,
                    "a message to the device of {} bytes is larger than any may be; not taken",
                    publish.payload.len()
                ),
            },
            FromHub::Unknown => tracing::debug!(device = self.device_id, "the hub sent something unknown; let be"),
        }
        if let Some(ack) = ack {
            drop(self.client.manual_ack(ack).await);
        }
    }

    fn answered(&mut self, status: u16, rid: u64, payload: &[u8]) {
        let Some(talk) = &mut self.talk else { return };
        let answered = talk.answered(Instant::now(), status, rid, payload);
        if let Some(twin) = answered.twin {
            self.to_agent.push_back(HubRequest::Twin(twin));
        }
        if let Some(complaint) = answered.complaint {
            tracing::warn!(device = self.device_id, "{complaint}");
        }
    }

    async fn call(&mut self, name: String, rid: &str, payload: &[u8]) {
        let payload = match payload {
            [] => Ok(Value::Null),
            payload if payload.len() > MAX_METHOD => Err("the payload is larger than 128 KiB"),
            payload => serde_json::from_slice(payload).map_err(|_| "the payload isn't JSON"),
        };
        match payload {
            Ok(payload) => {
                let (answer, answered) = oneshot::channel();
                self.to_agent.push_back(HubRequest::Method { name, payload, reply: answer });
                let rid = rid.to_owned();
                self.replies.push(Box::pin(async move { (rid, answered.await.ok()) }));
            }
            Err(words) => {
                let refusal = MethodReply { status: 400, payload: json!({ "error": words }) };
                reply(self.client, rid, Some(refusal)).await;
            }
        }
    }
}

/// Answers a method.
async fn reply(client: &AsyncClient, rid: &str, reply: Option<MethodReply>) {
    let failed = |words| (500, json!({ "error": words }).to_string());
    let (status, payload) = match reply {
        Some(reply) => (reply.status, reply.payload.to_string()),
        None => failed("the agent gave no answer"),
    };
    let (status, payload) =
        if payload.len() > MAX_METHOD { failed("the answer is larger than 128 KiB") } else { (status, payload) };
    send(client, twin::reply_topic(status, rid), payload.into_bytes()).await;
}

async fn send(client: &AsyncClient, topic: String, payload: Vec<u8>) {
    // It can only fail with the connection, and then nobody waits for it.
    drop(client.publish(topic, payload, PublishOptions::new(QoS::AtMostOnce)).await);
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
