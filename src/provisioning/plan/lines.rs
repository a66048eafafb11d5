//! Differences as lines of text: what changes unfolded, the rest counted.

use super::model::{Container, Content, DiffNode, Difference, Shown};
use crate::station::text::printable;

/// One line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// How deep it stands, from 0.
    pub depth: usize,
    /// How it differs.
    pub difference: Difference,
    /// Printable, without the sign: `name: "a" → "b"  # forces replacement`.
    pub text: String,
}

impl Difference {
    /// `+`, `-`, `~`, or a space.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Removed => "-",
            Self::Changed => "~",
            Self::Same => " ",
        }
    }
}

impl Shown {
    /// In a line: a text in quotes with its line breaks as `\n`, `(sensitive)`, `(known after apply)`. Printable.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Value(value) => printable(&value.to_string()),
            Self::Sensitive => "(sensitive)".to_owned(),
            Self::Unknown => "(known after apply)".to_owned(),
            Self::SensitiveUnknown => "(sensitive, known after apply)".to_owned(),
        }
    }
}

/// The lines of `nodes`. Values longer than `longest` characters are cut, with their length behind; with `unchanged`
/// what stays as it is is there too, otherwise it is counted.
#[must_use]
pub fn lines(nodes: &[DiffNode], longest: usize, unchanged: bool) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    add(&mut lines, nodes, 0, longest, unchanged);
    lines
}

fn add(lines: &mut Vec<DiffLine>, nodes: &[DiffNode], depth: usize, longest: usize, unchanged: bool) {
    let mut hidden = 0;
    for node in nodes {
        if node.difference == Difference::Same && !unchanged && !node.forces_replacement {
            hidden += 1;
            continue;
        }
        let mut text = match &node.content {
            Content::Value { before, after } => value(before.as_ref(), after.as_ref(), node.difference, longest),
            Content::Parts { of: Container::Json, .. } => "(JSON)".to_owned(),
            Content::Parts { .. } => String::new(),
        };
        if !node.name.is_empty() {
            let space = if text.is_empty() { "" } else { " " };
            text = format!("{}:{space}{text}", node.name);
        }
        if node.forces_replacement {
            text.push_str("  # forces replacement");
        }
        lines.push(DiffLine { depth, difference: node.difference, text: printable(&text) });
        if let Content::Parts { parts, .. } = &node.content {
            add(lines, parts, depth + 1, longest, unchanged);
        }
    }
    if hidden > 0 {
        let text = format!("({hidden} unchanged)");
        lines.push(DiffLine { depth, difference: Difference::Same, text });
    }
}

fn value(before: Option<&Shown>, after: Option<&Shown>, difference: Difference, longest: usize) -> String {
    let shown = |value: Option<&Shown>| match value {
        Some(value @ Shown::Value(_)) => cut(&value.line(), longest),
        Some(value) => value.line(),
        None => "nothing".to_owned(),
    };
    match (before, after) {
        (Some(before), Some(after)) if difference == Difference::Changed => {
            format!("{} → {}", shown(Some(before)), shown(Some(after)))
        }
        (before, None) => shown(before),
        (_, after) => shown(after),
    }
}

/// `text`, at most so many characters of it, and how long it is where some are missing.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.chars().count()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changes_is_unfolded_and_the_rest_counted() {
        let value = |name: &str, difference, before: Option<Shown>, after: Option<Shown>| DiffNode {
            name: name.into(),
            difference,
            forces_replacement: name == "name",
            content: Content::Value { before, after },
        };
        let text = |text: &str| Some(Shown::Value(json!(text)));
        let nodes = [
            value("name", Difference::Changed, text("a\nb"), text(&"c".repeat(40))),
            value("same", Difference::Same, text("x"), text("x")),
            DiffNode {
                name: "tags".into(),
                difference: Difference::Changed,
                forces_replacement: false,
                content: Content::Parts {
                    of: Container::Map,
                    parts: vec![value("key", Difference::Added, None, Some(Shown::SensitiveUnknown))],
                },
            },
        ];
        let shown = |unchanged| -> Vec<String> {
            let line = |line: &DiffLine| format!("{}{} {}", "  ".repeat(line.depth), line.difference.sign(), line.text);
            lines(&nodes, 10, unchanged).iter().map(line).collect()
        };
        assert_eq!(
            shown(false),
            [
                r#"~ name: "a\nb" → "ccccccccc… (42 characters)  # forces replacement"#,
                "~ tags:",
                "  + key: (sensitive, known after apply)",
                "  (1 unchanged)"
            ]
        );
        assert_eq!(shown(true)[1], r#"  same: "x""#);
    }
}
