//! Sets the clock.

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn stage(world: &mut World) {
    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
    let timer =
        rustix::time::timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK).unwrap();
    let never = Itimerspec {
        it_interval: Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: Timespec {
            tv_sec: i64::MAX >> 20,
            tv_nsec: 0,
        },
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    rustix::time::timerfd_settime(&timer, flags, &never).unwrap();
    world.kept.push(timer);
}

fn attack(_: &Scene) -> Loot {
    let mut now = [0i64; 2];
    call(libc::SYS_clock_gettime, &[0, now.as_mut_ptr() as i64])?;
    call(libc::SYS_clock_settime, &[0, at(&now)])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    // A timer that ends when the clock is set.
    let mut expired = [0u8; 8];
    rustix::io::read(&world.kept[0], &mut expired) == Err(rustix::io::Errno::CANCELED)
}
