//! Puts a picture's time and place into its EXIF, where the camera left them out.
//!
//! EXIF 2.32 (CIPA DC-008) in a JPEG's APP1 segment or a PNG's `eXIf` chunk. What the camera wrote stays as it is, offsets
//! included: new directories are appended, and the header points to them.

use jiff::Timestamp;

use crate::edge_agent::sky::Format;
use crate::station::StationMetadata;

const EXIF_IFD: u16 = 0x8769;
const GPS_IFD: u16 = 0x8825;
const DATE_TIME_ORIGINAL: u16 = 0x9003;
const OFFSET_TIME_ORIGINAL: u16 = 0x9011;
/// What a JPEG's segment of EXIF begins with.
const HEAD: &[u8] = b"Exif\0\0";
/// Bytes of a segment's content at most, its length's two apart.
const MAX_SEGMENT: usize = 65_533;
/// A PNG's signature and its first chunk, which is always 13 bytes long.
const PNG_HEAD: usize = 8 + 25;
/// A structure with a directory of nothing, most significant byte first.
const EMPTY: &[u8] = &[b'M', b'M', 0, 42, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0];

/// Kinds of values.
const BYTE: u16 = 1;
const ASCII: u16 = 2;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;

/// The picture with time and place where its EXIF had none. `None` where nothing is missing, or what is there can't be
/// added to.
pub(super) fn stamped(
    bytes: &[u8],
    format: Format,
    taken_at: Option<Timestamp>,
    station: &StationMetadata,
) -> Option<Vec<u8>> {
    match format {
        Format::Jpeg => jpeg(bytes, taken_at, station),
        Format::Png => png(bytes, taken_at, station),
    }
}

fn jpeg(bytes: &[u8], taken_at: Option<Timestamp>, station: &StationMetadata) -> Option<Vec<u8>> {
    // Behind the start of image, and behind JFIF's segment, which wants to be first.
    let mut insert_at = 2;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4)
        && matches!(marker, 0xe0..=0xef | 0xfe)
    {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        let content = bytes.get(at + 4..end)?;
        if marker == 0xe1 && content.starts_with(HEAD) {
            let segment = segment(&added(&content[HEAD.len()..], taken_at, station)?)?;
            return Some([&bytes[..at], &segment, &bytes[end..]].concat());
        }
        if marker == 0xe0 && at == 2 {
            insert_at = end;
        }
        at = end;
    }
    let segment = segment(&added(EMPTY, taken_at, station)?)?;
    Some([&bytes[..insert_at], &segment, &bytes[insert_at..]].concat())
}

fn segment(tiff: &[u8]) -> Option<Vec<u8>> {
    let length = 2 + HEAD.len() + tiff.len();
    let length = u16::try_from(length).ok().filter(|length| usize::from(*length) <= MAX_SEGMENT)?;
    Some([&[0xff, 0xe1], &length.to_be_bytes()[..], HEAD, tiff].concat())
}

fn png(bytes: &[u8], taken_at: Option<Timestamp>, station: &StationMetadata) -> Option<Vec<u8>> {
    let mut at = 8;
    while let Some(&[a, b, c, d, ref kind @ ..]) = bytes.get(at..at + 8) {
        match kind {
            // Its own stays.
            b"eXIf" => return None,
            b"IDAT" | b"IEND" => break,
            _ => at = at.checked_add(12 + u32::from_be_bytes([a, b, c, d]) as usize)?,
        }
    }
    let tiff = added(EMPTY, taken_at, station)?;
    let mut sum = flate2::Crc::new();
    sum.update(b"eXIf");
    sum.update(&tiff);
    let length = u32::try_from(tiff.len()).ok()?.to_be_bytes();
    let (head, rest) = bytes.split_at_checked(PNG_HEAD)?;
    Some([head, &length, b"eXIf", &tiff, &sum.sum().to_be_bytes(), rest].concat())
}

/// A structure with what it lacks; `None` where it lacks nothing, or isn't one.
fn added(tiff: &[u8], taken_at: Option<Timestamp>, station: &StationMetadata) -> Option<Vec<u8>> {
    let mut file = Tiff::open(tiff)?;
    let first = file.u32(4)?;
    let mut entries = file.directory(first)?;
    let next = file.u32(first + 2 + 12 * entries.len())?;
    let pointed = |file: &Tiff, tag: u16| {
        let entry = entries.iter().find(|entry| file.tag(entry) == tag)?;
        file.long(entry[8..12].try_into().ok()?)
    };
    let (exif, has_place) = (pointed(&file, EXIF_IFD), pointed(&file, GPS_IFD).is_some());
    let mut inner = exif.and_then(|at| file.directory(at)).unwrap_or_default();
    let has_time = inner.iter().any(|entry| file.tag(entry) == DATE_TIME_ORIGINAL);
    let taken_at = taken_at.filter(|_| !has_time);
    if taken_at.is_none() && has_place {
        return None;
    }
    if let Some(at) = taken_at {
        let text = format!("{}\0", at.strftime("%Y:%m:%d %H:%M:%S"));
        inner.retain(|entry| file.tag(entry) != OFFSET_TIME_ORIGINAL);
        inner.push(file.entry(DATE_TIME_ORIGINAL, ASCII, 20, text.as_bytes()));
        inner.push(file.entry(OFFSET_TIME_ORIGINAL, ASCII, 7, b"+00:00\0"));
        let at = file.append(inner, 0);
        entries.retain(|entry| file.tag(entry) != EXIF_IFD);
        entries.push(file.pointer(EXIF_IFD, at));
    }
    if !has_place {
        let place = file.place(station);
        let at = file.append(place, 0);
        entries.push(file.pointer(GPS_IFD, at));
    }
    let at = u32::try_from(file.append(entries, next)).ok()?;
    let at = file.four(at);
    file.bytes[4..8].copy_from_slice(&at);
    Some(file.bytes)
}

type Entry = [u8; 12];

struct Tiff {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Tiff {
    fn open(bytes: &[u8]) -> Option<Self> {
        let big_endian = bytes.starts_with(b"MM");
        let file = Self { bytes: bytes.to_vec(), big_endian };
        (big_endian || bytes.starts_with(b"II")).then_some(())?;
        (file.u16(2)? == 42).then_some(file)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        self.long(self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?)
    }

    fn long(&self, bytes: [u8; 4]) -> Option<usize> {
        usize::try_from(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }).ok()
    }

    fn two(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn four(&self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn tag(&self, entry: &Entry) -> u16 {
        let tag = [entry[0], entry[1]];
        if self.big_endian { u16::from_be_bytes(tag) } else { u16::from_le_bytes(tag) }
    }

    fn directory(&self, at: usize) -> Option<Vec<Entry>> {
        let count = usize::from(self.u16(at)?);
        let entries = self.bytes.get(at.checked_add(2)?..at.checked_add(2 + 12 * count)?)?;
        entries.chunks_exact(12).map(|entry| entry.try_into().ok()).collect()
    }

    /// An entry; a value of more than four bytes is appended and pointed to.
    fn entry(&mut self, tag: u16, kind: u16, count: u32, value: &[u8]) -> Entry {
        let mut inline = [0; 4];
        if value.len() <= 4 {
            inline[..value.len()].copy_from_slice(value);
        } else {
            let at = self.end();
            inline = self.four(at);
            self.bytes.extend_from_slice(value);
        }
        let mut entry = [0; 12];
        entry[..2].copy_from_slice(&self.two(tag));
        entry[2..4].copy_from_slice(&self.two(kind));
        entry[4..8].copy_from_slice(&self.four(count));
        entry[8..].copy_from_slice(&inline);
        entry
    }

    fn pointer(&mut self, tag: u16, to: usize) -> Entry {
        let to = self.four(u32::try_from(to).unwrap_or(u32::MAX));
        self.entry(tag, LONG, 1, &to)
    }

    /// Where something appended would stand: at an even place.
    fn end(&mut self) -> u32 {
        if !self.bytes.len().is_multiple_of(2) {
            self.bytes.push(0);
        }
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// Appends a directory, its entries in the order of their tags, and answers where.
    fn append(&mut self, mut entries: Vec<Entry>, next: usize) -> usize {
        entries.sort_by_key(|entry| self.tag(entry));
        let at = self.end() as usize;
        let count = self.two(u16::try_from(entries.len()).unwrap_or(u16::MAX));
        self.bytes.extend_from_slice(&count);
        self.bytes.extend(entries.iter().flatten());
        let next = self.four(u32::try_from(next).unwrap_or(0));
        self.bytes.extend_from_slice(&next);
        at
    }

    fn place(&mut self, station: &StationMetadata) -> Vec<Entry> {
        let (latitude, longitude) = (station.latitude_deg, station.longitude_deg);
        let angle = |file: &Self, degrees: f64| {
            let seconds_100 = (degrees.abs() * 360_000.0).round() as u32;
            let [whole, minutes] = [seconds_100 / 360_000, seconds_100 / 6000 % 60];
            [whole, 1, minutes, 1, seconds_100 % 6000, 100].map(|part| file.four(part)).concat()
        };
        let (north, east) = (angle(self, latitude), angle(self, longitude));
        let metres = [(station.altitude_m.abs() * 10.0).round() as u32, 10].map(|part| self.four(part)).concat();
        vec![
            self.entry(0, BYTE, 4, &[2, 3, 0, 0]),
            self.entry(1, ASCII, 2, if latitude < 0.0 { b"S\0" } else { b"N\0" }),
            self.entry(2, RATIONAL, 3, &north),
            self.entry(3, ASCII, 2, if longitude < 0.0 { b"W\0" } else { b"E\0" }),
            self.entry(4, RATIONAL, 3, &east),
            self.entry(5, BYTE, 1, &[u8::from(station.altitude_m < 0.0)]),
            self.entry(6, RATIONAL, 1, &metres),
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::edge_agent::sky::exif::Exif;
    use crate::edge_agent::sky::{Limits, RgbPicture, decode, encode};

    fn station() -> StationMetadata {
        let (name, horizon_deg) = ("Roof".to_owned(), Vec::new());
        StationMetadata { name, latitude_deg: 46.815, longitude_deg: -6.944, altitude_m: 491.0, horizon_deg }
    }

    fn at() -> Timestamp {
        "2026-05-01T12:00:07Z".parse().expect("a timestamp")
    }

    fn picture() -> RgbPicture {
        RgbPicture::new(16, 8, vec![90; 16 * 8 * 3]).expect("fits")
    }

    #[test]
    fn a_picture_without_gets_time_and_place_and_stays_the_same_picture() {
        for (format, plain) in [
            (Format::Jpeg, encode::jpeg(&picture(), 90, None).expect("encodes")),
            (Format::Png, encode::png(&picture()).expect("encodes")),
        ] {
            let stamped = stamped(&plain, format, Some(at()), &station()).expect("something was missing");
            let before = decode(&plain, &Limits::default()).expect("decodes");
            let after = decode(&stamped, &Limits::default()).expect("decodes");
            assert_eq!(after.picture, before.picture, "{format:?}");
            assert_eq!(after.exif.taken, Some("2026-05-01T12:00:07".parse().expect("a time")));
            assert_eq!(after.exif.offset.map(jiff::tz::Offset::seconds), Some(0));
            // 46.815° is 46° 48′ 54.00″; 6.944° is 6° 56′ 38.40″.
            let rational = |parts: [u32; 6]| parts.map(u32::to_be_bytes).concat();
            let has = |bytes: &[u8]| stamped.windows(bytes.len()).any(|window| window == bytes);
            assert!(has(&rational([46, 1, 48, 1, 5400, 100])) && has(&rational([6, 1, 56, 1, 3840, 100])));
            assert!(has(b"\0\x01\0\x02\0\0\0\x02N\0\0\0") && has(b"\0\x03\0\x02\0\0\0\x02W\0\0\0"));
            assert_eq!(super::stamped(&stamped, format, Some(at()), &station()), None, "nothing is missing now");
        }
    }

    #[test]
    fn what_the_camera_wrote_stays() {
        // Little-endian: one entry, the orientation, which says "turn clockwise".
        let tiff = [&b"II"[..], &[42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]].concat();
        let own = encode::jpeg(&picture(), 90, Some(&tiff)).expect("encodes");
        let stamped = stamped(&own, Format::Jpeg, Some(at()), &station()).expect("something was missing");
        let decoded = decode(&stamped, &Limits::default()).expect("decodes");
        assert_eq!((decoded.picture.width(), decoded.picture.height()), (8, 16), "still turned");
        assert_eq!(decoded.exif.taken, Some("2026-05-01T12:00:07".parse().expect("a time")));
        let unset = super::stamped(&own, Format::Jpeg, None, &station()).expect("the place was missing");
        assert_eq!(
            decode(&unset, &Limits::default()).expect("decodes").exif.taken,
            None,
            "an unknown time isn't written"
        );
    }

    proptest! {
        #[test]
        fn no_structure_makes_it_fail(mut tiff in proptest::collection::vec(any::<u8>(), 0..200), little in any::<bool>()) {
            let head = if little { [b'I', b'I', 42, 0, 8, 0, 0, 0] } else { [b'M', b'M', 0, 42, 0, 0, 0, 8] };
            tiff.splice(0..tiff.len().min(8), head);
            if let Some(added) = added(&tiff, Some(at()), &station()) {
                prop_assert!(added.len() > tiff.len());
                let _ = Exif::read(&added);
            }
            let bytes = [&[0xff, 0xd8, 0xff, 0xe1, 0, 208][..], HEAD, &tiff].concat();
            let _ = stamped(&bytes, Format::Jpeg, Some(at()), &station());
            let _ = stamped(&bytes, Format::Png, Some(at()), &station());
        }
    }
}
