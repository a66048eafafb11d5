//! Pictures to bytes.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

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

/// A PNG, 8-bit RGB.
pub fn png(picture: &RgbPicture) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(picture.bytes())?;
    Ok(bytes)
}
