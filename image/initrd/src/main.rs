//! The first program of the image: everything between the measured kernel and systemd.
//!
//! It is a sequence whose order is the security property, in one place: [`start`]. What it decides
//! on is either inside the signed and measured image (this program, the command line, the keys in
//! `/keys`) or checked before it is used: a verity root from the command line, a release manifest
//! by `unseal`, the header of the state volume by [`volume`]. Partitions are found by name, and a
//! name proves nothing.
//!
//! It ends in `systemd`, or, whatever goes wrong, with one sentence on the console and the power
//! off. There is no shell to fall back to.
#![forbid(unsafe_code)]

mod command_line;
mod console;
mod disk;
mod failure;
mod handover;
mod kernel;
mod program;
mod recovery;
mod root;
mod seal;
mod volume;

use std::path::Path;

use command_line::CommandLine;
use console::say;
use failure::Failure;

fn main() {
    let Err(failure) = start();
    console::last_words(&failure);
    kernel::power_off();
}

/// From the kernel to systemd. Never comes back but with a reason.
fn start() -> Result<std::convert::Infallible, Failure> {
    // 1. What every step needs: the kernel's file systems, drivers, the console.
    kernel::mount_file_systems()?;
    say("the initrd has begun");
    let line = CommandLine::read(Path::new("/proc/cmdline"))?;
    kernel::load_modules(Path::new("/modules"))?;
    // 2. The phase first: what is sealed to the firmware's and loader's phase opens no more.
    seal::enter_initrd()?;
    // 3. The disk that holds this image's root; every later partition is of that disk.
    let disk = disk::Disk::with(&line.root)?;
    // 4. Verified root and packs. From here on each block is checked when it is read.
    root::open(&disk, &line)?;
    // 5. The root of all keys: only the TPM's yes gives it.
    let release = seal::release(&disk)?;
    let keys = seal::open(&disk, &release)?;
    // 6. The state, under a key derived from it.
    let state = volume::open(&disk, keys)?;
    // 7. All in its place below the new root; nothing can be loaded into the kernel any more.
    root::furnish(&state)?;
    kernel::lock_modules()?;
    seal::leave_initrd()?;
    say("handing over to systemd");
    root::switch()
}
