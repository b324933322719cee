//! Which bytes of a payload the event's digest covers (PC Client PFP, section 10.4.1).
//!
//! A byte is authenticated only when it was hashed again here, with every bank of the log that
//! this program computes, and gave the digest that the registers were extended by. The type of
//! an event says what its digest should cover; a lie about the type can therefore hide that
//! bytes are authenticated, and can never make others pass for it.

use std::ops::Range;

use super::bank::bank_digest;
use super::kind;
use super::payload::Payload;

/// The bytes of a payload that its event's digest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All of them.
    Whole,
    /// These; all others are unauthenticated.
    Part {
        /// The first byte that is covered.
        start: usize,
        /// The first one after that is not.
        end: usize,
    },
    /// None: the digest is of something that is not in the log.
    None,
}

impl Coverage {
    /// The covered bytes of a payload of `len` bytes.
    #[must_use]
    pub const fn range(self, len: usize) -> Range<usize> {
        match self {
            Self::Whole => 0..len,
            Self::Part { start, end } => start..end,
            Self::None => 0..0,
        }
    }

    /// Whether this byte of the payload is covered.
    #[must_use]
    pub const fn has(self, at: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Part { start, end } => start <= at && at < end,
            Self::None => false,
        }
    }

    fn part(range: Range<usize>, len: usize) -> Self {
        if range == (0..len) {
            Self::Whole
        } else {
            Self::Part {
                start: range.start,
                end: range.end,
            }
        }
    }
}

/// The payload is not what its digest was made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCovered;

/// The coverage that the event's type calls for, hashed again.
///
/// `EV_EFI_VARIABLE_BOOT` and its second form are hashed by firmware of different ages as the
/// whole structure or as the variable's value alone. Both are taken, and the second leaves vendor
/// and name unauthenticated. `EV_EFI_VARIABLE_AUTHORITY` decides by its name, and is whole.
pub(super) fn of(
    event_type: u32,
    digests: &[(u16, &[u8])],
    data: &[u8],
) -> Result<Coverage, NotCovered> {
    let demanded = match event_type {
        kind::EV_SEPARATOR
        | kind::EV_ACTION
        | kind::EV_OMIT_BOOT_DEVICE_EVENTS
        | kind::EV_EFI_ACTION
        | kind::EV_EFI_VARIABLE_DRIVER_CONFIG
        | kind::EV_EFI_GPT_EVENT
        | kind::EV_EFI_GPT_EVENT2
        | kind::EV_EFI_SPDM_DEVICE_POLICY
        | kind::EV_EFI_SPDM_DEVICE_AUTHORITY => whole(data),
        kind::EV_EFI_VARIABLE_BOOT | kind::EV_EFI_VARIABLE_BOOT2 => {
            whole_or_value(event_type, data)
        }
        kind::EV_EFI_VARIABLE_AUTHORITY => whole_or_padded(data),
        _ => return Ok(Coverage::None),
    };
    if !digests
        .iter()
        .any(|(bank, _)| bank_digest(*bank, &[]).is_some())
    {
        return Ok(Coverage::None);
    }
    let found = demanded
        .into_iter()
        .find(|range| is_digest_of(digests, data.get(range.clone()).unwrap_or_default()));
    match found {
        Some(range) => Ok(Coverage::part(range, data.len())),
        None if event_type == kind::EV_SEPARATOR && is_error(digests) => Ok(Coverage::None),
        None => Err(NotCovered),
    }
}

/// Bytes of the payload that give the digest although the event's type does not ask for it: the
/// strings of boot loaders, versions, descriptions. The whole payload, the payload without the
/// zero at its end, GRUB's string after its prefix, a tag's data, the same text in ASCII.
pub(super) fn found(
    event_type: u32,
    digests: &[(u16, &[u8])],
    data: &[u8],
) -> Option<Range<usize>> {
    let mut tried = whole(data);
    tried.extend(without_zero(data, 0));
    match event_type {
        kind::EV_IPL => {
            let prefix = data.windows(2).position(|pair| pair == b": ");
            if let Some(start) = prefix.map(|at| at.saturating_add(2)) {
                tried.push(start..data.len());
                tried.extend(without_zero(data, start));
            }
        }
        kind::EV_EVENT_TAG if data.len() > 8 => tried.push(8..data.len()),
        _ => {}
    }
    let mut tried = tried.into_iter().filter(|range| !range.is_empty());
    let found =
        tried.find(|range| is_digest_of(digests, data.get(range.clone()).unwrap_or_default()));
    found.or_else(|| is_digest_of(digests, &ascii(data)?).then_some(0..data.len()))
}

/// The ASCII text, with its zero, of a payload that is the same text in UTF-16: systemd-stub
/// measures the one and logs the other. The one determines the other, byte for byte.
fn ascii(data: &[u8]) -> Option<Vec<u8>> {
    let (units, rest) = data.as_chunks::<2>();
    let narrow = units
        .iter()
        .map(|[low, high]| (*high == 0 && low.is_ascii()).then_some(*low));
    if units.is_empty() || !rest.is_empty() {
        return None;
    }
    narrow.collect()
}

fn without_zero(data: &[u8], start: usize) -> Vec<Range<usize>> {
    let end = data.len();
    let zeros = |count: usize| {
        let from = end.checked_sub(count).filter(|from| *from > start)?;
        let zero = data.get(from..)?.iter().all(|byte| *byte == 0);
        zero.then_some(start..from)
    };
    [zeros(1), zeros(2)].into_iter().flatten().collect()
}

fn whole(data: &[u8]) -> Vec<Range<usize>> {
    std::iter::once(0..data.len()).collect()
}

fn whole_or_value(event_type: u32, data: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = whole(data);
    if let Payload::Variable(variable) = Payload::read(event_type, data) {
        ranges.push(variable.data_range());
    }
    ranges
}

/// shim before 15.3 logged a byte more than it had measured, of its own padding.
fn whole_or_padded(data: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = whole(data);
    ranges.extend(data.len().checked_sub(1).map(|end| 0..end));
    ranges
}

/// Whether every digest whose algorithm is computed here is of these bytes; at least one is.
fn is_digest_of(digests: &[(u16, &[u8])], bytes: &[u8]) -> bool {
    let mut computed = digests
        .iter()
        .filter_map(|(bank, digest)| Some((bank_digest(*bank, &[bytes])?, *digest)))
        .map(|(own, digest)| own.as_bytes() == digest)
        .peekable();
    computed.peek().is_some() && computed.all(|same| same)
}

/// A separator of an error: the digest is of the number 1, the payload says what went wrong.
pub(super) fn is_error(digests: &[(u16, &[u8])]) -> bool {
    is_digest_of(digests, &1_u32.to_le_bytes())
}
