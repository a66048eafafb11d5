//! What a terminal can show pictures by.

use crate::console::theme::ColorDepth;
use crate::settings::GraphicsMode;

/// Pixels of a cell where the terminal doesn't tell: the usual proportion, one to two.
const CELL: (u16, u16) = (10, 20);
/// Pixels of a cell beyond which the terminal is not believed.
const MOST_PIXELS: u16 = 128;

/// By which way pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Kitty's graphics protocol, by placeholders.
    Kitty,
    /// Sixels.
    Sixel,
    /// iTerm2's inline images.
    Iterm2,
    /// Half blocks in colours.
    #[default]
    Blocks,
    /// Shades, where there are no colours.
    Shades,
    /// Not at all: what is known of a picture is said in words.
    Words,
}

impl Way {
    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Kitty => "kitty graphics",
            Self::Sixel => "sixel",
            Self::Iterm2 => "iTerm2 graphics",
            Self::Blocks => "half blocks",
            Self::Shades => "shades",
            Self::Words => "words only",
        }
    }
}

/// What a terminal can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graphics {
    /// By which way pictures are shown.
    pub way: Way,
    /// Width and height of a cell, pixels.
    pub cell: (u16, u16),
    /// Whether what only the outer terminal understands has to pass through tmux.
    pub tmux: bool,
    /// Whether kitty's data may be deflated.
    pub deflate: bool,
    /// The colours there are.
    pub depth: ColorDepth,
    /// Whether the ground is light.
    pub light: bool,
}

impl Default for Graphics {
    fn default() -> Self {
        Self::cells(ColorDepth::True, false)
    }
}

/// What the terminal said when it was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It has kitty's graphics.
    pub kitty: bool,
    /// Kitty's data may be deflated.
    pub deflate: bool,
    /// It has sixels.
    pub sixel: bool,
    /// Width and height of a cell, pixels.
    pub cell: Option<(u16, u16)>,
}

/// What the environment says of the terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// tmux lies between.
    pub tmux: bool,
    /// It has iTerm2's inline images.
    pub iterm2: bool,
    /// It answers for kitty's graphics and doesn't know placeholders.
    pub no_placeholders: bool,
    /// It is known to have no graphics, and to write on the screen what it is asked.
    pub dumb: bool,
}

/// Programs that have iTerm2's inline images, as `TERM_PROGRAM` or `LC_TERMINAL` names them.
const ITERM2: [&str; 5] = ["iTerm", "WezTerm", "mintty", "rio", "WarpTerminal"];

impl Surroundings {
    /// From the process's environment.
    #[must_use]
    pub fn of(environment: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| environment(name).unwrap_or_default();
        let (term, program) = (get("TERM"), get("TERM_PROGRAM"));
        let tmux = !get("TMUX").is_empty() || term.starts_with("tmux") || program == "tmux";
        let is_set = |name: &str| !get(name).is_empty();
        Self {
            tmux,
            // Inside tmux these are of the terminal that it was started in, which may be another one by now.
            iterm2: !tmux && ITERM2.iter().any(|known| program.contains(known) || get("LC_TERMINAL").contains(known)),
            no_placeholders: is_set("WEZTERM_EXECUTABLE") || is_set("KONSOLE_VERSION"),
            dumb: matches!(term.as_str(), "dumb" | "linux" | "") || program == "Apple_Terminal",
        }
    }
}

impl Graphics {
    /// Cells only: half blocks, or shades where there are no colours.
    #[must_use]
    pub const fn cells(depth: ColorDepth, light: bool) -> Self {
        let way = if matches!(depth, ColorDepth::None) { Way::Shades } else { Way::Blocks };
        Self { way, cell: CELL, tmux: false, deflate: false, depth, light }
    }

    /// The same, or words alone, where the setting forbids everything else.
    #[must_use]
    pub const fn cells_or_words(mode: GraphicsMode, depth: ColorDepth, light: bool) -> Self {
        let cells = Self::cells(depth, light);
        match mode {
            GraphicsMode::Off => Self { way: Way::Words, ..cells },
            _ => cells,
        }
    }

    /// What is best of what the setting allows, the terminal told and its window's size gives away. Without colours none
    /// of a picture's are shown either; without a cell's size no graphics can be placed.
    #[must_use]
    pub fn choose(
        mode: GraphicsMode,
        (depth, light): (ColorDepth, bool),
        told: Abilities,
        around: Surroundings,
        window: Option<(u16, u16)>,
    ) -> Self {
        let cells = Self::cells_or_words(mode, depth, light);
        if depth == ColorDepth::None || matches!(mode, GraphicsMode::Off | GraphicsMode::Blocks) {
            return cells;
        }
        let believable =
            |(width, height): &(u16, u16)| (1..=MOST_PIXELS).contains(width) && (1..=MOST_PIXELS).contains(height);
        let Some(cell) = told.cell.or(window).filter(believable) else { return cells };
        let way = match mode {
            GraphicsMode::Kitty => Way::Kitty,
            GraphicsMode::Sixel => Way::Sixel,
            GraphicsMode::Iterm2 => Way::Iterm2,
            _ if told.kitty && !around.no_placeholders => Way::Kitty,
            _ if around.iterm2 => Way::Iterm2,
            _ if told.sixel && !around.no_placeholders => Way::Sixel,
            _ => cells.way,
        };
        // Sixels and inline images are drawn where the cursor is, and only tmux knows where that is: it has to know them.
        let tmux = around.tmux && way == Way::Kitty;
        Self { way, cell, tmux, deflate: told.deflate, ..cells }
    }

    /// Whether the terminal has to be asked.
    #[must_use]
    pub fn is_asked(mode: GraphicsMode, depth: ColorDepth, around: Surroundings) -> bool {
        depth != ColorDepth::None && !around.dumb && !matches!(mode, GraphicsMode::Off | GraphicsMode::Blocks)
    }

    /// Pixels of an area of the terminal; of one in half blocks, a pixel for each half.
    #[must_use]
    pub fn pixels(&self, columns: u16, rows: u16) -> (u32, u32) {
        let (columns, rows) = (u32::from(columns), u32::from(rows));
        match self.way {
            Way::Kitty | Way::Sixel | Way::Iterm2 => (columns * u32::from(self.cell.0), rows * u32::from(self.cell.1)),
            Way::Blocks | Way::Shades | Way::Words => (columns, rows * 2),
        }
    }

    /// Whether colours of a picture can be told apart, and not only its brightness.
    #[must_use]
    pub const fn has_colours(&self) -> bool {
        !matches!((self.way, self.depth), (Way::Words | Way::Shades, _) | (Way::Blocks, ColorDepth::Sixteen))
    }

    /// What a picture can't be here, in words; absent where it is shown as it is.
    #[must_use]
    pub const fn shortfall(&self) -> Option<&'static str> {
        match (self.way, self.depth) {
            (Way::Words, _) => Some("pictures are off (console.graphics)"),
            (Way::Shades, _) => Some("no colours: brightness only"),
            (Way::Blocks, ColorDepth::Sixteen) => Some("16 colours: brightness only"),
            (Way::Blocks, ColorDepth::Indexed) => Some("half blocks, 256 colours"),
            (Way::Blocks, _) => Some("half blocks"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)]) -> Surroundings {
        Surroundings::of(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn way(mode: GraphicsMode, told: Abilities, around: Surroundings) -> Way {
        Graphics::choose(mode, (ColorDepth::True, false), told, around, None).way
    }

    #[test]
    fn the_best_way_is_taken_that_terminal_and_setting_have() {
        let cell = Some((8, 16));
        let all = Abilities { kitty: true, deflate: true, sixel: true, cell };
        let xterm = around(&[("TERM", "xterm-256color")]);
        assert_eq!(way(GraphicsMode::Auto, all, xterm), Way::Kitty);
        assert_eq!(way(GraphicsMode::Auto, Abilities { kitty: false, ..all }, xterm), Way::Sixel);
        assert_eq!(way(GraphicsMode::Auto, Abilities { cell, ..Abilities::default() }, xterm), Way::Blocks);
        assert_eq!(
            way(GraphicsMode::Auto, Abilities { cell: None, ..all }, xterm),
            Way::Blocks,
            "no cell's size is known"
        );
        assert_eq!(way(GraphicsMode::Auto, Abilities { cell: Some((0, 9000)), ..all }, xterm), Way::Blocks);
        assert_eq!(
            way(GraphicsMode::Sixel, Abilities { cell, ..Abilities::default() }, xterm),
            Way::Sixel,
            "as it was set"
        );
        assert_eq!(way(GraphicsMode::Blocks, all, xterm), Way::Blocks);
        assert_eq!(way(GraphicsMode::Off, all, xterm), Way::Words);
        let no_colour = Graphics::choose(GraphicsMode::Auto, (ColorDepth::None, false), all, xterm, None);
        assert_eq!(no_colour.way, Way::Shades);
    }

    #[test]
    fn the_surroundings_know_who_draws_how() {
        let all = Abilities { kitty: true, deflate: false, sixel: true, cell: Some((8, 16)) };
        let wezterm = around(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm"), ("WEZTERM_EXECUTABLE", "w")]);
        assert_eq!(way(GraphicsMode::Auto, all, wezterm), Way::Iterm2);
        let konsole = around(&[("TERM", "xterm-256color"), ("KONSOLE_VERSION", "230804")]);
        assert_eq!(way(GraphicsMode::Auto, all, konsole), Way::Blocks);
        let iterm = around(&[("TERM", "xterm-256color"), ("LC_TERMINAL", "iTerm2")]);
        assert_eq!(way(GraphicsMode::Auto, Abilities { kitty: false, ..all }, iterm), Way::Iterm2);
        let tmux = around(&[("TERM", "screen-256color"), ("TMUX", "/tmp/t,1,0"), ("LC_TERMINAL", "iTerm2")]);
        assert_eq!(
            way(GraphicsMode::Auto, Abilities { cell: Some((8, 16)), ..Abilities::default() }, tmux),
            Way::Blocks
        );
        let through = Graphics::choose(GraphicsMode::Auto, (ColorDepth::True, false), all, tmux, None);
        assert_eq!((through.way, through.tmux), (Way::Kitty, true));
        let own = Abilities { kitty: false, ..all };
        let own = Graphics::choose(GraphicsMode::Auto, (ColorDepth::True, false), own, tmux, None);
        assert_eq!((own.way, own.tmux), (Way::Sixel, false), "tmux draws its own sixels");
        assert!(!Graphics::is_asked(GraphicsMode::Auto, ColorDepth::True, around(&[("TERM", "linux")])));
        assert!(Graphics::is_asked(GraphicsMode::Auto, ColorDepth::True, konsole));
    }
}
