//! Extensions: an allow-list. A critical one that is not on it refuses the certificate.

use x509_cert::der::{self, Decode as _, oid::ObjectIdentifier};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

use super::chain::ChainError;
use super::tpm::TpmModel;

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// Vendors mark it critical. Every policy is acceptable here (RFC 5280, section 6.1.1 (c)), so
/// there is nothing in it to process; constraints on policies are not on the list.
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
/// `tcg-kp-EKCertificate` (EK Credential Profile, section 3.2.16).
const EK_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.1");

/// What of a certificate's extensions counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// Present and true.
    pub(super) is_authority: bool,
    /// How many authorities may stand below.
    pub(super) path_len: Option<u8>,
    pub(super) usage: Option<Usage>,
    /// Whether it says to be an endorsement certificate; `None` when it does not say.
    pub(super) is_endorsement: Option<bool>,
    /// What the TPM is, out of the directory name.
    pub(super) model: Option<TpmModel>,
}

/// The bits of `keyUsage` that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) signs_certificates: bool,
    pub(super) encrypts: bool,
    pub(super) agrees: bool,
}

impl Extensions {
    pub(super) fn read(given: &[Extension], certificate: &str) -> Result<Self, ChainError> {
        let mut extensions = Self::default();
        for (at, extension) in given.iter().enumerate() {
            let refused = |reason: String| ChainError::Extension {
                certificate: certificate.to_owned(),
                extension: extension.extn_id.to_string(),
                reason,
            };
            let before = given.iter().take(at);
            if before
                .into_iter()
                .any(|one| one.extn_id == extension.extn_id)
            {
                return Err(refused("it is there twice".to_owned()));
            }
            match extensions.take(extension) {
                Ok(true) => {}
                Ok(false) if !extension.critical => {}
                Ok(false) => {
                    return Err(refused("it is critical and not known here".to_owned()));
                }
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(extensions)
    }

    /// Takes one extension in; whether it is known.
    fn take(&mut self, extension: &Extension) -> Result<bool, String> {
        let bytes = extension.extn_value.as_bytes();
        let unreadable = |error: der::Error| error.to_string();
        match extension.extn_id {
            BASIC_CONSTRAINTS => {
                let found = BasicConstraints::from_der(bytes).map_err(unreadable)?;
                self.is_authority = found.ca;
                self.path_len = found.path_len_constraint;
            }
            KEY_USAGE => {
                let found = KeyUsage::from_der(bytes).map_err(unreadable)?;
                self.usage = Some(Usage {
                    signs_certificates: found.key_cert_sign(),
                    encrypts: found.key_encipherment(),
                    agrees: found.key_agreement(),
                });
            }
            EXTENDED_KEY_USAGE => {
                let found = ExtendedKeyUsage::from_der(bytes).map_err(unreadable)?;
                self.is_endorsement = Some(found.0.contains(&EK_CERTIFICATE));
            }
            SUBJECT_ALT_NAME => {
                let found = SubjectAltName::from_der(bytes).map_err(unreadable)?;
                let directory = found.0.iter().find_map(|name| match name {
                    GeneralName::DirectoryName(name) => Some(name),
                    _ => None,
                });
                let Some(directory) = directory else {
                    return Ok(false);
                };
                self.model = TpmModel::of(directory);
            }
            CERTIFICATE_POLICIES => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}
