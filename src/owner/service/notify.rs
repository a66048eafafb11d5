//! What systemd is told: sd_notify(3), a datagram with `KEY=VALUE` lines to the socket that it names.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::station::text::printable;

/// Longest status, characters: it is one line of `systemctl status`.
const MAX_STATUS: usize = 160;

/// The service manager that started this process and waits to be told how it does.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    to: SocketAddr,
    watchdog: Option<Duration>,
    /// What was told last.
    status: RefCell<String>,
}

impl ServiceManager {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`); `None` where there is none.
    /// One that can't be reached is logged: the agent measures without it too.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        let variable = |name: &str| std::env::var_os(name);
        let watchdog = watchdog(
            variable("WATCHDOG_USEC").as_deref().and_then(OsStr::to_str),
            variable("WATCHDOG_PID").as_deref().and_then(OsStr::to_str),
            std::process::id(),
        );
        let name = variable("NOTIFY_SOCKET")?;
        Self::at(&name, watchdog)
            .inspect_err(|error| tracing::warn!(target: "agent", "the service manager can't be told anything: {error}"))
            .ok()
    }

    /// The one that listens on `name`: a path, or `@` and a name in the abstract namespace (unix(7)).
    pub fn at(name: &OsStr, watchdog: Option<Duration>) -> std::io::Result<Self> {
        let to = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that doesn't read shall not hold the agent up.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, to, watchdog, status: RefCell::default() })
    }

    /// Within which time it wants to hear that the agent lives, where it does.
    #[must_use]
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The agent runs.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The agent ends, as it was told to.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The agent lives.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// How it stands, in short words; told when they change.
    pub fn status(&self, words: &str) {
        let line: String = printable(words).chars().take(MAX_STATUS).collect();
        if self.status.replace(line.clone()) != line {
            self.tell(&format!("STATUS={line}"));
        }
    }

    fn tell(&self, words: &str) {
        if let Err(error) = self.socket.send_to_addr(words.as_bytes(), &self.to) {
            tracing::debug!(target: "agent", "{words}: the service manager wasn't told: {error}");
        }
    }
}

/// The watchdog's time, where it is meant for the process `pid` (sd_watchdog_enabled(3)).
fn watchdog(usec: Option<&str>, of: Option<&str>, pid: u32) -> Option<Duration> {
    if of.is_some_and(|of| of.parse() != Ok(pid)) {
        return None;
    }
    usec?.parse().ok().filter(|usec| *usec > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram) -> String {
        let mut bytes = [0; 512];
        let read = listener.recv(&mut bytes).expect("told");
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    #[test]
    fn it_tells_a_socket_with_a_path_and_one_without() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).expect("bound");
        let manager = ServiceManager::at(path.as_os_str(), None).expect("there");
        manager.ready();
        assert_eq!(heard(&listener), "READY=1");
        manager.status("link: down\u{1b}[2J\nREADY=0");
        let status = heard(&listener);
        assert!(status.starts_with("STATUS=link: down") && !status.contains(['\n', '\u{1b}']), "{status}");
        manager.status("link: down\u{1b}[2J\nREADY=0");
        manager.stopping();
        assert_eq!(heard(&listener), "STOPPING=1", "the same status isn't told twice");

        let name = format!("skydeck-test-{}-{}", std::process::id(), path.display());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).expect("short");
        let listener = UnixDatagram::bind_addr(&address).expect("bound");
        ServiceManager::at(OsStr::new(&format!("@{name}")), None).expect("there").alive();
        assert_eq!(heard(&listener), "WATCHDOG=1");
    }

    #[test]
    fn a_manager_that_is_gone_or_does_not_read_holds_nothing_up() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("notify");
        let manager = ServiceManager::at(path.as_os_str(), None).expect("an address");
        manager.ready();
        let _never_reads = UnixDatagram::bind(&path).expect("bound");
        for _ in 0..5000 {
            manager.alive();
        }
        assert!(ServiceManager::at(OsStr::new(&"x".repeat(200)), None).is_err(), "too long for a socket");
    }

    #[test]
    fn a_watchdog_is_for_the_process_that_it_names() {
        assert_eq!(watchdog(Some("60000000"), Some("7"), 7), Some(Duration::from_secs(60)));
        assert_eq!(watchdog(Some("60000000"), None, 7), Some(Duration::from_secs(60)));
        assert_eq!(watchdog(Some("60000000"), Some("8"), 7), None);
        for none in [None, Some("0"), Some(""), Some("soon")] {
            assert_eq!(watchdog(none, None, 7), None, "{none:?}");
        }
    }
}
