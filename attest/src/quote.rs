//! Checking a quote. Only [`VerifiedQuote::check`] makes a [`VerifiedQuote`], and register values
//! are to be had from nothing else.

use crate::code::{self, Code};
use crate::digest::Digest;
use crate::evidence::{POLICY_PCRS, RawQuote};
use crate::leaf::TpmClock;
use crate::tpm::attest::{AttestError, QuoteInfo, Selection};
use crate::tpm::public::{Key, Public};
use crate::tpm::signature::{RawSignature, SignatureError};
use crate::tpm::{ALG_SHA256, StructureError};

/// `TPM_RH_ENDORSEMENT` (Part 2, section 7.4).
const ENDORSEMENT: [u8; 4] = [0x40, 0x00, 0x00, 0x0b];

/// A key that signs only what its TPM made itself, and never leaves it. Made only by
/// [`AttestationKey::check`]. That this TPM is the enrolled one is not said by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationKey {
    public: Public,
    qualified_names: Vec<Vec<u8>>,
}

/// Register values that the attestation key's TPM vouches for, in answer to one qualifying data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedQuote {
    values: Vec<(u8, Digest)>,
    clock: TpmClock,
    clock_safe: bool,
    firmware_version: u64,
}

/// Why a key may not attest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no `TPM2B_PUBLIC` of an allowed kind.
    #[error("the attestation key cannot be read {0}")]
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

/// Why a quote does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// Not a quote that a TPM made.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// The signature does not hold, or is of another kind than the key's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signature is spelt in another way than the format's.
    #[error("the signature is in another spelling (n - s, or short numbers) than the format's")]
    Spelling,
    /// The key that signed does not stand where an attestation key stands.
    #[error("the signer's qualified name is {found}, expected {expected}")]
    Signer {
        /// The names it may have, hexadecimal.
        expected: String,
        /// The one in the quote, hexadecimal.
        found: String,
    },
    /// Another qualifying data: another nonce or another evidence.
    #[error("the qualifying data is {found}, expected {expected}")]
    Qualifying {
        /// Computed from the evidence.
        expected: Digest,
        /// In the quote, hexadecimal.
        found: String,
    },
    /// Other banks or registers than the policy's.
    #[error("the quote covers {found}, the policy wants {expected}")]
    Selection {
        /// The policy's.
        expected: String,
        /// The quote's.
        found: String,
    },
    /// The values given are not of exactly the registers quoted.
    #[error("values are given for registers {found:?}, the quote covers {expected:?}")]
    Registers {
        /// Quoted.
        expected: Vec<u8>,
        /// Given.
        found: Vec<u8>,
    },
    /// The values are not those that the digest is over.
    #[error("the values digest to {found}, the quote is over {expected}")]
    Digest {
        /// In the quote, hexadecimal.
        expected: String,
        /// Over the values, hexadecimal.
        found: String,
    },
    /// The bank is unused: every register is zero or every one is all ones.
    #[error("the bank is not in use: {0}")]
    Empty(&'static str),
}

impl KeyError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Structure(_) => &code::AK_MALFORMED,
            Self::Attributes { .. } => &code::AK_ATTRIBUTES,
            Self::Scheme => &code::AK_SCHEME,
        }
    }
}

impl QuoteError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Attest(AttestError::Magic { .. }) => &code::QUOTE_MAGIC,
            Self::Attest(AttestError::Kind { .. }) => &code::QUOTE_KIND,
            Self::Attest(AttestError::Structure(_))
            | Self::Signature(SignatureError::Structure(_)) => &code::QUOTE_MALFORMED,
            Self::Signature(SignatureError::Scheme { .. }) => &code::QUOTE_SCHEME,
            Self::Signature(SignatureError::Wrong) => &code::QUOTE_SIGNATURE,
            Self::Spelling => &code::QUOTE_SPELLING,
            Self::Signer { .. } => &code::QUOTE_SIGNER,
            Self::Qualifying { .. } => &code::QUOTE_QUALIFYING,
            Self::Selection { .. } => &code::QUOTE_SELECTION,
            Self::Registers { .. } => &code::QUOTE_REGISTERS,
            Self::Digest { .. } => &code::QUOTE_DIGEST,
            Self::Empty(_) => &code::QUOTE_EMPTY,
        }
    }
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
        if !(public.is_bound() && public.only_signs() && public.is_restricted()) {
            return Err(KeyError::Attributes {
                found: public.attributes(),
            });
        }
        if public.scheme().is_none() {
            return Err(KeyError::Scheme);
        }
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

impl VerifiedQuote {
    /// Checks a quote by `key` over `qualifying`, which must cover exactly the policy's registers.
    ///
    /// # Errors
    /// [`QuoteError`], the first step that fails.
    pub fn check(
        raw: &RawQuote,
        key: &AttestationKey,
        qualifying: &Digest,
    ) -> Result<Self, QuoteError> {
        // 1. A TPM made it, and it is a quote: a restricted key signs nothing else that begins
        //    so, and no other kind of attestation can be read as one.
        let info = QuoteInfo::from_bytes(&raw.attest)?;
        // 2. This key signed it, with its one scheme and hash, in the one spelling.
        let signature = RawSignature::from_bytes(&raw.signature).map_err(SignatureError::from)?;
        let hash = signature.verify(key.public(), &raw.attest)?;
        if !signature.is_normalised() {
            return Err(QuoteError::Spelling);
        }
        // 3. The key stands in the endorsement hierarchy.
        key.check_signer(&info.header.qualified_signer)?;
        // 4. For this evidence, so for this challenge.
        if info.header.qualifying != qualifying.as_bytes() {
            let found = hex::encode(&info.header.qualifying);
            return Err(QuoteError::Qualifying {
                expected: *qualifying,
                found,
            });
        }
        // 5. Over exactly the registers of the policy: nothing resettable, nothing left out.
        check_selection(&info.selections)?;
        let found: Vec<u8> = raw.pcrs.iter().map(|pcr| pcr.pcr).collect();
        if found != POLICY_PCRS {
            return Err(QuoteError::Registers {
                expected: POLICY_PCRS.to_vec(),
                found,
            });
        }
        // 6. The values given are the ones quoted (Part 1, section 17.6.2: in the order of the
        //    registers, hashed with the scheme's hash).
        let values: Vec<u8> = raw
            .pcrs
            .iter()
            .flat_map(|pcr| *pcr.value.as_bytes())
            .collect();
        let found = hash.digest(&values);
        if found != info.digest {
            let expected = hex::encode(&info.digest);
            return Err(QuoteError::Digest {
                expected,
                found: hex::encode(found),
            });
        }
        // 7. Something was measured at all.
        if values.iter().all(|byte| *byte == 0) {
            return Err(QuoteError::Empty("every register is zero"));
        }
        if values.iter().all(|byte| *byte == 0xff) {
            return Err(QuoteError::Empty("every register is all ones"));
        }
        Ok(Self {
            values: raw.pcrs.iter().map(|pcr| (pcr.pcr, pcr.value)).collect(),
            clock: info.header.clock,
            clock_safe: info.header.clock_safe,
            firmware_version: info.header.firmware_version,
        })
    }

    /// The registers and their values, SHA-256 bank, ascending.
    #[must_use]
    pub fn values(&self) -> &[(u8, Digest)] {
        &self.values
    }

    /// A register's value.
    #[must_use]
    pub fn value(&self, pcr: u8) -> Option<&Digest> {
        self.values
            .iter()
            .find(|(index, _)| *index == pcr)
            .map(|(_, value)| value)
    }

    /// The TPM's clock when it signed.
    #[must_use]
    pub const fn clock(&self) -> TpmClock {
        self.clock
    }

    /// Whether the clock is known never to have gone back.
    #[must_use]
    pub const fn clock_is_safe(&self) -> bool {
        self.clock_safe
    }

    /// The TPM's firmware version.
    #[must_use]
    pub const fn firmware_version(&self) -> u64 {
        self.firmware_version
    }
}

fn check_selection(selections: &[Selection]) -> Result<(), QuoteError> {
    let [
        Selection {
            bank: ALG_SHA256,
            pcrs,
        },
    ] = selections
    else {
        return Err(wrong_selection(selections));
    };
    if *pcrs != POLICY_PCRS {
        return Err(wrong_selection(selections));
    }
    Ok(())
}

fn wrong_selection(selections: &[Selection]) -> QuoteError {
    let show = |selection: &Selection| format!("bank {:#06x} {:?}", selection.bank, selection.pcrs);
    let found: Vec<String> = selections.iter().map(show).collect();
    let found = if found.is_empty() {
        "nothing".to_owned()
    } else {
        found.join(" and ")
    };
    let expected = format!("bank {ALG_SHA256:#06x} {POLICY_PCRS:?}");
    QuoteError::Selection { expected, found }
}
