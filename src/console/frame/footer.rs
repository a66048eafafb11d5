//! The footer: the filter line while it is edited; else what is to be said, the alarms or the filter, and key hints.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget as _};

use crate::console::Action;
use crate::console::app::App;
use crate::console::popup::Popup;
use crate::console::widgets::value::{fit, width, wrap};
use crate::station::text::printable;

/// Hints that every screen ends with.
const ALWAYS: [Action; 3] = [Action::Palette, Action::Filter, Action::Quit];

/// Rows that something said may take, the footer's own and those above it.
const MOST_ROWS: usize = 3;

/// Draws the footer. What passes or must be read whole takes the hints' room, and rows above where that isn't enough.
pub(super) fn render(app: &App, buffer: &mut Buffer, area: Rect) {
    let theme = &app.view.theme;
    if let Some(Popup::Filter(line)) = app.popups().last() {
        super::super::popup::filter_prompt(buffer, area, line, theme);
        // What is wrong with it stands above it, to its end.
        if let Some(fault) = line.fault() {
            let room = usize::from(area.width).saturating_sub(2);
            let above = Rect { y: area.y.saturating_sub(1), ..area };
            render_rows(buffer, above, &wrap(fault, room, MOST_ROWS), theme.fail, theme.text);
        }
        return;
    }
    let (text, style) = said(app);
    let room = usize::from(area.width).saturating_sub(2);
    let whole = app.notification().is_some() || app.view.lost_at().is_some();
    if whole && width(&text) > room {
        return render_rows(buffer, area, &wrap(&text, room, MOST_ROWS), style, theme.text);
    }
    // An alarm stays, and leaves the hints some room.
    let most = if whole { room } else { room * 3 / 5 };
    let hints = hints(app, room.saturating_sub(if text.is_empty() { 0 } else { width(&text).min(most) + 2 }));
    let hints_width: usize = hints.iter().map(hint_width).sum();
    let left = room.saturating_sub(hints_width + 1);
    let left = if hints.is_empty() { room } else { left };
    buffer.set_stringn(area.x + 1, area.y, fit(&text, left), left, style);
    let mut x = area.right().saturating_sub(u16::try_from(hints_width).unwrap_or(0));
    for (key, hint) in hints {
        (x, _) = buffer.set_stringn(x, area.y, &key, room, theme.key);
        (x, _) = buffer.set_stringn(x + u16::from(!key.is_empty()), area.y, &hint, room, theme.dim);
        x += 2;
    }
}

/// Draws lines whose last one is the footer's row; the others lie over the screen's last rows.
fn render_rows(buffer: &mut Buffer, area: Rect, lines: &[String], style: Style, ground: Style) {
    let above = u16::try_from(lines.len().saturating_sub(1)).unwrap_or(0).min(area.y);
    let rows = Rect { y: area.y - above, height: above + 1, ..area };
    Clear.render(rows, buffer);
    buffer.set_style(rows, ground);
    for (y, line) in (rows.y..rows.bottom()).zip(lines) {
        buffer.set_stringn(area.x + 1, y, line, usize::from(area.width).saturating_sub(2), style);
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
        [] => (at_work(app), theme.dim),
        [alarm] => (format!("▲ {}", printable(&alarm.message)), theme.alarm),
        alarms => {
            let messages: Vec<String> = alarms.iter().map(|alarm| printable(&alarm.message)).collect();
            (format!("▲ {} alarms: {}", alarms.len(), messages.join(" · ")), theme.alarm)
        }
    }
}

/// The run that is at work, where there is one: `run 7 applying 12/46`.
fn at_work(app: &App) -> String {
    let snapshot = &app.view.live;
    let Some((of, run)) = snapshot.provisioning.active() else { return String::new() };
    let place = if of.environment == snapshot.environment { String::new() } else { format!(" of {}", of.environment) };
    format!("run {}{place} {}", run.number, run.standing())
}

/// Columns of a hint and the space after it.
fn hint_width((key, hint): &(String, String)) -> usize {
    width(key) + usize::from(!key.is_empty()) + width(hint) + 2
}

/// As many whole hints as there is room for, the screen's own before those that every screen has; `…` says that there
/// are more. The palette's key has its room first, as any other action is found by name there.
fn hints(app: &App, room: usize) -> Vec<(String, String)> {
    let context = app.context();
    let hint = |action: Action| {
        // While a line is typed, a letter is a letter.
        let keys = app.keymap().keys(app.up(), action);
        let key = keys.into_iter().find(|key| !app.is_typing() || !key.is_typed())?.to_string();
        let here = app.screen().meaning(action, &context).map(|(hint, _)| hint);
        Some((key, here.unwrap_or(action.info()?.hint).to_owned()))
    };
    let mut wanted: Vec<Action> = Vec::new();
    // A question takes every other action.
    let always: &[Action] = if app.screen().modal() { &[Action::Quit] } else { &ALWAYS };
    for action in app.screen().hints(&context).into_iter().chain(always.iter().copied()) {
        if !wanted.contains(&action) && hint(action).is_some() {
            wanted.push(action);
        }
    }
    let fitting = |mut left: usize| {
        let mut by_worth = wanted.clone();
        by_worth.sort_by_key(|action| *action != Action::Palette);
        by_worth.retain(|action| {
            let rest = hint(*action).and_then(|hint| left.checked_sub(hint_width(&hint)));
            left = rest.unwrap_or(left);
            rest.is_some()
        });
        by_worth
    };
    let more = (String::new(), "…".to_owned());
    let mut chosen = fitting(room);
    let is_cut = chosen.len() < wanted.len();
    if is_cut {
        chosen = fitting(room.saturating_sub(hint_width(&more)));
    }
    let shown = wanted.into_iter().filter(|action| chosen.contains(action)).filter_map(hint);
    shown.chain((is_cut && room >= hint_width(&more)).then_some(more)).collect()
}
