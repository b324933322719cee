//! Disks: a GPT disk with an EFI system partition, and the stick. No loop device, no mount.

use std::fs;
use std::path::Path;

use crate::tool::run;

const SECTOR: usize = 512;
/// Where the partition begins, in sectors.
const START: usize = 2048;
const SIZE_MIB: usize = 64;
const SYSTEM_PARTITION: [u8; 16] = [
    0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
];

/// A FAT file system of `mib` with a label, made in `file`.
pub(crate) fn fat(file: &Path, mib: usize, label: &str) {
    let bytes = u64::try_from(mib << 20).unwrap();
    fs::File::create(file).unwrap().set_len(bytes).unwrap();
    run(
        "mkfs.vfat",
        &["-F", "16", "-n", label, "-i", "c45e3a7e", text(file)],
    );
}

/// Writes a file or folder of the host into the file system.
pub(crate) fn put(image: &Path, from: &Path, to: &str) {
    let to = format!("::{to}");
    run("mcopy", &["-o", "-s", "-i", text(image), text(from), &to]);
}

/// Makes a folder in the file system.
pub(crate) fn folder(image: &Path, name: &str) {
    run("mmd", &["-i", text(image), &format!("::{name}")]);
}

/// Removes a file if it is there.
pub(crate) fn remove(image: &Path, name: &str) {
    if get(image, name).is_some() {
        run("mdel", &["-i", text(image), &format!("::{name}")]);
    }
}

/// A file out of the file system, if it is there.
pub(crate) fn get(image: &Path, name: &str) -> Option<Vec<u8>> {
    let done = std::process::Command::new("mtype")
        .args(["-i", text(image), &format!("::{name}")])
        .output()
        .unwrap();
    done.status.success().then_some(done.stdout)
}

/// A disk that boots `uki` by the fallback path, with more files beside it.
pub(crate) fn system(work: &Path, uki: &Path, beside: &[(&str, &Path)]) -> std::path::PathBuf {
    let partition = work.join("esp.img");
    fat(&partition, SIZE_MIB, "ESP");
    folder(&partition, "EFI");
    folder(&partition, "EFI/BOOT");
    put(&partition, uki, "EFI/BOOT/BOOTX64.EFI");
    for (name, file) in beside {
        if let Some((parent, _)) = name.rsplit_once('/')
            && parent != "EFI/BOOT"
        {
            folder(&partition, parent);
        }
        put(&partition, file, name);
    }
    let disk = work.join("disk.img");
    fs::write(&disk, gpt(&fs::read(&partition).unwrap())).unwrap();
    fs::remove_file(partition).unwrap();
    disk
}

/// A GPT disk with one partition (UEFI 2.10, chapter 5).
fn gpt(partition: &[u8]) -> Vec<u8> {
    let sectors = partition.len() / SECTOR;
    let last = START + sectors + 33;
    let mut disk = vec![0; (last + 1) * SECTOR];
    disk[START * SECTOR..START * SECTOR + partition.len()].copy_from_slice(partition);
    // The protective master boot record.
    disk[446..462].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0]);
    disk[458..462].copy_from_slice(&u32::try_from(last).unwrap().to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut entries = vec![0; 128 * 128];
    entries[..16].copy_from_slice(&SYSTEM_PARTITION);
    entries[16..32].copy_from_slice(&[0xe5; 16]);
    entries[32..40].copy_from_slice(&lba(START));
    entries[40..48].copy_from_slice(&lba(START + sectors - 1));
    for (slot, unit) in entries[56..].chunks_exact_mut(2).zip("ESP".encode_utf16()) {
        slot.copy_from_slice(&unit.to_le_bytes());
    }
    let mut header = |at: usize, other: usize, table: usize| {
        let mut header = b"EFI PART".to_vec();
        header.extend([0, 0, 1, 0, 92, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for place in [at, other, START, last - 33] {
            header.extend(lba(place));
        }
        header.extend([0xd1; 16]);
        header.extend(lba(table));
        header.extend([128, 0, 0, 0, 128, 0, 0, 0]);
        header.extend(crc32(&entries).to_le_bytes());
        let sum = crc32(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        disk[at * SECTOR..at * SECTOR + header.len()].copy_from_slice(&header);
        disk[table * SECTOR..table * SECTOR + entries.len()].copy_from_slice(&entries);
    };
    header(1, last, 2);
    header(last, 1, last - 32);
    disk
}

fn lba(sector: usize) -> [u8; 8] {
    u64::try_from(sector).unwrap().to_le_bytes()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
