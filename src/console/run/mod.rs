//! The loop: keys, snapshots and answers in, frames out. It sleeps unless something happens.
//!
//! - `painter` – the thread that owns the terminal
//! - `asker` – asks the owner for what the screens want
//! - `input` – from what the terminal tells to actions
//! - `clipboard` – the desktop's, or the terminal's own
//! - `panic` – what a panic does to the terminal
//! - `report` – a plan's differences, all of them, before it is written
//! - `signals` – those that end it, and a new size

mod asker;
mod clipboard;
mod input;
mod painter;
mod panic;
mod report;
mod signals;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::asker::Asker;
use self::clipboard::Clipboard;
use self::painter::{Paint, Painted, Painter};
use self::signals::{Signals, Told};
use super::app::App;
use super::export;
use super::frame;
use super::screens::{Effect, ScreenName};
use super::setup;
pub use super::setup::RunOptions;
use super::theme::ColorDepth;
use crate::clock::second_hand::SecondHand;
use crate::owner::{Answer, AskError, OwnerClient, Request};
use crate::settings::ConsoleSettings;

/// Why the console ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// There is no terminal to draw on.
    #[error("console: standard {0} is no terminal; run it in one, or use `skydeck status` or `skydeck --once`")]
    NoTerminal(&'static str),
    /// The terminal can't be written to or read from.
    #[error("console: the terminal failed: {0}; open another one and attach again with `skydeck`")]
    Terminal(#[from] io::Error),
}

/// What comes from the console's own tasks.
enum Inner {
    /// An answer; `round` where it is to what a screen wants.
    Answered { screen: ScreenName, request: Request, answer: Result<Answer, AskError>, round: Option<u64> },
    /// Everything of a round is answered.
    RoundOver(u64),
    /// To be said in the footer.
    Said(String),
    /// To be copied by the terminal.
    CopyByTerminal(String),
}

/// Shows the console until the operator quits, a signal ends it, or the terminal fails. The terminal is given back in
/// every case.
pub async fn run(client: OwnerClient, settings: ConsoleSettings, options: RunOptions) -> Result<(), ConsoleError> {
    if !io::stdout().is_terminal() {
        return Err(ConsoleError::NoTerminal("output"));
    }
    if !io::stdin().is_terminal() {
        return Err(ConsoleError::NoTerminal("input"));
    }
    let signals = Signals::catch()?;
    let (width, height) = crossterm::terminal::size()?;
    let depth = setup::depth(&settings);
    let snapshot = client.snapshots().borrow_and_update().clone();
    let mut app = setup::app(snapshot, &settings, &options, depth, Size { width, height });
    if let (Some(greeting), None) = (&options.greeting, app.notification()) {
        app.notify(greeting);
    }
    let (inner, received) = mpsc::unbounded_channel();
    let (painted, drawn) = mpsc::unbounded_channel();
    let hook = panic::Hook::install(inner.clone());
    let painter = Painter::start(settings.mouse, painted)?;
    let console = Console {
        asker: Asker::new(client.clone(), inner.clone()),
        app,
        painter,
        clipboard: Clipboard::default(),
        inner,
        settings,
        options,
        depth,
        shown: None,
        changed: true,
        next_frame: Instant::now(),
        resize: None,
    };
    let ended = console.run(&client, signals, received, drawn).await;
    drop(hook);
    ended
}

/// The console while it runs.
struct Console {
    app: App,
    asker: Asker,
    painter: Painter,
    clipboard: Clipboard,
    inner: mpsc::UnboundedSender<Inner>,
    settings: ConsoleSettings,
    options: RunOptions,
    depth: ColorDepth,
    /// The frame the painter has.
    shown: Option<Buffer>,
    /// Something changed since.
    changed: bool,
    /// No frame before this.
    next_frame: Instant,
    resize: Option<Size>,
}

/// Whether the loop goes on.
type GoesOn = bool;

impl Console {
    async fn run(
        mut self,
        client: &OwnerClient,
        mut signals: Signals,
        mut received: mpsc::UnboundedReceiver<Inner>,
        mut drawn: mpsc::UnboundedReceiver<Painted>,
    ) -> Result<(), ConsoleError> {
        self.draw();
        let mut events = EventStream::new();
        let mut snapshots = client.snapshots();
        let mut second_hand = SecondHand::new();
        let mut owner_here = true;
        self.ask();
        loop {
            let goes_on = tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.event(&event?),
                    // The terminal is gone.
                    None => false,
                },
                changed = snapshots.changed(), if owner_here => {
                    owner_here = changed.is_ok();
                    self.snapshot(owner_here.then(|| snapshots.borrow_and_update().clone()))
                }
                Some(inner) = received.recv() => self.inner(inner),
                painted = drawn.recv() => match painted {
                    Some(painted) => self.painted(painted)?,
                    None => return Err(io::Error::other("its thread has ended").into()),
                },
                () = tokio::time::sleep_until(self.next_frame), if self.changed => {
                    self.draw();
                    true
                }
                () = sleep_until(self.asker.due()) => {
                    panic::inside(|| self.asker.ask_again(self.app.up(), self.app.wants()));
                    true
                }
                // The header shows the wall clock, and ages move.
                () = second_hand.strike() => {
                    self.app.tick(Timestamp::now());
                    self.changed = true;
                    true
                }
                told = signals.next() => match told {
                    Told::End => false,
                    Told::Resized => self.look_at_size()?,
                },
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    fn event(&mut self, event: &Event) -> GoesOn {
        self.app.tick(Timestamp::now());
        let mut goes_on = true;
        for action in input::actions(event, &self.app) {
            self.changed = true;
            let effects = panic::inside(|| self.app.update(action));
            for effect in effects {
                goes_on &= self.effect(effect);
            }
        }
        self.ask();
        goes_on
    }

    /// The next frame is made anew for the terminal as it is now.
    fn look_at_size(&mut self) -> Result<GoesOn, ConsoleError> {
        let (width, height) = crossterm::terminal::size()?;
        self.resize = Some(Size { width, height });
        self.changed = true;
        Ok(true)
    }

    /// Asks for what the screen wants, where that has changed.
    fn ask(&mut self) {
        let wants = panic::inside(|| self.app.wants());
        self.asker.wants(self.app.up(), wants);
    }

    /// Whether the screen wants something else than what was asked last.
    fn wants_else(&self) -> bool {
        panic::inside(|| self.app.wants()) != self.asker.asked_requests()
    }

    fn snapshot(&mut self, snapshot: Option<std::sync::Arc<crate::owner::Snapshot>>) -> GoesOn {
        self.app.tick(Timestamp::now());
        match snapshot {
            Some(snapshot) => {
                let has_more = self.app.view.live.is_outdone_by(&snapshot);
                self.app.view.take(snapshot);
                if !self.app.view.is_paused() && (has_more || self.wants_else()) {
                    self.asker.news();
                }
            }
            None => self.app.lose_owner(),
        }
        self.changed = true;
        true
    }

    fn inner(&mut self, inner: Inner) -> GoesOn {
        match inner {
            Inner::Answered { round, .. } if !self.asker.is_current(round) => return true,
            Inner::Answered { screen, request, answer, .. } => {
                panic::inside(|| self.app.receive(screen, &request, answer.as_ref()));
            }
            Inner::RoundOver(round) => {
                self.asker.over(round);
                // An answer may lead a screen to ask for more.
                if self.wants_else() {
                    self.asker.news();
                }
                return true;
            }
            Inner::Said(text) => self.app.notify(&text),
            Inner::CopyByTerminal(text) => {
                let characters = text.chars().count();
                self.painter.order(Paint::Clipboard(text));
                self.app.notify(&format!("{characters} characters given to the terminal's clipboard (OSC 52)"));
            }
        }
        self.changed = true;
        true
    }

    fn painted(&mut self, painted: Painted) -> Result<GoesOn, ConsoleError> {
        match painted {
            Painted::Resumed => self.look_at_size(),
            Painted::Failed(error) => Err(error.into()),
        }
    }

    fn effect(&mut self, effect: Effect) -> GoesOn {
        match effect {
            Effect::Quit => return false,
            Effect::Suspend => self.painter.order(Paint::Suspend),
            Effect::Redraw => {
                self.shown = None;
                self.painter.order(Paint::Clear);
            }
            Effect::Mouse(on) => self.painter.order(Paint::Mouse(on)),
            Effect::Copy(text) => self.clipboard.copy(text, self.inner.clone()),
            Effect::Ask(request) => self.asker.once(self.app.up(), request),
            Effect::Write(item, format) => self.write(*item, format),
            Effect::Theme(name) => match setup::theme(&name, self.options.themes().as_deref(), self.depth) {
                Ok(theme) => self.app.view.theme = theme,
                Err(error) => self.app.notify(&error.to_string()),
            },
            // The app has dealt with these.
            Effect::Goto(_) | Effect::Export(_) | Effect::Notify(_) => {}
        }
        true
    }

    /// Writes an export on a thread that may block, and says what came of it. A plan is asked for whole before.
    fn write(&self, item: export::Exportable, format: export::Format) {
        let folder = self.settings.export_dir.clone().unwrap_or_else(|| PathBuf::from("."));
        let at = item.at(self.app.context().pipeline_now(), Timestamp::now());
        let repository = self.options.repository.clone();
        let (inner, client) = (self.inner.clone(), self.asker.client().clone());
        tokio::spawn(async move {
            let say = |words: String| drop(inner.send(Inner::Said(words)));
            let item = match item {
                export::Exportable::Plan(report) => match report::whole(&client, report, say).await {
                    Ok(report) => export::Exportable::Plan(export::PlanReport { repository, ..report }),
                    Err(words) => return say(words),
                },
                other => other,
            };
            let written = tokio::task::spawn_blocking(move || match export::write(&item, format, &folder, at) {
                Ok(path) => format!("written: {}", path.display()),
                Err(error) => error.to_string(),
            });
            say(written.await.unwrap_or_else(|error| format!("export not written: {error}; try another format")));
        });
    }

    /// Makes a frame and has it painted, unless it is the one that is shown.
    fn draw(&mut self) {
        if let Some(size) = self.resize.take() {
            self.app.view.size = size;
            self.shown = None;
        }
        self.changed = false;
        let Size { width, height } = self.app.view.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        #[cfg(debug_assertions)]
        panic::on_purpose(self.app.up());
        panic::inside(|| frame::render(&self.app, &mut buffer));
        if self.shown.as_ref() == Some(&buffer) {
            return;
        }
        self.painter.order(Paint::Frame(buffer.clone()));
        self.shown = Some(buffer);
        self.next_frame = Instant::now() + Duration::from_millis(self.settings.frame_floor_ms);
    }
}

/// Sleeps until then; without an instant, for good.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
