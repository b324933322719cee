//! Writing: one pass over the disk, one pass over the file.

use std::io::{self, Read, Write};

use miniz_oxide::deflate::compress_to_vec_zlib;

use super::header::{Descriptor, Header};
use super::{GRAIN, GRAIN_SECTORS, Kind, OVERHEAD, SECTOR, TABLE};

/// Between speed and size; what is in the disk is mostly compressed already.
const LEVEL: u8 = 6;

/// Writes a disk of `size` bytes. Returns how many of them are in grains that were stored.
///
/// # Errors
/// `InvalidInput` when `size` is not a whole number of grains or is nothing; those of reading,
/// `UnexpectedEof` among them, and of writing.
pub fn write(
    mut disk: impl Read,
    size: u64,
    descriptor: &Descriptor<'_>,
    out: impl Write,
) -> io::Result<u64> {
    let grain = u64::try_from(GRAIN).unwrap_or(u64::MAX);
    if size == 0 || !size.is_multiple_of(grain) {
        let why = format!("{size} bytes are not a whole number of grains of 64 KiB");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let header = Header {
        capacity: size / 512,
        directory: None,
    };
    let mut stream = Stream { out, sector: 0 };
    stream.put(&header.bytes())?;
    stream.put(descriptor.text(header.capacity).as_bytes())?;
    while stream.sector < OVERHEAD {
        stream.put(&[0; SECTOR])?;
    }
    let mut stored = 0;
    let mut directory = Vec::new();
    let mut table = Vec::with_capacity(TABLE);
    let mut block = vec![0; GRAIN];
    for index in 0..size / grain {
        disk.read_exact(&mut block)?;
        let at = if block.iter().all(|byte| *byte == 0) {
            0
        } else {
            stored += grain;
            stream.grain(index * GRAIN_SECTORS, &block)?
        };
        table.push(at);
        if table.len() == TABLE {
            directory.push(stream.table(&mut table)?);
        }
    }
    if !table.is_empty() {
        directory.push(stream.table(&mut table)?);
    }
    stream.finish(&header, &directory)?;
    Ok(stored)
}

/// The file, counted in sectors.
struct Stream<W> {
    out: W,
    sector: u64,
}

impl<W: Write> Stream<W> {
    /// Writes bytes and fills their last sector with zeros.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        let padding = bytes.len().next_multiple_of(SECTOR) - bytes.len();
        self.out
            .write_all([0; SECTOR].get(..padding).unwrap_or_default())?;
        self.sector += u64::try_from(bytes.len().div_ceil(SECTOR)).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Where the next thing goes, as a table says it: up to two tebibytes.
    fn here(&self) -> io::Result<u32> {
        u32::try_from(self.sector)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "more than 2 TiB of VMDK"))
    }

    /// A grain behind its marker (`u64` sector of the disk, `u32` bytes); where the marker stands.
    fn grain(&mut self, disk_sector: u64, grain: &[u8]) -> io::Result<u32> {
        let at = self.here()?;
        let packed = compress_to_vec_zlib(grain, LEVEL);
        let length = u32::try_from(packed.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(packed.len() + 12);
        bytes.extend(disk_sector.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(packed);
        self.put(&bytes)?;
        Ok(at)
    }

    /// A marker: how many sectors stand behind it, and of what.
    fn marker(&mut self, sectors: u64, kind: Kind) -> io::Result<()> {
        let mut bytes = sectors.to_le_bytes().to_vec();
        bytes.extend(0u32.to_le_bytes());
        bytes.extend((kind as u32).to_le_bytes());
        self.put(&bytes)
    }

    /// A table, which is emptied; where it stands, or 0 if it finds nothing.
    fn table(&mut self, table: &mut Vec<u32>) -> io::Result<u32> {
        let all_zero = table.iter().all(|at| *at == 0);
        table.resize(TABLE, 0);
        let bytes: Vec<u8> = table.drain(..).flat_map(u32::to_le_bytes).collect();
        if all_zero {
            return Ok(0);
        }
        self.marker(4, Kind::Table)?;
        let at = self.here()?;
        self.put(&bytes)?;
        Ok(at)
    }

    fn finish(mut self, header: &Header, directory: &[u32]) -> io::Result<()> {
        let bytes: Vec<u8> = directory.iter().flat_map(|at| at.to_le_bytes()).collect();
        let sectors = u64::try_from(bytes.len().div_ceil(SECTOR)).unwrap_or(u64::MAX);
        self.marker(sectors, Kind::Directory)?;
        let footer = Header {
            directory: Some(self.sector),
            ..*header
        };
        self.put(&bytes)?;
        self.marker(1, Kind::Footer)?;
        self.put(&footer.bytes())?;
        self.marker(0, Kind::End)?;
        self.out.flush()
    }
}
