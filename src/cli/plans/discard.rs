//! `skydeck discard`: a plan that isn't wanted, or an interrupt for a run at work.

use super::confirm::{Answered, confirm};
use super::ground::Ground;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::owner::{Answer, Request, Run};
use crate::station::text::printable;

/// Ends a run; without a number, the newest that hasn't ended.
/// `gone` ends one in the stead of a machine that is gone, without a question where it is true.
pub async fn discard(context: &Context, number: Option<u32>, gone: Option<bool>) -> Result<Exit, Failure> {
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
    let run = ground.run(number).await?;
    let title = run.title();
    let environment = ground.environment.clone();
    if gone == Some(false) && !is_gone(&run)? {
        context.output.line(&format!("{title}: nothing was ended"))?;
        return Ok(Exit::Done);
    }
    let request = match gone {
        Some(_) => Request::EndElsewhere { environment, number },
        None => Request::CancelRun { environment, number },
    };
    done(context, &title, ground.ask(request).await?)
}

/// Asks whether the machine that carries a run out is gone: an apply that goes on there would be told of as failed.
fn is_gone(run: &Run) -> Result<bool, Failure> {
    let home = run.home.as_deref().unwrap_or("this machine");
    let name = run.environment.to_string();
    let question = format!(
        "{} is {} on {}. Nobody may be at work there any more, and nobody hold the state's lock.\nType {name} to end it: ",
        run.title(),
        run.phase.label(),
        printable(home)
    );
    match confirm(&question, &[name.as_str()])? {
        Answered::Yes => Ok(true),
        Answered::No => Ok(false),
        Answered::NoTerminal => {
            let words = format!("{}: there is no terminal to confirm on that {home} is gone; give --yes", run.title());
            Err(Failure::new(Exit::Usage, words))
        }
    }
}

/// Writes what was done, and to what.
pub fn done(context: &Context, what: &str, answer: Answer) -> Result<Exit, Failure> {
    let Answer::Done { message } = answer else { return Err(unexpected()) };
    if context.output.json {
        context.output.json_line(&serde_json::json!({ "what": what, "done": message }))?;
    } else {
        // What it is about stands before it already.
        let words = match message.split_once(": ") {
            Some((run, words)) if run.starts_with("run ") => words,
            _ => &message,
        };
        context.output.line(&format!("{what}: {}", printable(words)))?;
    }
    Ok(Exit::Done)
}
