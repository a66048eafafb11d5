//! A PNG row by row.

use super::decode::{Format, PictureError, check_pixels};
use super::exif::Exif;
use crate::station::text::printable;

/// What a PNG begins with.
pub(super) const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
/// Bytes the decoder may take beside the rows: its tables, a colour profile.
const MAX_OVERHEAD: usize = 8 * 1024 * 1024;

/// An opened PNG, its rows unread.
pub(super) struct PngRows<'a> {
    reader: png::Reader<std::io::Cursor<&'a [u8]>>,
    pub width: u32,
    pub height: u32,
}

impl<'a> PngRows<'a> {
    /// Reads the header. An interlaced PNG is held whole, and so may have `max_whole` pixels only.
    pub fn open(bytes: &'a [u8], max_pixels: u64, max_whole: u64) -> Result<Self, PictureError> {
        let mut decoder =
            png::Decoder::new_with_limits(std::io::Cursor::new(bytes), png::Limits { bytes: MAX_OVERHEAD });
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        decoder.set_ignore_text_chunk(true);
        let header = decoder.read_header_info().map_err(failed)?;
        let (size, interlaced) = ((header.width, header.height), header.interlaced);
        check_pixels(size, "a picture has", max_pixels)?;
        if interlaced {
            check_pixels(size, "an interlaced PNG has", max_whole)?;
        }
        let reader = decoder.read_info().map_err(failed)?;
        Ok(Self { reader, width: size.0, height: size.1 })
    }

    /// Tells each row with its number and its bytes a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    pub fn read(&mut self, mut tell: impl FnMut(u32, &[u8], usize)) -> Result<(), PictureError> {
        let channels = self.reader.output_color_type().0.samples();
        if self.reader.info().interlaced {
            let damaged = || PictureError::Damaged { format: Format::Png, why: "it has no size".into() };
            let mut whole = vec![0; self.reader.output_buffer_size().ok_or_else(damaged)?];
            let frame = self.reader.next_frame(&mut whole).map_err(failed)?;
            for (y, row) in (0..self.height).zip(whole.chunks_exact(frame.line_size.max(1))) {
                tell(y, row, channels);
            }
            return Ok(());
        }
        for y in 0..self.height {
            let row = self.reader.next_row().map_err(failed)?.ok_or(PictureError::Truncated(Format::Png))?;
            tell(y, row.data(), channels);
        }
        Ok(())
    }

    /// What the file's EXIF says.
    pub fn exif(&self) -> Exif {
        self.reader.info().exif_metadata.as_deref().map_or_else(Exif::default, Exif::read)
    }
}

fn failed(error: png::DecodingError) -> PictureError {
    match error {
        png::DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated(Format::Png)
        }
        error => PictureError::Damaged { format: Format::Png, why: printable(&error.to_string()) },
    }
}
