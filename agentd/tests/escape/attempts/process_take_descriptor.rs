//! Takes another's descriptor (pidfd_getfd).

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, at, bytes, call, own};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    // Where it is not to be found, a number that no process has.
    let victim = call(libc::SYS_pidfd_open, &[scene.victim.into(), 0]).unwrap_or(-1);
    let taken = own(call(
        libc::SYS_pidfd_getfd,
        &[victim, scene.descriptor.into(), 0],
    )?);
    let mut all = vec![0; 64];
    call(
        libc::SYS_pread64,
        &[taken.as_raw_fd().into(), at(all.as_mut_slice()), 64, 0],
    )?;
    bytes(all)
}
