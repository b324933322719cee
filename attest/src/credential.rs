//! `TPM2_MakeCredential` without a TPM (TPM 2.0 Library, Part 1, section 24 and annex C.6.4): a
//! secret that only the TPM with this EK can open, and only for the key with this Name.

use aes::Aes128;
use cfb_mode::cipher::{AsyncStreamCipher, KeyIvInit};
use hmac::{Hmac, Mac};
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{NonZeroScalar, PublicKey};
use sha2::Sha256;

use crate::digest::Digest;
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
    /// The EK is of another kind than P-256, SHA-256 and AES-128-CFB.
    #[error("the endorsement key is not of the P-256 kind (SHA-256, AES-128-CFB)")]
    Kind,
    /// The random bytes are no scalar of the curve; take others.
    #[error("the random bytes are no key; try again")]
    Random,
}

/// Makes a credential with `secret` for the EK (`TPM2B_PUBLIC`) and the key with Name `name`.
/// `random` are 32 bytes from the system, used once.
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
    let Key::P256(point) = ek.key() else {
        return Err(CredentialError::Kind);
    };
    if ek.name_hash() != Hash::Sha256 || !ek.has_aes128_cfb() {
        return Err(CredentialError::Kind);
    }
    let own = NonZeroScalar::try_from(&random[..]).map_err(|_| CredentialError::Random)?;
    let own_point = PublicKey::from_secret_scalar(&own);
    let shared = diffie_hellman(own, point.as_affine());
    let ((own_x, own_y), (ek_x, _)) = (coordinates(&own_point), coordinates(point));
    // Annex C.6.4: seed = KDFe(nameAlg, Z, "IDENTITY", ephemeral x, static x, bits).
    let seed = kdfe(shared.raw_secret_bytes(), b"IDENTITY\0", &own_x, &ek_x);
    // Section 24.4: the secret, a TPM2B_DIGEST, is encrypted with a zero IV.
    let cipher_key: [u8; 32] = kdfa(&seed, b"STORAGE\0", name, 128);
    let mut identity = [&32_u16.to_be_bytes()[..], secret].concat();
    let (cipher_key, _) = cipher_key.split_at(16);
    cfb_mode::Encryptor::<Aes128>::new(cipher_key.into(), &[0; 16].into()).encrypt(&mut identity);
    // Section 24.5: the outer HMAC is over the encrypted identity and the Name.
    let mac_key = kdfa(&seed, b"INTEGRITY\0", &[], 256);
    let outer = mac(&mac_key, &[&identity, name]);
    let id_object = sized(&[sized(&outer), identity].concat());
    let encrypted_secret = sized(&[sized(&own_x), sized(&own_y)].concat());
    Ok(Credential {
        id_object,
        encrypted_secret,
    })
}

fn coordinates(point: &PublicKey) -> (Vec<u8>, Vec<u8>) {
    let point = point.to_encoded_point(false);
    let of = |half: Option<&p256::FieldBytes>| half.map(|half| half.to_vec()).unwrap_or_default();
    (of(point.x()), of(point.y()))
}

/// KDFe (Part 1, section 11.4.10.3) of one SHA-256 block.
fn kdfe(z: &[u8], label: &[u8], party_u: &[u8], party_v: &[u8]) -> [u8; 32] {
    *Digest::of_parts(&[&1_u32.to_be_bytes(), z, label, party_u, party_v]).as_bytes()
}

/// KDFa (Part 1, section 11.4.10.2) of at most one SHA-256 block, of which `bits` are used.
fn kdfa(key: &[u8], label: &[u8], context: &[u8], bits: u32) -> [u8; 32] {
    mac(
        key,
        &[&1_u32.to_be_bytes(), label, context, &bits.to_be_bytes()],
    )
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A `TPM2B`. Everything here is far shorter than 64 KiB.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes()[..], bytes].concat()
}
