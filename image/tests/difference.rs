//! `image diff`: each layer opened, causes before their echoes.

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
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use casemate_image::diff;
use casemate_image::ova::{Package, PackageKey, Signer};
use casemate_image::ovf::Enrolment;
use casemate_image::release::Boot;

/// The differences of two files, as they are printed.
fn differences(first: &Path, second: &Path) -> Vec<String> {
    let found = diff::compare(first, second).unwrap();
    found.iter().map(ToString::to_string).collect()
}

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self, script: &str) {
        let mut bash = Command::new("bash");
        let bash = bash
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.0.path());
        let bash = bash.env("SOURCE_DATE_EPOCH", "1764000000").env("TZ", "UTC");
        let output = bash.env("MTOOLS_SKIP_CHECK", "1").output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// An erofs of one release file, whose second line is `line`.
    fn erofs(&self, name: &str, line: &str) -> PathBuf {
        self.put("tree/usr/lib/os-release", format!("ID=casemate\n{line}\n"));
        self.put("tree/usr/bin/tool", [0x7f, b'E', b'L', b'F', 0, 1, 2, 3]);
        self.run(&format!(
            "rm -f {name}; chmod -R u=rwX,go=rX tree; \
             mkfs.erofs --quiet -T1764000000 -Uc1b9d5a2-f162-11cf-9ece-0020afc76f16 {name} tree; rm -r tree"
        ));
        self.path(name)
    }

    /// A FAT file system with one image in it.
    fn esp(&self, name: &str, image: &[u8]) -> PathBuf {
        self.put("image", image);
        self.run(&format!(
            "rm -f {name}; truncate -s 4M {name}; mkfs.vfat --invariant -i 12345678 {name} >/dev/null; \
             touch -d @1764000000 image; mmd -i {name} ::EFI ::EFI/BOOT; \
             mcopy -m -i {name} image ::EFI/BOOT/BOOTX64.EFI"
        ));
        self.path(name)
    }

    /// A disk of 8 MiB: an ESP at 1 MiB, a root at 6 MiB.
    fn disk(&self, name: &str, esp: &Path, root: &Path) -> PathBuf {
        let path = self.path(name);
        let mut disk = File::create(&path).unwrap();
        disk.set_len(8 << 20).unwrap();
        let mut put = |at: u64, bytes: &[u8]| {
            disk.seek(SeekFrom::Start(at)).unwrap();
            disk.write_all(bytes).unwrap();
        };
        let mut header = [0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        header[72..80].copy_from_slice(&2u64.to_le_bytes());
        header[80..84].copy_from_slice(&4u32.to_le_bytes());
        header[84..88].copy_from_slice(&128u32.to_le_bytes());
        put(512, &header);
        for (index, (name, first, last)) in [("esp", 2048u64, 10_239u64), ("root", 12_288, 14_335)]
            .iter()
            .enumerate()
        {
            let mut entry = [0; 128];
            entry[..16].copy_from_slice(&[index as u8 + 1; 16]);
            entry[16..32].copy_from_slice(&[9; 16]);
            entry[32..40].copy_from_slice(&first.to_le_bytes());
            entry[40..48].copy_from_slice(&last.to_le_bytes());
            for (at, unit) in name.encode_utf16().enumerate() {
                entry[56 + at * 2..58 + at * 2].copy_from_slice(&unit.to_le_bytes());
            }
            put(1024 + index as u64 * 128, &entry);
        }
        put(1 << 20, &std::fs::read(esp).unwrap());
        put(6 << 20, &std::fs::read(root).unwrap());
        path
    }

    fn package(&self, name: &str, disk: &Path) -> PathBuf {
        let key = PackageKey::make(self.0.path()).unwrap();
        let package = Package {
            name: "casemate",
            version: "0.1.0",
            disk,
            enrolment: Enrolment {
                pk: vec![1],
                kek: vec![2],
                db: vec![3],
            },
            epoch: 1_764_000_000,
        };
        let path = self.path(name);
        package.write(&Signer::Key(&key), &path).unwrap();
        path
    }
}

/// A UKI with this command line.
fn uki(command_line: &str) -> Vec<u8> {
    let mut boot = Boot::development();
    for (name, content) in &mut boot.sections {
        if *name == ".cmdline" {
            *content = command_line.as_bytes().to_vec();
        }
    }
    boot.uki()
}

/// One line of one file of the root, down from the package. The root's digest in the command line
/// differs as well, and the manifest, and the certificate: none of them is named first.
#[test]
fn one_changed_line_of_the_root_is_found_from_the_package_down() {
    let bench = Bench::new();
    let mut packages = Vec::new();
    for (name, line, digest) in [
        ("a", "VERSION=1", "roothash=aa"),
        ("b", "VERSION=2", "roothash=bb"),
    ] {
        let root = bench.erofs(&format!("{name}.erofs"), line);
        let esp = bench.esp(&format!("{name}.esp"), &uki(digest));
        let disk = bench.disk(&format!("{name}.raw"), &esp, &root);
        packages.push(bench.package(&format!("{name}.ova"), &disk));
    }
    let found = differences(&packages[0], &packages[1]);
    assert_eq!(
        found[0],
        "casemate-disk1.vmdk > disk > partition 2 \"root\" > /usr/lib/os-release: line 2 is \
         \"VERSION=1\" in the first, \"VERSION=2\" in the second"
    );
    assert_eq!(
        found[1],
        "casemate-disk1.vmdk > disk > partition 1 \"esp\" > /EFI/BOOT/BOOTX64.EFI > .cmdline: line \
         1 is \"roothash=aa\" in the first, \"roothash=bb\" in the second"
    );
    let layers: Vec<&str> = found
        .iter()
        .map(|line| line.split([' ', ':']).next().unwrap())
        .collect();
    let expected = ["casemate-disk1.vmdk"; 3];
    assert_eq!(layers[..3], expected);
    assert_eq!(
        layers[3..],
        ["casemate.ovf", "casemate.mf", "casemate.cert"],
        "{found:#?}"
    );
}

#[test]
fn the_same_is_the_same_and_the_command_says_so() {
    let bench = Bench::new();
    let first = bench.put("a", "one\ntwo\n");
    let second = bench.put("b", "one\ntwo\n");
    let third = bench.put("c", "one\nTWO\n");
    let image = |a: &Path, b: &Path| -> Output {
        let image = env!("CARGO_BIN_EXE_image");
        Command::new(image)
            .arg("diff")
            .args([a, b])
            .output()
            .unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let output = image(&first, &second);
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(0), "the same\n")
    );
    let output = image(&first, &third);
    let what = "line 2 is \"two\" in the first, \"TWO\" in the second";
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(1), format!("{what}\n"))
    );
    let expected = format!(
        "casemate: image: {} and {} differ, first in {what}\n  code image.different; Look at the first \
         difference: the others may follow from it.\n",
        first.display(),
        third.display()
    );
    assert_eq!(text(&output.stderr), expected);
    let output = image(&first, &bench.path("missing"));
    assert_eq!(output.status.code(), Some(70));
}

#[test]
fn a_file_more_and_a_mode_are_named() {
    let bench = Bench::new();
    let first = bench.erofs("a", "x");
    bench.put("tree/usr/lib/more", "more");
    bench.put("tree/usr/bin/tool", "tool");
    bench.run("chmod 4755 tree/usr/bin/tool");
    let line = "mkfs.erofs --quiet -T1764000000 -Uc1b9d5a2-f162-11cf-9ece-0020afc76f16 b tree";
    bench.put("tree/usr/lib/os-release", "ID=casemate\nx\n");
    bench.run(line);
    let found = differences(&first, &bench.path("b"));
    assert!(
        found.contains(&"file \"/usr/lib/more\" is in the second only".to_owned()),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|line| line.starts_with("/usr/bin/tool: mode is 100644 in the first, 10")),
        "{found:#?}"
    );
}

#[test]
fn sections_signatures_and_tables_are_named() {
    let bench = Bench::new();
    let (one, two) = (uki("root=1"), uki("root=2"));
    let found = differences(&bench.put("a.efi", &one), &bench.put("b.efi", &two));
    assert_eq!(
        found,
        [".cmdline: line 1 is \"root=1\" in the first, \"root=2\" in the second"]
    );
    let root = bench.erofs("root", "x");
    let esp = bench.esp("esp", &one);
    let first = bench.disk("a.raw", &esp, &root);
    let second = bench.disk("b.raw", &esp, &root);
    let mut disk = File::options().write(true).open(&second).unwrap();
    disk.seek(SeekFrom::Start(1024 + 128 + 48)).unwrap();
    disk.write_all(&[4]).unwrap();
    assert_eq!(
        differences(&first, &second),
        ["partition table > partition 2: attributes is 0x0 in the first, 0x4 in the second"]
    );
    // Behind the partitions, where no table says what it is.
    let third = bench.disk("c.raw", &esp, &root);
    let mut disk = File::options().write(true).open(&third).unwrap();
    disk.seek(SeekFrom::Start((8 << 20) - 512)).unwrap();
    disk.write_all(&[0xee]).unwrap();
    assert_eq!(
        differences(&first, &third),
        [
            "the same content is packed differently: byte 8388096 on is 0000000000000000 and ee00000000000000"
        ]
    );
}

#[test]
fn an_initrd_is_opened() {
    let bench = Bench::new();
    for (name, content) in [("a", "one"), ("b", "two")] {
        let newc = |file: &str, bytes: &str| {
            let mut out = format!("070701{:08x}{:08x}", 1, 0o100_644);
            for field in [0, 0, 1, 0, bytes.len(), 0, 0, 0, 0, file.len() + 1, 0] {
                out.push_str(&format!("{field:08x}"));
            }
            out.push_str(file);
            out.push('\0');
            out.extend(std::iter::repeat_n(
                '\0',
                out.len().next_multiple_of(4) - out.len(),
            ));
            out.push_str(bytes);
            out.extend(std::iter::repeat_n(
                '\0',
                out.len().next_multiple_of(4) - out.len(),
            ));
            out
        };
        bench.put(name, newc("init", content) + &newc("TRAILER!!!", ""));
        bench.run(&format!("zstd -q -f {name} -o {name}.zst"));
    }
    assert_eq!(
        differences(&bench.path("a.zst"), &bench.path("b.zst")),
        ["init: line 1 is \"one\" in the first, \"two\" in the second"]
    );
}

/// Files of others: whatever they say of themselves, an answer comes and it is a difference.
#[test]
fn malformed_files_are_compared_as_bytes() {
    let bench = Bench::new();
    let heads: [&[u8]; 5] = [b"KDMV", b"MZ", b"070701", &[0x7f; 600], b"EFI"];
    for head in heads {
        let mut first = head.to_vec();
        first.resize(4096, 0);
        let mut second = first.clone();
        second[3000] = 7;
        let found = differences(&bench.put("a", &first), &bench.put("b", &second));
        assert_eq!(
            found,
            ["byte 3000 on is 0000000000000000 and 0700000000000000"],
            "{head:?}"
        );
    }
    let mut disk = vec![0; 1 << 20];
    disk[512..520].copy_from_slice(b"EFI PART");
    disk[584..592].copy_from_slice(&[0xff; 8]);
    disk[592..596].copy_from_slice(&[0xff; 4]);
    let mut other = disk.clone();
    other[900_000] = 1;
    let found = differences(&bench.put("a", &disk), &bench.put("b", &other));
    assert_eq!(found.len(), 1, "{found:?}");
    let found = differences(&bench.put("a", "text"), &bench.put("b", [0xff; 9]));
    assert_eq!(
        found,
        ["a text in the first, bytes of no known form in the second"]
    );
}
