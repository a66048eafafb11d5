//! `skydeck audit`: the trail, and whether it is as it was written.

use super::ground::Ground;
use super::text::instant;
use crate::cli::args::AuditAction;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Paint;
use crate::cli::status::unexpected;
use crate::cli::table::{Align, table};
use crate::owner::{Answer, AuditEntry, Request};
use crate::station::text::printable;

/// Lists the trail's newest entries after a number, or verifies all of it.
pub async fn audit(context: &Context, action: Option<AuditAction>, after: u64, limit: u16) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    ground.refresh().await;
    match action {
        Some(AuditAction::Verify) => verify(context, &ground).await,
        None => list(context, &ground, after, limit).await,
    }
}

async fn list(context: &Context, ground: &Ground, after: u64, limit: u16) -> Result<Exit, Failure> {
    let request = Request::Audit { environment: ground.environment.clone(), after, limit: limit.into() };
    let Answer::Audit { entries } = ground.ask(request).await? else { return Err(unexpected()) };
    if context.output.json {
        for entry in &entries {
            context.output.json_line(entry)?;
        }
    } else if entries.is_empty() {
        context.output.line(&format!("{}: no entry after {after}", ground.title()))?;
    } else {
        context.output.text(&format!("{}\n{}", ground.title(), text(&entries)))?;
    }
    Ok(Exit::Done)
}

/// The entries as a table.
fn text(entries: &[AuditEntry]) -> String {
    let row = |entry: &AuditEntry| {
        vec![
            entry.number.to_string(),
            instant(entry.at),
            printable(&entry.who),
            entry.event.label().to_owned(),
            entry.run.map_or_else(|| "-".to_owned(), |run| run.to_string()),
            printable(&entry.shown()),
        ]
    };
    let columns = [
        ("number", Align::Right),
        ("at", Align::Left),
        ("who", Align::Left),
        ("event", Align::Left),
        ("run", Align::Right),
        ("", Align::Left),
    ];
    table(&columns, &entries.iter().map(row).collect::<Vec<_>>())
}

async fn verify(context: &Context, ground: &Ground) -> Result<Exit, Failure> {
    let environment = ground.environment.clone();
    let Answer::AuditVerdict { entries, faults } =
        ground.ask(Request::VerifyAudit { environment: environment.clone() }).await?
    else {
        return Err(unexpected());
    };
    let s = if entries == 1 { "entry" } else { "entries" };
    if context.output.json {
        context.output.json_line(&serde_json::json!({
            "environment": environment, "entries": entries, "intact": faults.is_empty(), "faults": faults,
        }))?;
    } else if faults.is_empty() {
        let intact = context.output.paint(Paint::Ok, "unbroken");
        context.output.line(&format!("{}: {entries} {s}, {intact}", ground.title()))?;
    } else {
        for fault in &faults {
            context.output.line(&context.output.paint(Paint::Fail, &printable(fault)))?;
        }
    }
    if faults.is_empty() {
        return Ok(Exit::Done);
    }
    let words = format!(
        "audit trail of {environment}: broken at {} of {entries} {s}; keep it as it is and compare it with a backup or the run store",
        faults.len()
    );
    Err(Failure::new(Exit::Failed, words))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_trail_is_a_line_an_entry() {
        insta::assert_snapshot!("audit", text(&fixture::trail()));
    }
}
