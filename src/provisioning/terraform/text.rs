//! Terraform's words made fit to be shown.

use std::sync::LazyLock;

use regex::Regex;

use crate::station::text::printable;

/// Escape sequences: colours and what else moves a cursor (ECMA-48, CSI and OSC).
static ESCAPES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)").ok());

/// `text` without escape sequences and control characters; its lines are kept.
#[must_use]
pub fn plain(text: &str) -> String {
    let bare = ESCAPES.as_ref().map_or(text.into(), |escapes| escapes.replace_all(text, ""));
    bare.lines().map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn colours_go_and_lines_stay() {
        assert_eq!(
            plain("\u{1b}[31mError:\u{1b}[0m no\r\n\tsuch \u{7}thing\u{1b}]0;title\u{7}"),
            "Error: no\n such thing"
        );
    }
}
