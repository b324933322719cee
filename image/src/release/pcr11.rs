//! PCR 11: the UKI's sections, as systemd-stub measures them, and the boot phases after it.
//!
//! For each section that is there, in the order of systemd's `UnifiedSection` list: its name
//! with the final zero byte, then its content (systemd.io/TPM2_PCR_MEASUREMENTS, "PCR 11").
//! `.pcrsig` is not measured. systemd-pcrphase then measures the phase words without a zero.

use casemate_attest::digest::Digest;
use casemate_attest::release::ExpectedEvent;
use casemate_attest::sealing::{ENTER_INITRD, EV_IPL};

use super::boot::Boot;

/// systemd's order.
const ORDER: [&str; 10] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey",
];

/// The phases that may follow entering the initrd, in order.
const LATER: [&str; 3] = ["leave-initrd", "sysinit", "ready"];

/// The events up to entering the initrd, in order.
pub(super) fn predict(boot: &Boot) -> Vec<ExpectedEvent> {
    let mut events = Vec::new();
    for wanted in ORDER {
        let found = boot.sections.iter().find(|(name, _)| *name == wanted);
        if let Some((name, content)) = found {
            events.push(event(
                &format!("{name} name"),
                Digest::of_parts(&[name.as_bytes(), &[0]]),
            ));
            events.push(event(name, Digest::of(content)));
        }
    }
    events.push(event("enter-initrd", Digest::of(ENTER_INITRD)));
    events
}

/// Events of which any beginning may follow.
pub(super) fn tail() -> Vec<ExpectedEvent> {
    LATER
        .iter()
        .map(|phase| event(phase, Digest::of(phase.as_bytes())))
        .collect()
}

fn event(name: &str, digest: Digest) -> ExpectedEvent {
    ExpectedEvent {
        name: name.to_owned(),
        event_type: EV_IPL,
        digests: vec![digest],
    }
}
