//! A screenshot as a PNG file: made fast, not small.

use crate::desktop::code;
use crate::desktop::failure::Failure;
use crate::vision::Frame;

/// The whole frame as a PNG of 8-bit red, green and blue.
///
/// # Errors
/// `desktop.lost`; a frame always has a form that PNG can hold.
pub fn png(frame: &Frame) -> Result<Vec<u8>, Failure> {
    let failed = |e: &dyn std::fmt::Display| {
        Failure::new(&code::LOST, format!("a screenshot cannot be encoded: {e}"))
    };
    let side = |n: usize| u32::try_from(n).map_err(|e| failed(&e));
    let mut bytes = Vec::with_capacity(1 << 18);
    let mut encoder = png::Encoder::new(&mut bytes, side(frame.width())?, side(frame.height())?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut rgb = Vec::with_capacity(frame.data().len() / 4 * 3);
    for pixel in frame.data().chunks_exact(4) {
        if let [b, g, r, _] = pixel {
            rgb.extend_from_slice(&[*r, *g, *b]);
        }
    }
    let mut writer = encoder.write_header().map_err(|e| failed(&e))?;
    writer.write_image_data(&rgb).map_err(|e| failed(&e))?;
    writer.finish().map_err(|e| failed(&e))?;
    Ok(bytes)
}
