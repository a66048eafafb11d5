//! The runs of one environment: kept in folders, in order, one carried out at a time.
//!
//! ```text
//! DATA/provisioning/            0700
//!   terraform.tfstate           the state of demo and local
//!   module/                     the configuration as Terraform gets it
//!   module/errored.tfstate      a state that Terraform couldn't write where it belongs
//!   queue/000012                a ticket, locked by the process that carries its run out
//!   working                     locked by whoever is at work, Terraform itself included
//!   runs/0007/run.json          the run
//!   runs/0007/log.jsonl         its log
//!   runs/0007/plan              the saved plan; holds secrets
//! ```
//!
//! [`store`] and [`log`] read and write these files; [`queue`] says who is alive and whose turn it is, by locks that the
//! system frees when a process ends in whatever way; [`ask`] makes, applies and ends runs; [`seen`] is a run as it must
//! be shown when its process is gone; [`carry`] carries one out, [`record`] notes what Terraform says, [`advice`] says
//! what to do after a failure. Processes meet in these files only: who asks, who looks and who carries out needn't know
//! each other.

pub mod advice; // what to do after a failure
pub mod approve; // approving a plan, here or by a file made elsewhere
pub mod arguments; // a request as Terraform's arguments
pub mod ask; // make, apply, end a run; take the state lock
pub mod carry; // carry a run out, step by step
pub mod kept; // what the state keeps of an apply that failed
pub mod log; // a run's log
pub mod queue; // tickets: whose turn it is, who is alive
pub mod record; // what Terraform says, noted in the run
pub mod seen; // a run whose process is gone
pub mod store; // the folder
