//! The terminal UI.
//!
//! Elm-like: keys and mouse become an [`Action`], [`App::update`](app::App) answers with effects, and drawing is a
//! pure function of owned snapshots. Nothing here opens a socket or a file but `run`, `export`, and the loading of
//! themes and keymaps before the first frame.
//!
//! - `action` – everything an operator can do, in one documented table
//! - `screens` – the eight screens and the border they share: `Screen`, `Context`, `Effect`
//! - `widgets` – what screens are drawn with
//! - `theme` – colours by meaning, from `themes/*.toml`
//! - `filter` – the filter line's regular expression
//! - `export` – what is shown, as files
//! - `document` – where in a TOML file something is wrong, and what was probably meant

pub mod action;
mod document;
pub mod export;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub mod screens;
pub mod theme;
pub mod widgets;

pub use action::Action;
