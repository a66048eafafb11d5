//! The signals that end a command in order.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{Exit, Failure};

/// Ctrl-C and SIGTERM. SIGHUP is left as it was, so that `nohup` holds.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches them from now on.
    pub fn catch() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("signals: {error}; try again"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Waits for one; the exit code it leads to. A service manager's SIGTERM is a wanted end.
    pub async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Done,
        }
    }
}
