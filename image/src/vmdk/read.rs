//! Reading what [`super::write`] writes, strictly: for `image diff`, which is given files of
//! others. Anything else is called malformed rather than guessed at.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::header::Header;
use super::{DESCRIPTOR, GRAIN, GRAIN_SECTORS, Kind, SECTOR, TABLE};

/// The largest disk that is unpacked, in sectors: 1 TiB.
const LARGEST: u64 = 1 << 31;
/// The longest compressed grain: deflate's stored form of 64 KiB is not much longer than it.
const LONGEST: usize = GRAIN + 1024;

/// Why a file is no such VMDK.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It cannot be read, or ends too early.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// It is another kind of VMDK, or damaged.
    #[error("not a stream-optimized VMDK as this program writes them: {0}")]
    Form(&'static str),
}

/// An opened VMDK.
#[derive(Debug)]
pub struct Vmdk<'f> {
    file: &'f File,
    header: Header,
    /// The descriptor's text.
    pub descriptor: String,
    /// Bytes of the disk.
    pub size: u64,
}

impl<'f> Vmdk<'f> {
    /// Reads header, descriptor and footer.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn open(file: &'f File) -> Result<Self, Malformed> {
        let first = Header::parse(&sector(file, 0)?).ok_or(Malformed::Form("its header"))?;
        let length = file.metadata()?.len();
        let sectors = length / 512;
        if first.directory.is_some() || !length.is_multiple_of(512) || sectors < 4 {
            return Err(Malformed::Form("its directory does not stand at the end"));
        }
        if first.capacity > LARGEST || !first.capacity.is_multiple_of(GRAIN_SECTORS) {
            return Err(Malformed::Form("its capacity"));
        }
        let footer = Header::parse(&sector(file, sectors - 2)?);
        let footer = footer.ok_or(Malformed::Form("its footer"))?;
        let same = footer.capacity == first.capacity;
        let markers = [(sectors - 3, 1, Kind::Footer), (sectors - 1, 0, Kind::End)];
        for (at, count, kind) in markers {
            if !same || marker(&sector(file, at)?) != (count, 0, kind as u32) {
                return Err(Malformed::Form("its end"));
            }
        }
        let mut descriptor = Vec::new();
        for at in 1..=DESCRIPTOR {
            descriptor.extend(sector(file, at)?);
        }
        let text = descriptor.split(|byte| *byte == 0).next().unwrap_or(&[]);
        Ok(Self {
            file,
            header: footer,
            descriptor: String::from_utf8_lossy(text).into_owned(),
            size: first.capacity * 512,
        })
    }

    /// Writes the disk to `out`, an empty file, leaving holes where grains are left out.
    ///
    /// # Errors
    /// [`Malformed`] when a table or a grain is not what it must be.
    pub fn unpack(&self, out: &mut File) -> Result<(), Malformed> {
        out.set_len(self.size)?;
        let start = self.header.directory;
        let start = start.ok_or(Malformed::Form("its directory"))?;
        let directory = self.numbers(start, self.header.tables())?;
        for (index, at) in (0u64..).zip(directory) {
            if at == 0 {
                continue;
            }
            let entries = u64::try_from(TABLE).unwrap_or(u64::MAX);
            let first = index * entries * GRAIN_SECTORS;
            for (grain, at) in (0u64..).zip(self.numbers(at.into(), entries)?) {
                if at != 0 {
                    self.grain(at.into(), first + grain * GRAIN_SECTORS, out)?;
                }
            }
        }
        Ok(())
    }

    fn numbers(&self, start: u64, count: u64) -> Result<Vec<u32>, Malformed> {
        let mut file = self.file;
        file.seek(SeekFrom::Start(start.saturating_mul(512)))?;
        let length = usize::try_from(count * 4).map_err(|_| Malformed::Form("a table"))?;
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        let words = bytes.chunks_exact(4);
        Ok(words
            .map(|word| word.try_into().map_or(0, u32::from_le_bytes))
            .collect())
    }

    fn grain(&self, at: u64, disk_sector: u64, out: &mut File) -> Result<(), Malformed> {
        let wrong = Malformed::Form("a grain");
        let mut file = self.file;
        file.seek(SeekFrom::Start(at * 512))?;
        let mut head = [0; 12];
        file.read_exact(&mut head)?;
        let (place, rest) = head
            .split_first_chunk::<8>()
            .ok_or(Malformed::Form("a grain"))?;
        let length = rest
            .first_chunk::<4>()
            .map_or(0, |b| u32::from_le_bytes(*b));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let outside = disk_sector >= self.header.capacity;
        if outside || u64::from_le_bytes(*place) != disk_sector || length > LONGEST {
            return Err(wrong);
        }
        let mut packed = vec![0; length];
        file.read_exact(&mut packed)?;
        let Ok(grain) = decompress_to_vec_zlib_with_limit(&packed, GRAIN) else {
            return Err(wrong);
        };
        if grain.len() != GRAIN {
            return Err(wrong);
        }
        out.seek(SeekFrom::Start(disk_sector * 512))?;
        Ok(out.write_all(&grain)?)
    }
}

fn sector(mut file: &File, at: u64) -> Result<[u8; SECTOR], Malformed> {
    let mut bytes = [0; SECTOR];
    file.seek(SeekFrom::Start(at * 512))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Sectors behind the marker, its zero, its kind.
fn marker(sector: &[u8; SECTOR]) -> (u64, u32, u32) {
    let word = |at: usize| {
        let bytes = sector.get(at..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let count = sector
        .first_chunk::<8>()
        .map_or(0, |b| u64::from_le_bytes(*b));
    (count, word(8), word(12))
}
