//! `UEFI_GPT_DATA` (PC Client PFP, section 10.2.7): the disk's table of partitions.

use super::super::cursor::{Cursor, PayloadError};
use super::super::guid::Guid;
use super::super::text::Utf16;

/// The partition table as it was measured: the header, and the entries in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gpt<'b> {
    /// The disk's name.
    pub disk: Guid,
    /// The first block that partitions may use.
    pub first_usable: u64,
    /// The last block that partitions may use.
    pub last_usable: u64,
    entries: &'b [u8],
    entry_size: usize,
}

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition<'b> {
    /// What it holds.
    pub kind: Guid,
    /// Its own name.
    pub id: Guid,
    /// The first block.
    pub first: u64,
    /// The last block.
    pub last: u64,
    /// Its attributes.
    pub attributes: u64,
    /// What it is called.
    pub name: Utf16<'b>,
}

impl<'b> Gpt<'b> {
    /// `EFI_PARTITION_ENTRY`; a table's entries may be larger, never smaller.
    const ENTRY: usize = 128;

    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array()? != *b"EFI PART" {
            return Cursor::new(bytes).error("a partition table without its signature");
        }
        // Revision, header size, checksum, reserved, this block, the other header's block.
        cursor.take(4 + 4 + 4 + 4 + 8 + 8)?;
        let (first_usable, last_usable) = (cursor.u64()?, cursor.u64()?);
        let disk = cursor.guid()?;
        // The entries' block, their number on the disk.
        cursor.take(8 + 4)?;
        let entry_size = cursor.u32()?;
        let _checksum = cursor.u32()?;
        let (at, count) = (cursor, cursor.u64()?);
        let size = usize::try_from(entry_size)
            .ok()
            .filter(|size| *size >= Self::ENTRY);
        let Some(entry_size) = size else {
            return at.error("a partition table with too small entries");
        };
        let count = usize::try_from(count).ok();
        let Some(len) = count.and_then(|count| count.checked_mul(entry_size)) else {
            return at.error("more partitions than the payload has");
        };
        let entries = cursor.take(len)?;
        cursor.end()?;
        Ok(Self {
            disk,
            first_usable,
            last_usable,
            entries,
            entry_size,
        })
    }

    /// The partitions.
    pub fn partitions(&self) -> impl Iterator<Item = Partition<'b>> + use<'b> {
        // An entry is 128 bytes at least, so the size is never 0.
        let entries = self.entries.chunks_exact(self.entry_size.max(1));
        entries.filter_map(|entry| Partition::read(entry).ok())
    }
}

impl<'b> Partition<'b> {
    const NAME: usize = 72;

    fn read(entry: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(entry);
        let (kind, id) = (cursor.guid()?, cursor.guid()?);
        let (first, last, attributes) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        let name = cursor.take(Self::NAME)?;
        match Utf16::new(name) {
            Some(name) => Ok(Self {
                kind,
                id,
                first,
                last,
                attributes,
                name,
            }),
            None => cursor.error("a partition name that is no UTF-16"),
        }
    }
}
