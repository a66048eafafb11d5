//! `skydeck alarms`: list them, acknowledge one.

use super::args::{AlarmAction, Section};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::{host, speed, status};
use crate::owner::Request;
use crate::station::text::printable;

/// Lists or acknowledges.
pub async fn run(context: &Context, action: Option<AlarmAction>) -> Result<Exit, Failure> {
    match action {
        None | Some(AlarmAction::List) => status::run(context, Section::Alarms, false).await,
        Some(AlarmAction::Ack { rule }) => acknowledge(context, rule).await,
    }
}

async fn acknowledge(context: &Context, rule: String) -> Result<Exit, Failure> {
    let client = host::attached(context).await?;
    let raised: Vec<_> = client.snapshots().borrow().alarms.iter().map(|alarm| alarm.rule.clone()).collect();
    if !raised.contains(&rule) {
        let known = if raised.is_empty() { "none".to_owned() } else { raised.join(", ") };
        let words = format!("alarm {}: not raised; raised now: {known}", printable(&rule));
        return Err(Failure::new(Exit::NotFound, words));
    }
    let answer = client.ask(Request::AcknowledgeAlarm { rule }).await?;
    speed::done(context, &answer)
}
