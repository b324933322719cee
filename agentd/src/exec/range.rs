//! A range of host uids for one command.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::refuse;
use crate::sandbox::Refusal;

/// Where ranges are taken, by locks on files.
const LOCKS: &str = "/run/casemate-exec";
/// The first range of those that are taken from.
const FIRST: u32 = 600_000_000;
/// Distance from one range to the next.
const STEP: u32 = 65_536;
/// How many there are.
const RANGES: u32 = 1000;

/// A range, ours until this and every copy of it is closed. The rooms' first
/// process holds a copy, so a range is not free before the rooms are ending.
#[derive(Debug)]
pub(super) struct Range {
    /// First uid and gid.
    pub(super) base: u32,
    _lock: Option<File>,
}

impl Range {
    /// The range at `base`, or any that nobody has.
    pub(super) fn take(base: Option<u32>, count: u32) -> Result<Self, Refusal> {
        if let Some(base) = base {
            return Ok(Self { base, _lock: None });
        }
        if count > STEP {
            return Err(refuse(format!(
                "without --uid-base a range has at most {STEP} uids"
            )));
        }
        let failed = |e: std::io::Error| refuse(format!("no uid range could be taken: {e}"));
        let locks = Path::new(LOCKS);
        if !fs::symlink_metadata(locks).is_ok_and(|there| there.is_dir()) {
            let made = DirBuilder::new().mode(0o700).create(locks);
            made.or_else(|e| match e.kind() {
                std::io::ErrorKind::AlreadyExists => Ok(()),
                _ => Err(e),
            })
            .map_err(failed)?;
        }
        for number in 0..RANGES {
            let lock = File::create(locks.join(number.to_string())).map_err(failed)?;
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        base: FIRST + number * STEP,
                        _lock: Some(lock),
                    });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
        }
        Err(refuse(format!("all {RANGES} uid ranges are in use")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_have_two_ranges_and_a_given_one_is_kept() {
        let one = Range::take(None, 2048).unwrap();
        let two = Range::take(None, 2048).unwrap();
        assert_ne!(one.base, two.base);
        assert_eq!(Range::take(Some(5), 2048).unwrap().base, 5);
        assert!(Range::take(None, STEP + 1).is_err());
    }
}
