//! What firmware measured as a range of memory: images, blobs, tables (PC Client PFP, sections
//! 10.2.3 to 10.2.5 and 10.4.4). The digests are of what the ranges hold, not of these words.

use super::super::cursor::{Cursor, PayloadError};
use super::super::guid::Guid;
use super::device_path::DevicePath;

/// `UEFI_IMAGE_LOAD_EVENT`: an image was loaded. Its digest is the Authenticode digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLoad<'b> {
    /// Where it was in memory.
    pub base: u64,
    /// How many bytes.
    pub length: u64,
    /// The address that it was linked for.
    pub link_time: u64,
    /// Where it was loaded from.
    pub path: DevicePath<'b>,
}

/// `UEFI_PLATFORM_FIRMWARE_BLOB` and `UEFI_PLATFORM_FIRMWARE_BLOB2`: a part of the firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirmwareBlob<'b> {
    /// What it is called; the first form has no name.
    pub description: Option<&'b [u8]>,
    /// Where it was in memory.
    pub base: u64,
    /// How many bytes.
    pub length: u64,
}

/// `UEFI_HANDOFF_TABLE_POINTERS` and its second form: tables handed to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandoffTables<'b> {
    /// What they are called; the first form has no name.
    pub description: Option<&'b [u8]>,
    tables: &'b [[u8; 24]],
}

const SHIM_PADDING: usize = 16;

impl<'b> ImageLoad<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let (base, length, link_time) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        let path_len = cursor.u64()?;
        let at = cursor.offset();
        let path = DevicePath::read(cursor.sized(path_len)?, at)?;
        // shim's structures are longer than their content by the size of their last fields.
        if cursor.left() > SHIM_PADDING {
            return cursor.error("bytes are left over");
        }
        Ok(Self {
            base,
            length,
            link_time,
            path,
        })
    }
}

impl<'b> FirmwareBlob<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let (base, length) = (cursor.u64()?, cursor.u64()?);
        cursor.end()?;
        Ok(Self {
            description: None,
            base,
            length,
        })
    }

    pub(super) fn read_named(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let len = cursor.u8()?;
        let description = Some(cursor.sized(len)?);
        let (base, length) = (cursor.u64()?, cursor.u64()?);
        cursor.end()?;
        Ok(Self {
            description,
            base,
            length,
        })
    }
}

impl<'b> HandoffTables<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        Self::entries(Cursor::new(bytes), None)
    }

    pub(super) fn read_named(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let len = cursor.u8()?;
        let description = Some(cursor.sized(len)?);
        Self::entries(cursor, description)
    }

    fn entries(
        mut cursor: Cursor<'b>,
        description: Option<&'b [u8]>,
    ) -> Result<Self, PayloadError> {
        let count = cursor.u64()?;
        let start = cursor;
        let (tables, rest) = cursor.rest().as_chunks::<24>();
        if !rest.is_empty() || u64::try_from(tables.len()).ok() != Some(count) {
            return start.error("another number of tables than the payload says");
        }
        Ok(Self {
            description,
            tables,
        })
    }

    /// Each table's name and address in memory.
    pub fn tables(&self) -> impl Iterator<Item = (Guid, u64)> + use<'b> {
        self.tables.iter().filter_map(|table| {
            let (guid, address) = table.split_first_chunk::<16>()?;
            let (address, _) = address.split_first_chunk::<8>()?;
            Some((Guid::new(*guid), u64::from_le_bytes(*address)))
        })
    }
}
