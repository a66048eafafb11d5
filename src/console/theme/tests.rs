use ratatui::style::Color;

use super::*;

fn carried() -> impl Iterator<Item = Theme> {
    BUILT_IN.iter().map(|(name, _)| Theme::load(name, None, ColorDepth::True).expect(name))
}

#[test]
fn there_are_dark_light_and_sixteen_colour_themes() {
    let light = carried().filter(|theme| theme.light).count();
    assert!(BUILT_IN.len() >= 5 && light >= 2, "{light} light ones");
    let ansi = Theme::load("ansi", None, ColorDepth::Sixteen).expect("it is carried");
    assert_eq!(ansi, Theme::load("ansi", None, ColorDepth::True).expect("it is carried"), "nothing to bring down");
    assert_eq!(Theme::midnight().name, "midnight");
}

/// Relative luminance and contrast as WCAG 2.1 defines them.
fn contrast(a: Color, b: Color) -> Option<f64> {
    let luminance = |color: Color| {
        let Color::Rgb(r, g, b) = color else { return None };
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
    };
    let (a, b) = (luminance(a)?, luminance(b)?);
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

#[test]
fn text_is_legible_in_every_theme() {
    // Frames, axes and bands aren't read.
    let not_text = ["border", "band-50", "band-90"];
    for mut theme in carried() {
        let ground = theme.text;
        for key in Theme::KEYS.iter().filter(|key| !not_text.contains(key)) {
            let style = *theme.style_mut(key).expect("a key");
            let (Some(fg), Some(bg)) = (style.fg.or(ground.fg), style.bg.or(ground.bg)) else { continue };
            if let Some(contrast) = contrast(fg, bg) {
                assert!(contrast >= 4.5, "{}: {key} has a contrast of {contrast:.1}", theme.name);
            }
        }
    }
}

#[test]
fn few_colours_leave_text_legible() {
    for (name, _) in BUILT_IN {
        for depth in [ColorDepth::Indexed, ColorDepth::Sixteen] {
            let mut theme = Theme::load(name, None, depth).expect(name);
            let ground = theme.text;
            for key in Theme::KEYS {
                let style = *theme.style_mut(key).expect("a key");
                assert!(!matches!(style.fg, Some(Color::Rgb(..))), "{name}: {key} is not brought down");
                let (fg, bg) = (style.fg.or(ground.fg), style.bg.or(ground.bg));
                assert!(fg != bg || fg == Some(Color::Reset), "{name}: {key} vanishes at {depth:?}");
            }
        }
    }
}

#[test]
fn without_colour_every_theme_is_the_same() {
    for (name, _) in BUILT_IN {
        let theme = Theme::load(name, None, ColorDepth::None).expect(name);
        assert_eq!(Theme { name: "monochrome".into(), light: false, ..theme }, Theme::monochrome());
    }
}

#[test]
fn a_wrong_name_is_told_the_nearest_and_a_wrong_file_its_line() {
    let error = Theme::load("dayligth", None, ColorDepth::True).expect_err("no such theme").to_string();
    assert!(error.starts_with("unknown theme \"dayligth\"; did you mean \"daylight\"?"), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, "base = \"ansi\"\n[styles]\nokk = \"green\"\n").expect("a file");
    let error = Theme::load("mine", Some(folder.path()), ColorDepth::True).expect_err("a wrong file").to_string();
    assert!(error.contains("mine.toml:3: unknown style \"okk\"; did you mean \"ok\"?"), "{error}");
    let by_path = path.display().to_string();
    assert!(Theme::load(&by_path, None, ColorDepth::True).is_err());
    assert!(Theme::names(Some(folder.path())).starts_with(&["mine".to_owned()]));
    let gone = Theme::load("/nowhere/x.toml", None, ColorDepth::True).expect_err("no file").to_string();
    assert!(gone.starts_with("theme /nowhere/x.toml: "), "{gone}");
}
