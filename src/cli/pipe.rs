//! `skydeck pipe`: what is done with pipes and files, over the owner.

use super::args::PipeCommand;
use super::context::Context;
use super::exit::{Exit, Failure, unexpected};
use super::{host, speed};
use crate::owner::{Answer, Request, WarehouseAsk};

/// Carries it out.
pub async fn run(context: &Context, command: PipeCommand) -> Result<Exit, Failure> {
    let client = host::attached(context).await?;
    let request = match command {
        PipeCommand::Pause { pipe } => Request::PausePipe { pipe, paused: true },
        PipeCommand::Resume { pipe, force: false } => Request::PausePipe { pipe, paused: false },
        PipeCommand::Resume { pipe, force: true } => Request::Warehouse(WarehouseAsk::ForceResume { pipe }),
        PipeCommand::Refresh { pipe, prefix: None, since: None } => Request::RefreshPipe { pipe },
        PipeCommand::Refresh { pipe, prefix, since } => {
            Request::Warehouse(WarehouseAsk::Refresh { pipe, prefix, since })
        }
        PipeCommand::Validate { file } => Request::Warehouse(WarehouseAsk::Validate { file }),
        PipeCommand::Look => Request::Warehouse(WarehouseAsk::LookNow),
        PipeCommand::Line { file, line } => {
            let Answer::FileLine { text } = client.ask(Request::FileLine { file, line }).await? else {
                return Err(unexpected());
            };
            if context.output.json {
                context.output.json_line(&serde_json::json!({ "line": line, "text": text }))?;
            } else {
                context.output.line(&text)?;
            }
            return Ok(Exit::Done);
        }
    };
    let answer = client.ask(request).await?;
    speed::done(context, &answer)
}
