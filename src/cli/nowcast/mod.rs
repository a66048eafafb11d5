//! `skydeck nowcast`: packages made and looked at here, published and put to work through the owner.
//!
//! `text` writes its answers for people.

mod text;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::args::Nowcast;
use super::context::Context;
use super::exit::{Exit, Failure, unexpected};
use super::host;
use crate::owner::models::{DeviceModel, ModelAnswer, ModelAsk, PackError, inspect, pack};
use crate::owner::{Answer, OwnerClient, Request};
use crate::settings::EnvironmentKind;

/// First status of a device's answer that is a failure.
const FAILED: u16 = 300;
/// How often a device's twin is looked at while a model is on its way.
const LOOK: Duration = Duration::from_secs(1);

/// Carries out a command.
pub async fn run(context: &Context, command: Nowcast) -> Result<Exit, Failure> {
    match command {
        Nowcast::Pack { folder, out, key } => packed(context, &folder, &out, key.as_deref()),
        Nowcast::Inspect { file } => {
            let trusted = context.loaded.settings.model.trusted_keys.as_deref();
            let inspection = inspect(&file, trusted).map_err(failure)?;
            if context.output.json {
                context.output.json_page(&inspection)?;
            } else {
                context.output.text(&text::inspection(&inspection, context.output))?;
            }
            Ok(if inspection.is_trusted == Some(false) { Exit::Failed } else { Exit::Done })
        }
        Nowcast::Publish { file } => {
            // The owner has another working folder.
            let file = std::path::absolute(&file).unwrap_or(file);
            asked(context, ModelAsk::Publish { file }).await
        }
        Nowcast::Deploy { model: (name, version), device, wait } => {
            let device = device_of(context, device);
            let ask = ModelAsk::Deploy { device: device.clone(), name, version };
            deployed(context, ask, &device, Duration::from_secs(u64::from(wait))).await
        }
        Nowcast::Rollback { device } => {
            let device = device_of(context, device);
            asked(context, ModelAsk::Rollback { device }).await
        }
        Nowcast::Models => asked(context, ModelAsk::List).await,
    }
}

fn device_of(context: &Context, device: Option<String>) -> String {
    device.unwrap_or_else(|| context.loaded.settings.station.device_id.clone())
}

fn packed(context: &Context, folder: &Path, out: &Path, key: Option<&Path>) -> Result<Exit, Failure> {
    let (bytes, inspection) = pack(folder, key, Timestamp::now()).map_err(failure)?;
    let unwritable = |error: std::io::Error| {
        let words = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "it is there already; name one that isn't there yet".to_owned(),
            _ => format!("{error}; check the folder and its permissions"),
        };
        Failure::new(Exit::Failed, format!("{}: {words}", out.display()))
    };
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(out).map_err(unwritable)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(unwritable)?;
    if context.output.json {
        context.output.json_page(&inspection)?;
    } else {
        context.output.text(&text::inspection(&inspection, context.output))?;
    }
    Ok(Exit::Done)
}

/// Asks the owner, writes what it answers.
async fn asked(context: &Context, ask: ModelAsk) -> Result<Exit, Failure> {
    let client = attached(context).await?;
    let answer = ask_models(&client, ask).await?;
    written(context, &answer)
}

fn written(context: &Context, answer: &ModelAnswer) -> Result<Exit, Failure> {
    if context.output.json {
        context.output.json_page(answer)?;
    } else {
        context.output.text(&text::answer(answer, context.output))?;
    }
    match answer {
        ModelAnswer::Asked { status, .. } if *status >= FAILED => Ok(Exit::Failed),
        _ => Ok(Exit::Done),
    }
}

/// Asks for a model, and waits until the device says what came of it.
async fn deployed(context: &Context, ask: ModelAsk, device: &str, wait: Duration) -> Result<Exit, Failure> {
    let client = attached(context).await?;
    let answer = ask_models(&client, ask).await?;
    let ModelAnswer::Asked { model: Some(model), status, payload, .. } = &answer else { return Err(unexpected()) };
    if *status != 202 || wait.is_zero() {
        return written(context, &answer);
    }
    let followed = tokio::time::timeout(wait, follow(&client, device, model, payload["askedAt"].as_str())).await;
    let Ok(stands) = followed else {
        let words = format!(
            "device {device}: {model} isn't at work after {} s; `skydeck nowcast models` says how it stands",
            wait.as_secs()
        );
        return Err(Failure::new(Exit::Failed, words));
    };
    let stands = stands?;
    if context.output.json {
        context.output.json_page(&stands)?;
    } else {
        context.output.text(&text::device(&stands, context.output))?;
    }
    Ok(if stands.current.as_deref() == Some(model) { Exit::Done } else { Exit::Failed })
}

/// Waits until `model` is at work on the device, or has failed on its way since it was asked for at `asked_at`: a twin may
/// still tell of an earlier failure.
async fn follow(
    client: &OwnerClient,
    device: &str,
    model: &str,
    asked_at: Option<&str>,
) -> Result<DeviceModel, Failure> {
    loop {
        let ModelAnswer::Models { devices, .. } = ask_models(client, ModelAsk::List).await? else {
            return Err(unexpected());
        };
        if let Some(stands) = devices.into_iter().find(|stands| stands.device == device) {
            let coming = stands.deploying.as_ref().filter(|coming| coming.asked_at.as_deref() == asked_at);
            if stands.current.as_deref() == Some(model) || coming.is_some_and(|coming| coming.state == "failed") {
                return Ok(stands);
            }
        }
        // Twins of devices elsewhere are told of by nobody.
        tokio::time::sleep(LOOK).await;
    }
}

async fn ask_models(client: &OwnerClient, ask: ModelAsk) -> Result<ModelAnswer, Failure> {
    match client.ask(Request::Models(ask)).await? {
        Answer::Models(answer) => Ok(answer),
        _ => Err(unexpected()),
    }
}

/// The owner of an environment whose hub is ours.
async fn attached(context: &Context) -> Result<OwnerClient, Failure> {
    if context.environment.kind() == EnvironmentKind::Cloud {
        let words = format!(
            "environment {}: models are published and deployed in demo and local only; elsewhere put the package into the models container and call deploy_model with a link to it",
            context.environment
        );
        return Err(Failure::new(Exit::Usage, words));
    }
    host::attached(context).await
}

fn failure(error: PackError) -> Failure {
    let exit = if matches!(error, PackError::NotThere(_)) { Exit::NotFound } else { Exit::Failed };
    Failure::new(exit, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_ends_with_9_and_what_does_not_hold_with_1() {
        assert_eq!(failure(PackError::NotThere("roof".into())).exit, Exit::NotFound);
        assert_eq!(failure(PackError::Key("no".into())).exit, Exit::Failed);
    }
}
