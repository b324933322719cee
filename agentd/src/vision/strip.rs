//! One line of text, straightened and scaled to the recogniser's height.

use crate::vision::boxes::TextBox;
use crate::vision::frame::{Frame, pixel};

/// Rows of a strip.
pub const HEIGHT: usize = 48;
/// Narrowest and widest strip; a longer line is compressed into the widest.
const WIDTHS: std::ops::RangeInclusive<usize> = 16..=3200;

/// Blue, green, red planes of `width` by [`HEIGHT`] values in -1 ..= 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip {
    width: usize,
    planes: [Vec<f32>; 3],
}

impl Strip {
    /// Samples a box of a frame; what lies off the frame repeats its edge.
    ///
    /// `None` for a box without finite size.
    pub fn of(frame: &Frame, line: &TextBox) -> Option<Self> {
        if !(line.w > 0.0 && line.h > 0.0 && (line.w / line.h).is_finite()) {
            return None;
        }
        let width =
            pixel((line.w * HEIGHT as f32 / line.h).ceil()).clamp(*WIDTHS.start(), *WIDTHS.end());
        let mut planes: [Vec<f32>; 3] =
            std::array::from_fn(|_| Vec::with_capacity(width.saturating_mul(HEIGHT)));
        let (step_x, step_y) = (line.w / width as f32, line.h / HEIGHT as f32);
        for row in 0..HEIGHT {
            let across = (row as f32 + 0.5) * step_y - line.h / 2.0;
            for column in 0..width {
                let along = (column as f32 + 0.5) * step_x - line.w / 2.0;
                let x = line.x + along * line.cos - across * line.sin - 0.5;
                let y = line.y + along * line.sin + across * line.cos - 0.5;
                for (plane, value) in planes.iter_mut().zip(sample(frame, x, y)) {
                    plane.push(value / 127.5 - 1.0);
                }
            }
        }
        Some(Self { width, planes })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Planes of blue, green and red.
    pub fn planes(&self) -> &[Vec<f32>; 3] {
        &self.planes
    }
}

/// Bilinear; 0 ..= 255 for blue, green, red.
fn sample(frame: &Frame, x: f32, y: f32) -> [f32; 3] {
    let (x, y) = (
        x.clamp(0.0, frame.width().saturating_sub(1) as f32),
        y.clamp(0.0, frame.height().saturating_sub(1) as f32),
    );
    let (left, top) = (pixel(x), pixel(y));
    let (fx, fy) = (x - left as f32, y - top as f32);
    let right = left.saturating_add(1).min(frame.width().saturating_sub(1));
    let bottom = top.saturating_add(1).min(frame.height().saturating_sub(1));
    let [a, b, c, d] = [(left, top), (right, top), (left, bottom), (right, bottom)]
        .map(|(x, y)| colour(frame, x, y));
    let mut mixed = [0.0; 3];
    for ((((out, a), b), c), d) in mixed.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        let upper = a + (b - a) * fx;
        let lower = c + (d - c) * fx;
        *out = upper + (lower - upper) * fy;
    }
    mixed
}

fn colour(frame: &Frame, x: usize, y: usize) -> [f32; 3] {
    let at = y
        .saturating_mul(frame.width())
        .saturating_add(x)
        .saturating_mul(4);
    match frame.data().get(at..) {
        Some([b, g, r, ..]) => [f32::from(*b), f32::from(*g), f32::from(*r)],
        _ => [255.0; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(x: f32, y: f32, w: f32, h: f32) -> TextBox {
        TextBox {
            x,
            y,
            w,
            h,
            cos: 1.0,
            sin: 0.0,
        }
    }

    #[test]
    fn a_strip_keeps_the_shape_of_its_line() {
        let frame = Frame::new(100, 50, vec![255; 20_000]).unwrap();
        let strip = Strip::of(&frame, &line(50.0, 25.0, 80.0, 24.0)).unwrap();
        assert_eq!(strip.width(), 160);
        assert_eq!(strip.planes()[0].len(), 160 * HEIGHT);
        assert!(strip.planes().iter().flatten().all(|v| *v == 1.0));
    }

    #[test]
    fn hostile_boxes_are_none_or_bounded() {
        let frame = Frame::new(2, 2, vec![0; 16]).unwrap();
        for (w, h) in [
            (f32::NAN, 1.0),
            (1.0, 0.0),
            (f32::INFINITY, 1.0),
            (-1.0, 5.0),
        ] {
            assert!(
                Strip::of(&frame, &line(0.0, 0.0, w, h)).is_none(),
                "{w} {h}"
            );
        }
        let wide = Strip::of(&frame, &line(1e30, -1e30, 1e30, 1.0)).unwrap();
        assert_eq!(wide.width(), *WIDTHS.end());
    }
}
