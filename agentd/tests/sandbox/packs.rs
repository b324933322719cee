//! Packs that must not be used.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;

use super::ground::{Ground, copy_of_ground, exec};

fn refused(ground: &Ground, exit: i32, code: &str) {
    let output = exec(ground, "script")
        .args(["--", "/agent/probe", "nothing"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{code}: {output:?}");
    assert!(text.contains(&format!("code {code};")), "{code}: {text}");
    assert!(output.stdout.is_empty(), "it ran: {output:?}");
}

fn works(ground: &Ground) {
    let output = exec(ground, "script")
        .args(["--", "/agent/probe", "nothing"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_pack_that_is_not_the_signed_one_is_not_mounted() {
    let ground = copy_of_ground("changed");
    works(&ground);
    let data = fs::read(&ground.data).unwrap();
    let write = |at: u64, byte: u8| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(&ground.data)
            .unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    // One bit in the first block, the middle, and the last data block.
    let length = data.len() as u64 - 4096;
    for at in [1024, length / 2, length - 1] {
        write(at, data[usize::try_from(at).unwrap()] ^ 1);
        refused(&ground, 5, "pack.changed");
        write(at, data[usize::try_from(at).unwrap()]);
    }
    works(&ground);
    fs::write(&ground.data, &data[..data.len() - 4096]).unwrap();
    refused(&ground, 5, "pack.changed");
    fs::write(&ground.data, &data).unwrap();
    works(&ground);
    fs::set_permissions(&ground.data, PermissionsExt::from_mode(0o666)).unwrap();
    refused(&ground, 4, "pack.exposed");
    fs::remove_file(&ground.data).unwrap();
    refused(&ground, 5, "pack.missing");
    let elsewhere = ground.data.with_extension("elsewhere");
    fs::write(&elsewhere, &data).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &ground.data).unwrap();
    refused(&ground, 5, "pack.missing");
    fs::remove_dir_all(ground.pack.parent().unwrap()).unwrap();
}

#[test]
fn a_manifest_that_is_not_the_signed_one_is_not_believed() {
    let ground = copy_of_ground("manifest");
    works(&ground);
    let good = fs::read(&ground.pack).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&ground.pack, bad).unwrap();
        let output = exec(&ground, "script")
            .args(["--", "/agent/probe", "nothing"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.is_empty(), "byte {at}: {output:?}");
        assert!(
            text.contains("code pack.signature;") || text.contains("code pack.format;"),
            "byte {at}: {text}"
        );
    }
    fs::write(&ground.pack, &good[..good.len() - 1]).unwrap();
    refused(&ground, 5, "pack.format");
    fs::write(&ground.pack, [good.as_slice(), b"x"].concat()).unwrap();
    refused(&ground, 5, "pack.format");
    // The right bytes under another name.
    let other = Ground {
        pack: ground.pack.with_file_name("other.pack"),
        ..ground.clone()
    };
    fs::write(&other.pack, &good).unwrap();
    refused(&other, 5, "pack.format");
    fs::write(&ground.pack, &good).unwrap();
    works(&ground);
    fs::write(&ground.key, "not a key").unwrap();
    refused(&ground, 2, "pack.missing");
    fs::remove_dir_all(ground.pack.parent().unwrap()).unwrap();
}
