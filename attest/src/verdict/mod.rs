//! The verdict: what was checked, how it came out, and what follows.
//!
//! How it is written down (text, JSON) is [`crate::report`]'s.

mod check;

pub use check::{Check, Outcome};

use crate::checkpoint::Checkpoint;
use crate::enrolment::Root;
use crate::leaf::TpmClock;
pub use crate::messages::subjects::Subject;
use crate::messages::{Language, Phrase, phrases};

/// What it all comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Everything holds.
    Pass,
    /// What could be checked holds; something could not be.
    Conditional,
    /// Something does not hold.
    Fail,
}

/// The release that the evidence names, when the release key signed for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseName {
    /// The product's name.
    pub product: String,
    /// The version as people read it.
    pub version: String,
    /// The version as the floor counts it.
    pub number: u64,
}

/// What the verdict is about, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The evidence's identity.
    pub evidence: String,
    /// The enrolment's name.
    pub enrolment: String,
    /// The owner's name for the appliance.
    pub label: String,
    /// The release, when its manifest holds.
    pub release: Option<ReleaseName>,
    /// The audit checkpoint, when it holds.
    pub audit: Option<Checkpoint>,
    /// Jobs whose artifact manifests are in the evidence, with the number of artifacts.
    pub jobs: Vec<(String, usize)>,
    /// The TPM's clock, when a quote holds.
    pub clock: Option<TpmClock>,
    /// Whether the TPM says that this clock never went back.
    pub clock_is_safe: bool,
    /// The TPM Name of the enrolled attestation key; empty when it cannot be read.
    pub key: Vec<u8>,
    /// When the challenge was made that the evidence answers; absent when it answers none.
    pub asked_ms: Option<u64>,
}

/// The verdict on one evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    decision: Decision,
    root: Root,
    checks: Vec<Check>,
    facts: Facts,
}

impl Decision {
    /// The decision in one word that every language's output has in JSON.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Conditional => "CONDITIONAL",
            Self::Fail => "FAIL",
        }
    }

    /// The decision in a word.
    #[must_use]
    pub fn phrase(self) -> Phrase {
        match self {
            Self::Pass => phrases::decision_pass(),
            Self::Conditional => phrases::decision_conditional(),
            Self::Fail => phrases::decision_fail(),
        }
    }
}

impl Root {
    /// The root's name.
    #[must_use]
    pub fn phrase(self) -> Phrase {
        match self {
            Self::Development => phrases::root_development(),
            Self::SwtpmCa => phrases::root_swtpm_ca(),
            Self::HardwareEk => phrases::root_hardware(),
            Self::FirstUse => phrases::root_first_use(),
        }
    }

    /// What the root is, in a sentence.
    #[must_use]
    pub fn sentence(self) -> Phrase {
        match self {
            Self::Development => phrases::root_is_development(),
            Self::SwtpmCa => phrases::root_is_swtpm_ca(),
            Self::HardwareEk => phrases::root_is_hardware(),
            Self::FirstUse => phrases::root_is_first_use(),
        }
    }

    /// The root's name in English.
    #[must_use]
    pub fn words(self) -> String {
        self.phrase().text(Language::English)
    }
}

impl Verdict {
    /// Draws the conclusion from the checks: a failed, unjudged or missing one fails, a weak one
    /// makes it conditional.
    #[must_use]
    pub fn conclude(checks: Vec<Check>, root: Root, facts: Facts) -> Self {
        Self {
            decision: decide(&checks),
            root,
            checks,
            facts,
        }
    }

    /// Adds what was found out after the judgement itself, and concludes anew. A decision only
    /// ever becomes worse by it.
    #[must_use]
    pub fn with(mut self, more: Vec<Check>) -> Self {
        self.checks.extend(more);
        self.decision = decide(&self.checks);
        self
    }

    /// What it comes to.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.decision
    }

    /// What stands behind it.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.root
    }

    /// The checks, in the order they were made.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// What the verdict is about.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The ids of the codes of failed checks, in order.
    #[must_use]
    pub fn failures(&self) -> Vec<&'static str> {
        let failed = self
            .checks
            .iter()
            .filter(|check| check.outcome == Outcome::Fail);
        failed
            .filter_map(|check| check.code)
            .map(|code| code.id)
            .collect()
    }

    /// The first code behind a decision other than PASS.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        let first = |outcome| {
            let check = self.checks.iter().find(|check| check.outcome == outcome);
            let code = check.and_then(|check| check.code);
            code.map_or(crate::code::VERDICT_INCOMPLETE.id, |code| code.id)
        };
        match self.decision {
            Decision::Pass => None,
            Decision::Conditional => Some(first(Outcome::Weak)),
            Decision::Fail => Some(first(Outcome::Fail)),
        }
    }

    /// The verdict's one line: `PASS (<root>)`, or the decision and the first code behind it.
    #[must_use]
    pub fn line(&self) -> String {
        self.line_in(Language::English)
    }

    /// The verdict's one line in a language.
    #[must_use]
    pub fn line_in(&self, language: Language) -> String {
        let root = self.root.phrase().text(language);
        let decision = self.decision.phrase().text(language);
        let colon = language.colon();
        match (self.decision, self.reason()) {
            (Decision::Pass, _) | (_, None) => format!("{decision} ({root})"),
            (Decision::Conditional, Some(code)) => format!("{decision} ({root}){colon} {code}"),
            (Decision::Fail, Some(code)) => format!("{decision}{colon} {code}"),
        }
    }
}

fn decide(checks: &[Check]) -> Decision {
    let any = |outcome| checks.iter().any(|check| check.outcome == outcome);
    let missing = Subject::ALL
        .iter()
        .filter(|subject| subject.is_required())
        .any(|subject| checks.iter().all(|check| check.subject != *subject));
    if missing || any(Outcome::Fail) || any(Outcome::Unjudged) {
        Decision::Fail
    } else if any(Outcome::Weak) {
        Decision::Conditional
    } else {
        Decision::Pass
    }
}
