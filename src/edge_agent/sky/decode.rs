//! Pictures from bytes: by what they are and not by their name, within limits that hold before memory is taken.
//!
//! A JPEG is scaled while it is decoded (1/2, 1/4 or 1/8, in the inverse cosine transform), a PNG is reduced row by
//! row, so that a picture of many megapixels takes the memory of the small one that is asked for.

use jpeg_decoder::{CodingProcess, PixelFormat};

use super::exif::{Exif, Orientation};
use super::picture::RgbPicture;
use super::png_rows::{self, PngRows};
use crate::station::text::printable;

/// Pixels of a progressive JPEG or an interlaced PNG at most: neither can be reduced while it is read.
const MAX_WHOLE_PIXELS: u64 = 16_000_000;

/// What a picture may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file at most.
    pub max_bytes: usize,
    /// Pixels at most, width times height.
    pub max_pixels: u64,
    /// Pixels that the longer side has at least after decoding, where the picture has as many; it has less than twice
    /// as many.
    pub wanted_px: u32,
}

impl Default for Limits {
    /// 32 MiB and 64 megapixels, reduced to 512 pixels: what [`super::analyse`] looks at.
    fn default() -> Self {
        Self { max_bytes: 32 * 1024 * 1024, max_pixels: 64_000_000, wanted_px: 512 }
    }
}

/// What a file holds, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ISO/IEC 10918-1.
    Jpeg,
    /// W3C PNG.
    Png,
}

impl Format {
    /// The format of a file that begins with `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(&png_rows::SIGNATURE) {
            Some(Self::Png)
        } else {
            None
        }
    }

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
        }
    }
}

/// Why bytes aren't a picture that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Nothing there.
    #[error("it is empty; check that the camera writes pictures")]
    Empty,
    /// Neither JPEG nor PNG.
    #[error("it is neither a JPEG nor a PNG: it begins with {0}; convert it")]
    Unknown(String),
    /// A mask that isn't a PNG.
    #[error("a mask is a PNG, which loses nothing, and it is none; save it as one")]
    NoMask,
    /// Too many bytes.
    #[error("it has {bytes} bytes; a picture has at most {max}; let the camera compress it more")]
    TooManyBytes {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// Too many pixels. Nothing was allocated.
    #[error("it has {width} × {height} pixels; {what} at most {} megapixels; let the camera take a smaller one", max / 1_000_000)]
    TooManyPixels {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// What has a limit.
        what: &'static str,
        /// How many it may have.
        max: u64,
    },
    /// The file ends before the picture does.
    #[error("the {} is cut off: it ends before the picture does; take it anew", .0.label())]
    Truncated(Format),
    /// The file contradicts itself, or is of a kind that isn't read.
    #[error("the {} can't be decoded: {why}", format.label())]
    Damaged {
        /// What it is.
        format: Format,
        /// What is wrong.
        why: String,
    },
}

/// A picture and what its file says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The picture, upright.
    pub picture: RgbPicture,
    /// What the file is.
    pub format: Format,
    /// What its EXIF says; the picture is turned already.
    pub exif: Exif,
}

/// Decodes a JPEG or PNG. Fails in words that name what is wrong with the file.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(PictureError::TooManyBytes { bytes: bytes.len(), max: limits.max_bytes });
    }
    match Format::of(bytes) {
        Some(Format::Jpeg) => jpeg(bytes, limits),
        Some(Format::Png) => png(bytes, limits),
        None => Err(PictureError::Unknown(beginning(bytes))),
    }
}

/// The first bytes in words: as text where they are, else in hexadecimal.
fn beginning(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(8)];
    match std::str::from_utf8(first) {
        Ok(text) if text.chars().all(|c| c.is_ascii_graphic() || c == ' ') => format!("{:?}", printable(text)),
        _ => first.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    }
}

pub(super) fn check_pixels((width, height): (u32, u32), what: &'static str, max: u64) -> Result<(), PictureError> {
    if u64::from(width) * u64::from(height) > max {
        return Err(PictureError::TooManyPixels { width, height, what, max });
    }
    Ok(())
}

fn jpeg(bytes: &[u8], limits: &Limits) -> Result<Decoded, PictureError> {
    let damaged = |why: &str| PictureError::Damaged { format: Format::Jpeg, why: printable(why) };
    let failed = |error: jpeg_decoder::Error| match error {
        jpeg_decoder::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated(Format::Jpeg)
        }
        error => damaged(&error.to_string()),
    };
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| damaged("it has no frame"))?;
    let full = (u32::from(info.width), u32::from(info.height));
    check_pixels(full, "a picture has", limits.max_pixels)?;
    match info.coding_process {
        CodingProcess::DctSequential => {}
        CodingProcess::DctProgressive => check_pixels(full, "a progressive JPEG has", MAX_WHOLE_PIXELS)?,
        CodingProcess::Lossless => return Err(damaged("it is a lossless JPEG, which cameras don't write; convert it")),
    }
    let greys = match info.pixel_format {
        PixelFormat::RGB24 => false,
        PixelFormat::L8 => true,
        PixelFormat::L16 | PixelFormat::CMYK32 => {
            return Err(damaged("its colours are neither RGB nor grey; convert it"));
        }
    };
    // The decoder draws what it got of a progressive picture that is cut off, and says nothing.
    if !has_end(bytes) {
        return Err(PictureError::Truncated(Format::Jpeg));
    }
    let wanted = u16::try_from(limits.wanted_px).unwrap_or(u16::MAX);
    let (width, height) = decoder.scale(wanted, wanted).map_err(failed)?;
    let channels = if greys { 1 } else { 3 };
    decoder.set_max_decoding_buffer_size(usize::from(width) * usize::from(height) * channels);
    let mut pixels = decoder.decode().map_err(failed)?;
    if greys {
        pixels = pixels.into_iter().flat_map(|grey| [grey; 3]).collect();
    }
    let exif = decoder.exif_data().map_or_else(Exif::default, Exif::read);
    drop(decoder);
    let picture = RgbPicture::new(u32::from(width), u32::from(height), pixels)
        .ok_or_else(|| damaged("its pixels don't fill its frame"))?
        .reduced_from(full);
    // Scaled by eighths, it may still be far larger than what is wanted.
    let longest = limits.wanted_px.saturating_mul(2).saturating_sub(1).max(1);
    let picture =
        if picture.width().max(picture.height()) > longest { picture.shrunk(limits.wanted_px) } else { picture };
    Ok(Decoded { picture: exif.orientation.upright(picture), format: Format::Jpeg, exif })
}

/// Whether the end of the image stands behind the beginning of its first scan. A thumbnail within the metadata has an
/// end too, but stands before it; within a scan `ff d9` can't occur (ISO/IEC 10918-1, B.1.1.2 and B.1.1.5).
fn has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, marker]) = bytes.get(at..at + 2) {
        match marker {
            // A fill byte; a marker without a segment.
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xda => return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]),
            _ => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        }
    }
    false
}

fn png(bytes: &[u8], limits: &Limits) -> Result<Decoded, PictureError> {
    let mut rows = PngRows::open(bytes, limits.max_pixels, MAX_WHOLE_PIXELS)?;
    let full = (rows.width, rows.height);
    let factor = (full.0.max(full.1) / limits.wanted_px.max(1)).max(1);
    let (width, height) = (full.0.div_ceil(factor), full.1.div_ceil(factor));
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    let mut sums = vec![[0u32; 4]; width as usize];
    let factor = factor as usize;
    rows.read(|y, row, channels| {
        for (x, pixel) in row.chunks_exact(channels).enumerate() {
            let sum = &mut sums[x / factor];
            let rgb = if channels < 3 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
            for (sum, value) in sum.iter_mut().zip(rgb) {
                *sum += u32::from(value);
            }
            sum[3] += 1;
        }
        if (y as usize + 1).is_multiple_of(factor) || y + 1 == full.1 {
            pixels
                .extend(sums.iter().flat_map(|[r, g, b, n]| [r, g, b].map(|sum| ((sum + n / 2) / (*n).max(1)) as u8)));
            sums.fill([0; 4]);
        }
    })?;
    let exif = rows.exif();
    let picture =
        RgbPicture::new(width, height, pixels).ok_or(PictureError::Truncated(Format::Png))?.reduced_from(full);
    let orientation: Orientation = exif.orientation;
    Ok(Decoded { picture: orientation.upright(picture), format: Format::Png, exif })
}
