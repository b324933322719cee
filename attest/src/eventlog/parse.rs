//! Reading an event log (TCG PC Client Platform Firmware Profile 1.06, section 10).
//!
//! Bounded by the input: no recursion, nothing is allocated for a number that the log only
//! names, and every byte of the log belongs to an event. Numbers are little-endian.

use super::coverage::{self, Coverage};
use super::error::LogError;
use super::event::Event;
use super::header::{self, Form, SpecId};
use super::kind::{EV_EFI_HCRTM_EVENT, EV_NO_ACTION, type_name};
use super::payload::STARTUP_LOCALITY;
use crate::tpm::{Reader, StructureError};

/// The largest log, in bytes. Firmware keeps 64 KiB to 1 MiB.
pub const MAX_LOG: usize = 16 << 20;
/// The most events of a log.
pub const MAX_EVENTS: usize = 1 << 18;
/// The highest register of a PC.
pub const MAX_PCR: u32 = 23;
/// What [`Event::pcr`] is of an `EV_NO_ACTION` that names no register (0xffffffff in the log).
pub const NO_REGISTER: u8 = u8::MAX;

/// A log whose form is right. What it says is a claim until it is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog<'b> {
    form: Form,
    spec_id: Option<SpecId<'b>>,
    banks: Vec<(u16, usize)>,
    incomplete: Vec<u16>,
    events: Vec<Event<'b>>,
    startup_locality: Option<u8>,
}

impl<'b> EventLog<'b> {
    /// Reads a log, crypto-agile or of the old SHA-1 form, to its last byte.
    ///
    /// # Errors
    /// [`LogError`], with the event that is wrong.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, LogError> {
        if bytes.len() > MAX_LOG {
            let reason = format!("a log of more than {MAX_LOG} bytes");
            return Err(LogError::malformed(0, MAX_LOG, reason));
        }
        let mut reader = Reader::new(bytes);
        let header =
            header::read(bytes, &mut reader).map_err(|error| LogError::structure(0, error))?;
        let mut log = Self {
            form: header.form,
            spec_id: header.spec_id,
            banks: header.banks,
            incomplete: Vec::new(),
            events: Vec::new(),
            startup_locality: None,
        };
        let mut start = Start::default();
        while reader.offset() < bytes.len() {
            let number = log.events.len().saturating_add(1);
            if number > MAX_EVENTS {
                let reason = format!("more than {MAX_EVENTS} events");
                return Err(LogError::malformed(number, reader.offset(), reason));
            }
            let malformed = |error| LogError::structure(number, error);
            let mut event = match log.form {
                Form::CryptoAgile => agile(&mut reader, &log.banks, number).map_err(malformed)?,
                Form::Sha1 => old(&mut reader, number).map_err(malformed)?,
            };
            event.len = reader.offset().saturating_sub(event.offset);
            check_no_action(&event)?;
            start.take(&event)?;
            event.coverage = cover(&event)?;
            log.events.push(event);
        }
        log.startup_locality = start.locality();
        log.drop_incomplete();
        Ok(log)
    }

    /// A bank that lacks the digest of an event cannot be replayed, and is not one of the log's.
    fn drop_incomplete(&mut self) {
        let (events, incomplete) = (&self.events, &mut self.incomplete);
        let mut extending = events.iter().filter(|event| event.extends());
        if extending.all(|event| event.digests.len() == self.banks.len()) {
            return;
        }
        self.banks.retain(|(bank, _)| {
            let mut extending = events.iter().filter(|event| event.extends());
            let complete = extending.all(|event| event.digest(*bank).is_some());
            if !complete {
                incomplete.push(*bank);
            }
            complete
        });
    }

    /// The form of its records.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Its header; the old form may have none.
    #[must_use]
    pub const fn spec_id(&self) -> Option<&SpecId<'b>> {
        self.spec_id.as_ref()
    }

    /// The banks, `TPM_ALG_ID` and digest size, that every event extends.
    #[must_use]
    pub fn banks(&self) -> &[(u16, usize)] {
        &self.banks
    }

    /// The banks that the header declares and that some event has no digest of.
    #[must_use]
    pub fn incomplete_banks(&self) -> &[u16] {
        &self.incomplete
    }

    /// The events, in the log's order.
    #[must_use]
    pub fn events(&self) -> &[Event<'b>] {
        &self.events
    }

    /// The locality that the TPM was started from: the last byte of PCR 0's first value. An
    /// H-CRTM measures from locality 4 (TPM 2.0 Library, Part 1, section 34.3).
    #[must_use]
    pub const fn startup_locality(&self) -> Option<u8> {
        self.startup_locality
    }
}

/// PCR 0's first value: what the log said of it before it was first extended.
#[derive(Debug, Default)]
struct Start {
    stated: Option<u8>,
    hardware: bool,
    measured: bool,
}

impl Start {
    fn take(&mut self, event: &Event<'_>) -> Result<(), LogError> {
        let wrong = |reason| LogError::Locality {
            event: event.number,
            offset: event.offset,
            reason,
        };
        if event.event_type == EV_NO_ACTION && event.data.starts_with(STARTUP_LOCALITY) {
            if event.pcr != 0 {
                return Err(wrong("a startup locality of another register than 0"));
            }
            if self.stated.is_some() {
                return Err(wrong("a second startup locality"));
            }
            if self.measured {
                return Err(wrong("a startup locality after PCR 0 was extended"));
            }
            let Some([locality @ (0 | 3 | 4)]) = event.data.get(STARTUP_LOCALITY.len()..) else {
                return Err(wrong("a startup locality that is not 0, 3 or 4"));
            };
            self.stated = Some(*locality);
        }
        if event.event_type == EV_EFI_HCRTM_EVENT {
            if event.pcr != 0 || self.measured {
                return Err(wrong("an H-CRTM event that is not the first of PCR 0"));
            }
            if self.stated.is_some_and(|locality| locality != 4) {
                return Err(wrong(
                    "an H-CRTM event, and a startup locality other than 4",
                ));
            }
            self.hardware = true;
        }
        self.measured |= event.extends() && event.pcr == 0;
        Ok(())
    }

    const fn locality(&self) -> Option<u8> {
        if self.hardware { Some(4) } else { self.stated }
    }
}

/// An `EV_NO_ACTION` extends nothing, so its digests are zeros (section 10.4.1); and a log has
/// one header.
fn check_no_action(event: &Event<'_>) -> Result<(), LogError> {
    if event.extends() {
        return Ok(());
    }
    let wrong = |reason| Err(LogError::malformed(event.number, event.offset, reason));
    let zeros = |digest: &[u8]| digest.iter().all(|byte| *byte == 0);
    // Windows gives a digest to what it appends, and names no register.
    if event.pcr != NO_REGISTER && !event.digests.iter().all(|(_, digest)| zeros(digest)) {
        return wrong("at an event that extends nothing: a digest");
    }
    if header::is_spec_id(event.data) {
        return wrong("a second Spec ID event");
    }
    Ok(())
}

fn cover(event: &Event<'_>) -> Result<Coverage, LogError> {
    coverage::of(event.event_type, &event.digests, event.data).map_err(|_| LogError::Payload {
        event: event.number,
        offset: event.data_offset(),
        kind: type_name(event.event_type),
    })
}

/// `TCG_PCR_EVENT2` (section 10.2.2): a digest of each bank, none twice and none of a bank that
/// the header does not declare. Some firmware declares banks that it does not use.
fn agile<'b>(
    reader: &mut Reader<'b>,
    banks: &[(u16, usize)],
    number: usize,
) -> Result<Event<'b>, StructureError> {
    let offset = reader.offset();
    let (pcr, event_type) = register(reader)?;
    let count = reader.u32_le()?;
    let count = usize::try_from(count).ok();
    let Some(count) = count.filter(|count| (1..=banks.len()).contains(count)) else {
        return reader.error(format!(
            "digests of other banks than the log's {}",
            banks.len()
        ));
    };
    let mut digests: Vec<(u16, &[u8])> = Vec::with_capacity(count);
    for _ in 0..count {
        let id = reader.u16_le()?;
        let Some((_, size)) = banks.iter().find(|(bank, _)| *bank == id) else {
            return reader.error(format!("a digest of bank {id:#06x}, which the log has not"));
        };
        if digests.iter().any(|(bank, _)| *bank == id) {
            return reader.error(format!("a second digest of bank {id:#06x}"));
        }
        digests.push((id, reader.take(*size)?));
    }
    let data = payload(reader)?;
    Ok(Event {
        number,
        offset,
        pcr,
        event_type,
        digests,
        data,
        coverage: Coverage::None,
        len: 0,
    })
}

/// `TCG_PCR_EVENT` (section 10.2.1): one SHA-1 digest.
fn old<'b>(reader: &mut Reader<'b>, number: usize) -> Result<Event<'b>, StructureError> {
    let offset = reader.offset();
    let (pcr, event_type) = register(reader)?;
    let digests = vec![(crate::tpm::ALG_SHA1, reader.take(20)?)];
    let data = payload(reader)?;
    Ok(Event {
        number,
        offset,
        pcr,
        event_type,
        digests,
        data,
        coverage: Coverage::None,
        len: 0,
    })
}

fn register(reader: &mut Reader<'_>) -> Result<(u8, u32), StructureError> {
    let start = reader.offset();
    let (pcr, event_type) = (reader.u32_le()?, reader.u32_le()?);
    if pcr == u32::MAX && event_type == EV_NO_ACTION {
        return Ok((NO_REGISTER, event_type));
    }
    match u8::try_from(pcr).ok().filter(|_| pcr <= MAX_PCR) {
        Some(pcr) => Ok((pcr, event_type)),
        None => reader
            .error(format!("register {pcr}"))
            .map_err(|mut error| {
                error.offset = start;
                error
            }),
    }
}

fn payload<'b>(reader: &mut Reader<'b>) -> Result<&'b [u8], StructureError> {
    let size = reader.u32_le()?;
    match usize::try_from(size) {
        Ok(size) => reader.take(size),
        Err(_) => reader.error("too large"),
    }
}
