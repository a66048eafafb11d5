//! The edge agent as an owner sees it: its report in words, and the agent that runs alone.

mod alone;
#[cfg(test)]
pub mod fixture;
mod words;

pub use self::alone::{AgentAlone, AloneEnd, AloneError, start};
pub use self::words::{Fact, agent_facts, agent_troubles};
pub(super) use self::words::{is_quota_spent, is_spent};
