//! Judging a plan by policies written in Rego, version 1.
//!
//! [`source`] gathers the policies that skydeck carries (`config/policies`) and those of a folder of one's own;
//! [`engine`] makes them ready and asks a rule; [`answer`] reads what a rule gave; [`policies`] puts it together and
//! never fails: whatever can't be read, understood or finished denies. [`finding`] is the language of a judgement.
//! Called by `runs` when a plan was made and again before it is applied, and by the command line through `owner`.

mod answer; // what a rule gave, as findings
pub mod context; // what the policies are told beside the plan
mod engine; // regorus: made ready, asked, its errors in words
pub mod explain; // the pages that explain the carried policies
pub mod finding; // what the policies say of a plan
pub mod policies; // the policies of an environment, asked
mod source; // their texts, carried and of one's own
pub mod testing; // the tests beside the policies
mod verdict; // findings in order, together, and their digest

pub use context::PolicyContext;
pub use explain::explain;
pub use policies::{Policies, PolicyRules};
pub use testing::{TestFailure, TestReport};
pub use verdict::{denied_anew, verdict_digest};
