//! `skydeck audit`: the trail, and whether it is as it was written.

use super::ground::Ground;
use super::text::instant;
use crate::cli::args::AuditAction;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::cli::output::Paint;
use crate::cli::table::{Align, table};
use crate::owner::{Answer, AuditEntry, Request};
use crate::settings::EnvironmentName;
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
    Err(Failure::new(Exit::Failed, broken(&environment, faults.len(), entries)))
}

fn broken(environment: &EnvironmentName, faults: usize, entries: u64) -> String {
    let counted = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let faults = counted(u64::try_from(faults).unwrap_or(u64::MAX), "fault", "faults");
    let readable = match entries {
        0 => "none of its entries can be read".to_owned(),
        entries => format!("{} can be read", counted(entries, "entry", "entries")),
    };
    format!(
        "audit trail of {environment}: broken, {faults}, {readable}; keep it as it is and compare it with a backup or the run store"
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_broken_trail_is_told_in_words_that_fit_its_numbers() {
        let words = |faults, entries| broken(&EnvironmentName::demo(), faults, entries);
        assert!(
            words(2, 0).starts_with("audit trail of demo: broken, 2 faults, none of its entries can be read; keep")
        );
        assert!(words(1, 1).starts_with("audit trail of demo: broken, 1 fault, 1 entry can be read; keep"));
        assert!(words(1, 7).contains("7 entries can be read"));
    }

    #[test]
    fn a_trail_is_a_line_an_entry() {
        insta::assert_snapshot!("audit", text(&fixture::trail()));
    }
}
