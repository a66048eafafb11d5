//! What a picture of the sky shows: pure functions on pixels; no clock, no file, no thread.
//!
//! - [`decode`]: JPEG and PNG within limits, small and upright; [`encode`]: the way back
//! - [`analyse`]: cover, sun, warnings and motion of a decoded picture; what [`SkySetup`] says of its camera
//! - [`library`]: the camera's clear skies, which correct the rules
//! - [`lens`], [`mask`]: directions and places; what of a picture is sky
//! - [`rules`], `checks`, `motion`: cloud by colour; whether a picture is fit to be judged; drift
//! - [`render()`]: a drawn sky, for replays and as the truth of tests
//! - [`overlay()`]: what was seen, over the picture
//! - [`evaluate`]: a rule against masks that somebody drew
//!
//! Called by the camera's part of the agent, by the owner for what it shows, and by `skydeck sky evaluate`.

mod analyse;
mod checks;
pub mod decode;
pub mod encode;
pub mod evaluate;
pub mod exif;
pub mod lens;
pub mod library;
pub mod mask;
mod motion;
mod overlay;
mod picture;
mod png_rows;
pub mod render;
pub mod rules;
mod setup;
#[cfg(test)]
mod tests;

pub use analyse::{Previous, SkyAnalysis, analyse};
pub use decode::{Decoded, Format, Limits, PictureError, decode};
pub use lens::{Lens, Projection};
pub use library::{ClearSky, Learnt, LibraryError, Observation};
pub use mask::{Cell, CloudMask, HorizonMask};
pub use overlay::overlay;
pub use picture::RgbPicture;
pub use render::{Rendered, SkyScene, cover_of_clearness, render, render_jpeg};
pub use rules::Rule;
pub use setup::SkySetup;
