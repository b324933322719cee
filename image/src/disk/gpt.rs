//! A GUID partition table (UEFI 2.10, chapter 5).

use crate::digest;

const SECTOR: u64 = 512;
/// Partitions begin at a multiple of 1 MiB.
const GRAIN: u64 = 2048;
const ENTRIES: usize = 128;
const ENTRY: usize = 128;
/// Sectors that the entries take.
const ENTRY_SECTORS: u64 = 32;

/// What a partition is for, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The EFI system partition.
    System,
    /// A verity image.
    Verity,
    /// What a running appliance writes.
    Data,
}

impl Kind {
    /// The type's GUID, as it is stored.
    fn guid(self) -> [u8; 16] {
        match self {
            // C12A7328-F81F-11D2-BA4B-00A0C93EC93B.
            Self::System => [
                0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e,
                0xc9, 0x3b,
            ],
            // Of this project, so that no other system takes them for its own.
            Self::Verity => guid(&digest::of_bytes(b"casemate partition type: verity image")),
            Self::Data => guid(&digest::of_bytes(b"casemate partition type: data")),
        }
    }
}

/// A partition to be laid out.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    name: String,
    kind: Kind,
    size: u64,
}

impl Partition {
    /// A partition of `size` bytes, a multiple of 1 MiB.
    pub(crate) fn new(name: &str, kind: Kind, size: u64) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            size,
        }
    }
}

/// A version 4 UUID out of a digest (RFC 9562, section 5.4), as it is stored.
fn guid(seed: &[u8; 32]) -> [u8; 16] {
    let mut out = [0; 16];
    for (slot, byte) in out.iter_mut().zip(seed) {
        *slot = *byte;
    }
    // The third field is stored with its low byte first.
    out[7] = (out[7] & 0x0f) | 0x40;
    out[8] = (out[8] & 0x3f) | 0x80;
    out
}

/// Partitions in their places.
pub(crate) struct Table {
    entries: Vec<u8>,
    starts: Vec<u64>,
    last: u64,
    disk: [u8; 16],
}

impl Table {
    /// One after the other, in this order; identifiers follow from `seed`.
    pub(crate) fn new(partitions: &[Partition], seed: &[u8; 32]) -> Self {
        let mut entries = Vec::new();
        let mut starts = Vec::new();
        let mut free = GRAIN;
        let seed = hex::encode(seed);
        for partition in partitions {
            let sectors = partition.size / SECTOR;
            let unique = digest::of_labelled("casemate partition v1", &[&seed, &partition.name]);
            entries.extend(partition.kind.guid());
            entries.extend(guid(&unique));
            entries.extend(free.to_le_bytes());
            entries.extend((free + sectors - 1).to_le_bytes());
            entries.extend([0; 8]);
            let units: Vec<u8> = partition
                .name
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .take(72)
                .collect();
            entries.extend(&units);
            entries.resize(entries.len().next_multiple_of(ENTRY), 0);
            starts.push(free * SECTOR);
            free = (free + sectors).next_multiple_of(GRAIN);
        }
        entries.resize(ENTRIES * ENTRY, 0);
        Self {
            entries,
            starts,
            last: free + GRAIN - 1,
            disk: guid(&digest::of_labelled("casemate disk v1", &[&seed])),
        }
    }

    /// Bytes of the disk.
    pub(crate) fn size(&self) -> u64 {
        (self.last + 1) * SECTOR
    }

    /// At which byte each partition begins.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u64> {
        self.starts.iter().copied()
    }

    /// What is written where: the protective record, both headers, both copies of the entries.
    pub(crate) fn parts(&self) -> Vec<(u64, Vec<u8>)> {
        let (second, last) = (self.last - ENTRY_SECTORS, self.last);
        vec![
            (0, self.protective()),
            (SECTOR, self.header(1, last, 2)),
            (2 * SECTOR, self.entries.clone()),
            (second * SECTOR, self.entries.clone()),
            (last * SECTOR, self.header(last, 1, second)),
        ]
    }

    fn protective(&self) -> Vec<u8> {
        let mut record = vec![0; 446];
        record.extend([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
        record.extend(u32::try_from(self.last).unwrap_or(u32::MAX).to_le_bytes());
        record.resize(510, 0);
        record.extend([0x55, 0xaa]);
        record
    }

    fn header(&self, at: u64, other: u64, entries: u64) -> Vec<u8> {
        let make = |sum: u32| {
            let mut header = b"EFI PART".to_vec();
            header.extend([0, 0, 1, 0, 92, 0, 0, 0]);
            header.extend(sum.to_le_bytes());
            header.extend([0; 4]);
            for place in [at, other, GRAIN, self.last - ENTRY_SECTORS - 1] {
                header.extend(place.to_le_bytes());
            }
            header.extend(self.disk);
            header.extend(entries.to_le_bytes());
            header.extend([128, 0, 0, 0, 128, 0, 0, 0]);
            header.extend(crc32(&self.entries).to_le_bytes());
            header
        };
        make(crc32(&make(0)))
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn headers_entries_and_ends_agree() {
        let mib = 1 << 20;
        let parts = [
            Partition::new("esp", Kind::System, 3 * mib),
            Partition::new("state", Kind::Data, 2 * mib),
        ];
        let table = Table::new(&parts, &[7; 32]);
        assert_eq!(table.starts().collect::<Vec<_>>(), [mib, 4 * mib]);
        assert_eq!(table.size(), 7 * mib);
        let written = table.parts();
        let (_, first) = &written[1];
        let mut zeroed = first.clone();
        zeroed[16..20].fill(0);
        assert_eq!(first[16..20], crc32(&zeroed).to_le_bytes());
        let (at, last) = &written[4];
        assert_eq!(*at, 7 * mib - 512);
        assert_eq!(last[24..32], (7u64 * 2048 - 1).to_le_bytes());
        assert_eq!(written[2].1.len(), 32 * 512);
        // The version of both identifiers.
        assert_eq!(written[2].1[16 + 7] >> 4, 4);
    }
}
