//! The state volume: LUKS2 under a key derived from the appliance root.
//!
//! Whoever has the disk can write the volume's header, and a header says how the volume is to be
//! read: one that names a null cipher, or a segment that is not encrypted, would have the machine
//! write its state in the clear. So the header is copied into memory, the copy is checked against
//! the one form that this program makes, and the copy, not the disk's, is what opens the volume.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid, chown};
use rustix::mount::{MountFlags, mount, mount_bind};
use serde::Deserialize;

use crate::console::say;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::handover::FOLDER;
use crate::program::Program;
use crate::seal::Keys;

/// The daemon's user and group (systemd/sysusers.d/casemate.conf).
pub(crate) const DAEMON: u32 = 980;

const CRYPTSETUP: &str = "/usr/sbin/cryptsetup";
const MKFS: &str = "/usr/sbin/mke2fs";
const CIPHER: &str = "aes-xts-plain64";
const NAME: &str = "state";
/// The header with both its copies of the metadata and the key slots, as we make it.
const HEADER: u64 = 16 << 20;
const AT: &str = "/state";
const TPM: &str = "/dev/tpmrm0";
/// On the sealed file system: the volume was made, and is never made anew.
const MADE: &str = "state.made";

/// Opens the volume, at the first boot after making it, and mounts it.
pub(crate) fn open(disk: &Disk, keys: Keys) -> Result<PathBuf, Failure> {
    let device = disk.partition("state")?;
    let made = keys.sealed.join(MADE);
    let first = !made.exists();
    if first {
        say("first boot: making the state volume");
        format(&device, &keys.volume.path)?;
    }
    let header = checked_header(&device)?;
    Program::new(CRYPTSETUP)
        .args([
            "open",
            "--type",
            "luks2",
            "--disable-keyring",
            "--disable-external-tokens",
        ])
        .args(["--key-file"])
        .path(&keys.volume.path)
        .args(["--header"])
        .path(&header)
        .path(&device)
        .args([NAME])
        .run()?;
    let opened = Path::new("/dev/mapper").join(NAME);
    if first {
        make_file_system(&opened, NAME)?;
        note(&made)?;
    }
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(&opened, AT, "ext4", safe, None).map_err(Failure::system("cannot mount", &opened))?;
    place(&keys.sealed)?;
    fs::remove_file(&header).map_err(Failure::system("cannot remove", &header))?;
    keys.volume.remove()?;
    say("the state is open");
    Ok(PathBuf::from(AT))
}

/// A fresh volume. The key has 256 uniform bits, so nothing is gained by a slow derivation.
fn format(device: &Path, key: &Path) -> Result<(), Failure> {
    Program::new(CRYPTSETUP)
        .args(["luksFormat", "--batch-mode", "--type", "luks2"])
        .args(["--cipher", CIPHER, "--key-size", "512", "--hash", "sha256"])
        .args(["--sector-size", "4096", "--luks2-metadata-size", "16k"])
        .args(["--luks2-keyslots-size", "16256k", "--disable-keyring"])
        .args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"])
        .args(["--key-file"])
        .path(key)
        .path(device)
        .run()
        .map(drop)
}

/// A fresh ext4, one for both volumes of this disk.
pub(crate) fn make_file_system(device: &Path, label: &str) -> Result<(), Failure> {
    Program::new(MKFS)
        .args(["-q", "-F", "-t", "ext4", "-L", label, "-m", "0"])
        .args(["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"])
        .path(device)
        .run()
        .map(drop)
}

/// A file whose presence is durable.
fn note(path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::system("cannot write", path)(error);
    let file = File::create(path).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let folder = path.parent().unwrap_or(path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Failure::system("cannot sync", folder))
}

/// The header as a file in memory, after the checks.
fn checked_header(device: &Path) -> Result<PathBuf, Failure> {
    let copy = Path::new(FOLDER).join("header");
    let file = File::open(device).map_err(Failure::system("cannot open", device))?;
    let mut bytes = Vec::new();
    file.take(HEADER)
        .read_to_end(&mut bytes)
        .map_err(Failure::system("cannot read", device))?;
    File::create(&copy)
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(Failure::system("cannot write", &copy))?;
    let metadata = Program::new(CRYPTSETUP)
        .args(["luksDump", "--dump-json-metadata"])
        .path(&copy)
        .run()?;
    check(&metadata).map_err(Failure::Volume)?;
    Ok(copy)
}

#[derive(Deserialize)]
struct Metadata {
    keyslots: std::collections::BTreeMap<String, Slot>,
    tokens: std::collections::BTreeMap<String, serde_json::Value>,
    segments: std::collections::BTreeMap<String, Segment>,
    config: Config,
}

#[derive(Deserialize)]
struct Slot {
    #[serde(rename = "type")]
    kind: String,
    key_size: u32,
    area: Area,
}

#[derive(Deserialize)]
struct Area {
    encryption: String,
    key_size: u32,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(rename = "type")]
    kind: String,
    encryption: String,
    offset: String,
    size: String,
    sector_size: u32,
    #[serde(default)]
    integrity: Option<serde_json::Value>,
    #[serde(default)]
    flags: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    requirements: Option<serde_json::Value>,
    #[serde(default)]
    flags: Vec<String>,
}

/// The one form that [`format`] makes: one slot, one segment over the whole volume, this cipher.
fn check(metadata: &[u8]) -> Result<(), String> {
    let metadata: Metadata =
        serde_json::from_slice(metadata).map_err(|error| format!("its header: {error}"))?;
    let slots: Vec<&Slot> = metadata.keyslots.values().collect();
    let [slot] = slots.as_slice() else {
        return Err(format!("its header has {} key slots, not 1", slots.len()));
    };
    let segments: Vec<&Segment> = metadata.segments.values().collect();
    let [segment] = segments.as_slice() else {
        return Err(format!("its header has {} segments, not 1", segments.len()));
    };
    let rules = [
        (slot.kind == "luks2", "the slot's type"),
        (slot.key_size == 64, "the volume key's size"),
        (slot.area.encryption == CIPHER, "the slot's cipher"),
        (slot.area.key_size == 64, "the slot's key size"),
        (segment.kind == "crypt", "the segment's type"),
        (segment.encryption == CIPHER, "the segment's cipher"),
        (segment.offset == HEADER.to_string(), "the segment's offset"),
        (segment.size == "dynamic", "the segment's size"),
        (segment.sector_size == 4096, "the segment's sector size"),
        (segment.integrity.is_none(), "the segment's integrity"),
        (segment.flags.is_empty(), "the segment's flags"),
        (metadata.tokens.is_empty(), "tokens"),
        (metadata.config.requirements.is_none(), "requirements"),
        (metadata.config.flags.is_empty(), "flags"),
    ];
    match rules.iter().find(|(kept, _)| !kept) {
        None => Ok(()),
        Some((_, what)) => Err(format!("its header is not of our making: {what}")),
    }
}

/// The daemon owns the state; the sealed object appears in it, from its own file system.
fn place(sealed: &Path) -> Result<(), Failure> {
    let at = Path::new(AT).join("tpm");
    fs::create_dir_all(&at).map_err(Failure::system("cannot make", &at))?;
    mount_bind(sealed, &at).map_err(Failure::system("cannot mount", &at))?;
    let (user, group) = (Uid::from_raw(DAEMON), Gid::from_raw(DAEMON));
    // No udev sets the TPM's mode: after the initrd, the daemon alone opens it.
    for (path, mode) in [
        (Path::new(AT), 0o700),
        (&at, 0o700),
        (Path::new(TPM), 0o600),
    ] {
        chown(path, Some(user), Some(group)).map_err(Failure::system("cannot own", path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(Failure::system("cannot close", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    /// As cryptsetup 2.7 writes what `format` asks for.
    const GOOD: &str = r#"{"keyslots":{"0":{"type":"luks2","key_size":64,
        "af":{"type":"luks1","stripes":4000,"hash":"sha256"},
        "area":{"type":"raw","offset":"32768","size":"258048","encryption":"aes-xts-plain64","key_size":64},
        "kdf":{"type":"pbkdf2","hash":"sha256","iterations":1000,"salt":"AAAA"}}},
        "tokens":{},
        "segments":{"0":{"type":"crypt","offset":"16777216","size":"dynamic","iv_tweak":"0",
        "encryption":"aes-xts-plain64","sector_size":4096}},
        "digests":{"0":{"type":"pbkdf2","keyslots":["0"],"segments":["0"],"hash":"sha256",
        "iterations":1000,"salt":"AAAA","digest":"AAAA"}},
        "config":{"json_size":"12288","keyslots_size":"16646144"}}"#;

    #[test]
    fn our_own_form_is_taken() {
        assert_eq!(check(GOOD.as_bytes()), Ok(()));
    }

    /// The attacks on confidential virtual machines' disks: a header that asks for no encryption.
    #[test]
    fn every_other_header_is_refused() {
        for (from, to) in [
            (
                r#""encryption":"aes-xts-plain64","sector"#,
                r#""encryption":"cipher_null-ecb","sector"#,
            ),
            (
                r#""encryption":"aes-xts-plain64","key_size":64}"#,
                r#""encryption":"cipher_null-ecb","key_size":64}"#,
            ),
            (r#""type":"crypt""#, r#""type":"linear""#),
            (r#""16777216""#, r#""33554432""#),
            (r#""dynamic""#, r#""4096""#),
            (r#""tokens":{}"#, r#""tokens":{"0":{"type":"x"}}"#),
            (
                r#""config":{"#,
                r#""config":{"requirements":{"mandatory":["online-reencrypt"]},"#,
            ),
            (r#""sector_size":4096"#, r#""sector_size":512"#),
            (
                r#""iv_tweak":"0","#,
                r#""iv_tweak":"0","integrity":{"type":"none"},"#,
            ),
        ] {
            let bad = GOOD.replace(from, to);
            assert_ne!(bad, GOOD, "{from}");
            assert!(check(bad.as_bytes()).is_err(), "{to}");
        }
        let slot = GOOD.find(r#""0":{"type":"luks2""#).unwrap();
        let mut two = GOOD.to_owned();
        let end = GOOD.find("}},\n        \"tokens\"").unwrap() + 1;
        two.insert_str(end, &format!(",\"1\"{}", &GOOD[slot + 3..end]));
        assert!(check(two.as_bytes()).unwrap_err().contains("2 key slots"));
    }
}
