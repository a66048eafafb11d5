//! `skydeck runs`: the history, one run, or its log.

use super::follow::line_text;
use super::ground::Ground;
use super::text;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};

/// Lists the newest runs, `most` of them; or writes one whole, or its log.
pub async fn runs(context: &Context, number: Option<u32>, log: bool, most: u32) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    ground.refresh().await;
    match (number, log) {
        (Some(number), true) => write_log(context, &ground, number).await?,
        (Some(number), false) => {
            let run = ground.run(number).await?;
            if context.output.json {
                context.output.json_page(&run)?;
            } else {
                context.output.text(&text::run(&run, context.output))?;
            }
        }
        (None, _) => {
            let status = ground.history(most).await?;
            if context.output.json {
                context.output.json_page(&status)?;
            } else {
                context.output.text(&text::runs(&status, jiff::Timestamp::now()))?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn write_log(context: &Context, ground: &Ground, number: u32) -> Result<(), Failure> {
    // A run that isn't there is said as such.
    ground.run(number).await?;
    let mut after = 0;
    loop {
        let lines = ground.log(number, after).await?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = last.number;
        for line in &lines {
            if context.output.json {
                context.output.json_line(line)?;
            } else {
                context.output.line(&line_text(line))?;
            }
        }
    }
}
