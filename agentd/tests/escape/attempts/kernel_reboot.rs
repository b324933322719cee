//! Restarts its pid namespace, as it would the machine.

use super::super::attack::{Loot, Scene, call, in_child, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Apart,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    if !scene.outside {
        call(
            libc::SYS_reboot,
            &[0xfee1_dead, 0x2812_1969, 0x0123_4567, 0],
        )?;
        return nothing();
    }
    // The first process of a namespace of its own: only that one is ended.
    in_child(|| {
        if unsafe { libc::getpid() } != 1 {
            return Err(libc::EINVAL);
        }
        call(
            libc::SYS_reboot,
            &[0xfee1_dead, 0x2812_1969, 0x0123_4567, 0],
        )
        .map(drop)
    })
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("signal 1")
}
