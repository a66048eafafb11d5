//! `skydeck man`: manual pages in roff.

use std::path::Path;

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output::Output;

/// Writes the page, or a page for each command into `dir`.
pub fn run(global: &Global, dir: Option<&Path>) -> Result<Exit, Failure> {
    let output = Output::new(global.json, global.no_color);
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(super::command()).render(&mut page)?;
        output.text(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    if !dir.is_dir() {
        let words = format!("{}: no such folder; make it first (`mkdir -p`)", dir.display());
        return Err(Failure::new(Exit::NotFound, words));
    }
    clap_mangen::generate_to(super::command(), dir).map_err(|error| {
        Failure::new(Exit::Failed, format!("{}: {error}; name a folder that can be written to", dir.display()))
    })?;
    output.line(&format!("{}: a page for each command", dir.display()))?;
    Ok(Exit::Done)
}
