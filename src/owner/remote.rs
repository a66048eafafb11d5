//! A device over SSH: `skydeck diag --json --watch` runs there, with the user's own OpenSSH and its configuration, and what
//! it says is told on.
//!
//! Nobody is asked anything: a key or an agent signs in, and a host whose key isn't known, or is another one than before,
//! is refused in words.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openssh::{KnownHosts, Session, SessionBuilder, Stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::owner::agent::Diagnosis;
use crate::station::text::printable;

/// How long signing in may take.
const CONNECT: Duration = Duration::from_secs(15);
/// Seconds between signs of life, of which three may go unanswered.
const ALIVE: Duration = Duration::from_secs(15);
/// The longest line that is read.
const MAX_LINE: u64 = 1024 * 1024;
/// Characters of what the other side says on its standard error that are told.
const MAX_WORDS: usize = 400;
/// Seconds between two lines.
const EVERY_S: &str = "5";

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemotePlace {
    /// `[user@]host[:port]` or a name of the user's SSH configuration.
    pub destination: String,
    /// The SSH configuration; the user's own where absent.
    pub config: Option<PathBuf>,
}

/// How the look at a device over SSH stands.
#[derive(Debug, Clone, PartialEq)]
pub enum RemoteState {
    /// It is being signed in.
    Connecting,
    /// What was heard last.
    Live(Arc<Diagnosis>),
    /// Why nothing more will be heard; printable, with what to do.
    Ended(String),
}

/// A look at a device over SSH. Dropping it ends it.
#[derive(Debug)]
pub struct RemoteLook {
    state: watch::Receiver<RemoteState>,
    end: CancellationToken,
}

impl Drop for RemoteLook {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl RemoteLook {
    /// Begins to look.
    #[must_use]
    pub fn begin(place: RemotePlace) -> Self {
        let (told, state) = watch::channel(RemoteState::Connecting);
        let end = CancellationToken::new();
        let ending = end.clone();
        tokio::spawn(async move {
            if let Some(words) = look(&place, &told, &ending).await {
                told.send_replace(RemoteState::Ended(printable(&words)));
            }
        });
        Self { state, end }
    }

    /// How it stands, at every change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<RemoteState> {
        self.state.clone()
    }
}

/// Whether `destination` can be one: it isn't taken for a flag of `ssh`, and nothing in it is no sign of a name.
#[must_use]
pub fn is_destination(destination: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "-._@:/[]%".contains(c);
    !destination.is_empty()
        && destination.len() <= 255
        && !destination.starts_with('-')
        && destination.chars().all(is_sign)
}

/// Looks until `end`, or until there is nothing more to see: then the words that say why.
async fn look(place: &RemotePlace, told: &watch::Sender<RemoteState>, end: &CancellationToken) -> Option<String> {
    let mut builder = SessionBuilder::default();
    builder.known_hosts_check(KnownHosts::Strict).connect_timeout(CONNECT).server_alive_interval(ALIVE);
    if let Some(config) = &place.config {
        builder.config_file(config);
    }
    let session = tokio::select! {
        session = builder.connect(&place.destination) => session,
        () = end.cancelled() => return None,
    };
    let session = match session {
        Ok(session) => session,
        Err(error) => return Some(not_connected(&place.destination, &chain(&error))),
    };
    let ended = tokio::select! {
        words = watch_diag(&session, &place.destination, told) => Some(words),
        () = end.cancelled() => None,
    };
    // The other side ends with its connection.
    drop(session.close().await);
    ended
}

async fn watch_diag(session: &Session, destination: &str, told: &watch::Sender<RemoteState>) -> String {
    let mut command = session.command("skydeck");
    command.args(["diag", "--json", "--watch", EVERY_S]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn().await {
        Ok(child) => child,
        Err(error) => return not_connected(destination, &chain(&error)),
    };
    let (Some(out), Some(err)) = (child.stdout().take(), child.stderr().take()) else {
        return format!("{destination}: its output can't be read");
    };
    let mut lines = BufReader::new(out);
    let heard = async {
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut lines).take(MAX_LINE).read_until(b'\n', &mut line).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(format!("{destination}: {error}")),
            }
            match serde_json::from_slice::<Diagnosis>(&line) {
                Ok(diagnosis) => drop(told.send_replace(RemoteState::Live(Arc::new(diagnosis)))),
                Err(error) => {
                    return Some(format!(
                        "{destination}: what skydeck says there isn't understood ({error}); install the same version there"
                    ));
                }
            }
        }
    };
    let said = async {
        let mut words = Vec::new();
        // What can't be read is nothing that could be told.
        drop(err.take(8 * 1024).read_to_end(&mut words).await);
        String::from_utf8_lossy(&words).into_owned()
    };
    tokio::pin!(said);
    let mut words = None;
    tokio::pin!(heard);
    let heard = loop {
        tokio::select! {
            heard = &mut heard => break heard,
            said = &mut said, if words.is_none() => words = Some(said),
        }
    };
    if let Some(words) = heard {
        return words;
    }
    let said = match words {
        Some(words) => words,
        None => said.await,
    };
    let code = child.wait().await.ok().and_then(|status| status.code());
    ended_words(destination, code, &said)
}

/// Why the program there ended, and what to do.
fn ended_words(destination: &str, code: Option<i32>, said: &str) -> String {
    let said: String = printable(said.trim()).chars().take(MAX_WORDS).collect();
    match code {
        Some(127) => format!(
            "{destination}: there is no skydeck on its PATH; install it there: the package skydeck-agent puts it into /usr/bin"
        ),
        Some(2) => format!(
            "{destination}: the skydeck there is an older one that has no diag ({said}); install this version there"
        ),
        Some(255) | None => {
            format!("{destination}: the connection was lost; {}", if said.is_empty() { "try again" } else { &said })
        }
        Some(code) => format!("{destination}: skydeck diag ended there with {code}: {said}"),
    }
}

/// Why there is no connection, and what to do.
fn not_connected(destination: &str, error: &str) -> String {
    let step = if error.contains("IDENTIFICATION HAS CHANGED") || error.contains("Host key verification failed") {
        let changed = if error.contains("HAS CHANGED") { "another than the known one" } else { "not known" };
        return format!(
            "{destination}: its host key is {changed}, so nothing was sent; find out why, then mend it by hand: \
             ssh-keygen -R HOST, ssh {destination}"
        );
    } else if error.contains("Permission denied") {
        "nobody is asked for a password here: load a key (ssh-add) and have it in authorized_keys there"
    } else if error.contains("Could not resolve") || error.contains("Name or service not known") {
        "check the name, or give it a Host entry in the SSH configuration"
    } else if error.contains("refused") || error.contains("timed out") || error.contains("No route") {
        "check that the device is on, and its SSH port"
    } else {
        "try it by hand: ssh in a terminal"
    };
    let error: String = printable(error).chars().take(MAX_WORDS).collect();
    format!("{destination}: {error}; {step}")
}

/// An error and what is behind it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        source = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_never_a_flag_of_ssh() {
        for good in ["roof-01", "jetson@roof.example", "ssh://jetson@[::1]:2222", "192.168.7.2"] {
            assert!(is_destination(good), "{good}");
        }
        for wrong in ["", "-oProxyCommand=x", "roof 01", "a;b", "a\u{7}", "$(x)", &"x".repeat(256)] {
            assert!(!is_destination(wrong), "{wrong}");
        }
    }

    #[test]
    fn each_end_says_what_to_do() {
        for (code, said, expected) in [
            (Some(127), "sh: 1: skydeck: not found", "install it there"),
            (Some(2), "error: unrecognized subcommand 'diag'", "older one"),
            (Some(255), "", "try again"),
            (None, "client_loop: send disconnect: Broken pipe", "Broken pipe"),
            (Some(1), "skydeck: config: x\u{1b}[2J", "ended there with 1: skydeck: config: x[2J"),
        ] {
            let words = ended_words("roof", code, said);
            assert!(words.starts_with("roof: ") && words.contains(expected), "{words}");
        }
        for (error, expected) in [
            ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", "another than the known one"),
            ("Host key verification failed.", "not known"),
            ("me@h: Permission denied (publickey).", "ssh-add"),
            ("connect to host h port 22: Connection refused", "its SSH port"),
            ("Could not resolve hostname h", "check the name"),
            ("odd", "by hand"),
        ] {
            let words = not_connected("roof", error);
            assert!(words.contains(expected), "{words}");
        }
    }
}
