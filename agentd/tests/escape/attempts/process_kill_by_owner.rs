//! Has the kernel signal another as the owner of a descriptor (F_SETOWN, SIGIO).

use std::os::fd::AsRawFd;

use super::super::attack::{Got, Loot, Scene, call, own, say};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::victim_died,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let mut ends = [0i32; 2];
    call(libc::SYS_pipe2, &[ends.as_mut_ptr() as i64, 0])?;
    let (read, write) = (own(ends[0].into()), own(ends[1].into()));
    let fd = i64::from(read.as_raw_fd());
    call(
        libc::SYS_fcntl,
        &[fd, libc::F_SETOWN.into(), scene.victim.into()],
    )?;
    call(libc::SYS_fcntl, &[fd, 10, 9])?; // F_SETSIG, SIGKILL
    call(
        libc::SYS_fcntl,
        &[fd, libc::F_SETFL.into(), libc::O_ASYNC.into()],
    )?;
    say(&write, "x")?;
    Ok(Got {
        held: vec![read, write],
        ..Got::default()
    })
}
