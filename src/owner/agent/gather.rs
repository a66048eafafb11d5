//! An agent's report from its parts' own states.

use tokio::sync::watch;

use crate::edge_agent::agent::Agent;
use crate::edge_agent::report::AgentReport;

/// Follows the parts of `agent` for as long as anybody reads the report.
pub fn gather(agent: &Agent, device_id: &str) -> watch::Receiver<AgentReport> {
    let (mut source, mut outbox, mut uplink) = (agent.status(), agent.outbox().status(), agent.uplink());
    let first = AgentReport {
        device_id: device_id.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..AgentReport::default()
    };
    let (sender, report) = watch::channel(first);
    tokio::spawn(async move {
        loop {
            sender.send_modify(|report| {
                report.source = source.borrow_and_update().clone();
                report.outbox = outbox.borrow_and_update().clone();
                report.uplink = uplink.borrow_and_update().clone();
            });
            tokio::select! {
                Ok(()) = source.changed() => {}
                Ok(()) = outbox.changed() => {}
                Ok(()) = uplink.changed() => {}
                () = sender.closed() => return,
                else => return,
            }
        }
    });
    report
}
