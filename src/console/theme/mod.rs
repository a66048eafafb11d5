//! Colours by meaning, from TOML files.
//!
//! A theme gives each meaning (`ok`, `selection`, `series-1`, …) a style. Themes that come with skydeck are in
//! `themes/` at the root and compiled in; a file of the same name in the user's `themes` folder comes before them.
//! `file` reads them, `depth` brings their colours down to what the terminal can.

mod depth;
mod file;

use std::path::{Path, PathBuf};

pub use depth::{ColorDepth, nearest};
use ratatui::style::{Modifier, Style};

pub use super::document::FileFault;
use super::document::unknown;
use crate::settings::ColorMode;

macro_rules! theme {
    ($($(#[$doc:meta])+ $field:ident = $key:literal,)+) => {
        /// A style for each meaning.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Theme {
            /// Its name: the file's, without extension.
            pub name: String,
            /// Whether it is for a light background.
            pub light: bool,
            $($(#[$doc])+ pub $field: Style,)+
        }

        impl Theme {
            /// The keys of a theme file's `[styles]`, in order.
            pub const KEYS: &'static [&'static str] = &[$($key),+];

            /// A theme in which every style is the terminal's own.
            fn plain(name: &str) -> Self {
                Self { name: name.to_owned(), light: false, $($field: Style::new(),)+ }
            }

            /// The style with this key.
            fn style_mut(&mut self, key: &str) -> Option<&mut Style> {
                match key {
                    $($key => Some(&mut self.$field),)+
                    _ => None,
                }
            }
        }
    };
}

theme! {
    /// Text, and with its background the ground of everything.
    text = "text",
    /// What matters less: labels, units, hints.
    dim = "dim",
    /// A pane's title.
    title = "title",
    /// A pane's frame.
    border = "border",
    /// The frame of the pane that has the focus.
    focus = "focus",
    /// A key in hints and help.
    key = "key",
    /// The tab of the screen that is up.
    tab = "tab",
    /// Works.
    ok = "ok",
    /// Works, but late or with losses.
    warn = "warn",
    /// Doesn't work.
    fail = "fail",
    /// Not known, not provisioned.
    unknown = "unknown",
    /// Temperature's line, and the first of any others.
    series_1 = "series-1",
    /// Humidity's line.
    series_2 = "series-2",
    /// Pressure's line.
    series_3 = "series-3",
    /// Light's line.
    series_4 = "series-4",
    /// Sound's line.
    series_5 = "series-5",
    /// Any other variable's line.
    series_6 = "series-6",
    /// The 50 % band of a fan chart (foreground).
    band50 = "band-50",
    /// The 90 % band of a fan chart (foreground).
    band90 = "band-90",
    /// A chart's axes and grid.
    axis = "axis",
    /// A chart's shared cursor.
    cursor = "cursor",
    /// The selected row.
    selection = "selection",
    /// An alarm.
    alarm = "alarm",
    /// A popup's ground.
    popup = "popup",
    /// The demo environment's badge: blue.
    badge_demo = "badge-demo",
    /// The local environment's badge: green.
    badge_local = "badge-local",
    /// A cloud environment's badge: amber.
    badge_staging = "badge-staging",
    /// The production environment's badge: red ground.
    badge_prod = "badge-prod",
    /// READ-ONLY, PAUSED, REPLAY, STALE.
    notice = "notice",
}

/// The themes that come with skydeck.
const BUILT_IN: &[(&str, &str)] = &[
    ("midnight", include_str!("../../../themes/midnight.toml")),
    ("basalt", include_str!("../../../themes/basalt.toml")),
    ("paper", include_str!("../../../themes/paper.toml")),
    ("daylight", include_str!("../../../themes/daylight.toml")),
    ("ansi", include_str!("../../../themes/ansi.toml")),
];

/// Why there is no such theme.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No theme has this name.
    #[error("{0}; choose one of these in console.theme, or put NAME.toml into {1}")]
    Unknown(String, String),
    /// Its file can't be read.
    #[error("theme {path}: {cause}; check that it is a readable file")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
    /// Its file is wrong.
    #[error("theme {0}")]
    Fault(#[from] FileFault),
}

impl Theme {
    /// The style of the n-th series, from 0; they come round after six.
    #[must_use]
    pub const fn series(&self, n: usize) -> Style {
        match n % 6 {
            0 => self.series_1,
            1 => self.series_2,
            2 => self.series_3,
            3 => self.series_4,
            4 => self.series_5,
            _ => self.series_6,
        }
    }

    /// The default theme, as it comes with skydeck.
    #[must_use]
    pub fn midnight() -> Self {
        // A test holds that the carried files can be read; without one the console would still be usable.
        built_in("midnight").and_then(Result::ok).unwrap_or_else(Self::monochrome)
    }

    /// The theme without any colour: bold, dim, underlined and reversed text.
    #[must_use]
    pub fn monochrome() -> Self {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let dim = Style::new().add_modifier(Modifier::DIM);
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        let badge = reversed.add_modifier(Modifier::BOLD);
        Self {
            dim,
            title: bold,
            border: dim,
            focus: bold,
            key: bold,
            tab: reversed,
            warn: bold,
            fail: bold.add_modifier(Modifier::UNDERLINED),
            unknown: dim,
            axis: dim,
            cursor: bold,
            selection: reversed,
            alarm: bold,
            badge_demo: badge,
            badge_local: badge,
            badge_staging: badge,
            badge_prod: badge,
            notice: bold,
            ..Self::plain("monochrome")
        }
    }

    /// The theme called `name` (or in the file at that path), in the colours the terminal can show.
    ///
    /// `folder` is the user's themes folder. Without colour every theme is [`Theme::monochrome`], but a wrong name
    /// is still an error.
    pub fn load(name: &str, folder: Option<&Path>, depth: ColorDepth) -> Result<Self, ThemeError> {
        let theme = Self::find(name, folder)?;
        Ok(theme.adapted(depth))
    }

    fn find(name: &str, folder: Option<&Path>) -> Result<Self, ThemeError> {
        let as_path = Path::new(name);
        if as_path.extension().is_some_and(|extension| extension == "toml") {
            return read(as_path);
        }
        if let Some(path) = folder.map(|folder| folder.join(format!("{name}.toml")))
            && path.exists()
        {
            return read(&path);
        }
        if let Some(theme) = built_in(name) {
            return Ok(theme?);
        }
        let names = Self::names(folder);
        let place = folder.map_or_else(|| "the themes folder".into(), |folder| folder.display().to_string());
        Err(ThemeError::Unknown(unknown("theme", name, names.iter().map(String::as_str)), place))
    }

    /// Names of every theme: the user's, then those that come with skydeck.
    #[must_use]
    pub fn names(folder: Option<&Path>) -> Vec<String> {
        let mut names: Vec<String> = folder
            .and_then(|folder| std::fs::read_dir(folder).ok())
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let is_theme = path.extension().is_some_and(|extension| extension == "toml");
                is_theme.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))?
            })
            .collect();
        names.sort();
        for (name, _) in BUILT_IN {
            if !names.iter().any(|known| known == name) {
                names.push((*name).to_owned());
            }
        }
        names
    }

    /// The theme in the colours of `depth`.
    #[must_use]
    pub fn adapted(mut self, depth: ColorDepth) -> Self {
        if depth == ColorDepth::None {
            return Self { name: self.name, light: self.light, ..Self::monochrome() };
        }
        let ground = depth::adapt(self.text, depth);
        for key in Self::KEYS {
            if let Some(style) = self.style_mut(key) {
                *style = depth::legible(depth::adapt(*style, depth), ground);
            }
        }
        self
    }
}

fn read(path: &Path) -> Result<Theme, ThemeError> {
    let text =
        std::fs::read_to_string(path).map_err(|cause| ThemeError::Unreadable { path: path.to_owned(), cause })?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(file::parse(&name, &path.display().to_string(), &text)?)
}

fn built_in(name: &str) -> Option<Result<Theme, FileFault>> {
    let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    Some(file::parse(name, &format!("themes/{name}.toml"), text))
}

/// What the terminal can show, from the setting and the terminal's environment.
#[must_use]
pub fn depth(mode: ColorMode, environment: impl Fn(&str) -> Option<String>) -> ColorDepth {
    match mode {
        ColorMode::Never => ColorDepth::None,
        ColorMode::Auto => ColorDepth::of_terminal(environment),
    }
}

#[cfg(test)]
mod tests;
