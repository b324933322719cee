//! From an endorsement certificate to a root that the auditor chose.

use super::{Authorities, Certificate, TpmModel};
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::tpm::public::{Key, Public};

/// The most authorities in a chain. Vendors use up to three.
const MAX_AUTHORITIES: usize = 5;
/// The most signatures that are checked for one certificate: authorities of one name are all
/// tried, and their number is an attacker's choice.
const MAX_SIGNATURES: usize = 32;

/// How dates are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The moment of judgement, milliseconds since 1970: the moment of enrolment. Authorities
    /// must be valid then. An endorsement certificate may have expired, which is noted: its end
    /// says nothing of the TPM, whose key cannot change. It may not begin later.
    pub at_ms: u64,
}

/// Validates chains.
#[derive(Debug, Clone, Copy)]
pub struct Chain;

/// An endorsement certificate that a chosen root vouches for, and that is for the enrolled
/// endorsement key. Made only by [`Chain::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCertificate {
    model: Option<TpmModel>,
    path: Vec<String>,
    authorities: Vec<Digest>,
    root: String,
    has_expired: bool,
}

/// Why a certificate does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is none.
    #[error("there is no endorsement certificate")]
    Absent,
    /// It cannot be read.
    #[error("a certificate cannot be read: {0}")]
    Malformed(String),
    /// Something stands behind it.
    #[error("{count} bytes behind the certificate are no padding")]
    Trailing {
        /// How many bytes.
        count: usize,
    },
    /// A key or signature algorithm that is not allowed.
    #[error("{certificate}: {reason} is not allowed")]
    Algorithm {
        /// Whose.
        certificate: String,
        /// Which.
        reason: String,
    },
    /// A signature does not hold.
    #[error("the signature of {certificate} does not hold for its issuer's key")]
    Signature {
        /// Whose.
        certificate: String,
    },
    /// Nobody given issued it.
    #[error("{certificate}: its issuer {issuer} was not given")]
    Issuer {
        /// Whose.
        certificate: String,
        /// The issuer's name.
        issuer: String,
    },
    /// The chain is too long.
    #[error("more than {MAX_AUTHORITIES} authorities, or {MAX_SIGNATURES} of one name")]
    Depth,
    /// Not valid at the moment of judgement.
    #[error("{certificate} is valid from {from} to {until} seconds since 1970, not at {at}")]
    Date {
        /// Whose.
        certificate: String,
        /// First second.
        from: u64,
        /// Last second.
        until: u64,
        /// The moment of judgement.
        at: u64,
    },
    /// It may not issue certificates, or not this one.
    #[error("{certificate} may not issue this certificate: {reason}")]
    Authority {
        /// Whose.
        certificate: String,
        /// Why not.
        reason: String,
    },
    /// An extension is critical and unknown, twice there, or unreadable.
    #[error("{certificate}: extension {extension}: {reason}")]
    Extension {
        /// Whose.
        certificate: String,
        /// Its object identifier.
        extension: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is no endorsement certificate.
    #[error("not an endorsement certificate: {0}")]
    Usage(&'static str),
    /// It is for another key.
    #[error("the certificate is for another key ({found}) than the endorsement key ({expected})")]
    Key {
        /// The enrolled key's kind.
        expected: String,
        /// The certificate's key's kind.
        found: String,
    },
}

impl ChainError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Absent => &code::CERTIFICATE_ABSENT,
            Self::Malformed(_) => &code::CERTIFICATE_MALFORMED,
            Self::Trailing { .. } => &code::CERTIFICATE_TRAILING,
            Self::Algorithm { .. } => &code::CERTIFICATE_ALGORITHM,
            Self::Signature { .. } => &code::CERTIFICATE_SIGNATURE,
            Self::Issuer { .. } => &code::CERTIFICATE_ISSUER,
            Self::Depth => &code::CERTIFICATE_DEPTH,
            Self::Date { .. } => &code::CERTIFICATE_DATE,
            Self::Authority { .. } => &code::CERTIFICATE_AUTHORITY,
            Self::Extension { .. } => &code::CERTIFICATE_EXTENSION,
            Self::Usage(_) => &code::CERTIFICATE_USAGE,
            Self::Key { .. } => &code::CERTIFICATE_KEY,
        }
    }
}

impl VerifiedCertificate {
    /// What the TPM is, when the certificate says it.
    #[must_use]
    pub const fn model(&self) -> Option<&TpmModel> {
        self.model.as_ref()
    }

    /// The authorities from the issuer to the root, RFC 4514.
    #[must_use]
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The SHA-256 of the names (DER) of the authorities of the path.
    #[must_use]
    pub fn authorities(&self) -> &[Digest] {
        &self.authorities
    }

    /// The root: its name and the SHA-256 of its certificate.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Whether the certificate itself had expired; a note, no fault.
    #[must_use]
    pub const fn has_expired(&self) -> bool {
        self.has_expired
    }
}

impl Chain {
    /// Checks that `certificate` (DER, padding allowed) is for the endorsement key `ek`, and that
    /// a root of `authorities` vouches for it.
    ///
    /// # Errors
    /// [`ChainError`], the first step that fails.
    pub fn verify(
        certificate: &[u8],
        authorities: &Authorities,
        ek: &Public,
        policy: Policy,
    ) -> Result<VerifiedCertificate, ChainError> {
        if certificate.is_empty() {
            return Err(ChainError::Absent);
        }
        let leaf = Certificate::read(certificate)?;
        let at = policy.at_ms / 1000;
        let model = check_endorsement(&leaf, ek)?;
        let (from, until) = leaf.validity();
        if at < from {
            return Err(out_of_date(&leaf, at));
        }
        let mut search = Search {
            authorities,
            at,
            signatures: 0,
        };
        let path = search.from(&leaf, &mut Vec::new())?;
        let root = path.last().map(|root| {
            let digest = root.digest();
            format!("{}, sha256 {digest}", root.words())
        });
        Ok(VerifiedCertificate {
            model,
            path: path.iter().map(|authority| authority.words()).collect(),
            authorities: path.iter().map(|one| one.subject_digest()).collect(),
            root: root.unwrap_or_default(),
            has_expired: at > until,
        })
    }
}

/// Whether the certificate says to be for an endorsement key, and is for this one.
fn check_endorsement(leaf: &Certificate, ek: &Public) -> Result<Option<TpmModel>, ChainError> {
    let extensions = leaf.extensions()?;
    if extensions.is_authority {
        return Err(ChainError::Usage("it is an authority's"));
    }
    // Certificates of before 2016 may lack it, but then name the TPM.
    match (extensions.is_endorsement, &extensions.model) {
        (Some(true), _) | (None, Some(_)) => {}
        (Some(false), _) => return Err(ChainError::Usage("it is for another use")),
        (None, None) => return Err(ChainError::Usage("it names neither use nor TPM")),
    }
    let key = leaf.key()?;
    if let Some(usage) = extensions.usage {
        // EK Credential Profile, section 3.2.13: RSA encrypts, ECC agrees.
        let fits = match key {
            Key::Rsa(_) => usage.encrypts,
            Key::P256(_) | Key::P384(_) => usage.agrees,
        };
        if !fits {
            return Err(ChainError::Usage("its key may not open credentials"));
        }
    }
    if key != *ek.key() {
        return Err(ChainError::Key {
            expected: ek.key().words(),
            found: key.words(),
        });
    }
    Ok(extensions.model)
}

fn out_of_date(certificate: &Certificate, at: u64) -> ChainError {
    let (from, until) = certificate.validity();
    ChainError::Date {
        certificate: certificate.words(),
        from,
        until,
        at,
    }
}

/// A search for a path: depth first, roots before intermediates, bounded in depth and work.
struct Search<'a> {
    authorities: &'a Authorities,
    at: u64,
    signatures: usize,
}

impl<'a> Search<'a> {
    /// The authorities above `certificate`, the root last. `below` are the authorities passed.
    fn from(
        &mut self,
        certificate: &Certificate,
        below: &mut Vec<&'a Certificate>,
    ) -> Result<Vec<&'a Certificate>, ChainError> {
        let mut reason = None;
        let roots = self.authorities.roots.iter().map(|one| (one, true));
        let others = self.authorities.intermediates.iter();
        let others = others.map(|one| (one, false));
        for (issuer, is_root) in roots.chain(others) {
            let repeated = below.contains(&issuer);
            if issuer.subject_name() != certificate.issuer_name() || repeated {
                continue;
            }
            match self.through(certificate, issuer, is_root, below) {
                Ok(path) => return Ok(path),
                Err(error) => reason = reason.or(Some(error)),
            }
        }
        Err(reason.unwrap_or_else(|| ChainError::Issuer {
            certificate: certificate.words(),
            issuer: certificate.issuer(),
        }))
    }

    fn through(
        &mut self,
        certificate: &Certificate,
        issuer: &'a Certificate,
        is_root: bool,
        below: &mut Vec<&'a Certificate>,
    ) -> Result<Vec<&'a Certificate>, ChainError> {
        self.signatures = self.signatures.saturating_add(1);
        if below.len() >= MAX_AUTHORITIES || self.signatures > MAX_SIGNATURES {
            return Err(ChainError::Depth);
        }
        certificate.check_signature(&issuer.key()?)?;
        check_authority(issuer, is_root, below)?;
        let (from, until) = issuer.validity();
        if !(from..=until).contains(&self.at) {
            return Err(out_of_date(issuer, self.at));
        }
        below.push(issuer);
        if is_root {
            return Ok(below.clone());
        }
        let path = self.from(issuer, below);
        if path.is_err() {
            below.pop();
        }
        path
    }
}

/// RFC 5280, section 6.1.4 (k) to (n).
fn check_authority(
    issuer: &Certificate,
    is_root: bool,
    below: &[&Certificate],
) -> Result<(), ChainError> {
    let refused = |reason: &str| ChainError::Authority {
        certificate: issuer.words(),
        reason: reason.to_owned(),
    };
    let extensions = issuer.extensions()?;
    if !extensions.is_authority {
        return Err(refused("it is no authority's"));
    }
    // A root may leave its usage out: trust in it does not come from its certificate.
    let signs = extensions
        .usage
        .map_or(is_root, |usage| usage.signs_certificates);
    if !signs {
        return Err(refused("its key may not sign certificates"));
    }
    let between = below.iter().filter(|one| !one.is_self_issued()).count();
    let most = extensions.path_len.map_or(usize::MAX, usize::from);
    if between > most {
        let reason = format!("{between} authorities below it, at most {most} are allowed");
        return Err(refused(&reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STM: &[u8] = include_bytes!("../selftest/vectors/certificates/stm-intermediate.der");
    const STM_ROOT: &[u8] = include_bytes!("../selftest/vectors/certificates/stm-root.der");
    const GLOBALSIGN: &[u8] =
        include_bytes!("../selftest/vectors/certificates/globalsign-root.der");

    fn path(certificate: &[u8], at: u64) -> Result<usize, &'static str> {
        let mut authorities = Authorities::default();
        authorities.add_roots(GLOBALSIGN).unwrap();
        authorities.add_intermediates(STM_ROOT).unwrap();
        authorities.add_intermediates(STM).unwrap();
        let mut search = Search {
            authorities: &authorities,
            at,
            signatures: 0,
        };
        let certificate = Certificate::read(certificate).unwrap();
        let found = search.from(&certificate, &mut Vec::new());
        found
            .map(|path| path.len())
            .map_err(|error| error.code().id)
    }

    /// Critical policies, path lengths and names of three authorities, as a vendor wrote them.
    #[test]
    fn the_authorities_of_a_vendor() {
        let now = 1_800_000_000;
        assert_eq!(path(STM, now), Ok(2));
        assert_eq!(path(STM_ROOT, now), Ok(1));
        // 2045: the vendor's root has ended, the one above has not.
        assert_eq!(path(STM, 2_366_841_600), Err("certificate.date"));
        assert_eq!(path(STM_ROOT, 2_366_841_600), Ok(1));
    }
}
