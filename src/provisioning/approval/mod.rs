//! Approvals: bound to exactly one plan, signed where that is asked for, used once.
//!
//! [`record`] is the language. Whoever plans calls [`digest`] and [`make`] for a signed record of the plan; whoever
//! approves calls [`make`]; whoever applies gathers the facts of the moment and asks [`check`], which reads no file and
//! asks nobody. [`approvers`] says whose keys count. Called by `runs` and, for what is shown, by `owner`.

mod allowed_signers; // a line of that file
pub mod approvers; // whose keys count: the file of allowed signers
pub mod check; // whether a plan may be applied now
pub mod digest; // what a plan is bound by
pub mod make; // records and approvals, made and read
pub mod record; // what is approved, and the approval of it
pub mod signature; // made by ssh-keygen, verified here
mod weigh; // one approval: who gave it, and whether it counts
