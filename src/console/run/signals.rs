//! The signals a console heeds, caught before it takes the terminal: one that comes just then isn't missed.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
pub(super) enum Told {
    /// To end in order.
    End,
    /// To look at the terminal's size.
    Resized,
}

/// The signals.
pub(super) struct Signals {
    terminate: Signal,
    hang_up: Signal,
    /// The terminal sends none while it is in raw mode; somebody else may.
    interrupt: Signal,
    resized: Signal,
}

impl Signals {
    /// Catches them from now on.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for one.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            Some(()) = self.terminate.recv() => Told::End,
            Some(()) = self.hang_up.recv() => Told::End,
            Some(()) = self.interrupt.recv() => Told::End,
            Some(()) = self.resized.recv() => Told::Resized,
            else => std::future::pending().await,
        }
    }
}
