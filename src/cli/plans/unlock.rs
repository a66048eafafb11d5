//! `skydeck unlock`: the state lock is taken from whoever holds it.

use super::confirm::{Answered, confirm};
use super::discard;
use super::ground::Ground;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::owner::{LockHolder, Request};
use crate::station::text::printable;

/// Takes the lock with that id, once it is confirmed.
pub async fn unlock(context: &Context, id: &str, yes: bool) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    let name = &ground.environment;
    let status = ground.known().await?;
    match &status.lock {
        // It may be left behind by a process that was killed, or told to Terraform only.
        None => {}
        Some(lock) if lock.id != id => {
            let words = format!("lock {}: environment {name} is locked by another, {}", printable(id), lock.id);
            return Err(Failure::new(Exit::NotFound, words));
        }
        Some(LockHolder { by_live_run: Some(run), .. }) => {
            let words = format!("lock {id}: run {run} is at work and holds it; `skydeck discard {run}` interrupts it");
            return Err(Failure::new(Exit::Locked, words));
        }
        Some(_) => {}
    }
    if !yes && !confirmed(name.as_str(), id, status.lock.as_ref(), status.emulated)? {
        context.output.line("the lock was left alone")?;
        return Ok(Exit::Done);
    }
    let emulated = if status.emulated { " · EMULATED" } else { "" };
    let request = Request::Unlock { environment: name.clone(), id: id.to_owned() };
    match ground.ask(request).await {
        Ok(answer) => discard::done(context, &format!("{name}{emulated}"), answer),
        Err(error) => Err(error.into()),
    }
}

fn confirmed(name: &str, id: &str, lock: Option<&LockHolder>, emulated: bool) -> Result<bool, Failure> {
    let held =
        lock.map(|lock| format!(", held by {} for {}", printable(&lock.who), lock.purpose())).unwrap_or_default();
    let emulated = if emulated { " (EMULATED)" } else { "" };
    let short: String = id.chars().take(8).collect();
    let question = format!(
        "The state of {name}{emulated} is locked{held}. Two at once can lose what it knows.\nA holder \
         on this machine gets one interrupt and is waited for. Type {short} to take the lock: "
    );
    match confirm(&printable_lines(&question), &[&short, name])? {
        Answered::Yes => Ok(true),
        Answered::No => Ok(false),
        Answered::NoTerminal => {
            let words = "unlock: there is no terminal to confirm on; give --yes once you know that nobody is at work";
            Err(Failure::new(Exit::Usage, words))
        }
    }
}

/// Printable, but for line breaks.
fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}
