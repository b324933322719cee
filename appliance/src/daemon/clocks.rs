//! The machine's clocks, read here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::audit::witness::Clocks;

/// The clocks of the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct MachineClocks;

impl Clocks for MachineClocks {
    fn wall_ms(&self) -> u64 {
        // A clock before 1970 is a clock that is not set.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn boot_ms(&self) -> u64 {
        let Ok(now) = clock_gettime(ClockId::CLOCK_BOOTTIME) else {
            return 0;
        };
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        let nanoseconds = u64::try_from(now.tv_nsec()).unwrap_or(0);
        seconds
            .saturating_mul(1000)
            .saturating_add(nanoseconds / 1_000_000)
    }
}
