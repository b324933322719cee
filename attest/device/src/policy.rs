//! Policy commands: each asserts one thing about the TPM in a policy session.
//!
//! The digests they must arrive at are computed in `casemate_attest::sealing`.

use crate::connection::{Authority, Command, Connection, Entity, TpmError};
use crate::number::{ALG_ECDSA, ALG_SHA256, cc};
use crate::session::Session;
use crate::wire::Put as _;

/// A TPM's word that it verified a signature: `TPMT_TK_VERIFIED`, as bytes.
#[derive(Debug, Clone)]
pub(crate) struct Ticket(Vec<u8>);

impl Connection {
    /// The PCRs have these values now.
    pub(crate) fn policy_pcr(
        &self,
        session: &Session,
        values: &[(u8, [u8; 32])],
    ) -> Result<(), TpmError> {
        let registers: Vec<u8> = values.iter().map(|(register, _)| *register).collect();
        let mut parameters = Vec::new();
        parameters
            .sized(&casemate_attest::sealing::pcr_digest(values))
            .raw(&casemate_attest::sealing::pcr_selection(&registers));
        self.policy(cc::POLICY_PCR, "TPM2_PolicyPCR", session, parameters)
    }

    /// The NV index compares so with `operand`; reading it takes an empty authorisation.
    pub(crate) fn policy_nv_at_most(
        &self,
        session: &Session,
        index: &Entity,
        operand: u64,
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters
            .sized(&operand.to_be_bytes())
            .u16(0)
            .u16(casemate_attest::sealing::UNSIGNED_LE);
        self.run_with(
            Command {
                code: cc::POLICY_NV,
                name: "TPM2_PolicyNV",
                handles: &[index, index, &session.entity()],
                parameters,
            },
            &mut [Authority::Empty],
        )
        .map(drop)
    }

    /// A key approved the digest reached so far.
    pub(crate) fn policy_authorize(
        &self,
        session: &Session,
        approved: &[u8; 32],
        reference: &[u8],
        key_name: &[u8],
        ticket: &Ticket,
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters
            .sized(approved)
            .sized(reference)
            .sized(key_name)
            .raw(&ticket.0);
        self.policy(
            cc::POLICY_AUTHORIZE,
            "TPM2_PolicyAuthorize",
            session,
            parameters,
        )
    }

    /// The digest reached is one of two.
    pub(crate) fn policy_or(
        &self,
        session: &Session,
        branches: [&[u8; 32]; 2],
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.u32(2);
        for branch in branches {
            parameters.sized(branch);
        }
        self.policy(cc::POLICY_OR, "TPM2_PolicyOR", session, parameters)
    }

    /// Only this command.
    pub(crate) fn policy_command_code(&self, session: &Session, code: u32) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.u32(code);
        self.policy(
            cc::POLICY_COMMAND_CODE,
            "TPM2_PolicyCommandCode",
            session,
            parameters,
        )
    }

    /// The caller knows the authorisation of `entity`.
    pub(crate) fn policy_secret(
        &self,
        session: &Session,
        entity: &Entity,
        authority: Authority<'_>,
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.sized(&[]).sized(&[]).sized(&[]).u32(0);
        self.run_with(
            Command {
                code: cc::POLICY_SECRET,
                name: "TPM2_PolicySecret",
                handles: &[entity, &session.entity()],
                parameters,
            },
            &mut [authority],
        )
        .map(drop)
    }

    fn policy(
        &self,
        code: u32,
        name: &'static str,
        session: &Session,
        parameters: Vec<u8>,
    ) -> Result<(), TpmError> {
        self.run(Command {
            code,
            name,
            handles: &[&session.entity()],
            parameters,
        })
        .map(drop)
    }

    /// `TPM2_VerifySignature` of an ECDSA P-256 signature, r || s.
    pub(crate) fn verify_signature(
        &self,
        key: &Entity,
        digest: &[u8; 32],
        signature: &[u8; 64],
    ) -> Result<Ticket, TpmError> {
        let (r, s) = signature.split_at(32);
        let mut parameters = Vec::new();
        parameters
            .sized(digest)
            .u16(ALG_ECDSA)
            .u16(ALG_SHA256)
            .sized(r)
            .sized(s);
        self.run(Command {
            code: cc::VERIFY_SIGNATURE,
            name: "TPM2_VerifySignature",
            handles: &[key],
            parameters,
        })
        .map(|answer| Ticket(answer.parameters))
    }
}
