//! A theme's file: `kind`, an optional `base` and `[palette]`, and `[styles]`.
//!
//! A style is words: a colour (a name of the palette, one of the sixteen, 0–255 or `#rrggbb`), `on` and another for the
//! background, and `bold`, `dim`, `italic`, `underlined`, `reversed`. With `base = "NAME"` (a theme that comes with
//! skydeck) only what differs is given; without it every style must be.

use std::collections::HashMap;

use ratatui::style::{Color, Modifier, Style};
use toml_edit::{Item, Key};

use super::super::document::{Document, FileFault, unknown};
use super::{BUILT_IN, Theme, built_in};

const TOP: [&str; 4] = ["kind", "base", "palette", "styles"];

const MODIFIERS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

const NAMED: [&str; 17] = [
    "reset",
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "gray",
    "dark-gray",
    "light-red",
    "light-green",
    "light-yellow",
    "light-blue",
    "light-magenta",
    "light-cyan",
    "white",
];

/// Reads the theme `name` from `text`, which stands in `file`.
pub(super) fn parse(name: &str, file: &str, text: &str) -> Result<Theme, FileFault> {
    let document = Document::parse(file, text)?;
    let mut theme = base(&document)?;
    theme.name = name.to_owned();
    let mut palette = HashMap::new();
    for (key, item) in entries(document.table()) {
        match key.get() {
            "kind" => theme.light = kind(&document, key, item)?,
            "palette" => palette = read_palette(&document, key, item)?,
            "base" | "styles" => {}
            other => return Err(document.fault(key.span(), unknown("key", other, TOP.into_iter()))),
        }
    }
    read_styles(&document, &palette, &mut theme)?;
    Ok(theme)
}

fn entries(table: &toml_edit::Table) -> impl Iterator<Item = (&Key, &Item)> {
    table.iter().filter_map(|(name, _)| table.get_key_value(name))
}

fn base(document: &Document) -> Result<Theme, FileFault> {
    let Some((key, item)) = document.table().get_key_value("base") else { return Ok(Theme::plain("")) };
    let fault = |fault: String| document.fault(item.span().or_else(|| key.span()), fault);
    let name = item.as_str().ok_or_else(|| fault("base: expected the name of a theme in quotes".into()))?;
    match built_in(name) {
        Some(theme) => theme,
        None => Err(fault(unknown("base theme", name, BUILT_IN.iter().map(|(known, _)| *known)))),
    }
}

fn kind(document: &Document, key: &Key, item: &Item) -> Result<bool, FileFault> {
    match item.as_str() {
        Some("dark") => Ok(false),
        Some("light") => Ok(true),
        _ => Err(document.fault(item.span().or_else(|| key.span()), "kind: expected \"dark\" or \"light\"".into())),
    }
}

fn read_palette(document: &Document, key: &Key, item: &Item) -> Result<HashMap<String, Color>, FileFault> {
    let table = item
        .as_table()
        .ok_or_else(|| document.fault(key.span(), "palette: expected a table of colours, as in [palette]".into()))?;
    entries(table)
        .map(|(key, item)| {
            let place = || item.span().or_else(|| key.span());
            let text = item
                .as_str()
                .ok_or_else(|| document.fault(place(), format!("{}: expected a colour in quotes", key.get())))?;
            let color = color(text, &HashMap::new()).map_err(|fault| document.fault(place(), fault))?;
            Ok((key.get().to_owned(), color))
        })
        .collect()
}

fn read_styles(document: &Document, palette: &HashMap<String, Color>, theme: &mut Theme) -> Result<(), FileFault> {
    let complete = document.table().contains_key("base");
    let styles = match document.table().get_key_value("styles") {
        None if complete => return Ok(()),
        None => return Err(document.fault(None, "styles: missing; give each style in [styles], or a base".into())),
        Some((key, item)) => item
            .as_table()
            .ok_or_else(|| document.fault(key.span(), "styles: expected a table, as in [styles]".into()))?,
    };
    for (key, item) in entries(styles) {
        let place = || item.span().or_else(|| key.span());
        let Some(style) = theme.style_mut(key.get()) else {
            return Err(document.fault(key.span(), unknown("style", key.get(), Theme::KEYS.iter().copied())));
        };
        let words = item.as_str().ok_or_else(|| {
            document.fault(place(), format!("{}: expected words in quotes, as in \"#d0d0d0 bold\"", key.get()))
        })?;
        *style = read_style(words, palette).map_err(|fault| document.fault(place(), fault))?;
    }
    match Theme::KEYS.iter().find(|key| !complete && !styles.contains_key(key)) {
        Some(missing) => {
            let fault = format!("style {missing:?} is missing; give it, or name a base theme that has it");
            Err(document.fault(styles.span(), fault))
        }
        None => Ok(()),
    }
}

fn read_style(words: &str, palette: &HashMap<String, Color>) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == word) {
            style = style.add_modifier(*modifier);
        } else if word == "on" {
            let word = words.next().ok_or("after \"on\" a colour is expected")?;
            style = style.bg(color(word, palette)?);
        } else {
            style = style.fg(color(word, palette)?);
        }
    }
    Ok(style)
}

fn color(word: &str, palette: &HashMap<String, Color>) -> Result<Color, String> {
    if let Some(color) = palette.get(word) {
        return Ok(*color);
    }
    let is_hex = word.len() == 7 && word.starts_with('#');
    if (is_hex || word.parse::<u8>().is_ok() || NAMED.contains(&word))
        && let Ok(color) = word.parse()
    {
        return Ok(color);
    }
    let mut known: Vec<&str> = palette.keys().map(String::as_str).collect();
    known.sort_unstable();
    known.extend(NAMED);
    known.extend(MODIFIERS.iter().map(|(name, _)| *name));
    Err(unknown("colour", word, known.iter().copied()) + " (or #rrggbb, or 0 to 255)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        parse("mine", "mine.toml", text).expect_err("the file is wrong").to_string()
    }

    #[test]
    fn a_theme_may_stand_on_another() {
        let text =
            "kind = \"light\"\nbase = \"paper\"\n[palette]\nsea = \"#005577\"\n[styles]\nok = \"sea on 7 bold\"\n";
        let theme = parse("mine", "mine.toml", text).expect("a right file");
        let paper = built_in("paper").expect("it is carried").expect("it is right");
        let expected = Style::new().fg(Color::Rgb(0, 0x55, 0x77)).bg(Color::Indexed(7)).add_modifier(Modifier::BOLD);
        assert_eq!(theme.ok, expected);
        assert_eq!((theme.warn, theme.light, theme.name.as_str()), (paper.warn, true, "mine"));
    }

    #[test]
    fn faults_name_file_line_and_what_was_meant() {
        assert_eq!(fault("[style]\n"), "mine.toml:1: unknown key \"style\"; did you mean \"styles\"?");
        assert_eq!(
            fault("base = \"ansi\"\n\n[styles]\nselecton = \"bold\"\n"),
            "mine.toml:4: unknown style \"selecton\"; did you mean \"selection\"?"
        );
        let error = fault("base = \"ansi\"\n[styles]\nok = \"gren\"\n");
        assert!(error.starts_with("mine.toml:3: unknown colour \"gren\"; did you mean \"green\"?"), "{error}");
        assert!(fault("base = \"papper\"\n").contains("did you mean \"paper\""));
        assert!(fault("kind = \"dim\"\n").contains("mine.toml:1: kind: expected \"dark\" or \"light\""));
        assert!(fault("kind = \"dark\"\n[styles]\nok = \"green\"\n").contains("style \"text\" is missing"));
        assert!(fault("[styles]\nok = 3\n").contains("mine.toml:2: ok: expected words in quotes"));
        assert!(fault("kind = \"dark\n").starts_with("mine.toml:1: "));
    }
}
