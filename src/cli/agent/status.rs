//! `skydeck agent status`: asks the agent that runs alone, or the owner of the environment, and what systemd knows of the
//! machine's service.

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Paint};
use crate::cli::words::{fact_lines, logs_text};
use crate::owner::service::UnitState;
use crate::owner::{AgentReport, LogLine, agent_facts, agent_troubles, machine_facts};
use crate::station::text::printable;

/// Writes how the agent stands, and the newest `log` lines of its log.
pub async fn run(context: &Context, log: Option<u16>) -> Result<Exit, Failure> {
    let desk = context.desk();
    let failed = |words: String| Failure::new(Exit::Failed, words);
    let service = context.service.as_ref().and_then(|_| UnitState::ask());
    let Some(report) = desk.report().await.map_err(failed)? else { return Err(nobody(context, service.as_ref())) };
    let lines = match log {
        Some(lines) => Some(desk.log(lines.into()).await.map_err(failed)?),
        None => None,
    };
    let troubles = agent_troubles(&report, Timestamp::now());
    if context.output.json {
        context.output.json_page(&Page { report: &report, service: service.as_ref(), log: lines.as_deref() })?;
    } else {
        let log = lines.map(|lines| format!("\n{}", logs_text(&lines, context.output))).unwrap_or_default();
        context.output.text(&(text(&report, &troubles, service.as_ref(), context.output) + &log))?;
    }
    Ok(if troubles.is_empty() { Exit::Done } else { Exit::Unhealthy })
}

/// The report, as JSON; with what systemd knows of the service, where it was asked, and the log where it is asked for.
#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    report: &'a AgentReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a UnitState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a [LogLine]>,
}

fn nobody(context: &Context, service: Option<&UnitState>) -> Failure {
    let name = &context.environment;
    let named_by = context.service.as_ref().map(|file| format!(" ({})", file.words())).unwrap_or_default();
    let mut words = format!("agent of {name}: nobody runs it{named_by}; ");
    if let Some(service) = service {
        words.push_str(&format!(
            "its service is {}; start it with `systemctl start skydeck-agent`, look with `journalctl -u skydeck-agent`",
            service.words()
        ));
        return Failure::new(Exit::NotFound, words);
    }
    let copied = &context.copied;
    words.push_str(&format!("start it with `skydeck --env {name}{copied} agent run`"));
    if cfg!(feature = "local") {
        words.push_str(&format!(", or the whole environment with `skydeck{copied} run {name}`"));
    }
    Failure::new(Exit::NotFound, words)
}

fn text(report: &AgentReport, troubles: &[String], service: Option<&UnitState>, output: Output) -> String {
    let health = if troubles.is_empty() {
        output.paint(Paint::Ok, "well")
    } else {
        output.paint(Paint::Fail, &format!("not well: {}", troubles.join("; ")))
    };
    let started = report.started_at.map(|at| at.strftime(", since %Y-%m-%d %H:%MZ").to_string()).unwrap_or_default();
    let service = service.map(|service| format!("service {}\n", service.words())).unwrap_or_default();
    let mut text = format!(
        "{}  agent {}{started}\n{health}\n{service}\n",
        output.paint(Paint::Bold, &printable(&report.device_id)),
        printable(&report.version)
    );
    text.push_str(&fact_lines(&agent_facts(report, Timestamp::now()), output));
    if let Some(machine) = &report.machine {
        text.push_str(&format!("\nits machine\n{}", fact_lines(&machine_facts(machine), output)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::agent::fixture;

    #[test]
    fn it_reads_well_and_says_first_what_is_wrong() {
        let report = fixture::report();
        let text =
            text(&report, &agent_troubles(&report, Timestamp::now()), None, Output { json: false, color: false });
        // Days left are counted from today.
        let text =
            regex::Regex::new(r"Z, (\d+ d left|it has ended)").expect("a pattern").replace_all(&text, "Z, N d left");
        insta::assert_snapshot!("agent_status", text);
    }

    #[test]
    fn what_systemd_knows_is_a_line_and_a_member() {
        let service = UnitState {
            active: "active".to_owned(),
            sub: "running".to_owned(),
            enabled: Some("enabled".to_owned()),
            result: None,
            since: None,
            restarts: Some(2),
            status: None,
        };
        let report = fixture::report();
        let text = text(&report, &[], Some(&service), Output { json: false, color: false });
        assert!(text.contains("\nwell\nservice active (running), restarted 2 times\n\n"), "{text}");
        let page = serde_json::to_value(Page { report: &report, service: Some(&service), log: None }).expect("JSON");
        assert_eq!(page["service"]["restarts"], 2);
        assert_eq!(page["deviceId"], "roof-01");
    }
}
