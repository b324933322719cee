//! PID 1 of a sandbox: starts one program, reaps whatever is orphaned, and ends
//! with the program; the kernel then ends everything else in the pid namespace.
//!
//! It holds the way to report, so it must be out of the program's reach: it has
//! a Landlock domain of its own (the program's cannot trace or signal into it),
//! is not dumpable, and keeps no way to open a file.

use std::os::fd::BorrowedFd;

use rustix::process::{Pid, WaitOptions, WaitStatus};

use super::layer::Layer;
use super::order::{How, Report};

/// Reaps until `program` has ended, and says how it did.
///
/// Interrupted or impossible waits end the sandbox: without a child to wait for
/// there is nothing left to run.
pub(crate) fn reap_until_ended(program: Pid) -> How {
    loop {
        let ended = if Layer::Reaping.stands() {
            rustix::process::wait(WaitOptions::empty())
        } else {
            rustix::process::waitpid(Some(program), WaitOptions::empty())
        };
        match ended {
            Ok(Some((pid, status))) if pid == program => return how(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return How::Killed,
        }
    }
}

/// The kernel's wait status in our words.
pub(crate) fn how(status: WaitStatus) -> How {
    if let Some(code) = status.exit_status() {
        How::Exited(code)
    } else if let Some(signal) = status.terminating_signal() {
        How::Signalled(signal)
    } else {
        How::Killed
    }
}

/// Reports how the program ended and what all reaped processes used.
pub(crate) fn report_end(control: BorrowedFd<'_>, how: How) {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN);
    let (user_us, system_us) = usage.map_or((0, 0), |usage| {
        (micros(usage.user_time()), micros(usage.system_time()))
    });
    super::order::report(
        control,
        &Report::Ended {
            how,
            user_us,
            system_us,
        },
    );
}

fn micros(time: nix::sys::time::TimeVal) -> u64 {
    use nix::sys::time::TimeValLike;
    u64::try_from(time.num_microseconds()).unwrap_or(0)
}
