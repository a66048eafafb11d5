//! What a service manager is told of an agent that runs.

use std::sync::Arc;
use std::time::Duration;

use crate::owner::service::ServiceManager;
use crate::owner::{AgentReport, Pulse};

/// Tells the service manager, where there is one, that the agent lives: for good, and only while its reader answers. It
/// shares the agent's thread: where that hangs, nothing is told either.
pub async fn feed(manager: Option<&ServiceManager>, pulse: Arc<Pulse>) {
    let Some((manager, time)) = manager.and_then(|manager| Some((manager, manager.watchdog()?))) else {
        return std::future::pending().await;
    };
    // Two of three may come late.
    let every = (time / 3).max(Duration::from_millis(1));
    pulse.ask();
    loop {
        tokio::time::sleep(every).await;
        beat(manager, &pulse);
    }
}

/// Says that the agent lives where its reader has answered since the last time, and asks it anew.
fn beat(manager: &ServiceManager, pulse: &Pulse) {
    if pulse.is_answered() {
        manager.alive();
    } else {
        tracing::error!(target: "agent", "the reader doesn't answer; if it goes on so, the agent is started anew");
    }
    pulse.ask();
}

/// How it stands, in the few words of one line. No figures: each would be told anew with every reading.
pub fn words(report: &AgentReport) -> String {
    let link = &report.uplink;
    let mut words = match (link.connected, link.transport, &link.last_error) {
        (true, Some(way), _) => format!("link: connected by {}", way.name()),
        (true, None, _) => "link: connected".to_owned(),
        (false, _, Some(error)) => format!("link: down: {error}"),
        (false, _, None) => "link: not connected yet".to_owned(),
    };
    if !report.clock.is_set {
        words.push_str("; clock: not set");
    }
    if let Some(error) = &report.source.last_error {
        words.push_str(&format!("; source: {error}"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::agent::fixture::report;

    #[test]
    fn the_status_names_the_link_and_what_is_wrong() {
        let mut now = report();
        (now.clock.is_set, now.source.last_error) = (true, None);
        assert_eq!(words(&now), "link: connected by websocket");
        (now.uplink.connected, now.uplink.last_error) = (false, Some("refused".to_owned()));
        (now.clock.is_set, now.source.last_error) = (false, Some("no such file".to_owned()));
        assert_eq!(words(&now), "link: down: refused; clock: not set; source: no such file");
        now.uplink.acknowledged += 1;
        now.outbox.rows += 1;
        assert_eq!(words(&now), "link: down: refused; clock: not set; source: no such file", "figures are no news");
    }

    #[test]
    fn it_is_fed_only_while_the_reader_answers() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("notify");
        let listener = std::os::unix::net::UnixDatagram::bind(&path).expect("bound");
        listener.set_nonblocking(true).expect("set");
        let manager = ServiceManager::at(path.as_os_str(), Some(Duration::from_secs(30))).expect("there");
        let heard = || {
            let mut bytes = [0; 64];
            std::iter::from_fn(|| listener.recv(&mut bytes).ok()).count()
        };
        let pulse = Pulse::default();
        pulse.ask();
        beat(&manager, &pulse);
        assert_eq!(heard(), 0, "nobody has answered");
        pulse.answer();
        beat(&manager, &pulse);
        assert_eq!(heard(), 1);
        beat(&manager, &pulse);
        assert_eq!(heard(), 0, "each time it has to answer anew");
    }
}
