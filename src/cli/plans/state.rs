//! `skydeck state` and `skydeck outputs`: what the state holds.

use super::ground::Ground;
use super::{discard, text};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::owner::{Answer, AskError, Request, command};
use crate::settings::{EnvironmentKind, EnvironmentName};

/// Whether a name's providers are emulated.
fn is_emulated(environment: &EnvironmentName) -> bool {
    environment.kind() != EnvironmentKind::Cloud
}

/// Lists the state's addresses, or shows one resource.
pub async fn state(context: &Context, address: Option<String>) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    let (name, emulated) = (&ground.environment, is_emulated(&ground.environment));
    let Some(address) = address else {
        let state = ground.state().await?;
        if context.output.json {
            context.output.json_page(&serde_json::json!({
                "environment": name, "emulated": emulated, "serial": state.serial, "resources": state.resources,
            }))?;
        } else {
            context.output.text(&text::state(name, emulated, &state))?;
        }
        return Ok(Exit::Done);
    };
    let request = Request::StateShow { environment: name.clone(), address: address.clone() };
    let shown = match ground.ask(request).await {
        Ok(Answer::StateShow { text }) => text,
        Ok(_) => return Err(unexpected()),
        Err(error) => return Err(not_shown(&ground, &address, error).await),
    };
    if context.output.json {
        context.output.json_page(&serde_json::json!({
            "environment": name, "emulated": emulated, "address": address, "text": shown,
        }))?;
    } else {
        let head = if emulated { format!("# {name}, EMULATED\n") } else { format!("# {name}\n") };
        context.output.text(&format!("{head}{}", text::lines(&shown)))?;
    }
    Ok(Exit::Done)
}

/// Puts a state in place that an apply couldn't write.
pub async fn recover(context: &Context) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    let answer = ground.ask(Request::RecoverState { environment: ground.environment.clone() }).await?;
    discard::done(context, &ground.title(), answer)
}

/// Why a resource can't be shown: mostly because it isn't there, which Terraform says at length.
async fn not_shown(ground: &Ground, address: &str, error: AskError) -> Failure {
    let name = &ground.environment;
    let list = command(name, "state");
    match ground.state().await {
        Ok(state) if !state.resources.iter().any(|resource| resource.address == address) => {
            let words = format!("{address}: the state of {name} has no such address; {list} lists them");
            Failure::new(Exit::NotFound, words)
        }
        _ => error.into(),
    }
}

/// Lists the outputs.
pub async fn outputs(context: &Context) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    let (name, emulated) = (&ground.environment, is_emulated(&ground.environment));
    let state = ground.state().await?;
    if context.output.json {
        context.output.json_page(&serde_json::json!({
            "environment": name, "emulated": emulated, "serial": state.serial, "outputs": state.outputs,
        }))?;
    } else {
        context.output.text(&text::outputs(name, emulated, &state))?;
    }
    Ok(Exit::Done)
}
