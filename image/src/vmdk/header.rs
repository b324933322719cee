//! The 512 bytes at both ends of the file, and the text that describes the disk.

use super::{DESCRIPTOR, GRAIN_SECTORS, OVERHEAD, SECTOR, TABLE};
use crate::digest::Sha;

/// "KDMV" as a little-endian number.
const MAGIC: u32 = 0x564d_444b;
/// The version of stream-optimized extents.
const VERSION: u32 = 3;
/// Bit 0: the line ends below are there to be tested; 16: grains are compressed; 17: markers.
const FLAGS: u32 = 0x0003_0001;
/// "The directory stands at the end": the first header does not know where yet.
const AT_END: u64 = u64::MAX;
/// RFC 1951 inside RFC 1950.
const DEFLATE: u16 = 1;

/// `SparseExtentHeader`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Sectors of the disk.
    pub(super) capacity: u64,
    /// The sector of the grain directory; none in the header at the beginning.
    pub(super) directory: Option<u64>,
}

impl Header {
    /// The sector as it stands in the file.
    pub(super) fn bytes(&self) -> [u8; SECTOR] {
        let mut fields = Vec::with_capacity(SECTOR);
        for number in [MAGIC, VERSION, FLAGS] {
            fields.extend(number.to_le_bytes());
        }
        for number in [self.capacity, GRAIN_SECTORS, 1, DESCRIPTOR] {
            fields.extend(number.to_le_bytes());
        }
        fields.extend(512u32.to_le_bytes()); // entries of a grain table
        for number in [0, self.directory.unwrap_or(AT_END), OVERHEAD] {
            fields.extend(number.to_le_bytes());
        }
        fields.push(0); // shut down cleanly
        fields.extend(*b"\n \r\n"); // what a text transfer would have damaged
        fields.extend(DEFLATE.to_le_bytes());
        let mut sector = [0; SECTOR];
        for (to, from) in sector.iter_mut().zip(fields) {
            *to = from;
        }
        sector
    }

    /// Reads a sector that is exactly one that [`Header::bytes`] makes.
    pub(super) fn parse(sector: &[u8; SECTOR]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = sector.get(at..)?.first_chunk::<8>()?;
            Some(u64::from_le_bytes(*bytes))
        };
        let directory = number(56)?;
        let header = Self {
            capacity: number(12)?,
            directory: (directory != AT_END).then_some(directory),
        };
        (header.bytes() == *sector).then_some(header)
    }

    /// How many tables the directory lists.
    pub(super) fn tables(&self) -> u64 {
        let entries = u64::try_from(TABLE).unwrap_or(u64::MAX);
        self.capacity.div_ceil(GRAIN_SECTORS).div_ceil(entries)
    }
}

/// The disk as its descriptor says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// The name of the file that carries it.
    pub name: &'a str,
    /// What the content ids are made from: the digest of the disk's bytes. Another disk of the
    /// same name is then never taken for this one by a cache.
    pub content: Sha,
}

impl Descriptor<'_> {
    /// The text, for a disk of `capacity` sectors.
    pub(super) fn text(&self, capacity: u64) -> String {
        let id = hex::encode(self.content.first_chunk::<4>().unwrap_or(&[0; 4]));
        let long = hex::encode(self.content.first_chunk::<16>().unwrap_or(&[0; 16]));
        // What a BIOS would be told; with EFI firmware nobody asks.
        let (heads, track) = (255, 63);
        let cylinders = (capacity / (heads * track)).clamp(1, 65_535);
        let name = self.name;
        format!(
            "# Disk DescriptorFile\nversion=1\nCID={id}\nparentCID=ffffffff\n\
             createType=\"streamOptimized\"\n\n# Extent description\n\
             RDONLY {capacity} SPARSE \"{name}\"\n\n# The Disk Data Base\n#DDB\n\n\
             ddb.adapterType = \"lsilogic\"\n\
             ddb.geometry.cylinders = \"{cylinders}\"\n\
             ddb.geometry.heads = \"{heads}\"\n\
             ddb.geometry.sectors = \"{track}\"\n\
             ddb.longContentID = \"{long}\"\n\
             ddb.virtualHWVersion = \"15\"\n"
        )
    }
}
