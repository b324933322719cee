//! `TPMT_SIGNATURE` (section 11.3.4), and checking one.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, Pss};

use super::public::{Key, Public, Scheme};
use super::reader::padded;
use super::{ALG_ECDSA, ALG_RSAPSS, ALG_RSASSA, Hash, Reader, StructureError};

/// A signature as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSignature<'b> {
    scheme: Scheme,
    numbers: Numbers<'b>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Numbers<'b> {
    Ecdsa { r: &'b [u8], s: &'b [u8] },
    Rsa(&'b [u8]),
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The bytes are no signature of an allowed kind.
    #[error("the signature cannot be read {0}")]
    Structure(#[from] StructureError),
    /// Key type, scheme and hash of key and signature are not the same.
    #[error("the signature is {}, the key signs {}", found.words(), scheme_words(*expected))]
    Scheme {
        /// What the key signs with.
        expected: Option<Scheme>,
        /// What the signature says.
        found: Scheme,
    },
    /// It does not hold.
    #[error("the signature does not hold for the key")]
    Wrong,
}

/// What a key signs with, in words.
fn scheme_words(scheme: Option<Scheme>) -> String {
    scheme.map_or_else(|| "something else".to_owned(), Scheme::words)
}

impl<'b> RawSignature<'b> {
    /// Reads a `TPMT_SIGNATURE`.
    ///
    /// # Errors
    /// [`StructureError`] when the bytes are not exactly one of ECDSA, RSASSA or RSAPSS with
    /// SHA-256 or stronger.
    pub fn from_bytes(bytes: &'b [u8]) -> Result<Self, StructureError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u16()?;
        let id = reader.u16()?;
        let Some(hash) = Hash::of_id(id) else {
            return reader.refuse(id, format!("hash {id:#06x}, SHA-256 or stronger is wanted"));
        };
        let (scheme, numbers) = match kind {
            ALG_ECDSA => {
                let numbers = Numbers::Ecdsa {
                    r: reader.sized(48)?,
                    s: reader.sized(48)?,
                };
                (Scheme::Ecdsa(hash), numbers)
            }
            ALG_RSASSA => (Scheme::Rsassa(hash), Numbers::Rsa(reader.sized(512)?)),
            ALG_RSAPSS => (Scheme::Rsapss(hash), Numbers::Rsa(reader.sized(512)?)),
            other => return reader.refuse(other, format!("signature algorithm {other:#06x}")),
        };
        reader.end()?;
        Ok(Self { scheme, numbers })
    }

    /// Checks the signature over `message`, which is hashed with the scheme's hash.
    ///
    /// # Errors
    /// [`SignatureError`] when the tuples differ or the signature does not hold.
    pub fn verify(&self, key: &Public, message: &[u8]) -> Result<Hash, SignatureError> {
        let hash = self.hash();
        self.verify_digest(key, &hash.digest(message))?;
        Ok(hash)
    }

    /// The hash that the signature says it is made with.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        let (Scheme::Ecdsa(hash) | Scheme::Rsassa(hash) | Scheme::Rsapss(hash)) = self.scheme;
        hash
    }

    /// Checks the signature over a digest made with the scheme's hash.
    ///
    /// # Errors
    /// As [`RawSignature::verify`].
    pub fn verify_digest(&self, key: &Public, digest: &[u8]) -> Result<(), SignatureError> {
        if key.scheme() != Some(self.scheme) {
            return Err(SignatureError::Scheme {
                expected: key.scheme(),
                found: self.scheme,
            });
        }
        self.verify_bare(key.key(), digest)
    }

    /// Checks the signature over a digest for a key whose one scheme is not known: the scheme of
    /// the signature counts, and it must be one of the key's type.
    ///
    /// # Errors
    /// As [`RawSignature::verify`].
    pub fn verify_bare(&self, key: &Key, digest: &[u8]) -> Result<(), SignatureError> {
        let holds = match (key, &self.numbers, self.scheme) {
            (Key::P256(key), Numbers::Ecdsa { r, s }, Scheme::Ecdsa(_)) => p256_signature(r, s)
                .is_some_and(|signature| {
                    let key = p256::ecdsa::VerifyingKey::from(key);
                    key.verify_prehash(digest, &signature).is_ok()
                }),
            (Key::P384(key), Numbers::Ecdsa { r, s }, Scheme::Ecdsa(_)) => p384_signature(r, s)
                .is_some_and(|signature| {
                    let key = p384::ecdsa::VerifyingKey::from(key);
                    key.verify_prehash(digest, &signature).is_ok()
                }),
            (Key::Rsa(key), Numbers::Rsa(number), Scheme::Rsassa(hash)) => {
                key.verify(pkcs1(hash), digest, number).is_ok()
            }
            (Key::Rsa(key), Numbers::Rsa(number), Scheme::Rsapss(hash)) => {
                let salts = pss(hash, key.size());
                salts
                    .into_iter()
                    .any(|pss| key.verify(pss, digest, number).is_ok())
            }
            _ => {
                return Err(SignatureError::Scheme {
                    expected: None,
                    found: self.scheme,
                });
            }
        };
        if holds {
            Ok(())
        } else {
            Err(SignatureError::Wrong)
        }
    }

    /// The scheme and hash that the signature says it is made with.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether this is the one spelling that [`normalised`] gives, not `n - s` or one with its
    /// leading zeros dropped.
    #[must_use]
    pub fn is_normalised(&self) -> bool {
        match self.numbers {
            Numbers::Ecdsa { r, s } => lower(r, s).is_some_and(|low| low == (r.into(), s.into())),
            Numbers::Rsa(_) => true,
        }
    }
}

/// The one spelling of a `TPMT_SIGNATURE` that an evidence carries: an ECDSA `s` in the lower
/// half. Bytes that are no ECDSA signature are given back as they are.
#[must_use]
pub fn normalised(bytes: &[u8]) -> Vec<u8> {
    let low = RawSignature::from_bytes(bytes)
        .ok()
        .and_then(|raw| match raw.numbers {
            Numbers::Ecdsa { r, s } => lower(r, s),
            Numbers::Rsa(_) => None,
        });
    let Some((r, s)) = low else {
        return bytes.to_vec();
    };
    let head = bytes.get(..4).unwrap_or_default();
    let size = if r.len() == 32 { [0, 32] } else { [0, 48] };
    [head, &size, &r, &size, &s].concat()
}

/// `r` and the lower `s` at the full width of P-256, or of P-384 when they do not fit.
fn lower(r: &[u8], s: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let both = if r.len().max(s.len()) <= 32 {
        let signature = p256_signature(r, s)?;
        signature
            .normalize_s()
            .unwrap_or(signature)
            .to_bytes()
            .to_vec()
    } else {
        let signature = p384_signature(r, s)?;
        signature
            .normalize_s()
            .unwrap_or(signature)
            .to_bytes()
            .to_vec()
    };
    let (r, s) = both.split_at(both.len() / 2);
    Some((r.into(), s.into()))
}

fn p256_signature(r: &[u8], s: &[u8]) -> Option<p256::ecdsa::Signature> {
    let (r, s): ([u8; 32], [u8; 32]) = (padded(r)?, padded(s)?);
    p256::ecdsa::Signature::from_scalars(r, s).ok()
}

fn p384_signature(r: &[u8], s: &[u8]) -> Option<p384::ecdsa::Signature> {
    let (r, s): ([u8; 48], [u8; 48]) = (padded(r)?, padded(s)?);
    p384::ecdsa::Signature::from_scalars(r, s).ok()
}

fn pkcs1(hash: Hash) -> Pkcs1v15Sign {
    match hash {
        Hash::Sha256 => Pkcs1v15Sign::new::<sha2::Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<sha2::Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<sha2::Sha512>(),
    }
}

/// A TPM's salt is as long as the digest (FIPS) or as long as fits (Part 1, annex B.7).
fn pss(hash: Hash, modulus: usize) -> [Pss; 2] {
    fn both<D>(modulus: usize) -> [Pss; 2]
    where
        D: 'static + sha2::Digest + sha2::digest::DynDigest + Send + Sync,
    {
        let digest = <D as sha2::Digest>::output_size();
        let longest = modulus.saturating_sub(digest).saturating_sub(2);
        [
            Pss::new_with_salt::<D>(digest),
            Pss::new_with_salt::<D>(longest),
        ]
    }
    match hash {
        Hash::Sha256 => both::<sha2::Sha256>(modulus),
        Hash::Sha384 => both::<sha2::Sha384>(modulus),
        Hash::Sha512 => both::<sha2::Sha512>(modulus),
    }
}
