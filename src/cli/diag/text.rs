//! A diagnosis as text.

use jiff::tz::TimeZone;

use crate::cli::output::{Output, Paint};
use crate::cli::words::{fact_lines, logs_text, paint};
use crate::owner::{DeviceFinding, Diagnosis, Lamp, LinkTest, StepOutcome, agent_facts, machine_facts};
use crate::station::text::printable;

/// Head, findings, hardware, agent, the way to the hub, the newest errors.
pub fn render(diagnosis: &Diagnosis, output: Output) -> String {
    let head = |words: &str| format!("\n{}\n", output.paint(Paint::Bold, words));
    let agent = diagnosis.agent.as_deref();
    let mut text = match agent {
        Some(agent) => format!("{}  agent {}", printable(&agent.device_id), printable(&agent.version)),
        None => "no agent runs".to_owned(),
    };
    text = output.paint(Paint::Bold, &text);
    let at = diagnosis.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%SZ");
    text.push_str(&format!("  environment {}  {at}\n", printable(&diagnosis.environment)));
    text.push_str(&head("Findings"));
    if diagnosis.findings.is_empty() {
        text.push_str(&format!("  {}\n", output.paint(Paint::Ok, "nothing is the matter")));
    }
    text.extend(diagnosis.findings.iter().map(|finding| finding_lines(finding, output)));
    if let Some(machine) = diagnosis.machine() {
        text.push_str(&(head("Device") + &fact_lines(&machine_facts(machine), output)));
    }
    if let Some(agent) = agent {
        text.push_str(&(head("Agent") + &fact_lines(&agent_facts(agent, diagnosis.at), output)));
    }
    if let Some(test) = &diagnosis.link_test {
        text.push_str(&(head("Link") + &link_lines(test, output)));
    }
    if !diagnosis.errors.is_empty() {
        text.push_str(&(head("Newest warnings and errors") + &logs_text(&diagnosis.errors, output)));
    }
    if let Some(file) = &diagnosis.log_file {
        text.push_str(&format!("\nlog: {}\n", printable(&file.to_string_lossy())));
    }
    text
}

fn finding_lines(finding: &DeviceFinding, output: Output) -> String {
    let word = match finding.lamp {
        Lamp::Failed => "FAILED",
        Lamp::Warning => "WARN",
        Lamp::Ok | Lamp::Unknown => "NOTE",
    };
    let word = output.paint(paint(finding.lamp), &format!("{word:<7}"));
    format!("  {word} {}\n          → {}\n", printable(&finding.trouble()), printable(&finding.step))
}

fn link_lines(test: &LinkTest, output: Output) -> String {
    let mut text = format!("  {} at {}, tried {}\n", test.hub, test.host, test.at.strftime("%H:%M:%SZ"));
    for step in &test.steps {
        let (word, color) = match step.outcome {
            StepOutcome::Ok => ("ok", Paint::Ok),
            StepOutcome::Warning => ("warn", Paint::Warn),
            StepOutcome::Failed => ("FAILED", Paint::Fail),
            StepOutcome::Skipped => ("–", Paint::Dim),
        };
        let took = step.took_ms.map(|ms| format!("{ms:.0} ms")).unwrap_or_default();
        let word = output.paint(color, &format!("{word:<6}"));
        text.push_str(&format!("  {:<11}{word} {took:>9}  {}\n", step.step.name(), printable(&step.words)));
    }
    text
}
