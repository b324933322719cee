//! The appliance root: provisioned at the first boot, opened at each, always by `unseal`.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::console::say;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::handover::{self, Keeper};
use crate::kernel::wait_for;
use crate::program::Program;
use crate::recovery;
use crate::volume::{DAEMON, make_file_system};

const UNSEAL: &str = "/unseal";
const TPM: &str = "device:/dev/tpmrm0";
const FIRMWARE: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";
/// What the daemon reads of the start.
const FOLDER: &str = "/run/measured";
const FIRMWARE_LOG: &str = "/run/measured/firmware.log";
const RUNTIME_LOG: &str = "/run/measured/runtime.log";
const RELEASE: &str = "/run/measured/release.cose";
/// The public keys that this image trusts; measured with the initrd.
const RELEASE_KEY: &str = "/keys/release.pub";
const SITE_KEY: &str = "/keys/site.pub";
/// More bytes than any manifest has.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// Keeps the firmware's log and measures the phase.
pub(crate) fn enter_initrd() -> Result<(), Failure> {
    fs::create_dir_all(FOLDER).map_err(Failure::system("cannot make", FOLDER))?;
    wait_for("a TPM", || {
        let node = Path::new("/dev/tpmrm0");
        (node.exists() && Path::new(FIRMWARE).exists()).then_some(())
    })?;
    let log = fs::read(FIRMWARE).map_err(Failure::system("cannot read", FIRMWARE))?;
    fs::write(FIRMWARE_LOG, log).map_err(Failure::system("cannot write", FIRMWARE_LOG))?;
    phase("enter-initrd")?;
    say("the phase is measured");
    Ok(())
}

/// Closes the phase: nothing that is sealed to the initrd opens after this, whatever PCR 15 says.
pub(crate) fn leave_initrd() -> Result<(), Failure> {
    phase("leave-initrd")
}

fn phase(word: &str) -> Result<(), Failure> {
    Program::new(UNSEAL)
        .args(["phase", "--tpm", TPM, "--runtime-log", RUNTIME_LOG, word])
        .run()
        .map(drop)
}

/// The release manifest, from beside the image: it predicts the image's own digest, so it cannot
/// lie inside. It is signed, and `unseal` refuses another release's.
pub(crate) fn release(disk: &Disk) -> Result<PathBuf, Failure> {
    let device = disk.partition("esp")?;
    let at = "/esp";
    let safe = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(&device, at, "vfat", safe, None).map_err(Failure::system("cannot mount", &device))?;
    let from = Path::new(at).join("casemate/release.cose");
    let copied = copy(&from, Path::new(RELEASE));
    unmount(at, UnmountFlags::empty()).map_err(Failure::system("cannot unmount", at))?;
    copied.map(|()| PathBuf::from(RELEASE))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::system("cannot read", from)(error);
    let found = fs::metadata(from).map_err(failed)?;
    if found.len() > LARGEST_MANIFEST {
        return Err(Failure::Missing(format!(
            "a manifest of sane size at {}",
            from.display()
        )));
    }
    let bytes = fs::read(from).map_err(failed)?;
    fs::write(to, bytes).map_err(Failure::system("cannot write", to))
}

/// The opened root: the file system with the sealed object, and the state volume's key.
pub(crate) struct Keys {
    pub(crate) sealed: PathBuf,
    pub(crate) volume: Keeper,
}

/// Opens the root, at the first boot after making it.
pub(crate) fn open(disk: &Disk, release: &Path) -> Result<Keys, Failure> {
    handover::make_folder()?;
    let sealed = mount_sealed(disk)?;
    // A record of a recovery key without a root is an appliance that lost something, not a new one.
    let recoverable = sealed.join("recovery.cbor").exists();
    let sealing = |word| sealing(word, &sealed, release);
    if !recoverable && !sealed.join("root.cbor").exists() {
        say("first boot: taking ownership of the TPM");
        sealing("provision").run()?;
    }
    let keys = match unseal(&sealed, release) {
        Err(why) if recoverable => {
            recovery::offer(&why, || sealing("recover"))?;
            unseal(&sealed, release)?
        }
        other => other?,
    };
    say("the TPM has opened the root");
    let [daemon, volume, recovery] = keys;
    daemon.give(DAEMON)?;
    // The console shows it until it was typed back, and has it from systemd (`OpenFile=`).
    if recovery.is_empty()? {
        recovery.remove()?;
    }
    Ok(Keys { sealed, volume })
}

/// `unseal provision` and `unseal recover` are given the same.
fn sealing(word: &'static str, sealed: &Path, release: &Path) -> Program {
    Program::new(UNSEAL)
        .args([word, "--tpm", TPM, "--release-key", RELEASE_KEY])
        .args(["--site-key", SITE_KEY, "--firmware-log", FIRMWARE_LOG])
        .args(["--state"])
        .path(sealed)
        .args(["--release"])
        .path(release)
}

/// The daemon's hand-over, the volume's key, the recovery key or nothing.
fn unseal(sealed: &Path, release: &Path) -> Result<[Keeper; 3], Failure> {
    let [daemon, volume, recovery] = ["handover", "volume", "recovery"].map(Keeper::new);
    let keys = [daemon?, volume?, recovery?];
    let numbers = keys.each_ref().map(|key| key.number().to_string());
    let [daemon, volume, recovery] = numbers.each_ref().map(String::as_str);
    Program::new(UNSEAL)
        .args(["open", "--tpm", TPM, "--runtime-log", RUNTIME_LOG])
        .args(["--out-fd", daemon, "--volume-fd", volume])
        .args(["--recovery-fd", recovery, "--state"])
        .path(sealed)
        .args(["--release"])
        .path(release)
        .run()?;
    Ok(keys)
}

/// The file system that holds the sealed object. It is no secret and cannot be encrypted: its
/// content opens what is.
fn mount_sealed(disk: &Disk) -> Result<PathBuf, Failure> {
    let (device, at) = (disk.partition("seal")?, PathBuf::from("/sealed"));
    if is_blank(&device)? {
        make_file_system(&device, "seal")?;
    }
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(&device, &at, "ext4", safe, None).map_err(Failure::system("cannot mount", &device))?;
    Ok(at)
}

/// As it was delivered: nothing but zeros where any header would be.
pub(crate) fn is_blank(device: &Path) -> Result<bool, Failure> {
    let file = fs::File::open(device).map_err(Failure::system("cannot open", device))?;
    let mut start = vec![0; 64 << 10];
    file.read_exact_at(&mut start, 0)
        .map_err(Failure::system("cannot read", device))?;
    Ok(start.iter().all(|byte| *byte == 0))
}
