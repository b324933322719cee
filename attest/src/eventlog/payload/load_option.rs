//! `EFI_LOAD_OPTION` (UEFI Specification 2.10, section 3.1.3): an entry of the boot menu.

use super::super::cursor::{Cursor, PayloadError};
use super::super::text::Utf16;
use super::device_path::DevicePath;

/// An entry of the boot menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOption<'b> {
    /// `LOAD_OPTION_ACTIVE` is bit 0, `LOAD_OPTION_HIDDEN` bit 3.
    pub attributes: u32,
    /// What the menu shows.
    pub description: Utf16<'b>,
    /// What is started; it may be several paths, of which the first counts.
    pub path: DevicePath<'b>,
    /// What is handed to it.
    pub optional: &'b [u8],
}

impl<'b> LoadOption<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let attributes = cursor.u32()?;
        let path_len = cursor.u16()?;
        let mut rest = cursor;
        let text = rest.rest();
        let ends = text
            .as_chunks::<2>()
            .0
            .iter()
            .position(|unit| *unit == [0; 2]);
        let Some(units) = ends else {
            return cursor.error("a description without an end");
        };
        let description = cursor.take(units.saturating_mul(2))?;
        let Some(description) = Utf16::exact(description) else {
            return cursor.error("a description that is no UTF-16");
        };
        cursor.u16()?;
        let at = cursor.offset();
        let path = DevicePath::read(cursor.sized(path_len)?, at)?;
        let optional = cursor.rest();
        Ok(Self {
            attributes,
            description,
            path,
            optional,
        })
    }
}
