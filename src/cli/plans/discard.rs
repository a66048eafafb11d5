//! `skydeck discard`: a plan that isn't wanted, or an interrupt for a run at work.

use super::ground::Ground;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::status::unexpected;
use crate::owner::{Answer, Request};
use crate::station::text::printable;

/// Ends a run; without a number, the newest that hasn't ended.
/// `gone` ends one in the stead of a machine that is gone.
pub async fn discard(context: &Context, number: Option<u32>, gone: bool) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    ground.refresh().await;
    let number = match number {
        Some(number) => number,
        None => {
            let status = ground.known().await?;
            let open = status.runs.iter().find(|run| !run.phase.is_end());
            let none = || {
                let words =
                    format!("environment {}: every run has ended; `skydeck runs` lists them", ground.environment);
                Failure::new(Exit::NotFound, words)
            };
            open.ok_or_else(none)?.number
        }
    };
    let title = ground.run(number).await?.title();
    let environment = ground.environment.clone();
    let request =
        if gone { Request::EndElsewhere { environment, number } } else { Request::CancelRun { environment, number } };
    done(context, &title, ground.ask(request).await?)
}

/// Writes what was done, and to what.
pub fn done(context: &Context, what: &str, answer: Answer) -> Result<Exit, Failure> {
    let Answer::Done { message } = answer else { return Err(unexpected()) };
    if context.output.json {
        context.output.json_line(&serde_json::json!({ "what": what, "done": message }))?;
    } else {
        context.output.line(&format!("{what}: {}", printable(&message)))?;
    }
    Ok(Exit::Done)
}
