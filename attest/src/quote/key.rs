//! The key that attests.

use super::QuoteError;
use crate::code::{self, Code};
use crate::tpm::public::{Key, Public};
use crate::tpm::{Fault, StructureError};

/// `TPM_RH_ENDORSEMENT` (Part 2, section 7.4).
pub(super) const ENDORSEMENT: [u8; 4] = [0x40, 0x00, 0x00, 0x0b];

/// A key that signs only what its TPM made itself, and never leaves it. Made only by
/// [`AttestationKey::check`]. That this TPM is the enrolled one is not said by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationKey {
    public: Public,
    qualified_names: Vec<Vec<u8>>,
}

/// Why a key may not attest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no `TPM2B_PUBLIC` of an allowed kind.
    #[error("the attestation key cannot be used {0}")]
    Structure(#[from] StructureError),
    /// Its attributes let it sign what the TPM did not make, or let it leave the TPM.
    #[error(
        "the attestation key's attributes are {found:#010x}; fixedTPM, fixedParent, \
         sensitiveDataOrigin, restricted and sign are wanted, and not decrypt"
    )]
    Attributes {
        /// `TPMA_OBJECT`.
        found: u32,
    },
    /// It has no scheme of its own.
    #[error("the attestation key has no signing scheme of its own")]
    Scheme,
}

impl KeyError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Structure(error) => match error.fault {
                Fault::Malformed => &code::AK_MALFORMED,
                Fault::Refused => &code::AK_REFUSED,
            },
            Self::Attributes { .. } => &code::AK_ATTRIBUTES,
            Self::Scheme => &code::AK_SCHEME,
        }
    }
}

/// Whether a key has what an attestation key must have, wherever it stands.
///
/// # Errors
/// [`KeyError`]: attributes or scheme missing.
pub(super) fn check_attributes(public: &Public) -> Result<(), KeyError> {
    if !(public.is_bound() && public.only_signs() && public.is_restricted()) {
        return Err(KeyError::Attributes {
            found: public.attributes(),
        });
    }
    if public.scheme().is_none() {
        return Err(KeyError::Scheme);
    }
    Ok(())
}

impl AttestationKey {
    /// Takes a `TPM2B_PUBLIC` that has what an attestation key must have. `ek` is the endorsement
    /// key of the same TPM: the key stands below it, or straight in the endorsement hierarchy;
    /// elsewhere the TPM would mask the clock.
    ///
    /// # Errors
    /// [`KeyError`]: not readable, attributes or scheme missing.
    pub fn check(public: &[u8], ek: &Public) -> Result<Self, KeyError> {
        let public = Public::from_sized(public)?;
        check_attributes(&public)?;
        let below_ek = public.qualified_name(&ek.qualified_name(&ENDORSEMENT));
        let qualified_names = vec![public.qualified_name(&ENDORSEMENT), below_ek];
        Ok(Self {
            public,
            qualified_names,
        })
    }

    /// The key.
    #[must_use]
    pub const fn public(&self) -> &Public {
        &self.public
    }

    /// The key's kind in words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.public.key() {
            Key::P256(_) => "P-256",
            Key::P384(_) => "P-384",
            Key::Rsa(_) => "RSA",
        }
    }

    /// Whether `name` is a qualified name that this key may have.
    pub(crate) fn check_signer(&self, name: &[u8]) -> Result<(), QuoteError> {
        if self.qualified_names.iter().any(|expected| expected == name) {
            return Ok(());
        }
        let expected: Vec<String> = self.qualified_names.iter().map(hex::encode).collect();
        Err(QuoteError::Signer {
            expected: expected.join(" or "),
            found: hex::encode(name),
        })
    }
}
