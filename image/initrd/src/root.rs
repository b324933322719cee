//! The verified root, what is mounted in it, and the step into it.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_bind, mount_move};

use crate::command_line::{CommandLine, Verity};
use crate::console::say;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::program::Program;

/// Where the new root is put together.
pub(crate) const ROOT: &str = "/sysroot";
const VERITY: &str = "/usr/sbin/veritysetup";
/// Where the root has an empty file for each pack, beside the pack's signed manifest.
const PACKS: &str = "usr/lib/casemate/packs";
const INIT: &str = "/usr/lib/systemd/systemd";

/// Opens root and packs under their trees and mounts the root.
pub(crate) fn open(disk: &Disk, line: &CommandLine) -> Result<(), Failure> {
    let root = open_verity(disk, &line.root)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount(&root, ROOT, "erofs", flags, None).map_err(Failure::system("cannot mount", ROOT))?;
    for pack in &line.packs {
        let device = open_verity(disk, pack)?;
        let at = Path::new(ROOT)
            .join(PACKS)
            .join(format!("{}.erofs", pack.name));
        // The device node itself, in the place of the file: agentd mounts it, we do not.
        mount_bind(&device, &at).map_err(Failure::system("cannot mount", &at))?;
    }
    say(&format!("root and {} packs are verified", line.packs.len()));
    Ok(())
}

/// A device whose every block is checked against the pinned root when it is read; a block that is
/// not the signed one stops the machine at once, because nothing that was read is to be believed
/// after that.
fn open_verity(disk: &Disk, image: &Verity) -> Result<PathBuf, Failure> {
    let device = disk.verity(image)?;
    Program::new(VERITY)
        .args(["open", "--panic-on-corruption"])
        .args([format!("--hash-offset={}", image.size).as_str()])
        .path(&device)
        .args([image.name.as_str()])
        .path(&device)
        .args([image.hash.as_str()])
        .run()?;
    Ok(Path::new("/dev/mapper").join(&image.name))
}

/// What a root that cannot be written needs: folders in memory, and the state.
pub(crate) fn furnish(state: &Path) -> Result<(), Failure> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    for (at, options) in [
        ("tmp", c"mode=1777,size=10%,nr_inodes=10k"),
        ("var", c"mode=0755,size=10%,nr_inodes=10k"),
    ] {
        let at = Path::new(ROOT).join(at);
        mount("tmpfs", &at, "tmpfs", safe, Some(options))
            .map_err(Failure::system("cannot mount", &at))?;
    }
    let at = Path::new(ROOT).join("var/lib/casemate");
    fs::create_dir_all(&at).map_err(Failure::system("cannot make", &at))?;
    // With all below it: the sealed root lies in a file system of its own.
    mount_move(state, &at).map_err(Failure::system("cannot move", &at))
}

/// Moves the mounts over, lets the initrd go and becomes systemd.
pub(crate) fn switch() -> Result<Infallible, Failure> {
    for at in ["/proc", "/sys", "/dev", "/run"] {
        let to = Path::new(ROOT).join(at.trim_start_matches('/'));
        mount_move(at, &to).map_err(Failure::system("cannot move", &to))?;
    }
    forget_initrd();
    std::env::set_current_dir(ROOT).map_err(Failure::system("cannot enter", ROOT))?;
    mount_move(".", "/").map_err(Failure::system("cannot move", ROOT))?;
    rustix::process::chroot(".").map_err(Failure::system("cannot enter", ROOT))?;
    let failed = Command::new(INIT).env_clear().exec();
    Err(Failure::system("cannot start", INIT)(failed))
}

/// Gives the memory of the initrd back: its files are of no use to anybody now.
fn forget_initrd() {
    let Ok(own) = fs::metadata("/").map(|root| root.dev()) else {
        return;
    };
    let mut folders = vec![PathBuf::from("/")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match fs::symlink_metadata(&path) {
                Ok(found) if found.dev() != own => {}
                Ok(found) if found.is_dir() => folders.push(path),
                // What stays only costs memory.
                _ => drop(fs::remove_file(&path)),
            }
        }
    }
}
