//! The attestation key and what it says: quotes, certifications, credentials.

use casemate_attest::digest::Digest;
use casemate_attest::endorsement::area;
use casemate_attest::enrolment::PcrValue;
use casemate_attest::evidence::{POLICY_PCRS, RawQuote};
use casemate_attest::sealing::{pcr_digest, pcr_selection};
use casemate_attest::tpm::public::Key;
use casemate_attest::tpm::signature::normalised;

use crate::connection::{Authority, Command, Entity, TpmError};
use crate::logkey::{LogAuth, LogKey};
use crate::number::{ALG_NULL, RH_ENDORSEMENT, cc};
use crate::object::{Transient, ak_template, ek_template};
use crate::session::{Kind, Session};
use crate::tpm::Tpm;
use crate::wire::{Malformed, Put as _, Take};

/// Attempts at reading PCRs that do not change under the quote.
const QUOTE_ATTEMPTS: usize = 5;

/// Why there is no quote.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    /// The registers kept changing between reading and quoting.
    #[error("the PCRs changed during each of {QUOTE_ATTEMPTS} attempts to quote them")]
    Unsteady,
    /// The TPM did not answer usefully.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

/// The attestation key, loaded; flushed when dropped. Make one for each piece of evidence.
#[derive(Debug)]
pub struct AttestationKey {
    tpm: Tpm,
    key: Transient,
}

impl Tpm {
    /// Makes the attestation key again from its template: same TPM, same key.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM refuses.
    pub fn attestation_key(&self) -> Result<AttestationKey, TpmError> {
        let key = self.connection.create_primary(
            RH_ENDORSEMENT,
            Authority::Empty,
            &ak_template(),
            &[],
        )?;
        Ok(AttestationKey {
            tpm: self.clone(),
            key,
        })
    }

    /// The endorsement key's `TPM2B_PUBLIC` (ECC P-256, template L-2), in the one spelling that is
    /// enrolled: older TPMs leave leading zeros of a coordinate out.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM refuses.
    pub fn ek_public(&self) -> Result<Vec<u8>, TpmError> {
        let point = self.endorsement_key()?.salt_key()?.point;
        area(&Key::P256(point)).ok_or(TpmError::Malformed {
            command: "TPM2_CreatePrimary",
        })
    }

    fn endorsement_key(&self) -> Result<Transient, TpmError> {
        self.connection
            .create_primary(RH_ENDORSEMENT, Authority::Empty, &ek_template(), &[])
    }
}

impl AttestationKey {
    /// `TPM2B_PUBLIC`.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.sized(&self.key.public);
        out
    }

    /// The key's Name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.key.entity.name
    }

    /// Quotes the registers of the policy over `qualifying`, with the values quoted.
    ///
    /// # Errors
    /// [`QuoteError`] when the TPM refuses or the registers do not hold still.
    pub fn quote(&self, qualifying: &Digest) -> Result<RawQuote, QuoteError> {
        for _ in 0..QUOTE_ATTEMPTS {
            let values = self.tpm.pcrs(&POLICY_PCRS)?;
            let (attest, signature) = self.quote_once(qualifying, &POLICY_PCRS)?;
            // The quote ends in its pcrDigest; if another process extended a register
            // between the two commands, read again.
            if attest.ends_with(&pcr_digest(&values)) {
                let pcrs = values
                    .into_iter()
                    .map(|(pcr, value)| PcrValue {
                        pcr,
                        value: Digest::new(value),
                    })
                    .collect();
                return Ok(RawQuote {
                    attest,
                    signature,
                    pcrs,
                });
            }
        }
        Err(QuoteError::Unsteady)
    }

    fn quote_once(
        &self,
        qualifying: &Digest,
        registers: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), TpmError> {
        let name = "TPM2_Quote";
        let mut parameters = Vec::new();
        parameters
            .sized(qualifying.as_bytes())
            .u16(ALG_NULL)
            .raw(&pcr_selection(registers));
        let handles = &[&self.key.entity];
        let answer = self.tpm.connection.run_with(
            Command {
                code: cc::QUOTE,
                name,
                handles,
                parameters,
            },
            &mut [Authority::Empty],
        )?;
        let mut take = Take(&answer.parameters);
        let attest = take
            .sized()
            .map_err(|Malformed| TpmError::Malformed { command: name })?;
        // A TPM may answer n - s; evidence has the one spelling.
        Ok((attest.to_vec(), normalised(take.0)))
    }

    /// Certifies the log key over `qualifying`: `TPMS_ATTEST` and `TPMT_SIGNATURE`.
    ///
    /// # Errors
    /// [`TpmError`] when the authorisation is wrong or the TPM refuses.
    pub fn certify(
        &self,
        key: &LogKey,
        auth: &LogAuth,
        qualifying: &Digest,
    ) -> Result<(Vec<u8>, Vec<u8>), TpmError> {
        key.certify(auth, &self.key.entity, qualifying.as_bytes())
    }

    /// Opens a credential made for this TPM's EK and this key's Name.
    /// `credential` and `secret` are TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, sizes included.
    ///
    /// # Errors
    /// [`TpmError`] when the credential is for another TPM or key, or is damaged.
    pub fn activate(&self, credential: &[u8], secret: &[u8]) -> Result<Vec<u8>, TpmError> {
        let name = "TPM2_ActivateCredential";
        let ek = self.tpm.endorsement_key()?;
        // The EK's policy is PolicySecret(endorsement), fixed by its profile. The session is
        // salted with the EK itself and encrypts the answer.
        let connection = &self.tpm.connection;
        let mut session = Session::start(connection, &ek.salt_key()?, Kind::Policy)?;
        let endorsement = Entity::plain(RH_ENDORSEMENT);
        connection.policy_secret(&session, &endorsement, Authority::Empty)?;
        let mut parameters = Vec::new();
        parameters.raw(credential).raw(secret);
        let answer = connection.run_with(
            Command {
                code: cc::ACTIVATE_CREDENTIAL,
                name,
                handles: &[&self.key.entity, &ek.entity],
                parameters,
            },
            &mut [
                Authority::Empty,
                Authority::Session {
                    session: &mut session,
                    auth: &[],
                    attributes: crate::storage::HIDDEN_OUT,
                },
            ],
        )?;
        answer.read(name, |take| take.sized().map(<[u8]>::to_vec))
    }
}
