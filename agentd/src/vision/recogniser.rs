//! What a line says: the recogniser network of PP-OCR and greedy CTC decoding.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rten::{Model, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::vision::charset::Charset;
use crate::vision::failure::VisionError;
use crate::vision::strip::{HEIGHT, Strip};

/// Most strips of one run.
const BATCH: usize = 8;
/// Widths of one run differ at most by this factor (in eighths), so that little
/// of the work is padding.
const SPREAD: (usize, usize) = (10, 8);

/// Strips are padded to the width that the network was trained with: two digits in
/// a strip of their own width are now and then read as one.
const NARROWEST: usize = 320;

/// What was read from a strip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The text; empty if there is none.
    pub text: String,
    /// The lowest character confidence, in thousandths.
    pub confidence: u16,
}

/// The recogniser.
pub struct Recogniser {
    model: Model,
    charset: Charset,
    pools: Vec<Arc<ThreadPool>>,
}

impl std::fmt::Debug for Recogniser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recogniser")
    }
}

impl Recogniser {
    /// From the bytes of `rec.onnx`, which also name the characters; works on
    /// `threads` threads.
    ///
    /// # Errors
    /// [`VisionError::Model`] if they are not such a network.
    pub fn load(onnx: Vec<u8>, threads: usize) -> Result<Self, VisionError> {
        let charset = Charset::from_onnx(&onnx)
            .ok_or_else(|| VisionError::Model("recogniser: no list of characters".to_owned()))?;
        let model =
            Model::load(onnx).map_err(|e| VisionError::Model(format!("recogniser: {e}")))?;
        if model.input_ids().len() != 1 || model.output_ids().len() != 1 {
            return Err(VisionError::Model(
                "recogniser: not one input and one output".to_owned(),
            ));
        }
        let pool = || Arc::new(ThreadPool::with_num_threads(1));
        let pools = std::iter::repeat_with(pool).take(threads.max(1)).collect();
        Ok(Self {
            model,
            charset,
            pools,
        })
    }

    /// Reads every strip; the answers stand in the order of the strips.
    ///
    /// # Errors
    /// [`VisionError::Model`] if the network's output is not as expected.
    pub fn read(&self, strips: &[Strip]) -> Result<Vec<Reading>, VisionError> {
        let mut order: Vec<(usize, &Strip)> = strips.iter().enumerate().collect();
        order.sort_by_key(|(_, strip)| strip.width());
        let mut readings = vec![Reading::default(); strips.len()];
        for (index, reading) in self.side_by_side(&batches(&order))? {
            if let Some(slot) = readings.get_mut(index) {
                *slot = reading;
            }
        }
        Ok(readings)
    }

    /// Runs batches on as many threads as there are pools, each batch on one:
    /// threads that share one small network mostly wait for each other.
    fn side_by_side(
        &self,
        batches: &[&[(usize, &Strip)]],
    ) -> Result<Vec<(usize, Reading)>, VisionError> {
        let next = AtomicUsize::new(0);
        let work = |pool: &Arc<ThreadPool>| -> Result<Vec<(usize, Reading)>, VisionError> {
            let mut done = Vec::new();
            // The widest are last in order and first to be done.
            while let Some(batch) = batches
                .iter()
                .nth_back(next.fetch_add(1, Ordering::Relaxed))
            {
                let indexes = batch.iter().map(|(index, _)| *index);
                done.extend(indexes.zip(self.run(batch, pool)?));
            }
            Ok(done)
        };
        let ends = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .pools
                .iter()
                .map(|pool| scope.spawn(|| work(pool)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join())
                .collect::<Vec<_>>()
        });
        let mut all = Vec::new();
        for end in ends {
            let stopped = |_| VisionError::Model("recogniser: it stopped".to_owned());
            all.extend(end.map_err(stopped)??);
        }
        Ok(all)
    }

    fn run(
        &self,
        batch: &[(usize, &Strip)],
        pool: &Arc<ThreadPool>,
    ) -> Result<Vec<Reading>, VisionError> {
        let widest = batch.iter().map(|(_, s)| s.width()).max().unwrap_or(1);
        // A little room to the right, which the last character needs.
        let width = widest
            .saturating_add(16)
            .max(NARROWEST)
            .div_ceil(8)
            .saturating_mul(8);
        let mut values =
            Vec::with_capacity(batch.len().saturating_mul(3 * HEIGHT).saturating_mul(width));
        for (_, strip) in batch {
            for plane in strip.planes() {
                for row in plane.chunks_exact(strip.width().max(1)) {
                    let end = values.len().saturating_add(width);
                    values.extend_from_slice(row);
                    // Grey, as in training.
                    values.resize(end, 0.0);
                }
            }
        }
        let input = NdTensor::from_data([batch.len(), 3, HEIGHT, width], values);
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(pool)));
        let output = self
            .model
            .run_one(input.view().into(), Some(options))
            .map_err(|e| VisionError::Model(format!("recogniser: {e}")))?;
        let output: NdTensor<f32, 3> = output
            .try_into()
            .map_err(|e| VisionError::Model(format!("recogniser: {e}")))?;
        let [lines, steps, classes] = output.shape();
        if lines != batch.len() || classes != self.charset.classes() || steps == 0 {
            return Err(VisionError::Model(format!(
                "recogniser: output of shape {:?} for {} strips and {} classes",
                output.shape(),
                batch.len(),
                self.charset.classes()
            )));
        }
        let values = output.into_data();
        Ok(values
            .chunks_exact(steps.saturating_mul(classes))
            .map(|line| decode(line, classes, &self.charset))
            .collect())
    }
}

/// Neighbours in width order that are run together.
fn batches<'o, 's>(order: &'o [(usize, &'s Strip)]) -> Vec<&'o [(usize, &'s Strip)]> {
    let mut batches = Vec::new();
    let mut rest = order;
    while let Some(((_, narrowest), _)) = rest.split_first() {
        let widest = narrowest.width().saturating_mul(SPREAD.0) / SPREAD.1;
        let fitting = rest
            .iter()
            .take(BATCH)
            .take_while(|(_, s)| s.width() <= widest)
            .count();
        let (batch, later) = rest.split_at_checked(fitting.max(1)).unwrap_or((rest, &[]));
        batches.push(batch);
        rest = later;
    }
    batches
}

/// Greedy CTC: the best class of each step, repeats and blanks dropped.
fn decode(line: &[f32], classes: usize, charset: &Charset) -> Reading {
    let mut text = String::new();
    let mut lowest = 1.0f32;
    let mut before = 0;
    for step in line.chunks_exact(classes.max(1)) {
        let (class, probability) = best(step);
        if class != before
            && let Some(character) = charset.character(class)
        {
            text.push_str(character);
            lowest = lowest.min(probability);
        }
        before = class;
    }
    if text.is_empty() {
        return Reading::default();
    }
    let thousandths = crate::vision::frame::pixel((lowest * 1000.0).clamp(0.0, 1000.0));
    Reading {
        text,
        confidence: u16::try_from(thousandths).unwrap_or_default(),
    }
}

fn best(step: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, value) in step.iter().enumerate() {
        if *value > best.1 {
            best = (class, *value);
        }
    }
    best
}
