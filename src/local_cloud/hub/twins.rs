//! What a device asks of its twin, and its answers to methods.

use std::num::NonZeroU16;
use std::sync::PoisonError;

use bytes::Bytes;
use rmqtt_codec::v3::Packet;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::downlink::publish;
use super::replies::Reply;
use super::service::{MAX_METHOD_PAYLOAD, MethodAnswer};
use super::session::{Fault, Session};
use super::subscriptions::Kind;
use super::topics::{self, Asked};
use crate::local_cloud::registry::RegistryError;

/// An answer about a twin.
struct Answer {
    status: u16,
    version: Option<u64>,
    body: Vec<u8>,
}

impl Answer {
    fn refusal(status: u16, message: &str) -> Self {
        Self { status, version: None, body: json!({"message": message}).to_string().into_bytes() }
    }

    fn of_error(error: &RegistryError) -> Self {
        match error {
            RegistryError::Invalid(_) => Self::refusal(400, &error.to_string()),
            RegistryError::NotFound(_) => Self::refusal(404, &error.to_string()),
            _ => Self::refusal(500, "the registry failed; try again later"),
        }
    }
}

impl Session<'_> {
    /// Does what a device asks of anything but the log; acknowledges it at QoS 1.
    pub(super) async fn asked(
        &self,
        asked: Asked<'_>,
        body: Bytes,
        packet_id: Option<NonZeroU16>,
        replies: &mpsc::Sender<Reply>,
    ) -> Result<(), Fault> {
        self.shared.received(self.device_id, 0);
        if let Some(packet_id) = packet_id {
            self.reply(replies, Packet::PublishAck { packet_id }).await;
        }
        let (request_id, answer) = match asked {
            Asked::Twin { request_id } => (request_id, self.twin().await),
            Asked::Report { request_id } => (request_id, self.report(&body).await),
            Asked::MethodAnswer { status, request_id } => return self.answered(status, &request_id, &body),
            Asked::Telemetry(_) => return Ok(()),
        };
        // Who hasn't subscribed to answers gets none.
        if self.line.subscriptions().qos(Kind::TwinAnswers, self.device_id).is_some() {
            let topic = topics::twin_answer(answer.status, request_id, answer.version);
            self.reply(replies, publish(topic, answer.body, None, false)).await;
        }
        Ok(())
    }

    async fn reply(&self, replies: &mpsc::Sender<Reply>, packet: Packet) {
        // Where the sending half has ended, the connection is ending.
        drop(replies.send(Reply::Packet(packet)).await);
    }

    async fn twin(&self) -> Answer {
        if !self.shared.faults.admits() {
            return Answer::refusal(429, "too many requests; try again later");
        }
        match self.shared.registry.twin(self.device_id).await {
            Ok(Some(twin)) => Answer { status: 200, version: None, body: twin.device_json().to_string().into_bytes() },
            Ok(None) => Answer::refusal(404, "the device isn't registered"),
            Err(error) => self.failed(&error.into()),
        }
    }

    async fn report(&self, body: &[u8]) -> Answer {
        if !self.shared.faults.admits() {
            return Answer::refusal(429, "too many requests; try again later");
        }
        let patch = match serde_json::from_slice(body) {
            Ok(Value::Object(patch)) => patch,
            Ok(_) => return Answer::refusal(400, "reported properties must be a JSON object"),
            Err(error) => return Answer::refusal(400, &format!("not JSON: {error}")),
        };
        match self.shared.registry.report(self.device_id, patch, self.shared.clock.now()).await {
            Ok(version) => Answer { status: 204, version: Some(version), body: Vec::new() },
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &RegistryError) -> Answer {
        if let RegistryError::Database(error) = error {
            tracing::warn!(device = self.device_id, "a twin can't be read or written: {error}");
            self.shared.failed(error.to_string());
        }
        Answer::of_error(error)
    }

    /// Hands a device's answer to who called the method; one that comes too late is nobody's.
    fn answered(&self, status: i32, request_id: &str, body: &[u8]) -> Result<(), Fault> {
        if body.len() > MAX_METHOD_PAYLOAD {
            return Err(Fault::MethodAnswer(format!("{} bytes; at most {MAX_METHOD_PAYLOAD} are taken", body.len())));
        }
        let payload = match body {
            [] => Value::Null,
            body => serde_json::from_slice(body).map_err(|error| Fault::MethodAnswer(format!("not JSON: {error}")))?,
        };
        let mut methods = self.shared.methods.lock().unwrap_or_else(PoisonError::into_inner);
        if methods.get(request_id).is_some_and(|call| call.device_id == self.device_id)
            && let Some(call) = methods.remove(request_id)
        {
            // The caller may have gone just now.
            drop(call.answer.send(MethodAnswer { status, payload }));
        }
        Ok(())
    }
}
