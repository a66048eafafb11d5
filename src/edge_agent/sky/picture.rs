//! A decoded picture.

/// 8-bit RGB pixels, row by row from the top left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbPicture {
    width: u32,
    height: u32,
    full: (u32, u32),
    pixels: Vec<u8>,
}

impl RgbPicture {
    /// A picture of `width` × `height` from its bytes, three a pixel. `None` where they don't fit, or it has no pixel.
    #[must_use]
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let bytes = (u64::from(width) * u64::from(height)).checked_mul(3);
        let fits = bytes.is_some_and(|bytes| bytes > 0 && bytes == pixels.len() as u64);
        fits.then_some(Self { width, height, full: (width, height), pixels })
    }

    /// A picture whose pixels are what `color` says of their columns and rows.
    pub(super) fn drawn(width: u32, height: u32, mut color: impl FnMut(u32, u32) -> [u8; 3]) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| color(x, y)).collect();
        Self { width, height, full: (width, height), pixels }
    }

    /// The same, decoded from a picture that is `full` pixels wide and high.
    pub(super) fn reduced_from(mut self, full: (u32, u32)) -> Self {
        self.full = full;
        self
    }

    /// Pixels across.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Pixels down.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// Width and height of the picture as it was taken, upright; larger than this one where it was shrunk.
    #[must_use]
    pub const fn full_size(&self) -> (u32, u32) {
        self.full
    }

    /// All bytes, three a pixel.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.pixels
    }

    /// Red, green and blue of a pixel; black outside the picture.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        if x >= self.width || y >= self.height {
            return [0; 3];
        }
        let at = (y as usize * self.width as usize + x as usize) * 3;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// The picture at `width` × `height`, each pixel the mean of those it stands for. Never larger: a side that is
    /// asked for longer stays as it is.
    #[must_use]
    pub fn shrunk_to(&self, width: u32, height: u32) -> Self {
        let (width, height) = (width.clamp(1, self.width), height.clamp(1, self.height));
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            let rows = span(y, height, self.height);
            for x in 0..width {
                let columns = span(x, width, self.width);
                let mut sums = [0u64; 3];
                for row in rows.clone() {
                    let from = (row * self.width as usize + columns.start) * 3;
                    let to = (row * self.width as usize + columns.end) * 3;
                    for pixel in self.pixels[from..to].chunks_exact(3) {
                        for (sum, value) in sums.iter_mut().zip(pixel) {
                            *sum += u64::from(*value);
                        }
                    }
                }
                let count = (rows.len() * columns.len()) as u64;
                pixels.extend(sums.map(|sum| ((sum + count / 2) / count) as u8));
            }
        }
        Self { width, height, full: self.full, pixels }
    }

    /// The picture with its longer side at most `longest`, its shape kept.
    #[must_use]
    pub fn shrunk(&self, longest: u32) -> Self {
        let (width, height) = fitting(self.width, self.height, longest);
        self.shrunk_to(width, height)
    }
}

/// Width and height with the longer side at most `longest`, in the same shape, each at least 1.
pub(super) fn fitting(width: u32, height: u32, longest: u32) -> (u32, u32) {
    let longer = width.max(height).max(1);
    if longer <= longest {
        return (width, height);
    }
    let side = |side: u32| {
        let scaled = (u64::from(side) * u64::from(longest) + u64::from(longer) / 2) / u64::from(longer);
        u32::try_from(scaled).unwrap_or(longest).max(1)
    };
    (side(width), side(height))
}

/// The source's pixels that pixel `at` of `to` stands for, at least one of the `from`.
pub(super) fn span(at: u32, to: u32, from: u32) -> std::ops::Range<usize> {
    let edge = |at: u32| (u64::from(at) * u64::from(from) / u64::from(to)) as usize;
    let start = edge(at);
    start..edge(at + 1).max(start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_that_do_not_fit_are_no_picture() {
        assert!(RgbPicture::new(2, 1, vec![0; 6]).is_some());
        assert_eq!(RgbPicture::new(2, 1, vec![0; 5]), None);
        assert_eq!(RgbPicture::new(0, 4, Vec::new()), None);
        assert_eq!(RgbPicture::new(u32::MAX, u32::MAX, Vec::new()), None);
    }

    #[test]
    fn a_shrunk_picture_has_the_means() {
        // Columns 0 to 3 hold 0, 10, 20, 30; two by two they are 5 and 25.
        let pixels = (0..2).flat_map(|_| (0..4u8).flat_map(|x| [x * 10; 3])).collect();
        let picture = RgbPicture::new(4, 2, pixels).expect("fits");
        let small = picture.shrunk(2);
        assert_eq!((small.width(), small.height(), small.bytes()), (2, 1, &[5, 5, 5, 25, 25, 25][..]));
        assert_eq!(small.full_size(), (4, 2));
        assert_eq!(picture.shrunk(100), picture);
        assert_eq!(fitting(4000, 1, 256), (256, 1));
        assert_eq!(fitting(3040, 4056, 256), (192, 256));
    }
}
