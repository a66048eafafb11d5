//! From what the terminal tells to actions.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::console::Action;
use crate::console::app::App;

/// The actions an event stands for: none, one, or as many as characters were pasted.
pub(super) fn actions(event: &Event, app: &App) -> Vec<Action> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_action(*key, app).into_iter().collect(),
        Event::Paste(text) if app.is_typing() => text.chars().filter(|c| !c.is_control()).map(Action::Type).collect(),
        Event::Mouse(mouse) => mouse_action(*mouse).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn key_action(event: KeyEvent, app: &App) -> Option<Action> {
    if app.is_typing()
        && let Some(action) = typing(event)
    {
        return Some(action);
    }
    let action = app.keymap().action(app.up(), event.into())?;
    // A line is being typed: only what can't be typed acts.
    if app.is_typing()
        && matches!(event.code, KeyCode::Char(_))
        && event.modifiers.difference(KeyModifiers::SHIFT).is_empty()
    {
        return None;
    }
    Some(action)
}

/// What a key does while a line is typed; the keymap doesn't change this.
fn typing(event: KeyEvent) -> Option<Action> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        KeyCode::Char('u') if control => Some(Action::EraseLine),
        KeyCode::Char(c) if !control && !event.modifiers.contains(KeyModifiers::ALT) => Some(Action::Type(c)),
        KeyCode::Backspace => Some(Action::Erase),
        KeyCode::Enter => Some(Action::Open),
        KeyCode::Esc => Some(Action::Back),
        KeyCode::Up => Some(Action::Up),
        KeyCode::Down => Some(Action::Down),
        _ => None,
    }
}

fn mouse_action(event: MouseEvent) -> Option<Action> {
    let MouseEvent { column, row, .. } = event;
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Action::Click { column, row }),
        MouseEventKind::ScrollUp => Some(Action::WheelUp { column, row }),
        MouseEventKind::ScrollDown => Some(Action::WheelDown { column, row }),
        _ => None,
    }
}
