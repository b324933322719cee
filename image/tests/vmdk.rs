//! The VMDK writer against qemu-img, and the reader against damage.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a test's helpers fail the test"
)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use casemate_image::digest;
use casemate_image::vmdk::{self, Descriptor, GRAIN, Vmdk};
use proptest::prelude::*;

/// What is in a grain of a test's disk.
#[derive(Debug, Clone, Copy)]
enum Grain {
    Hole,
    Zeros,
    Text(u8),
    Noise(u64),
    LastByte,
}

/// Writes a raw disk: `grains` of it are said, the rest is a hole.
fn raw(path: &Path, count: u64, grains: &[(u64, Grain)]) -> File {
    let mut file = File::create_new(path).unwrap();
    file.set_len(count * GRAIN as u64).unwrap();
    for (index, grain) in grains {
        let bytes: Vec<u8> = match grain {
            Grain::Hole => continue,
            Grain::Zeros => vec![0; GRAIN],
            Grain::Text(seed) => (0..GRAIN).map(|at| seed ^ (at / 700) as u8).collect(),
            Grain::Noise(seed) => noise(*seed),
            Grain::LastByte => [vec![0; GRAIN - 1], vec![1]].concat(),
        };
        file.seek(SeekFrom::Start(index % count * GRAIN as u64))
            .unwrap();
        file.write_all(&bytes).unwrap();
    }
    File::open(path).unwrap()
}

/// A grain that does not compress (xorshift64*).
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut out = Vec::with_capacity(GRAIN);
    while out.len() < GRAIN {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        out.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    out
}

fn pack(disk: &File, to: &Path) -> std::io::Result<u64> {
    let size = disk.metadata()?.len();
    let mut again = disk.try_clone()?;
    again.seek(SeekFrom::Start(0))?;
    let descriptor = Descriptor {
        name: "disk.vmdk",
        content: digest::of_bytes(b"content"),
    };
    vmdk::write(again, size, &descriptor, File::create(to)?)
}

fn qemu_img(args: &[&str], files: &[&Path]) {
    let output = Command::new("qemu-img").args(args).args(files).output();
    let output = output.expect("qemu-img, of Debian's qemu-utils");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "qemu-img {args:?}: {text}");
}

/// qemu-img finds no error in it, and the same disk; so does our reader.
fn round_trip(count: u64, grains: &[(u64, Grain)]) {
    let dir = tempfile::tempdir().unwrap();
    let [source, packed, again, back, ours] =
        ["raw", "vmdk", "vmdk2", "back", "ours"].map(|name| dir.path().join(name));
    let disk = raw(&source, count, grains);
    pack(&disk, &packed).unwrap();
    pack(&disk, &again).unwrap();
    assert_eq!(
        digest::of_file(&packed).unwrap(),
        digest::of_file(&again).unwrap(),
        "two packings of one disk"
    );
    qemu_img(&["check", "-q", "-f", "vmdk"], &[&packed]);
    qemu_img(
        &["compare", "-q", "-f", "raw", "-F", "vmdk"],
        &[&source, &packed],
    );
    qemu_img(&["convert", "-f", "vmdk", "-O", "raw"], &[&packed, &back]);
    let expected = digest::of_file(&source).unwrap();
    assert_eq!(digest::of_file(&back).unwrap(), expected);
    let file = File::open(&packed).unwrap();
    let vmdk = Vmdk::open(&file).unwrap();
    let mut out = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&ours)
        .unwrap();
    vmdk.unpack(&mut out).unwrap();
    assert_eq!(digest::of_file(&ours).unwrap(), expected);
}

fn grain() -> impl Strategy<Value = Grain> {
    prop_oneof![
        Just(Grain::Hole),
        Just(Grain::Zeros),
        any::<u8>().prop_map(Grain::Text),
        any::<u64>().prop_map(Grain::Noise),
        Just(Grain::LastByte),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// Up to one and a half tables, a few grains anywhere in them.
    #[test]
    fn any_sparse_disk_comes_back(
        count in 1u64..700,
        grains in proptest::collection::vec((any::<u64>(), grain()), 0..12),
    ) {
        round_trip(count, &grains);
    }
}

#[test]
fn the_edges_of_a_table_come_back() {
    for count in [1, 511, 512, 513, 1024] {
        round_trip(count, &[(0, Grain::LastByte), (count - 1, Grain::Noise(7))]);
    }
}

#[test]
fn an_empty_disk_has_no_grain_and_no_table() {
    let dir = tempfile::tempdir().unwrap();
    let disk = raw(&dir.path().join("raw"), 1024, &[(9, Grain::Zeros)]);
    let packed = dir.path().join("vmdk");
    assert_eq!(pack(&disk, &packed).unwrap(), 0);
    // Overhead, marker and directory (2 tables), marker and footer, end.
    assert_eq!(
        std::fs::metadata(&packed).unwrap().len(),
        (128 + 2 + 2 + 1) * 512
    );
    round_trip(1024, &[]);
}

/// The layout of the specification, byte by byte where it matters, and the compressor's own bytes:
/// a release is built again only while this digest stands.
#[test]
fn a_known_disk_has_known_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let grains = [
        (0, Grain::Text(3)),
        (5, Grain::Noise(11)),
        (600, Grain::LastByte),
    ];
    let disk = raw(&dir.path().join("raw"), 700, &grains);
    let packed = dir.path().join("vmdk");
    assert_eq!(pack(&disk, &packed).unwrap(), 3 * GRAIN as u64);
    let bytes = std::fs::read(&packed).unwrap();
    let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(&bytes[..4], b"KDMV");
    assert_eq!((word(4), word(8)), (3, 0x3_0001));
    assert_eq!(
        (long(12), long(20), long(28), long(36)),
        (700 * 128, 128, 1, 20)
    );
    assert_eq!(
        (word(44), long(48), long(56), long(64)),
        (512, 0, u64::MAX, 128)
    );
    assert_eq!(&bytes[72..79], b"\0\n \r\n\x01\0");
    let descriptor = &bytes[512..21 * 512];
    let text = descriptor.split(|byte| *byte == 0).next().unwrap();
    let id = hex::encode(digest::of_bytes(b"content"));
    let expected = format!(
        "# Disk DescriptorFile\nversion=1\nCID={}\nparentCID=ffffffff\n\
         createType=\"streamOptimized\"\n\n# Extent description\n\
         RDONLY 89600 SPARSE \"disk.vmdk\"\n\n# The Disk Data Base\n#DDB\n\n\
         ddb.adapterType = \"lsilogic\"\nddb.geometry.cylinders = \"5\"\n\
         ddb.geometry.heads = \"255\"\nddb.geometry.sectors = \"63\"\n\
         ddb.longContentID = \"{}\"\nddb.virtualHWVersion = \"15\"\n",
        &id[..8],
        &id[..32]
    );
    assert_eq!(std::str::from_utf8(text).unwrap(), expected);
    // The first grain's marker: sector 0 of the disk.
    assert_eq!(long(128 * 512), 0);
    // The end: footer's marker, footer with the directory's place, end of stream.
    let end = bytes.len() - 3 * 512;
    assert_eq!((long(end), word(end + 8), word(end + 12)), (1, 0, 3));
    assert!(long(end + 512 + 56) < bytes.len() as u64 / 512);
    assert!(bytes[end + 1024..].iter().all(|byte| *byte == 0));
    let pinned = "d62e471f7d70da9a54d9090f8ca3f16c3bb5e717d87433309c3c93823b00782f";
    assert_eq!(hex::encode(digest::of_bytes(&bytes)), pinned);
}

#[test]
fn a_disk_that_is_not_whole_grains_is_refused() {
    let descriptor = Descriptor {
        name: "disk.vmdk",
        content: [0; 32],
    };
    for size in [0, 512, GRAIN as u64 + 512] {
        let disk = vec![0; GRAIN * 2];
        let error = vmdk::write(disk.as_slice(), size, &descriptor, std::io::sink()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{size}");
    }
    let short = vec![0; GRAIN];
    let error = vmdk::write(
        short.as_slice(),
        2 * GRAIN as u64,
        &descriptor,
        std::io::sink(),
    );
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

/// Any one byte of header, markers, tables or footer that is not what it was is malformed, and a
/// damaged grain never comes back as another one.
#[test]
fn a_damaged_file_is_never_read_as_another_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = raw(
        &dir.path().join("raw"),
        6,
        &[(1, Grain::Text(9)), (5, Grain::Noise(2))],
    );
    let packed = dir.path().join("vmdk");
    pack(&disk, &packed).unwrap();
    let expected = digest::of_file(&dir.path().join("raw")).unwrap();
    let whole = std::fs::read(&packed).unwrap();
    let read = |bytes: &[u8]| {
        let path = dir.path().join("damaged");
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        let mut out = tempfile::NamedTempFile::new().unwrap();
        let vmdk = Vmdk::open(&file).ok()?;
        vmdk.unpack(out.as_file_mut()).ok()?;
        Some(digest::of_file(out.path()).unwrap())
    };
    assert_eq!(read(&whole), Some(expected));
    let end = whole.len();
    let places = (0..79)
        .chain((128 * 512..129 * 512).step_by(7))
        .chain((end - 1536..end).step_by(3))
        .chain((129 * 512..end - 1536).step_by(997));
    for at in places {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        // Padding may hold anything; what it may not do is change the disk.
        let came = read(&damaged);
        assert!(came.is_none() || came == Some(expected), "byte {at}");
    }
    for length in [0, 100, 512, end - 512, end - 1, end / 2] {
        assert_eq!(read(&whole[..length]), None, "{length} bytes");
    }
}
