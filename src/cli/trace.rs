//! `skydeck trace`: one message's way from the sensor to its row.

use jiff::Timestamp;

use super::context::Context;
use super::exit::{Exit, Failure, unexpected};
use super::host;
use super::table::{Align, table};
use super::words::seconds;
use crate::owner::{Answer, AskError, OwnerClient, Request, RowPlace, RowsFound, Trace, TraceHop};
use crate::station::text::printable;

/// Writes the way of `message`; without one, of the newest measurement that has a row. With `rows`, its rows are asked for
/// where that wakes a warehouse.
pub async fn run(context: &Context, message: Option<String>, rows: bool) -> Result<Exit, Failure> {
    let client = host::attached(context).await?;
    let trace = ask(&client, message, rows).await?;
    if context.output.json {
        context.output.json_page(&trace)?;
    } else {
        context.output.text(&text(&trace))?;
    }
    Ok(Exit::Done)
}

async fn ask(client: &OwnerClient, message_id: Option<String>, rows: bool) -> Result<Trace, Failure> {
    match client.ask(Request::Trace { message_id, rows }).await {
        Ok(Answer::Trace(trace)) => Ok(*trace),
        Ok(_) => Err(unexpected()),
        // What the owner refuses here is a message it doesn't know.
        Err(AskError::Refused(words)) => Err(Failure::new(Exit::NotFound, words)),
        Err(other) => Err(other.into()),
    }
}

fn text(trace: &Trace) -> String {
    let kind = trace.message_type.as_deref().unwrap_or("message");
    let mut text =
        format!("{} {} of {}\n\n", printable(kind), printable(&trace.message_id), printable(&trace.device_id));
    let columns = [
        ("hop", Align::Left),
        ("pipeline time", Align::Left),
        ("latency", Align::Right),
        ("clock", Align::Left),
        ("place", Align::Left),
    ];
    text.push_str(&table(&columns, &trace.hops.iter().map(|hop| row(trace, hop)).collect::<Vec<_>>()));
    let place = match (&trace.file, trace.file_line) {
        (Some(file), Some(line)) => format!("{}, line {line}", printable(file)),
        (Some(file), None) => printable(file),
        (None, _) => "not in a batch yet".to_owned(),
    };
    let row = trace.table.as_deref().map_or_else(|| "not in a table yet".to_owned(), printable);
    text.push_str(&format!("\nfile   {place}\ntable  {row}\n"));
    text.push_str(&rows(trace));
    if let Some(message) = &trace.message {
        text.push_str(&format!("body   {}\n", printable(&message.body.to_string())));
    }
    text
}

/// A line a row; what is known of them where there is none.
fn rows(trace: &Trace) -> String {
    let line = |words: &str| format!("row    {words}\n");
    match &trace.rows {
        None if trace.table.is_none() => String::new(),
        None => line("not asked for, since that wakes the warehouse; --row does"),
        Some(RowsFound { trouble: Some(words), .. }) => line(&printable(words)),
        Some(RowsFound { rows, .. }) if rows.is_empty() => line("in no table yet"),
        Some(RowsFound { rows, .. }) => rows.iter().map(|row| line(&row_in_words(row))).collect(),
    }
}

fn row_in_words(row: &RowPlace) -> String {
    let at = row.loaded_at.map_or_else(String::new, |at| format!(", loaded {}", instant(at)));
    format!("{}, from {} line {}{at}", printable(&row.table), printable(&row.file), row.line)
}

fn row(trace: &Trace, hop: &TraceHop) -> Vec<String> {
    let dash = || "-".to_owned();
    let clock = match (hop.latency_s, hop.monotonic) {
        (None, _) => "",
        (Some(_), true) => "monotonic",
        (Some(_), false) => "stamps",
    };
    vec![
        hop.hop.label().to_owned(),
        hop.at.map_or_else(|| trace.without_time(hop.hop).to_owned(), instant),
        hop.latency_s.map_or_else(dash, seconds),
        clock.to_owned(),
        printable(&hop.place),
    ]
}

fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::status::fixture;
    use super::*;

    #[test]
    fn a_way_that_has_not_ended_shows_what_is_missing() {
        insta::assert_snapshot!(text(&fixture::trace()));
    }

    #[tokio::test]
    async fn an_unknown_message_is_not_found() {
        let client = fixture::client();
        let failure = ask(&client, Some("nobody".into()), false).await.expect_err("unknown");
        assert_eq!(failure.exit, Exit::NotFound);
        assert!(ask(&client, None, false).await.is_ok());
    }
}
