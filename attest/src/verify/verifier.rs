//! A verifier that judges many evidences by the same keys, enrolments and challenges.

use super::memo::Memo;
use super::{Asked, Inputs, VerifyError, judge};
use crate::challenge::{Challenge, ChallengeSecret};
use crate::codec::CodecError;
use crate::digest::Digest;
use crate::enrolment::{Enrolment, EnrolmentError};
use crate::evidence::Evidence;
use crate::verdict::Verdict;

/// Judges evidences. What depends only on what the verifier holds, or recurs from one evidence to
/// the next (the release, the log key's certification), is found out once. May be shared by
/// threads.
#[derive(Debug)]
pub struct Verifier<'i> {
    inputs: Inputs<'i>,
    enrolments: Vec<Enrolment>,
    asked: Vec<Asked>,
    memo: Memo,
}

impl<'i> Verifier<'i> {
    /// A verifier for the appliance of `inputs.enrolment`; `inputs.evidence` is not looked at.
    ///
    /// # Errors
    /// [`VerifyError`] when the enrolment is not the owner's, or the challenge cannot be read.
    pub fn new(inputs: Inputs<'i>) -> Result<Self, VerifyError> {
        let mut verifier = Self::unenrolled(inputs);
        verifier.enrol(inputs.enrolment)?;
        if let Some(challenge) = inputs.challenge {
            verifier.ask(challenge, inputs.secret)?;
        }
        Ok(verifier)
    }

    /// A verifier that knows no appliance and no challenge yet.
    #[must_use]
    pub fn unenrolled(inputs: Inputs<'i>) -> Self {
        Self {
            inputs,
            enrolments: Vec::new(),
            asked: Vec::new(),
            memo: Memo::default(),
        }
    }

    /// Adds an enrolment record. An evidence is held against the one that it names.
    ///
    /// # Errors
    /// [`EnrolmentError`] when it is not the owner's.
    pub fn enrol(&mut self, record: &[u8]) -> Result<(), EnrolmentError> {
        let enrolment = Enrolment::verify(record, self.inputs.owner_key)?;
        self.enrolments.push(enrolment);
        Ok(())
    }

    /// Adds a challenge of the verifier's own, with its side file when that was kept. An evidence
    /// is held against the challenge that it answers.
    ///
    /// # Errors
    /// [`VerifyError`] when a file cannot be read, or the side file is that of another challenge.
    pub fn ask(&mut self, challenge: &[u8], secret: Option<&[u8]>) -> Result<(), VerifyError> {
        let read = Challenge::from_bytes(challenge).map_err(VerifyError::Challenge)?;
        let secret = secret.map(ChallengeSecret::from_bytes).transpose();
        let secret = secret.map_err(VerifyError::Secret)?;
        let own = |secret: &ChallengeSecret| secret.challenge == Digest::of(challenge);
        if !secret.as_ref().is_none_or(own) {
            let reason = "the side file is of another challenge".to_owned();
            return Err(VerifyError::Secret(CodecError::Member {
                member: "challenge",
                reason,
            }));
        }
        self.asked.push(Asked {
            bytes: challenge.to_vec(),
            challenge: read,
            secret: secret.map(|secret| secret.secret),
        });
        Ok(())
    }

    /// The enrolment, when the verifier has exactly one.
    #[must_use]
    pub fn only_enrolment(&self) -> Option<&Enrolment> {
        match &self.enrolments[..] {
            [enrolment] => Some(enrolment),
            _ => None,
        }
    }

    /// The verifier's clock, milliseconds since 1970.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.inputs.now_ms
    }

    /// Judges an evidence file.
    ///
    /// # Errors
    /// [`VerifyError`] when it cannot be read, or names none of several enrolments.
    pub fn judge(&self, evidence: &[u8]) -> Result<Verdict, VerifyError> {
        let evidence = Evidence::from_bytes(evidence).map_err(VerifyError::Evidence)?;
        let named = &evidence.body().enrolment;
        let enrolment = self
            .enrolments
            .iter()
            .find(|enrolment| enrolment.id() == named)
            .or(self.only_enrolment())
            .ok_or(VerifyError::Unenrolled(*named))?;
        let answered = |asked: &&Asked| asked.bytes == evidence.body().challenge;
        let asked = self.asked.iter().find(answered).or(self.asked.first());
        Ok(judge(&self.inputs, &evidence, enrolment, asked, &self.memo))
    }
}
