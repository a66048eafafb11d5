//! A plan, read from Terraform's `show -json`: what it changes and why, without its secrets.
//!
//! [`read`] takes the JSON in, once, and answers what is asked of it; [`model`] is what it answers: pure values that
//! screens, the command line and exports share. [`kept`] writes them into a run's folder, where they outlive the plan.
//! Called by `runs` when a plan was made and before it is applied, by `owner` for whoever looks.

pub mod cause; // why something is done, in words
mod diff; // the difference within a value
pub mod error; // what is wrong with a plan's JSON, in words
pub mod export; // a plan as Markdown, HTML, JSON
mod fingerprint; // a digest of what a plan changes, and what differs between two
mod half; // one side of a difference: its value, what of it is secret, what is unknown
pub mod kept; // what is kept of a plan for good
pub mod lines; // differences as lines of text
mod list; // which elements of two lists belong together
pub mod model; // what is shown of a plan
mod outline; // a plan without its differences
pub mod read; // the JSON, read
mod redaction; // values and names without secrets
pub mod tree; // changes by module, folded and filtered
mod types; // which attributes are sets: what a plan doesn't tell
