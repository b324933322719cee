//! Where text stands: the detector network of PP-OCR.

use std::sync::Arc;

use rten::{Model, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::vision::blank::parts;
use crate::vision::boxes::{TextBox, boxes, reading_order};
use crate::vision::failure::VisionError;
use crate::vision::frame::{Frame, MOST_PIXELS, Region};

/// The network halves its input five times: sides are multiples of this.
const STEP: usize = 32;
/// More parts than this are not worth their overhead: the region is read whole.
const MOST_PARTS: usize = 64;

/// The detector.
pub struct Detector {
    model: Model,
    threads: Arc<ThreadPool>,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Detector")
    }
}

impl Detector {
    /// From the bytes of `det.onnx`.
    ///
    /// # Errors
    /// [`VisionError::Model`] if they are not a network of one input and output.
    pub fn load(onnx: Vec<u8>, threads: Arc<ThreadPool>) -> Result<Self, VisionError> {
        let model = Model::load(onnx).map_err(|e| VisionError::Model(format!("detector: {e}")))?;
        if model.input_ids().len() != 1 || model.output_ids().len() != 1 {
            return Err(VisionError::Model(
                "detector: not one input and one output".to_owned(),
            ));
        }
        Ok(Self { model, threads })
    }

    /// Boxes around the lines of text in a region, in reading order, in the
    /// frame's coordinates. The region is read at its own scale, without what is
    /// blank in it.
    ///
    /// # Errors
    /// [`VisionError::Region`] for a region outside the frame or too large.
    pub fn detect(&self, frame: &Frame, region: Region) -> Result<Vec<TextBox>, VisionError> {
        let inside = region.x.saturating_add(region.w) <= frame.width()
            && region.y.saturating_add(region.h) <= frame.height();
        if !inside || region.pixels() == 0 {
            return Err(VisionError::Region(region));
        }
        let mut parts = parts(frame, region);
        if parts.len() > MOST_PARTS {
            parts = vec![region];
        }
        let mut found = Vec::new();
        for part in parts {
            found.extend(self.run(frame, part)?);
        }
        Ok(reading_order(&found)
            .into_iter()
            .filter_map(|i| found.get(i).copied())
            .collect())
    }

    fn run(&self, frame: &Frame, region: Region) -> Result<Vec<TextBox>, VisionError> {
        let side = |n: usize| n.max(1).div_ceil(STEP).saturating_mul(STEP);
        let (w, h) = (side(region.w), side(region.h));
        if w.saturating_mul(h) > MOST_PIXELS {
            return Err(VisionError::Region(region));
        }
        let input = NdTensor::from_data([1, 3, h, w], planes(frame, region, w, h));
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
        let output = self
            .model
            .run_one(input.view().into(), Some(options))
            .map_err(|e| VisionError::Model(format!("detector: {e}")))?;
        let map: NdTensor<f32, 4> = output
            .try_into()
            .map_err(|e| VisionError::Model(format!("detector: {e}")))?;
        if map.shape() != [1, 1, h, w] {
            return Err(VisionError::Model(format!(
                "detector: output of shape {:?}",
                map.shape()
            )));
        }
        // What lies in the padding alone is not on the screen.
        let inside = |b: &TextBox| b.x < region.w as f32 && b.y < region.h as f32;
        Ok(boxes(&map.into_data(), w, h)
            .into_iter()
            .filter(inside)
            .map(|b| b.moved(region.x, region.y))
            .collect())
    }
}

/// Blue, green and red planes of -1 ..= 1, the region's edge repeated as padding.
fn planes(frame: &Frame, region: Region, w: usize, h: usize) -> Vec<f32> {
    let scale: [f32; 256] = std::array::from_fn(|v| v as f32 / 127.5 - 1.0);
    let level = |byte: u8| scale.get(usize::from(byte)).copied().unwrap_or_default();
    let plane = w.saturating_mul(h);
    let mut values = Vec::with_capacity(plane.saturating_mul(3));
    for channel in 0..3 {
        let end = values.len().saturating_add(plane);
        for row in frame.rows(region) {
            let from = values.len();
            values.extend(
                row.chunks_exact(4)
                    .map(|p| level(p.get(channel).copied().unwrap_or_default())),
            );
            let edge = values.last().copied().unwrap_or(1.0);
            values.resize(from.saturating_add(w), edge);
        }
        let last = values.len().saturating_sub(w);
        while values.len() < end {
            values.extend_from_within(last..last.saturating_add(w));
        }
    }
    values
}
