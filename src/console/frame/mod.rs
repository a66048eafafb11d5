//! The frame on every screen: header, tabs, the screen's body, footer; and what a terminal too small is told.
//!
//! `header` and `footer` draw a line each. A screen draws into [`body`]; popups lie over it all.

mod footer;
mod header;

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::Modifier;

use super::app::App;
use super::screens::ScreenName;
use super::widgets::value::{self, wrap};

/// The smallest terminal the screens are drawn on.
pub const SMALLEST: Size = Size { width: 60, height: 15 };

/// Rows above the body: header and tabs.
const ABOVE: u16 = 2;
/// Rows below it: the footer.
const BELOW: u16 = 1;

/// The part of the terminal that is the screen's.
#[must_use]
pub const fn body(area: Rect) -> Rect {
    Rect {
        x: area.x,
        y: area.y.saturating_add(if area.height < ABOVE { area.height } else { ABOVE }),
        width: area.width,
        height: area.height.saturating_sub(ABOVE + BELOW),
    }
}

/// Whether a terminal is too small for the screens.
#[must_use]
pub const fn is_too_small(size: Size) -> bool {
    size.width < SMALLEST.width || size.height < SMALLEST.height
}

/// Draws everything.
pub fn render(app: &App, buffer: &mut Buffer) {
    let area = buffer.area;
    let theme = &app.view.theme;
    buffer.set_style(area, theme.text);
    if is_too_small(area.as_size()) {
        too_small(app, buffer);
        return;
    }
    header::render(app, buffer, Rect { height: 1, ..area });
    render_tabs(app, buffer, Rect { y: area.y + 1, height: 1, ..area });
    let context = app.context();
    app.screen().render(buffer, body(area), &context);
    if context.stale {
        // What is shown is the last there was: it recedes, so that nobody takes it for what is.
        buffer.set_style(body(area), theme.dim.add_modifier(Modifier::DIM));
    }
    footer::render(app, buffer, Rect { y: area.bottom() - 1, height: 1, ..area });
    for popup in app.popups() {
        popup.render(buffer, area, app);
    }
}

fn too_small(app: &App, buffer: &mut Buffer) {
    let area = buffer.area;
    let (columns, rows) = (SMALLEST.width, SMALLEST.height);
    let long = format!("skydeck needs {columns}×{rows} cells; this terminal has {}×{}", area.width, area.height);
    let short = format!("needs {columns}×{rows}, is {}×{}", area.width, area.height);
    let text = if value::width(&long) <= usize::from(area.width) { long } else { short };
    let lines = wrap(&text, area.width.into(), area.height.into());
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buffer.set_stringn(area.x, y, line, area.width.into(), app.view.theme.warn);
    }
}

/// Each tab's text; where the terminal is narrow, only the one that is up is spelt out.
fn tabs(up: ScreenName, width: u16) -> Vec<(ScreenName, String)> {
    let spelt = |screen: ScreenName| {
        let mark = if screen == up { "▸" } else { " " };
        format!("{mark}{} {} ", screen.index() + 1, screen.label())
    };
    let full: Vec<(ScreenName, String)> = ScreenName::ALL.into_iter().map(|screen| (screen, spelt(screen))).collect();
    if full.iter().map(|(_, text)| value::width(text)).sum::<usize>() <= width.into() {
        return full;
    }
    let short = |screen: ScreenName| format!(" {} ", screen.index() + 1);
    full.into_iter().map(|(screen, text)| (screen, if screen == up { text } else { short(screen) })).collect()
}

fn render_tabs(app: &App, buffer: &mut Buffer, area: Rect) {
    let theme = &app.view.theme;
    let mut x = area.x;
    for (screen, text) in tabs(app.up(), area.width) {
        let style = if screen == app.up() { theme.tab } else { theme.dim };
        (x, _) = buffer.set_stringn(x, area.y, &text, area.right().saturating_sub(x).into(), style);
    }
}

/// The tab at a cell of a terminal of `size`, where there is one.
#[must_use]
pub fn tab_at(size: Size, up: ScreenName, column: u16, row: u16) -> Option<ScreenName> {
    if row != 1 || is_too_small(size) {
        return None;
    }
    let mut x = 0;
    tabs(up, size.width).into_iter().find_map(|(screen, text)| {
        x += value::width(&text);
        (usize::from(column) < x).then_some(screen)
    })
}
