//! What stands behind a TPM: whether an owner may enrol it under a root, and whether an auditor
//! finds the same.

use crate::code::{self, Code};
use crate::enrolment::{EnrolmentRequest, Root};
use crate::tpm::StructureError;
use crate::tpm::public::Public;
use crate::x509::{Authorities, Chain, ChainError, Policy, VerifiedCertificate};

/// Why a TPM does not stand under a root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The endorsement key cannot be read.
    #[error("the endorsement key cannot be read {0}")]
    Key(#[from] StructureError),
    /// No chosen authority vouches for it.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A certificate of a program is no hardware's.
    #[error("{0} is a TPM in software, and hardware was said")]
    Software(String),
    /// A certificate that does not name the TPM's maker is no hardware's.
    #[error("the certificate does not name the TPM's manufacturer, and hardware was said")]
    Unnamed,
}

impl RootError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Key(_) => &code::EK_MALFORMED,
            Self::Chain(error) => error.code(),
            Self::Software(_) => &code::CERTIFICATE_SOFTWARE,
            Self::Unnamed => &code::CERTIFICATE_USAGE,
        }
    }

    /// Whether something could not be read, rather than not be believed.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::Key(_) | Self::Chain(ChainError::Malformed(_) | ChainError::Trailing { .. })
        )
    }
}

impl Root {
    /// Whether an authority must vouch for a TPM under this root.
    #[must_use]
    pub const fn is_certified(self) -> bool {
        match self {
            Self::SwtpmCa | Self::HardwareEk => true,
            Self::Development | Self::FirstUse => false,
        }
    }

    /// Checks that the TPM of `request` stands under this root, by the authorities that whoever
    /// asks has chosen. `at_ms` is the moment of enrolment, milliseconds since 1970.
    ///
    /// Which kind of root it is, is the chooser's word: a certificate can say that a TPM is a
    /// program, and then it is not taken as hardware; it cannot prove that it is hardware.
    ///
    /// # Errors
    /// [`RootError`] when no authority vouches for it, or the certificate says otherwise.
    pub fn check(
        self,
        request: &EnrolmentRequest,
        authorities: &Authorities,
        at_ms: u64,
    ) -> Result<VerifiedCertificate, RootError> {
        let endorsement = Public::from_sized(&request.ek_public)?;
        let certificate = &request.ek_certificate;
        let found = Chain::verify(certificate, authorities, &endorsement, Policy { at_ms })?;
        match (self, found.model()) {
            (Self::HardwareEk, None) => Err(RootError::Unnamed),
            (Self::HardwareEk, Some(model)) if model.is_software() => {
                Err(RootError::Software(model.to_string()))
            }
            _ => Ok(found),
        }
    }
}
