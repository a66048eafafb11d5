//! From settings to an app: theme, keymap, colours. What is wrong in a person's file is said in the footer, and the
//! console goes on with what is built in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use ratatui::layout::Size;

use super::app::App;
use super::keymap::Keymap;
use super::pictures::{Graphics, Pictures};
use super::screens::ScreenName;
use super::theme::{ColorDepth, Theme, ThemeError};
use super::units::Units;
use crate::owner::Snapshot;
use crate::settings::ConsoleSettings;

/// What a console is started with beside its settings.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The user's config folder: `themes/NAME.toml` and `keymap.toml` are looked for in it.
    pub config_dir: Option<PathBuf>,
    /// The screen to start on.
    pub screen: ScreenName,
    /// What the footer says first, unless something is wrong with the settings.
    pub greeting: Option<String>,
    /// Whether the environment runs in this process, and so ends with the console.
    pub hosts: bool,
    /// Where the repository's files are read in a browser (`provisioning.repository_url`).
    pub repository: Option<String>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { config_dir: None, screen: ScreenName::Overview, greeting: None, hosts: false, repository: None }
    }
}

impl RunOptions {
    /// The user's themes folder.
    pub(super) fn themes(&self) -> Option<PathBuf> {
        self.config_dir.as_ref().map(|folder| folder.join("themes"))
    }
}

/// An app on `snapshot`, as the settings and the options want it.
pub(super) fn app(
    snapshot: Arc<Snapshot>,
    settings: &ConsoleSettings,
    options: &RunOptions,
    depth: ColorDepth,
    size: Size,
) -> App {
    let mut faults = Vec::new();
    let folder = options.themes();
    let theme = theme(&settings.theme, folder.as_deref(), depth).unwrap_or_else(|error| {
        faults.push(format!("{error}; midnight is shown"));
        Theme::midnight().adapted(depth)
    });
    let keymap = keymap(settings, options).unwrap_or_else(|error| {
        faults.push(format!("keymap {error}; the built-in keys are used"));
        Keymap::default()
    });
    let mut app = App::new(snapshot, theme, keymap, size, Timestamp::now());
    app.view.read_only = settings.read_only;
    app.view.hosts = options.hosts;
    app.view.units = Units::of(settings);
    app.view.pictures = Pictures::new(Graphics::cells_or_words(settings.graphics, depth, app.view.theme.light));
    app.set_mouse(settings.mouse);
    app.set_theme_names(Theme::names(folder.as_deref()));
    app.start_on(options.screen);
    if !faults.is_empty() {
        app.notify_until_key(&faults.join(" · "));
    }
    app
}

/// The theme called `name` in the colours of `depth`.
pub(super) fn theme(name: &str, folder: Option<&Path>, depth: ColorDepth) -> Result<Theme, ThemeError> {
    Theme::load(name, folder, depth)
}

fn keymap(settings: &ConsoleSettings, options: &RunOptions) -> Result<Keymap, String> {
    let of_config =
        || options.config_dir.as_ref().map(|folder| folder.join("keymap.toml")).filter(|path| path.exists());
    let Some(path) = settings.keymap.clone().or_else(of_config) else { return Ok(Keymap::default()) };
    let text =
        std::fs::read_to_string(&path).map_err(|cause| format!("{}: {cause}; check console.keymap", path.display()))?;
    Keymap::overlaid(&path.display().to_string(), &text).map_err(|fault| fault.to_string())
}

/// What the terminal can show, from the setting and the process's environment.
pub(super) fn depth(settings: &ConsoleSettings) -> ColorDepth {
    super::theme::depth(settings.color, |name| std::env::var(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    fn said(settings: &ConsoleSettings) -> String {
        let size = Size::new(100, 30);
        let app = app(Arc::new(fixture::snapshot()), settings, &RunOptions::default(), ColorDepth::True, size);
        assert_eq!(app.view.theme.name, "midnight");
        app.notification().map(|notification| notification.text.clone()).unwrap_or_default()
    }

    #[test]
    fn a_wrong_theme_or_keymap_is_said_and_the_console_goes_on() {
        assert_eq!(said(&ConsoleSettings::default()), "");
        let wrong = ConsoleSettings { theme: "midnite".into(), ..ConsoleSettings::default() };
        assert!(said(&wrong).starts_with("unknown theme \"midnite\"; did you mean \"midnight\"?"));
        let absent = ConsoleSettings { keymap: Some("/nowhere/keys.toml".into()), ..ConsoleSettings::default() };
        assert!(said(&absent).starts_with("keymap /nowhere/keys.toml: "));
    }

    #[test]
    fn the_users_files_come_before_the_built_in_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let themes = folder.path().join("themes");
        std::fs::create_dir(&themes).expect("a folder in it");
        std::fs::write(themes.join("midnight.toml"), "base = \"paper\"\n").expect("a theme");
        std::fs::write(folder.path().join("keymap.toml"), "[global]\nquit = [\"X\"]\n").expect("a keymap");
        let options = RunOptions { config_dir: Some(folder.path().to_owned()), ..RunOptions::default() };
        let size = Size::new(100, 30);
        let snapshot = Arc::new(fixture::snapshot());
        let app = app(snapshot, &ConsoleSettings::default(), &options, ColorDepth::True, size);
        assert_eq!(app.view.theme.text, Theme::load("paper", None, ColorDepth::True).expect("it is carried").text);
        assert_eq!(app.keymap().first_key(ScreenName::Overview, super::super::Action::Quit).as_deref(), Some("X"));
        assert_eq!(app.notification(), None);
    }
}
