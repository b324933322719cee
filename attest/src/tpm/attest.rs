//! `TPMS_ATTEST` (section 10.12.12): what a TPM signs when it attests.

use super::{Reader, StructureError};
use crate::leaf::TpmClock;

/// `TPM_GENERATED_VALUE` (section 6.2): a TPM puts it before what it made itself, and refuses to
/// sign outside bytes that begin so with a restricted key.
const MAGIC: u32 = 0xff54_4347;

/// `TPM_ST_ATTEST_*` (section 6.9): the kinds of attestation that are of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `TPM_ST_ATTEST_CERTIFY`.
    Certify,
    /// `TPM_ST_ATTEST_QUOTE`.
    Quote,
}

/// Why bytes are not the attestation wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    /// The bytes do not begin as those that a TPM made.
    #[error("the attestation begins with {found:#010x}, a TPM begins with 0xff544347")]
    Magic {
        /// What it begins with.
        found: u32,
    },
    /// Another kind of attestation.
    #[error("the attestation is {} ({found:#06x}), expected {}", kind_name(*found), kind_name(expected.id()))]
    Kind {
        /// The kind wanted.
        expected: Kind,
        /// The kind found, `TPMI_ST_ATTEST`.
        found: u16,
    },
    /// Not the structure.
    #[error("the attestation cannot be read {0}")]
    Structure(#[from] StructureError),
}

/// What every attestation carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The qualified name of the key that signed.
    pub qualified_signer: Vec<u8>,
    /// The qualifying data that the caller gave.
    pub qualifying: Vec<u8>,
    /// The TPM's clock.
    pub clock: TpmClock,
    /// Whether the clock never said more than now.
    pub clock_safe: bool,
    /// The TPM's firmware version.
    pub firmware_version: u64,
}

/// The registers of one bank that a quote covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The bank, a `TPM_ALG_ID`.
    pub bank: u16,
    /// The registers, ascending.
    pub pcrs: Vec<u8>,
}

/// `TPMS_QUOTE_INFO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteInfo {
    /// What every attestation carries.
    pub header: Header,
    /// The banks and registers.
    pub selections: Vec<Selection>,
    /// The digest over their values.
    pub digest: Vec<u8>,
}

/// `TPMS_CERTIFY_INFO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifyInfo {
    /// What every attestation carries.
    pub header: Header,
    /// The Name of the certified object.
    pub name: Vec<u8>,
    /// Its qualified name.
    pub qualified_name: Vec<u8>,
}

impl QuoteInfo {
    /// Reads a quote's `TPMS_ATTEST`.
    ///
    /// # Errors
    /// [`AttestError`]: no TPM made it, it is of another kind, or not exactly the structure.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AttestError> {
        let mut reader = Reader::new(bytes);
        let header = header(&mut reader, Kind::Quote)?;
        let selections = selections(&mut reader)?;
        let digest = reader.sized(64)?.to_vec();
        reader.end()?;
        Ok(Self {
            header,
            selections,
            digest,
        })
    }
}

impl CertifyInfo {
    /// Reads a certification's `TPMS_ATTEST`.
    ///
    /// # Errors
    /// As [`QuoteInfo::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AttestError> {
        let mut reader = Reader::new(bytes);
        let header = header(&mut reader, Kind::Certify)?;
        let name = reader.sized(66)?.to_vec();
        let qualified_name = reader.sized(66)?.to_vec();
        reader.end()?;
        Ok(Self {
            header,
            name,
            qualified_name,
        })
    }
}

fn header(reader: &mut Reader<'_>, expected: Kind) -> Result<Header, AttestError> {
    let found = reader.u32()?;
    if found != MAGIC {
        return Err(AttestError::Magic { found });
    }
    let found = reader.u16()?;
    if found != expected.id() {
        return Err(AttestError::Kind { expected, found });
    }
    let qualified_signer = reader.sized(66)?.to_vec();
    // TPM2B_DATA holds up to a TPMT_HA: a hash's name and its digest.
    let qualifying = reader.sized(66)?.to_vec();
    let clock = TpmClock {
        ms: reader.u64()?,
        resets: reader.u32()?,
        restarts: reader.u32()?,
    };
    let clock_safe = match reader.u8()? {
        0 => false,
        1 => true,
        other => return Ok(reader.error(format!("{other} for yes or no"))?),
    };
    let firmware_version = reader.u64()?;
    Ok(Header {
        qualified_signer,
        qualifying,
        clock,
        clock_safe,
        firmware_version,
    })
}

impl Kind {
    const fn id(self) -> u16 {
        match self {
            Self::Certify => 0x8017,
            Self::Quote => 0x8018,
        }
    }
}

/// What section 6.9 calls a kind of attestation.
fn kind_name(id: u16) -> &'static str {
    match id {
        0x8014 => "an NV certification",
        0x8015 => "a command audit",
        0x8016 => "a session audit",
        0x8017 => "a certification",
        0x8018 => "a quote",
        0x8019 => "a time attestation",
        0x801a => "a creation",
        0x801c => "an NV digest",
        _ => "of no known kind",
    }
}

/// `TPML_PCR_SELECTION` (section 10.9.7) of at most 16 banks (`HASH_COUNT`), 24 registers each.
fn selections(reader: &mut Reader<'_>) -> Result<Vec<Selection>, StructureError> {
    let count = reader.u32()?;
    if count > 16 {
        return reader.error(format!("{count} banks"));
    }
    let mut selections = Vec::new();
    for _ in 0..count {
        let bank = reader.u16()?;
        if reader.u8()? != 3 {
            return reader.error("a selection of other than three bytes");
        }
        let [low, middle, high] = reader.array()?;
        let bits = u32::from_le_bytes([low, middle, high, 0]);
        let pcrs = (0..24).filter(|pcr| bits & (1 << pcr) != 0).collect();
        selections.push(Selection { bank, pcrs });
    }
    Ok(selections)
}
