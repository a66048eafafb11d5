//! The loop: keys and diagnoses in, frames out. It sleeps unless something happens.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::draw::{self, Colors};
use super::state::{State, Wish};
use super::terminal::Screen;
use crate::owner::{DeviceDesk, Diagnosis, LinkTest, PreviewPicture};
use crate::station::text::printable;

/// Least time between two diagnoses: over SSH each costs some hundred bytes.
const EVERY: Duration = Duration::from_secs(1);
/// Wait before an agent that couldn't be asked is asked again.
const AGAIN: Duration = Duration::from_secs(3);
/// Pixels of the picture's longer side: as many as the largest pane has cells.
const PREVIEW_PX: u32 = 160;

/// Why it ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum DiagError {
    /// The terminal can't be written to or read from.
    #[error("diag: the terminal failed: {0}; without one, use `skydeck diag --once`")]
    Terminal(#[from] io::Error),
}

/// What comes from the loop's own tasks.
enum Inner {
    Heard(Result<Box<Diagnosis>, String>),
    Preview(Option<PreviewPicture>),
    Tested(Result<Option<LinkTest>, String>),
    Bundled(Result<PathBuf, String>),
}

/// Shows the device until somebody quits or a signal ends it. The terminal is given back in every case.
pub async fn run(desk: DeviceDesk, no_color: bool) -> Result<(), DiagError> {
    let colors = Colors::of(no_color, |name| std::env::var(name).ok());
    let mut signals = Signals::catch()?;
    let mut screen = Screen::take()?;
    let (inner, mut received) = mpsc::unbounded_channel();
    let shown = Shown { desk: Arc::new(desk), inner, state: State::default(), tested_since: None };
    let asking = tokio::spawn(ask(Arc::clone(&shown.desk), shown.inner.clone()));
    let ended = shown.run(&mut screen, &mut signals, &mut received, colors).await;
    asking.abort();
    ended
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, hang_up: signal(SignalKind::hangup())? })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

struct Shown {
    desk: Arc<DeviceDesk>,
    inner: mpsc::UnboundedSender<Inner>,
    state: State,
    tested_since: Option<Instant>,
}

impl Shown {
    async fn run(
        mut self,
        screen: &mut Screen,
        signals: &mut Signals,
        received: &mut mpsc::UnboundedReceiver<Inner>,
        colors: Colors,
    ) -> Result<(), DiagError> {
        let mut events = EventStream::new();
        loop {
            self.state.testing_s = self.tested_since.map(|since| since.elapsed().as_secs());
            screen.draw(|frame| draw::draw(frame, &mut self.state, colors))?;
            // The seconds of a test that runs are seen to pass; nothing else moves by itself.
            let second = async {
                match self.tested_since {
                    Some(_) => tokio::time::sleep(Duration::from_secs(1)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(Event::Key(key))) => match self.state.key(key) {
                        Some(Wish::Quit) => return Ok(()),
                        Some(Wish::Suspend) => screen.suspend()?,
                        Some(Wish::Redraw) => screen.0.clear()?,
                        Some(Wish::TestLink) => self.test(),
                        Some(Wish::Bundle) => self.bundle(),
                        None => {}
                    },
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    // Nobody is there any more.
                    None => return Ok(()),
                },
                Some(inner) = received.recv() => self.take(inner),
                () = signals.end() => return Ok(()),
                () = second => {}
            }
        }
    }

    fn take(&mut self, inner: Inner) {
        match inner {
            Inner::Heard(heard) => self.state.hear(heard.map(|heard| *heard)),
            Inner::Preview(preview) if !self.state.paused => self.state.preview = preview,
            Inner::Preview(_) => {}
            Inner::Tested(tested) => {
                self.tested_since = None;
                self.state.said = Some(match tested {
                    Ok(Some(test)) => match test.failed() {
                        Some(step) => format!("the way to the hub was tried: {} failed", step.step.name()),
                        None => "the way to the hub was tried: it is open".to_owned(),
                    },
                    Ok(None) => {
                        let known = self.state.diagnosis.as_ref().and_then(|diagnosis| diagnosis.no_hub.as_deref());
                        printable(known.unwrap_or("there is no hub to try the way to: the agent has no link"))
                    }
                    Err(words) => words,
                });
            }
            Inner::Bundled(Ok(path)) => {
                self.state.said = Some(format!("wrote {}; read it before you send it", path.display()));
            }
            Inner::Bundled(Err(words)) => self.state.said = Some(words),
        }
    }

    fn test(&mut self) {
        self.tested_since = Some(Instant::now());
        let (desk, inner) = (Arc::clone(&self.desk), self.inner.clone());
        tokio::spawn(async move {
            drop(inner.send(Inner::Tested(desk.test_link().await)));
            drop(inner.send(Inner::Heard(desk.diagnose(false).await.map(Box::new))));
        });
    }

    fn bundle(&mut self) {
        self.state.said = Some("writing the bundle …".to_owned());
        let (desk, inner) = (Arc::clone(&self.desk), self.inner.clone());
        tokio::spawn(async move {
            let at = Timestamp::now();
            drop(inner.send(Inner::Bundled(desk.write_bundle(None, at).await.map_err(|error| error.to_string()))));
        });
    }
}

/// Asks for one diagnosis after the other; each comes once something has changed.
async fn ask(desk: Arc<DeviceDesk>, inner: mpsc::UnboundedSender<Inner>) {
    let mut wait = false;
    let mut taken_at = None;
    loop {
        let heard = desk.diagnose(wait).await;
        wait = heard.is_ok();
        let newest = heard.as_ref().ok().and_then(|found| found.agent.as_ref()?.camera.as_ref()?.last_taken_at);
        if inner.send(Inner::Heard(heard.map(Box::new))).is_err() {
            return;
        }
        if newest.is_some() && newest != taken_at {
            taken_at = newest;
            if inner.send(Inner::Preview(desk.preview(PREVIEW_PX).await)).is_err() {
                return;
            }
        }
        tokio::time::sleep(if wait { EVERY } else { AGAIN }).await;
    }
}
