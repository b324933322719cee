//! From the detector's probability map to boxes around lines of text.
//!
//! This is the post-processing of Differentiable Binarization (Liao et al., AAAI
//! 2020, section 3.4): threshold, connected components, a rectangle around each,
//! enlarged by the offset that training shrank it by. A rectangle may lean, as
//! lines of a scanned page do. Every step is linear in the map's size and the
//! number of boxes is capped, whatever the map holds.

use crate::vision::frame::Region;

/// Probability from which a pixel belongs to text.
const THRESHOLD: f32 = 0.3;
/// Mean probability that a component must reach.
const MEAN: f32 = 0.5;
/// Offset in units of area by perimeter.
const UNCLIP: f32 = 1.6;
/// Components thinner than this are noise.
const THINNEST: f32 = 3.0;
/// Most boxes of one map; the largest are kept.
pub const MOST: usize = 1000;
/// Steepest line that is followed, as a tangent (about 17 degrees).
const STEEPEST: f32 = 0.3;

/// A rectangle around a line of text, possibly leaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextBox {
    /// Centre.
    pub x: f32,
    /// Centre.
    pub y: f32,
    /// Length along the line.
    pub w: f32,
    /// Height across it.
    pub h: f32,
    /// Cosine of the line's angle to the right.
    pub cos: f32,
    /// Sine of it; positive leans down.
    pub sin: f32,
}

impl TextBox {
    /// The upright rectangle around the box within a screen of this size.
    pub fn region(&self, width: usize, height: usize) -> Option<Region> {
        let half_w = (self.w * self.cos.abs() + self.h * self.sin.abs()) / 2.0;
        let half_h = (self.w * self.sin.abs() + self.h * self.cos.abs()) / 2.0;
        let edge = |at: f32, limit: usize| super::frame::pixel(at).min(limit);
        let (left, right) = (
            edge(self.x - half_w, width),
            edge((self.x + half_w).ceil(), width),
        );
        let (top, bottom) = (
            edge(self.y - half_h, height),
            edge((self.y + half_h).ceil(), height),
        );
        let (w, h) = (right.checked_sub(left)?, bottom.checked_sub(top)?);
        (w > 0 && h > 0).then_some(Region {
            x: left,
            y: top,
            w,
            h,
        })
    }

    /// The same box where the origin is `(x, y)` to the left and above.
    pub fn moved(self, x: usize, y: usize) -> Self {
        Self {
            x: self.x + x as f32,
            y: self.y + y as f32,
            ..self
        }
    }
}

/// Boxes around the text in a map of `width` by `height` probabilities, rows
/// from the top. A map of another length has none.
pub fn boxes(map: &[f32], width: usize, height: usize) -> Vec<TextBox> {
    if width == 0 || Some(map.len()) != width.checked_mul(height) {
        return Vec::new();
    }
    let (runs, roots) = components(map, width);
    let mut moments: Vec<Option<Moments>> = vec![None; runs.len()];
    for (run, root) in runs.iter().zip(&roots) {
        if let Some(slot) = moments.get_mut(*root) {
            slot.get_or_insert_default().add(run);
        }
    }
    let mut frames: Vec<Option<Outline>> = moments
        .iter()
        .map(|m| m.as_ref().and_then(Outline::of))
        .collect();
    for (run, root) in runs.iter().zip(&roots) {
        if let Some(Some(outline)) = frames.get_mut(*root) {
            outline.include(run);
        }
    }
    let mut found: Vec<TextBox> = frames
        .into_iter()
        .flatten()
        .filter_map(|o| o.unclipped())
        .collect();
    if found.len() > MOST {
        found.sort_by(|a, b| (b.w * b.h).total_cmp(&(a.w * a.h)));
        found.truncate(MOST);
    }
    found
}

/// Text pixels `from..to` of one row.
#[derive(Debug, Clone, Copy)]
struct Run {
    row: usize,
    from: usize,
    to: usize,
    sum: f32,
}

/// All runs, and for each the index of the run that stands for its component.
fn components(map: &[f32], width: usize) -> (Vec<Run>, Vec<usize>) {
    let mut runs: Vec<Run> = Vec::new();
    let mut parents: Vec<usize> = Vec::new();
    let mut above = 0..0;
    for (row, values) in map.chunks_exact(width).enumerate() {
        let first = runs.len();
        push_runs(&mut runs, row, values);
        parents.extend(first..runs.len());
        join(&runs, &mut parents, above, first..runs.len());
        above = first..runs.len();
    }
    let roots = (0..runs.len()).map(|run| root(&mut parents, run)).collect();
    (runs, roots)
}

fn push_runs(runs: &mut Vec<Run>, row: usize, values: &[f32]) {
    let mut open: Option<Run> = None;
    for (x, value) in values.iter().enumerate() {
        if *value > THRESHOLD {
            let run = open.get_or_insert(Run {
                row,
                from: x,
                to: x,
                sum: 0.0,
            });
            run.to = x.saturating_add(1);
            run.sum += value.min(1.0);
        } else if let Some(run) = open.take() {
            runs.push(run);
        }
    }
    runs.extend(open);
}

/// Joins runs of neighbouring rows that touch, also at a corner.
fn join(
    runs: &[Run],
    parents: &mut [usize],
    mut above: std::ops::Range<usize>,
    below: std::ops::Range<usize>,
) {
    for index in below {
        let Some(run) = runs.get(index) else { return };
        for upper in above.clone() {
            let Some(over) = runs.get(upper) else { break };
            if over.from > run.to {
                break;
            }
            if over.to < run.from {
                // Ends before this run and so before every later one of the row.
                above.start = upper.saturating_add(1);
                continue;
            }
            let (a, b) = (root(parents, upper), root(parents, index));
            // The smaller index stands for both, so chains only lead backwards.
            if let Some(parent) = parents.get_mut(a.max(b)) {
                *parent = a.min(b);
            }
        }
    }
}

/// The run that stands for a component; halves the path it walks.
fn root(parents: &mut [usize], mut run: usize) -> usize {
    loop {
        let parent = parents.get(run).copied().unwrap_or(run);
        if parent == run {
            return run;
        }
        let grand = parents.get(parent).copied().unwrap_or(parent);
        if let Some(slot) = parents.get_mut(run) {
            *slot = grand;
        }
        run = grand;
    }
}

/// Sums over the pixels of a component.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    sum: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Moments {
    fn add(&mut self, run: &Run) {
        let n = run.to.saturating_sub(run.from) as f64;
        let (y, from) = (run.row as f64, run.from as f64);
        let mean = from + (n - 1.0) / 2.0;
        self.count += n;
        self.sum += f64::from(run.sum);
        self.x += n * mean;
        self.y += n * y;
        // Sum of squares of n consecutive numbers around their mean.
        self.xx += n * mean * mean + n * (n * n - 1.0) / 12.0;
        self.xy += n * mean * y;
        self.yy += n * y * y;
    }
}

/// A component's rectangle while its runs are gone through.
#[derive(Debug, Clone, Copy)]
struct Outline {
    cos: f32,
    sin: f32,
    along: (f32, f32),
    across: (f32, f32),
}

impl Outline {
    /// `None` for a component that is no text: its mean is too low.
    fn of(m: &Moments) -> Option<Self> {
        let mean = (m.sum / m.count) >= f64::from(MEAN);
        let (cx, cy) = (m.x / m.count, m.y / m.count);
        let (xx, yy) = (m.xx / m.count - cx * cx, m.yy / m.count - cy * cy);
        let xy = m.xy / m.count - cx * cy;
        // Only a line that is clearly longer than high has a direction.
        let slope = if xx > 12.0 * yy.max(0.5) {
            xy / xx
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a direction needs few digits"
        )]
        let slope = if slope.abs() < 0.004 || slope.abs() > f64::from(STEEPEST) {
            0.0
        } else {
            slope as f32
        };
        let length = slope.hypot(1.0);
        let empty = (f32::INFINITY, f32::NEG_INFINITY);
        mean.then_some(Self {
            cos: 1.0 / length,
            sin: slope / length,
            along: empty,
            across: empty,
        })
    }

    fn include(&mut self, run: &Run) {
        let (top, bottom) = (run.row as f32, run.row as f32 + 1.0);
        for x in [run.from as f32, run.to as f32] {
            for y in [top, bottom] {
                let along = x * self.cos + y * self.sin;
                let across = y * self.cos - x * self.sin;
                self.along = (self.along.0.min(along), self.along.1.max(along));
                self.across = (self.across.0.min(across), self.across.1.max(across));
            }
        }
    }

    fn unclipped(self) -> Option<TextBox> {
        let (w, h) = (self.along.1 - self.along.0, self.across.1 - self.across.0);
        // Not `<`: a rectangle without numbers is none.
        if !(w >= THINNEST && h >= THINNEST) {
            return None;
        }
        let offset = w * h * UNCLIP / (2.0 * (w + h));
        let (along, across) = (
            (self.along.0 + self.along.1) / 2.0,
            (self.across.0 + self.across.1) / 2.0,
        );
        Some(TextBox {
            x: along * self.cos - across * self.sin,
            y: along * self.sin + across * self.cos,
            w: w + 2.0 * offset,
            h: h + 2.0 * offset,
            cos: self.cos,
            sin: self.sin,
        })
    }
}

/// Indexes of boxes in reading order: rows from the top, each from the left.
///
/// A box belongs to the row of the nearest box so far whose middle it overlaps,
/// so that the rows of a leaning page stay apart.
pub fn reading_order(boxes: &[TextBox]) -> Vec<usize> {
    let mut by_height: Vec<(usize, &TextBox)> = boxes.iter().enumerate().collect();
    by_height.sort_by(|(_, a), (_, b)| (a.y - a.h / 2.0).total_cmp(&(b.y - b.h / 2.0)));
    let mut rows: Vec<Vec<(usize, &TextBox)>> = Vec::new();
    for (index, item) in by_height {
        // A new box starts no higher than all before it: only late rows can hold it.
        let recent = rows.len().saturating_sub(12);
        let home = rows.iter_mut().skip(recent).find(|row| {
            let nearest = row
                .iter()
                .min_by(|(_, a), (_, b)| gap(a, item).total_cmp(&gap(b, item)));
            nearest.is_some_and(|(_, near)| beside(near, item))
        });
        match home {
            Some(row) => row.push((index, item)),
            None => rows.push(vec![(index, item)]),
        }
    }
    for row in &mut rows {
        row.sort_by(|(_, a), (_, b)| a.x.total_cmp(&b.x));
    }
    rows.sort_by(|a, b| mean_y(a).total_cmp(&mean_y(b)));
    rows.into_iter().flatten().map(|(index, _)| index).collect()
}

fn gap(a: &TextBox, b: &TextBox) -> f32 {
    ((a.x - b.x).abs() - (a.w + b.w) / 2.0).max(0.0)
}

/// Whether two boxes stand on one line, the first one's direction continued.
fn beside(a: &TextBox, b: &TextBox) -> bool {
    let slope = if a.cos > 0.0 { a.sin / a.cos } else { 0.0 };
    let expected = a.y + (b.x - a.x) * slope;
    (b.y - expected).abs() < a.h.min(b.h) * 0.35 && (a.x - b.x).abs() > (a.w + b.w) / 4.0
}

fn mean_y(row: &[(usize, &TextBox)]) -> f32 {
    row.iter().map(|(_, b)| b.y).sum::<f32>() / row.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(width: usize, height: usize, inside: impl Fn(usize, usize) -> bool) -> Vec<f32> {
        (0..width * height)
            .map(|i| {
                if inside(i % width, i / width) {
                    0.9
                } else {
                    0.0
                }
            })
            .collect()
    }

    #[test]
    fn a_bar_becomes_its_enlarged_rectangle() {
        let map = map(100, 40, |x, y| {
            (20..60).contains(&x) && (10..15).contains(&y)
        });
        let found = boxes(&map, 100, 40);
        assert_eq!(found.len(), 1);
        let b = found[0];
        let offset = 40.0 * 5.0 * UNCLIP / 90.0;
        assert!(
            (b.x - 40.0).abs() < 0.01 && (b.y - 12.5).abs() < 0.01,
            "{b:?}"
        );
        assert!((b.w - (40.0 + 2.0 * offset)).abs() < 0.01, "{b:?}");
        assert!((b.h - (5.0 + 2.0 * offset)).abs() < 0.01, "{b:?}");
        assert!((b.cos, b.sin) == (1.0, 0.0));
    }

    #[test]
    fn a_leaning_bar_is_followed_and_stays_thin() {
        // 2 degrees: 7 pixels down over 200.
        let map = map(240, 40, |x, y| {
            let line = 12.0 + 0.035 * x as f32;
            (20..220).contains(&x) && (line..line + 5.0).contains(&(y as f32))
        });
        let found = boxes(&map, 240, 40);
        assert_eq!(found.len(), 1);
        assert!((found[0].sin - 0.035).abs() < 0.005, "{:?}", found[0]);
        let flat = 200.0 * 6.0 * UNCLIP / (2.0 * 206.0);
        assert!(found[0].h < 7.5 + 2.0 * flat, "{:?}", found[0]);
    }

    #[test]
    fn parts_that_meet_only_below_are_one() {
        let u = map(30, 20, |x, y| {
            (5..15).contains(&y) && ((5..9).contains(&x) || (20..24).contains(&x))
                || (15..19).contains(&y) && (5..24).contains(&x)
        });
        assert_eq!(boxes(&u, 30, 20).len(), 1);
    }

    #[test]
    fn hostile_maps_end_with_few_boxes() {
        assert!(boxes(&[], 0, 0).is_empty());
        assert!(boxes(&[1.0; 10], 3, 4).is_empty(), "wrong length");
        assert!(boxes(&[1.0; 10], usize::MAX, 2).is_empty());
        assert!(boxes(&vec![f32::NAN; 10_000], 100, 100).is_empty());
        let endless = boxes(&vec![f32::INFINITY; 10_000], 100, 100);
        assert_eq!(endless.len(), 1);
        assert!(endless[0].w.is_finite());
        let grid = map(2000, 2000, |x, y| x % 8 < 4 && y % 8 < 4);
        assert_eq!(boxes(&grid, 2000, 2000).len(), MOST);
        // One-pixel checkerboard: everything touches at corners.
        let board = map(512, 512, |x, y| (x + y) % 2 == 0);
        assert!(boxes(&board, 512, 512).len() <= 1);
        // Combs with long teeth join late: the worst case of the union.
        let comb = map(2048, 1024, |x, y| x % 2 == 0 || y == 1023);
        assert!(boxes(&comb, 2048, 1024).len() <= 1);
    }

    #[test]
    fn reading_goes_by_rows_also_on_a_leaning_page() {
        let at = |x: f32, y: f32| TextBox {
            x,
            y,
            w: 80.0,
            h: 20.0,
            cos: 1.0,
            sin: 0.0,
        };
        let leaning = |x: f32, y: f32| TextBox {
            sin: 0.03,
            ..at(x, y + x * 0.03)
        };
        let flat = [
            at(400.0, 12.0),
            at(100.0, 10.0),
            at(100.0, 40.0),
            at(400.0, 37.0),
        ];
        assert_eq!(reading_order(&flat), [1, 0, 2, 3]);
        let tilted = [
            leaning(600.0, 10.0),
            leaning(100.0, 34.0),
            leaning(100.0, 10.0),
            leaning(600.0, 34.0),
        ];
        assert_eq!(reading_order(&tilted), [2, 0, 1, 3]);
    }
}
