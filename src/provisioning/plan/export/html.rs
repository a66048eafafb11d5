//! A plan as one HTML file: no script, nothing loaded from elsewhere, dark or light as the reader's system is, whole when
//! it is printed.

use std::fmt::Write as _;

use super::{LONGEST_VALUE, Report, remarks, sign};
use crate::provisioning::plan::lines::{DiffLine, lines};
use crate::provisioning::plan::model::{ChangeDetail, Difference, PlanList, PlannedChange};
use crate::provisioning::policy::finding::Severity;
use crate::station::text::printable;

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--add:#116329;--del:#a40e26;--chg:#7d4e00;--pane:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;--line:#3d444d;--add:#56d364;--del:#ff7b72;--chg:#e3b341;--pane:#151b23}}
@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#999;--add:#116329;--del:#a40e26;--chg:#7d4e00;--pane:#fff}details{break-inside:avoid}}
body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:13px}
pre{background:var(--pane);border:1px solid var(--line);border-radius:4px;padding:.6rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;margin:.4rem 0 1rem}
summary{cursor:pointer}.dim{color:var(--dim)}.add{color:var(--add)}.del{color:var(--del)}.chg{color:var(--chg)}
.emulated{border:2px solid var(--chg);padding:.4rem .8rem;display:inline-block}
";

/// The report as one HTML file.
#[must_use]
pub fn html(report: &Report<'_>) -> String {
    let run = report.run;
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ =
        writeln!(page, "<title>Plan: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>", escaped(&report.title()));
    let _ = writeln!(page, "<h1>Plan: {}</h1>", escaped(&report.title()));
    let _ = writeln!(page, "<p><strong>{}</strong></p>", escaped(&report.words()));
    if run.emulated {
        page.push_str(
            "<p class=\"emulated\">EMULATED: planned on providers that skydeck plays; nothing real is touched.</p>\n",
        );
    }
    let _ = writeln!(
        page,
        "<p><code>{}</code> · {}</p>",
        escaped(&report.plan.counts.to_string()),
        escaped(&report.origin())
    );
    if !report.plan.complete {
        page.push_str("<p>Not complete: it is limited to some addresses, or something is put off.</p>\n");
    }
    list(&mut page, "What has moved since", run.moved.iter().map(|line| escaped(line)));
    list(
        &mut page,
        "Findings",
        run.findings.iter().map(|finding| {
            let class = match finding.severity {
                Severity::Deny => "del",
                Severity::Warn => "chg",
                Severity::Info => "dim",
            };
            let mut item = format!(
                "<strong class=\"{class}\">{}</strong> <code>{}</code>: {}",
                finding.severity.label(),
                escaped(&finding.policy),
                escaped(&finding.message)
            );
            for address in &finding.addresses {
                let _ = write!(item, " <code>{}</code>", escaped(address));
            }
            if let Some(explanation) = &finding.explanation {
                let _ = match report.link(explanation) {
                    Some(link) => write!(item, " <a href=\"{}\" rel=\"noreferrer\">why</a>", escaped(&link)),
                    None => write!(item, " <span class=\"dim\">{}</span>", escaped(explanation)),
                };
            }
            item
        }),
    );
    list(&mut page, "Destroyed or replaced", report.destroyed().map(summary));
    if !report.plan.checks.is_empty() {
        let _ = writeln!(page, "<p>Checks: {}.</p>", report.plan.checks_passed());
    }
    list(
        &mut page,
        "Checks that don't pass",
        report.plan.checks.iter().filter(|check| check.status != "pass").map(|check| {
            format!(
                "<code>{}</code> {} {}",
                escaped(&check.address),
                escaped(&check.status),
                escaped(&check.problems.join("; "))
            )
        }),
    );
    changes(&mut page, "Changes", &report.plan.changes, report.changes, PlanList::Changes);
    changes(&mut page, "Changed behind Terraform's back", &report.plan.drift, report.drift, PlanList::Drift);
    if !report.plan.outputs.is_empty() {
        page.push_str("<h2>Outputs</h2>\n");
        difference(&mut page, &lines(&report.plan.outputs, LONGEST_VALUE, false));
    }
    list(
        &mut page,
        "Variables",
        report
            .plan
            .variables
            .iter()
            .map(|variable| format!("<code>{} = {}</code>", escaped(&variable.name), escaped(&variable.value.line()))),
    );
    page.push_str("</body>\n</html>\n");
    page
}

/// A heading and its items, which are HTML; nothing where there is none.
fn list(page: &mut String, heading: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    let _ = writeln!(page, "<h2>{heading}</h2>\n<ul>");
    items.for_each(|item| {
        let _ = writeln!(page, "<li>{item}</li>");
    });
    page.push_str("</ul>\n");
}

fn changes(page: &mut String, heading: &str, changes: &[PlannedChange], details: &[ChangeDetail], list: PlanList) {
    if changes.is_empty() {
        return;
    }
    let given: std::collections::HashMap<usize, &ChangeDetail> =
        details.iter().filter(|detail| detail.list == list).map(|detail| (detail.index, detail)).collect();
    let _ = writeln!(page, "<h2>{heading}</h2>");
    for (at, change) in changes.iter().enumerate() {
        match given.get(&at) {
            // Open, so that it is printed; the reader folds it.
            Some(detail) => {
                let _ = writeln!(page, "<details open><summary>{}</summary>", summary(change));
                difference(page, &lines(&detail.attributes, usize::MAX, false));
                page.push_str("</details>\n");
            }
            None => {
                let _ = writeln!(page, "<p>{}</p>", summary(change));
            }
        }
    }
}

fn summary(change: &PlannedChange) -> String {
    let remarks = remarks(change);
    let remarks =
        if remarks.is_empty() { String::new() } else { format!(" <span class=\"dim\">{}</span>", escaped(&remarks)) };
    format!("<code>{} {}</code> {}{remarks}", escaped(sign(change)), escaped(&change.address), change.action.done())
}

fn difference(page: &mut String, lines: &[DiffLine]) {
    page.push_str("<pre>");
    for line in lines {
        let class = match line.difference {
            Difference::Added => "add",
            Difference::Removed => "del",
            Difference::Changed => "chg",
            Difference::Same => "dim",
        };
        let indent = "  ".repeat(line.depth);
        let _ =
            writeln!(page, "<span class=\"{class}\">{indent}{} {}</span>", line.difference.sign(), escaped(&line.text));
    }
    page.push_str("</pre>\n");
}

/// As text that means nothing to HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
