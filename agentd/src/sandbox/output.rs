//! What a sandbox writes to its two standard outputs.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags};

/// How much of a sandbox's output is kept: its end.
const KEPT: usize = 64 << 10;

/// What becomes of the output.
#[derive(Debug)]
pub enum Output {
    /// The end of it is kept, both in the order they came.
    Kept(Mutex<VecDeque<u8>>),
    /// It goes to this process's own outputs, each to its own.
    Live,
}

impl Output {
    /// Kept.
    pub fn kept() -> Self {
        Self::Kept(Mutex::new(VecDeque::new()))
    }

    /// The end of what was kept.
    pub(super) fn tail(&self) -> Vec<u8> {
        match self {
            Self::Kept(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.iter().copied().collect()
            }
            Self::Live => Vec::new(),
        }
    }

    /// Reads until nobody can write any more. A program that writes without end is
    /// never blocked by what is kept and never costs more than that.
    pub(super) fn drain(&self, from: [OwnedFd; 2]) {
        let mut open = from.map(|fd| Some(std::fs::File::from(fd)));
        let mut chunk = [0; 8192];
        while open.iter().any(Option::is_some) {
            let ready: Vec<bool> = {
                let mut polled: Vec<PollFd<'_>> = open
                    .iter()
                    .flatten()
                    .map(|file| PollFd::new(file, PollFlags::IN))
                    .collect();
                if rustix::event::poll(&mut polled, None).is_err() {
                    continue;
                }
                polled.iter().map(|one| !one.revents().is_empty()).collect()
            };
            let mut ready = ready.into_iter();
            for (which, slot) in open.iter_mut().enumerate() {
                let Some(file) = slot else { continue };
                if ready.next() != Some(true) {
                    continue;
                }
                match file.read(&mut chunk) {
                    Ok(length) if length > 0 => {
                        self.take(which, chunk.get(..length).unwrap_or_default());
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    _ => *slot = None,
                }
            }
        }
    }

    /// Takes what came over one of the two.
    pub(super) fn take(&self, which: usize, bytes: &[u8]) {
        match self {
            Self::Kept(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(bytes);
                let over = kept.len().saturating_sub(KEPT);
                kept.drain(..over);
            }
            // If nobody reads any more, nobody needs it.
            Self::Live if which == 0 => {
                let mut out = io::stdout().lock();
                let _closed = out.write_all(bytes).and_then(|()| out.flush());
            }
            Self::Live => {
                let _closed = io::stderr().lock().write_all(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_without_end_is_drained_and_only_its_end_kept() {
        let (out, mut to_out) = io::pipe().unwrap();
        let (err, to_err) = io::pipe().unwrap();
        let output = Output::kept();
        std::thread::scope(|scope| {
            scope.spawn(|| output.drain([out.into(), err.into()]));
            for number in 0..100_000 {
                writeln!(to_out, "line {number}").unwrap();
            }
            drop((to_out, to_err));
        });
        let tail = output.tail();
        assert_eq!(tail.len(), KEPT);
        assert!(tail.ends_with(b"line 99998\nline 99999\n"));
    }
}
