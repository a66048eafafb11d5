//! The defaults as they are carried: commented TOML, printed by `skydeck config template`.

use super::EnvironmentName;

/// Every setting with its default and a comment.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// What `environment` sets otherwise by default; `None` where it follows [`DEFAULTS`].
#[must_use]
pub fn of_environment(environment: &EnvironmentName) -> Option<&'static str> {
    match environment.as_str() {
        "local" => Some(include_str!("../../config/environments/local.toml")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toml::{Table, Value};

    use super::super::{KEYS, Layers, Settings, Takes, load};
    use super::*;

    /// The template with its commented-out settings (`# key = value`) switched on.
    fn complete() -> String {
        let switched_on = |line: &str| {
            let setting = line.strip_prefix("# ").filter(|rest| {
                rest.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            });
            setting.unwrap_or(line).to_owned()
        };
        DEFAULTS.lines().map(switched_on).collect::<Vec<_>>().join("\n")
    }

    fn paths(text: &str) -> BTreeSet<String> {
        let table: Table = text.parse().expect("the template is TOML");
        let mut paths = BTreeSet::new();
        for (section, body) in table {
            let Value::Table(body) = body else { panic!("{section} is no section") };
            paths.extend(body.keys().map(|key| format!("{section}.{key}")));
        }
        paths
    }

    #[test]
    fn the_template_says_the_defaults_of_the_code() {
        let parsed: Settings = toml::from_str(DEFAULTS).expect("the template fits the settings");
        assert_eq!(parsed, Settings::default());
        let loaded = load(&EnvironmentName::demo(), &Layers::default()).expect("the defaults load");
        assert_eq!(loaded.settings, Settings::default());
    }

    #[test]
    fn the_template_holds_every_key_once_and_no_other() {
        let known: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(paths(&complete()), known);
        // What the types have beyond the template's plain lines are the options, which have no default.
        let typed = toml::to_string(&Settings::default()).expect("settings are TOML");
        assert_eq!(paths(&typed), paths(DEFAULTS));
        let switched_on: Settings = toml::from_str(&complete()).expect("the options' examples fit");
        assert!(switched_on.source.path.is_some() && switched_on.ingestion.retention_days.is_some());
        assert!(switched_on.console.keymap.is_some() && switched_on.console.export_dir.is_some());
    }

    #[test]
    fn the_template_states_the_bounds_that_are_checked() {
        for key in KEYS {
            let Takes::Whole(low, high) = key.takes else { continue };
            let mut lines = DEFAULTS.lines();
            let section = format!("[{}]", key.section());
            lines.find(|line| *line == section).expect("the section is there");
            let name = format!("{} =", key.name());
            let before: Vec<_> = lines.take_while(|line| !line.trim_start_matches("# ").starts_with(&name)).collect();
            let comment = before.last().expect("a comment above the key");
            assert!(comment.contains(&format!("{low} to {high}")), "{}: {comment}", key.path);
        }
    }

    #[test]
    fn the_local_environment_replays_nothing() {
        let local = "local".parse().expect("a name");
        let loaded = load(&local, &Layers::default()).expect("loads");
        assert_eq!(loaded.settings.source.kind, super::super::SourceKind::None);
        assert_eq!(loaded.settings.source.backlog_days, 0);
        assert_eq!(loaded.settings.alarms, Settings::default().alarms);
    }
}
