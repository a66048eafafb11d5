//! `skydeck status`: what each screen shows, as text and JSON.
//!
//! [`content`] asks the owner for it, [`text`] writes it for people.

mod content;
#[cfg(test)]
pub mod fixture;
mod sky;
mod text;

use std::time::Duration;

use super::args::Section;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::host;
use super::signals::Signals;
use crate::owner::{Lamp, OwnerClient, Snapshot};

/// Least time between two writings with `--watch`.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Writes a section; with `watch` at every change, until a signal comes or the owner goes.
pub async fn run(context: &Context, section: Section, watch: bool) -> Result<Exit, Failure> {
    let client = host::attached(context).await?;
    if watch {
        return follow(context, &client, section).await;
    }
    let snapshot = client.snapshots().borrow().clone();
    let content = content::gather(&client, &snapshot, section).await?;
    if context.output.json {
        context.output.json_page(&content)?;
    } else {
        context.output.text(&text::render(&content, context.output))?;
    }
    Ok(if is_healthy(&snapshot) { Exit::Done } else { Exit::Unhealthy })
}

async fn follow(context: &Context, client: &OwnerClient, section: Section) -> Result<Exit, Failure> {
    let output = context.output;
    let mut signals = Signals::catch()?;
    let mut snapshots = client.snapshots();
    let mut written = String::new();
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let content = content::gather(client, &snapshot, section).await?;
        let text = if output.json {
            serde_json::to_string(&content).map_err(std::io::Error::from)? + "\n"
        } else {
            text::render(&content, output) + "\n"
        };
        if text != written {
            output.text(&text)?;
            written = text;
        }
        let pause_then_change = async {
            tokio::time::sleep(WATCH_PAUSE).await;
            snapshots.changed().await
        };
        tokio::select! {
            changed = pause_then_change => if changed.is_err() {
                return Err(Failure::new(Exit::Failed, crate::owner::AskError::Gone));
            },
            exit = signals.next() => return Ok(exit),
        }
    }
}

/// Whether no stage has failed and no alarm is raised, acknowledged or not.
pub fn is_healthy(snapshot: &Snapshot) -> bool {
    snapshot.alarms.is_empty() && snapshot.stages.iter().all(|stage| stage.lamp != Lamp::Failed && !stage.missing)
}
