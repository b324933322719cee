//! A disk as a streamOptimized VMDK, the form in which an OVA carries it.
//!
//! VMware, "Virtual Disk Format 5.0", section "Stream-Optimized Compressed Sparse Extents": header
//! and descriptor, then the disk in grains of 64 KiB, each compressed by itself behind a marker,
//! grains of zeros left out; the tables that find a grain stand behind the grains they describe,
//! and a copy of the header that finds the tables stands at the very end.
//!
//! What it guarantees: the same disk gives the same bytes, on any machine and at any time. The
//! compressor is named (`miniz_oxide`, pinned by Cargo.lock) and not the one that another crate's
//! features would choose. qemu-img's own writer gives every file a random content id, and packages
//! made with it were refused by importers, which is why this one exists.

mod header;
mod read;
mod write;

pub use header::Descriptor;
pub use read::{Malformed, Vmdk};
pub use write::write;

/// Bytes of a sector.
pub(crate) const SECTOR: usize = 512;
/// Sectors of a grain.
const GRAIN_SECTORS: u64 = 128;
/// Bytes of a grain.
pub const GRAIN: usize = 65_536;
/// Grains that one table finds.
const TABLE: usize = 512;
/// Sectors before the first grain: header, descriptor, room.
const OVERHEAD: u64 = 128;
/// Sectors of the descriptor.
const DESCRIPTOR: u64 = 20;

/// What stands behind a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    End = 0,
    Table = 1,
    Directory = 2,
    Footer = 3,
}
