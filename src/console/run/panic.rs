//! What a panic does to the terminal.
//!
//! One of the console's own gives the terminal back before its message is printed. One elsewhere in the process (the
//! embedded pipeline) must not write over the screen: it goes into the log and into the footer, and the console goes on.

use std::cell::Cell;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Inner, painter};

thread_local! {
    /// Whether this thread is in the console's own code now.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// In debug builds, for the tests of this file's promise: on the screen Sky, `SKYDECK_DEBUG_PANIC=console` panics in the
/// console's own code, `SKYDECK_DEBUG_PANIC=elsewhere` in another thread.
#[cfg(debug_assertions)]
pub(super) fn on_purpose(up: crate::console::screens::ScreenName) {
    #[expect(clippy::panic, reason = "that is what it is for")]
    fn fail() {
        panic!("on purpose, as SKYDECK_DEBUG_PANIC asked for");
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    if up == crate::console::screens::ScreenName::Sky {
        match std::env::var("SKYDECK_DEBUG_PANIC").as_deref() {
            Ok("console") => inside(fail),
            Ok("elsewhere") => ONCE.call_once(|| drop(std::thread::spawn(fail).join())),
            _ => {}
        }
    }
}

/// Runs a part of the console, so that a panic in it is known for the console's.
pub(super) fn inside<T>(part: impl FnOnce() -> T) -> T {
    INSIDE.set(true);
    let result = part();
    INSIDE.set(false);
    result
}

type Previous = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The hook while the console runs; the one before comes back when this is dropped.
pub(super) struct Hook(Previous);

impl Hook {
    /// Puts the hook in place.
    pub fn install(inner: mpsc::UnboundedSender<Inner>) -> Self {
        let previous: Previous = Arc::from(panic::take_hook());
        let before = Arc::clone(&previous);
        panic::set_hook(Box::new(move |info| {
            let painters = std::thread::current().name() == Some("console-terminal");
            if INSIDE.get() || painters {
                painter::give_back();
                before(info);
            } else {
                let text = crate::station::text::printable(&info.to_string());
                tracing::error!(target: "skydeck::console", "a part of skydeck failed: {text}");
                drop(inner.send(Inner::Said(format!("a part of skydeck failed (a bug; see Logs): {text}"))));
            }
        }));
        Self(previous)
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // While a panic unwinds the hook can't be changed.
        if !std::thread::panicking() {
            let previous = Arc::clone(&self.0);
            panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}
