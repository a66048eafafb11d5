//! The footer: the filter line while it is edited; else what is to be said, the alarms or the filter, and key hints.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::Action;
use crate::console::app::App;
use crate::console::popup::Popup;
use crate::console::widgets::value::{fit, width};
use crate::station::text::printable;

/// Hints that every screen ends with.
const ALWAYS: [Action; 3] = [Action::Palette, Action::Filter, Action::Quit];

/// Draws the footer.
pub(super) fn render(app: &App, buffer: &mut Buffer, area: Rect) {
    let theme = &app.view.theme;
    if let Some(Popup::Filter(line)) = app.popups().last() {
        super::super::popup::filter_prompt(buffer, area, line, theme);
        return;
    }
    let (text, style) = said(app);
    let room = usize::from(area.width).saturating_sub(2);
    // What is said passes, so that it may take the hints' room; an alarm stays, and leaves them some.
    let most = if app.notification().is_some() { room } else { room * 3 / 5 };
    let hints = hints(app, room.saturating_sub(if text.is_empty() { 0 } else { width(&text).min(most) + 2 }));
    let hints_width: usize = hints.iter().map(|(key, hint)| width(key) + width(hint) + 3).sum();
    let left = room.saturating_sub(hints_width + 1);
    buffer.set_stringn(area.x + 1, area.y, fit(&text, left), left, style);
    let mut x = area.right().saturating_sub(u16::try_from(hints_width).unwrap_or(0));
    for (key, hint) in hints {
        (x, _) = buffer.set_stringn(x, area.y, &key, room, theme.key);
        (x, _) = buffer.set_stringn(x + 1, area.y, &hint, room, theme.dim);
        x += 2;
    }
}

/// What stands on the left: a notification, else the filter, else the alarms.
fn said(app: &App) -> (String, Style) {
    let theme = &app.view.theme;
    if let Some(notification) = app.notification() {
        return (notification.text.clone(), theme.notice);
    }
    if app.view.lost_at().is_some() {
        // The next step has to be seen at 80 columns, too; since when is in the header.
        let text = "the owner has ended: run `skydeck run` again";
        return (text.into(), theme.fail);
    }
    let filter = app.view.filter(app.up());
    if filter.is_active() {
        return (format!("/{}", printable(filter.text())), theme.notice);
    }
    let open: Vec<_> = app.view.live.alarms.iter().filter(|alarm| alarm.acknowledged_at.is_none()).collect();
    match open.as_slice() {
        [] => (String::new(), theme.dim),
        [alarm] => (format!("▲ {}", printable(&alarm.message)), theme.alarm),
        alarms => {
            let messages: Vec<String> = alarms.iter().map(|alarm| printable(&alarm.message)).collect();
            (format!("▲ {} alarms: {}", alarms.len(), messages.join(" · ")), theme.alarm)
        }
    }
}

/// As many hints as there is room for, the screen's own before those that every screen has. The palette's key has its
/// room first, as any other action is found by name there.
fn hints(app: &App, room: usize) -> Vec<(String, String)> {
    let hint = |action: Action| {
        let key = app.keymap().first_key(app.up(), action)?;
        Some((key, action.info()?.hint.to_owned()))
    };
    let own = app.screen().hints(&app.context());
    let always = ALWAYS.into_iter().filter(|action| !own.contains(action));
    let wanted: Vec<Action> = own.iter().copied().chain(always).collect();
    let mut by_worth = wanted.clone();
    by_worth.sort_by_key(|action| *action != Action::Palette);
    let mut left = room;
    let mut chosen = Vec::new();
    for action in by_worth {
        let Some((key, text)) = hint(action) else { continue };
        if let Some(rest) = left.checked_sub(width(&key) + width(&text) + 3) {
            left = rest;
            chosen.push(action);
        }
    }
    wanted.into_iter().filter(|action| chosen.contains(action)).filter_map(hint).collect()
}
