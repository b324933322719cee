//! The self-test: hostile files and genuine ones, built in, judged on the auditor's own machine.
//!
//! A verifier is worth what it rejects. Each case says what must come of it: the code that it is
//! rejected with, or that it is accepted. The vectors are real where a TPM can be made to sign
//! them (recipes beside them); what no TPM signs is derived from a genuine one here.

mod certificates;
mod evidence;
mod logs;
mod quotes;

/// What a case comes to when it is accepted.
pub const ACCEPTED: &str = "accepted";

/// One built-in case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What is judged: quote, event log, certificate, evidence.
    pub area: &'static str,
    /// The case, a few words.
    pub name: &'static str,
    /// What must come of it: [`ACCEPTED`], or the id of a code.
    pub expected: &'static str,
    judge: fn() -> Found,
}

/// What came of a judgement: [`ACCEPTED`], or the id of the deciding code.
pub type Found = &'static str;

/// What came of a case.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// What came of it.
    pub found: Found,
}

impl Case {
    /// A case with another expectation, to see that the self-test can fail.
    #[must_use]
    pub const fn expecting(mut self, expected: &'static str) -> Self {
        self.expected = expected;
        self
    }

    /// Judges it.
    #[must_use]
    pub fn run(self) -> Outcome {
        Outcome {
            case: self,
            found: (self.judge)(),
        }
    }
}

impl Outcome {
    /// Whether it came out as it must.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.found == self.case.expected
    }
}

/// Every built-in case.
#[must_use]
pub fn cases() -> Vec<Case> {
    let areas = [
        quotes::CASES,
        logs::CASES,
        certificates::CASES,
        evidence::CASES,
    ];
    areas.into_iter().flatten().copied().collect()
}
