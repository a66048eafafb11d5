use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{Rgb, RgbImage};
use ratatui::buffer::CellDiffOption;
use ratatui::style::{Color, Style};

use super::*;
use crate::console::fixture::{pictures, text_of};
use crate::console::theme::ColorDepth;

const CELL: (u16, u16) = (4, 8);

fn graphics(way: Way, depth: ColorDepth) -> Graphics {
    Graphics { way, cell: CELL, tmux: false, deflate: false, depth, light: false }
}

/// Left half white, right half blue, 40 × 40.
fn jpeg() -> Vec<u8> {
    let picture = RgbImage::from_fn(40, 40, |x, _| if x < 20 { Rgb([255, 255, 255]) } else { Rgb([0, 0, 255]) });
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100).encode_image(&picture).expect("encodes");
    bytes
}

fn shown(slot: u16, area: Rect) -> Shown {
    let id = PictureId { blob_name: "roof-01/a.jpg".into(), max_px: 64, overlay: false };
    Shown { slot, id, jpeg: jpeg().into(), area }
}

/// A frame of 12×6 with the picture in the middle of it.
fn frame(graphics: Graphics, over: impl FnOnce(&mut Buffer)) -> (Buffer, Vec<Placement>) {
    let mut pictures = Pictures::new(graphics);
    let shown = [shown(0, Rect::new(1, 1, 10, 4))];
    crate::console::fixture::make(&mut pictures, &shown);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 6));
    buffer.set_style(buffer.area, Style::new().fg(Color::White).bg(Color::Black));
    assert!(pictures.draw(&mut buffer, shown[0].area, 0, &shown[0].id, false));
    over(&mut buffer);
    let placements = pictures.placements(&mut buffer, &shown);
    (buffer, placements)
}

#[test]
fn half_blocks_have_the_colours_there_are() {
    // Square, in cells of 1:2: eight columns of four rows. Left white, right blue.
    let ends = |depth| {
        let (buffer, placements) = frame(graphics(Way::Blocks, depth), |_| {});
        assert_eq!(placements, []);
        [2, 9].map(|x| buffer[(x, 2)].bg)
    };
    let is_near = |found: Color, expected: [u8; 3]| match found {
        Color::Rgb(r, g, b) => [r, g, b].iter().zip(expected).all(|(a, b): (&u8, u8)| a.abs_diff(b) < 8),
        _ => false,
    };
    let [left, right] = ends(ColorDepth::True);
    assert!(is_near(left, [255, 255, 255]) && is_near(right, [0, 0, 255]), "{left:?} {right:?}");
    assert_eq!(ends(ColorDepth::Indexed), [Color::Indexed(231), Color::Indexed(21)]);
    // Of sixteen colours only greys: blue is as dark as its weight of 7 %.
    assert_eq!(ends(ColorDepth::Sixteen), [Color::White, Color::Black]);
}

#[test]
fn without_colours_there_are_shades_and_no_colour() {
    let (buffer, _) =
        frame(Graphics::cells(ColorDepth::None, false), |buffer| buffer.set_style(buffer.area, Style::reset()));
    assert_eq!(text_of(&buffer), "\n  ████\n  ████\n  ████\n  ████\n");
    let light = Graphics { light: true, ..Graphics::cells(ColorDepth::None, true) };
    let (buffer, _) = frame(light, |_| {});
    assert_eq!(text_of(&buffer), "\n      ████\n      ████\n      ████\n      ████\n");
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::White || cell.fg == Color::Reset));
}

/// What kitty is handed: the values of its keys, and the pixels.
fn kitty_pixels(bytes: &str) -> (String, Vec<u8>) {
    let mut keys = String::new();
    let mut data = String::new();
    for (i, part) in bytes.split("\x1b_G").skip(1).enumerate() {
        let (head, payload) = part.trim_end_matches("\x1b\\").split_once(';').expect("a payload");
        if i == 0 {
            keys = head.to_owned();
        }
        data.push_str(payload);
    }
    (keys, STANDARD.decode(data).expect("base64"))
}

#[test]
fn kitty_is_handed_the_pixels_and_its_cells_name_row_and_column() {
    let (buffer, placements) = frame(graphics(Way::Kitty, ColorDepth::True), |_| {});
    let [placement] = &placements[..] else { panic!("one picture") };
    assert_eq!(placement.area, Rect::new(2, 1, 8, 4));
    let (keys, pixels) = kitty_pixels(&placement.ink.bytes);
    // Eight columns of four pixels, four rows of eight.
    assert!(keys.contains("a=T") && keys.contains("U=1") && keys.contains("s=32,v=32"), "{keys}");
    assert_eq!(pixels.len(), 32 * 32 * 4);
    let pixel = |x: usize, y: usize| &pixels[(y * 32 + x) * 4..][..3];
    assert!(pixel(2, 5).iter().all(|c| *c > 247), "{:?}", pixel(2, 5));
    assert!(pixel(29, 25)[0] < 8 && pixel(29, 25)[2] > 247, "{:?}", pixel(29, 25));
    // The marks of rows and columns are the first of the list that kitty's documentation links.
    assert_eq!(buffer[(2, 1)].symbol(), "\u{10EEEE}\u{0305}\u{0305}");
    assert_eq!(buffer[(3, 1)].symbol(), "\u{10EEEE}\u{0305}\u{030D}");
    assert_eq!(buffer[(2, 2)].symbol(), "\u{10EEEE}\u{030D}\u{0305}");
    assert_eq!(buffer[(9, 4)].symbol(), "\u{10EEEE}\u{0310}\u{033F}");
    assert_eq!(buffer[(2, 1)].fg, Color::Rgb(0, 0, 1), "the number of the picture");
    assert_eq!(placement.ink.forget.as_deref(), Some("\x1b_Ga=d,d=I,q=2,i=1\x1b\\"));
}

#[test]
fn through_tmux_what_it_does_not_know_is_passed_on() {
    let (_, placements) = frame(Graphics { tmux: true, ..graphics(Way::Kitty, ColorDepth::True) }, |_| {});
    let bytes = &placements[0].ink.bytes;
    assert!(bytes.starts_with("\x1bPtmux;\x1b\x1b_G") && bytes.ends_with("\x1b\x1b\\\x1b\\"), "{:?}", &bytes[..40]);
    assert_eq!(placements[0].ink.forget.as_deref(), Some("\x1bPtmux;\x1b\x1b_Ga=d,d=I,q=2,i=1\x1b\x1b\\\x1b\\"));
}

#[test]
fn deflated_data_are_the_same_pixels() {
    let plain = frame(graphics(Way::Kitty, ColorDepth::True), |_| {}).1;
    let deflated = frame(Graphics { deflate: true, ..graphics(Way::Kitty, ColorDepth::True) }, |_| {}).1;
    let (keys, data) = kitty_pixels(&deflated[0].ink.bytes);
    assert!(keys.contains("o=z"), "{keys}");
    let mut pixels = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&data[..]), &mut pixels).expect("inflates");
    assert_eq!(pixels, kitty_pixels(&plain[0].ink.bytes).1);
}

#[test]
fn ink_takes_its_cells_and_leaves_them_to_whatever_lies_over_it() {
    for way in [Way::Sixel, Way::Iterm2] {
        let (buffer, placements) = frame(graphics(way, ColorDepth::True), |_| {});
        assert_eq!(placements.len(), 1);
        assert_eq!(placements[0].area, Rect::new(2, 1, 8, 4));
        assert!(placements[0].ink.forget.is_none());
        for (x, y) in [(2, 1), (9, 4)] {
            assert_eq!(buffer[(x, y)].diff_option, CellDiffOption::Skip);
        }
        assert_eq!(buffer[(1, 1)].diff_option, CellDiffOption::None);
        // A dialog over a corner of it: no ink, and the rest of the picture in half blocks.
        let (beneath, placements) = frame(graphics(way, ColorDepth::True), |buffer| {
            buffer.set_string(8, 3, "dialog", Style::new());
        });
        assert_eq!(placements, []);
        assert_eq!(beneath[(8, 3)].symbol(), "d");
        assert!(matches!(beneath[(2, 1)].bg, Color::Rgb(..)));
        assert!(beneath.content().iter().all(|cell| cell.diff_option == CellDiffOption::None));
    }
}

#[test]
fn beneath_a_dialog_kittys_cells_stay_right() {
    let (buffer, placements) = frame(graphics(Way::Kitty, ColorDepth::True), |buffer| {
        buffer.set_string(3, 1, "ab", Style::new());
    });
    assert_eq!(placements.len(), 1);
    assert_eq!(buffer[(5, 1)].symbol(), "\u{10EEEE}\u{0305}\u{0310}", "its column is told, not inherited");
}

#[test]
fn what_is_not_shown_any_more_is_forgotten_and_what_changed_is_made_anew() {
    let mut pictures = Pictures::new(graphics(Way::Blocks, ColorDepth::True));
    let area = Rect::new(0, 0, 10, 4);
    let first = [shown(0, area), shown(1, area)];
    crate::console::fixture::make(&mut pictures, &first);
    assert_eq!(pictures.next(&first), None);
    let wider = [shown(0, Rect::new(0, 0, 20, 4))];
    assert_eq!(pictures.next(&wider), Some(&wider[0]));
    assert!(pictures.made.len() == 1, "the second slot is free again");
    // The one before stays until its follower is made; where there are many, each shows its own or nothing.
    let other = PictureId { blob_name: "roof-01/b.jpg".into(), ..first[0].id.clone() };
    let mut buffer = Buffer::empty(area);
    crate::console::fixture::make(&mut pictures, &first);
    assert!(pictures.draw(&mut buffer, area, 0, &other, false));
    assert!(!pictures.draw(&mut buffer, area, 1, &other, false));
    pictures.set_graphics(graphics(Way::Sixel, ColorDepth::True));
    assert_eq!(pictures.next(&first), Some(&first[0]), "for another terminal everything is made anew");
}

#[test]
fn a_picture_that_cannot_be_made_says_why() {
    let mut pictures = Pictures::new(graphics(Way::Blocks, ColorDepth::True));
    let broken = [Shown { jpeg: b"no picture".as_slice().into(), ..shown(0, Rect::new(0, 0, 10, 4)) }];
    crate::console::fixture::make(&mut pictures, &broken);
    let why = pictures.failure(0, &broken[0].id).expect("it failed");
    assert!(why.starts_with("the owner's picture can't be decoded: "), "{why}");
    assert_eq!(pictures.next(&broken), None, "and isn't tried again and again");
}

#[test]
fn the_fixtures_picture_is_as_it_says() {
    let picture = pictures::picture(&pictures::notes(1)[0].blob_name, 64, false);
    assert_eq!((picture.width, picture.height), (64, 48));
}
