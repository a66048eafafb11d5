//! One partition, read.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::delivery::Delivery;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::link::{LinkStateError, RecvError};
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::SenderSettleMode;
use fe2o3_amqp::types::messaging::{Body, Source};
use fe2o3_amqp::types::primitives::{Symbol, Value};
use futures_util::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use tokio::sync::Mutex;

use super::decode::{Position, Unreadable, decode};
use super::error::EventsError;
use super::intake::Intake;
use super::line::{attach, in_time, lost};
use crate::clock::Clock;

/// Messages that the endpoint may send before more are asked for; more are from half of it on. What waits here is bounded
/// by it: 500 messages of IoT Hub's at most 256 KiB.
pub(super) const CREDIT: u32 = 500;
/// Name and code of Event Hubs' filter.
const FILTER: &str = "apache.org:selector-filter:string";
const FILTER_CODE: u64 = 0x0000_468C_0000_0004;

/// From where a partition is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// Behind a message that was read.
    After(Position),
    /// From what the hub took in at or after a time.
    Time(Timestamp),
}

impl From {
    /// In the words of Event Hubs' selector.
    fn selector(&self) -> String {
        match self {
            Self::After(position) => format!("amqp.annotation.x-opt-sequence-number > '{}'", position.sequence),
            Self::Time(at) => {
                format!("amqp.annotation.x-opt-enqueued-time > '{}'", at.as_millisecond().saturating_sub(1))
            }
        }
    }
}

/// What a receiver answers with, and why it can't go on behind that.
type Received = (Result<Delivery<Body<Value>>, RecvError>, Option<String>);

/// What comes, one after the other. A delivery that is under way isn't lost where nobody waits for it any more, as one of
/// [`Receiver::recv`] is: that takes it off its queue, and answers once credit was given.
fn deliveries(receiver: Receiver) -> impl Stream<Item = Received> {
    stream::unfold(receiver, |mut receiver| async move {
        let delivery = receiver.recv::<Body<Value>>().await;
        let problem = match &delivery {
            // It has used credit up, and the client doesn't know.
            Err(RecvError::MessageDecode(_)) => receiver.set_credit(CREDIT).await.err().map(|error| error.to_string()),
            _ => None,
        };
        Some(((delivery, problem), receiver))
    })
}

/// Reads until the link or the connection ends, or this computer's disk is full. What was read may stay unremembered for
/// `linger`.
pub(super) async fn read(
    mut session: SessionHandle<()>,
    (address, words): (String, String),
    from: From,
    intake: Arc<Mutex<Intake>>,
    clock: Clock,
    linger: Duration,
) -> EventsError {
    let mut intake = intake.lock().await;
    let mut deliveries = match open(&mut session, address, &words, &from).await {
        Ok(receiver) => pin!(deliveries(receiver)),
        Err(error) => return error,
    };
    let mut flush_at = None;
    let ended = loop {
        let due = async {
            match flush_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((delivery, problem)) = deliveries.next() => {
                match delivery {
                    Ok(delivery) => intake.take(decode(delivery.into_message()), clock.now()),
                    Err(RecvError::MessageDecode(error)) => {
                        let reason = format!("it is no AMQP message: {}", super::error::short(&error.source.to_string()));
                        let unreadable = Unreadable { position: None, device: None, reason, body: Vec::new() };
                        intake.take(Err(unreadable), clock.now());
                    }
                    Err(error) => break said(&words, &error),
                }
                if let Some(problem) = problem {
                    break lost(&words, &problem);
                }
            }
            () = due => {
                flush_at = None;
                if let Err(error) = intake.flush().await {
                    return error;
                }
                continue;
            }
        }
        if intake.is_full() {
            flush_at = None;
            if let Err(error) = intake.flush().await {
                return error;
            }
        } else if flush_at.is_none() && intake.is_dirty() {
            flush_at = Some(tokio::time::Instant::now() + linger);
        }
    };
    match intake.flush().await {
        Ok(()) => ended,
        Err(error) => error,
    }
}

async fn open(
    session: &mut SessionHandle<()>,
    address: String,
    words: &str,
    from: &From,
) -> Result<Receiver, EventsError> {
    let filter = Described { descriptor: Descriptor::Code(FILTER_CODE), value: Value::String(from.selector()) };
    let source = Source::builder().address(address).add_to_filter(Symbol::from(FILTER), filter).build();
    let attaching = Receiver::builder()
        .name(format!("skydeck-{}", uuid::Uuid::now_v7().simple()))
        .source(source)
        .sender_settle_mode(SenderSettleMode::Settled)
        .credit_mode(CreditMode::Auto(CREDIT))
        .auto_accept(true)
        .attach(session);
    in_time(words, attaching).await?.map_err(|error| attach(words, error))
}

fn said(words: &str, error: &RecvError) -> EventsError {
    match error {
        RecvError::LinkStateError(
            LinkStateError::RemoteClosedWithError(error) | LinkStateError::RemoteDetachedWithError(error),
        ) => EventsError::said(words, error),
        other => lost(words, &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_said_in_event_hubs_words() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).expect("in range");
        assert_eq!(From::Time(at).selector(), "amqp.annotation.x-opt-enqueued-time > '1700000000122'");
        let position = Position { sequence: 41, enqueued_at: at };
        assert_eq!(From::After(position).selector(), "amqp.annotation.x-opt-sequence-number > '41'");
    }
}
