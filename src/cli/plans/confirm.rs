//! A word typed on the terminal, where something is at stake.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::cli::exit::Failure;

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// One of the words was typed.
    Yes,
    /// Something else was.
    No,
    /// There is nobody to ask.
    NoTerminal,
}

/// Asks on standard error and reads a line of standard input, which must be a terminal.
pub fn confirm(question: &str, accepted: &[&str]) -> Result<Answered, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(Answered::NoTerminal);
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(if accepted.contains(&answer.trim()) { Answered::Yes } else { Answered::No })
}
