//! What an init does to the kernel: file systems, modules, power.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};

use crate::failure::Failure;

/// Longest wait for a device: controllers probe while we run, and the machine may be emulated.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kernel's own file systems, and one in memory for what the start leaves to the system.
pub(crate) fn mount_file_systems() -> Result<(), Failure> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let memory = MountFlags::NOSUID | MountFlags::NODEV;
    for (kind, at, flags, options) in [
        ("proc", "/proc", safe, None),
        ("sysfs", "/sys", safe, None),
        ("securityfs", "/sys/kernel/security", safe, None),
        (
            "devtmpfs",
            "/dev",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            Some(c"mode=0755"),
        ),
        ("tmpfs", "/run", memory, Some(c"mode=0755,size=20%")),
    ] {
        fs::create_dir_all(at).map_err(Failure::system("cannot make", at))?;
        match mount(kind, at, kind, flags, options) {
            // The kernel mounts the device file system itself if it is built to.
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => return Err(Failure::system("cannot mount", at)(error)),
        }
    }
    Ok(())
}

/// Loads every module of the initrd in the order of the names, which the builder numbered.
pub(crate) fn load_modules(folder: &Path) -> Result<(), Failure> {
    let read = |error| Failure::system("cannot read", folder)(error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        paths.push(entry.map_err(read)?.path());
    }
    paths.sort();
    for path in paths {
        let file = File::open(&path).map_err(Failure::system("cannot open", &path))?;
        match finit_module(file, c"", 0) {
            // A driver may say that its hardware is not in this machine.
            Ok(()) | Err(rustix::io::Errno::NODEV | rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(Failure::system("cannot load", &path)(error)),
        }
    }
    Ok(())
}

/// From here on nothing can be loaded into the kernel, by anyone, until the machine is reset.
pub(crate) fn lock_modules() -> Result<(), Failure> {
    let switch = "/proc/sys/kernel/modules_disabled";
    fs::write(switch, "1").map_err(Failure::system("cannot write", switch))
}

/// Waits until `found` finds something.
pub(crate) fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> Result<T, Failure> {
    let start = Instant::now();
    loop {
        if let Some(thing) = found() {
            return Ok(thing);
        }
        if start.elapsed() > PATIENCE {
            return Err(Failure::Missing(what.to_owned()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Leaves time to read the console, then turns the machine off. Never returns: the end of the
/// first program would be a kernel panic.
pub(crate) fn power_off() -> ! {
    std::thread::sleep(Duration::from_secs(10));
    rustix::fs::sync();
    let _off = reboot(RebootCommand::PowerOff);
    loop {
        std::thread::park();
    }
}
