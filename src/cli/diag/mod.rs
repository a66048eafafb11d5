//! `skydeck diag`: how the device is, on a full screen, as text or as JSON; and a bundle for support.

mod text;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::args::{Diag, DiagAction};
use super::config;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::signals::Signals;
use crate::diag;
use crate::owner::{DeviceDesk, Diagnosis};

/// Shows the device, or writes how it is. Ends with 7 where anything is wrong.
pub async fn run(context: &Context, command: Diag) -> Result<Exit, Failure> {
    let settings = config::as_toml(&context.loaded, true, Output { json: false, color: false });
    let desk = context.desk().with_settings_text(settings);
    let output = context.output;
    if let Some(DiagAction::Bundle { out }) = command.action {
        return bundle(&desk, out, output).await;
    }
    if let Some(seconds) = command.watch {
        return watch(&desk, Duration::from_secs(seconds.into()), command.test_link, output).await;
    }
    let is_shown = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if is_shown && !command.once && !output.json && !command.test_link {
        diag::run(desk, context.no_color()).await.map_err(|error| Failure::new(Exit::Failed, error))?;
        return Ok(Exit::Done);
    }
    if command.test_link {
        test(&desk).await?;
    }
    let diagnosis = diagnose(&desk, false).await?;
    if output.json {
        output.json_page(&diagnosis)?;
    } else {
        output.text(&text::render(&diagnosis, output))?;
    }
    Ok(if diagnosis.is_well() { Exit::Done } else { Exit::Unhealthy })
}

/// Writes it at each change, at most `every` so often; over SSH that is what bounds the bytes.
async fn watch(desk: &DeviceDesk, every: Duration, test_link: bool, output: Output) -> Result<Exit, Failure> {
    let mut signals = Signals::catch()?;
    if test_link {
        tokio::select! {
            tested = test(desk) => tested?,
            exit = signals.next() => return Ok(exit),
        }
    }
    let mut wait = false;
    loop {
        let next = async {
            let diagnosis = diagnose(desk, wait).await?;
            if output.json {
                output.json_line(&diagnosis)?;
            } else {
                output.text(&(text::render(&diagnosis, output) + "\n"))?;
            }
            tokio::time::sleep(every).await;
            Ok::<_, Failure>(())
        };
        tokio::select! {
            written = next => written?,
            exit = signals.next() => return Ok(exit),
        }
        wait = true;
    }
}

async fn bundle(desk: &DeviceDesk, out: Option<PathBuf>, output: Output) -> Result<Exit, Failure> {
    test(desk).await?;
    let path = desk.write_bundle(out, Timestamp::now()).await.map_err(|error| Failure::new(Exit::Failed, error))?;
    if output.json {
        output.json_line(&serde_json::json!({ "file": path }))?;
    } else {
        output.line(&format!("wrote {}; read it before you send it", path.display()))?;
    }
    Ok(Exit::Done)
}

/// What the test finds is in the diagnosis that follows.
async fn test(desk: &DeviceDesk) -> Result<(), Failure> {
    desk.test_link().await.map(drop).map_err(|words| Failure::new(Exit::Failed, words))
}

async fn diagnose(desk: &DeviceDesk, wait: bool) -> Result<Diagnosis, Failure> {
    desk.diagnose(wait).await.map_err(|words| Failure::new(Exit::Failed, words))
}
