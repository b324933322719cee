//! PCR 12: the kernel's parameters from outside the image; PCR 13 likewise, for extensions.
//!
//! systemd-stub measures a command line that the firmware hands it, and credentials beside the
//! image. With Secure Boot on and a `.cmdline` section it takes no command line, and an appliance
//! has no credentials beside its image: both registers stay untouched. A command line that a
//! release does allow is measured as UTF-16 with its final zero.

use super::event;
use crate::digest::Digest;
use crate::release::ExpectedEvent;
use crate::sealing::EV_IPL;

/// The events for a command line from outside; none without one.
#[must_use]
pub fn predict(command_line: Option<&str>) -> Vec<ExpectedEvent> {
    let measured = command_line.map(|text| {
        let units = text.encode_utf16().chain([0]);
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        event("kernel command line", EV_IPL, Digest::of(&bytes))
    });
    measured.into_iter().collect()
}
