//! What lies over a screen: palette, help, filter line, choice of a theme or an export.
//!
//! A popup owns its state; the app keeps them on a stack and gives the topmost every action. [`Popup::update`] answers
//! with a [`Verdict`]; drawing is pure.

mod choice;
mod filter_line;
mod help;
mod palette;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};

use self::choice::{ExportChoice, ThemeChoice};
use self::filter_line::FilterLine;
use self::help::Help;
use self::palette::Palette;
use super::Action;
use super::app::App;
use super::export::{Exportable, Format};
use super::screens::Effect;
use super::theme::Theme;
use super::widgets::pane;

/// Something that lies over a screen.
#[derive(Debug)]
pub enum Popup {
    /// Find an action by its name.
    Palette(Palette),
    /// Every key.
    Help(Help),
    /// The filter line, in the footer.
    Filter(FilterLine),
    /// Choose a theme.
    Themes(ThemeChoice),
    /// Choose what is written, and how.
    Export(ExportChoice),
}

/// What becomes of a popup after an action.
#[derive(Debug)]
pub enum Verdict {
    /// It stays open.
    Stay(Vec<Effect>),
    /// It closes.
    Close(Vec<Effect>),
    /// It closes, and this is done.
    Do(Action),
}

impl Popup {
    /// The palette of every action.
    #[must_use]
    pub fn palette(app: &App) -> Self {
        Self::Palette(Palette::new(app))
    }

    /// The help.
    #[must_use]
    pub fn help() -> Self {
        Self::Help(Help::default())
    }

    /// The filter line with the filter as it is.
    #[must_use]
    pub fn filter(text: &str) -> Self {
        Self::Filter(FilterLine::new(text))
    }

    /// The themes, the one in use selected.
    #[must_use]
    pub fn themes(names: &[String], current: &str) -> Self {
        Self::Themes(ThemeChoice::new(names, current))
    }

    /// What can be exported, and in which formats.
    #[must_use]
    pub const fn export(choices: Vec<(Exportable, Format)>) -> Self {
        Self::Export(ExportChoice::new(choices))
    }

    /// Whether keys are typed into it.
    #[must_use]
    pub const fn takes_text(&self) -> bool {
        matches!(self, Self::Palette(_) | Self::Help(_) | Self::Filter(_))
    }

    /// Takes an action.
    pub fn update(&mut self, action: Action, app: &mut App) -> Verdict {
        match self {
            Self::Palette(palette) => palette.update(action, app),
            Self::Help(help) => help.update(action, app),
            Self::Filter(line) => line.update(action, app),
            Self::Themes(choice) => choice.update(action, app),
            Self::Export(choice) => choice.update(action, app),
        }
    }

    /// Draws it over the terminal's `area`.
    pub fn render(&self, buffer: &mut Buffer, area: Rect, app: &App) {
        match self {
            Self::Palette(palette) => palette.render(buffer, area, app),
            Self::Help(help) => help.render(buffer, area, app),
            // The footer draws it.
            Self::Filter(_) => {}
            Self::Themes(choice) => choice.render(buffer, area, app),
            Self::Export(choice) => choice.render(buffer, area, app),
        }
    }
}

/// A popup's place: in the middle, at most `width` × `height`, borders included.
fn place(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// Clears a popup's place, draws its frame and answers with the room inside.
fn open(buffer: &mut Buffer, place: Rect, title: &str, note: &str, theme: &Theme) -> Rect {
    Clear.render(place, buffer);
    buffer.set_style(place, theme.text.patch(theme.popup));
    let inner = pane::render_with_note(buffer, place, title, note, true, theme);
    inner.intersection(place)
}

/// A line of typed text with its prompt and a block for the cursor; where it is too long its beginning is cut.
fn typed(buffer: &mut Buffer, area: Rect, prompt: &str, text: &str, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    let room = usize::from(area.width).saturating_sub(super::widgets::value::width(prompt) + 1);
    let shown = super::widgets::value::fit_end(text, room);
    let (x, _) = buffer.set_stringn(area.x, area.y, prompt, usize::from(area.width), theme.key);
    let (x, _) = buffer.set_stringn(x, area.y, &shown, room, theme.text.patch(theme.title));
    if x < area.right() {
        buffer.set_string(x, area.y, "▏", theme.key);
    }
}

/// The filter line where the footer is.
pub fn filter_prompt(buffer: &mut Buffer, area: Rect, line: &FilterLine, theme: &Theme) {
    typed(buffer, Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area }, "/", line.text(), theme);
}
