//! `skydeck hub`: the environment's local hub, through its owner.
//!
//! `text` writes its answers for people, `secret` hands out a connection string.

mod secret;
mod text;

pub use text::twin_text;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{FaultCommand, HubCommand};
use super::context::Context;
use super::exit::{Exit, Failure, unexpected};
use super::{host, speed};
use crate::owner::{Answer, Fault, HubAnswer, HubAsk, OwnerClient, Proof, Request};
use crate::settings::EnvironmentKind;
use crate::station::text::printable;

/// Longest file of desired properties, bytes: IoT Hub's bound on one side of a twin.
const MAX_DESIRED: u64 = 32 * 1024;
/// First status of a method's answer that is a failure.
const FAILED: u16 = 300;

/// Carries out a command.
pub async fn run(context: &Context, command: HubCommand) -> Result<Exit, Failure> {
    is_here(context)?;
    // What is wrong with the command is said before anybody is asked.
    let command = match command {
        HubCommand::ConnectionString { id, service: _, out } => {
            return secret::hand_out(context, id, out.as_deref()).await;
        }
        HubCommand::Twin { id, set, file: Some(file) } => {
            // clap takes one of both.
            drop(set);
            HubCommand::Twin { id, set: Some(desired_in(&file)?), file: None }
        }
        other => other,
    };
    let client = host::attached(context).await?;
    let output = context.output;
    let has_dropped = matches!(command, HubCommand::Fault { fault: Some(FaultCommand::Drop) });
    let answer = match ask_of(command) {
        Asked::Hub(ask) => ask_hub(&client, ask).await?,
        Asked::Done(ask) => {
            let answer = client.ask(Request::Hub(ask)).await?;
            return speed::done(context, &answer);
        }
    };
    if let HubAnswer::Method { status, payload } = &answer {
        if output.json {
            output.json_page(&json!({"status": status, "payload": payload}))?;
        } else {
            output.text(&text::method(*status, payload))?;
        }
        return Ok(if *status < FAILED { Exit::Done } else { Exit::Failed });
    }
    if output.json {
        output.json_page(&content(&answer)?)?;
    } else {
        if has_dropped {
            output.line("every connection is cut; devices connect anew")?;
        }
        let now = client.snapshots().borrow().clock.now();
        output.text(&text::answer(&answer, now, output))?;
    }
    Ok(Exit::Done)
}

/// Asks the hub.
pub(super) async fn ask_hub(client: &OwnerClient, ask: HubAsk) -> Result<HubAnswer, Failure> {
    match client.ask(Request::Hub(ask)).await? {
        Answer::Hub(answer) => Ok(answer),
        _ => Err(unexpected()),
    }
}

/// Refuses an environment whose hub isn't ours.
fn is_here(context: &Context) -> Result<(), Failure> {
    if context.environment.kind() != EnvironmentKind::Cloud {
        return Ok(());
    }
    let words = format!(
        "environment {}: `skydeck hub` is for the hub of demo and local; for Azure's use `az iot hub device-identity`, `az iot hub device-twin` and `az iot hub invoke-device-method`",
        context.environment
    );
    Err(Failure::new(Exit::Usage, words))
}

/// What is asked, and how it is answered.
enum Asked {
    /// With something to show.
    Hub(HubAsk),
    /// With what was done, in words.
    Done(HubAsk),
}

fn ask_of(command: HubCommand) -> Asked {
    Asked::Hub(match command {
        HubCommand::Devices => HubAsk::Devices,
        HubCommand::Show { id } => HubAsk::Device { id },
        HubCommand::Add { id, x509_thumbprint, ca } => {
            let proof = match (x509_thumbprint, ca) {
                (Some(thumbprint), _) => Proof::Thumbprint { thumbprint },
                (None, true) => Proof::Authority,
                (None, false) => Proof::Key,
            };
            HubAsk::Add { id, proof }
        }
        HubCommand::Remove { id } => return Asked::Done(HubAsk::Remove { id }),
        HubCommand::Enable { id } => return Asked::Done(HubAsk::Enable { id, enabled: true }),
        HubCommand::Disable { id } => return Asked::Done(HubAsk::Enable { id, enabled: false }),
        HubCommand::ConnectionString { id, .. } => HubAsk::ConnectionString { id },
        HubCommand::Twin { id, set: None, .. } => HubAsk::Twin { id },
        HubCommand::Twin { id, set: Some(patch), .. } => HubAsk::Desire { id, patch },
        HubCommand::Method { id, name, payload, timeout } => {
            HubAsk::Method { id, name, payload: payload.unwrap_or(Value::Null), timeout_s: timeout }
        }
        HubCommand::Send { id, text, property, command } => {
            let mut properties: BTreeMap<String, String> = property.into_iter().collect();
            properties.extend(command.map(|name| ("command".to_owned(), name)));
            return Asked::Done(HubAsk::Send { id, text, properties });
        }
        HubCommand::Fault { fault: None } => HubAsk::Faults,
        HubCommand::Fault { fault: Some(fault) } => HubAsk::Fault { fault: fault_of(fault) },
    })
}

const fn fault_of(fault: FaultCommand) -> Fault {
    match fault {
        FaultCommand::Refuse => Fault::Refuse,
        FaultCommand::Slow(slow) => Fault::Slow { ms: slow.ms },
        FaultCommand::Throttle(throttle) => Fault::Throttle { per_s: throttle.per_s },
        FaultCommand::HalfOpen => Fault::HalfOpen,
        FaultCommand::Clock(clock) => Fault::Clock { seconds: clock.seconds },
        FaultCommand::Drop => Fault::Drop,
        FaultCommand::None => Fault::None,
    }
}

/// The answer without its tag.
fn content(answer: &HubAnswer) -> Result<Value, Failure> {
    let written = match answer {
        HubAnswer::Devices { devices } => serde_json::to_value(devices),
        HubAnswer::Device { device } => serde_json::to_value(device),
        HubAnswer::Twin { twin } => serde_json::to_value(twin),
        HubAnswer::Faults { faults } => serde_json::to_value(faults),
        HubAnswer::ConnectionString { .. } | HubAnswer::Method { .. } => return Err(unexpected()),
    };
    written.map_err(|error| Failure::new(Exit::Failed, error))
}

/// The desired properties in a file.
fn desired_in(path: &Path) -> Result<Value, Failure> {
    let name = printable(&path.display().to_string());
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(
            Exit::NotFound,
            format!("{name}: no such file; check its name, or give the properties by --set"),
        ),
        _ => Failure::new(Exit::Failed, format!("{name}: {error}; check that it can be read")),
    };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_DESIRED {
        let words = format!("{name}: {bytes} bytes; a twin's desired properties have at most {MAX_DESIRED}");
        return Err(Failure::new(Exit::Usage, words));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    match serde_json::from_str::<Value>(&text) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => {
            Err(Failure::new(Exit::Usage, format!("{name}: a JSON object is expected, as {{\"measureEveryS\": 60}}")))
        }
        Err(error) => Err(Failure::new(Exit::Usage, format!("{name}: not JSON: {error}"))),
    }
}
