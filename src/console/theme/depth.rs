//! How many colours a terminal has, and colours brought down to them.

use ratatui::style::{Color, Style};

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorDepth {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 a terminal's own settings define.
    Sixteen,
    /// None.
    None,
}

impl ColorDepth {
    /// From `NO_COLOR` (set and not empty: none, see no-color.org), `COLORTERM` and `TERM`.
    #[must_use]
    pub fn of_terminal(environment: impl Fn(&str) -> Option<String>) -> Self {
        let term = environment("TERM").unwrap_or_default();
        if environment("NO_COLOR").is_some_and(|value| !value.is_empty()) || term == "dumb" {
            return Self::None;
        }
        let color_term = environment("COLORTERM").unwrap_or_default();
        if matches!(color_term.as_str(), "truecolor" | "24bit") || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") || term.contains("kitty") || term.contains("ghostty") {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }
}

/// The style in the colours of `depth`.
pub(super) fn adapt(style: Style, depth: ColorDepth) -> Style {
    let map = |color: Option<Color>| color.map(|color| nearest(color, depth));
    Style { fg: map(style.fg), bg: map(style.bg), underline_color: None, ..style }
}

/// Where few colours made foreground and background one, the text's foreground takes over.
pub(super) fn legible(style: Style, ground: Style) -> Style {
    match (style.fg, style.bg.or(ground.bg)) {
        (Some(fg), Some(bg)) if fg == bg && fg != Color::Reset => Style { fg: ground.fg, ..style },
        _ => style,
    }
}

/// The colour nearest to this one among those of `depth`.
#[must_use]
pub fn nearest(color: Color, depth: ColorDepth) -> Color {
    match (color, depth) {
        (Color::Rgb(r, g, b), ColorDepth::Indexed) => Color::Indexed(nearest_indexed([r, g, b])),
        (Color::Rgb(r, g, b), ColorDepth::Sixteen) => nearest_sixteen([r, g, b]),
        (Color::Indexed(i), ColorDepth::Sixteen) if i >= 16 => nearest_sixteen(rgb_of_indexed(i)),
        (color, _) => color,
    }
}

/// Steps of a channel in xterm's 6×6×6 cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn rgb_of_indexed(index: u8) -> [u8; 3] {
    if index >= 232 {
        let grey = 8 + (index - 232) * 10;
        return [grey; 3];
    }
    let cube = usize::from(index.saturating_sub(16));
    [STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6]]
}

/// The nearest of the same hue: a dark green becomes a green, and neither the grey nor the teal that is nearer.
fn nearest_indexed(rgb: [u8; 3]) -> u8 {
    let is_coloured = chroma(rgb) >= COLOURED;
    let is_of_its_kind = |candidate: [u8; 3]| {
        !is_coloured || (chroma(candidate) >= COLOURED && hue_apart(rgb, candidate) <= SAME_HUE_DEG)
    };
    (16..=255)
        .filter(|index| is_of_its_kind(rgb_of_indexed(*index)))
        .min_by_key(|index| distance(rgb, rgb_of_indexed(*index)))
        .unwrap_or(16)
}

/// xterm's defaults of the sixteen; what a terminal really shows is up to its settings.
const SIXTEEN: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

/// Difference of the channels from which a colour is one, and not a grey.
const COLOURED: u8 = 40;
/// Hues this near are one name's. The cube has a colour in every such sector.
const SAME_HUE_DEG: f64 = 30.0;

/// Difference of the channels.
fn chroma(rgb: [u8; 3]) -> u8 {
    rgb.iter().max().zip(rgb.iter().min()).map_or(0, |(most, least)| most - least)
}

/// The angle on the circle of colours, degrees: red 0, green 120, blue 240.
fn hue(rgb: [u8; 3]) -> f64 {
    let [r, g, b] = rgb.map(f64::from);
    // The projection on a plane on which grey is the origin.
    (3f64.sqrt() * (g - b)).atan2(2.0 * r - g - b).to_degrees()
}

fn hue_apart(a: [u8; 3], b: [u8; 3]) -> f64 {
    let apart = (hue(a) - hue(b)).rem_euclid(360.0);
    apart.min(360.0 - apart)
}

/// The nearest of the same kind: a soft green becomes green and not the grey that is nearer.
fn nearest_sixteen(rgb: [u8; 3]) -> Color {
    let is_coloured = chroma(rgb) >= COLOURED;
    let sought = if is_coloured { saturated(rgb) } else { rgb };
    SIXTEEN
        .iter()
        .filter(|(_, candidate)| (chroma(*candidate) >= COLOURED) == is_coloured)
        .min_by_key(|(_, candidate)| distance(sought, *candidate))
        .map_or(Color::Reset, |(color, _)| *color)
}

/// The colour of the same hue and brightness with no grey in it.
fn saturated(rgb: [u8; 3]) -> [u8; 3] {
    let (most, least) = rgb.iter().fold((0, u8::MAX), |(most, least), &c| (most.max(c), least.min(c)));
    let (most, least) = (u32::from(most), u32::from(least));
    rgb.map(|c| u8::try_from((u32::from(c) - least) * most / (most - least).max(1)).unwrap_or(u8::MAX))
}

/// Squared distance, weighted by how bright the eye sees each channel (the common 2-4-3 approximation).
fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let square = |i: usize| u32::from(a[i].abs_diff(b[i])).pow(2);
    2 * square(0) + 4 * square(1) + 3 * square(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(variables: &[(&str, &str)]) -> ColorDepth {
        ColorDepth::of_terminal(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_terminal_says_what_it_can() {
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), ColorDepth::True);
        assert_eq!(depth(&[("TERM", "screen-256color")]), ColorDepth::Indexed);
        assert_eq!(depth(&[("TERM", "linux")]), ColorDepth::Sixteen);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), ColorDepth::None);
        assert_eq!(depth(&[("TERM", "xterm"), ("NO_COLOR", "")]), ColorDepth::Sixteen);
        assert_eq!(depth(&[("TERM", "dumb")]), ColorDepth::None);
    }

    #[test]
    fn colours_come_down_to_their_neighbours() {
        assert_eq!(nearest_indexed([255, 0, 0]), 196);
        assert_eq!(nearest_indexed([8, 8, 8]), 232);
        assert_eq!(nearest_indexed([0x5f, 0x87, 0xaf]), 67);
        assert_eq!(nearest_indexed([0x25, 0x6b, 0x33]), 22, "a dark green: #005f00, and not the grey #444444");
        assert_eq!(nearest_sixteen([250, 250, 250]), Color::White);
        assert_eq!(nearest_sixteen([10, 12, 20]), Color::Black);
        assert_eq!(nearest_sixteen([200, 20, 20]), Color::Red);
        assert_eq!(nearest_sixteen([126, 200, 130]), Color::Green);
        assert_eq!(nearest_sixteen([224, 180, 84]), Color::Yellow);
        assert_eq!(nearest_sixteen([140, 147, 160]), Color::DarkGray);
    }

    #[test]
    fn text_never_vanishes_into_its_ground() {
        let ground = Style::new().fg(Color::White).bg(Color::Black);
        assert_eq!(legible(Style::new().fg(Color::Black), ground).fg, Some(Color::White));
        assert_eq!(legible(Style::new().fg(Color::Black).bg(Color::Red), ground).fg, Some(Color::Black));
    }
}
