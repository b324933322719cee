//! PCR 7: the Secure Boot policy (PC Client PFP 1.06, section 3.3.4.8).
//!
//! Each variable as `UEFI_VARIABLE_DATA`, the separator, then the db entry under which the UKI
//! was allowed.

use casemate_attest::digest::Digest;
use casemate_attest::release::ExpectedEvent;

use super::boot::{Boot, SECURITY_DATABASE};

/// The events of the register, in order.
pub(super) fn predict(boot: &Boot) -> Vec<ExpectedEvent> {
    let mut events: Vec<ExpectedEvent> = boot
        .variables
        .iter()
        .map(|variable| {
            let digest = measured(&variable.guid, variable.name, &variable.data);
            event(variable.name, 0x8000_0001, digest)
        })
        .collect();
    events.push(event("separator", 0x0000_0004, Digest::of(&[0; 4])));
    let authority = measured(&SECURITY_DATABASE, "db", &boot.authority);
    events.push(event("authority", 0x8000_00e0, authority));
    events
}

/// The digest over `UEFI_VARIABLE_DATA` (section 10.4.2.6): GUID, lengths, UTF-16 name, data.
fn measured(guid: &[u8; 16], name: &str, data: &[u8]) -> Digest {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX).to_le_bytes();
    Digest::of_parts(&[
        guid,
        &length(name.len() / 2),
        &length(data.len()),
        &name,
        data,
    ])
}

fn event(name: &str, event_type: u32, digest: Digest) -> ExpectedEvent {
    ExpectedEvent {
        name: name.to_owned(),
        event_type,
        digests: vec![digest],
    }
}
