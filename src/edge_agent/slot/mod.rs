//! The model slot: which model makes the nowcasts, how another one comes into it, and what throws one out.
//!
//! - [`state`]: the slot as it is kept: the model in it, the one before, why it fell back
//! - [`store`]: packages in the agent's folder, by their digests
//! - [`wish`]: what is asked for, by method or twin; [`deploy`]: how it is carried out
//! - [`fetch`]: a package from the hub's storage, in pieces
//! - [`load`]: from a package's file to a model that may be believed
//! - [`runner`]: a model on its own thread, so that nobody waits for it
//!
//! A model is put to work by the reader (`reader/model.rs`), which alone changes the slot: it has the means that a model
//! learns from, and the outbox that nowcasts go into. The method that comes with skydeck is always there to fall back to.

pub(super) mod deploy;
pub(super) mod fetch;
pub(super) mod load;
pub(super) mod runner;
pub(super) mod state;
pub(super) mod store;
#[cfg(test)]
mod tests;
pub(super) mod wish;

pub(super) use deploy::{Deployer, SlotAsk};
pub(super) use load::Loader;
pub(super) use runner::{Primed, Ran, Runner};
pub(super) use state::{Entry, PackageEntry, SLOT, Slot};
pub(super) use store::Store;
pub(super) use wish::{Order, Wish};
