//! `TPMT_PUBLIC` (section 12.2.4): the public part of a TPM key.

use p256::elliptic_curve::sec1::FromEncodedPoint as _;

use super::reader::padded;
use super::{
    ALG_AES, ALG_CFB, ALG_ECC, ALG_ECDSA, ALG_NULL, ALG_RSA, ALG_RSAPSS, ALG_RSASSA, Hash, Reader,
    StructureError,
};

/// `TPMA_OBJECT` bits (section 8.3).
const FIXED_TPM: u32 = 1 << 1;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

/// The least bits of an RSA modulus.
const MIN_RSA_BITS: u16 = 2048;

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
    aes128_cfb: bool,
    key: Key,
    name: Vec<u8>,
}

impl Public {
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
        let aes128_cfb = symmetric(&mut reader)?;
        let scheme = scheme(&mut reader, kind)?;
        let key = match kind {
            ALG_ECC => ecc(&mut reader)?,
            ALG_RSA => rsa(&mut reader)?,
            other => return reader.error(format!("a key of kind {other:#06x}")),
        };
        reader.end()?;
        // Part 1, section 16: Name = nameAlg || H_nameAlg(TPMT_PUBLIC).
        let name = [&name_hash.id().to_be_bytes()[..], &name_hash.digest(area)].concat();
        Ok(Self {
            name_hash,
            attributes,
            scheme,
            aes128_cfb,
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

    /// Whether it is a storage key with AES-128 in CFB mode inside, as EKs are.
    #[must_use]
    pub const fn has_aes128_cfb(&self) -> bool {
        self.aes128_cfb
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
        None => reader.error(format!("hash {id:#06x}, SHA-256 or stronger is wanted")),
    }
}

/// `TPMT_SYM_DEF_OBJECT` (section 11.1.7). Whether it is AES-128 in CFB mode.
fn symmetric(reader: &mut Reader<'_>) -> Result<bool, StructureError> {
    match reader.u16()? {
        ALG_NULL => Ok(false),
        ALG_AES => {
            let bits = reader.u16()?;
            let mode = reader.u16()?;
            Ok(bits == 128 && mode == ALG_CFB)
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
        (kind, other) => reader.error(format!("scheme {other:#06x} of a key of {kind:#06x}")),
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
        NIST_P384 => point::<48>(x, y).and_then(|(x, y)| {
            let (x, y) = (&x.into(), &y.into());
            let point = p384::EncodedPoint::from_affine_coordinates(x, y, false);
            p384::PublicKey::from_encoded_point(&point)
                .into_option()
                .map(Key::P384)
        }),
        other => return reader.error(format!("curve {other:#06x}, P-256 or P-384 is wanted")),
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
    if bits < MIN_RSA_BITS || modulus.bits() != usize::from(bits) {
        return reader.error(format!("an RSA key of {} bits", modulus.bits()));
    }
    rsa::RsaPublicKey::new(modulus, exponent.into())
        .map(Key::Rsa)
        .or_else(|_| reader.error("not an RSA key"))
}
