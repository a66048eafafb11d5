//! The thread that owns the terminal: it alone writes to it, so that a slow or stopped terminal holds up nobody else.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Stdout, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;
use ratatui::backend::{Backend as _, ClearType, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Size;

use crate::console::pictures::Placement;

/// Button and wheel events in the SGR form; motion isn't asked for, as every move would wake the program.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Whether the terminal is ours. Given back twice, it would put its cursor back twice too, over what was printed since.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// What the painter is told.
pub(super) enum Paint {
    /// Show this, and write that where the cells leave room for it.
    Frame(Buffer, Vec<Placement>),
    /// Forget what is shown, so that the next frame is drawn whole.
    Clear,
    /// Turn the mouse on or off.
    Mouse(bool),
    /// Ask the terminal something; the answer comes among the keys.
    Ask(String),
    /// Put text on the terminal's own clipboard (OSC 52).
    Clipboard(String),
    /// Give the terminal back, stop the process, and take the terminal again when it goes on.
    Suspend,
    /// Give the terminal back and end.
    Stop,
}

/// What the painter tells.
pub(super) enum Painted {
    /// The process goes on after it was stopped.
    Resumed,
    /// The terminal can't be written to.
    Failed(io::Error),
}

/// Orders on their way to the thread.
#[derive(Default)]
struct Orders {
    waiting: Mutex<VecDeque<Paint>>,
    come: Condvar,
}

impl Orders {
    /// Puts an order behind the others. Of frames that wait the newest wins: a slow terminal skips the rest, and
    /// nobody has to be told when it is done with one.
    fn put(&self, order: Paint) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match (waiting.back_mut(), &order) {
            (Some(last @ Paint::Frame(..)), Paint::Frame(..)) => *last = order,
            _ => waiting.push_back(order),
        }
        drop(waiting);
        self.come.notify_one();
    }

    /// Takes the oldest, and waits for one where there is none.
    fn take(&self) -> Paint {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(order) = waiting.pop_front() {
                return order;
            }
            waiting = self.come.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

type Screen = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// The painter's handle. Dropping it gives the terminal back.
pub(super) struct Painter {
    orders: Arc<Orders>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Painter {
    /// Takes the terminal, writes `question` to it and starts the thread; it tells `done` what it did.
    pub fn start(mouse: bool, question: &str, done: tokio::sync::mpsc::UnboundedSender<Painted>) -> io::Result<Self> {
        take(mouse).inspect_err(|_| give_back())?;
        let asked = io::stdout().write_all(question.as_bytes()).and_then(|()| io::stdout().flush());
        asked.inspect_err(|_| give_back())?;
        let screen = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())))
            .inspect_err(|_| give_back())?;
        let orders = Arc::new(Orders::default());
        let received = Arc::clone(&orders);
        let work = move || {
            if let Err(error) = paint(screen, mouse, &received, &done) {
                drop(done.send(Painted::Failed(error)));
            }
            give_back();
        };
        let thread = std::thread::Builder::new().name("console-terminal".into()).spawn(work);
        let thread = thread.inspect_err(|_| give_back())?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Gives an order; one that comes after a failure goes nowhere, as the failure was told.
    pub fn order(&self, paint: Paint) {
        self.orders.put(paint);
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        self.order(Paint::Stop);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn paint(
    mut screen: Screen,
    mut mouse: bool,
    orders: &Orders,
    done: &tokio::sync::mpsc::UnboundedSender<Painted>,
) -> io::Result<()> {
    let mut inked = Inked::default();
    loop {
        match orders.take() {
            // A panic has given the terminal back: what was to be shown isn't any more.
            Paint::Frame(..) if !TAKEN.load(Ordering::SeqCst) => break,
            Paint::Frame(buffer, placements) => draw(&mut screen, &buffer, &mut inked, placements)?,
            Paint::Clear => {
                // What a terminal keeps of its pictures when it is cleared differs: all are handed over again.
                write(&mut screen, inked.forgotten().as_bytes())?;
                clear(&mut screen)?;
            }
            Paint::Mouse(on) => {
                mouse = on;
                write(&mut screen, if on { MOUSE_ON } else { MOUSE_OFF })?;
            }
            Paint::Ask(question) => write(&mut screen, question.as_bytes())?,
            Paint::Clipboard(text) => {
                use base64::Engine as _;
                let encoded = base64::engine::general_purpose::STANDARD.encode(text);
                write(&mut screen, format!("\x1b]52;c;{encoded}\x07").as_bytes())?;
            }
            Paint::Suspend => {
                write(&mut screen, inked.forgotten().as_bytes())?;
                give_back();
                stop_process();
                take(mouse)?;
                clear(&mut screen)?;
                drop(done.send(Painted::Resumed));
            }
            Paint::Stop => {
                write(&mut screen, inked.forgotten().as_bytes())?;
                break;
            }
        }
    }
    Ok(())
}

/// Clears the terminal and forgets what is shown, so that the next frame is drawn whole. The library's own way asks the
/// terminal where its cursor is, and fails where there is no answer.
fn clear(screen: &mut Screen) -> io::Result<()> {
    screen.backend_mut().clear_region(ClearType::All)?;
    screen.swap_buffers();
    Ok(())
}

/// Writes what changed, inside a synchronized update so that no half frame is seen.
fn draw(screen: &mut Screen, buffer: &Buffer, inked: &mut Inked, mut placements: Vec<Placement>) -> io::Result<()> {
    queue!(screen.backend_mut(), BeginSynchronizedUpdate)?;
    if screen.size()? != inked.size {
        // The terminal is cleared for another size.
        let gone = inked.forgotten();
        screen.backend_mut().write_all(gone.as_bytes())?;
        inked.size = screen.size()?;
    }
    // A frame of another size was made before a resize; the next one fits.
    if buffer.area.as_size() != inked.size {
        placements.clear();
    }
    for placement in placements.iter().filter(|placement| placement.ink.forget.is_some()) {
        // Its cells name it, so it has to be there before them.
        if !inked.is_handed_over(placement) {
            screen.backend_mut().write_all(placement.ink.bytes.as_bytes())?;
        }
    }
    screen.draw(|frame| {
        if frame.area() == buffer.area {
            frame.buffer_mut().clone_from(buffer);
        }
    })?;
    for placement in placements.iter().filter(|placement| placement.ink.forget.is_none()) {
        if !inked.there.contains(placement) {
            queue!(screen.backend_mut(), cursor::MoveTo(placement.area.x, placement.area.y))?;
            screen.backend_mut().write_all(placement.ink.bytes.as_bytes())?;
        }
    }
    let gone = inked.replace(placements);
    screen.backend_mut().write_all(gone.as_bytes())?;
    execute!(screen.backend_mut(), EndSynchronizedUpdate)
}

/// The ink that the terminal has.
#[derive(Default)]
struct Inked {
    there: Vec<Placement>,
    /// The size of the screen it is on.
    size: Size,
}

impl Inked {
    /// Whether the terminal has a picture that is named by its cells.
    fn is_handed_over(&self, placement: &Placement) -> bool {
        self.there.iter().any(|there| there.ink.id == placement.ink.id)
    }

    /// Takes what is there now; answers what makes the terminal forget the rest.
    fn replace(&mut self, placements: Vec<Placement>) -> String {
        let before = std::mem::replace(&mut self.there, placements);
        let gone = before.iter().filter(|placement| !self.is_handed_over(placement));
        gone.filter_map(|placement| placement.ink.forget.as_deref()).collect()
    }

    /// What makes the terminal forget everything.
    fn forgotten(&mut self) -> String {
        self.replace(Vec::new())
    }
}

fn write(screen: &mut Screen, bytes: &[u8]) -> io::Result<()> {
    screen.backend_mut().write_all(bytes)?;
    io::Write::flush(screen.backend_mut())
}

fn take(mouse: bool) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    terminal::enable_raw_mode()?;
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
    if mouse {
        out.write_all(MOUSE_ON)?;
    }
    out.flush()
}

/// Gives the terminal back as it was, once. It may be gone, so that what fails here is of no use to anybody.
pub(super) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    drop(out.write_all(MOUSE_OFF));
    drop(execute!(out, EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show));
    drop(terminal::disable_raw_mode());
}

/// Stops the process group, as Ctrl-Z would outside raw mode, until it is told to go on.
fn stop_process() {
    #[cfg(unix)]
    {
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        // The signal may be taken by another thread; this one must not go on drawing before it takes hold.
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::console::pictures::Ink;

    fn frame(text: &str) -> Paint {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 9, 1));
        buffer.set_string(0, 0, text, ratatui::style::Style::default());
        Paint::Frame(buffer, Vec::new())
    }

    fn words(order: Paint) -> String {
        match order {
            Paint::Frame(buffer, _) => buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect(),
            Paint::Clear => "clear".to_owned(),
            Paint::Stop => "stop".to_owned(),
            _ => "another".to_owned(),
        }
    }

    #[test]
    fn of_frames_that_wait_the_newest_is_shown_and_nothing_overtakes() {
        let orders = Orders::default();
        for order in [frame("one"), frame("two"), Paint::Clear, frame("three"), frame("four"), Paint::Stop] {
            orders.put(order);
        }
        let taken: Vec<_> = (0..4).map(|_| words(orders.take()).trim_end().to_owned()).collect();
        assert_eq!(taken, ["two", "clear", "four", "stop"]);
    }

    #[test]
    fn what_is_not_shown_any_more_is_forgotten_once() {
        let placement = |id, forget: Option<&str>| Placement {
            area: Rect::new(0, 0, 2, 2),
            ink: Arc::new(Ink { id, bytes: String::new(), forget: forget.map(str::to_owned) }),
        };
        let mut inked = Inked::default();
        assert_eq!(inked.replace(vec![placement(1, Some("<1>")), placement(2, None)]), "");
        assert!(inked.is_handed_over(&placement(1, None)));
        assert_eq!(inked.replace(vec![placement(1, Some("<1>")), placement(3, Some("<3>"))]), "");
        assert_eq!(inked.replace(vec![placement(3, Some("<3>"))]), "<1>");
        assert_eq!(inked.forgotten(), "<3>");
        assert_eq!(inked.forgotten(), "");
    }

    #[test]
    fn who_waits_for_an_order_is_woken_by_it() {
        let orders = Arc::new(Orders::default());
        let taker = std::thread::spawn({
            let orders = Arc::clone(&orders);
            move || words(orders.take())
        });
        std::thread::sleep(Duration::from_millis(20));
        orders.put(Paint::Stop);
        assert_eq!(taker.join().expect("joins"), "stop");
    }
}
