//! Descriptors: one inherited directory descriptor gives a whole tree back, so
//! nothing is inherited that was not named.

use std::os::fd::{AsFd, BorrowedFd, RawFd};

use rustix::fs::{Mode, OFlags};

use super::layer::Layer;
use super::refusal::{At, Refusal};
use super::sys;
use crate::code;

/// Where the one passed descriptor is, inside every sandbox.
pub(crate) const PASSED: RawFd = 3;

/// Marks everything above the standard three close-on-exec. Called first, before
/// anything is opened that the order asks for: what came in by accident goes out
/// at exec whatever happens later.
pub(crate) fn keep_none() -> Result<(), Refusal> {
    if !Layer::Descriptors.stands() {
        return Ok(());
    }
    sys::close_on_exec(3).at(&code::SANDBOX_DESCRIPTORS, || {
        "inherited descriptors could not be closed".to_owned()
    })
}

/// Gives the program `/dev/null` as its input and [`hand_over`]s the passed one.
pub(crate) fn arrange(passed: Option<BorrowedFd<'_>>) -> Result<(), Refusal> {
    let failed = || "the program's input could not be arranged".to_owned();
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .at(&code::SANDBOX_DESCRIPTORS, failed)?;
    rustix::stdio::dup2_stdin(null.as_fd()).at(&code::SANDBOX_DESCRIPTORS, failed)?;
    drop(null);
    hand_over(passed)
}

/// Makes the passed descriptor number 3 and lets no other above 2 survive exec.
///
/// For a process that is about to exec: whatever was number 3 is lost to it.
pub(crate) fn hand_over(passed: Option<BorrowedFd<'_>>) -> Result<(), Refusal> {
    keep_none()?;
    if let Some(passed) = passed {
        sys::place_for_exec(passed, PASSED).at(&code::SANDBOX_DESCRIPTORS, || {
            "the passed descriptor could not be given to the program".to_owned()
        })?;
    }
    Ok(())
}
