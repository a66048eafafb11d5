//! Plans on the command line: `plan`, `apply`, `destroy`, `drift`, `runs`, `discard`, `state`, `outputs`, `unlock`.
//!
//! - `ground` – the owner where one runs, the folders of runs where none does
//! - `follow` – a run's log as it is written, until the run waits or has ended
//! - `make` – `plan`, `destroy`, `drift`
//! - `apply`, `runs`, `discard`, `state`, `unlock` – the commands of those names
//! - `confirm` – a word typed on the terminal
//! - `text` – runs, changes and states in words

mod apply;
mod confirm;
mod discard;
#[cfg(test)]
pub mod fixture;
mod follow;
mod ground;
mod make;
mod runs;
mod state;
mod text;
mod unlock;

use super::args::Plans;
use super::context::Context;
use super::exit::{Exit, Failure};

pub use text::status_text;

/// Carries out one of the commands.
pub async fn run(context: &Context, command: Plans) -> Result<Exit, Failure> {
    match command {
        Plans::Plan(plan) => make::plan(context, plan).await,
        Plans::Apply { run, yes, detach } => apply::apply(context, run, yes, detach).await,
        Plans::Destroy { targets, detach } => make::destroy(context, targets, detach).await,
        Plans::Drift { detach } => make::drift(context, detach).await,
        Plans::Runs { run, log } => runs::runs(context, run, log).await,
        Plans::Discard { run } => discard::discard(context, run).await,
        Plans::State { address } => state::state(context, address).await,
        Plans::Outputs => state::outputs(context).await,
        Plans::Unlock { id, yes } => unlock::unlock(context, &id, yes).await,
    }
}
