//! The loop: keys, snapshots and answers in, frames out. It sleeps unless something happens.
//!
//! - `painter` – the thread that owns the terminal
//! - `asker` – asks the owner for what the screens want
//! - `input` – from what the terminal tells to actions
//! - `late` – hears what the terminal answers later, and asks the one around tmux again
//! - `clipboard` – the desktop's, or the terminal's own
//! - `panic` – what a panic does to the terminal
//! - `query` – asks the terminal what it can show pictures by
//! - `report` – a plan's differences, all of them, before it is written
//! - `signals` – those that end it, and a new size

mod asker;
mod clipboard;
mod input;
mod late;
mod painter;
mod panic;
mod query;
mod report;
mod signals;

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
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
use self::late::Late;
use self::painter::{Paint, Painted, Painter};
use self::query::Heard;
use self::signals::{Signals, Told};
use super::app::App;
use super::export;
use super::frame;
use super::pictures::{Abilities, Graphics, Placement, Shown, Surroundings, Tile};
use super::screens::{Effect, ScreenName};
use super::setup;
pub use super::setup::RunOptions;
use super::theme::ColorDepth;
use crate::clock::second_hand::SecondHand;
use crate::owner::remote::{RemoteLook, RemotePlace, RemoteState};
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
    /// What was made of a picture, for a terminal that can this.
    Made { shown: Box<Shown>, graphics: Graphics, tile: Result<Tile, String> },
    /// A device that is looked at over SSH was heard of; the number is the look's.
    Remote(u64, RemoteState),
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
    let around = Surroundings::of(|name| std::env::var(name).ok());
    let is_asked = Graphics::is_asked(settings.graphics, depth, around);
    let question = if is_asked { query::question(around.tmux) } else { String::new() };
    let painter = Painter::start(settings.mouse, &question, painted)?;
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
        next_step: None,
        resize: None,
        around,
        is_making: false,
        next_ink: rand::random(),
        late: Late::default(),
        remote: None,
        looks: 0,
    };
    let ended = console.run(&client, signals, received, drawn, is_asked).await;
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
    shown: Option<(Buffer, Vec<Placement>)>,
    /// Something changed since.
    changed: bool,
    /// No frame before this.
    next_frame: Instant,
    /// When what moves by itself moves on.
    next_step: Option<Instant>,
    resize: Option<Size>,
    /// What is known of the terminal without asking it.
    around: Surroundings,
    /// Whether a picture is made now; it is one at a time.
    is_making: bool,
    next_ink: u32,
    late: Late,
    /// The device that is looked at over SSH, and how many were before it.
    remote: Option<RemoteLook>,
    looks: u64,
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
        is_asked: bool,
    ) -> Result<(), ConsoleError> {
        self.draw();
        let tmux = self.around.tmux;
        let mut answers =
            is_asked.then(|| tokio::task::spawn_blocking(move || query::listen(io::stdin().as_fd(), tmux)));
        // Two readers of one terminal would each get a part.
        let mut events = answers.is_none().then(EventStream::new);
        let mut snapshots = client.snapshots();
        let mut second_hand = SecondHand::new();
        let mut owner_here = true;
        self.ask();
        loop {
            let goes_on = tokio::select! {
                heard = arrived(&mut answers) => {
                    answers = None;
                    events = Some(EventStream::new());
                    self.heard(heard)
                }
                event = next_of(&mut events) => match event {
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
                () = sleep_until(self.next_step) => {
                    panic::inside(|| self.app.step());
                    self.next_step = None;
                    self.changed = true;
                    self.ask();
                    true
                }
                () = sleep_until(self.late.due()) => {
                    self.ask_around();
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
            let pace = self.app.pace();
            self.next_step = pace.map(|pace| self.next_step.unwrap_or_else(|| Instant::now() + pace));
        }
    }

    /// The terminal has said what it can, or nothing; what was typed meanwhile is acted on.
    fn heard(&mut self, heard: Heard) -> GoesOn {
        self.late = Late::new(heard.told, heard.complete, self.around.tmux, Instant::now());
        self.choose_graphics(heard.told);
        // A terminal that doesn't know a question may have written it over the frame.
        self.shown = None;
        self.painter.order(Paint::Clear);
        self.changed = true;
        heard.typed.iter().all(|event| self.event(event))
    }

    /// Asks the terminal around tmux again.
    fn ask_around(&mut self) {
        self.late.ask(Instant::now());
        self.painter.order(Paint::Ask(query::question_around()));
    }

    fn choose_graphics(&mut self, told: Abilities) {
        let colours = (self.depth, self.app.view.theme.light);
        let graphics = Graphics::choose(self.settings.graphics, colours, told, self.around, pixels_of_a_cell());
        self.app.view.pictures.set_graphics(graphics);
    }

    fn event(&mut self, event: &Event) -> GoesOn {
        self.app.tick(Timestamp::now());
        if self.late.is_answer(event) {
            if let Some(told) = self.late.news() {
                self.choose_graphics(told);
                self.changed = true;
            }
            return true;
        }
        if self.late.is_due_by_sign(Instant::now()) {
            self.ask_around();
        }
        let mut goes_on = true;
        let was_paused = self.app.view.is_paused();
        for action in input::actions(event, &self.app) {
            self.changed = true;
            let effects = panic::inside(|| self.app.update(action));
            for effect in effects {
                goes_on &= self.effect(effect);
            }
        }
        match (was_paused, self.app.view.is_paused()) {
            (false, true) => self.asker.hold(),
            // What the tables missed meanwhile.
            (true, false) => self.asker.release(),
            _ => {}
        }
        self.ask();
        goes_on
    }

    /// The next frame is made anew for the terminal as it is now.
    fn look_at_size(&mut self) -> Result<GoesOn, ConsoleError> {
        let (width, height) = crossterm::terminal::size()?;
        self.resize = Some(Size { width, height });
        // Another font is another size, too.
        let graphics = *self.app.view.pictures.graphics();
        if let Some(cell) = pixels_of_a_cell() {
            self.app.view.pictures.set_graphics(Graphics { cell, ..graphics });
        }
        if self.late.is_due_by_sign(Instant::now()) {
            self.ask_around();
        }
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
        !self.asker.asks(self.app.up(), &panic::inside(|| self.app.wants()))
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
            Inner::Made { shown, graphics, tile } => {
                self.is_making = false;
                if *self.app.view.pictures.graphics() == graphics {
                    self.app.view.pictures.take(&shown, tile);
                }
            }
            Inner::Remote(look, _) if look != self.looks || self.remote.is_none() => return true,
            Inner::Remote(_, state) => panic::inside(|| self.app.hear_remote(state)),
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
            Effect::LookOverSsh(destination) => self.look_over_ssh(destination),
            Effect::Theme(name) => match setup::theme(&name, self.options.themes().as_deref(), self.depth) {
                Ok(theme) => {
                    let graphics = *self.app.view.pictures.graphics();
                    self.app.view.pictures.set_graphics(Graphics { light: theme.light, ..graphics });
                    self.app.view.theme = theme;
                }
                Err(error) => self.app.notify(&error.to_string()),
            },
            // The app has dealt with these.
            Effect::Goto(_) | Effect::Export(_) | Effect::Notify(_) | Effect::SwitchUnit(_) => {}
        }
        true
    }

    /// Looks at a device over SSH, or ends that.
    fn look_over_ssh(&mut self, destination: Option<String>) {
        self.looks += 1;
        let config = self.settings.ssh_config.clone();
        self.remote = destination.map(|destination| RemoteLook::begin(RemotePlace { destination, config }));
        let Some(look) = &self.remote else { return };
        let (mut state, inner, number) = (look.state(), self.inner.clone(), self.looks);
        tokio::spawn(async move {
            while state.changed().await.is_ok() {
                let heard = state.borrow_and_update().clone();
                if inner.send(Inner::Remote(number, heard)).is_err() {
                    return;
                }
            }
        });
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
        let shown = panic::inside(|| self.app.pictures());
        self.make_picture(&shown);
        panic::inside(|| frame::render(&self.app, &mut buffer));
        let placements = panic::inside(|| self.app.view.pictures.placements(&mut buffer, &shown));
        if self.shown.as_ref().is_some_and(|(before, inked)| *before == buffer && *inked == placements) {
            return;
        }
        self.painter.order(Paint::Frame(buffer.clone(), placements.clone()));
        self.shown = Some((buffer, placements));
        self.next_frame = Instant::now() + Duration::from_millis(self.settings.frame_floor_ms);
    }
}

impl Console {
    /// Has the next picture made that isn't yet, on a thread that may take its time.
    fn make_picture(&mut self, shown: &[Shown]) {
        if self.is_making {
            return;
        }
        let Some(shown) = self.app.view.pictures.next(shown).cloned() else { return };
        self.is_making = true;
        // Kitty tells a picture's number by a colour: 24 bits, and not 0.
        self.next_ink = self.next_ink.wrapping_add(1) & 0xff_ffff;
        let (id, graphics) = (self.next_ink.max(1), *self.app.view.pictures.graphics());
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || {
            let tile = Tile::make(&shown.jpeg, shown.area.as_size(), &graphics, id);
            drop(inner.send(Inner::Made { shown: Box::new(shown), graphics, tile }));
        });
    }
}

/// Width and height of a cell in pixels, where the terminal's driver knows them.
fn pixels_of_a_cell() -> Option<(u16, u16)> {
    let size = crossterm::terminal::window_size().ok()?;
    Some((size.width.checked_div(size.columns)?, size.height.checked_div(size.rows)?)).filter(|(w, h)| *w > 0 && *h > 0)
}

/// What the terminal answered; for good where nothing is awaited.
async fn arrived(answers: &mut Option<tokio::task::JoinHandle<Heard>>) -> Heard {
    match answers {
        Some(answers) => answers.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// The next event, once there is somebody who reads them.
async fn next_of(events: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Sleeps until then; without an instant, for good.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
