//! A verifier that judges many evidences by the same keys, enrolments and challenges.

use super::kept::Kept;
use super::memo::Memo;
use super::{Asked, Endorsed, Inputs, VerifyError, judge};
use crate::challenge::{Challenge, ChallengeSecret};
use crate::codec::CodecError;
use crate::digest::Digest;
use crate::enrolment::{Enrolment, EnrolmentError};
use crate::evidence::Evidence;
use crate::verdict::Verdict;
use crate::x509::Authorities;

/// Judges evidences. What depends only on what the verifier holds, or recurs from one evidence to
/// the next (the release, the log key's certification), is found out once. May be shared by
/// threads.
#[derive(Debug)]
pub struct Verifier<'i> {
    pub(super) inputs: Inputs<'i>,
    pub(super) enrolments: Vec<Enrolment>,
    asked: Vec<Asked>,
    takes_unasked: bool,
    authorities: Option<&'i Authorities>,
    endorsed: Vec<(Digest, Endorsed)>,
    memo: Memo,
    pub(super) kept: Kept,
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
            takes_unasked: false,
            authorities: None,
            endorsed: Vec::new(),
            memo: Memo::default(),
            kept: Kept::default(),
        }
    }

    /// Adds an enrolment record. An evidence is held against the one that it names.
    ///
    /// # Errors
    /// [`EnrolmentError`] when it is not the owner's.
    pub fn enrol(&mut self, record: &[u8]) -> Result<(), EnrolmentError> {
        let enrolment = Enrolment::verify(record, self.inputs.owner_key)?;
        if let Some(authorities) = self.authorities {
            self.endorsed.push(endorse(&enrolment, authorities));
        }
        self.enrolments.push(enrolment);
        Ok(())
    }

    /// Demands that these authorities vouch for the endorsement key of every appliance, whatever
    /// the owner's record says of it. Each certificate is checked once, as of its enrolment.
    pub fn trust(&mut self, authorities: &'i Authorities) {
        self.authorities = Some(authorities);
        let each = self.enrolments.iter();
        self.endorsed = each.map(|one| endorse(one, authorities)).collect();
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

    /// Judges an evidence that answers no challenge as if none had been made, although some were:
    /// among many evidences not every one was asked for. It is CONDITIONAL at best.
    pub const fn take_unasked(&mut self) {
        self.takes_unasked = true;
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
        let unasked = self.takes_unasked && evidence.body().challenge.is_empty();
        let asked = asked.filter(|_| !unasked);
        let endorsed = self.endorsed.iter().find(|(id, _)| id == enrolment.id());
        let endorsed = endorsed.map(|(_, endorsed)| endorsed);
        let (inputs, memo, kept) = (&self.inputs, &self.memo, &self.kept);
        Ok(judge(
            inputs, &evidence, enrolment, asked, endorsed, memo, kept,
        ))
    }
}

fn endorse(enrolment: &Enrolment, authorities: &Authorities) -> (Digest, Endorsed) {
    let (request, at_ms) = (enrolment.request(), enrolment.created_ms());
    let found = enrolment.root().check(request, authorities, at_ms);
    (*enrolment.id(), found)
}
