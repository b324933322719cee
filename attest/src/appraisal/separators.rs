//! The line that the firmware draws in registers 0 to 7 before it hands over, and what may stand
//! after it (PC Client PFP 1.06, sections 3.3.4 and 10.4.1).
//!
//! Exactly one separator a register: a second one, or one that is missing, would let events that
//! only firmware may measure be added later. Also: registers of the image hold only kinds of
//! events that belong there.

use super::{Measured, Violation};
use crate::eventlog::kind;
use crate::eventlog::payload::{Payload, Separator};

/// Checks one register's separator and kinds.
pub(super) fn check(pcr: u8, events: &[Measured<'_>]) -> Vec<Violation> {
    let mut found = Vec::new();
    if pcr <= 7 {
        found.extend(line(pcr, events));
    }
    let Some(known) = belonging(pcr) else {
        return found;
    };
    let strangers = events.iter().filter(|e| !known.contains(&e.event_type));
    found.extend(strangers.map(|event| Violation::UnknownEvent {
        pcr,
        place: event.place(),
        says: event.payload().to_string().chars().take(120).collect(),
    }));
    found
}

fn line(pcr: u8, events: &[Measured<'_>]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut drawn = false;
    for event in events {
        let place = event.place();
        if event.event_type == kind::EV_SEPARATOR {
            if drawn {
                found.push(Violation::SecondSeparator { pcr, place });
            } else if !is_line(event) {
                found.push(Violation::SeparatorError { pcr, place });
            }
            drawn = true;
        } else if drawn && !after(pcr).contains(&event.event_type) {
            // Late variables of Secure Boot have a code of their own.
            if !(pcr == 7 && event.event_type == kind::EV_EFI_VARIABLE_DRIVER_CONFIG) {
                found.push(Violation::AfterSeparator { pcr, place });
            }
        }
    }
    if !drawn {
        found.push(Violation::NoSeparator { pcr });
    }
    found
}

/// The digest decides, not the payload: it must be that of one of the two allowed values.
fn is_line(event: &Measured<'_>) -> bool {
    let allowed = matches!(
        event.payload(),
        Payload::Separator(Separator::Zero | Separator::Ones)
    );
    allowed && crate::digest::Digest::of(event.data) == event.digest
}

/// What may follow the line. Firmware is done with 0 and 3; the others go on with what is booted.
const fn after(pcr: u8) -> &'static [u32] {
    match pcr {
        1 => &[
            kind::EV_EFI_VARIABLE_BOOT,
            kind::EV_EFI_VARIABLE_BOOT2,
            kind::EV_EFI_HANDOFF_TABLES,
            kind::EV_EFI_HANDOFF_TABLES2,
        ],
        2 => &[
            kind::EV_EFI_BOOT_SERVICES_DRIVER,
            kind::EV_EFI_RUNTIME_SERVICES_DRIVER,
        ],
        4 => &[
            kind::EV_EFI_ACTION,
            kind::EV_EFI_BOOT_SERVICES_APPLICATION,
            kind::EV_EFI_BOOT_SERVICES_DRIVER,
        ],
        5 => &[
            kind::EV_EFI_ACTION,
            kind::EV_EFI_GPT_EVENT,
            kind::EV_EFI_GPT_EVENT2,
            kind::EV_IPL,
            kind::EV_EVENT_TAG,
        ],
        6 => &[kind::EV_COMPACT_HASH, kind::EV_EFI_ACTION],
        7 => &[kind::EV_EFI_VARIABLE_AUTHORITY],
        _ => &[],
    }
}

/// The kinds that belong in a register of the image; `None` for the platform's, where the
/// vendor measures what it likes and the value at enrolment decides.
const fn belonging(pcr: u8) -> Option<&'static [u32]> {
    Some(match pcr {
        4 => &[
            kind::EV_SEPARATOR,
            kind::EV_EFI_ACTION,
            kind::EV_EFI_BOOT_SERVICES_APPLICATION,
            kind::EV_EFI_BOOT_SERVICES_DRIVER,
        ],
        7 => &[
            kind::EV_SEPARATOR,
            // Debug modes and the like: judged by their words, with the variables.
            kind::EV_EFI_ACTION,
            kind::EV_EFI_VARIABLE_DRIVER_CONFIG,
            kind::EV_EFI_VARIABLE_AUTHORITY,
        ],
        11..=15 => &[kind::EV_IPL, kind::EV_EVENT_TAG],
        _ => return None,
    })
}
