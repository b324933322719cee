//! Salted HMAC and policy sessions with encrypted parameters.
//!
//! TPM 2.0 Library Part 1, sections 17 (authorisations), 19 (session-based
//! authorisation) and 21 (parameter encryption). A session is flushed when its
//! guard is dropped, on every path.

use aes::Aes128;
use cfb_mode::cipher::{AsyncStreamCipher as _, KeyIvInit as _};
use hmac::{Hmac, Mac as _};
use p256::ecdh::EphemeralSecret;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::connection::{Command, Connection, Entity, TpmError};
use crate::number::{ALG_AES, ALG_CFB, ALG_SHA256, RH_NULL, SESSION_DECRYPT, SESSION_ENCRYPT, cc};
use crate::wire::Put as _;

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hmac,
    Policy,
}

/// The key a session's salt is encrypted to, its Name already judged.
#[derive(Debug, Clone)]
pub(crate) struct SaltKey {
    pub(crate) entity: Entity,
    pub(crate) point: p256::PublicKey,
}

/// A started session.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    handle: u32,
    kind: Kind,
    key: Zeroizing<[u8; 32]>,
    nonce_caller: [u8; 32],
    nonce_tpm: Vec<u8>,
    /// Set when the command changes the authorisation: the answer is under the new one.
    answer_auth: Option<Zeroizing<Vec<u8>>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // A session the TPM has ended itself is gone already; one that cannot be
        // flushed because the channel broke is flushed by the next `Tpm::open`.
        let _gone = self.connection.flush(self.handle);
    }
}

impl Session {
    /// Starts a session whose key only the holder of `salt_key` learns.
    pub(crate) fn start(
        connection: &Connection,
        salt_key: &SaltKey,
        kind: Kind,
    ) -> Result<Self, TpmError> {
        let nonce_caller = random()?;
        let (salt, encrypted_salt) = salt(&salt_key.point);
        let mut parameters = Vec::new();
        parameters
            .sized(&nonce_caller)
            .sized(&encrypted_salt)
            .u8(if kind == Kind::Policy { 0x01 } else { 0x00 })
            .u16(ALG_AES)
            .u16(128)
            .u16(ALG_CFB)
            .u16(ALG_SHA256);
        let null = Entity::plain(RH_NULL);
        let name = "TPM2_StartAuthSession";
        let answer = connection.run(Command {
            code: cc::START_AUTH_SESSION,
            name,
            handles: &[&salt_key.entity, &null],
            parameters,
        })?;
        let nonce_tpm = answer.read(name, |take| take.sized().map(<[u8]>::to_vec));
        let mut session = Self {
            connection: connection.clone(),
            handle: answer.handle,
            kind,
            key: Zeroizing::new([0; 32]),
            nonce_caller,
            nonce_tpm: Vec::new(),
            answer_auth: None,
        };
        // The guard exists before anything can fail, so the handle cannot leak.
        session.nonce_tpm = nonce_tpm?;
        kdfa(
            &*salt,
            b"ATH\0",
            &session.nonce_tpm,
            &session.nonce_caller,
            &mut session.key,
        );
        Ok(session)
    }

    /// The next command changes the authorisation of its entity to `new`, and the TPM
    /// computes the answer's HMAC with that (Part 1, 19.6.5).
    pub(crate) fn answer_auth(&mut self, new: &[u8]) {
        self.answer_auth = Some(Zeroizing::new(new.to_vec()));
    }

    pub(crate) fn handle(&self) -> u32 {
        self.handle
    }

    /// The session as a handle in a command's handle area.
    pub(crate) fn entity(&self) -> Entity {
        Entity::plain(self.handle)
    }

    pub(crate) fn nonce_caller(&self) -> &[u8] {
        &self.nonce_caller
    }

    /// New caller nonce; encrypts the first parameter if `attributes` say so.
    pub(crate) fn begin(
        &mut self,
        auth: &[u8],
        attributes: u8,
        parameters: &mut [u8],
    ) -> Result<(), TpmError> {
        self.nonce_caller = random()?;
        if attributes & SESSION_DECRYPT != 0 {
            let cipher = self.cipher(auth, &self.nonce_caller, &self.nonce_tpm);
            if let (Some(cipher), Some(first)) = (cipher, first_sized(parameters)) {
                cfb_mode::Encryptor::<Aes128>::new(&cipher.0.into(), &cipher.1.into())
                    .encrypt(first);
            }
        }
        Ok(())
    }

    /// HMAC over the command (Part 1, 19.6.5).
    pub(crate) fn command_hmac(
        &self,
        code: u32,
        names: &[&[u8]],
        parameters: &[u8],
        auth: &[u8],
        attributes: u8,
    ) -> Vec<u8> {
        let mut cp = Sha256::new();
        cp.update(code.to_be_bytes());
        for name in names {
            cp.update(name);
        }
        cp.update(parameters);
        self.hmac(
            &cp.finalize(),
            &self.nonce_caller,
            &self.nonce_tpm,
            attributes,
            auth,
        )
        .map(|mac| mac.finalize().into_bytes().to_vec())
        .unwrap_or_default()
    }

    /// Checks the answer's HMAC and takes over the TPM's new nonce.
    pub(crate) fn finish(
        &mut self,
        code: u32,
        parameters: &[u8],
        nonce: &[u8],
        attributes: u8,
        hmac: &[u8],
        auth: &[u8],
    ) -> Result<(), ()> {
        let mut rp = Sha256::new();
        rp.update(0u32.to_be_bytes());
        rp.update(code.to_be_bytes());
        rp.update(parameters);
        let auth = self.answer_auth.as_ref().map_or(auth, |new| new.as_slice());
        let mac = self
            .hmac(&rp.finalize(), nonce, &self.nonce_caller, attributes, auth)
            .ok_or(())?;
        mac.verify_slice(hmac).map_err(|_| ())?;
        self.nonce_tpm = nonce.to_vec();
        Ok(())
    }

    /// Decrypts the first answered parameter, after [`Session::finish`].
    pub(crate) fn decrypt_answer(&self, auth: &[u8], attributes: u8, parameters: &mut [u8]) {
        if attributes & SESSION_ENCRYPT != 0 {
            let cipher = self.cipher(auth, &self.nonce_tpm, &self.nonce_caller);
            if let (Some(cipher), Some(first)) = (cipher, first_sized(parameters)) {
                cfb_mode::Decryptor::<Aes128>::new(&cipher.0.into(), &cipher.1.into())
                    .decrypt(first);
            }
        }
    }

    fn hmac(
        &self,
        hash: &[u8],
        newer: &[u8],
        older: &[u8],
        attributes: u8,
        auth: &[u8],
    ) -> Option<Hmac<Sha256>> {
        // A policy session's HMAC takes no authValue unless PolicyAuthValue was
        // asserted (Part 1, 19.6.5), which no policy of ours does.
        let auth = if self.kind == Kind::Policy {
            &[]
        } else {
            significant(auth)
        };
        let key = Zeroizing::new([&*self.key, auth].concat());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(hash);
        mac.update(newer);
        mac.update(older);
        mac.update(&[attributes]);
        Some(mac)
    }

    fn cipher(&self, auth: &[u8], newer: &[u8], older: &[u8]) -> Option<([u8; 16], [u8; 16])> {
        let key = Zeroizing::new([&*self.key, significant(auth)].concat());
        let mut out = Zeroizing::new([0; 32]);
        kdfa(&key, b"CFB\0", newer, older, &mut out);
        let (key, iv) = out.split_at(16);
        Some((key.try_into().ok()?, iv.try_into().ok()?))
    }
}

/// An authorisation value without its insignificant trailing zeros (Part 1, 17.6.4.2).
pub(crate) fn significant(auth: &[u8]) -> &[u8] {
    let length = auth
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    auth.get(..length).unwrap_or(auth)
}

/// 32 bytes from the kernel.
pub(crate) fn random() -> Result<[u8; 32], TpmError> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes).map_err(|_| TpmError::Random)?;
    Ok(bytes)
}

/// The content of the TPM2B at the front of a parameter area.
fn first_sized(parameters: &mut [u8]) -> Option<&mut [u8]> {
    let (size, rest) = parameters.split_at_mut_checked(2)?;
    let size = u16::from_be_bytes(<[u8; 2]>::try_from(&*size).ok()?);
    rest.get_mut(..size.into())
}

/// KDFa with SHA-256 for 256 bits, thus one block (Part 1, 11.4.10.2). `label` ends in zero.
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn kdfa(key: &[u8], label: &[u8], u: &[u8], v: &[u8], out: &mut [u8; 32]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC key of any length");
    mac.update(&1u32.to_be_bytes());
    mac.update(label);
    mac.update(u);
    mac.update(v);
    mac.update(&256u32.to_be_bytes());
    out.copy_from_slice(&mac.finalize().into_bytes());
}

/// A fresh salt for an ECC key: the salt and the point that lets the TPM derive it
/// (Part 1, C.6.3: KDFe over the shared x with label SECRET).
fn salt(key: &p256::PublicKey) -> (Zeroizing<[u8; 32]>, Vec<u8>) {
    let ephemeral = EphemeralSecret::random(&mut rand_core::OsRng);
    let own = ephemeral.public_key().to_encoded_point(false);
    let theirs = key.to_encoded_point(false);
    let shared = ephemeral.diffie_hellman(key);
    let empty = p256::FieldBytes::default();
    let (x, y) = (own.x().unwrap_or(&empty), own.y().unwrap_or(&empty));
    let mut kdfe = Sha256::new();
    kdfe.update(1u32.to_be_bytes());
    kdfe.update(shared.raw_secret_bytes());
    kdfe.update(b"SECRET\0");
    kdfe.update(x);
    kdfe.update(theirs.x().unwrap_or(&empty));
    let mut point = Vec::new();
    point.sized(x).sized(y);
    (Zeroizing::new(kdfe.finalize().into()), point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_zeros_of_an_authorisation_are_insignificant() {
        assert_eq!(significant(&[1, 0, 2, 0, 0]), &[1, 0, 2]);
        assert_eq!(significant(&[0, 0]), &[] as &[u8]);
    }
}
