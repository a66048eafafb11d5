//! Direct methods: what the hub can have the agent do.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::camera::CaptureAsk;
use super::report::MethodReport;
use super::shared::Shared;
use super::slot::{Order, Wish};
use super::twin;
use super::uplink::control::MethodReply;
use crate::station::text::printable;
use crate::station::{DeviceHealth, Message};

/// The methods there are.
pub const NAMES: [&str; 8] =
    ["capture", "set_interval", "diagnose", "tail_log", "restart", "flush", "deploy_model", "rollback_model"];
/// Lines that `tail_log` answers at most.
const MAX_LINES: usize = 200;
/// Bytes of an answer at most; IoT Hub's bound is 128 KiB.
const MAX_ANSWER: usize = 120 * 1024;
/// How long `flush` waits where it isn't told otherwise: IoT Hub's own timeout is 30 s.
const FLUSH_S: u64 = 29;
/// Longest time `flush` may be told to wait, seconds: IoT Hub's longest timeout, less one.
const MAX_FLUSH_S: u64 = 299;

/// The answer to a method: like HTTP's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub status: u16,
    pub payload: Value,
    /// Whether the agent ends and starts anew once the answer is out.
    pub restarts: bool,
}

impl Answer {
    /// Something that couldn't be done, in words.
    pub fn new(status: u16, words: impl Into<String>) -> Self {
        Self { status, payload: json!({ "error": words.into() }), restarts: false }
    }

    pub const fn ok(payload: Value) -> Self {
        Self { status: 200, payload, restarts: false }
    }

    /// What it says, for a log.
    pub fn words(&self) -> String {
        let text =
            self.payload.get("error").and_then(Value::as_str).map_or_else(|| self.payload.to_string(), Into::into);
        format!("{}: {}", self.status, printable(&text).chars().take(400).collect::<String>())
    }
}

impl From<Answer> for MethodReply {
    fn from(answer: Answer) -> Self {
        Self { status: answer.status, payload: answer.payload }
    }
}

/// Carries methods out; clones share what they work on.
#[derive(Clone)]
pub(super) struct Methods {
    pub shared: Arc<Shared>,
    pub slot: mpsc::Sender<Order>,
    /// Absent without a camera.
    pub camera: Option<mpsc::Sender<CaptureAsk>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetInterval {
    seconds: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TailLog {
    lines: usize,
    level: Option<String>,
}

impl Default for TailLog {
    fn default() -> Self {
        Self { lines: 50, level: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Flush {
    timeout_s: u64,
}

impl Default for Flush {
    fn default() -> Self {
        Self { timeout_s: FLUSH_S }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Methods {
    /// Carries out the method called `name`, and counts it.
    pub async fn call(&self, name: &str, payload: Value) -> Answer {
        tracing::info!(target: "agent", "method {} is called", printable(name));
        let answer = self.answer(name, payload).await;
        if answer.status >= 400 {
            tracing::warn!(target: "agent", "method {}: {}", printable(name), answer.words());
        }
        let at = self.shared.clock.now();
        if NAMES.contains(&name) {
            self.shared.report.send_modify(|report| {
                let calls = report.methods.get(name).map_or(0, |method| method.calls) + 1;
                let now = MethodReport { calls, last_at: Some(at), last_status: answer.status };
                report.methods.insert(name.to_owned(), now);
            });
        }
        answer
    }

    async fn answer(&self, name: &str, payload: Value) -> Answer {
        let outcome = match name {
            "capture" => match read::<Nothing>(payload) {
                Ok(_) => self.capture().await,
                Err(answer) => Err(answer),
            },
            "set_interval" => match read(payload) {
                Ok(asked) => self.set_interval(asked).await,
                Err(answer) => Err(answer),
            },
            "diagnose" => match read::<Nothing>(payload) {
                Ok(_) => self.diagnose().await,
                Err(answer) => Err(answer),
            },
            "tail_log" => read(payload).and_then(|asked| self.tail_log(&asked)),
            "restart" => {
                read::<Nothing>(payload).map(|_| Answer { restarts: true, ..Answer::ok(json!({ "restarts": true })) })
            }
            "flush" => match read(payload) {
                Ok(asked) => self.flush(asked).await,
                Err(answer) => Err(answer),
            },
            "deploy_model" => match Wish::read(payload) {
                Ok(wish) => self.order(wish).await,
                Err(answer) => Err(answer),
            },
            "rollback_model" => match read::<Nothing>(payload) {
                Ok(_) => self.order(Wish::Rollback).await,
                Err(answer) => Err(answer),
            },
            other => Err(Answer::new(501, format!("no method {:?}; there are {}", printable(other), NAMES.join(", ")))),
        };
        outcome.unwrap_or_else(|answer| answer)
    }

    async fn capture(&self) -> Result<Answer, Answer> {
        let none = || {
            Answer::new(404, "there is no camera; set camera.command, camera.device, camera.folder or camera.url on it")
        };
        let camera = self.camera.as_ref().ok_or_else(none)?;
        let (reply, answered) = oneshot::channel();
        camera.send(CaptureAsk { reply: Some(reply) }).await.map_err(|_| none())?;
        match answered.await {
            Ok(Ok(picture)) => Ok(Answer::ok(json!({ "blobName": picture.blob_name, "sizeBytes": picture.bytes }))),
            Ok(Err(words)) => Err(Answer::new(500, words)),
            Err(_) => Err(Answer::new(500, "the agent ended before the picture was taken")),
        }
    }

    async fn set_interval(&self, asked: SetInterval) -> Result<Answer, Answer> {
        let accepted = twin::judge("measureEveryS", &asked.seconds)
            .map_err(|words| Answer::new(400, format!("seconds: {words}")))?;
        let seconds = accepted.as_integer().and_then(|seconds| u32::try_from(seconds).ok());
        self.shared.change_twin(|twin| twin.interval_s = seconds).await;
        Ok(Answer::ok(json!({ "seconds": seconds })))
    }

    async fn diagnose(&self) -> Result<Answer, Answer> {
        let aside = self.shared.outbox.set_aside_list(10).await.map_err(|error| Answer::new(500, error.to_string()))?;
        let short = |text: &str| printable(text).chars().take(200).collect::<String>();
        let aside: Vec<_> = aside
            .into_iter()
            .map(|(at, raw, reason)| json!({ "at": at, "reason": short(&reason), "raw": short(&raw) }))
            .collect();
        let mut report = self.shared.report.borrow().clone();
        // The rest is in the report that the device keeps.
        report.received.drain(..report.received.len().saturating_sub(10));
        // The report has the machine already.
        let health = DeviceHealth { machine: None, ..super::health::read(&self.shared, self.shared.clock.now()) };
        Ok(Answer::ok(json!({ "report": report, "health": Message::DeviceHealth(health), "setAside": aside })))
    }

    fn tail_log(&self, asked: &TailLog) -> Result<Answer, Answer> {
        const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
        if !(1..=MAX_LINES).contains(&asked.lines) {
            return Err(Answer::new(400, format!("lines: {} isn't from 1 to {MAX_LINES}", asked.lines)));
        }
        let level = match asked.level.as_deref().map(str::to_ascii_uppercase) {
            Some(level) if !LEVELS.contains(&level.as_str()) => {
                let words = format!("level: {:?} isn't one of {}", printable(&level), LEVELS.join(", "));
                return Err(Answer::new(400, words));
            }
            level => level,
        };
        let Some(tail) = &self.shared.host.tail_log else {
            return Err(Answer::new(404, "this agent keeps no log in memory"));
        };
        let mut lines = Vec::new();
        let mut bytes = 0;
        for line in tail(asked.lines, level.as_deref()).into_iter().rev() {
            let line = json!(line);
            bytes += line.to_string().len() + 1;
            if bytes > MAX_ANSWER {
                break;
            }
            lines.push(line);
        }
        lines.reverse();
        Ok(Answer::ok(json!({ "lines": lines })))
    }

    /// Waits until what is in the outbox now is acknowledged.
    async fn flush(&self, asked: Flush) -> Result<Answer, Answer> {
        if !(1..=MAX_FLUSH_S).contains(&asked.timeout_s) {
            return Err(Answer::new(400, format!("timeoutS: {} isn't from 1 to {MAX_FLUSH_S}", asked.timeout_s)));
        }
        let outbox = &self.shared.outbox;
        let failed = |error: crate::database::DatabaseError| Answer::new(500, error.to_string());
        let until = outbox.newest_seq();
        let mut status = outbox.status();
        let through = async {
            loop {
                status.borrow_and_update();
                if outbox.peek_until(0, until, 1).await?.is_empty() {
                    return Ok(());
                }
                if status.changed().await.is_err() {
                    return Ok(());
                }
            }
        };
        let outcome = tokio::time::timeout(Duration::from_secs(asked.timeout_s), through).await;
        if let Ok(Err(error)) = outcome {
            return Err(failed(error));
        }
        let left = outbox.count_until(until).await.map_err(failed)?;
        Ok(Answer::ok(json!({ "left": left, "held": outbox.status().borrow().held })))
    }

    async fn order(&self, wish: Wish) -> Result<Answer, Answer> {
        let (reply, answered) = oneshot::channel();
        self.slot.send(Order { wish, reply }).await.map_err(|_| Answer::new(500, "the agent is ending"))?;
        answered.await.map_err(|_| Answer::new(409, "another model was asked for before this one was put to work"))
    }
}

/// The payload as the method takes it; nothing stands for an empty one, as does the empty text that Microsoft's service
/// client sends where it is given none. Errors name the field.
fn read<T: serde::de::DeserializeOwned>(payload: Value) -> Result<T, Answer> {
    let payload = if payload.is_null() || payload == "" { json!({}) } else { payload };
    serde_path_to_error::deserialize(payload).map_err(|error| {
        let (field, words) = (error.path().to_string(), printable(&error.inner().to_string()));
        let words = if field == "." { words } else { format!("{}: {words}", printable(&field)) };
        Answer::new(400, words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_empty_in_three_ways_and_whatever_else_is_wrong_is_named() {
        for empty in [Value::Null, json!(""), json!({})] {
            assert!(read::<Nothing>(empty.clone()).is_ok(), "{empty}");
            assert_eq!(read::<TailLog>(empty).expect("defaults").lines, 50);
        }
        for (payload, words) in [
            (json!("now"), "string \"now\""),
            (json!({"seconds": 5, "minutes": 1}), "unknown field `minutes`"),
            (json!({}), "missing field `seconds`"),
        ] {
            let answer = read::<SetInterval>(payload).map(|_| ()).expect_err("refused");
            assert_eq!(answer.status, 400);
            assert!(answer.words().contains(words), "{}", answer.words());
        }
    }
}
