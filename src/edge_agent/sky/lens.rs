//! How directions of the sky and places on a picture belong together.
//!
//! A camera that looks straight up sees the sky from below: with north at the picture's top, east is on the left.

/// How a lens maps the angle θ from its axis to the distance from the picture's centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// A fisheye: the distance grows with θ itself.
    Equidistant,
    /// A common lens: the distance grows with tan θ.
    Rectilinear,
}

/// A lens and how it is mounted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lens {
    /// How angles become distances.
    pub projection: Projection,
    /// Degrees of sky across the picture's shorter side: 1 to 360 equidistant, 1 to 170 rectilinear.
    pub fov_deg: f64,
    /// Azimuth of the picture's top while the camera looks straight up, degrees clockwise from north.
    pub north_deg: f64,
    /// Where the lens's axis meets the picture: shares of width and height from the top left.
    pub centre: [f64; 2],
    /// How far the axis is tilted away from the zenith, towards the picture's bottom, degrees, 0 to 90.
    pub tilt_deg: f64,
}

/// A place on a picture in pixels from its top left corner.
pub type Place = [f64; 2];

/// A direction: east, north and up, of length 1.
pub type Direction = [f64; 3];

/// The direction at an elevation and azimuth in degrees.
#[must_use]
pub fn direction(elevation_deg: f64, azimuth_deg: f64) -> Direction {
    let (sin_e, cos_e) = elevation_deg.to_radians().sin_cos();
    let (sin_a, cos_a) = azimuth_deg.to_radians().sin_cos();
    [cos_e * sin_a, cos_e * cos_a, sin_e]
}

/// The angle between two directions, degrees, 0 to 180.
#[must_use]
pub fn angle_deg(a: Direction, b: Direction) -> f64 {
    // Stable for small angles, where the cosine isn't.
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    dot(cross, cross).sqrt().atan2(dot(a, b)).to_degrees()
}

fn dot(a: Direction, b: Direction) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Lens {
    /// The lens of a drawn sky where `[sky]` names none: a fisheye that sees the whole sky, its top to the north.
    pub const DRAWN: Self =
        Self { projection: Projection::Equidistant, fov_deg: 180.0, north_deg: 0.0, centre: [0.5, 0.5], tilt_deg: 0.0 };

    /// What is wrong with it, in words, where something is.
    pub fn check(&self) -> Result<(), String> {
        let widest = match self.projection {
            Projection::Equidistant => 360.0,
            Projection::Rectilinear => 170.0,
        };
        let within = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name}: {value} is outside {low} to {high}"))
            }
        };
        within("fov_deg", self.fov_deg, 1.0, widest)?;
        within("north_deg", self.north_deg, 0.0, 360.0)?;
        within("centre", self.centre[0], 0.0, 1.0)?;
        within("centre", self.centre[1], 0.0, 1.0)?;
        within("tilt_deg", self.tilt_deg, 0.0, 90.0)
    }

    /// The picture's right, its top and the axis, as directions.
    fn axes(&self) -> [Direction; 3] {
        let (sin_n, cos_n) = self.north_deg.to_radians().sin_cos();
        let (sin_t, cos_t) = self.tilt_deg.to_radians().sin_cos();
        let right = [-cos_n, sin_n, 0.0];
        let top = [sin_n * cos_t, cos_n * cos_t, sin_t];
        let axis = [-sin_n * sin_t, -cos_n * sin_t, cos_t];
        [right, top, axis]
    }

    /// The distance from the centre, in half shorter sides, at `theta` radians from the axis.
    fn radius(&self, theta: f64) -> Option<f64> {
        let half = (self.fov_deg / 2.0).to_radians();
        match self.projection {
            Projection::Equidistant => Some(theta / half),
            Projection::Rectilinear => (theta < std::f64::consts::FRAC_PI_2 - 1e-6).then(|| theta.tan() / half.tan()),
        }
    }

    /// Where a direction is on a picture of `width` × `height`; `None` behind a rectilinear lens. The place may lie
    /// outside the picture.
    #[must_use]
    pub fn place(&self, direction: Direction, width: f64, height: f64) -> Option<Place> {
        let [right, top, axis] = self.axes();
        let (x, y, z) = (dot(direction, right), dot(direction, top), dot(direction, axis));
        let across = x.hypot(y);
        let radius = self.radius(across.atan2(z))? * width.min(height) / 2.0;
        let (dx, dy) = if across > 0.0 { (x / across, y / across) } else { (0.0, 0.0) };
        Some([self.centre[0] * width + dx * radius, self.centre[1] * height - dy * radius])
    }

    /// The direction at a place on a picture of `width` × `height`; `None` beyond what the lens can see.
    #[must_use]
    pub fn direction(&self, place: Place, width: f64, height: f64) -> Option<Direction> {
        let unit = width.min(height) / 2.0;
        let (dx, dy) = ((place[0] - self.centre[0] * width) / unit, (self.centre[1] * height - place[1]) / unit);
        let radius = dx.hypot(dy);
        let half = (self.fov_deg / 2.0).to_radians();
        let theta = match self.projection {
            Projection::Equidistant => radius * half,
            Projection::Rectilinear => (radius * half.tan()).atan(),
        };
        if theta > std::f64::consts::PI {
            return None;
        }
        let (sin_t, cos_t) = theta.sin_cos();
        let (x, y) = if radius > 0.0 { (dx / radius * sin_t, dy / radius * sin_t) } else { (0.0, 0.0) };
        let [right, top, axis] = self.axes();
        Some(std::array::from_fn(|i| x * right[i] + y * top[i] + cos_t * axis[i]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FISHEYE: Lens =
        Lens { projection: Projection::Equidistant, fov_deg: 180.0, north_deg: 0.0, centre: [0.5, 0.5], tilt_deg: 0.0 };

    fn close(place: Option<Place>, expected: Place) {
        let place = place.expect("a place");
        assert!(place.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{place:?} and not {expected:?}");
    }

    #[test]
    fn a_fisheye_that_looks_up_has_east_on_the_left() {
        // 180° across 800 px: 90° from the axis is 400 px, 45° is 200 px.
        close(FISHEYE.place(direction(90.0, 0.0), 1000.0, 800.0), [500.0, 400.0]);
        close(FISHEYE.place(direction(0.0, 0.0), 1000.0, 800.0), [500.0, 0.0]);
        close(FISHEYE.place(direction(45.0, 90.0), 1000.0, 800.0), [300.0, 400.0]);
        close(FISHEYE.place(direction(45.0, 180.0), 1000.0, 800.0), [500.0, 600.0]);
        // Turned so that the top is east, north is on the right.
        let turned = Lens { north_deg: 90.0, ..FISHEYE };
        close(turned.place(direction(45.0, 90.0), 1000.0, 800.0), [500.0, 200.0]);
        close(turned.place(direction(45.0, 0.0), 1000.0, 800.0), [700.0, 400.0]);
    }

    #[test]
    fn a_common_lens_on_a_mast_looks_where_its_bottom_pointed() {
        // 90° across 1000 px: tan 45° is 500 px. Tilted by 60° it looks south at 30° of elevation.
        let lens = Lens { projection: Projection::Rectilinear, fov_deg: 90.0, tilt_deg: 60.0, ..FISHEYE };
        close(lens.place(direction(30.0, 180.0), 1000.0, 1000.0), [500.0, 500.0]);
        // 10° higher is tan 10° of 500 px towards the top; west is on the right.
        close(lens.place(direction(40.0, 180.0), 1000.0, 1000.0), [500.0, 500.0 - 500.0 * 10f64.to_radians().tan()]);
        assert!(lens.place(direction(30.0, 190.0), 1000.0, 1000.0).expect("in front")[0] > 500.0);
        assert_eq!(lens.place(direction(0.0, 0.0), 1000.0, 1000.0), None, "north is behind it");
    }

    #[test]
    fn a_lens_that_cannot_be_is_refused() {
        assert_eq!(FISHEYE.check(), Ok(()));
        let wide = Lens { projection: Projection::Rectilinear, ..FISHEYE };
        assert_eq!(wide.check(), Err("fov_deg: 180 is outside 1 to 170".into()));
        assert!(Lens { centre: [0.5, 1.5], ..FISHEYE }.check().expect_err("refused").starts_with("centre: 1.5"));
        assert!(Lens { tilt_deg: f64::NAN, ..FISHEYE }.check().is_err());
    }

    proptest! {
        #[test]
        fn a_place_leads_back_to_its_direction(
            (elevation, azimuth) in (0.0..90.0f64, 0.0..360.0f64),
            (fov, north, tilt) in (60.0..200.0f64, 0.0..360.0f64, 0.0..45.0f64),
            (x, y) in (0.3..0.7f64, 0.3..0.7f64),
            fisheye in any::<bool>(),
        ) {
            let projection = if fisheye { Projection::Equidistant } else { Projection::Rectilinear };
            let lens = Lens { projection, fov_deg: fov.min(160.0), north_deg: north, centre: [x, y], tilt_deg: tilt };
            let seen = direction(elevation, azimuth);
            if let Some(place) = lens.place(seen, 1280.0, 960.0) {
                // Far off the axis a common lens has its places too far apart for figures.
                prop_assume!(place.iter().all(|p| p.abs() < 1e6));
                let back = lens.direction(place, 1280.0, 960.0).expect("seen");
                prop_assert!(angle_deg(seen, back) < 1e-6, "{:?} and not {:?}", back, seen);
            }
        }
    }
}
