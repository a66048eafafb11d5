//! A plan as Markdown, for a pull request's comment.
//!
//! What matters stands first and is cut last. Whatever comes from outside is escaped: it can't make a heading, a link, a
//! mention or an end of the fence it stands in.

use std::fmt::Write as _;

use super::{Report, remarks, sign};
use crate::provisioning::plan::lines::{DiffLine, lines};
use crate::provisioning::plan::model::{ChangeDetail, DiffNode, Difference, PlanList, PlannedChange};
use crate::station::text::printable;

/// A comment isn't longer, bytes: GitHub takes 65,536 characters.
pub const LONGEST: usize = 65_000;

/// Kept free for the words on what is left out, bytes.
const RESERVE: usize = 600;
/// Bytes of one resource's differences.
const LONGEST_FENCE: usize = 8_000;
/// Characters of one value.
const LONGEST_VALUE: usize = 300;
/// Characters of one address, message or reason.
const LONGEST_TEXT: usize = 2_000;

/// What is written, and what didn't find room.
#[derive(Default)]
struct Page {
    text: String,
    left_out: Vec<String>,
}

impl Page {
    /// A heading and as many of its items as find room.
    fn section(&mut self, heading: &str, what: &str, items: impl Iterator<Item = String>) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        let heading = format!("\n### {heading}\n\n");
        let mut left_out = 0;
        let mut begun = false;
        for item in items {
            let head = if begun { "" } else { heading.as_str() };
            if left_out > 0 || self.text.len() + head.len() + item.len() > LONGEST - RESERVE {
                left_out += 1;
                continue;
            }
            begun = true;
            self.text.push_str(head);
            self.text.push_str(&item);
        }
        if left_out > 0 {
            self.left_out.push(format!("{left_out} {what}"));
        }
    }

    /// A heading and its changes: where their differences find no room, each is named at least.
    fn changes(&mut self, heading: &str, what: &str, changes: Vec<Item>) {
        if changes.is_empty() {
            return;
        }
        let _ = write!(self.text, "\n### {heading}\n\n");
        let mut to_come: usize = changes.iter().map(|item| item.named.len()).sum();
        let (mut unfolded, mut left_out) = (0, 0);
        for item in changes {
            to_come -= item.named.len();
            let used = self.text.len() + RESERVE;
            if used + item.whole.len() + to_come <= LONGEST {
                self.text.push_str(&item.whole);
            } else if used + item.named.len() <= LONGEST {
                unfolded += 1;
                self.text.push_str(&item.named);
            } else {
                left_out += 1;
            }
        }
        if unfolded > 0 {
            self.left_out.push(format!("the differences of {unfolded} {what}"));
        }
        if left_out > 0 {
            self.left_out.push(format!("{left_out} {what}"));
        }
    }
}

/// A change with its differences, and without.
struct Item {
    whole: String,
    named: String,
}

/// The report as Markdown of at most [`LONGEST`] bytes.
#[must_use]
pub fn markdown(report: &Report<'_>) -> String {
    let run = report.run;
    let mut page = Page::default();
    let _ = writeln!(page.text, "## Plan: {}\n", escaped(&report.title()));
    let _ = writeln!(page.text, "**{}**\n", report.words());
    if run.emulated {
        page.text.push_str("EMULATED: planned on providers that skydeck plays; nothing real is touched.\n\n");
    }
    let _ = writeln!(page.text, "`{}` · {}", report.plan.counts, escaped(&report.origin()));
    if !report.plan.complete {
        page.text.push_str("\nNot complete: it is limited to some addresses, or something is put off.\n");
    }

    page.section(
        "What has moved since",
        "lines on what has moved",
        run.moved.iter().map(|line| format!("- {}\n", escaped(line))),
    );
    page.section(
        "Findings",
        "findings",
        run.findings.iter().map(|finding| {
            let mut item =
                format!("- **{}** {}: {}", finding.severity.label(), code(&finding.policy), escaped(&finding.message));
            if !finding.addresses.is_empty() {
                let addresses: Vec<_> = finding.addresses.iter().take(20).map(|address| code(address)).collect();
                let _ = write!(item, " ({}", addresses.join(", "));
                match finding.addresses.len() - addresses.len() {
                    0 => item.push(')'),
                    more => {
                        let _ = write!(item, " and {more} more)");
                    }
                }
            }
            if let Some(explanation) = &finding.explanation {
                let _ = match report.link(explanation) {
                    Some(link) => write!(item, " · [why]({link})"),
                    None => write!(item, " · {}", code(explanation)),
                };
            }
            item + "\n"
        }),
    );
    page.section(
        "Destroyed or replaced",
        "of what is destroyed or replaced",
        report.destroyed().map(|change| {
            let why =
                if remarks(change).is_empty() { String::new() } else { format!(": {}", escaped(&remarks(change))) };
            format!("- `{}` {}{why}\n", sign(change), code(&change.address))
        }),
    );
    let problems = report.plan.checks.iter().filter(|check| check.fails());
    page.section(
        "Checks that fail",
        "checks",
        problems.map(|check| format!("- {}: {}\n", code(&check.address), escaped(&check.problems.join("; ")))),
    );
    page.changes("Changes", "changes", changes(&report.plan.changes, report.changes, PlanList::Changes));
    page.changes(
        "Changed behind Terraform's back",
        "of what was changed behind Terraform's back",
        changes(&report.plan.drift, report.drift, PlanList::Drift),
    );
    let outputs: Vec<DiffNode> = report.plan.outputs.clone();
    page.section(
        "Outputs",
        if outputs.len() == 1 { "output" } else { "outputs" },
        (!outputs.is_empty()).then(|| fence(&lines(&outputs, LONGEST_VALUE, false))).into_iter(),
    );

    if !page.left_out.is_empty() {
        let what = page.left_out.join(", ");
        let _ = writeln!(
            page.text,
            "\n**Left out, as a comment isn't longer:** {what}. `skydeck show {}` has everything.",
            run.number
        );
    }
    page.text
}

/// An item for each change, with its differences folded where they are given.
fn changes<'a>(changes: &'a [PlannedChange], details: &'a [ChangeDetail], list: PlanList) -> Vec<Item> {
    let given: std::collections::HashMap<usize, &ChangeDetail> =
        details.iter().filter(|detail| detail.list == list).map(|detail| (detail.index, detail)).collect();
    let item = |(at, change): (usize, &PlannedChange)| {
        let remarks = remarks(change);
        let remarks =
            if remarks.is_empty() { String::new() } else { format!(" · {}", unmentioned(&html_escaped(&remarks))) };
        let summary = format!(
            "<code>{} {}</code> {}{remarks}",
            html_escaped(sign(change)),
            html_escaped(&change.address),
            change.action.done()
        );
        let named = format!("<p>{summary}</p>\n\n");
        let whole = match given.get(&at) {
            Some(detail) => {
                let body = fence(&lines(&detail.attributes, LONGEST_VALUE, false));
                format!("<details><summary>{summary}</summary>\n\n{body}\n</details>\n\n")
            }
            None => named.clone(),
        };
        Item { whole, named }
    };
    changes.iter().enumerate().map(item).collect()
}

/// Lines in a fence that none of them can close.
fn fence(lines: &[DiffLine]) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    for line in lines {
        let mark = match line.difference {
            Difference::Changed => "!",
            other => other.sign(),
        };
        let line = format!("{mark} {}{}\n", "  ".repeat(line.depth), line.text);
        if left_out > 0 || text.len() + line.len() > LONGEST_FENCE {
            left_out += 1;
        } else {
            text.push_str(&line);
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "  … {left_out} more lines");
    }
    let ticks = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{ticks}diff\n{text}{ticks}\n")
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// As code within a line.
fn code(text: &str) -> String {
    let text = short(text);
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let ticks = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// As text that means nothing to Markdown, and that mentions nobody.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in short(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' | '#' => {
                escaped.push(c);
                escaped.push_str("<!-- -->");
            }
            // An address becomes a link by what follows its scheme, or by its `www.`.
            '/' if escaped.ends_with(":/") => escaped.push_str("&#47;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            'w' if escaped.ends_with("ww") => escaped.push_str("&#119;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn html_escaped(text: &str) -> String {
    super::html::escaped(&short(text))
}

/// HTML that mentions nobody and nothing.
fn unmentioned(html: &str) -> String {
    // Character references, as in `&#39;`, stay what they are.
    html.replace('@', "@<!-- -->").replace(" #", " #<!-- -->")
}

/// Printable, and not longer than a line of a comment should be.
fn short(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_means_anything_to_markdown() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`a``"), "``` `a`` ```");
        assert_eq!(
            escaped("# @ada [x](https://y) <b>\n- *z*"),
            "#<!-- --> @<!-- -->ada \\[x\\](https:/&#47;y) &lt;b&gt; - \\*z\\*"
        );
        let line = DiffLine { depth: 0, difference: Difference::Added, text: "x: \"````\"".into() };
        let fenced = fence(&[line]);
        assert!(fenced.starts_with("`````diff\n") && fenced.ends_with("\n`````\n"), "{fenced}");
    }
}
