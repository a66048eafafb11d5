//! One frame as text: what the console would show, for `skydeck --once`, tests and reports.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Modifier};

use super::frame;
use super::pictures::Tile;
use super::screens::ScreenName;
use super::setup::{self, RunOptions};
use super::theme::ColorDepth;
use crate::owner::OwnerClient;
use crate::settings::ConsoleSettings;

/// How long the first real snapshot is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// Rounds of asking: an answer may lead a screen to ask for more.
const ROUNDS: usize = 4;

/// One frame as plain text of `height` lines, without trailing blanks.
pub async fn frame_as_text(
    client: &OwnerClient,
    screen: ScreenName,
    width: u16,
    height: u16,
    settings: &ConsoleSettings,
) -> String {
    let options = RunOptions { screen, ..RunOptions::default() };
    let buffer = frame_buffer(client, &options, Size { width, height }, settings, ColorDepth::None).await;
    lines(&buffer, |cells| cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned())
}

/// One frame as text with ANSI colours (SGR sequences), in as many of them as `depth` has.
pub async fn frame_as_ansi(
    client: &OwnerClient,
    options: &RunOptions,
    size: Size,
    settings: &ConsoleSettings,
    depth: ColorDepth,
) -> String {
    let buffer = frame_buffer(client, options, size, settings, depth).await;
    lines(&buffer, ansi)
}

/// The cells of one frame, with the data that the screen wants.
pub async fn frame_buffer(
    client: &OwnerClient,
    options: &RunOptions,
    size: Size,
    settings: &ConsoleSettings,
    depth: ColorDepth,
) -> Buffer {
    let mut snapshots = client.snapshots();
    // An owner that is just starting has nothing to show yet; one that never tells more is shown as it is.
    let told = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| snapshot.version > 0));
    drop(told.await);
    let snapshot = snapshots.borrow().clone();
    let mut app = setup::app(snapshot, settings, options, depth, size);
    let mut asked = Vec::new();
    for _ in 0..ROUNDS {
        let wants = app.wants();
        if wants == asked {
            break;
        }
        for request in &wants {
            let answer = client.ask(request.clone()).await;
            app.receive(options.screen, request, answer.as_ref());
        }
        asked = wants;
    }
    app.tick(Timestamp::now());
    let shown = app.pictures();
    while let Some(next) = app.view.pictures.next(&shown).cloned() {
        let graphics = *app.view.pictures.graphics();
        let (jpeg, room) = (next.jpeg.clone(), next.area.as_size());
        let made = tokio::task::spawn_blocking(move || Tile::make(&jpeg, room, &graphics, 1)).await;
        app.view.pictures.take(&next, made.unwrap_or_else(|_| Err("it was interrupted; try again".to_owned())));
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, size.width, size.height));
    frame::render(&app, &mut buffer);
    buffer
}

fn lines(buffer: &Buffer, line: impl Fn(&[Cell]) -> String) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines: Vec<String> = buffer.content.chunks(width).map(line).collect();
    lines.join("\n") + "\n"
}

/// A line with an SGR sequence wherever the look changes, reset at its end.
fn ansi(cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut before = String::from("\u{1b}[0m");
    for cell in cells {
        let look = sgr(cell);
        if look != before {
            text.push_str(&look);
            before = look;
        }
        text.push_str(cell.symbol());
    }
    text + "\u{1b}[0m"
}

fn sgr(cell: &Cell) -> String {
    const MODIFIERS: [(Modifier, u8); 5] = [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ];
    let mut codes = String::from("0");
    for (modifier, code) in MODIFIERS {
        if cell.modifier.contains(modifier) {
            // Writing to a String can't fail.
            let _ = write!(codes, ";{code}");
        }
    }
    codes.push_str(&colour(cell.fg, 30));
    codes.push_str(&colour(cell.bg, 40));
    format!("\u{1b}[{codes}m")
}

/// The codes of a colour; `base` is 30 for the foreground and 40 for the background.
fn colour(colour: Color, base: u8) -> String {
    let plain = |n: u8| format!(";{}", base + n);
    let light = |n: u8| format!(";{}", base + 60 + n);
    match colour {
        Color::Reset => String::new(),
        Color::Black => plain(0),
        Color::Red => plain(1),
        Color::Green => plain(2),
        Color::Yellow => plain(3),
        Color::Blue => plain(4),
        Color::Magenta => plain(5),
        Color::Cyan => plain(6),
        Color::Gray => plain(7),
        Color::DarkGray => light(0),
        Color::LightRed => light(1),
        Color::LightGreen => light(2),
        Color::LightYellow => light(3),
        Color::LightBlue => light(4),
        Color::LightMagenta => light(5),
        Color::LightCyan => light(6),
        Color::White => light(7),
        Color::Indexed(n) => format!(";{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!(";{};2;{r};{g};{b}", base + 8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    #[tokio::test]
    async fn a_frame_is_lines_of_text() {
        let mut snapshot = fixture::snapshot();
        snapshot.taken_at = Timestamp::now();
        let client = fixture::client(snapshot);
        let settings = ConsoleSettings::default();
        let text = frame_as_text(&client, ScreenName::Overview, 100, 30, &settings).await;
        assert_eq!(text.lines().count(), 30);
        assert!(text.contains("DEMO") && text.contains("REPLAY 2016-06-") && text.contains("18.5 °C"), "{text}");
        assert!(!text.contains('\u{1b}'));
        let size = Size::new(100, 30);
        let options = RunOptions::default();
        let coloured = frame_as_ansi(&client, &options, size, &settings, ColorDepth::True).await;
        assert!(coloured.contains("\u{1b}[0;38;2;") && coloured.lines().count() == 30);
        let plain = frame_as_ansi(&client, &options, size, &settings, ColorDepth::None).await;
        assert!(!plain.contains(";38;") && plain.contains("\u{1b}[0;1m"));
    }

    #[test]
    fn colours_are_the_standards_codes() {
        assert_eq!(colour(Color::Red, 30), ";31");
        assert_eq!(colour(Color::LightBlue, 40), ";104");
        assert_eq!(colour(Color::Indexed(67), 30), ";38;5;67");
        assert_eq!(colour(Color::Rgb(1, 2, 3), 40), ";48;2;1;2;3");
    }
}
