//! Cutting away what is blank, so that the detector does not look at it.
//!
//! The screen is divided into blocks. One in which every row is of one colour, or
//! every column, holds an area, a rule, a border or a gradient, but no text: it
//! counts as blank. A region is cut in two wherever a gap of blank blocks goes all
//! the way through (the XY cut of Nagy and Seth, 1984), and each part again.

use crate::vision::frame::{Frame, Region};

/// Side of a block.
const BLOCK: usize = 32;
/// Blank blocks that make a gap: wider than the spaces within a line.
const GAP: usize = 2;
/// How often a part is cut.
const DEPTH: usize = 10;
/// Pixels kept around a part, less than half of a gap.
const MARGIN: usize = 24;

/// Parts of a region that together hold everything that is not blank.
///
/// They do not overlap and cover at most the region.
pub fn parts(frame: &Frame, region: Region) -> Vec<Region> {
    let grid = Grid::of(frame, region);
    let mut parts = Vec::new();
    grid.cut(
        Cells {
            x: (0, grid.columns),
            y: (0, grid.rows),
        },
        DEPTH,
        &mut parts,
    );
    parts
        .into_iter()
        .filter_map(|cells| pixels(cells, region))
        .collect()
}

/// Which blocks of a region hold something.
#[derive(Debug)]
struct Grid {
    columns: usize,
    rows: usize,
    inked: Vec<bool>,
}

/// A rectangle of blocks, from and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cells {
    x: (usize, usize),
    y: (usize, usize),
}

impl Grid {
    fn of(frame: &Frame, region: Region) -> Self {
        let (columns, rows) = (region.w.div_ceil(BLOCK), region.h.div_ceil(BLOCK));
        let mut inked = vec![false; columns.saturating_mul(rows)];
        let lines: Vec<&[u8]> = frame.rows(region).collect();
        for (band, cells) in lines.chunks(BLOCK).zip(inked.chunks_mut(columns.max(1))) {
            let Some(first) = band.first() else { continue };
            let (mut rows_plain, mut columns_plain) = (vec![true; columns], vec![true; columns]);
            for line in band {
                let blocks = line.chunks(BLOCK * 4).zip(first.chunks(BLOCK * 4));
                let plain = rows_plain.iter_mut().zip(columns_plain.iter_mut());
                for ((block, top), (row_plain, column_plain)) in blocks.zip(plain) {
                    *column_plain = *column_plain && block == top;
                    *row_plain = *row_plain && is_plain(block);
                }
            }
            let plain = rows_plain.iter().zip(&columns_plain);
            for (cell, (rows, columns)) in cells.iter_mut().zip(plain) {
                *cell = !rows && !columns;
            }
        }
        Self {
            columns,
            rows,
            inked,
        }
    }

    fn is_inked(&self, x: usize, y: usize) -> bool {
        let at = y.saturating_mul(self.columns).saturating_add(x);
        self.inked.get(at).copied().unwrap_or(false)
    }

    fn cut(&self, cells: Cells, depth: usize, parts: &mut Vec<Cells>) {
        let columns: Vec<bool> = (cells.x.0..cells.x.1)
            .map(|x| (cells.y.0..cells.y.1).any(|y| self.is_inked(x, y)))
            .collect();
        let rows: Vec<bool> = (cells.y.0..cells.y.1)
            .map(|y| (cells.x.0..cells.x.1).any(|x| self.is_inked(x, y)))
            .collect();
        let (columns, rows) = (spans(&columns, cells.x.0), spans(&rows, cells.y.0));
        let whole = columns.len() == 1 && rows.len() == 1;
        for x in &columns {
            for y in &rows {
                let part = Cells { x: *x, y: *y };
                if whole || depth == 0 {
                    parts.push(part);
                } else {
                    self.cut(part, depth.saturating_sub(1), parts);
                }
            }
        }
    }
}

/// Whether all pixels of a row are equal.
fn is_plain(row: &[u8]) -> bool {
    // Each pixel equals the one before it.
    let shifted = row.get(4..).unwrap_or_default();
    row.get(..shifted.len()) == Some(shifted)
}

/// Stretches of `true` that are at least a gap apart, as from and to.
fn spans(inked: &[bool], offset: usize) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (index, _) in inked.iter().enumerate().filter(|(_, inked)| **inked) {
        let at = index.saturating_add(offset);
        match spans.last_mut() {
            Some(last) if at < last.1.saturating_add(GAP) => last.1 = at.saturating_add(1),
            _ => spans.push((at, at.saturating_add(1))),
        }
    }
    spans
}

/// The part in pixels, with its margin, inside the region.
fn pixels(cells: Cells, region: Region) -> Option<Region> {
    let span = |(from, to): (usize, usize), start: usize, length: usize| {
        let low = from.saturating_mul(BLOCK).saturating_sub(MARGIN);
        let high = to.saturating_mul(BLOCK).saturating_add(MARGIN).min(length);
        Some((
            start.saturating_add(low),
            high.checked_sub(low).filter(|size| *size > 0)?,
        ))
    };
    let (x, w) = span(cells.x, region.x, region.w)?;
    let (y, h) = span(cells.y, region.y, region.h)?;
    Some(Region { x, y, w, h })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, height: usize, inked: impl Fn(usize, usize) -> bool) -> Frame {
        let mut data = Vec::new();
        for y in 0..height {
            for x in 0..width {
                data.extend_from_slice(if inked(x, y) { &[0; 4] } else { &[9; 4] });
            }
        }
        Frame::new(width, height, data).unwrap()
    }

    #[test]
    fn a_blank_screen_has_no_parts_and_a_full_one_is_one() {
        let blank = frame(300, 200, |_, _| false);
        assert!(parts(&blank, blank.whole()).is_empty());
        let board = frame(300, 200, |x, y| (x + y) % 2 == 0);
        assert_eq!(parts(&board, board.whole()), [board.whole()]);
    }

    #[test]
    fn rules_and_borders_are_blank() {
        let table = frame(640, 480, |x, y| x == 50 || y == 70);
        let parts = parts(&table, table.whole());
        // The crossing alone is neither all rows nor all columns.
        assert_eq!(parts.len(), 1);
        assert!(parts[0].pixels() <= 80 * 80, "{parts:?}");
    }

    #[test]
    fn everything_inked_is_in_exactly_one_part() {
        let inked = |x: usize, y: usize| {
            (x < 700 && (5..20).contains(&y) && x.is_multiple_of(3))
                || ((300..420).contains(&x) && y > 140 && (x * y).is_multiple_of(7))
                || (x == 699 && y == 399)
                || (x == 10 && y == 300)
        };
        let frame = frame(700, 400, inked);
        let parts = parts(&frame, frame.whole());
        assert!(parts.len() > 1);
        for y in 0..400 {
            for x in 0..700 {
                let inside =
                    |r: &&Region| (r.x..r.x + r.w).contains(&x) && (r.y..r.y + r.h).contains(&y);
                let count = parts.iter().filter(inside).count();
                assert!(count <= 1, "{x},{y} is in {count} parts");
                assert!(count == 1 || !inked(x, y), "{x},{y} is lost");
            }
        }
        assert!(parts.iter().map(Region::pixels).sum::<usize>() < 700 * 400 * 3 / 4);
    }

    #[test]
    fn a_hostile_pattern_has_no_more_parts_than_blocks() {
        let dots = frame(2048, 2048, |x, y| x % 96 == 0 && y % 96 == 0);
        assert!(parts(&dots, dots.whole()).len() <= 22 * 22);
    }
}
