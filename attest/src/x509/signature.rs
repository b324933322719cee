//! Signatures of certificates: an allow-list of algorithms.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::{Pkcs1v15Sign, Pss};
use sha2::{Sha256, Sha384, Sha512};
use x509_cert::der::{Decode as _, Encode as _, oid::ObjectIdentifier};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::chain::ChainError;
use crate::tpm::Hash;
use crate::tpm::public::Key;

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// Algorithms, and the key that each wants.
#[derive(Debug, Clone, Copy)]
enum Algorithm {
    Ecdsa(Hash),
    Pkcs1(Hash),
    Pss(Hash, usize),
}

/// Checks a signature over `message` by `key`.
pub(super) fn check(
    algorithm: &AlgorithmIdentifierOwned,
    key: &Key,
    message: &[u8],
    signature: &[u8],
    certificate: String,
) -> Result<(), ChainError> {
    let refused = |reason: String| ChainError::Algorithm {
        certificate: certificate.clone(),
        reason,
    };
    let found = Algorithm::of(algorithm)
        .ok_or_else(|| refused(format!("signature algorithm {}", algorithm.oid)))?;
    let holds = match (found, key) {
        (Algorithm::Ecdsa(hash), Key::P256(key)) => {
            let key = p256::ecdsa::VerifyingKey::from(key);
            p256::ecdsa::DerSignature::try_from(signature).is_ok_and(|signature| {
                // RFC 5480: of a longer digest the leftmost bits count.
                key.verify_prehash(&hash.digest(message), &signature)
                    .is_ok()
            })
        }
        (Algorithm::Ecdsa(hash), Key::P384(key)) => {
            let key = p384::ecdsa::VerifyingKey::from(key);
            let digest = hash.digest(message);
            p384::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok())
        }
        (Algorithm::Pkcs1(hash), Key::Rsa(key)) => {
            let scheme = match hash {
                Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
                Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
                Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
            };
            key.verify(scheme, &hash.digest(message), signature).is_ok()
        }
        (Algorithm::Pss(hash, salt), Key::Rsa(key)) => {
            let scheme = match hash {
                Hash::Sha256 => Pss::new_with_salt::<Sha256>(salt),
                Hash::Sha384 => Pss::new_with_salt::<Sha384>(salt),
                Hash::Sha512 => Pss::new_with_salt::<Sha512>(salt),
            };
            key.verify(scheme, &hash.digest(message), signature).is_ok()
        }
        (_, key) => {
            let reason = format!("signature algorithm {} of a {}", algorithm.oid, key.words());
            return Err(refused(reason));
        }
    };
    if holds {
        Ok(())
    } else {
        Err(ChainError::Signature { certificate })
    }
}

impl Algorithm {
    fn of(algorithm: &AlgorithmIdentifierOwned) -> Option<Self> {
        Some(match algorithm.oid {
            ECDSA_SHA256 => Self::Ecdsa(Hash::Sha256),
            ECDSA_SHA384 => Self::Ecdsa(Hash::Sha384),
            ECDSA_SHA512 => Self::Ecdsa(Hash::Sha512),
            RSA_SHA256 => Self::Pkcs1(Hash::Sha256),
            RSA_SHA384 => Self::Pkcs1(Hash::Sha384),
            RSA_SHA512 => Self::Pkcs1(Hash::Sha512),
            RSA_PSS => return Self::pss(algorithm),
            _ => return None,
        })
    }

    /// `RSASSA-PSS-params` (RFC 4055, section 3.1): one hash for digest and mask, its length of
    /// salt; every other combination, and the SHA-1 defaults, are refused.
    fn pss(algorithm: &AlgorithmIdentifierOwned) -> Option<Self> {
        let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
        let parameters = rsa::pkcs1::RsaPssParams::from_der(&parameters).ok()?;
        let hash = match parameters.hash.oid.to_string().as_str() {
            "2.16.840.1.101.3.4.2.1" => Hash::Sha256,
            "2.16.840.1.101.3.4.2.2" => Hash::Sha384,
            "2.16.840.1.101.3.4.2.3" => Hash::Sha512,
            _ => return None,
        };
        let mask = parameters.mask_gen.parameters?.oid;
        let salt = usize::from(parameters.salt_len);
        (mask == parameters.hash.oid && salt <= 64).then_some(Self::Pss(hash, salt))
    }
}
