//! Raises its limit of open files.

use super::super::attack::{Loot, Scene, at, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let mut limit = [0u64; 2];
    call(libc::SYS_prlimit64, &[0, 7, 0, limit.as_mut_ptr() as i64])?;
    // Not every root may raise the upper limit; the lower one shows as well that
    // the call is there.
    let more = if scene.outside {
        [limit[0] - 1, limit[1]]
    } else {
        [limit[1] + 1, limit[1] + 1]
    };
    call(libc::SYS_prlimit64, &[0, 7, at(&more), 0])?;
    bytes(more[0].to_string())
}

fn seen(_: &mut World, report: &Report) -> bool {
    let claimed = report
        .answer
        .as_ref()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    claimed.is_ok_and(|claimed| {
        let line = format!("Max open files            {claimed} ");
        report
            .file("limits")
            .lines()
            .any(|found| found.starts_with(&line))
    })
}
