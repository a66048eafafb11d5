//! `skydeck demo reset`: the demo begins anew.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::host;
use crate::owner::archive;

/// Deletes the demo's data once that is confirmed.
pub async fn reset(context: &Context, yes: bool) -> Result<Exit, Failure> {
    if let Some(client) = host::attach(context).await? {
        let pid = client.snapshots().borrow().owner.pid;
        let words = format!("environment demo: owned by the running process {pid}; end it first (`kill {pid}`)");
        return Err(Failure::new(Exit::Locked, words));
    }
    if !yes && !confirmed(context)? {
        context.output.line("nothing was deleted")?;
        return Ok(Exit::Done);
    }
    let deleted = archive::delete(&context.folders)?;
    let data = context.folders.data.display().to_string();
    if context.output.json {
        context.output.json_line(&serde_json::json!({ "deleted": deleted, "dataDir": data }))?;
    } else if deleted {
        context.output.line(&format!("deleted {data}; `skydeck` begins the demo anew"))?;
    } else {
        context.output.line(&format!("{data}: nothing there to delete"))?;
    }
    Ok(Exit::Done)
}

fn confirmed(context: &Context) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        let words = "demo reset: there is no terminal to ask on; give --yes to delete without asking";
        return Err(Failure::new(Exit::Usage, words));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Delete the demo's data in {}? [y/N] ", context.folders.data.display())?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
