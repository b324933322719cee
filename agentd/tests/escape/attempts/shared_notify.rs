//! Has the kernel signal it whenever somebody reads in a shared directory (F_NOTIFY).

use std::os::fd::AsRawFd;

use super::super::attack::{Got, Loot, Scene, at, call, io};
use super::super::world::{Report, World, soon};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

/// SIGIO, as a bit of the kernel's sets.
const BIT: u64 = 1 << (libc::SIGIO - 1);

fn attack(scene: &Scene) -> Loot {
    let directory = io(std::fs::File::open(&scene.shared))?;
    // F_NOTIFY, DN_MULTISHOT | DN_ACCESS
    call(
        libc::SYS_fcntl,
        &[directory.as_raw_fd().into(), 1026, 0x8000_0001],
    )?;
    // It waits for the signal instead of ending by it: SIG_BLOCK.
    call(libc::SYS_rt_sigprocmask, &[0, at(&BIT), 0, 8])?;
    Ok(Got {
        held: vec![directory.into()],
        ..Got::default()
    })
}

fn seen(world: &mut World, report: &Report) -> bool {
    // The host reads the file; the attacker has a signal waiting.
    let _read = std::fs::read(world.shared.join("rules")).unwrap();
    soon(|| {
        let pending = u64::from_str_radix(&report.now().line("ShdPnd"), 16).unwrap_or(0);
        pending & BIT != 0
    })
}
