//! The first record of a log: which form it has and which banks (PC Client PFP, section 10.4.5.1).

use super::bank::bank_size;
use super::kind::EV_NO_ACTION;
use crate::tpm::{ALG_SHA1, Reader, StructureError};

/// The most banks a log may have.
pub(super) const MAX_BANKS: u32 = 8;

/// The form of a log's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `TCG_PCR_EVENT2`: a digest for every bank. Begins with "Spec ID Event03".
    CryptoAgile,
    /// `TCG_PCR_EVENT`: SHA-1 only. Begins with "Spec ID Event00" or "02", or with no header.
    Sha1,
}

/// What a Spec ID event says. No digest covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecId<'b> {
    /// The signature, "Spec ID Event03" for one.
    pub signature: &'b str,
    /// 0 a client, 1 a server.
    pub platform_class: u32,
    /// The version of the specification: minor, major, errata.
    pub version: [u8; 3],
    /// The firmware's width: 1 is 32 bits, 2 is 64. The first form of all has none, and 0.
    pub integers: u8,
    /// What the vendor adds.
    pub vendor: &'b [u8],
    /// How many bytes of the log the header takes.
    pub len: usize,
}

#[derive(Debug)]
pub(super) struct Header<'b> {
    pub(super) form: Form,
    pub(super) banks: Vec<(u16, usize)>,
    pub(super) spec_id: Option<SpecId<'b>>,
}

/// Reads the header and leaves the reader at the first event. Without a header the log is of the
/// old form and the reader stays where it was.
pub(super) fn read<'b>(
    bytes: &'b [u8],
    reader: &mut Reader<'b>,
) -> Result<Header<'b>, StructureError> {
    let old = || Header {
        form: Form::Sha1,
        banks: vec![(ALG_SHA1, 20)],
        spec_id: None,
    };
    let mut ahead = Reader::new(bytes);
    let (pcr, event_type) = (ahead.u32_le()?, ahead.u32_le()?);
    let digest = ahead.array::<20>()?;
    let size = ahead.u32_le()?;
    let Ok(size) = usize::try_from(size) else {
        return ahead.error("too large");
    };
    let at = ahead.offset();
    let data = ahead.take(size)?;
    if event_type != EV_NO_ACTION || !is_spec_id(data) {
        return Ok(old());
    }
    if pcr != 0 {
        return reader.error("a Spec ID event of another register than 0");
    }
    if digest != [0; 20] {
        return reader.error("the Spec ID event has a digest");
    }
    let mut header = spec(data).map_err(|mut error| {
        error.offset = error.offset.saturating_add(at);
        error
    })?;
    *reader = ahead;
    if let Some(spec_id) = &mut header.spec_id {
        spec_id.len = reader.offset();
    }
    Ok(header)
}

/// Whether a payload begins as a Spec ID event's does.
pub(super) fn is_spec_id(data: &[u8]) -> bool {
    data.starts_with(b"Spec ID Event")
}

fn spec(data: &[u8]) -> Result<Header<'_>, StructureError> {
    let mut spec = Reader::new(data);
    let (form, signature) = match &spec.array::<16>()? {
        b"Spec ID Event03\0" => (Form::CryptoAgile, "Spec ID Event03"),
        b"Spec ID Event02\0" => (Form::Sha1, "Spec ID Event02"),
        b"Spec ID Event00\0" => (Form::Sha1, "Spec ID Event00"),
        _ => return Reader::new(data).error("a Spec ID event of an unknown form"),
    };
    let platform_class = spec.u32_le()?;
    let [minor, major, errata, integers] = spec.array()?;
    let (version, widths) = match form {
        Form::CryptoAgile => (2, 1..=2),
        Form::Sha1 => (1, 0..=2),
    };
    if major != version || (form == Form::CryptoAgile && minor != 0) {
        return spec.error(format!("{signature} of version {major}.{minor}"));
    }
    if !widths.contains(&integers) {
        return spec.error(format!("integers of size {integers}"));
    }
    let banks = match form {
        Form::CryptoAgile => banks(&mut spec)?,
        Form::Sha1 => vec![(ALG_SHA1, 20)],
    };
    let vendor = usize::from(spec.u8()?);
    let vendor = spec.take(vendor)?;
    spec.end()?;
    let spec_id = SpecId {
        signature,
        platform_class,
        version: [minor, major, errata],
        integers,
        vendor,
        len: 0,
    };
    Ok(Header {
        form,
        banks,
        spec_id: Some(spec_id),
    })
}

/// The algorithms: known, of their own size, none twice. Nothing is reserved for a number that
/// the log only names.
fn banks(spec: &mut Reader<'_>) -> Result<Vec<(u16, usize)>, StructureError> {
    let count = spec.u32_le()?;
    if !(1..=MAX_BANKS).contains(&count) {
        return spec.error(format!("{count} banks, 1 to {MAX_BANKS} are allowed"));
    }
    let mut banks: Vec<(u16, usize)> = Vec::new();
    for _ in 0..count {
        let (id, size) = (spec.u16_le()?, usize::from(spec.u16_le()?));
        if bank_size(id) != Some(size) || banks.iter().any(|(bank, _)| *bank == id) {
            return spec.error(format!(
                "bank {id:#06x} of {size} bytes: unknown, wrong or twice"
            ));
        }
        banks.push((id, size));
    }
    Ok(banks)
}
