//! `skydeck agent status`: asks the agent that runs alone, or the owner of the environment.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::cli::output::{Output, Paint};
use crate::cli::words::{fact_lines, logs_text};
use crate::owner::{self, AgentReport, Answer, LogLine, Request, agent_facts, agent_troubles};
use crate::station::text::printable;

/// Writes how the agent stands, and the newest `log` lines of its log.
pub async fn run(context: &Context, log: Option<u16>) -> Result<Exit, Failure> {
    let (alone, owner) = (context.folders.agent_socket(), context.folders.socket());
    let (socket, report) = match owner::ask_once(&alone, Request::Agent).await? {
        Some(answer) => (alone, answer),
        None => match owner::ask_once(&owner, Request::Agent).await? {
            Some(answer) => (owner, answer),
            None => return Err(nobody(context)),
        },
    };
    let Answer::Agent { report } = report? else { return Err(unexpected()) };
    let lines = match log {
        Some(lines) => Some(log_of(context, &socket, lines).await?),
        None => None,
    };
    let troubles = agent_troubles(&report);
    if context.output.json {
        context.output.json_page(&Page { report: &report, log: lines.as_deref() })?;
    } else {
        let log = lines.map(|lines| format!("\n{}", logs_text(&lines, context.output))).unwrap_or_default();
        context.output.text(&(text(&report, &troubles, context.output) + &log))?;
    }
    Ok(if troubles.is_empty() { Exit::Done } else { Exit::Unhealthy })
}

/// The report, as JSON; with the log where it is asked for.
#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    report: &'a AgentReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a [LogLine]>,
}

async fn log_of(context: &Context, socket: &Path, lines: u16) -> Result<Vec<LogLine>, Failure> {
    match owner::ask_once(socket, Request::Logs { after: 0, limit: lines.into() }).await? {
        Some(Ok(Answer::Logs { lines })) => Ok(lines),
        Some(Ok(_)) => Err(unexpected()),
        Some(Err(error)) => Err(error.into()),
        None => Err(nobody(context)),
    }
}

fn nobody(context: &Context) -> Failure {
    let name = &context.environment;
    let mut words = format!("agent of {name}: nobody runs it; start it with `skydeck --env {name} agent run`");
    if cfg!(feature = "local") {
        words.push_str(&format!(", or the whole environment with `skydeck run {name}`"));
    }
    Failure::new(Exit::NotFound, words)
}

fn text(report: &AgentReport, troubles: &[String], output: Output) -> String {
    let health = if troubles.is_empty() {
        output.paint(Paint::Ok, "well")
    } else {
        output.paint(Paint::Fail, &format!("not well: {}", troubles.join("; ")))
    };
    let started = report.started_at.map(|at| at.strftime(", since %Y-%m-%d %H:%MZ").to_string()).unwrap_or_default();
    let mut text = format!(
        "{}  agent {}{started}\n{health}\n\n",
        output.paint(Paint::Bold, &printable(&report.device_id)),
        printable(&report.version)
    );
    text.push_str(&fact_lines(&agent_facts(report, Timestamp::now()), output));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::agent::fixture;

    #[test]
    fn it_reads_well_and_says_first_what_is_wrong() {
        let report = fixture::report();
        let text = text(&report, &agent_troubles(&report), Output { json: false, color: false });
        // Days left are counted from today.
        let text =
            regex::Regex::new(r"Z, (\d+ d left|it has ended)").expect("a pattern").replace_all(&text, "Z, N d left");
        insta::assert_snapshot!("agent_status", text);
    }
}
