//! One quote without an evidence around it, as tpm2-tools write it: is it a quote that a TPM
//! would only make itself, by this key, over this nonce and these values?
//!
//! What is **not** said, whatever the verdict: whose key it is. That takes an enrolment.

use super::QuoteError;
use super::claim::{ClaimError, ClaimedRegisters, selections_in_words};
use super::key::{ENDORSEMENT, check_attributes};
use super::signed::{QuotedRegisters, SignedQuote, Signer};
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::messages::subjects::Subject;
use crate::messages::{Phrase, identity};
use crate::tpm::attest::{AttestError, Header, QuoteInfo};
use crate::tpm::public::{Key, Public};
use crate::tpm::signature::{RawSignature, SignatureError};
use crate::tpm::{ALG_SHA1, Fault, StructureError, bank_name};
use crate::verdict::{Check, Decision, Outcome};

/// Registers that anyone with the TPM at hand can set back (TCG PC Client Platform TPM Profile,
/// section 4.6): 16 is for debugging, 23 for applications. Whatever was in another register can
/// be put into them.
const RESETTABLE: [u8; 2] = [16, 23];
/// Registers of a dynamic launch: reset by the processor, in the middle of a boot.
const DYNAMIC: std::ops::RangeInclusive<u8> = 17..=22;
/// No TPM is reset or restarted so often; a masked counter has random upper bits.
const IMPLAUSIBLE: u32 = 1 << 24;

/// What is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'b> {
    /// `TPMS_ATTEST`.
    pub attest: &'b [u8],
    /// `TPMT_SIGNATURE`.
    pub signature: &'b [u8],
    /// The key: `TPM2B_PUBLIC`, `TPMT_PUBLIC`, or a bare public key in PEM.
    pub key: &'b [u8],
    /// What the qualifying data must be.
    pub nonce: Option<&'b [u8]>,
    /// The values that the quote is said to be over, JSON ([`ClaimedRegisters::from_json`]).
    pub registers: Option<&'b [u8]>,
}

/// An input that is not what it is given as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The key.
    #[error("the key cannot be read {0}")]
    Key(StructureError),
    /// The attestation.
    #[error(transparent)]
    Attest(AttestError),
    /// The signature.
    #[error("the signature cannot be read {0}")]
    Signature(StructureError),
    /// The register values.
    #[error(transparent)]
    Registers(#[from] ClaimError),
}

/// What came out, check by check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    checks: Vec<Check>,
    facts: Vec<(Phrase, String)>,
    quoted: Option<QuotedRegisters>,
}

#[derive(Debug)]
enum GivenKey {
    Tpm(Box<Public>),
    Bare(Key),
    Refused(StructureError),
}

impl Malformed {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Key(_) => &code::AK_MALFORMED,
            Self::Attest(_) | Self::Signature(_) => &code::QUOTE_MALFORMED,
            Self::Registers(_) => &code::REGISTERS_MALFORMED,
        }
    }
}

impl GivenKey {
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let read = match std::str::from_utf8(bytes) {
            Ok(pem) if pem.trim_start().starts_with("-----BEGIN") => {
                Key::from_pem(pem.trim()).map(Self::Bare)
            }
            _ => Public::from_either(bytes).map(|public| Self::Tpm(Box::new(public))),
        };
        match read {
            Ok(key) => Ok(key),
            Err(error) if error.fault == Fault::Refused => Ok(Self::Refused(error)),
            Err(error) => Err(Malformed::Key(error)),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Tpm(public) => {
                let scheme = public.scheme();
                let scheme = scheme.map_or_else(|| "no scheme".to_owned(), |it| it.words());
                let attributes = public.attributes();
                let kind = public.key().words();
                format!("{kind}, {scheme}, attributes {attributes:#010x}")
            }
            Self::Bare(key) => format!("{}, attributes unknown", key.words()),
            Self::Refused(error) => error.reason.clone(),
        }
    }

    fn check(&self) -> Check {
        const SUBJECT: Subject = Subject::AttestationKey;
        match self {
            Self::Refused(error) => Check::fail(SUBJECT, &code::AK_REFUSED).detail(error),
            Self::Bare(_) => Check::weak(SUBJECT, &code::AK_UNKNOWN),
            Self::Tpm(public) => match check_attributes(public) {
                Err(error) => Check::fail(SUBJECT, error.code()).detail(error),
                Ok(()) => Check::pass(SUBJECT, identity::single_key(&public.key().words())),
            },
        }
    }

    fn signer(&self) -> Option<Signer<'_>> {
        match self {
            Self::Tpm(public) => Some(Signer::Tpm(public)),
            Self::Bare(key) => Some(Signer::Bare(key)),
            Self::Refused(_) => None,
        }
    }
}

impl Examination {
    /// Judges one quote.
    ///
    /// # Errors
    /// [`Malformed`] when an input is not the structure that it is given as. A structure that is
    /// whole and not acceptable is no error, but a failed check.
    pub fn of(inputs: &Inputs<'_>) -> Result<Self, Malformed> {
        let key = GivenKey::read(inputs.key)?;
        let claimed = inputs.registers.map(ClaimedRegisters::from_json);
        let claimed = claimed.transpose()?;
        let info = match QuoteInfo::from_bytes(inputs.attest) {
            Err(error @ AttestError::Structure(_)) => return Err(Malformed::Attest(error)),
            other => other,
        };
        if let Err(error) = RawSignature::from_bytes(inputs.signature)
            && error.fault == Fault::Malformed
        {
            return Err(Malformed::Signature(error));
        }
        let mut examination = Self {
            checks: vec![key.check()],
            facts: vec![(identity::fact_key(), key.words())],
            quoted: None,
        };
        if let Ok(info) = &info {
            examination.describe(info, inputs.attest, &key);
        }
        examination.judge(inputs, &key, claimed.as_ref());
        Ok(examination)
    }

    /// What it comes to.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let any = |outcome| self.checks.iter().any(|check| check.outcome == outcome);
        if any(Outcome::Fail) || any(Outcome::Unjudged) {
            Decision::Fail
        } else if any(Outcome::Weak) {
            Decision::Conditional
        } else {
            Decision::Pass
        }
    }

    /// The checks, in the order they were made.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// What the quote says of itself: names and values, for people.
    #[must_use]
    pub fn facts(&self) -> &[(Phrase, String)] {
        &self.facts
    }

    /// The values that the quote is over; there only when everything held and values were given.
    #[must_use]
    pub fn registers(&self) -> Option<&QuotedRegisters> {
        let failed = self.decision() == Decision::Fail;
        self.quoted.as_ref().filter(|_| !failed)
    }

    /// The code that decides: of the first failed check, or of the first that weakens.
    #[must_use]
    pub fn code(&self) -> Option<&'static Code> {
        let first = |outcome| {
            let check = self.checks.iter().find(|check| check.outcome == outcome);
            check.and_then(|check| check.code)
        };
        first(Outcome::Fail).or_else(|| first(Outcome::Weak))
    }

    fn describe(&mut self, info: &QuoteInfo, attest: &[u8], key: &GivenKey) {
        let clock = info.header.clock;
        let nonce = match info.header.qualifying.len() {
            0 => "none".to_owned(),
            _ => hex::encode(&info.header.qualifying),
        };
        self.facts.extend([
            (identity::fact_signer(), signer_in_words(&info.header, key)),
            (identity::fact_nonce(), nonce),
            (
                identity::fact_registers(),
                selections_in_words(&info.selections),
            ),
            (identity::fact_clock(), format!("{} ms", clock.ms)),
            (identity::fact_resets(), clock.resets.to_string()),
            (identity::fact_restarts(), clock.restarts.to_string()),
            (
                identity::fact_firmware(),
                format!("{:#018x}", info.header.firmware_version),
            ),
            // A signature can be spelt in two ways by anyone; this cannot.
            (
                identity::fact_identity(),
                format!("sha256 {}", Digest::of(attest)),
            ),
        ]);
    }

    fn judge(&mut self, inputs: &Inputs<'_>, key: &GivenKey, claimed: Option<&ClaimedRegisters>) {
        let Some(signer) = key.signer() else {
            let why = identity::single_unjudged_key();
            self.checks.push(Check::unjudged(Subject::Quote, why));
            return;
        };
        let quote = match SignedQuote::check(inputs.attest, inputs.signature, signer) {
            Ok(quote) => quote,
            Err(error) => {
                self.checks.push(failed(Subject::Quote, &error));
                return;
            }
        };
        let scheme = quote.scheme().words();
        let said = identity::single_signature(&scheme);
        self.checks.push(Check::pass(Subject::Quote, said));
        if !quote.is_normalised() {
            self.checks
                .push(Check::note(Subject::Quote, &code::QUOTE_HIGH_S));
        }
        if let GivenKey::Tpm(public) = key {
            self.judge_signer(&quote.info().header, public);
        }
        self.judge_nonce(&quote, inputs.nonce);
        self.judge_selection(quote.info());
        self.judge_values(&quote, claimed);
        self.judge_clock(&quote.info().header);
    }

    /// The signer's qualified name is of the key's own kind, and of the endorsement hierarchy as
    /// far as that can be seen: below a parent that is not given it cannot.
    fn judge_signer(&mut self, header: &Header, public: &Public) {
        let (found, hash) = (&header.qualified_signer, public.name_hash());
        let of_kind =
            found.starts_with(&hash.id().to_be_bytes()) && found.len() == public.name().len();
        if !of_kind {
            let check = Check::fail(Subject::Quote, &code::QUOTE_SIGNER);
            let expected = format!("a name made with {}", hash.words());
            self.checks.push(check.sides(expected, hex::encode(found)));
            return;
        }
        if let Some((hierarchy, masked)) = hierarchy(found, public)
            && masked
        {
            let check = Check::note(Subject::Clock, &code::QUOTE_MASKED);
            self.checks
                .push(check.detail(format!("{hierarchy} hierarchy")));
        }
    }

    fn judge_nonce(&mut self, quote: &SignedQuote, nonce: Option<&[u8]>) {
        const SUBJECT: Subject = Subject::Challenge;
        self.checks.push(match nonce {
            None => Check::note(SUBJECT, &code::QUOTE_NONCE_UNASKED),
            Some(nonce) => match quote.answers(nonce) {
                Err(error) => failed(SUBJECT, &error),
                Ok(()) => Check::pass(SUBJECT, identity::single_nonce()),
            },
        });
    }

    fn judge_selection(&mut self, info: &QuoteInfo) {
        const SUBJECT: Subject = Subject::Registers;
        let registers = || {
            let selections = info.selections.iter();
            selections.flat_map(|one| one.pcrs.iter().map(|pcr| (one.bank, *pcr)))
        };
        if registers().next().is_none() {
            self.checks.push(Check::fail(SUBJECT, &code::QUOTE_NOTHING));
            return;
        }
        if registers().any(|(_, pcr)| RESETTABLE.contains(&pcr)) {
            let only = registers().all(|(_, pcr)| RESETTABLE.contains(&pcr));
            let make = if only { Check::fail } else { Check::note };
            let check = make(SUBJECT, &code::QUOTE_RESETTABLE);
            self.checks
                .push(check.detail(selections_in_words(&info.selections)));
        }
        if registers().any(|(_, pcr)| DYNAMIC.contains(&pcr)) {
            self.checks.push(Check::note(SUBJECT, &code::QUOTE_DYNAMIC));
        }
        if registers().any(|(bank, _)| bank == ALG_SHA1) {
            let only = registers().all(|(bank, _)| bank == ALG_SHA1);
            let make = if only { Check::weak } else { Check::note };
            let check = make(SUBJECT, &code::QUOTE_WEAK_BANK);
            self.checks.push(check.detail(bank_name(ALG_SHA1)));
        }
    }

    fn judge_values(&mut self, quote: &SignedQuote, claimed: Option<&ClaimedRegisters>) {
        const SUBJECT: Subject = Subject::Registers;
        let Some(claimed) = claimed else {
            self.checks
                .push(Check::note(SUBJECT, &code::QUOTE_VALUES_UNASKED));
            return;
        };
        match quote.over(claimed) {
            Err(error) => self.checks.push(failed(SUBJECT, &error)),
            Ok(quoted) => {
                let said = identity::single_values(quoted.iter().count());
                self.checks.push(Check::pass(SUBJECT, said));
                self.quoted = Some(quoted);
            }
        }
    }

    fn judge_clock(&mut self, header: &Header) {
        const SUBJECT: Subject = Subject::Clock;
        let clock = header.clock;
        let noted = self.checks.iter().any(|check| check.subject == SUBJECT);
        if !noted && clock.resets.max(clock.restarts) >= IMPLAUSIBLE {
            self.checks.push(Check::note(SUBJECT, &code::QUOTE_MASKED));
        }
        if !header.clock_safe {
            self.checks.push(Check::note(SUBJECT, &code::CLOCK_UNSAFE));
        }
    }
}

fn failed(subject: Subject, error: &QuoteError) -> Check {
    let check = Check::fail(subject, error.code());
    match error {
        QuoteError::Qualifying { expected, found } => check
            .saying(identity::single_nonce_other())
            .sides(expected, found),
        QuoteError::Registers { expected, found } | QuoteError::Digest { expected, found } => {
            check.sides(expected, found)
        }
        QuoteError::Signature(SignatureError::Wrong) => {
            check.saying(identity::single_signature_wrong())
        }
        other => check.detail(other),
    }
}

/// The hierarchy that the key is a primary key of, and whether the TPM masks the clock there
/// (Part 2, section 10.12.12): everywhere but in the endorsement and platform hierarchies.
fn hierarchy(qualified: &[u8], public: &Public) -> Option<(&'static str, bool)> {
    let known = [
        ("endorsement", ENDORSEMENT, false),
        ("platform", [0x40, 0x00, 0x00, 0x0c], false),
        ("owner", [0x40, 0x00, 0x00, 0x01], true),
        ("null", [0x40, 0x00, 0x00, 0x07], true),
    ];
    let found = known
        .iter()
        .find(|(_, handle, _)| public.qualified_name(handle) == qualified);
    found.map(|(name, _, masked)| (*name, *masked))
}

fn signer_in_words(header: &Header, key: &GivenKey) -> String {
    let name = hex::encode(&header.qualified_signer);
    let GivenKey::Tpm(public) = key else {
        return name;
    };
    match hierarchy(&header.qualified_signer, public) {
        Some((hierarchy, _)) => format!("a primary key of the {hierarchy} hierarchy"),
        None => name,
    }
}
