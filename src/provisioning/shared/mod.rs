//! Runs that several machines share: the author's, the approver's and CI's see the same ones.
//!
//! ```text
//! ENV/runs/0007/claim.json      who has this number; conditional create
//! ENV/runs/0007/run.json        the run as it was known last, by the home that carries it out
//! ENV/runs/0007/record.json     what its plan is bound to, signed
//! ENV/runs/0007/plan.age        the plan, and as JSON in plan.json.age: encrypted to the environment's key
//! ENV/runs/0007/outline.json    what is shown of it: details.jsonl, log.jsonl
//! ENV/runs/0007/approvals/ID.json   an approval; conditional create
//! ENV/runs/0007/used.json       what became of the plan: applied or ended, once; conditional create
//! ENV/runs/0007/ended.json      who ended it in the stead of a home that is gone; conditional create
//! ENV/audit/00000042.json       an entry of the trail; conditional create
//! ```
//!
//! A run has one home that carries it out and writes `run.json`: at first the one that claimed its number, then the one
//! that used its plan. [`place`] says where the store is and opens it, [`objects`] reads and writes there, [`layout`]
//! names what is in it, [`store`] and [`trail`] hold the rules of what happens once, [`crypt`] seals plans. [`sync`]
//! brings the folder of runs here and the store together, by [`publish`] and [`fetch`]; [`link`] is what a home
//! remembers of that, [`telling`] brings what was done into the trail, [`clean`] makes what comes printable. Called by `owner`, for environments in the cloud.

#[cfg(feature = "cloud")]
mod azure; // a container in Azure, opened
pub mod clean; // what others wrote, made printable
pub mod crypt; // plans, encrypted
pub mod error; // what can go wrong, in words
pub mod fetch; // from the store to here
pub mod layout; // names and forms of what is in the store
pub mod link; // what a home remembers
pub mod objects; // reading and writing, and what errors mean
pub mod place; // where the store is
pub mod publish; // from here to the store
pub mod store; // numbers, approvals, uses
pub mod sync; // both brought together
pub mod telling; // the trail here, told to the shared one
pub mod trail; // the audit trail
