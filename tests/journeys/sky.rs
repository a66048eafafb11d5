//! Pictures of the sky, from a camera to the terminal: by kitty's graphics, sixels, iTerm2's inline images and half blocks,
//! each decoded as a terminal would and compared with the picture; and none of them left behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{Rgb, RgbImage};

use crate::place::{PATIENCE, Place};
use crate::skipping::skip;
use crate::terminal::{CELL, Graphics, Terminal};
use crate::walk::ONE_DAY;

/// The quarters of the picture: red and green above, blue and white below.
const QUARTERS: [[u8; 3]; 4] = [[220, 30, 30], [30, 200, 40], [30, 40, 220], [240, 240, 240]];
/// How far a colour may be from the picture's: JPEG was written twice, and made small between.
const NEAR: u8 = 12;
/// The same for sixels, which have 256 colours.
const NEAR_SIXEL: u8 = 24;
const TRUE_COLOUR: (&str, &str) = ("COLORTERM", "truecolor");

/// A place whose camera takes the picture of four quarters.
fn place_with_camera() -> Place {
    let place = Place::new();
    let picture = RgbImage::from_fn(640, 480, |x, y| Rgb(QUARTERS[usize::from(y >= 240) * 2 + usize::from(x >= 320)]));
    let file = place.path().join("quarters.jpg");
    picture.save(&file).expect("written");
    with_camera(&place, &file);
    place
}

fn with_camera(place: &Place, picture: &std::path::Path) {
    place.write_settings("demo.toml", &format!("[camera]\ncommand = \"cp {} {{file}}\"\n", picture.display()));
}

/// A console that shows the picture, just taken, on Sky.
fn on_sky(place: &Place, size: (u16, u16), variables: &[(&str, &str)], graphics: Graphics) -> Terminal {
    let variables = [&[ONE_DAY, TRUE_COLOUR][..], variables].concat();
    let mut terminal = Terminal::with_graphics(place, &[], size, &variables, graphics);
    terminal.wait_for("▸1 Overview");
    capture(&mut terminal);
    terminal
}

/// Has the device take a picture once it is connected, and waits until it is listed on Sky.
fn capture(terminal: &mut Terminal) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // What both screens show stands in one snapshot; a connection may still break between them.
        terminal.press("7", "connected by mqtt");
        terminal.press("4", "▸4 Sky");
        terminal.keys("C");
        let text = terminal.wait_until("an answer to C", |text| {
            ["took ", "isn't connected", "isn't there yet", "newest picture"].iter().any(|words| text.contains(words))
        });
        if text.contains("took a picture") || text.contains("newest picture") {
            break;
        }
        assert!(Instant::now() < deadline, "{text}");
    }
    terminal.wait_for("newest picture");
}

/// Pixels of a picture as a terminal would have it.
struct Pixels {
    width: usize,
    height: usize,
    /// Three bytes a pixel.
    rgb: Vec<u8>,
}

impl Pixels {
    /// Every quarter has its colour, in the middle and near its corners.
    #[track_caller]
    fn has_the_quarters(&self, near: u8) {
        assert_eq!(self.rgb.len(), self.width * self.height * 3);
        for (quarter, expected) in QUARTERS.iter().enumerate() {
            let (right, below) = (quarter % 2, quarter / 2);
            for (across, down) in [(0.5, 0.5), (0.1, 0.1), (0.9, 0.9)] {
                let at = |half: usize, part: f64, side: usize| ((half as f64 + part) / 2.0 * side as f64) as usize;
                let (x, y) = (at(right, across, self.width), at(below, down, self.height));
                let found = &self.rgb[(y * self.width + x) * 3..][..3];
                let is_near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= near);
                assert!(is_near, "at {x},{y} of {}×{}: {found:?}, not {expected:?}", self.width, self.height);
            }
        }
    }

    /// Width to height is that of the picture, 4:3, to half a cell.
    #[track_caller]
    fn has_the_pictures_proportions(&self) {
        let ideal = self.height as f64 * 4.0 / 3.0;
        assert!((self.width as f64 - ideal).abs() <= f64::from(CELL.1), "{}×{}", self.width, self.height);
    }
}

/// One command of kitty's graphics: its keys and its payload.
struct Command {
    keys: String,
    payload: String,
}

impl Command {
    fn key(&self, name: &str) -> Option<&str> {
        self.keys.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The commands in what was sent, the parts of one put together; without one that isn't whole yet.
fn kitty_commands(bytes: &[u8]) -> Vec<Command> {
    let text = String::from_utf8_lossy(bytes);
    let mut commands: Vec<Command> = Vec::new();
    let mut goes_on = false;
    for part in text.split("\x1b_G").skip(1) {
        let Some((body, _)) = part.split_once("\x1b\\") else {
            break;
        };
        let (keys, payload) = body.split_once(';').unwrap_or((body, ""));
        match commands.last_mut() {
            Some(last) if goes_on => last.payload.push_str(payload),
            _ => commands.push(Command { keys: keys.to_owned(), payload: payload.to_owned() }),
        }
        goes_on = keys.split(',').any(|pair| pair == "m=1");
    }
    if goes_on {
        commands.pop();
    }
    commands
}

/// The pictures that were handed over, with their numbers; and the numbers that were to be forgotten.
fn kitty_pictures(bytes: &[u8]) -> (Vec<(String, Pixels)>, Vec<String>) {
    let commands = kitty_commands(bytes);
    let number = |command: &Command| command.key("i").expect("a number").to_owned();
    let is = |action: &'static str| move |command: &&Command| command.key("a") == Some(action);
    let pictures = commands.iter().filter(is("T")).map(|command| {
        let mut data = STANDARD.decode(&command.payload).expect("base64");
        if command.key("o") == Some("z") {
            let mut inflated = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&data[..]), &mut inflated)
                .expect("inflates");
            data = inflated;
        }
        let side = |name: &str| command.key(name).and_then(|side| side.parse().ok()).expect("a side");
        let rgb = data.chunks(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
        (number(command), Pixels { width: side("s"), height: side("v"), rgb })
    });
    (pictures.collect(), commands.iter().filter(is("d")).map(number).collect())
}

fn placeholders(text: &str) -> usize {
    text.matches('\u{10EEEE}').count()
}

#[test]
fn by_kitty_the_picture_is_handed_over_shown_and_forgotten() {
    let place = place_with_camera();
    let mut terminal = on_sky(&place, (100, 30), &[], Graphics::Kitty);
    let text = terminal.wait_until("placeholders", |text| placeholders(text) > 100);
    assert!(text.contains("cloud cover not judged") && text.contains("640×480"), "{text}");
    let (pictures, _) = kitty_pictures(&terminal.bytes());
    let (_, large) = pictures.iter().max_by_key(|(_, picture)| picture.width).expect("a picture");
    large.has_the_quarters(NEAR);
    large.has_the_pictures_proportions();
    // As many cells as the pixels fill.
    let cells = (large.width / CELL.0 as usize) * (large.height / CELL.1 as usize);
    assert!(placeholders(&text) >= cells, "{} of {cells}", placeholders(&text));

    // Beneath a dialog, which is smaller than the screen, its cells are the dialog's, and the others stay.
    terminal.press("e", "Export");
    terminal.wait_until("some of the placeholders", |now| (1..placeholders(&text)).contains(&placeholders(now)));
    terminal.keys("\x1b");
    terminal.wait_until("the whole picture", |now| placeholders(now) >= placeholders(&text));

    // On another screen nothing of it is left: its cells are gone, and the terminal is told to forget it.
    terminal.press("3", "▸3 Telemetry");
    terminal.wait_until("no placeholder", |text| placeholders(text) == 0);
    let forgot_all = |bytes: &[u8]| {
        let (pictures, forgotten) = kitty_pictures(bytes);
        pictures.iter().all(|(number, _)| forgotten.contains(number))
    };
    terminal.wait_for_bytes("every picture is forgotten", forgot_all);
    terminal.press("4", "newest picture");
    terminal.wait_until("placeholders again", |text| placeholders(text) > 100);
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
    assert!(forgot_all(&terminal.bytes()), "at the end, too");
}

/// The first sixel picture at or after `from`: where it begins and ends, and its pixels.
fn sixel(bytes: &[u8], from: usize) -> Option<(usize, usize, Pixels)> {
    let begin = from + find(&bytes[from..], b"\x1bP")?;
    let end = begin + find(&bytes[begin..], b"\x1b\\")?;
    let body = &bytes[begin..end];
    let body = &body[body.iter().position(|byte| *byte == b'q')? + 1..];
    let mut palette = vec![[0_u8; 3]; 1024];
    let mut rows: Vec<Vec<[u8; 3]>> = Vec::new();
    let (mut x, mut band, mut color, mut width) = (0, 0, 0, 0);
    let mut at = 0;
    let numbers = |at: &mut usize| {
        let start = *at;
        while body.get(*at).is_some_and(|byte| byte.is_ascii_digit() || *byte == b';') {
            *at += 1;
        }
        let text = std::str::from_utf8(&body[start..*at]).expect("digits");
        text.split(';').map(|number| number.parse::<usize>().unwrap_or(0)).collect::<Vec<_>>()
    };
    while let Some(&byte) = body.get(at) {
        at += 1;
        let mut draw = |sixel: u8, times: usize, x: &mut usize| {
            for bit in 0..6 {
                if sixel >> bit & 1 == 0 {
                    continue;
                }
                let y = band * 6 + bit;
                if rows.len() <= y {
                    rows.resize(y + 1, Vec::new());
                }
                if rows[y].len() < *x + times {
                    rows[y].resize(*x + times, [0; 3]);
                }
                rows[y][*x..*x + times].fill(palette[color]);
            }
            *x += times;
            width = width.max(*x);
        };
        match byte {
            b'"' => drop(numbers(&mut at)),
            b'#' => match numbers(&mut at)[..] {
                [number] => color = number,
                [number, 2, r, g, b] => {
                    color = number;
                    palette[number] = [r, g, b].map(|percent| u8::try_from(percent * 255 / 100).expect("a byte"));
                }
                ref other => panic!("a colour by {other:?}"),
            },
            b'!' => {
                let times = numbers(&mut at)[0];
                draw(body[at] - 63, times, &mut x);
                at += 1;
            }
            b'$' => x = 0,
            b'-' => (x, band) = (0, band + 1),
            63..=126 => draw(byte - 63, 1, &mut x),
            _ => {}
        }
    }
    for row in &mut rows {
        row.resize(width, [0; 3]);
    }
    let pixels = Pixels { width, height: rows.len(), rgb: rows.concat().concat() };
    Some((begin, end, pixels))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn sixels(bytes: &[u8]) -> Vec<(usize, usize, Pixels)> {
    let mut found: Vec<(usize, usize, Pixels)> = Vec::new();
    while let Some(next) = sixel(bytes, found.last().map_or(0, |(_, end, _)| *end)) {
        found.push(next);
    }
    found
}

/// Column and row, from 1, that the cursor was last put at before `at`.
fn cursor_before(bytes: &[u8], at: usize) -> (usize, usize) {
    let text = String::from_utf8_lossy(&bytes[..at]);
    let moves = regex::Regex::new("\x1b\\[(\\d+);(\\d+)H").expect("a pattern");
    let last = moves.captures_iter(&text).last().expect("it was put somewhere");
    (last[2].parse().expect("a column"), last[1].parse().expect("a row"))
}

/// Whether everything in an area of cells was written anew by `bytes`, on a terminal of 100×30.
fn overwrites(bytes: &[u8], (column, row): (usize, usize), (columns, rows): (usize, usize)) -> bool {
    let mut parser = vt100::Parser::new(30.try_into().expect("rows"), 100.try_into().expect("columns"), 0);
    for line in row..row + rows {
        parser.process(format!("\x1b[{line};{column}H{}", "\u{2588}".repeat(columns)).as_bytes());
    }
    parser.process(bytes);
    let screen = parser.screen();
    let is_left = |row: usize, column: usize| {
        let cell = screen.cell(u16::try_from(row).expect("a row"), u16::try_from(column).expect("a column"));
        cell.is_some_and(|cell| cell.contents() == "\u{2588}")
    };
    (row - 1..row - 1 + rows).all(|row| (column - 1..column - 1 + columns).all(|column| !is_left(row, column)))
}

#[test]
fn by_sixels_the_picture_is_drawn_where_it_belongs_and_written_over() {
    let place = place_with_camera();
    let mut terminal = on_sky(&place, (100, 30), &[], Graphics::Sixel);
    let is_large = |pixels: &Pixels| pixels.width > 150;
    let bytes = terminal.wait_for_bytes("a sixel picture", |bytes| sixels(bytes).iter().any(|(.., p)| is_large(p)));
    let drawn = sixels(&bytes);
    let (begin, end, large) = drawn.iter().rfind(|(.., pixels)| is_large(pixels)).expect("there is one");
    large.has_the_quarters(NEAR_SIXEL);
    large.has_the_pictures_proportions();
    let cells = (large.width / CELL.0 as usize, large.height.div_ceil(CELL.1 as usize));
    let corner = cursor_before(&bytes, *begin);
    let title = terminal.text().lines().position(|line| line.contains("newest picture")).expect("the pane");
    assert!(corner.1 > title + 1 && corner.1 + cells.1 < 30, "{corner:?} {cells:?}");

    // Beneath a dialog no sixel is drawn over it; closed, the picture comes again.
    let before = sixels(&terminal.bytes()).len();
    terminal.press("?", "Help");
    assert_eq!(
        sixels(&terminal.bytes()).iter().filter(|(.., p)| is_large(p)).count(),
        drawn.iter().filter(|(.., p)| is_large(p)).count()
    );
    let helped = terminal.text();
    assert!(helped.contains('▀') || helped.contains('▄') || helped.contains("Help"), "{helped}");
    terminal.keys("\x1b");
    terminal.wait_for_bytes("it comes again", |bytes| sixels(bytes).len() > before);

    // Another screen writes over all of it.
    let shown = terminal.bytes().len().max(*end);
    terminal.press("8", "▸8 Logs");
    terminal.wait_for("Owner's log");
    let after = terminal.bytes();
    assert!(overwrites(&after[shown..], corner, cells), "a part of the picture is left");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn by_iterm2s_inline_images_it_is_a_png_of_exactly_its_cells() {
    let place = place_with_camera();
    let iterm = ("LC_TERMINAL", "iTerm2");
    let mut terminal = on_sky(&place, (100, 30), &[iterm], Graphics::Cells);
    let image = regex::bytes::Regex::new("(?-u)\x1b\\]1337;File=inline=1;size=(\\d+);width=(\\d+)px;height=(\\d+)px;doNotMoveCursor=1:([A-Za-z0-9+/=]+)\x07")
        .expect("a pattern");
    let widest = |bytes: &[u8]| {
        image.captures_iter(bytes).filter_map(|found| std::str::from_utf8(&found[2]).ok()?.parse::<usize>().ok()).max()
    };
    let bytes = terminal.wait_for_bytes("an inline image", |bytes| widest(bytes).is_some_and(|width| width > 150));
    let width = widest(&bytes).expect("an image");
    let found =
        image.captures_iter(&bytes).find(|found| found[2] == *width.to_string().as_bytes()).expect("the widest");
    let png = STANDARD.decode(&found[4]).expect("base64");
    assert_eq!(png.len().to_string().as_bytes(), &found[1]);
    let picture = image::load_from_memory_with_format(&png, image::ImageFormat::Png).expect("a PNG").into_rgb8();
    let (width, height) = picture.dimensions();
    assert_eq!((width % CELL.0, height % CELL.1), (0, 0), "whole cells");
    let pixels = Pixels { width: width as usize, height: height as usize, rgb: picture.into_raw() };
    pixels.has_the_quarters(NEAR);
    pixels.has_the_pictures_proportions();
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

/// Where the picture's cells are: rows and columns with a half block or a coloured blank.
fn colour_at(terminal: &Terminal, column: u16, row: u16) -> Option<[u8; 3]> {
    match terminal.colours(column, row) {
        (_, vt100::Color::Rgb(r, g, b)) => Some([r, g, b]),
        _ => None,
    }
}

#[test]
fn elsewhere_it_is_half_blocks_in_its_colours() {
    let place = place_with_camera();
    let mut terminal = on_sky(&place, (100, 30), &[], Graphics::No);
    let is_near = |found: Option<[u8; 3]>, expected: [u8; 3]| {
        found.is_some_and(|found| found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= NEAR))
    };
    // Each quarter's colour is somewhere on the screen, in its place to the others.
    let shown = &terminal;
    let cells = |expected: [u8; 3]| {
        (0..30_u16)
            .flat_map(|row| (0..100).map(move |column| (column, row)))
            .filter(move |(column, row)| is_near(colour_at(shown, *column, *row), expected))
            .collect::<Vec<_>>()
    };
    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        let found = QUARTERS.map(&cells);
        if found.iter().all(|cells| cells.len() > 20) {
            break found;
        }
        assert!(Instant::now() < deadline, "{:?}\n{}", found.map(|cells| cells.len()), terminal.text());
        std::thread::sleep(Duration::from_millis(100));
    };
    let middle = found.map(|cells| {
        let count = cells.len() as f64;
        let sum = cells.iter().fold((0.0, 0.0), |sum, at| (sum.0 + f64::from(at.0), sum.1 + f64::from(at.1)));
        (sum.0 / count, sum.1 / count)
    });
    assert!(middle[0].0 < middle[1].0 && middle[0].1 < middle[2].1 && middle[2].0 < middle[3].0, "{middle:?}");
    assert!(terminal.text().contains("half blocks"));
    assert!(kitty_commands(&terminal.bytes()).iter().all(|command| command.key("a") == Some("q")), "only asked");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn a_picture_that_is_none_is_told_in_words() {
    let place = Place::new();
    let file = place.path().join("broken.jpg");
    // The head of a JPEG, and nothing of it.
    std::fs::write(&file, b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00and no more")
        .expect("written");
    with_camera(&place, &file);
    let variables = [ONE_DAY, TRUE_COLOUR];
    let mut terminal = Terminal::with_graphics(&place, &[], (100, 30), &variables, Graphics::Kitty);
    terminal.wait_for("▸1 Overview");
    terminal.press("4", "▸4 Sky");
    // Whether it is refused where it is taken, or where it is shown, it is said.
    let deadline = Instant::now() + PATIENCE;
    while !terminal.text().contains("took ") {
        assert!(Instant::now() < deadline, "{}", terminal.text());
        terminal.keys("C");
        std::thread::sleep(Duration::from_secs(2));
    }
    terminal.wait_until("what is wrong with it", |text| text.contains("the JPEG ") || text.contains("took no picture"));
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn what_is_typed_before_the_terminal_has_answered_is_acted_on() {
    for graphics in [Graphics::Kitty, Graphics::Silent] {
        let place = Place::new();
        let started = Instant::now();
        let mut terminal = Terminal::with_graphics(&place, &[], (100, 30), &[ONE_DAY], graphics);
        terminal.wait_for_bytes("the question", |bytes| find(bytes, b"\x1b[5n").is_some());
        terminal.keys("8");
        // The first frame doesn't wait for the answer.
        terminal.wait_for("DEMO");
        terminal.wait_for("▸8 Logs");
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        terminal.press("1", "▸1 Overview");
        terminal.keys("Q");
        assert_eq!(terminal.ended(), 0);
        terminal.is_restored();
    }
}

#[test]
fn through_tmux_kittys_pictures_reach_the_terminal_around_it() {
    let Some(tmux) = tmux() else { return skip("tmux not installed, run apt-get install tmux") };
    let place = place_with_camera();
    let settings = place.path().join("tmux.conf");
    std::fs::write(
        &settings,
        "set -g allow-passthrough on\nset -g status off\nset -g default-terminal tmux-256color\n",
    )
    .expect("written");
    let socket = place.path().join("tmux.sock");
    let command = format!("COLORTERM=truecolor {}", env!("CARGO_BIN_EXE_skydeck"));
    let [socket, settings] = [&socket, &settings].map(|path| path.to_str().expect("UTF-8"));
    let arguments = ["-S", socket, "-f", settings, "new-session", "-x", "100", "-y", "30", &command];
    let program = tmux.to_str().expect("UTF-8");
    let mut terminal = Terminal::any(&place, (program, &arguments), (100, 30), &[ONE_DAY], Graphics::Kitty);
    terminal.wait_for("▸1 Overview");
    capture(&mut terminal);
    // tmux passes nothing on before the terminal is attached: half blocks are shown until it is asked again.
    terminal.wait_without("half blocks");
    let bytes = terminal
        .wait_for_bytes("a picture", |bytes| kitty_pictures(bytes).0.iter().any(|(_, picture)| picture.width > 150));
    let (pictures, _) = kitty_pictures(&bytes);
    let (_, large) = pictures.iter().max_by_key(|(_, picture)| picture.width).expect("a picture");
    large.has_the_quarters(NEAR);
    terminal.wait_until("placeholders", |text| placeholders(text) > 100);
    terminal.press("8", "▸8 Logs");
    terminal.wait_for_bytes("it is forgotten", |bytes| {
        let (pictures, forgotten) = kitty_pictures(bytes);
        pictures.iter().all(|(number, _)| forgotten.contains(number))
    });
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
}

fn tmux() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("tmux")).find(|program| program.is_file())
}
