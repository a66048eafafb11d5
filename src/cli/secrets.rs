//! `skydeck secrets`: keys that settings refer to.

use std::path::Path;

use serde_json::json;

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::owner::make_plan_key;

/// Makes the pair of keys that shared plans are encrypted with: the identity in the new file `out`, the recipient on
/// standard output.
pub fn plan_key(global: &Global, out: &Path) -> Result<Exit, Failure> {
    let path =
        std::path::absolute(out).map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", out.display())))?;
    let recipient = make_plan_key(&path).map_err(|error| Failure::new(Exit::Failed, error))?;
    let output = Output::new(global.json, global.no_color);
    if output.json {
        output.json_page(&json!({"recipient": recipient, "file": path}))?;
    } else {
        output.line(&recipient)?;
    }
    Ok(Exit::Done)
}
