use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};

use super::*;
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::storage::Containers;
use crate::ingestion::topology::{Ground, Topology};
use crate::ingestion::warehouse::Warehouse;

/// A picture whose red rises to the right and whose blue rises downwards.
fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let part = |at: u32, of: u32| u8::try_from(at * 255 / (of - 1)).expect("a byte");
        Rgb([part(x, width), 90, part(y, height)])
    })
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(picture).expect("encodes");
    bytes
}

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).expect("encodes");
    bytes.into_inner()
}

/// An EXIF segment with an orientation alone, put behind the start of a JPEG.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0, 0, 0, 0, 0][..]].concat();
    let body = [b"Exif\0\0", &tiff[..]].concat();
    let length = u16::try_from(body.len() + 2).expect("short").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &body, &jpeg[2..]].concat()
}

struct Place {
    _folder: tempfile::TempDir,
    containers: Containers,
    feed: LiveFeed,
    pictures: Pictures<Embedded>,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let containers = Containers::open(&folder.path().join("containers")).expect("opens");
    let warehouse = Warehouse::open(&folder.path().join("warehouse.db")).expect("opens");
    let ground = Ground::fixed(Topology::built_in("demo", "hub", jiff::SignedDuration::from_secs(300), 1024));
    let feed = LiveFeed::default();
    let source = Embedded::new(warehouse, feed.clone(), containers.clone(), ground);
    let camera = OwnCamera::of_settings(&crate::settings::Settings::default());
    Place { _folder: folder, containers, feed, pictures: Pictures::new(source, camera) }
}

impl Place {
    async fn put(&self, name: &str, bytes: &[u8]) {
        let mut blob = self.containers.create("pictures", name);
        blob.write(bytes).await.expect("written");
        blob.finish().await.expect("finished");
    }

    async fn one(&self, name: &str, max_px: u32) -> Result<Arc<ShownPicture>, String> {
        self.asked(name, max_px, false).await
    }

    async fn asked(&self, name: &str, max_px: u32, overlay: bool) -> Result<Arc<ShownPicture>, String> {
        self.pictures.one(name.to_owned(), max_px, overlay).await.map_err(|error| error.to_string())
    }

    async fn list(&self, before: Option<Timestamp>) -> Vec<PictureView> {
        self.pictures.list(before, 10).await.expect("listed")
    }
}

/// What a viewer decodes.
fn pixels(shown: &ShownPicture) -> RgbImage {
    let bytes = STANDARD.decode(&shown.jpeg).expect("base64");
    image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).expect("a JPEG").into_rgb8()
}

#[tokio::test]
async fn a_picture_is_made_small_and_keeps_its_colours() {
    let place = place();
    let original = gradient(800, 600);
    place.put("roof-01/a.jpg", &jpeg(&original)).await;
    place.put("roof-01/b.png", &png(&original)).await;
    for name in ["roof-01/a.jpg", "roof-01/b.png"] {
        let shown = place.one(name, 400).await.expect("shown");
        assert_eq!((shown.width, shown.height, shown.original_width, shown.original_height), (400, 300, 800, 600));
        let small = pixels(&shown);
        // The colour at the middle of each half, by hand: a quarter and three quarters of 255.
        for (x, y, expected) in [(100, 75, [64, 90, 64]), (300, 225, [191, 90, 191])] {
            let found = small.get_pixel(x, y).0;
            let is_near = found.iter().zip(expected).all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 4);
            assert!(is_near, "{name} at {x},{y}: {found:?}, not {expected:?}");
        }
    }
    let as_it_is = place.one("roof-01/a.jpg", 2048).await.expect("shown");
    assert_eq!((as_it_is.width, as_it_is.height), (800, 600), "nothing is made larger than it is");
}

#[tokio::test]
async fn a_picture_that_was_turned_stands_upright() {
    let place = place();
    let original = gradient(60, 40);
    // 6: to be turned by 90° clockwise. What was at the left is at the top then.
    place.put("roof-01/a.jpg", &turned(&jpeg(&original), 6)).await;
    let shown = place.one("roof-01/a.jpg", 64).await.expect("shown");
    assert_eq!((shown.width, shown.height), (40, 60));
    let upright = pixels(&shown);
    assert!(upright.get_pixel(20, 2).0[0] < 30 && upright.get_pixel(20, 57).0[0] > 225, "red rises downwards now");
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_in_words() {
    let place = place();
    let whole = jpeg(&gradient(64, 48));
    place.put("empty", b"").await;
    place.put("text.jpg", b"no picture at all").await;
    place.put("cut.png", &png(&gradient(64, 48))[..90]).await;
    place.put("head.jpg", &whole[..20]).await;
    for (name, words) in [
        ("gone.jpg", "picture gone.jpg: it isn't in the container"),
        ("empty", "picture empty: it is empty"),
        ("text.jpg", "picture text.jpg: it is neither a JPEG nor a PNG"),
        ("cut.png", "picture cut.png: the PNG "),
        ("head.jpg", "picture head.jpg: the JPEG "),
        ("../warehouse.db", "picture ../warehouse.db: it isn't in the container"),
    ] {
        let error = place.one(name, 64).await.expect_err("refused");
        assert!(error.starts_with(words), "{error}");
    }
    let error = place.one("cut.png", 8).await.expect_err("refused");
    assert!(error.contains("8 pixels were asked for; ask for 16 to 2048"), "{error}");
}

#[tokio::test]
async fn a_picture_of_two_hundred_megapixels_is_refused_before_it_is_decoded() {
    let place = place();
    // A PNG whose header tells of 20000×10000 pixels; what follows it doesn't matter.
    let mut bytes = png(&gradient(16, 16));
    bytes[16..20].copy_from_slice(&20_000_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&10_000_u32.to_be_bytes());
    let crc = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    place.put("huge.png", &bytes).await;
    let error = place.one("huge.png", 64).await.expect_err("refused");
    assert!(
        error.starts_with("picture huge.png: it has 20000 × 10000 pixels; a picture has at most 64 mega"),
        "{error}"
    );
    // A picture whose pixels would fit, called by another name than its format.
    place.put("really.jpg", &png(&gradient(32, 32))).await;
    assert_eq!(place.one("really.jpg", 64).await.expect("a PNG is known by its content").width, 32);
}

/// CRC-32 as PNG has it (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[tokio::test]
async fn a_picture_is_known_before_its_note_has_a_row_and_told_once_after() {
    let place = place();
    assert_eq!(place.list(None).await, []);
    let notes = [note("a", "2016-06-08T12:00:00Z", Some(40.0)), note("b", "2016-06-08T12:05:00Z", None)];
    for note in notes {
        place.feed.take_note(note);
    }
    place.put("b", b"anything").await;
    let listed = place.list(None).await;
    let told: Vec<_> = listed.iter().map(|view| (view.blob_name.as_str(), view.place)).collect();
    assert_eq!(told, [("b", PicturePlace::Uploaded), ("a", PicturePlace::Absent)]);
    let before = place.list(Some(listed[0].taken_at)).await;
    assert_eq!(before.iter().map(|view| view.blob_name.as_str()).collect::<Vec<_>>(), ["a"]);
    let covers = place.pictures.covers(Timestamp::MIN, Timestamp::MAX).await.expect("told");
    assert_eq!(
        covers.iter().map(|cover| cover.cover_pct).collect::<Vec<_>>(),
        [40.0],
        "what couldn't be told is left out"
    );
}

fn note(blob_name: &str, taken_at: &str, cloud_cover_pct: Option<f64>) -> PictureTaken {
    let taken_at: Timestamp = taken_at.parse().expect("a time");
    PictureTaken {
        analysis: Some(crate::station::SkyFeatures { cloud_cover_pct, ..crate::station::SkyFeatures::at(taken_at) }),
        ..PictureTaken::plain(blob_name, taken_at, 8)
    }
}

#[tokio::test]
async fn the_mask_is_drawn_over_cloud_and_needs_a_note() {
    let place = place();
    // Left white, right blue: red over blue tells them apart.
    let sky = RgbImage::from_fn(256, 192, |x, _| if x < 128 { Rgb([205, 205, 205]) } else { Rgb([60, 110, 210]) });
    place.put("sky.jpg", &jpeg(&sky)).await;
    let error = place.asked("sky.jpg", 256, true).await.expect_err("nothing tells the time");
    assert!(error.contains("no note tells when it was taken"), "{error}");
    place.feed.take_note(note("sky.jpg", "2016-06-08T11:00:00Z", None));
    let shown = place.asked("sky.jpg", 256, true).await.expect("shown");
    let pixels = pixels(&shown);
    let [cloud, clear] = [64, 192].map(|x| pixels.get_pixel(x, 96).0);
    assert!(cloud[0] > cloud[1] + 60 && cloud[0] > cloud[2] + 60, "cloud is red: {cloud:?}");
    assert!(clear[2] > 190 && clear[0] < 80, "clear sky stays: {clear:?}");
    assert!(shown.mask.as_deref().is_some_and(|words| words.starts_with("mask by redBlue: 5")), "{:?}", shown.mask);
    assert_eq!(place.asked("sky.jpg", 256, false).await.expect("shown").mask, None);
}
