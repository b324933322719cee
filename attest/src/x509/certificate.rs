//! One certificate, read but not believed.

use x509_cert::der::{self, Decode as _, Encode as _, Header, Reader as _, SliceReader};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoRef;
use x509_cert::time::Time;

use super::chain::ChainError;
use super::extensions::Extensions;
use super::signature;
use crate::digest::Digest;
use crate::tpm::public::Key;

/// The most bytes a certificate may have; a TPM's NV index holds fewer.
const MAX_CERTIFICATE: usize = 8192;

/// A certificate that can be read. Nothing of it is true yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The bytes that its signature is over, as they came.
    tbs: Vec<u8>,
    digest: Digest,
    parsed: x509_cert::Certificate,
}

impl Certificate {
    /// Reads DER. Padding behind it is cut off: TPMs keep certificates in larger NV indices and
    /// fill them with 0xFF, some with zeros.
    ///
    /// # Errors
    /// [`ChainError::Malformed`] when it is no certificate, [`ChainError::Trailing`] when what
    /// stands behind it is no padding.
    pub fn read(bytes: &[u8]) -> Result<Self, ChainError> {
        let der = trimmed(bytes)?;
        let malformed = |error: der::Error| ChainError::Malformed(error.to_string());
        let parsed = x509_cert::Certificate::from_der(der).map_err(malformed)?;
        // The signature is over the bytes as they came, not as they would be written again.
        let mut reader = SliceReader::new(der).map_err(malformed)?;
        Header::decode(&mut reader).map_err(malformed)?;
        let tbs = reader.tlv_bytes().map_err(malformed)?;
        Ok(Self {
            tbs: tbs.to_vec(),
            digest: Digest::of(der),
            parsed,
        })
    }

    /// Whose key it is, RFC 4514; may be empty in an endorsement certificate.
    #[must_use]
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// Who issued it, RFC 4514.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.parsed.tbs_certificate.issuer.to_string()
    }

    /// The SHA-256 of the issuer's name, DER.
    #[must_use]
    pub fn issuer_digest(&self) -> Digest {
        let name = self.parsed.tbs_certificate.issuer.to_der();
        Digest::of(&name.unwrap_or_default())
    }

    /// The SHA-256 of its own name, DER.
    #[must_use]
    pub fn subject_digest(&self) -> Digest {
        let name = self.parsed.tbs_certificate.subject.to_der();
        Digest::of(&name.unwrap_or_default())
    }

    /// The SHA-256 of its DER without padding.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What to call it in a message.
    pub(super) fn words(&self) -> String {
        let subject = self.subject();
        if subject.is_empty() {
            return "the endorsement certificate".to_owned();
        }
        subject
    }

    /// Its key.
    ///
    /// # Errors
    /// [`ChainError::Algorithm`] when the key is of a kind or strength that is not allowed.
    pub fn key(&self) -> Result<Key, ChainError> {
        let unusable = |reason: String| ChainError::Algorithm {
            certificate: self.words(),
            reason,
        };
        let info = self.parsed.tbs_certificate.subject_public_key_info.to_der();
        let info = info.map_err(|error| unusable(error.to_string()))?;
        let info = SubjectPublicKeyInfoRef::from_der(&info);
        let info = info.map_err(|error| unusable(error.to_string()))?;
        Key::from_info(info).map_err(|error| unusable(error.reason))
    }

    pub(super) fn subject_name(&self) -> &Name {
        &self.parsed.tbs_certificate.subject
    }

    pub(super) fn issuer_name(&self) -> &Name {
        &self.parsed.tbs_certificate.issuer
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.subject_name() == self.issuer_name()
    }

    /// The first and last second that it is valid in, since 1970.
    pub(super) fn validity(&self) -> (u64, u64) {
        let seconds = |time: Time| time.to_unix_duration().as_secs();
        let validity = &self.parsed.tbs_certificate.validity;
        (seconds(validity.not_before), seconds(validity.not_after))
    }

    /// Its extensions, each known or not critical.
    pub(super) fn extensions(&self) -> Result<Extensions, ChainError> {
        let given = self.parsed.tbs_certificate.extensions.as_deref();
        Extensions::read(given.unwrap_or_default(), &self.words())
    }

    /// Checks its signature with the issuer's key.
    pub(super) fn check_signature(&self, issuer: &Key) -> Result<(), ChainError> {
        let parsed = &self.parsed;
        let bits = parsed.signature.as_bytes();
        let same = parsed.signature_algorithm == parsed.tbs_certificate.signature;
        let (Some(bits), true) = (bits, same) else {
            let what = format!("{}: two signature algorithms", self.words());
            return Err(ChainError::Malformed(what));
        };
        let algorithm = &parsed.signature_algorithm;
        let words = self.words();
        signature::check(algorithm, issuer, &self.tbs, bits, words)
    }
}

/// The first DER value of `bytes`, when nothing but padding follows.
fn trimmed(bytes: &[u8]) -> Result<&[u8], ChainError> {
    let malformed = |error: der::Error| ChainError::Malformed(error.to_string());
    let mut reader = SliceReader::new(bytes).map_err(malformed)?;
    let der = reader.tlv_bytes().map_err(malformed)?;
    if der.len() > MAX_CERTIFICATE {
        let what = format!("{} bytes, at most {MAX_CERTIFICATE} are allowed", der.len());
        return Err(ChainError::Malformed(what));
    }
    let rest = bytes.get(der.len()..).unwrap_or_default();
    let is = |padding: u8| rest.iter().all(|byte| *byte == padding);
    if is(0xff) || is(0) {
        return Ok(der);
    }
    Err(ChainError::Trailing { count: rest.len() })
}
