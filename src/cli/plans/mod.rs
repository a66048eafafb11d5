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

pub use apply::apply;
pub use discard::discard;
pub use make::{destroy, drift, plan};
pub use runs::runs;
pub use state::{outputs, state};
pub use text::status_text;
pub use unlock::unlock;
