//! A key with its modifiers, as keymaps write it: `q`, `G`, `ctrl-z`, `shift-tab`, `pageup`, `f1`.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key as it is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const NAMED: [(&str, KeyCode); 14] = [
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
];

const MODIFIERS: [(&str, KeyModifiers); 3] =
    [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)];

/// A text that names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownKey(String);

impl From<KeyEvent> for Key {
    /// A letter carries its own shift, and terminals call Shift-Tab a key of its own; both are made one here.
    fn from(event: KeyEvent) -> Self {
        let kept = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let modifiers = event.modifiers & kept;
        match event.code {
            KeyCode::BackTab => Self { code: KeyCode::Tab, modifiers: modifiers | KeyModifiers::SHIFT },
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                Self { code: KeyCode::Char(c.to_ascii_lowercase()), modifiers: modifiers - KeyModifiers::SHIFT }
            }
            KeyCode::Char(c) => Self { code: KeyCode::Char(c), modifiers: modifiers - KeyModifiers::SHIFT },
            code => Self { code, modifiers },
        }
    }
}

impl Key {
    /// Whether it writes a character where a line is typed.
    #[must_use]
    pub fn is_typed(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && self.modifiers.difference(KeyModifiers::SHIFT).is_empty()
    }
}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        while let Some((name, modifier)) = MODIFIERS.iter().find(|(name, _)| rest.starts_with(name)) {
            modifiers |= *modifier;
            rest = &rest[name.len()..];
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() && c != ' ' => KeyCode::Char(c),
            _ => named(rest)
                .ok_or_else(|| UnknownKey(super::document::unknown("key", rest, NAMED.iter().map(|(n, _)| *n))))?,
        };
        if matches!(code, KeyCode::Char(_)) && modifiers.contains(KeyModifiers::SHIFT) {
            return Err(UnknownKey(format!("key {text:?}: a character carries its own shift; write it as typed")));
        }
        let is_capital = matches!(code, KeyCode::Char(c) if c.is_uppercase());
        if is_capital && modifiers.contains(KeyModifiers::CONTROL) {
            return Err(UnknownKey(format!("key {text:?}: terminals can't tell it from the small letter; write that")));
        }
        Ok(Self { code, modifiers })
    }
}

fn named(text: &str) -> Option<KeyCode> {
    let function = || {
        let number: u8 = text.strip_prefix('f')?.parse().ok()?;
        (1..=12).contains(&number).then_some(KeyCode::F(number))
    };
    NAMED.iter().find(|(name, _)| *name == text).map(|(_, code)| *code).or_else(function)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, modifier) in MODIFIERS {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        if let Some((name, _)) = NAMED.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "f{n}"),
            _ => f.write_str("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in ["q", "G", "ctrl-z", "shift-tab", "pageup", "f12", "space", "-", "ctrl--", "alt-enter", "[", "É"] {
            assert_eq!(text.parse::<Key>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn events_of_different_terminals_are_one_key() {
        let event = |code, modifiers| Key::from(KeyEvent::new(code, modifiers)).to_string();
        assert_eq!(event(KeyCode::BackTab, KeyModifiers::SHIFT), "shift-tab");
        assert_eq!(event(KeyCode::BackTab, KeyModifiers::NONE), "shift-tab");
        assert_eq!(event(KeyCode::Char('G'), KeyModifiers::SHIFT), "G");
        assert_eq!(event(KeyCode::Char('?'), KeyModifiers::SHIFT), "?");
        assert_eq!(event(KeyCode::Char('Z'), KeyModifiers::CONTROL | KeyModifiers::SHIFT), "ctrl-z");
    }

    #[test]
    fn a_wrong_key_is_told_what_is_meant() {
        let fault = |text: &str| text.parse::<Key>().expect_err(text).to_string();
        assert_eq!(fault("pagup"), "unknown key \"pagup\"; did you mean \"pageup\"?");
        assert!(fault("shift-g").contains("carries its own shift"));
        assert!(fault("f13").contains("unknown key"));
        assert!(fault("").contains("unknown key"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "\\PC{0,12}") {
            if let Ok(key) = text.parse::<Key>() {
                prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
            }
        }
    }
}
