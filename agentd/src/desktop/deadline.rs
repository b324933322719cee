//! The moment until which a step must be done.

use std::time::{Duration, Instant};

/// A deadline; shorter ones can be made of it, never longer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// So many milliseconds from now, at most a day.
    pub fn in_ms(milliseconds: u64) -> Self {
        Self(Instant::now() + Duration::from_millis(milliseconds.min(86_400_000)))
    }

    /// This one or `patience` from now, whichever is earlier.
    pub fn or_in(self, patience: Duration) -> Self {
        Self(self.0.min(Instant::now() + patience))
    }

    /// What is left of it.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it is over.
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}
