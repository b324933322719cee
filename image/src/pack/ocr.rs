//! The model pack `ocr`.

use crate::error::BuildError;
use crate::pack::Places;

/// Builds the ocr pack.
///
/// # Errors
/// Any [`BuildError`].
pub fn pack_ocr(_places: &Places) -> Result<(), BuildError> {
    Ok(())
}
