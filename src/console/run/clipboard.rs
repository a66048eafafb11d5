//! The clipboard: the desktop's where there is one here, else the terminal's own (OSC 52).

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::Inner;

/// The desktop's clipboard, kept open: under X11 what was copied is gone with its owner.
#[derive(Clone, Default)]
pub(super) struct Clipboard(Arc<Mutex<Option<arboard::Clipboard>>>);

impl Clipboard {
    /// Copies `text` and says so; the desktop may be slow, so nobody waits for it.
    pub fn copy(&self, text: String, inner: mpsc::UnboundedSender<Inner>) {
        let clipboard = self.clone();
        tokio::task::spawn_blocking(move || {
            let characters = text.chars().count();
            if clipboard.to_desktop(&text) {
                drop(inner.send(Inner::Said(format!("{characters} characters copied"))));
            } else {
                drop(inner.send(Inner::CopyByTerminal(text)));
            }
        });
    }

    /// Whether the desktop took it. Over SSH the desktop's clipboard would be that of the wrong machine.
    fn to_desktop(&self, text: &str) -> bool {
        let remote = ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| std::env::var_os(name).is_some());
        let desktop = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
        if remote || !(desktop || cfg!(target_os = "macos")) {
            return false;
        }
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = arboard::Clipboard::new().ok();
        }
        open.as_mut().is_some_and(|clipboard| clipboard.set_text(text).is_ok())
    }
}
