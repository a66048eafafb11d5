//! `skydeck speed`: the replay's speed, while it runs.

use super::context::Context;
use super::exit::{Exit, Failure, unexpected};
use super::host;
use crate::owner::{Answer, Request};

/// Sets it.
pub async fn run(context: &Context, speed: u32) -> Result<Exit, Failure> {
    let client = host::attached(context).await?;
    let answer = client.ask(Request::SetSpeed { speed }).await?;
    done(context, &answer)
}

/// Writes what a command did.
pub fn done(context: &Context, answer: &Answer) -> Result<Exit, Failure> {
    let Answer::Done { message } = answer else {
        return Err(unexpected());
    };
    if context.output.json {
        context.output.json_line(&serde_json::json!({ "done": message }))?;
    } else {
        context.output.line(message)?;
    }
    Ok(Exit::Done)
}
