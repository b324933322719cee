//! What the console shows of the start: a line a step with the kernel's clock.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use crate::failure::Failure;

/// Seconds since the kernel started, as `/proc/uptime` has them.
fn uptime() -> String {
    fs::read_to_string("/proc/uptime")
        .ok()
        .and_then(|text| text.split_whitespace().next().map(str::to_owned))
        .unwrap_or_default()
}

/// One line on every console.
pub(crate) fn say(line: &str) {
    let text = format!("casemate: {:>6} s: {line}\r\n", uptime());
    for console in ["/dev/console", "/dev/tty1"] {
        if let Ok(mut console) = OpenOptions::new().write(true).open(console) {
            // A console that is not there is no reason not to start.
            let _shown = console.write_all(text.as_bytes());
        }
    }
}

/// Why the machine does not start.
pub(crate) fn last_words(failure: &Failure) {
    for line in failure.to_string().lines() {
        say(&format!("cannot start: {line}"));
    }
    say(&format!(
        "code {}; the power goes off in ten seconds",
        failure.code()
    ));
}
