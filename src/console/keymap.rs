//! Which key does what: the table of actions, overlaid by the user's keymap file.
//!
//! The file has a table for `[global]` and for each screen; a line gives an action all of its keys there:
//! `pause = ["p", "space"]`, `mouse = []`. A key that the file gives to one action is taken from any other that had
//! it in the same table by default. On a screen, its own keys come before the global ones.

use std::fmt::Write as _;

use toml_edit::{Item, Key as TomlKey};

use super::Action;
use super::action::{ACTIONS, ActionInfo, Scope};
use super::document::{Document, FileFault, unknown};
use super::key::Key;
use super::screens::ScreenName;

/// A table of the keymap: global, or a screen's.
type Section = Option<ScreenName>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Binding {
    section: Section,
    key: Key,
    action: Action,
}

/// Which key does what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    /// The keys of the table of actions.
    fn default() -> Self {
        let mut bindings = Vec::new();
        for info in ACTIONS {
            for section in sections(info) {
                let keys = info.keys.iter().filter_map(|key| key.parse().ok());
                bindings.extend(keys.map(|key| Binding { section, key, action: info.action }));
            }
        }
        Self { bindings }
    }
}

fn sections(info: &ActionInfo) -> Vec<Section> {
    match info.scope {
        Scope::Global => vec![None],
        Scope::On(screens) => screens.iter().copied().map(Some).collect(),
    }
}

impl Keymap {
    /// The built-in keys with `text`, read from the file called `name`, laid over them.
    pub fn overlaid(name: &str, text: &str) -> Result<Self, FileFault> {
        let document = Document::parse(name, text)?;
        let mut keymap = Self::default();
        for (section_name, _) in document.table().iter() {
            let Some((key, item)) = document.table().get_key_value(section_name) else { continue };
            let section = read_section(&document, key)?;
            let table = item
                .as_table()
                .ok_or_else(|| document.fault(key.span(), format!("{section_name}: expected a table, as [global]")))?;
            let mut given: Vec<Binding> = Vec::new();
            let entries = table.iter().filter_map(|(name, _)| table.get_key_value(name));
            for (key, item) in entries {
                let action = read_action(&document, section, key)?;
                keymap.bindings.retain(|binding| (binding.section, binding.action) != (section, action));
                for (key, span) in read_keys(&document, key, item)? {
                    if let Some(other) = given.iter().find(|binding| binding.key == key && binding.action != action) {
                        let other = other.action.info().map_or("another action", |info| info.name);
                        return Err(document.fault(span, format!("key {key} is given to {other} too; leave it to one")));
                    }
                    given.push(Binding { section, key, action });
                }
            }
            keymap.bindings.retain(|old| !given.iter().any(|new| (new.section, new.key) == (old.section, old.key)));
            keymap.bindings.extend(given);
        }
        Ok(keymap)
    }

    /// What `key` does on `screen`.
    #[must_use]
    pub fn action(&self, screen: ScreenName, key: Key) -> Option<Action> {
        let find = |section| self.bindings.iter().find(|b| b.section == section && b.key == key).map(|b| b.action);
        find(Some(screen)).or_else(|| find(None))
    }

    /// The keys that do `action` on `screen`.
    #[must_use]
    pub fn keys(&self, screen: ScreenName, action: Action) -> Vec<Key> {
        let bound = self.bindings.iter().filter(|binding| binding.action == action);
        let mut keys: Vec<Key> = Vec::new();
        for key in bound.map(|binding| binding.key).filter(|key| self.action(screen, *key) == Some(action)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The first key that does `action` on `screen`, as text.
    #[must_use]
    pub fn first_key(&self, screen: ScreenName, action: Action) -> Option<String> {
        self.keys(screen, action).first().map(Key::to_string)
    }

    /// The built-in keys as a file to start one's own from; `config/keymap.toml` is this text.
    #[must_use]
    pub fn template() -> String {
        let mut text = String::from(TEMPLATE_HEAD);
        let screens = ScreenName::ALL.into_iter().map(Some);
        for section in std::iter::once(None).chain(screens) {
            let rows: Vec<&ActionInfo> = ACTIONS.iter().filter(|info| sections(info).contains(&section)).collect();
            if rows.is_empty() {
                continue;
            }
            // Writing to a String can't fail.
            let _ = writeln!(text, "\n[{}]", section.map_or("global", ScreenName::key));
            for info in rows {
                let keys: Vec<String> = info.keys.iter().map(|key| format!("{key:?}")).collect();
                let _ = writeln!(text, "{} = [{}] # {}", info.name, keys.join(", "), info.description);
            }
        }
        text
    }
}

const TEMPLATE_HEAD: &str = "\
# Every action and its keys, as they come with skydeck.
#
# To change some, put only those lines into a file of your own and name it in console.keymap. A line gives an action
# all of its keys in that table; [] takes them away. A key that you give to one action is taken from any other that had
# it in the same table. On a screen, its own table comes before [global].
#
# A key is a character as typed (\"q\", \"G\", \"?\"), or space, enter, esc, tab, backspace, delete, home, end, pageup,
# pagedown, up, down, left, right, f1 to f12; before it ctrl-, alt- or (not with a character) shift-.
";

fn read_section(document: &Document, key: &TomlKey) -> Result<Section, FileFault> {
    if key.get() == "global" {
        return Ok(None);
    }
    key.get().parse().map(Some).map_err(|_| {
        let known = std::iter::once("global").chain(ScreenName::ALL.into_iter().map(ScreenName::key));
        document.fault(key.span(), unknown("table", key.get(), known))
    })
}

fn read_action(document: &Document, section: Section, key: &TomlKey) -> Result<Action, FileFault> {
    let Some(info) = ACTIONS.iter().find(|info| info.name == key.get()) else {
        let known = ACTIONS.iter().map(|info| info.name);
        return Err(document.fault(key.span(), unknown("action", key.get(), known)));
    };
    match (info.scope, section) {
        (Scope::On(screens), section) if !section.is_some_and(|screen| screens.contains(&screen)) => {
            let places: Vec<String> = screens.iter().map(|screen| format!("[{screen}]")).collect();
            let fault = format!("{} does nothing here; move it to {}", info.name, places.join(" or "));
            Err(document.fault(key.span(), fault))
        }
        _ => Ok(info.action),
    }
}

type Placed = (Key, Option<std::ops::Range<usize>>);

fn read_keys(document: &Document, key: &TomlKey, item: &Item) -> Result<Vec<Placed>, FileFault> {
    let wrong = || {
        let fault = format!("{}: expected a list of keys, as in [\"p\", \"space\"]", key.get());
        document.fault(item.span().or_else(|| key.span()), fault)
    };
    let array = item.as_array().ok_or_else(wrong)?;
    array
        .iter()
        .map(|value| {
            let text = value.as_str().ok_or_else(wrong)?;
            let key = text.parse().map_err(|error: super::key::UnknownKey| {
                document.fault(value.span().or_else(|| key.span()), error.to_string())
            })?;
            Ok((key, value.span()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn key(text: &str) -> Key {
        text.parse().expect("a test's key")
    }

    #[test]
    fn every_default_key_is_a_key_and_none_is_shared_in_a_table() {
        let mut seen = HashSet::new();
        for info in ACTIONS {
            for text in info.keys {
                let key: Key = text.parse().expect(text);
                for section in sections(info) {
                    assert!(seen.insert((section, key)), "{text} is {}'s and another's", info.name);
                }
            }
        }
    }

    #[test]
    fn every_action_is_reached_by_a_key_where_it_means_something() {
        let keymap = Keymap::default();
        for info in ACTIONS {
            for screen in ScreenName::ALL.into_iter().filter(|screen| info.scope.includes(*screen)) {
                // Left and right give way to time on the screens that have a time axis.
                let gives_way = matches!(info.action, Action::Left | Action::Right);
                assert!(gives_way || !keymap.keys(screen, info.action).is_empty(), "{} on {screen}", info.name);
            }
        }
    }

    #[test]
    fn the_carried_file_is_the_template_and_says_what_is_built_in() {
        let carried = include_str!("../../config/keymap.toml");
        assert_eq!(carried, Keymap::template(), "write the template to config/keymap.toml");
        let read = Keymap::overlaid("keymap.toml", carried).expect("its own template");
        for screen in ScreenName::ALL {
            for info in ACTIONS {
                assert_eq!(
                    read.keys(screen, info.action),
                    Keymap::default().keys(screen, info.action),
                    "{}",
                    info.name
                );
            }
        }
    }

    #[test]
    fn a_users_file_gives_and_takes() {
        let text = "[global]\npause = [\"space\"]\nmouse = []\nquit = [\"p\"]\n[loads]\nhelp = [\"H\"]\n";
        let keymap = Keymap::overlaid("mine.toml", text).expect("a right file");
        let on = |screen, text: &str| keymap.action(screen, key(text));
        assert_eq!(on(ScreenName::Overview, "space"), Some(Action::Pause));
        assert_eq!(on(ScreenName::Overview, "p"), Some(Action::Quit));
        assert_eq!(on(ScreenName::Overview, "M"), None);
        assert_eq!(on(ScreenName::Overview, "Q"), None);
        assert_eq!((on(ScreenName::Loads, "H"), on(ScreenName::Overview, "H")), (Some(Action::Help), None));
        assert_eq!(on(ScreenName::Loads, "P"), Some(Action::PausePipe));
    }

    #[test]
    fn a_screens_keys_come_before_the_global_ones() {
        let keymap = Keymap::default();
        assert_eq!(keymap.action(ScreenName::Telemetry, key("left")), Some(Action::TimeBack));
        assert_eq!(keymap.action(ScreenName::Overview, key("left")), Some(Action::Left));
    }

    #[test]
    fn faults_name_file_line_and_what_was_meant() {
        let fault = |text: &str| Keymap::overlaid("mine.toml", text).expect_err("the file is wrong").to_string();
        assert_eq!(fault("[global]\npuase = []\n"), "mine.toml:2: unknown action \"puase\"; did you mean \"pause\"?");
        assert_eq!(fault("\n[telemtry]\n"), "mine.toml:2: unknown table \"telemtry\"; did you mean \"telemetry\"?");
        assert_eq!(
            fault("[global]\npause = [\n  \"spce\",\n]\n"),
            "mine.toml:3: unknown key \"spce\"; did you mean \"space\"?"
        );
        assert_eq!(fault("[global]\nzoom-in = []\n"), "mine.toml:2: zoom-in does nothing here; move it to [telemetry]");
        assert_eq!(
            fault("[global]\npause = [\"z\"]\nquit = [\"z\"]\n"),
            "mine.toml:3: key z is given to pause too; leave it to one"
        );
        assert!(fault("[global]\npause = \"p\"\n").contains("mine.toml:2: pause: expected a list of keys"));
        assert!(fault("global = 3\n").contains("mine.toml:1: global: expected a table"));
        assert!(fault("[global\n").starts_with("mine.toml:1: "));
    }
}
