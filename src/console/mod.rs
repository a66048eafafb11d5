//! The terminal UI.
//!
//! Elm-like: keys and mouse become an [`Action`], [`App::update`](app::App) answers with effects, and drawing is a
//! pure function of owned snapshots. Nothing here opens a socket or a file but `run`, `export`, and the loading of
//! themes and keymaps before the first frame.
//!
//! - `action` – everything an operator can do, in one documented table
//! - `key`, `keymap` – which key does what
//! - `app` – the console's state and how it changes
//! - `frame` – header, tabs and footer around the screen
//! - `popup` – what lies over a screen: palette, help, filter line, choices
//! - `run` – the loop: terminal, keys, snapshots and answers in; frames out
//! - `setup` – from settings to an app
//! - `once` – one frame as text
//! - `screens` – the eight screens and the border they share: `Screen`, `Context`, `Effect`
//! - `widgets` – what screens are drawn with
//! - `pictures` – pictures by the terminal's own graphics, in half blocks or shades
//! - `units` – values in the operator's units
//! - `theme` – colours by meaning, from `themes/*.toml`
//! - `filter` – the filter line's regular expression
//! - `export` – what is shown, as files
//! - `document` – where in a TOML file something is wrong, and what was probably meant

pub mod action;
pub mod app;
mod document;
pub mod export;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
mod frame;
mod key;
pub mod keymap;
pub mod once;
pub mod pictures;
mod popup;
mod run;
pub mod screens;
mod setup;
pub mod theme;
pub mod units;
pub mod widgets;

pub use action::Action;
pub use once::{frame_as_ansi, frame_as_text};
pub use run::{ConsoleError, RunOptions, run};
pub use screens::ScreenName;
