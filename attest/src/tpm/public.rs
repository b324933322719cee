//! `TPMT_PUBLIC` (section 12.2.4): the public part of a TPM key.

use p256::elliptic_curve::sec1::FromEncodedPoint as _;
use rsa::traits::PublicKeyParts as _;
use x509_cert::der::{Decode as _, Document, oid::ObjectIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::reader::padded;
use super::{
    ALG_AES, ALG_CFB, ALG_ECC, ALG_ECDSA, ALG_NULL, ALG_RSA, ALG_RSAPSS, ALG_RSASSA, Fault, Hash,
    Reader, StructureError,
};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// How the EK certificates of TPM 1.2's time name an RSA key.
const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");

/// `TPMA_OBJECT` bits (section 8.3).
const FIXED_TPM: u32 = 1 << 1;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

/// The least bits of an RSA modulus.
pub(crate) const MIN_RSA_BITS: usize = 2048;

/// The key's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A point on NIST P-256.
    P256(p256::PublicKey),
    /// A point on NIST P-384.
    P384(p384::PublicKey),
    /// An RSA key of at least 2048 bits.
    Rsa(rsa::RsaPublicKey),
}

/// A signing scheme, with its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA.
    Ecdsa(Hash),
    /// RSASSA-PKCS1-v1_5.
    Rsassa(Hash),
    /// RSASSA-PSS.
    Rsapss(Hash),
}

/// A TPM key's public part, whole: its name is over these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    name_hash: Hash,
    attributes: u32,
    scheme: Option<Scheme>,
    aes_cfb_bits: Option<u16>,
    key: Key,
    name: Vec<u8>,
}

impl Key {
    /// Reads a bare public key: PEM of a `SubjectPublicKeyInfo`. Nothing of what the key may do
    /// in its TPM is known from it.
    ///
    /// # Errors
    /// [`StructureError`] when it is none, or of a kind or strength that is not allowed.
    pub fn from_pem(pem: &str) -> Result<Self, StructureError> {
        let malformed = |error: &dyn std::fmt::Display| StructureError {
            offset: 0,
            reason: format!("not a public key in PEM: {error}"),
            fault: Fault::Malformed,
        };
        let (_, der) = Document::from_pem(pem).map_err(|error| malformed(&error))?;
        let info = SubjectPublicKeyInfoRef::from_der(der.as_bytes());
        let info = info.map_err(|error| malformed(&error))?;
        Self::from_info(info)
    }

    /// Reads the key of a `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7).
    pub(crate) fn from_info(info: SubjectPublicKeyInfoRef<'_>) -> Result<Self, StructureError> {
        let (fault, reason) = match info.algorithm.oid {
            EC_PUBLIC_KEY => match info.algorithm.parameters_oid() {
                Ok(P256_CURVE) => match p256::PublicKey::try_from(info) {
                    Ok(key) => return Ok(Self::P256(key)),
                    Err(_) => (Fault::Malformed, "not a point on P-256".to_owned()),
                },
                Ok(P384_CURVE) => match p384::PublicKey::try_from(info) {
                    Ok(key) => return Ok(Self::P384(key)),
                    Err(_) => (Fault::Malformed, "not a point on P-384".to_owned()),
                },
                Ok(other) => (
                    Fault::Refused,
                    format!("curve {other}, P-256 or P-384 is wanted"),
                ),
                Err(error) => (Fault::Malformed, format!("no named curve: {error}")),
            },
            RSA_ENCRYPTION | RSAES_OAEP => {
                return rsa_of(info.subject_public_key.raw_bytes());
            }
            other => (Fault::Refused, format!("a key of kind {other}")),
        };
        Err(StructureError {
            offset: 0,
            reason,
            fault,
        })
    }

    /// The key's kind in words: `P-256`, `P-384`, `RSA-2048`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::P256(_) => "P-256".to_owned(),
            Self::P384(_) => "P-384".to_owned(),
            Self::Rsa(key) => format!("RSA-{}", key.n().bits()),
        }
    }
}

/// `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn rsa_of(bytes: &[u8]) -> Result<Key, StructureError> {
    let fault = |fault, reason: String| StructureError {
        offset: 0,
        reason,
        fault,
    };
    let malformed = || fault(Fault::Malformed, "not an RSA key".to_owned());
    let parts = rsa::pkcs1::RsaPublicKey::from_der(bytes).map_err(|_| malformed())?;
    let modulus = rsa::BigUint::from_bytes_be(parts.modulus.as_bytes());
    let exponent = rsa::BigUint::from_bytes_be(parts.public_exponent.as_bytes());
    if modulus.bits() < MIN_RSA_BITS {
        let reason = format!("an RSA key of {} bits", modulus.bits());
        return Err(fault(Fault::Refused, reason));
    }
    let key = rsa::RsaPublicKey::new(modulus, exponent).map_err(|_| malformed())?;
    Ok(Key::Rsa(key))
}

impl Scheme {
    /// The scheme in words.
    #[must_use]
    pub fn words(self) -> String {
        let (name, hash) = match self {
            Self::Ecdsa(hash) => ("ECDSA", hash),
            Self::Rsassa(hash) => ("RSASSA", hash),
            Self::Rsapss(hash) => ("RSAPSS", hash),
        };
        format!("{name} with {}", hash.words())
    }
}

impl Public {
    /// Reads a `TPM2B_PUBLIC` or a `TPMT_PUBLIC`: the first begins with the size of the second,
    /// which no `TPMT_PUBLIC` does.
    ///
    /// # Errors
    /// As [`Public::from_sized`].
    pub fn from_either(bytes: &[u8]) -> Result<Self, StructureError> {
        let size = Reader::new(bytes).u16()?;
        if usize::from(size).checked_add(2) == Some(bytes.len()) {
            Self::from_sized(bytes)
        } else {
            Self::from_area(bytes)
        }
    }

    /// Reads a `TPM2B_PUBLIC`.
    ///
    /// # Errors
    /// [`StructureError`] when the bytes are not exactly one, or the key is of a kind or strength
    /// that is not allowed.
    pub fn from_sized(bytes: &[u8]) -> Result<Self, StructureError> {
        let mut reader = Reader::new(bytes);
        let area = reader.sized(1024)?;
        reader.end()?;
        Self::from_area(area)
    }

    /// Reads a `TPMT_PUBLIC`.
    ///
    /// # Errors
    /// As [`Public::from_sized`].
    pub fn from_area(area: &[u8]) -> Result<Self, StructureError> {
        let mut reader = Reader::new(area);
        let kind = reader.u16()?;
        let name_hash = hash(&mut reader)?;
        let attributes = reader.u32()?;
        let _auth_policy = reader.sized(64)?;
        let aes_cfb_bits = symmetric(&mut reader)?;
        let scheme = scheme(&mut reader, kind)?;
        let key = match kind {
            ALG_ECC => ecc(&mut reader)?,
            ALG_RSA => rsa(&mut reader)?,
            other => return reader.refuse(other, format!("a key of kind {other:#06x}")),
        };
        reader.end()?;
        // Part 1, section 16: Name = nameAlg || H_nameAlg(TPMT_PUBLIC).
        let name = [&name_hash.id().to_be_bytes()[..], &name_hash.digest(area)].concat();
        Ok(Self {
            name_hash,
            attributes,
            scheme,
            aes_cfb_bits,
            key,
            name,
        })
    }

    /// The key's Name: what identifies it to a TPM.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The hash of its Name.
    #[must_use]
    pub const fn name_hash(&self) -> Hash {
        self.name_hash
    }

    /// The key's numbers.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The one scheme it signs with; `None` when it is left to each signature.
    #[must_use]
    pub const fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// The AES key's bits of a storage key with AES in CFB mode inside, as EKs are.
    #[must_use]
    pub const fn aes_cfb_bits(&self) -> Option<u16> {
        self.aes_cfb_bits
    }

    /// Whether the key was made inside the TPM and can never leave it.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        let bound = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN;
        self.attributes & bound == bound
    }

    /// Whether the key signs and does not decrypt.
    #[must_use]
    pub const fn only_signs(&self) -> bool {
        self.attributes & (SIGN | DECRYPT) == SIGN
    }

    /// Whether the key signs only what the TPM made itself.
    #[must_use]
    pub const fn is_restricted(&self) -> bool {
        self.attributes & RESTRICTED != 0
    }

    /// The attribute bits, for messages.
    #[must_use]
    pub const fn attributes(&self) -> u32 {
        self.attributes
    }

    /// The qualified name of this key below `parent`, a qualified name or a hierarchy's handle
    /// (Part 1, section 16.3).
    #[must_use]
    pub fn qualified_name(&self, parent: &[u8]) -> Vec<u8> {
        let digest = self.name_hash.digest(&[parent, &self.name].concat());
        [&self.name_hash.id().to_be_bytes()[..], &digest].concat()
    }
}

fn hash(reader: &mut Reader<'_>) -> Result<Hash, StructureError> {
    let id = reader.u16()?;
    match Hash::of_id(id) {
        Some(hash) => Ok(hash),
        None => reader.refuse(id, format!("hash {id:#06x}, SHA-256 or stronger is wanted")),
    }
}

/// `TPMT_SYM_DEF_OBJECT` (section 11.1.7): the bits, when it is AES in CFB mode.
fn symmetric(reader: &mut Reader<'_>) -> Result<Option<u16>, StructureError> {
    match reader.u16()? {
        ALG_NULL => Ok(None),
        ALG_AES => {
            let bits = reader.u16()?;
            let mode = reader.u16()?;
            Ok((mode == ALG_CFB).then_some(bits))
        }
        other => reader.error(format!("symmetric algorithm {other:#06x}")),
    }
}

/// `TPMT_RSA_SCHEME` and `TPMT_ECC_SCHEME` (sections 11.2.4.2, 11.2.5.6).
fn scheme(reader: &mut Reader<'_>, kind: u16) -> Result<Option<Scheme>, StructureError> {
    match (kind, reader.u16()?) {
        (_, ALG_NULL) => Ok(None),
        (ALG_ECC, ALG_ECDSA) => Ok(Some(Scheme::Ecdsa(hash(reader)?))),
        (ALG_RSA, ALG_RSASSA) => Ok(Some(Scheme::Rsassa(hash(reader)?))),
        (ALG_RSA, ALG_RSAPSS) => Ok(Some(Scheme::Rsapss(hash(reader)?))),
        (kind, other) => reader.refuse(
            other,
            format!("scheme {other:#06x} of a key of {kind:#06x}"),
        ),
    }
}

/// The rest of `TPMS_ECC_PARMS`, and the point.
fn ecc(reader: &mut Reader<'_>) -> Result<Key, StructureError> {
    const NIST_P256: u16 = 0x0003;
    const NIST_P384: u16 = 0x0004;
    let curve = reader.u16()?;
    if reader.u16()? != ALG_NULL {
        return reader.error("a key derivation scheme");
    }
    if !matches!(curve, NIST_P256 | NIST_P384) {
        return reader.too_weak(format!("curve {curve:#06x}, P-256 or P-384 is wanted"));
    }
    let x = reader.sized(48)?;
    let y = reader.sized(48)?;
    let key = match curve {
        NIST_P256 => point::<32>(x, y).and_then(|(x, y)| {
            let (x, y) = (&x.into(), &y.into());
            let point = p256::EncodedPoint::from_affine_coordinates(x, y, false);
            p256::PublicKey::from_encoded_point(&point)
                .into_option()
                .map(Key::P256)
        }),
        _ => point::<48>(x, y).and_then(|(x, y)| {
            let (x, y) = (&x.into(), &y.into());
            let point = p384::EncodedPoint::from_affine_coordinates(x, y, false);
            p384::PublicKey::from_encoded_point(&point)
                .into_option()
                .map(Key::P384)
        }),
    };
    key.map_or_else(|| reader.error("not a point on the curve"), Ok)
}

fn point<const N: usize>(x: &[u8], y: &[u8]) -> Option<([u8; N], [u8; N])> {
    Some((padded(x)?, padded(y)?))
}

/// The rest of `TPMS_RSA_PARMS`, and the modulus.
fn rsa(reader: &mut Reader<'_>) -> Result<Key, StructureError> {
    let bits = reader.u16()?;
    let exponent = match reader.u32()? {
        // Part 2, section 12.2.3.5: zero stands for the default exponent.
        0 => 65_537,
        other => other,
    };
    let modulus = reader.sized(512)?;
    let modulus = rsa::BigUint::from_bytes_be(modulus);
    if modulus.bits() < MIN_RSA_BITS {
        return reader.too_weak(format!("an RSA key of {} bits", modulus.bits()));
    }
    if modulus.bits() != usize::from(bits) {
        let (said, found) = (bits, modulus.bits());
        return reader.error(format!("an RSA key of {found} bits, said to have {said}"));
    }
    rsa::RsaPublicKey::new(modulus, exponent.into())
        .map(Key::Rsa)
        .or_else(|_| reader.error("not an RSA key"))
}
