//! systemd's log of what it measures after the firmware: `/run/log/systemd/tpm2-measure.log`.
//!
//! A JSON text sequence (RFC 7464) of records close to CEL-JSON (TCG Canonical Event Log Format,
//! section 5.2). Only the digests and registers are authenticated by a replay, and of the rest a
//! record's string where it gives the digests ([`UserspaceEvent::coverage`]). Read strictly: no
//! unknown key, no key twice, no byte between records; bounded in size and in depth.

use std::borrow::Cow;

use serde::Deserialize;

use super::bank::{BankDigest, bank_digest, bank_of_name, bank_size};
use super::coverage::Coverage;
use super::error::LogError;
use super::parse::{MAX_EVENTS, MAX_LOG, MAX_PCR, NO_REGISTER};

/// The byte before each record (RFC 7464, section 2.1).
pub const RECORD_SEPARATOR: u8 = 0x1e;
/// The largest record, in bytes.
const MAX_RECORD: usize = 64 << 10;
/// The most banks of a record.
const MAX_BANKS: usize = 8;

/// The log of systemd whose form is right. What it says is a claim until it is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserspaceLog<'b> {
    banks: Vec<(u16, usize)>,
    events: Vec<UserspaceEvent<'b>>,
}

/// A measurement by systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserspaceEvent<'b> {
    /// Its number in the log, from 1.
    pub number: usize,
    /// Where its record begins.
    pub offset: usize,
    /// How many bytes of the log it takes.
    pub len: usize,
    /// The register; [`NO_REGISTER`] for a measurement into an NV index.
    pub pcr: u8,
    /// The NV index, for a measurement that extends no register.
    pub nv_index: Option<u32>,
    /// A digest for each bank.
    pub digests: Vec<(u16, BankDigest)>,
    /// What was measured, in words: escaped and shortened where it is long.
    pub string: Option<Cow<'b, str>>,
    /// `phase`, `filesystem`, `machine-id`, `volume-key`, ... Not authenticated.
    pub event_type: Option<Cow<'b, str>>,
    /// The boot. Not authenticated.
    pub boot_id: Option<Cow<'b, str>>,
    /// Microseconds since that boot. Not authenticated.
    pub timestamp: Option<u64>,
    /// Whether the digests are of the string.
    pub coverage: Coverage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'b> {
    pcr: Option<u32>,
    nv_index: Option<u32>,
    recnum: Option<u64>,
    #[serde(borrow)]
    digests: Vec<RecordDigest<'b>>,
    #[serde(borrow)]
    content_type: Cow<'b, str>,
    #[serde(borrow)]
    content: Content<'b>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordDigest<'b> {
    #[serde(borrow, rename = "hashAlg")]
    algorithm: Cow<'b, str>,
    #[serde(borrow)]
    digest: Cow<'b, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Content<'b> {
    #[serde(borrow)]
    string: Option<Cow<'b, str>>,
    #[serde(borrow)]
    boot_id: Option<Cow<'b, str>>,
    timestamp: Option<u64>,
    #[serde(borrow)]
    event_type: Option<Cow<'b, str>>,
    #[serde(borrow, rename = "nvIndexName")]
    _nv_index_name: Option<Cow<'b, str>>,
}

impl<'b> UserspaceLog<'b> {
    /// Whether bytes are of this kind rather than a log of firmware.
    #[must_use]
    pub fn is_it(bytes: &[u8]) -> bool {
        bytes.first() == Some(&RECORD_SEPARATOR)
    }

    /// Reads a log to its last byte.
    ///
    /// # Errors
    /// [`LogError`], with the record that is wrong.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, LogError> {
        if bytes.len() > MAX_LOG {
            return record_error(0, MAX_LOG, format!("a log of more than {MAX_LOG} bytes"));
        }
        let mut events: Vec<UserspaceEvent<'b>> = Vec::new();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let number = events.len().saturating_add(1);
            if number > MAX_EVENTS {
                return record_error(number, at, format!("more than {MAX_EVENTS} records"));
            }
            let text = framed(rest).or_else(|reason| record_error(number, at, reason))?;
            let event = UserspaceEvent::read(number, at, text)?;
            at = at.saturating_add(event.len);
            events.push(event);
        }
        if events.is_empty() {
            return record_error(1, 0, "no record");
        }
        let banks = complete_banks(&events);
        Ok(Self { banks, events })
    }

    /// The banks, `TPM_ALG_ID` and digest size, that every event extends.
    #[must_use]
    pub fn banks(&self) -> &[(u16, usize)] {
        &self.banks
    }

    /// The events, in the log's order.
    #[must_use]
    pub fn events(&self) -> &[UserspaceEvent<'b>] {
        &self.events
    }
}

/// The JSON text between the separator and the line feed that ends it.
fn framed(rest: &[u8]) -> Result<&[u8], &'static str> {
    let Some((&RECORD_SEPARATOR, text)) = rest.split_first() else {
        return Err("a byte that belongs to no record");
    };
    let window = text.get(..MAX_RECORD).unwrap_or(text);
    match window.iter().position(|byte| *byte == b'\n') {
        Some(end) => Ok(text.get(..end).unwrap_or_default()),
        None if text.len() > MAX_RECORD => Err("a record of more than 64 KiB"),
        None => Err("a record that does not end"),
    }
}

fn record_error<T>(record: usize, offset: usize, reason: impl Into<String>) -> Result<T, LogError> {
    let reason = reason.into();
    Err(LogError::Record {
        record,
        offset,
        reason,
    })
}

/// The banks that every event which extends a register has a digest of.
fn complete_banks(events: &[UserspaceEvent<'_>]) -> Vec<(u16, usize)> {
    let extending = || events.iter().filter(|event| event.extends());
    let Some(first) = extending().next() else {
        return Vec::new();
    };
    let banks = first.digests.iter().map(|(bank, _)| *bank);
    banks
        .filter(|bank| extending().all(|event| event.digest(*bank).is_some()))
        .filter_map(|bank| Some((bank, bank_size(bank)?)))
        .collect()
}

impl<'b> UserspaceEvent<'b> {
    fn read(number: usize, offset: usize, text: &'b [u8]) -> Result<Self, LogError> {
        let start = offset.saturating_add(1);
        let record: Record<'b> = serde_json::from_slice(text).or_else(|error| {
            // A record has one line, so that the column is the byte, from 1.
            let at = start.saturating_add(error.column().saturating_sub(1));
            record_error(number, at, words(&error))
        })?;
        let wrong = |reason| record_error(number, offset, reason);
        if record.content_type != "systemd" {
            return wrong("content of another kind than systemd's");
        }
        if record
            .recnum
            .is_some_and(|own| usize::try_from(own).is_err())
        {
            return wrong("an impossible record number");
        }
        let pcr = match (record.pcr, record.nv_index) {
            (Some(pcr), None) if pcr <= MAX_PCR => u8::try_from(pcr).unwrap_or(NO_REGISTER),
            (None, Some(_)) => NO_REGISTER,
            (Some(_), None) => return wrong("a register that a PC has not"),
            _ => return wrong("neither a register nor an NV index, or both"),
        };
        let digests =
            digests(&record.digests).or_else(|reason| record_error(number, offset, reason))?;
        let Content {
            string,
            boot_id,
            timestamp,
            event_type,
            ..
        } = record.content;
        let mut event = Self {
            number,
            offset,
            len: text.len().saturating_add(2),
            pcr,
            nv_index: record.nv_index,
            digests,
            string,
            event_type,
            boot_id,
            timestamp,
            coverage: Coverage::None,
        };
        event.coverage = event.cover().ok_or(LogError::Text {
            record: number,
            offset,
        })?;
        Ok(event)
    }

    /// Whether the event extends a register.
    #[must_use]
    pub const fn extends(&self) -> bool {
        self.pcr != NO_REGISTER
    }

    /// The digest of this bank.
    #[must_use]
    pub fn digest(&self, bank: u16) -> Option<&[u8]> {
        let digest = self.digests.iter().find(|(own, _)| *own == bank);
        digest.map(|(_, digest)| digest.as_bytes())
    }

    /// The string, where the digests are of it.
    #[must_use]
    pub fn measured(&self) -> Option<&str> {
        self.string
            .as_deref()
            .filter(|_| self.coverage == Coverage::Whole)
    }

    /// systemd digests the very words of these types, and shows them escaped and cut after 1 KiB.
    /// Words that are shown as they are must therefore give the digests. A volume's key is
    /// digested with the key itself, and others may be anything.
    fn cover(&self) -> Option<Coverage> {
        let Some(string) = self.string.as_deref() else {
            return Some(Coverage::None);
        };
        let same = |(bank, digest): &(u16, BankDigest)| {
            bank_digest(*bank, &[string.as_bytes()]).map(|own| own == *digest)
        };
        let mut computed = self.digests.iter().filter_map(same).peekable();
        let any = computed.peek().is_some();
        if any && computed.all(|same| same) {
            return Some(Coverage::Whole);
        }
        let words = matches!(
            self.event_type.as_deref(),
            Some("phase" | "filesystem" | "machine-id" | "product-id")
        );
        let verbatim = !string.contains('\\') && !string.ends_with("...");
        (!(any && words && verbatim)).then_some(Coverage::None)
    }
}

fn digests(claimed: &[RecordDigest<'_>]) -> Result<Vec<(u16, BankDigest)>, String> {
    if !(1..=MAX_BANKS).contains(&claimed.len()) {
        return Err(format!("{} digests", claimed.len()));
    }
    let mut digests: Vec<(u16, BankDigest)> = Vec::with_capacity(claimed.len());
    for RecordDigest { algorithm, digest } in claimed {
        let Some(bank) = bank_of_name(algorithm) else {
            return Err("a digest of an unknown algorithm".to_owned());
        };
        if digests.iter().any(|(own, _)| *own == bank) {
            return Err(format!("a second digest of {algorithm}"));
        }
        let own =
            BankDigest::of_hex(digest).filter(|own| bank_size(bank) == Some(own.as_bytes().len()));
        let Some(own) = own else {
            return Err(format!(
                "a digest that is no {algorithm} digest in small hexadecimal"
            ));
        };
        digests.push((bank, own));
    }
    Ok(digests)
}

/// The parser's words, without the place, which is the log's and not the record's.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}
