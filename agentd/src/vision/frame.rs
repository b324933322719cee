//! Pixels of a screen and regions of it.

use casemate_protocol::action::Area;

/// Most pixels of a frame or of a region to read.
pub const MOST_PIXELS: usize = 16 << 20;

/// A rectangle that is known to lie inside a frame and to hold a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Width, not 0.
    pub w: usize,
    /// Height, not 0.
    pub h: usize,
}

impl Region {
    /// The part of `area` that lies on a screen of this size; `None` if none does.
    pub fn clip(area: Area, width: usize, height: usize) -> Option<Self> {
        let span = |from: i32, length: i32, limit: usize| {
            let limit = i64::try_from(limit).ok()?;
            let low = i64::from(from).clamp(0, limit);
            let high = i64::from(from)
                .saturating_add(i64::from(length))
                .clamp(0, limit);
            let size = usize::try_from(high.checked_sub(low)?).ok()?;
            (size > 0).then_some((usize::try_from(low).ok()?, size))
        };
        let (x, w) = span(area.x, area.w, width)?;
        let (y, h) = span(area.y, area.h, height)?;
        Some(Self { x, y, w, h })
    }

    /// Number of pixels.
    pub fn pixels(&self) -> usize {
        self.w.saturating_mul(self.h)
    }

    /// As an area of the protocol.
    pub fn area(&self) -> Area {
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        Area {
            x: number(self.x),
            y: number(self.y),
            w: number(self.w),
            h: number(self.h),
        }
    }
}

/// The pixel that a position lies in; 0 for a negative position or none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, which is what a position off the screen needs"
)]
pub fn pixel(position: f32) -> usize {
    position as usize
}

/// Pixels in rows from the top, four bytes each: blue, green, red, unused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Frame {
    /// A frame of exactly these bytes.
    ///
    /// `None` if a side is 0, there are more than [`MOST_PIXELS`], or the bytes
    /// are not four a pixel.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        let pixels = width.checked_mul(height)?;
        let fits = pixels > 0 && pixels <= MOST_PIXELS && data.len() == pixels.checked_mul(4)?;
        fits.then_some(Self {
            width,
            height,
            data,
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Its memory.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The whole frame.
    pub fn whole(&self) -> Region {
        Region {
            x: 0,
            y: 0,
            w: self.width,
            h: self.height,
        }
    }

    /// The bytes of each row of a region; shorter than asked where it leaves the frame.
    pub fn rows(&self, region: Region) -> impl Iterator<Item = &[u8]> {
        let from = region.x.saturating_mul(4);
        let to = from.saturating_add(region.w.saturating_mul(4));
        self.data
            .chunks_exact(self.width.saturating_mul(4))
            .skip(region.y)
            .take(region.h)
            .map(move |row| row.get(from..to).unwrap_or(&[]))
    }

    /// A frame of its own from a region; `None` if the region is not inside.
    pub fn crop(&self, region: Region) -> Option<Self> {
        let mut data = Vec::with_capacity(region.pixels().min(MOST_PIXELS).saturating_mul(4));
        for row in self.rows(region) {
            data.extend_from_slice(row);
        }
        Self::new(region.w, region.h, data)
    }

    /// Whether a region shows the same in both frames.
    pub fn same(&self, other: &Self, region: Region) -> bool {
        self.width == other.width
            && self.height == other.height
            && self.rows(region).eq(other.rows(region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_areas_clip_to_the_screen_or_to_nothing() {
        let clip = |x, y, w, h| Region::clip(Area { x, y, w, h }, 100, 50);
        assert_eq!(
            clip(-10, 10, 20, 500),
            Some(Region {
                x: 0,
                y: 10,
                w: 10,
                h: 40
            })
        );
        assert_eq!(clip(0, 0, 100, 50).map(|r| r.pixels()), Some(5000));
        for (x, y, w, h) in [
            (i32::MIN, i32::MIN, i32::MIN, i32::MIN),
            (i32::MAX, 0, i32::MAX, 1),
            (0, 0, 0, 10),
            (0, 0, -5, 10),
            (100, 0, 5, 5),
        ] {
            assert_eq!(clip(x, y, w, h), None);
        }
        assert_eq!(
            clip(i32::MIN, i32::MIN, i32::MAX, i32::MAX),
            None,
            "ends left of the screen"
        );
    }

    #[test]
    fn a_frame_has_four_bytes_a_pixel() {
        assert!(Frame::new(2, 2, vec![0; 16]).is_some());
        assert!(Frame::new(2, 2, vec![0; 15]).is_none());
        assert!(Frame::new(0, 2, vec![]).is_none());
        assert!(Frame::new(usize::MAX, 2, vec![]).is_none());
    }

    #[test]
    fn a_change_outside_a_region_is_none_inside() {
        let before = Frame::new(4, 4, vec![0; 64]).unwrap();
        let mut data = vec![0; 64];
        data[63] = 1;
        let after = Frame::new(4, 4, data).unwrap();
        assert!(before.same(
            &after,
            Region {
                x: 0,
                y: 0,
                w: 3,
                h: 4
            }
        ));
        assert!(!before.same(&after, before.whole()));
    }
}
