//! Identifiers and digests: values that must not be mixed up get their own type.

use std::fmt;

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| NotAnId { expected_hex: $len * 2 })?;
                Ok(Self(bytes))
            }
        }
    };
}

/// Text that is not the hexadecimal form of an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected {expected_hex} hexadecimal digits")]
pub struct NotAnId {
    /// How many hexadecimal digits the id has.
    pub expected_hex: usize,
}

bytes_newtype!(
    /// A SHA-256 digest.
    Digest, 32
);
bytes_newtype!(
    /// A job: 128 random bits.
    JobId, 16
);
bytes_newtype!(
    /// A tenant: 128 random bits; all zero is the reserved tenant `system`.
    TenantId, 16
);
bytes_newtype!(
    /// A stored artifact: 128 random bits.
    ArtifactId, 16
);

impl TenantId {
    /// The appliance itself.
    pub const SYSTEM: Self = Self([0; 16]);
}

impl Digest {
    /// SHA-256 of plain bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 of `domain || 0x00 || bytes`, so that a digest made for one
    /// purpose never passes for another.
    pub fn of_domain(domain: &str, bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(domain.as_bytes());
        hash.update([0]);
        hash.update(bytes);
        Self(hash.finalize().into())
    }
}
