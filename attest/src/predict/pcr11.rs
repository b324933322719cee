//! PCR 11: the unified image's sections, as systemd-stub measures them, and the boot's phases.
//!
//! For each section that is there, in the order of systemd's list: its name with the final zero
//! byte, then what it holds in memory (systemd.io/TPM2_PCR_MEASUREMENTS, "PCR 11"). `.pcrsig` is
//! the signature of the result and is not measured. `systemd-pcrphase` then measures the word of
//! each phase, without a zero.

use super::pe::PeImage;
use super::{PredictError, event};
use crate::digest::Digest;
use crate::release::ExpectedEvent;
use crate::sealing::{ENTER_INITRD, EV_IPL};

/// systemd's order (src/fundamental/uki.c). 252 knows those up to `.dtb`, and `.pcrpkey`;
/// `.uname` and `.sbat` came with 253, `.ucode` with 256, the last three with 257.
const ORDER: [&str; 13] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey", ".profile", ".dtbauto", ".hwids",
];
/// The sections that systemd 252 measures.
const ORDER_252: [&str; 7] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey",
];

/// The phases after entering the initrd, in order.
pub const LATER_PHASES: [&str; 5] = ["leave-initrd", "sysinit", "ready", "shutdown", "final"];

/// Whose stub is in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stub {
    /// systemd 252, of Debian 12.
    V252,
    /// systemd 257, of Debian 13.
    V257,
}

/// The events up to entering the initrd, in order.
///
/// # Errors
/// [`PredictError`] when a section is there twice (several profiles in one image), when there
/// is no kernel, or when a section cannot be read.
pub fn predict(uki: &PeImage<'_>, stub: Stub) -> Result<Vec<ExpectedEvent>, PredictError> {
    let order: &[&str] = match stub {
        Stub::V252 => &ORDER_252,
        Stub::V257 => &ORDER,
    };
    let mut events = Vec::new();
    for name in order {
        let mut named = uki.sections().iter().filter(|s| s.name == name.as_bytes());
        let Some(section) = named.next() else {
            continue;
        };
        if named.next().is_some() {
            let reason = format!("the section {name} is there twice");
            return Err(PredictError::Sections(reason));
        }
        // The stub passes over an empty section as if it were not there.
        if section.virtual_size == 0 {
            continue;
        }
        let name_digest = Digest::of_parts(&[name.as_bytes(), &[0]]);
        events.push(event(&format!("{name} name"), EV_IPL, name_digest));
        events.push(event(name, EV_IPL, Digest::of(&section.content()?)));
    }
    if !events.iter().any(|event| event.name == ".linux") {
        return Err(PredictError::Sections(
            "it has no .linux section".to_owned(),
        ));
    }
    events.push(event("enter-initrd", EV_IPL, Digest::of(ENTER_INITRD)));
    Ok(events)
}

/// The phases of which any beginning may follow entering the initrd.
#[must_use]
pub fn phases() -> Vec<ExpectedEvent> {
    LATER_PHASES
        .iter()
        .map(|phase| event(phase, EV_IPL, Digest::of(phase.as_bytes())))
        .collect()
}
