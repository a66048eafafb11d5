//! What a picture's EXIF says that matters here: how it was held, and when it was taken.
//!
//! EXIF 2.32 (CIPA DC-008): a TIFF structure, of which three tags are read. Whatever is malformed counts as absent.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::picture::RgbPicture;

const ORIENTATION: u16 = 0x0112;
const EXIF_IFD: u16 = 0x8769;
const DATE_TIME_ORIGINAL: u16 = 0x9003;
const OFFSET_TIME_ORIGINAL: u16 = 0x9011;

/// What EXIF says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exif {
    /// How the camera was held.
    pub orientation: Orientation,
    /// When the picture was taken, in the camera's local time.
    pub taken: Option<DateTime>,
    /// That time's offset from UTC.
    pub offset: Option<Offset>,
}

/// How the stored picture is turned to stand upright; the values are EXIF's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orientation {
    /// 1: as it is.
    #[default]
    Upright,
    /// 2: mirrored left to right.
    Mirrored,
    /// 3: turned by 180°.
    UpsideDown,
    /// 4: mirrored top to bottom.
    Flipped,
    /// 5: rows and columns exchanged.
    Transposed,
    /// 6: to be turned by 90° clockwise.
    Clockwise,
    /// 7: exchanged along the other diagonal.
    Transversed,
    /// 8: to be turned by 90° counter-clockwise.
    CounterClockwise,
}

impl Orientation {
    const fn from_exif(value: u16) -> Self {
        match value {
            2 => Self::Mirrored,
            3 => Self::UpsideDown,
            4 => Self::Flipped,
            5 => Self::Transposed,
            6 => Self::Clockwise,
            7 => Self::Transversed,
            8 => Self::CounterClockwise,
            _ => Self::Upright,
        }
    }

    /// Whether width and height change places.
    #[must_use]
    pub const fn turns(self) -> bool {
        matches!(self, Self::Transposed | Self::Clockwise | Self::Transversed | Self::CounterClockwise)
    }

    /// The picture upright.
    pub(super) fn upright(self, picture: RgbPicture) -> RgbPicture {
        if self == Self::Upright {
            return picture;
        }
        let (stored_width, stored_height) = (picture.width(), picture.height());
        let (width, height) = if self.turns() { (stored_height, stored_width) } else { (stored_width, stored_height) };
        let (right, bottom) = (stored_width - 1, stored_height - 1);
        let turned = RgbPicture::drawn(width, height, |x, y| {
            let (x, y) = match self {
                Self::Upright => (x, y),
                Self::Mirrored => (right - x, y),
                Self::UpsideDown => (right - x, bottom - y),
                Self::Flipped => (x, bottom - y),
                Self::Transposed => (y, x),
                Self::Clockwise => (y, bottom - x),
                Self::Transversed => (right - y, bottom - x),
                Self::CounterClockwise => (right - y, x),
            };
            picture.pixel(x, y)
        });
        let (full_width, full_height) = picture.full_size();
        let full = if self.turns() { (full_height, full_width) } else { (full_width, full_height) };
        turned.reduced_from(full)
    }
}

impl Exif {
    /// Reads the TIFF structure behind `Exif\0\0`.
    #[must_use]
    pub fn read(tiff: &[u8]) -> Self {
        Self::try_read(tiff).unwrap_or_default()
    }

    fn try_read(tiff: &[u8]) -> Option<Self> {
        let tiff = Tiff { bytes: tiff, big_endian: tiff.starts_with(b"MM") };
        (tiff.big_endian || tiff.bytes.starts_with(b"II")).then_some(())?;
        (tiff.u16(2)? == 42).then_some(())?;
        let first = tiff.u32(4)?;
        let orientation = tiff.entry(first, ORIENTATION).and_then(|at| tiff.u16(at + 8)).unwrap_or(1);
        let inner = tiff.entry(first, EXIF_IFD).and_then(|at| tiff.u32(at + 8));
        let text = |tag| inner.and_then(|inner| tiff.text(tiff.entry(inner, tag)?));
        Some(Self {
            orientation: Orientation::from_exif(orientation),
            taken: text(DATE_TIME_ORIGINAL).and_then(|text| DateTime::strptime("%Y:%m:%d %H:%M:%S", text).ok()),
            offset: text(OFFSET_TIME_ORIGINAL).and_then(offset),
        })
    }
}

/// `+02:00` as an offset.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = hours.parse::<u8>().ok()? as i32 * 3600 + minutes.parse::<u8>().ok()? as i32 * 60;
    Offset::from_seconds(sign * seconds).ok()
}

struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Tiff<'a> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }).ok()
    }

    /// Where the entry of `tag` begins in the directory at `directory`.
    fn entry(&self, directory: usize, tag: u16) -> Option<usize> {
        let entries = usize::from(self.u16(directory)?);
        (0..entries).map(|i| directory + 2 + 12 * i).find(|at| self.u16(*at) == Some(tag))
    }

    /// The text of the entry at `at`, up to its NUL. Texts of up to 4 bytes aren't used by the tags read here.
    fn text(&self, at: usize) -> Option<&'a str> {
        let (length, from) = (self.u32(at + 4)?, self.u32(at + 8)?);
        let bytes = self.bytes.get(from..from.checked_add(length)?)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end]).ok().map(str::trim)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A TIFF structure with an orientation, and a time with its offset.
    pub fn tiff(big_endian: bool, orientation: u16, taken: &str, offset: &str) -> Vec<u8> {
        let two = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let four = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let entry = |tag: u16, kind: u16, count: usize, value: [u8; 4]| {
            [&two(tag)[..], &two(kind), &four(count as u32), &value].concat()
        };
        let short = [two(orientation), [0, 0]].concat().try_into().expect("4 bytes");
        // Header 8, directory 2 + 24 + 4 to 38, inner directory 2 + 24 + 4 to 68, then the texts.
        let mut bytes = [if big_endian { &b"MM"[..] } else { b"II" }, &two(42), &four(8)].concat();
        bytes.extend(
            [&two(2)[..], &entry(ORIENTATION, 3, 1, short), &entry(EXIF_IFD, 4, 1, four(38)), &four(0)].concat(),
        );
        let (taken, offset) = (format!("{taken}\0"), format!("{offset}\0"));
        let behind = 68 + taken.len();
        bytes.extend(two(2));
        bytes.extend(entry(DATE_TIME_ORIGINAL, 2, taken.len(), four(68)));
        bytes.extend(entry(OFFSET_TIME_ORIGINAL, 2, offset.len(), four(behind as u32)));
        bytes.extend(four(0));
        bytes.extend(taken.as_bytes());
        bytes.extend(offset.as_bytes());
        bytes
    }

    #[test]
    fn orientation_and_time_are_read_in_both_byte_orders() {
        for big_endian in [false, true] {
            let exif = Exif::read(&tiff(big_endian, 6, "2016:06:09 15:57:56", "+02:00"));
            assert_eq!(exif.orientation, Orientation::Clockwise);
            assert_eq!(exif.taken, Some("2016-06-09T15:57:56".parse().expect("a time")));
            assert_eq!(exif.offset, Some(Offset::from_seconds(7200).expect("an offset")));
        }
        let exif = Exif::read(&tiff(true, 99, "yesterday", "0200"));
        assert_eq!(exif, Exif::default());
        assert_eq!(offset("-03:30"), Offset::from_seconds(-12_600).ok());
    }

    #[test]
    fn a_turned_picture_stands_upright() {
        // 1 2 3
        // 4 5 6
        let stored = || RgbPicture::new(3, 2, (1..=6u8).flat_map(|n| [n; 3]).collect()).expect("fits");
        let upright = |value| {
            let picture = Orientation::from_exif(value).upright(stored());
            let firsts: Vec<_> = picture.bytes().chunks(3).map(|pixel| pixel[0]).collect();
            (picture.width(), picture.full_size().0, firsts)
        };
        assert_eq!(upright(1), (3, 3, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(upright(2), (3, 3, vec![3, 2, 1, 6, 5, 4]));
        assert_eq!(upright(3), (3, 3, vec![6, 5, 4, 3, 2, 1]));
        assert_eq!(upright(4), (3, 3, vec![4, 5, 6, 1, 2, 3]));
        assert_eq!(upright(5), (2, 2, vec![1, 4, 2, 5, 3, 6]));
        assert_eq!(upright(6), (2, 2, vec![4, 1, 5, 2, 6, 3]), "90° clockwise");
        assert_eq!(upright(7), (2, 2, vec![6, 3, 5, 2, 4, 1]));
        assert_eq!(upright(8), (2, 2, vec![3, 6, 2, 5, 1, 4]), "90° counter-clockwise");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), little in any::<bool>()) {
            let _ = Exif::read(&bytes);
            let begin = if little { [b'I', b'I', 42, 0] } else { [b'M', b'M', 0, 42] };
            bytes.splice(0..bytes.len().min(4), begin);
            let _ = Exif::read(&bytes);
        }
    }
}
