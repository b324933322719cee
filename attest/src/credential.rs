//! `TPM2_MakeCredential` without a TPM (TPM 2.0 Library, Part 1, section 24 and annex C.6.4): a
//! secret that only the TPM with this EK can open, and only for the key with this Name.

use aes::{Aes128, Aes256};
use cfb_mode::cipher::{AsyncStreamCipher, KeyIvInit};
use hmac::{Hmac, Mac};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rsa::rand_core::{CryptoRng, Error, RngCore, impls};
use rsa::{Oaep, RsaPublicKey};
use sha2::{Sha256, Sha384, Sha512};

use crate::tpm::public::{Key, Public};
use crate::tpm::{Hash, StructureError};

/// What goes into a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// `TPM2B_ID_OBJECT`.
    pub id_object: Vec<u8>,
    /// `TPM2B_ENCRYPTED_SECRET`.
    pub encrypted_secret: Vec<u8>,
}

/// Why no credential can be made for an EK.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The bytes are no `TPM2B_PUBLIC`.
    #[error("the endorsement key cannot be read {0}")]
    Structure(#[from] StructureError),
    /// The EK is no storage key with AES in CFB mode.
    #[error("the endorsement key has no AES-128 or AES-256 in CFB mode inside")]
    Kind,
    /// The random bytes are no scalar of the curve; take others.
    #[error("the random bytes are no key; try again")]
    Random,
}

/// Makes a credential with `secret` for the EK (`TPM2B_PUBLIC`; P-256, P-384 or RSA) and the key
/// with Name `name`. `random` are 32 bytes from the system, used once.
///
/// # Errors
/// [`CredentialError`] when the EK is of another kind, or `random` is no scalar.
pub fn make(
    ek: &[u8],
    name: &[u8],
    secret: &[u8; 32],
    random: &[u8; 32],
) -> Result<Credential, CredentialError> {
    let ek = Public::from_sized(ek)?;
    let hash = ek.name_hash();
    let aes_bits = ek.aes_cfb_bits().ok_or(CredentialError::Kind)?;
    let (seed, encrypted_secret) = match ek.key() {
        Key::P256(key) => p256_seed(hash, key, random)?,
        Key::P384(key) => p384_seed(hash, key, random)?,
        Key::Rsa(key) => rsa_seed(hash, key, random)?,
    };
    // Section 24.4: the secret, a TPM2B_DIGEST, is encrypted with a zero IV.
    let cipher_key = kdfa(hash, &seed, b"STORAGE\0", name, aes_bits);
    let mut identity = sized(secret);
    encrypt(&cipher_key, aes_bits, &mut identity).ok_or(CredentialError::Kind)?;
    // Section 24.5: the outer HMAC is over the encrypted identity and the Name.
    let mac_key = kdfa(hash, &seed, b"INTEGRITY\0", &[], bits_of(hash));
    let outer = mac(hash, &mac_key, &[&identity, name]);
    let id_object = sized(&[sized(&outer), identity].concat());
    Ok(Credential {
        id_object,
        encrypted_secret: sized(&encrypted_secret),
    })
}

/// Annex C.6.4: seed = KDFe(nameAlg, Z, "IDENTITY", ephemeral x, static x, bits); the secret is
/// the ephemeral point.
fn p256_seed(
    hash: Hash,
    key: &p256::PublicKey,
    random: &[u8; 32],
) -> Result<(Vec<u8>, Vec<u8>), CredentialError> {
    let own = p256::NonZeroScalar::try_from(&random[..]).map_err(|_| CredentialError::Random)?;
    let shared = p256::ecdh::diffie_hellman(own, key.as_affine());
    let own = p256::PublicKey::from_secret_scalar(&own).to_encoded_point(false);
    let of = |half: Option<&p256::FieldBytes>| half.map(|half| half.to_vec()).unwrap_or_default();
    let (own_x, own_y) = (of(own.x()), of(own.y()));
    let key_x = of(key.to_encoded_point(false).x());
    let seed = kdfe(hash, shared.raw_secret_bytes(), &own_x, &key_x);
    Ok((seed, [sized(&own_x), sized(&own_y)].concat()))
}

/// The same on P-384, whose scalar takes more bytes than are given.
fn p384_seed(
    hash: Hash,
    key: &p384::PublicKey,
    random: &[u8; 32],
) -> Result<(Vec<u8>, Vec<u8>), CredentialError> {
    let scalar = Hash::Sha384.digest(&[b"casemate ephemeral P-384\n", &random[..]].concat());
    let own = p384::NonZeroScalar::try_from(&scalar[..]).map_err(|_| CredentialError::Random)?;
    let shared = p384::ecdh::diffie_hellman(own, key.as_affine());
    let own = p384::PublicKey::from_secret_scalar(&own).to_encoded_point(false);
    let of = |half: Option<&p384::FieldBytes>| half.map(|half| half.to_vec()).unwrap_or_default();
    let (own_x, own_y) = (of(own.x()), of(own.y()));
    let key_x = of(key.to_encoded_point(false).x());
    let seed = kdfe(hash, shared.raw_secret_bytes(), &own_x, &key_x);
    Ok((seed, [sized(&own_x), sized(&own_y)].concat()))
}

/// Annex B.10.4: the seed is random, the secret is it in OAEP with the EK's nameAlg and the
/// label "IDENTITY", whose terminating zero counts.
fn rsa_seed(
    hash: Hash,
    key: &RsaPublicKey,
    random: &[u8; 32],
) -> Result<(Vec<u8>, Vec<u8>), CredentialError> {
    let mut stream = Stream {
        key: *random,
        block: 0,
    };
    let mut seed = vec![0; usize::from(bits_of(hash) / 8)];
    stream.fill_bytes(&mut seed);
    let label = "IDENTITY\0";
    let padding = match hash {
        Hash::Sha256 => Oaep::new_with_label::<Sha256, _>(label),
        Hash::Sha384 => Oaep::new_with_label::<Sha384, _>(label),
        Hash::Sha512 => Oaep::new_with_label::<Sha512, _>(label),
    };
    let encrypted = key.encrypt(&mut stream, padding, &seed);
    Ok((seed, encrypted.map_err(|_| CredentialError::Kind)?))
}

/// As many random bytes as are wanted, out of 32 from the system: HMAC over a counter.
struct Stream {
    key: [u8; 32],
    block: u64,
}

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        for part in to.chunks_mut(32) {
            self.block = self.block.wrapping_add(1);
            let bytes = mac(Hash::Sha256, &self.key, &[&self.block.to_be_bytes()]);
            for (to, from) in part.iter_mut().zip(bytes) {
                *to = from;
            }
        }
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Stream {}

/// AES in CFB mode with a zero IV; `None` for another key size.
fn encrypt(key: &[u8], bits: u16, bytes: &mut [u8]) -> Option<()> {
    let iv = &[0; 16].into();
    let key = key.get(..usize::from(bits / 8))?;
    match bits {
        128 => cfb_mode::Encryptor::<Aes128>::new(key.into(), iv).encrypt(bytes),
        256 => cfb_mode::Encryptor::<Aes256>::new(key.into(), iv).encrypt(bytes),
        _ => return None,
    }
    Some(())
}

const fn bits_of(hash: Hash) -> u16 {
    match hash {
        Hash::Sha256 => 256,
        Hash::Sha384 => 384,
        Hash::Sha512 => 512,
    }
}

/// KDFe (Part 1, section 11.4.10.3) of one block of the hash.
fn kdfe(hash: Hash, z: &[u8], party_u: &[u8], party_v: &[u8]) -> Vec<u8> {
    let counter = 1_u32.to_be_bytes();
    hash.digest(&[&counter[..], z, b"IDENTITY\0", party_u, party_v].concat())
}

/// KDFa (Part 1, section 11.4.10.2) of at most one block of the hash, of which `bits` are used.
fn kdfa(hash: Hash, key: &[u8], label: &[u8], context: &[u8], bits: u16) -> Vec<u8> {
    let counter = 1_u32.to_be_bytes();
    mac(
        hash,
        key,
        &[&counter, label, context, &u32::from(bits).to_be_bytes()],
    )
}

fn mac(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => mac_of::<Hmac<Sha256>>(key, parts),
        Hash::Sha384 => mac_of::<Hmac<Sha384>>(key, parts),
        Hash::Sha512 => mac_of::<Hmac<Sha512>>(key, parts),
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn mac_of<M: Mac + hmac::digest::KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("an HMAC key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// A `TPM2B`. Everything here is far shorter than 64 KiB.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes()[..], bytes].concat()
}
