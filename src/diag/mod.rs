//! What a technician sees who stands beside the device: `skydeck diag` on a full screen.
//!
//! Built without the console too, for a device; so it knows nothing of it and draws with the terminal's own sixteen
//! colours. Drawing is a pure function of what was last heard:
//!
//! - `state` – what is shown, and how keys change it
//! - `draw`, `panes`, `picture` – from there to cells
//! - `run` – the loop: keys and diagnoses in, frames out
//! - `terminal` – taken, stopped, given back
//!
//! Called by the command; asks [`DeviceDesk`](crate::owner::DeviceDesk) and nobody else.

mod draw;
mod panes;
mod picture;
mod run;
mod state;
mod terminal;
#[cfg(test)]
mod tests;

pub use run::{DiagError, run};
