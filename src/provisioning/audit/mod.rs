//! The trail of who did what: only ever appended to, and chained so that a changed line is found.
//!
//! [`entry`] is one line of it, [`chain`] how lines hang together, wherever they are kept, and [`trail`] the file of an
//! environment on this machine. Called by `runs` and `owner`, and by whatever shares runs between machines.

pub mod chain; // how entries hang together, and whether they still do
pub mod entry; // one line of the trail
pub mod trail; // the trail of an environment on this machine
