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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ratatui::layout::Size;

    use super::*;
    use crate::console::fixture;
    use crate::console::keymap::Keymap;
    use crate::console::theme::Theme;

    fn app() -> App {
        let snapshot = Arc::new(fixture::snapshot());
        App::new(snapshot, Theme::midnight(), Keymap::default(), Size::new(100, 30), fixture::wall_now())
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_act_until_a_line_is_typed() {
        let mut app = app();
        let q = key(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(actions(&q, &app), [Action::Back]);
        app.update(Action::Filter);
        assert_eq!(actions(&q, &app), [Action::Type('q')]);
        assert_eq!(actions(&key(KeyCode::Char('Q'), KeyModifiers::SHIFT), &app), [Action::Type('Q')]);
        assert_eq!(actions(&key(KeyCode::Esc, KeyModifiers::NONE), &app), [Action::Back]);
        assert_eq!(actions(&key(KeyCode::Char('u'), KeyModifiers::CONTROL), &app), [Action::EraseLine]);
        assert_eq!(actions(&key(KeyCode::Char('c'), KeyModifiers::CONTROL), &app), [Action::Quit]);
    }

    #[test]
    fn what_is_pasted_is_typed_without_control_characters_and_never_acts() {
        let mut app = app();
        let paste = Event::Paste("Q\n\u{1b}x".into());
        assert!(actions(&paste, &app).is_empty());
        app.update(Action::Filter);
        assert_eq!(actions(&paste, &app), [Action::Type('Q'), Action::Type('x')]);
    }

    #[test]
    fn the_mouse_clicks_and_scrolls() {
        let app = app();
        let mouse = |kind| Event::Mouse(MouseEvent { kind, column: 3, row: 1, modifiers: KeyModifiers::NONE });
        let click = Action::Click { column: 3, row: 1 };
        assert_eq!(actions(&mouse(MouseEventKind::Down(MouseButton::Left)), &app), [click]);
        assert_eq!(actions(&mouse(MouseEventKind::ScrollUp), &app), [Action::WheelUp { column: 3, row: 1 }]);
        assert!(actions(&mouse(MouseEventKind::Moved), &app).is_empty());
    }
}
