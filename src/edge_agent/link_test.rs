//! The whole way to the hub, tried on request: the steps beside the link, then the link itself.
//!
//! The device may have one connection, and a newer one would end it: so signing in and sending are tried on the link's
//! own. A link that waits between two attempts tries at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outbox::Dated;
use super::shared::Shared;
use super::uplink::meter::Meter;
use super::uplink::probe::probe;
use super::uplink::{LinkStep, LinkTest, StepName, StepOutcome, UplinkSettings, connection};
use crate::station::Message;

/// How long the link has to sign in.
const SIGN_IN: Duration = Duration::from_secs(20);
/// How long a message has to be acknowledged.
const PUBLISH: Duration = Duration::from_secs(20);

/// What has the agent try its way to the hub; clones share it.
#[derive(Debug, Clone)]
pub struct LinkTester {
    pub(super) shared: Arc<Shared>,
}

impl LinkTester {
    /// Tries the way; `None` where the agent has no link. Sends a `DeviceHealth` of now, as the agent does by itself each
    /// few minutes. Takes a minute and a half at most.
    pub async fn run(&self) -> Option<LinkTest> {
        let settings = self.shared.link_settings()?;
        let mut test = probe(&settings, &self.shared.meter).await;
        test.steps.push(self.sign_in().await);
        let is_in = test.steps.last().is_some_and(|step| step.outcome != StepOutcome::Failed);
        test.steps.push(if is_in {
            self.publish().await
        } else {
            LinkStep::new(StepName::Publish, StepOutcome::Skipped, "the device isn't signed in")
        });
        Some(test)
    }

    async fn sign_in(&self) -> LinkStep {
        let since = Instant::now();
        let mut uplink = self.shared.uplink.subscribe();
        let standing = uplink.borrow_and_update().clone();
        if standing.connected {
            let way = standing.transport.map(|way| format!(" by {}", way.name())).unwrap_or_default();
            let words = format!("the device is signed in{way}: connection {} since the start", standing.connects);
            return LinkStep::new(StepName::SignIn, StepOutcome::Ok, words);
        }
        self.shared.try_link.notify_one();
        let tried = async {
            while uplink.changed().await.is_ok() {
                let now = uplink.borrow_and_update().clone();
                if now.connected {
                    return LinkStep::new(StepName::SignIn, StepOutcome::Ok, "the device has signed in").after(since);
                }
            }
            LinkStep::new(StepName::SignIn, StepOutcome::Failed, "the agent is ending")
        };
        match tokio::time::timeout(SIGN_IN, tried).await {
            Ok(step) => step,
            Err(_) => {
                let words = self.shared.uplink.borrow().last_error.clone();
                let words = words.unwrap_or_else(|| "the hub doesn't answer; check that it runs".to_owned());
                LinkStep::new(StepName::SignIn, StepOutcome::Failed, words).after(since)
            }
        }
    }

    /// Sends a health message and waits for its PUBACK, upon which it leaves the outbox.
    async fn publish(&self) -> LinkStep {
        if let Some(until) = self.shared.uplink.borrow().waits_until {
            let words = format!("nothing is sent until {until}: the day's quota or budget is used up");
            return LinkStep::new(StepName::Publish, StepOutcome::Skipped, words);
        }
        let shared = &self.shared;
        let moment = shared.machine.now();
        let stamp = shared.stamp(moment);
        if stamp.is_some_and(|stamp| stamp.held) {
            let words = "this machine's clock isn't set: what is measured is held until it is; set it";
            return LinkStep::new(StepName::Publish, StepOutcome::Skipped, words);
        }
        let health = super::health::read(shared, shared.clock.now());
        let id = health.message_id.clone();
        let mut outbox = shared.outbox.status();
        let since = Instant::now();
        let failed = |words: String| LinkStep::new(StepName::Publish, StepOutcome::Failed, words).after(since);
        let message = Dated { message: Message::DeviceHealth(health), stamp };
        if let Err(error) = shared.outbox.append_dated(vec![message], Vec::new()).await {
            return failed(format!("a message can't be put into the outbox: {error}"));
        }
        let acknowledged = async {
            loop {
                outbox.borrow_and_update();
                match shared.outbox.find(id.as_str()).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(_)) => {}
                    Err(error) => return Err(error.to_string()),
                }
                if outbox.changed().await.is_err() {
                    return Err("the agent is ending".to_owned());
                }
            }
        };
        match tokio::time::timeout(PUBLISH, acknowledged).await {
            Ok(Ok(())) => {
                LinkStep::new(StepName::Publish, StepOutcome::Ok, "a health message was acknowledged by the hub")
                    .after(since)
            }
            Ok(Err(words)) => failed(words),
            Err(_) => {
                let seconds = PUBLISH.as_secs();
                failed(format!("the hub acknowledged nothing within {seconds} s; what is sent waits in the outbox"))
            }
        }
    }
}

/// Tries the way of an agent that doesn't run: the steps beside a link, and signing in on a connection of its own.
/// Whoever calls it knows that no agent of this device runs on this machine; one elsewhere would be cut off for a moment.
pub async fn without_agent(settings: &UplinkSettings) -> LinkTest {
    let meter = Meter::default();
    let mut test = probe(settings, &meter).await;
    test.steps.push(if test.failed().is_some() {
        LinkStep::new(StepName::SignIn, StepOutcome::Skipped, "what comes before it failed")
    } else {
        sign_in_once(settings, &meter).await
    });
    test.steps.push(LinkStep::new(StepName::Publish, StepOutcome::Skipped, "no agent runs that has something to send"));
    test
}

/// Signs in and leaves.
async fn sign_in_once(settings: &UplinkSettings, meter: &Meter) -> LinkStep {
    let since = Instant::now();
    match tokio::time::timeout(SIGN_IN, connection::sign_in_once(settings, meter)).await {
        Ok(Ok(way)) => {
            let words = format!("the hub takes the device for itself, by {}", way.name());
            LinkStep::new(StepName::SignIn, StepOutcome::Ok, words)
        }
        Ok(Err(words)) => LinkStep::new(StepName::SignIn, StepOutcome::Failed, words),
        Err(_) => LinkStep::new(StepName::SignIn, StepOutcome::Failed, "the hub doesn't answer; check that it runs"),
    }
    .after(since)
}
