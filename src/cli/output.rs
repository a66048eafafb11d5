//! Standard output: text or JSON, coloured where a terminal wants it, ended quietly when its reader goes.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use super::exit::Failure;

/// Colours that lamps and severities are written in; each also has its own sign or word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Works.
    Ok,
    /// Late or lossy.
    Warn,
    /// Doesn't work.
    Fail,
    /// Unknown, or of less weight.
    Dim,
    /// A heading.
    Bold,
}

/// How a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// JSON rather than text.
    pub json: bool,
    /// Whether SGR colours are written.
    pub color: bool,
}

impl Output {
    /// As the flags say; coloured only on a terminal, and never with `NO_COLOR` (no-color.org: set and not empty).
    pub fn new(json: bool, no_color: bool) -> Self {
        let forbidden = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, color: !forbidden && !json && std::io::stdout().is_terminal() }
    }

    /// Writes `text` as it is and a line's end.
    pub fn line(self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// Writes `text` as it is.
    pub fn text(self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Writes `value` as JSON on one line.
    pub fn json_line(self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&serde_json::to_string(value).map_err(std::io::Error::from)?)
    }

    /// Writes `value` as indented JSON.
    pub fn json_page(self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&serde_json::to_string_pretty(value).map_err(std::io::Error::from)?)
    }

    /// `text` in a colour, where colours are written.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Ok => "32",
            Paint::Warn => "33",
            Paint::Fail => "31",
            Paint::Dim => "2",
            Paint::Bold => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
