//! Reading a crypto-agile event log (TCG PC Client Platform Firmware Profile 1.06, section 10).
//!
//! Bounded by the input: no recursion, nothing is allocated for a number that the log only
//! names, and every byte of the log belongs to an event. Numbers are little-endian.

use super::event::Event;
use super::kind::EV_NO_ACTION;
use super::payload::STARTUP_LOCALITY;
use crate::code::{self, Code};
use crate::tpm::{Reader, StructureError};

/// The most banks a log may have.
const MAX_BANKS: u32 = 8;
/// The highest register of a PC.
const MAX_PCR: u32 = 23;
const SPEC_ID: &[u8; 16] = b"Spec ID Event03\0";

/// A log whose form is right. What it says is a claim until it is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog<'b> {
    banks: Vec<(u16, usize)>,
    events: Vec<Event<'b>>,
    startup_locality: Option<u8>,
}

/// Why bytes are not a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The bytes are not records of the form.
    #[error("event {event} {source}")]
    Malformed {
        /// The event's number; the header is 0.
        event: usize,
        /// What is wrong with it.
        source: StructureError,
    },
    /// `StartupLocality` is there twice, after the first extend, or with another locality than
    /// 0, 3 or 4 (section 10.4.5.3).
    #[error("event {event}: a startup locality out of place or of no allowed value")]
    Locality {
        /// The event's number.
        event: usize,
    },
    /// The log has no SHA-256 digests, and the quote is over that bank.
    #[error("the log has no SHA-256 digests")]
    Bank,
    /// An event's payload is not what its digest was made over.
    #[error("event {event} ({kind}): the payload is not the one that was digested")]
    Payload {
        /// The event's number.
        event: usize,
        /// Its type's name.
        kind: &'static str,
    },
}

impl LogError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Malformed { .. } => &code::LOG_MALFORMED,
            Self::Locality { .. } => &code::LOG_LOCALITY,
            Self::Bank => &code::LOG_BANK,
            Self::Payload { .. } => &code::LOG_PAYLOAD,
        }
    }
}

impl<'b> EventLog<'b> {
    /// Reads a log to its last byte.
    ///
    /// # Errors
    /// [`LogError`], with the event that is wrong.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, LogError> {
        let mut reader = Reader::new(bytes);
        let banks =
            header(&mut reader).map_err(|source| LogError::Malformed { event: 0, source })?;
        let mut log = Self {
            banks,
            events: Vec::new(),
            startup_locality: None,
        };
        let mut measured = false;
        while reader.offset() < bytes.len() {
            let number = log.events.len().saturating_add(1);
            let event =
                event(&mut reader, &log.banks, number).map_err(|source| LogError::Malformed {
                    event: number,
                    source,
                })?;
            if event.event_type == EV_NO_ACTION && event.data.starts_with(STARTUP_LOCALITY) {
                log.take_locality(&event, measured)?;
            }
            if !event.payload_holds() {
                let kind = super::type_name(event.event_type);
                return Err(LogError::Payload {
                    event: number,
                    kind,
                });
            }
            measured |= event.extends() && event.pcr == 0;
            log.events.push(event);
        }
        Ok(log)
    }

    /// The banks, `TPM_ALG_ID` and digest size, as the header declares them.
    #[must_use]
    pub fn banks(&self) -> &[(u16, usize)] {
        &self.banks
    }

    /// The events, in the log's order.
    #[must_use]
    pub fn events(&self) -> &[Event<'b>] {
        &self.events
    }

    /// The locality that the TPM was started from: the last byte of PCR 0's first value.
    #[must_use]
    pub const fn startup_locality(&self) -> Option<u8> {
        self.startup_locality
    }

    fn take_locality(&mut self, event: &Event<'_>, measured: bool) -> Result<(), LogError> {
        let misplaced = self.startup_locality.is_some() || measured || event.pcr != 0;
        match event.data.get(STARTUP_LOCALITY.len()..) {
            Some([locality @ (0 | 3 | 4)]) if !misplaced => {
                self.startup_locality = Some(*locality);
                Ok(())
            }
            _ => Err(LogError::Locality {
                event: event.number,
            }),
        }
    }
}

/// The first record: in the old SHA-1 form, carrying `TCG_EfiSpecIdEvent` (section 10.4.5.1).
fn header(reader: &mut Reader<'_>) -> Result<Vec<(u16, usize)>, StructureError> {
    if reader.u32_le()? != 0 || reader.u32_le()? != EV_NO_ACTION {
        return reader.error("the log does not begin with a Spec ID event");
    }
    if reader.array::<20>()? != [0; 20] {
        return reader.error("the Spec ID event has a digest");
    }
    let size = reader.u32_le()?;
    let Ok(size) = usize::try_from(size) else {
        return reader.error("too large");
    };
    let mut spec = Reader::new(reader.take(size)?);
    if &spec.array::<16>()? != SPEC_ID {
        return reader.error("not a crypto-agile log (Spec ID Event03)");
    }
    let _platform_class = spec.u32_le()?;
    let [minor, major, _errata, uintn] = spec.array()?;
    if (major, minor) != (2, 0) || !(1..=2).contains(&uintn) {
        return reader.error(format!("version {major}.{minor}, integers of size {uintn}"));
    }
    let count = spec.u32_le()?;
    if !(1..=MAX_BANKS).contains(&count) {
        return reader.error(format!("{count} banks, 1 to {MAX_BANKS} are allowed"));
    }
    let mut banks: Vec<(u16, usize)> = Vec::new();
    for _ in 0..count {
        let (id, size) = (spec.u16_le()?, usize::from(spec.u16_le()?));
        if digest_size(id) != Some(size) || banks.iter().any(|(bank, _)| *bank == id) {
            return reader.error(format!(
                "bank {id:#06x} of {size} bytes: unknown, wrong or twice"
            ));
        }
        banks.push((id, size));
    }
    let vendor = usize::from(spec.u8()?);
    spec.take(vendor)?;
    spec.end()?;
    Ok(banks)
}

/// `TCG_PCR_EVENT2` (section 10.2.2): exactly one digest for each bank of the header, in order.
fn event<'b>(
    reader: &mut Reader<'b>,
    banks: &[(u16, usize)],
    number: usize,
) -> Result<Event<'b>, StructureError> {
    let offset = reader.offset();
    let pcr = reader.u32_le()?;
    let Some(pcr) = u8::try_from(pcr).ok().filter(|_| pcr <= MAX_PCR) else {
        return reader.error(format!("register {pcr}"));
    };
    let event_type = reader.u32_le()?;
    let count = reader.u32_le()?;
    if usize::try_from(count).ok() != Some(banks.len()) {
        return reader.error(format!(
            "{count} digests, the log has {} banks",
            banks.len()
        ));
    }
    let mut digests = Vec::with_capacity(banks.len());
    for (bank, size) in banks {
        let id = reader.u16_le()?;
        if id != *bank {
            return reader.error(format!(
                "a digest of bank {id:#06x} where {bank:#06x} stands"
            ));
        }
        digests.push((id, reader.take(*size)?));
    }
    let size = reader.u32_le()?;
    let Ok(size) = usize::try_from(size) else {
        return reader.error("too large");
    };
    let data = reader.take(size)?;
    Ok(Event {
        number,
        offset,
        pcr,
        event_type,
        digests,
        data,
    })
}

/// The digest size of a `TPM_ALG_ID` that a bank may have.
const fn digest_size(id: u16) -> Option<usize> {
    match id {
        0x0004 => Some(20),
        0x000b | 0x0012 | 0x0027 => Some(32),
        0x000c | 0x0028 => Some(48),
        0x000d | 0x0029 => Some(64),
        _ => None,
    }
}
