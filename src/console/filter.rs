//! The filter line's regular expression.

use regex::{Regex, RegexBuilder};

/// A filter: a regular expression, case-insensitive unless it has a capital; a leading `!` inverts it. Without one
/// everything passes.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    pattern: Option<Regex>,
    inverted: bool,
}

/// A filter that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter {text:?}: {reason}; a dot or bracket is meant literally with a \\ before it")]
pub struct InvalidFilter {
    text: String,
    reason: String,
}

impl Filter {
    /// Reads a filter; the empty text (and a lone `!`) is none.
    pub fn parse(text: &str) -> Result<Self, InvalidFilter> {
        let (inverted, expression) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        if expression.is_empty() {
            return Ok(Self { text: text.to_owned(), ..Self::default() });
        }
        let pattern = RegexBuilder::new(expression)
            .case_insensitive(!expression.chars().any(char::is_uppercase))
            .size_limit(1 << 20)
            .build()
            .map_err(|error| InvalidFilter {
                text: crate::station::text::printable(text),
                // The last line of the parser's message names the fault; those above draw it with carets.
                reason: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            })?;
        Ok(Self { text: text.to_owned(), pattern: Some(pattern), inverted })
    }

    /// Whether `line` passes.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(line) != self.inverted)
    }

    /// Whether it holds anything back.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.pattern.is_some()
    }

    /// As it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_inverts_and_minds_capitals() {
        let filter = Filter::parse("load.*fail").expect("a plain expression");
        assert!(filter.matches("the Load has Failed") && !filter.matches("loaded"));
        let inverted = Filter::parse("!mqtt").expect("an inverted one");
        assert!(inverted.matches("hub") && !inverted.matches("MQTT link"));
        let exact = Filter::parse("WARN").expect("with capitals");
        assert!(exact.matches("WARN") && !exact.matches("warn"));
        assert!(Filter::parse("").expect("nothing").matches("anything"));
        assert!(Filter::parse("!").expect("not yet anything").matches("anything"));
    }

    #[test]
    fn a_fault_is_named() {
        let error = Filter::parse("a(b").expect_err("a group is open").to_string();
        assert!(error.contains("a(b") && error.contains("unclosed group"), "{error}");
    }
}
