//! What an init does to the machine: file systems, modules, the stick, power.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::sync;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::system::{RebootCommand, finit_module, reboot};

use crate::{STICK, Step};

/// Longest wait for a device; the machine is emulated and may share two processors.
const PATIENCE: Duration = Duration::from_secs(120);

/// Mounts, loads the modules of `/modules` in the order of their names, mounts the stick.
pub(crate) fn start() -> Step<()> {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("securityfs", "/sys/kernel/security"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/run"),
    ] {
        fs::create_dir_all(at)?;
        // The kernel mounts the device file system itself if it is built to.
        if let Err(error) = mount(kind, at, kind, MountFlags::empty(), None)
            && error != rustix::io::Errno::BUSY
        {
            return Err(format!("cannot mount {at}: {error}").into());
        }
    }
    load_modules()?;
    let device = stick_device()?;
    wait_for(&device)?;
    wait_for("/dev/tpmrm0")?;
    fs::create_dir_all(STICK)?;
    mount(&device, STICK, "vfat", MountFlags::NOEXEC, None)
        .map_err(|error| format!("cannot mount the stick {device}: {error}"))?;
    Ok(())
}

fn load_modules() -> Step<()> {
    let mut paths = fs::read_dir("/modules")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    for path in paths {
        finit_module(File::open(&path)?, c"", 0)
            .map_err(|error| format!("cannot load {}: {error}", path.display()))?;
    }
    Ok(())
}

fn stick_device() -> Step<String> {
    let line = fs::read_to_string("/proc/cmdline")?;
    line.split_whitespace()
        .find_map(|word| word.strip_prefix("casemate.stick="))
        .map(str::to_owned)
        .ok_or_else(|| "the kernel's command line names no stick".into())
}

fn wait_for(path: &str) -> Step<()> {
    let start = Instant::now();
    while !Path::new(path).exists() {
        if start.elapsed() > PATIENCE {
            return Err(format!("{path} does not appear").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Writes everything out and turns the machine off. Never returns: the end of init would be a
/// kernel panic.
pub(crate) fn power_off() -> ! {
    sync();
    let _unmounted = unmount(STICK, UnmountFlags::empty());
    let _off = reboot(RebootCommand::PowerOff);
    loop {
        std::thread::park();
    }
}
