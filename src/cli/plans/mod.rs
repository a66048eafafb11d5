//! Plans on the command line: `plan`, `show`, `approve`, `apply`, `destroy`, `drift`, `runs`, `discard`, `state`,
//! `outputs`, `unlock`, `audit`.
//!
//! - `ground` – the owner where one runs, the folders of runs where none does
//! - `follow` – a run's log as it is written, until the run waits or has ended
//! - `make` – `plan`, `destroy`, `drift`
//! - `show`, `approve`, `apply`, `runs`, `discard`, `state`, `unlock`, `audit` – the commands of those names
//! - `confirm` – a word typed on the terminal
//! - `text` – runs, changes and states in words; `stake` – what is at stake with a plan; `reading` – a plan whole, with
//!   `diff` for what differs within its resources

mod apply;
mod approve;
mod audit;
mod confirm;
mod diff;
mod discard;
#[cfg(test)]
pub mod fixture;
mod follow;
mod ground;
#[cfg(test)]
mod leaks;
mod make;
mod reading;
mod runs;
mod show;
mod stake;
mod state;
mod text;
mod unlock;

use super::args::{Plans, StateAction};
use super::context::Context;
use super::exit::{Exit, Failure};

pub use approve::waiting;
pub use ground::Ground;
pub use stake::findings;
#[cfg(feature = "local")]
pub use text::status_text;

/// Carries out one of the commands.
pub async fn run(context: &Context, command: Plans) -> Result<Exit, Failure> {
    match command {
        Plans::Plan(plan) => make::plan(context, plan).await,
        Plans::Show(show) => show::show(context, show).await,
        Plans::Approve(asked) => approve::approve(context, asked).await,
        Plans::Apply(asked) => apply::apply(context, asked).await,
        Plans::Destroy { targets, detach } => make::destroy(context, targets, detach).await,
        Plans::Drift { detach } => make::drift(context, detach).await,
        Plans::Runs { run, log, limit, all } => {
            let most = if all { u32::MAX } else { limit };
            runs::runs(context, run, log, most).await
        }
        Plans::Discard { run, gone, yes } => discard::discard(context, run, gone.then_some(yes)).await,
        Plans::State { action: Some(StateAction::Recover), .. } => state::recover(context).await,
        Plans::State { action: None, address } => state::state(context, address).await,
        Plans::Outputs => state::outputs(context).await,
        Plans::Unlock { id, yes } => unlock::unlock(context, &id, yes).await,
        Plans::Audit { action, after, limit } => audit::audit(context, action, after, limit).await,
    }
}
