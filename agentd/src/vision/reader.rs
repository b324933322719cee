//! Lines of text in a region of the screen, and the memory that makes a second
//! look cheap.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use casemate_protocol::action::Line;
use rten::ThreadPool;

use crate::vision::boxes::TextBox;
use crate::vision::detector::Detector;
use crate::vision::failure::VisionError;
use crate::vision::frame::{Frame, Region};
use crate::vision::recogniser::{Reading, Recogniser};
use crate::vision::strip::Strip;

/// Regions remembered whole.
const REGIONS: usize = 4;
/// Lines remembered by their pixels; all are forgotten when there are more.
const LINES: usize = 4096;
/// Largest model file.
const LARGEST_MODEL: u64 = 64 << 20;

/// Reads regions of frames.
#[derive(Debug)]
pub struct Reader {
    detector: Detector,
    recogniser: Recogniser,
    hash: RandomState,
    lines: HashMap<u64, Reading>,
    regions: VecDeque<Remembered>,
}

/// A region as it was read last.
#[derive(Debug)]
struct Remembered {
    region: Region,
    pixels: Frame,
    boxes: Vec<TextBox>,
    lines: Vec<Line>,
}

impl Reader {
    /// Loads `det.onnx` and `rec.onnx` of a folder; networks run on `threads` threads.
    ///
    /// # Errors
    /// [`VisionError::File`] and [`VisionError::Model`].
    pub fn load(folder: &Path, threads: usize) -> Result<Self, VisionError> {
        let pool = Arc::new(ThreadPool::with_num_threads(threads));
        Ok(Self {
            detector: Detector::load(file(&folder.join("det.onnx"))?, pool)?,
            recogniser: Recogniser::load(file(&folder.join("rec.onnx"))?, threads)?,
            hash: RandomState::new(),
            lines: HashMap::new(),
            regions: VecDeque::new(),
        })
    }

    /// The lines of text in a region, in reading order. A region that looks as
    /// it did when it was read before costs a comparison.
    ///
    /// # Errors
    /// See [`VisionError`].
    pub fn read(&mut self, frame: &Frame, region: Region) -> Result<Vec<Line>, VisionError> {
        let pixels = frame.crop(region).ok_or(VisionError::Region(region))?;
        if let Some(known) = self
            .regions
            .iter()
            .find(|r| r.region == region && r.pixels == pixels)
        {
            return Ok(known.lines.clone());
        }
        let boxes = self.boxes(frame, region, &pixels)?;
        let lines = self.lines(frame, &boxes)?;
        self.regions.retain(|r| r.region != region);
        self.regions.truncate(REGIONS.saturating_sub(1));
        self.regions.push_front(Remembered {
            region,
            pixels,
            boxes,
            lines: lines.clone(),
        });
        Ok(lines)
    }

    /// Boxes of a region; only the part that changed since it was read last is
    /// looked at again, if that is small.
    fn boxes(
        &self,
        frame: &Frame,
        region: Region,
        pixels: &Frame,
    ) -> Result<Vec<TextBox>, VisionError> {
        let before = self.regions.iter().find(|r| r.region == region);
        let part = before.and_then(|b| {
            let part = around(changed(&b.pixels, pixels)?, region, &b.boxes)?;
            (part.pixels().saturating_mul(2) <= region.pixels()).then_some((b, part))
        });
        let Some((before, part)) = part else {
            return self.detector.detect(frame, region);
        };
        let touches = |b: &TextBox| {
            let top = (b.y - b.h / 2.0, b.y + b.h / 2.0);
            top.1 > part.y as f32 && top.0 < part.y.saturating_add(part.h) as f32
        };
        let mut boxes: Vec<TextBox> = before
            .boxes
            .iter()
            .copied()
            .filter(|b| !touches(b))
            .collect();
        boxes.extend(self.detector.detect(frame, part)?);
        let order = crate::vision::boxes::reading_order(&boxes);
        Ok(order
            .into_iter()
            .filter_map(|i| boxes.get(i).copied())
            .collect())
    }

    fn lines(&mut self, frame: &Frame, boxes: &[TextBox]) -> Result<Vec<Line>, VisionError> {
        let mut keys = Vec::with_capacity(boxes.len());
        let (mut unknown, mut strips) = (Vec::new(), Vec::new());
        if self.lines.len() > LINES {
            self.lines.clear();
        }
        for line in boxes {
            let key = self.key(frame, line);
            keys.push(key);
            if !self.lines.contains_key(&key)
                && let Some(strip) = Strip::of(frame, line)
            {
                unknown.push(key);
                strips.push(strip);
            }
        }
        let read = self.recogniser.read(&strips)?;
        self.lines.extend(unknown.into_iter().zip(read));
        let line = |(line, key): (&TextBox, &u64)| {
            let reading = self.lines.get(key).filter(|r| !r.text.trim().is_empty())?;
            Some(Line {
                text: reading.text.clone(),
                area: line.region(frame.width(), frame.height())?.area(),
                confidence: reading.confidence,
            })
        };
        Ok(boxes.iter().zip(&keys).filter_map(line).collect())
    }

    /// A key of the pixels under a box and of its shape. Its seed is random in
    /// each process, so a screen cannot be drawn to collide.
    fn key(&self, frame: &Frame, line: &TextBox) -> u64 {
        let mut hash = self.hash.build_hasher();
        if let Some(region) = line.region(frame.width(), frame.height()) {
            for row in frame.rows(region) {
                hash.write(row);
            }
            let place = [
                line.x - region.x as f32,
                line.y - region.y as f32,
                line.w,
                line.h,
                line.sin,
            ];
            for number in place {
                hash.write_u32(number.to_bits());
            }
        }
        hash.finish()
    }
}

/// First and last row that differ, from the top; `None` if none or the sizes differ.
fn changed(before: &Frame, after: &Frame) -> Option<(usize, usize)> {
    if before.width() != after.width() || before.height() != after.height() {
        return None;
    }
    let mut rows = before
        .rows(before.whole())
        .zip(after.rows(after.whole()))
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .map(|(row, _)| row);
    let first = rows.next()?;
    Some((first, rows.last().unwrap_or(first)))
}

/// The band of a region around changed rows, with a margin and with every line
/// whole that reaches into it; `None` if one line always leads to another.
fn around(band: (usize, usize), region: Region, boxes: &[TextBox]) -> Option<Region> {
    const MARGIN: usize = 32;
    let mut top = region
        .y
        .saturating_add(band.0)
        .saturating_sub(MARGIN)
        .max(region.y);
    let mut bottom = region.y.saturating_add(band.1).saturating_add(MARGIN + 1);
    for _ in 0..8 {
        let before = (top, bottom);
        for line in boxes {
            let Some(r) = line.region(usize::MAX, usize::MAX) else {
                continue;
            };
            let end = r.y.saturating_add(r.h);
            if r.y < bottom && end > top {
                top = top.min(r.y).max(region.y);
                bottom = bottom.max(end);
            }
        }
        if before == (top, bottom) {
            bottom = bottom.min(region.y.saturating_add(region.h));
            return Some(Region {
                y: top,
                h: bottom.checked_sub(top)?,
                ..region
            });
        }
    }
    None
}

fn file(path: &Path) -> Result<Vec<u8>, VisionError> {
    let failed = |source| VisionError::File {
        path: path.to_owned(),
        source,
    };
    let open = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(open, LARGEST_MODEL), &mut bytes)
        .map_err(failed)?;
    // An ONNX file begins with its version (field 1, a number). rten 0.27 does not come
    // back from some files that do not.
    if bytes.first() != Some(&0x08) {
        return Err(VisionError::Model(format!(
            "{} is not an ONNX file",
            path.display()
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(y: f32) -> TextBox {
        TextBox {
            x: 50.0,
            y,
            w: 80.0,
            h: 20.0,
            cos: 1.0,
            sin: 0.0,
        }
    }

    #[test]
    fn a_change_takes_in_whole_lines_and_no_more() {
        let region = Region {
            x: 0,
            y: 100,
            w: 200,
            h: 800,
        };
        // Rows 300 to 310 of the region are rows 400 to 410 of the frame.
        let part = around((300, 310), region, &[line(366.0), line(440.0), line(700.0)]).unwrap();
        assert_eq!((part.y, part.y + part.h), (356, 450));
        assert_eq!(around((0, 799), region, &[]).unwrap(), region);
    }

    #[test]
    fn lines_that_all_hang_together_are_read_anew() {
        let region = Region {
            x: 0,
            y: 0,
            w: 200,
            h: 4000,
        };
        let chain: Vec<TextBox> = (0..200u8)
            .rev()
            .map(|n| line(f32::from(n) * 19.0))
            .collect();
        assert_eq!(around((0, 1), region, &chain), None);
    }

    #[test]
    fn a_model_that_is_none_has_a_code() {
        let folder = std::env::temp_dir().join(format!("casemate-models-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let missing = Reader::load(&folder, 1).unwrap_err();
        for bytes in [b"".as_slice(), b"not a model", &[0xff; 4096]] {
            std::fs::write(folder.join("det.onnx"), bytes).unwrap();
            std::fs::write(folder.join("rec.onnx"), bytes).unwrap();
            assert_eq!(
                Reader::load(&folder, 1).unwrap_err().code().id,
                "vision.model"
            );
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(missing.code().id, "vision.model");
    }
}
