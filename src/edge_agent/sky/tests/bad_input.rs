//! Pictures that can't be right: each is named, flagged or refused.

use proptest::prelude::*;

use super::super::exif::tests::tiff;
use super::*;
use crate::station::SkyWarning;

const NOON: &str = "2016-06-09T11:30:00Z";

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let drawn = render(&scene(NOON, 0.4, 1, FISHEYE), width, height);
    encode::jpeg(&drawn.picture, 90, None).expect("encoded")
}

fn refusal(bytes: &[u8]) -> String {
    decode(bytes, &Limits::default()).expect_err("refused").to_string()
}

fn look(picture: &RgbPicture, setup: &SkySetup) -> crate::station::SkyFeatures {
    analyse(picture, setup, instant(NOON), None, None).features
}

#[test]
fn a_picture_is_what_it_holds_and_not_what_it_is_called() {
    let picture = render(&scene(NOON, 0.4, 1, FISHEYE), 64, 48).picture;
    let png = encode::png(&picture).expect("encoded");
    let decoded = decode(&png, &Limits::default()).expect("decoded");
    assert_eq!((decoded.format, &decoded.picture), (Format::Png, &picture));
    assert_eq!(decode(&jpeg(64, 48), &Limits::default()).expect("decoded").format, Format::Jpeg);
}

#[test]
fn what_is_no_picture_is_refused_with_its_beginning() {
    assert!(refusal(b"").contains("it is empty"));
    assert!(refusal(b"GIF89a,,,,").contains("neither a JPEG nor a PNG: it begins with \"GIF89a,,\""));
    assert!(refusal(&[0, 1, 2, 0xfe]).contains("it begins with 00 01 02 fe"));
    let large = Limits { max_bytes: 10, ..Limits::default() };
    let words = decode(&jpeg(64, 48), &large).expect_err("refused").to_string();
    assert!(words.contains("a picture has at most 10"), "{words}");
}

#[test]
fn a_picture_that_is_cut_off_is_refused_in_words() {
    let whole = jpeg(640, 480);
    for share in [0.05, 0.3, 0.6, 0.9, 0.999] {
        let cut = (whole.len() as f64 * share) as usize;
        let words = refusal(&whole[..cut]);
        assert!(words.contains("JPEG is cut off"), "{share}: {words}");
    }
    let whole = encode::png(&render(&scene(NOON, 0.4, 1, FISHEYE), 320, 240).picture).expect("encoded");
    for share in [0.05, 0.5, 0.95] {
        let words = refusal(&whole[..(whole.len() as f64 * share) as usize]);
        assert!(words.contains("PNG is cut off"), "{share}: {words}");
    }
}

/// A JPEG's header alone, of a size nobody has memory for.
fn claiming(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg(64, 48);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a baseline frame");
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

#[test]
fn two_hundred_megapixels_are_refused_before_memory_is_taken() {
    let words = refusal(&claiming(20_000, 10_000));
    assert_eq!(
        words,
        "it has 20000 × 10000 pixels; a picture has at most 64 megapixels; let the camera take a smaller one"
    );
    let mut png = encode::png(&RgbPicture::drawn(4, 4, |_, _| [9; 3])).expect("encoded");
    png[16..20].copy_from_slice(&20_000u32.to_be_bytes());
    png[20..24].copy_from_slice(&10_000u32.to_be_bytes());
    // The header's checksum, CRC-32 over type and data.
    let crc = !png[12..29].iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(refusal(&png).contains("20000 × 10000 pixels; a picture has at most 64"));
}

#[test]
fn a_large_picture_is_decoded_small() {
    let drawn = render(&scene(NOON, 0.4, 1, FISHEYE), 2048, 1536);
    let bytes = encode::jpeg(&drawn.picture, 85, None).expect("encoded");
    let decoded = decode(&bytes, &Limits::default()).expect("decoded").picture;
    assert_eq!((decoded.width(), decoded.height(), decoded.full_size()), (512, 384, (2048, 1536)));
    let png = encode::png(&drawn.picture).expect("encoded");
    let decoded = decode(&png, &Limits::default()).expect("decoded").picture;
    assert_eq!((decoded.width(), decoded.height(), decoded.full_size()), (512, 384, (2048, 1536)));
    assert_eq!(decoded, drawn.picture.shrunk(512));
    let odd = Limits { wanted_px: 300, ..Limits::default() };
    let decoded = decode(&bytes, &odd).expect("decoded").picture;
    assert_eq!((decoded.width(), decoded.full_size()), (512, (2048, 1536)), "an eighth is too small, a quarter isn't");
}

#[test]
fn a_turned_picture_is_turned_back() {
    let drawn = render(&scene(NOON, 0.4, 1, FISHEYE), 320, 240);
    // As a camera on its side stores it: turned by 90° counter-clockwise, to be turned clockwise.
    let stored = RgbPicture::drawn(240, 320, |x, y| drawn.picture.pixel(319 - y, x));
    let exif = tiff(true, 6, "2016:06:09 13:30:00", "+02:00");
    let bytes = encode::jpeg(&stored, 95, Some(&exif)).expect("encoded");
    let decoded = decode(&bytes, &Limits::default()).expect("decoded");
    assert_eq!((decoded.picture.width(), decoded.picture.height()), (320, 240));
    assert_eq!(decoded.picture.full_size(), (320, 240));
    let (turned, upright) = (decoded.picture.shrunk(32), drawn.picture.shrunk(32));
    let differences = turned.bytes().iter().zip(upright.bytes()).map(|(a, b)| u32::from(a.abs_diff(*b)));
    assert!(differences.sum::<u32>() < 3 * turned.bytes().len() as u32, "it is the picture that was drawn");
    assert_eq!(decoded.exif.taken, Some("2016-06-09T13:30:00".parse().expect("a time")));
}

#[test]
fn black_white_and_covered_pictures_are_flagged_and_have_no_cover() {
    for (color, warning) in [
        ([0; 3], SkyWarning::Dark),
        ([9, 9, 12], SkyWarning::Dark),
        ([255; 3], SkyWarning::OverExposed),
        ([120, 118, 110], SkyWarning::LensCovered),
    ] {
        let seen = look(&RgbPicture::drawn(320, 240, |_, _| color), &setup(None));
        assert_eq!((seen.warnings, seen.cloud_cover_pct), (vec![warning], None));
        assert!(seen.cloud_cover_by_method_pct.is_empty());
    }
}

/// Blurred by a Gaussian of `sigma` pixels where `there` says so.
fn blurred(picture: &RgbPicture, sigma: f64, there: impl Fn(u32, u32) -> bool) -> RgbPicture {
    let reach = (3.0 * sigma).ceil() as i64;
    let weights: Vec<f64> = (-reach..=reach).map(|at| (-(at * at) as f64 / (2.0 * sigma * sigma)).exp()).collect();
    let pass = |picture: &RgbPicture, across: bool| {
        RgbPicture::drawn(picture.width(), picture.height(), |x, y| {
            if !there(x, y) {
                return picture.pixel(x, y);
            }
            let mut sums = [0.0; 4];
            for (offset, weight) in (-reach..=reach).zip(&weights) {
                let clamp = |at: u32, length: u32| (i64::from(at) + offset).clamp(0, i64::from(length) - 1) as u32;
                let (x, y) = if across { (clamp(x, picture.width()), y) } else { (x, clamp(y, picture.height())) };
                for (sum, value) in sums.iter_mut().zip(picture.pixel(x, y)) {
                    *sum += weight * f64::from(value);
                }
                sums[3] += weight;
            }
            [0, 1, 2].map(|channel| (sums[channel] / sums[3]).round() as u8)
        })
    };
    pass(&pass(picture, true), false)
}

#[test]
fn a_blurred_picture_and_drops_on_the_lens_are_told_from_a_sharp_one() {
    // A common lens that sees the skyline.
    let lens = Lens { projection: Projection::Rectilinear, fov_deg: 80.0, tilt_deg: 55.0, ..FISHEYE };
    for (cover, seed) in [(0.0, 1), (0.4, 2)] {
        let drawn = render(&scene(NOON, cover, seed, lens), 512, 512);
        let known = SkySetup { horizon: Some(horizon_of(&drawn)), ..setup(Some(lens)) };
        let warnings = |picture: &RgbPicture, setup: &SkySetup| {
            let mut warnings = look(picture, setup).warnings;
            warnings.retain(|warning| matches!(warning, SkyWarning::Blurred | SkyWarning::WetLens));
            warnings
        };
        let sharp = &drawn.picture;
        for setup in [&known, &setup(None)] {
            assert_eq!(warnings(sharp, setup), [], "{cover}");
            assert_eq!(warnings(&blurred(sharp, 0.6, |_, _| true), setup), [], "{cover}: a lens's own softness");
            assert_eq!(warnings(&blurred(sharp, 3.0, |_, _| true), setup), [SkyWarning::Blurred], "{cover}");
        }
        let wet = blurred(sharp, 4.0, |x, _| x % 256 < 128);
        assert_eq!(warnings(&wet, &known), [SkyWarning::WetLens], "{cover}");
    }
}

#[test]
fn the_same_picture_again_is_a_duplicate_and_the_next_is_not() {
    let camera = setup(Some(FISHEYE));
    let drawn = |at: &str, cover| render(&scene(at, cover, 2, FISHEYE), 320, 240);
    for cover in [0.0, 0.5] {
        let first = analyse(&through_jpeg(&drawn(NOON, cover)), &camera, instant(NOON), None, None);
        let later = "2016-06-09T11:40:00Z";
        // A camera that hangs on to a picture and encodes it anew each time.
        let again = encode::jpeg(&through_jpeg(&drawn(NOON, cover)), 90, None).expect("encoded");
        let again = decode(&again, &Limits::default()).expect("decoded").picture;
        let frozen = analyse(&again, &camera, instant(later), Some(&first.next), None);
        assert!(frozen.features.warnings.contains(&SkyWarning::Duplicate), "{cover}");
        let next = analyse(&through_jpeg(&drawn(later, cover)), &camera, instant(later), Some(&first.next), None);
        assert!(!next.features.warnings.contains(&SkyWarning::Duplicate), "{cover}");
    }
}

#[test]
fn a_mask_of_another_size_is_scaled_and_one_of_another_shape_is_named() {
    let drawn = render(&scene(NOON, 0.5, 2, FISHEYE), 640, 480);
    let small = render(&scene(NOON, 0.5, 2, FISHEYE), 320, 240);
    let cover = |horizon| look(&drawn.picture, &SkySetup { horizon: Some(horizon), ..setup(None) });
    let (own, scaled) = (cover(horizon_of(&drawn)), cover(horizon_of(&small)));
    assert!((own.cloud_cover_pct.expect("a cover") - scaled.cloud_cover_pct.expect("a cover")).abs() < 1.0);
    assert!(own.warnings.is_empty() && scaled.warnings.is_empty());
    let other = horizon_of(&render(&scene(NOON, 0.5, 2, FISHEYE), 480, 480));
    assert_eq!(
        other.mismatch(640, 480).expect("another shape"),
        "it has 480 × 480 pixels and the picture 640 × 480, another shape; draw it anew over a picture"
    );
    assert!(cover(other).warnings.contains(&SkyWarning::MaskMismatch));
    let none = RgbPicture::drawn(640, 480, |_, _| [0; 3]);
    let none = HorizonMask::from_png(&encode::png(&none).expect("encoded")).expect("a mask");
    let seen = cover(none);
    assert!(seen.warnings.contains(&SkyWarning::LittleSky) && seen.cloud_cover_pct.is_none(), "{seen:?}");
    assert_eq!(HorizonMask::from_png(&jpeg(64, 48)), Err(PictureError::NoMask));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_change_to_a_file_makes_decoding_fail_otherwise(
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        as_png in any::<bool>(),
    ) {
        let picture = render(&scene(NOON, 0.4, 1, FISHEYE), 48, 36).picture;
        let mut bytes = if as_png { encode::png(&picture) } else { encode::jpeg(&picture, 70, None) }.expect("encoded");
        let place = at.index(bytes.len());
        bytes[place] = value;
        let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            match decode(bytes, &limits) {
                Ok(decoded) => {
                    let seen = look(&decoded.picture, &setup(None));
                    prop_assert!(seen.cloud_cover_pct.is_none_or(|cover| (0.0..=100.0).contains(&cover)));
                }
                Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control)),
            }
        }
    }
}
