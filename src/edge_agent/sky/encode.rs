//! Pictures to bytes.

use jpeg_encoder::{ColorType, Encoder, ImageBuffer, JpegColorType, SamplingFactor, rgb_to_ycbcr};

use super::picture::RgbPicture;

/// Why a picture can't be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// More pixels a side than the format has.
    #[error("a JPEG has at most 65535 pixels a side and the picture {0} × {1}; shrink it")]
    TooLarge(u32, u32),
    /// The encoder failed.
    #[error("the picture can't be encoded: {0}")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// The encoder failed.
    #[error("the picture can't be encoded: {0}")]
    Png(#[from] png::EncodingError),
}

/// A baseline JPEG of `quality` 1 to 100, chroma at half the resolution. `exif` is a TIFF structure, put in as it is.
pub fn jpeg(picture: &RgbPicture, quality: u8, exif: Option<&[u8]>) -> Result<Vec<u8>, EncodeError> {
    let too_large = |_| EncodeError::TooLarge(picture.width(), picture.height());
    let width = u16::try_from(picture.width()).map_err(too_large)?;
    let height = u16::try_from(picture.height()).map_err(too_large)?;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    if let Some(exif) = exif {
        encoder.add_exif_metadata(exif)?;
    }
    encoder.encode(picture.bytes(), width, height, ColorType::Rgb)?;
    Ok(bytes)
}

/// The same of a picture that is nowhere: `color` says what its columns and rows are, each asked once and row by row.
pub(super) fn jpeg_of(
    width: u32,
    height: u32,
    quality: u8,
    color: impl Fn(u32, u32) -> [u8; 3],
) -> Result<Vec<u8>, EncodeError> {
    let too_large = |_| EncodeError::TooLarge(width, height);
    let (width, height) = (u16::try_from(width).map_err(too_large)?, u16::try_from(height).map_err(too_large)?);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode_image(Asked { width, height, color })?;
    Ok(bytes)
}

/// A picture whose pixels are asked for.
struct Asked<F> {
    width: u16,
    height: u16,
    color: F,
}

impl<F: Fn(u32, u32) -> [u8; 3]> ImageBuffer for Asked<F> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, [luma, blue, red, _]: &mut [Vec<u8>; 4]) {
        for x in 0..self.width {
            let [r, g, b] = (self.color)(x.into(), y.into());
            let (y, cb, cr) = rgb_to_ycbcr(r, g, b);
            luma.push(y);
            blue.push(cb);
            red.push(cr);
        }
    }
}

/// A PNG, 8-bit RGB.
pub fn png(picture: &RgbPicture) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(picture.bytes())?;
    Ok(bytes)
}
