//! A lamp: a glyph and a colour, never a colour alone.

use ratatui::style::Style;
use ratatui::text::Span;

use crate::console::theme::Theme;
use crate::owner::Lamp;

/// The lamp's glyph, one cell wide.
#[must_use]
pub const fn glyph(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Ok => "●",
        Lamp::Warning => "▲",
        Lamp::Failed => "✖",
        Lamp::Unknown => "○",
    }
}

/// The lamp's word.
#[must_use]
pub const fn word(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Ok => "ok",
        Lamp::Warning => "warning",
        Lamp::Failed => "failed",
        Lamp::Unknown => "unknown",
    }
}

/// The lamp's colour.
#[must_use]
pub const fn style(lamp: Lamp, theme: &Theme) -> Style {
    match lamp {
        Lamp::Ok => theme.ok,
        Lamp::Warning => theme.warn,
        Lamp::Failed => theme.fail,
        Lamp::Unknown => theme.unknown,
    }
}

/// The lamp as a span.
#[must_use]
pub const fn span(lamp: Lamp, theme: &Theme) -> Span<'static> {
    Span { content: std::borrow::Cow::Borrowed(glyph(lamp)), style: style(lamp, theme) }
}
