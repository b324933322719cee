//! PCR 4: what the firmware boots (PC Client PFP 1.06, section 3.3.4.5).
//!
//! The UKI is an EFI application and is measured by its Authenticode digest. The firmware
//! announces it ("Calling EFI Application from Boot Option") and draws the line with a separator.

use casemate_attest::digest::Digest;
use casemate_attest::release::ExpectedEvent;

use super::boot::Boot;
use super::pe;
use crate::error::BuildError;

/// The events of the register, in order.
pub(super) fn predict(boot: &Boot) -> Result<Vec<ExpectedEvent>, BuildError> {
    let uki = pe::authenticode(&boot.uki()).map_err(|pe::NotPe| BuildError::Tool {
        program: "the UKI".to_owned(),
        why: "is not a PE32+ file".to_owned(),
    })?;
    Ok(vec![
        event(
            "boot option",
            0x8000_0007,
            Digest::of(b"Calling EFI Application from Boot Option"),
        ),
        event("separator", 0x0000_0004, Digest::of(&[0; 4])),
        event("UKI", 0x8000_0003, Digest::new(uki)),
    ])
}

fn event(name: &str, event_type: u32, digest: Digest) -> ExpectedEvent {
    ExpectedEvent {
        name: name.to_owned(),
        event_type,
        digests: vec![digest],
    }
}
