//! The disk: a partition table, the EFI system partition, two slots, the sealed object, the
//! state (docs/formats/image.md). No loop device, no mount: each file system is made in a file.

mod esp;
mod gpt;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::BuildError;
pub(crate) use esp::Esp;
pub(crate) use gpt::{Kind, Partition};

const MIB: u64 = 1 << 20;
/// FAT32 needs 65,525 clusters, or OVMF does not mount it.
const ESP: u64 = 512 * MIB;
const SEAL: u64 = 16 * MIB;
/// The state as delivered; a larger disk is filled at the first boot, later.
const STATE: u64 = 1024 * MIB;

/// What a slot has room for, by the name of what is in it. The other slot is as large, empty.
const ROOM: [(&str, u64); 3] = [
    ("root", 256 * MIB),
    ("desktop", 320 * MIB),
    ("ocr", 32 * MIB),
];

/// A file that fills the beginning of a partition.
pub(crate) struct Filling {
    /// The partition's name.
    pub(crate) partition: String,
    /// Which room it takes: `root`, or a pack's name.
    pub(crate) room: &'static str,
    /// The file.
    pub(crate) file: PathBuf,
}

/// The rooms of a slot.
pub(crate) fn rooms() -> impl Iterator<Item = &'static str> {
    ROOM.iter().map(|(name, _)| *name)
}

/// Writes the disk to `out`. `seed` decides the identifiers: the same for the same release.
///
/// # Errors
/// `File`, or `Recipe` when something does not fit its room.
pub(crate) fn write(
    out: &Path,
    esp: &Path,
    slot: &[Filling],
    seed: &[u8; 32],
) -> Result<u64, BuildError> {
    let mut partitions = vec![(Partition::new("esp", Kind::System, ESP), Some(esp))];
    for (room, size) in ROOM {
        let filling = slot.iter().find(|filling| filling.room == room);
        let filling = filling.ok_or_else(|| BuildError::recipe(out, format!("no {room}")))?;
        let length = std::fs::metadata(&filling.file)
            .map_err(BuildError::file("read", &filling.file))?
            .len();
        if length > size {
            let why = format!("{length} bytes do not fit the {} MiB of {room}", size / MIB);
            return Err(BuildError::recipe(&filling.file, why));
        }
        let partition = Partition::new(&filling.partition, Kind::Verity, size);
        partitions.push((partition, Some(filling.file.as_path())));
    }
    for (room, size) in ROOM {
        partitions.push((
            Partition::new(&format!("{room}-empty"), Kind::Verity, size),
            None,
        ));
    }
    partitions.push((Partition::new("seal", Kind::Data, SEAL), None));
    partitions.push((Partition::new("state", Kind::Data, STATE), None));
    let table: Vec<Partition> = partitions.iter().map(|(table, _)| table.clone()).collect();
    let table = gpt::Table::new(&table, seed);
    let _old = std::fs::remove_file(out);
    let failed = |error| BuildError::file("write", out)(error);
    let mut disk = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(out)
        .map_err(failed)?;
    disk.set_len(table.size()).map_err(failed)?;
    for (at, bytes) in table.parts() {
        disk.seek(SeekFrom::Start(at)).map_err(failed)?;
        disk.write_all(&bytes).map_err(failed)?;
    }
    for ((_, file), start) in partitions.iter().zip(table.starts()) {
        if let Some(file) = file {
            fill(&mut disk, start, file).map_err(BuildError::file("copy", file))?;
        }
    }
    disk.sync_all().map_err(failed)?;
    Ok(table.size())
}

/// Copies a file to an offset; what is zero stays a hole.
fn fill(disk: &mut File, start: u64, from: &Path) -> std::io::Result<()> {
    let mut file = File::open(from)?;
    let mut block = vec![0; 1 << 20];
    let mut at = start;
    loop {
        let mut length = 0;
        while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read(rest)? {
                0 => break,
                read => length += read,
            }
        }
        let Some(read) = block.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        if read.iter().any(|byte| *byte != 0) {
            disk.seek(SeekFrom::Start(at))?;
            disk.write_all(read)?;
        }
        at += u64::try_from(length).unwrap_or(u64::MAX);
    }
}
