//! What the operator sees while a build runs: one line as each step begins.

use std::time::Instant;

/// Prints lines with the seconds since it was made.
#[derive(Debug)]
pub struct Progress {
    subject: String,
    start: Instant,
}

impl Progress {
    /// Progress of building `subject`.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            start: Instant::now(),
        }
    }

    /// Says that a step begins, or what came of it.
    pub fn say(&self, line: &str) {
        say(&format!(
            "{}: {:>4.1} s  {line}",
            self.subject,
            self.start.elapsed().as_secs_f64()
        ));
    }
}

/// Prints one line on standard output.
#[expect(
    clippy::print_stdout,
    reason = "the one place where this program prints"
)]
pub fn say(line: &str) {
    println!("{line}");
}
