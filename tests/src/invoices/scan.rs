//! Makes a picture of a page, as a scanner would: in grey, a little askew, with
//! paper that is not white and dust on the glass.

use ab_glyph::{Font as _, ScaleFont as _, point};

use super::chance::Chance;
use super::page::{Fonts, HEIGHT, Mark, Page, WIDTH, scale};

/// Dots per inch.
const DPI: f32 = 150.0;
/// Pixels per point.
const ZOOM: f32 = DPI / 72.0;

/// A grey picture, row by row from the top; 0 is black.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Grey of each.
    pub grey: Vec<u8>,
}

/// How a scanner sees.
#[derive(Debug, Clone, Copy)]
pub struct Scanner {
    /// Turn in degrees.
    pub degrees: f32,
    /// Grey of the paper.
    pub paper: f32,
    /// Largest deviation of a pixel.
    pub noise: f32,
    /// Specks of dust.
    pub dust: u32,
}

impl Scanner {
    /// A page that was laid on the glass in a hurry.
    pub fn askew(chance: &mut Chance) -> Self {
        let tilt = f32::from(u16::try_from(chance.within(25, 70)).unwrap_or_default()) / 100.0;
        let sign = if chance.within(0, 1) == 0 { 1.0 } else { -1.0 };
        Self {
            degrees: tilt * sign,
            paper: 244.0,
            noise: 22.0,
            dust: 60,
        }
    }

    /// A page that came from a feeder.
    pub fn straight() -> Self {
        Self {
            degrees: 0.0,
            paper: 255.0,
            noise: 0.0,
            dust: 0,
        }
    }
}

/// Pictures of pages.
pub fn scan(pages: &[Page], fonts: &Fonts, how: &Scanner, chance: &mut Chance) -> Vec<Picture> {
    pages
        .iter()
        .map(|page| expose(&ink(page, fonts), how, chance))
        .collect()
}

/// How much ink lies on each pixel of a page, 0 to 1.
struct Ink {
    width: usize,
    height: usize,
    amount: Vec<f32>,
}

impl Ink {
    fn add(&mut self, x: f32, y: f32, amount: f32) {
        let Some(index) = self.index(x, y) else {
            return;
        };
        if let Some(pixel) = self.amount.get_mut(index) {
            *pixel = (*pixel + amount).min(1.0);
        }
    }

    fn index(&self, x: f32, y: f32) -> Option<usize> {
        let (x, y) = (whole(x)?, whole(y)?);
        (x < self.width && y < self.height).then(|| y.saturating_mul(self.width).saturating_add(x))
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        self.index(x, y)
            .and_then(|index| self.amount.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// Between four pixels.
    fn between(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (right, low) = (x - left, y - top);
        let row = |y: f32| self.at(left, y) * (1.0 - right) + self.at(left + 1.0, y) * right;
        row(top) * (1.0 - low) + row(top + 1.0) * low
    }
}

/// A pixel's number of a place, if it is not left of or above the page.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value was just seen to be a small positive one"
)]
fn whole(value: f32) -> Option<usize> {
    (0.0..100_000.0).contains(&value).then_some(value as usize)
}

fn ink(page: &Page, fonts: &Fonts) -> Ink {
    let width = whole(WIDTH * ZOOM).unwrap_or_default();
    let height = whole(HEIGHT * ZOOM).unwrap_or_default();
    let mut ink = Ink {
        width,
        height,
        amount: vec![0.0; width.saturating_mul(height)],
    };
    for mark in &page.marks {
        match mark {
            Mark::Text {
                x,
                y,
                size,
                font,
                text,
            } => {
                let Some((_, loaded)) = fonts.get(*font) else {
                    continue;
                };
                let scale = scale(&loaded.outlines, size * ZOOM);
                let scaled = loaded.outlines.as_scaled(scale);
                let mut pen = x * ZOOM;
                for c in text.chars() {
                    let id = scaled.glyph_id(c);
                    let glyph = id.with_scale_and_position(scale, point(pen, y * ZOOM));
                    pen += scaled.h_advance(id);
                    if let Some(outline) = loaded.outlines.outline_glyph(glyph) {
                        let corner = outline.px_bounds().min;
                        outline.draw(|dx, dy, coverage| {
                            let (dx, dy) = (small(dx), small(dy));
                            ink.add(corner.x + dx, corner.y + dy, coverage);
                        });
                    }
                }
            }
            Mark::Rule { x, y, w, h } => {
                for dy in 0..2u16 {
                    for dx in
                        0..u16::try_from(whole(w * ZOOM).unwrap_or_default()).unwrap_or_default()
                    {
                        ink.add(
                            x * ZOOM + f32::from(dx),
                            y * ZOOM + f32::from(dy),
                            h.min(1.0),
                        );
                    }
                }
            }
        }
    }
    ink
}

fn small(number: u32) -> f32 {
    f32::from(u16::try_from(number).unwrap_or(u16::MAX))
}

fn expose(ink: &Ink, how: &Scanner, chance: &mut Chance) -> Picture {
    let (sin, cos) = how.degrees.to_radians().sin_cos();
    let centre = (WIDTH * ZOOM / 2.0, HEIGHT * ZOOM / 2.0);
    let mut grey = Vec::with_capacity(ink.amount.len());
    for y in 0..u16::try_from(ink.height).unwrap_or_default() {
        for x in 0..u16::try_from(ink.width).unwrap_or_default() {
            let (dx, dy) = (f32::from(x) - centre.0, f32::from(y) - centre.1);
            let amount = ink.between(
                centre.0 + dx * cos + dy * sin,
                centre.1 - dx * sin + dy * cos,
            );
            let mut light = how.paper * (1.0 - amount) + 35.0 * amount;
            if how.noise > 0.0 {
                light += how.noise * chance.around_zero();
                // Steps of four are not seen, and the file is half as large.
                light = (light / 4.0).round() * 4.0;
            }
            grey.push(level(light));
        }
    }
    let mut picture = Picture {
        width: ink.width,
        height: ink.height,
        grey,
    };
    for _ in 0..how.dust {
        speck(&mut picture, chance);
    }
    picture
}

fn speck(picture: &mut Picture, chance: &mut Chance) {
    let most = |length: usize| u32::try_from(length.saturating_sub(3)).unwrap_or_default();
    let x = usize::try_from(chance.within(0, most(picture.width))).unwrap_or_default();
    let y = usize::try_from(chance.within(0, most(picture.height))).unwrap_or_default();
    let width = picture.width;
    for (dx, dy) in [(0, 0), (1, 0), (0, 1)] {
        let index = y
            .saturating_add(dy)
            .saturating_mul(width)
            .saturating_add(x)
            .saturating_add(dx);
        if let Some(pixel) = picture.grey.get_mut(index) {
            *pixel = pixel.saturating_sub(90);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte first"
)]
fn level(light: f32) -> u8 {
    light.clamp(0.0, 255.0) as u8
}
