//! `skydeck completions`: for the shells that clap knows.

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output::Output;

/// Writes the completions for `shell`.
pub fn run(global: &Global, shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "skydeck", &mut script);
    Output::new(false, global.no_color).text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
