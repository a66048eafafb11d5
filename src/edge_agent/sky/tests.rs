//! Drawn skies with known truth, through the whole analysis.

mod bad_input;
mod drawn;

use super::*;
use crate::station::Timestamp;

/// The place of the drawn skies: Payerne.
const PLACE: (f64, f64) = (46.815, 6.944);

const FISHEYE: Lens =
    Lens { projection: Projection::Equidistant, fov_deg: 180.0, north_deg: 0.0, centre: [0.5, 0.5], tilt_deg: 0.0 };

fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// A scene at noon or so in June, the sun 60° high.
fn scene(at: &str, cover: f64, seed: u64, lens: Lens) -> SkyScene {
    SkyScene {
        at: instant(at),
        latitude_deg: PLACE.0,
        longitude_deg: PLACE.1,
        cover,
        drift_to_deg: 70.0,
        drift_deg_per_min: 1.5,
        seed,
        lens,
    }
}

fn setup(lens: Option<Lens>) -> SkySetup {
    SkySetup { latitude_deg: PLACE.0, longitude_deg: PLACE.1, lens, horizon: None, rule: Rule::RedBlue }
}

/// The horizon mask that belongs to a drawn picture.
fn horizon_of(drawn: &Rendered) -> HorizonMask {
    let width = drawn.picture.width();
    let mask = RgbPicture::drawn(width, drawn.picture.height(), |x, y| {
        if drawn.truth[(y * width + x) as usize] == Cell::Outside { [0; 3] } else { [255; 3] }
    });
    HorizonMask::from_png(&encode::png(&mask).expect("encoded")).expect("a mask")
}

/// Through an encoder and back, as a camera's picture comes.
fn through_jpeg(drawn: &Rendered) -> RgbPicture {
    let bytes = encode::jpeg(&drawn.picture, 90, None).expect("encoded");
    decode(&bytes, &Limits::default()).expect("decoded").picture
}
