//! TPM 2.0 structures, read strictly from bytes without a TPM library.
//!
//! Section numbers are those of the TCG "TPM 2.0 Library Specification", Part 2: Structures,
//! version 1.59. Every reader takes exactly its bytes: nothing may be left over, and a value
//! that the specification does not list is an error.

pub mod attest;
pub mod public;
mod reader;
pub mod signature;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

pub(crate) use reader::Reader;
pub use reader::{Fault, StructureError};

/// `TPM_ALG_RSA` (section 6.3).
pub const ALG_RSA: u16 = 0x0001;
/// `TPM_ALG_SHA1`.
pub const ALG_SHA1: u16 = 0x0004;
/// `TPM_ALG_AES`.
pub const ALG_AES: u16 = 0x0006;
/// `TPM_ALG_SHA256`.
pub const ALG_SHA256: u16 = 0x000b;
/// `TPM_ALG_SHA384`.
pub const ALG_SHA384: u16 = 0x000c;
/// `TPM_ALG_SHA512`.
pub const ALG_SHA512: u16 = 0x000d;
/// `TPM_ALG_SM3_256`.
pub const ALG_SM3_256: u16 = 0x0012;
/// `TPM_ALG_NULL`.
pub const ALG_NULL: u16 = 0x0010;
/// `TPM_ALG_RSASSA`.
pub const ALG_RSASSA: u16 = 0x0014;
/// `TPM_ALG_RSAPSS`.
pub const ALG_RSAPSS: u16 = 0x0016;
/// `TPM_ALG_ECDSA`.
pub const ALG_ECDSA: u16 = 0x0018;
/// `TPM_ALG_ECC`.
pub const ALG_ECC: u16 = 0x0023;
/// `TPM_ALG_CFB`.
pub const ALG_CFB: u16 = 0x0043;

/// The banks that a TPM or a log may have: name as tools write it, `TPM_ALG_ID`, bytes of a value.
pub const BANKS: [(&str, u16, usize); 8] = [
    ("sha1", ALG_SHA1, 20),
    ("sha256", ALG_SHA256, 32),
    ("sha384", ALG_SHA384, 48),
    ("sha512", ALG_SHA512, 64),
    ("sm3_256", ALG_SM3_256, 32),
    ("sha3_256", 0x0027, 32),
    ("sha3_384", 0x0028, 48),
    ("sha3_512", 0x0029, 64),
];

/// A bank's name; the number of one that is not known.
#[must_use]
pub fn bank_name(bank: u16) -> String {
    let known = BANKS.iter().find(|(_, id, _)| *id == bank);
    known.map_or_else(|| format!("{bank:#06x}"), |(name, ..)| (*name).to_owned())
}

/// Algorithms of the TCG Algorithm Registry (version 1.34, section 6.2) that a structure may name
/// and that are not allowed here; any other number is none.
const KNOWN: [u16; 15] = [
    ALG_SHA1, 0x0005, 0x0008, ALG_NULL, 0x0012, 0x0015, 0x0017, 0x0019, 0x001a, 0x001b, 0x001c,
    0x0025, 0x0027, 0x0028, 0x0029,
];

/// Whether a structure that names this algorithm is whole and refused, rather than malformed.
pub(crate) fn fault_of(algorithm: u16) -> Fault {
    if KNOWN.contains(&algorithm) {
        Fault::Refused
    } else {
        Fault::Malformed
    }
}

/// A hash that a signature or a name may use: SHA-256 or stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The hash of this `TPM_ALG_ID`; SHA-1 and everything unknown give `None`.
    #[must_use]
    pub const fn of_id(id: u16) -> Option<Self> {
        match id {
            ALG_SHA256 => Some(Self::Sha256),
            ALG_SHA384 => Some(Self::Sha384),
            ALG_SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The `TPM_ALG_ID`.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Sha256 => ALG_SHA256,
            Self::Sha384 => ALG_SHA384,
            Self::Sha512 => ALG_SHA512,
        }
    }

    /// The name in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}
