//! `skydeck agent status`: asks the agent that runs alone, or the owner of the environment.

use jiff::Timestamp;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Paint};
use crate::cli::status::{fact_lines, unexpected};
use crate::owner::{self, AgentReport, Answer, Request, agent_facts, agent_troubles};
use crate::station::text::printable;

/// Writes how the agent stands.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let report = match owner::ask_once(&context.folders.agent_socket(), Request::Agent).await? {
        Some(answer) => Some(answer),
        None => owner::ask_once(&context.folders.socket(), Request::Agent).await?,
    };
    let report = match report {
        Some(Ok(Answer::Agent { report })) => report,
        Some(Ok(_)) => return Err(unexpected()),
        Some(Err(error)) => return Err(error.into()),
        None => {
            let name = &context.environment;
            let words = format!(
                "agent of {name}: nobody runs it; start it with `skydeck --env {name} agent run`, or the whole environment with `skydeck run {name}`"
            );
            return Err(Failure::new(Exit::NotFound, words));
        }
    };
    let troubles = agent_troubles(&report);
    if context.output.json {
        context.output.json_page(&*report)?;
    } else {
        context.output.text(&text(&report, &troubles, context.output))?;
    }
    Ok(if troubles.is_empty() { Exit::Done } else { Exit::Unhealthy })
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
