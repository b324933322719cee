//! Says that it is another program (PR_SET_MM).

use super::super::attack::{Loot, Scene, bytes, call, io};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    let file = io(std::fs::File::open("/proc/self/exe"))?;
    call(libc::SYS_prctl, &[35, 9, 4096, 0, 0])
        .map(drop)
        .or_else(|errno| {
            // Outside the address is refused, which is after being allowed to ask.
            if errno == libc::EINVAL {
                Ok(())
            } else {
                Err(errno)
            }
        })?;
    drop(file);
    bytes("asked")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("asked")
}
