//! One check of a verdict.

use crate::code::{self, Code};
use crate::messages::subjects::Subject;
use crate::messages::{self, Language, Phrase};

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It holds, with something to know.
    Note,
    /// It could not be made; what the verdict says is weaker by it.
    Weak,
    /// Another check failed first, so this one says nothing.
    Unjudged,
    /// It does not hold.
    Fail,
}

/// One check. Made by a function named for its outcome, then added to:
/// `Check::fail(Subject::Quote, error.code()).detail(&error).sides(expected, found)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub subject: Subject,
    /// How it came out.
    pub outcome: Outcome,
    /// The stable code, when it did not simply pass.
    pub code: Option<&'static Code>,
    /// What was found out, when the code's own sentence does not say it.
    pub said: Option<Phrase>,
    /// Technical detail: an error's own text, a place in a log. English; may be empty.
    pub detail: String,
    /// What was expected, technical; may be empty.
    pub expected: String,
    /// What was found, technical; may be empty.
    pub found: String,
}

impl Check {
    /// A check that holds.
    #[must_use]
    pub fn pass(subject: Subject, said: Phrase) -> Self {
        Self::new(subject, Outcome::Pass, None).saying(said)
    }

    /// A check that holds, with something to know.
    #[must_use]
    pub fn note(subject: Subject, code: &'static Code) -> Self {
        Self::new(subject, Outcome::Note, Some(code))
    }

    /// A check that could not be made and weakens the verdict.
    #[must_use]
    pub fn weak(subject: Subject, code: &'static Code) -> Self {
        Self::new(subject, Outcome::Weak, Some(code))
    }

    /// A check that says nothing because one before it failed; `why` names that one.
    #[must_use]
    pub fn unjudged(subject: Subject, why: Phrase) -> Self {
        Self::new(subject, Outcome::Unjudged, Some(&code::VERDICT_UNJUDGED)).saying(why)
    }

    /// A check that does not hold. Its sentence is the code's.
    #[must_use]
    pub fn fail(subject: Subject, code: &'static Code) -> Self {
        Self::new(subject, Outcome::Fail, Some(code))
    }

    /// Says it in another sentence than the code's own.
    #[must_use]
    pub fn saying(mut self, said: Phrase) -> Self {
        self.said = Some(said);
        self
    }

    /// Adds technical detail.
    #[must_use]
    pub fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = detail.to_string();
        self
    }

    /// Says what was expected and found, technically.
    #[must_use]
    pub fn sides(mut self, expected: impl ToString, found: impl ToString) -> Self {
        self.expected = expected.to_string();
        self.found = found.to_string();
        self
    }

    /// The sentence that says how it came out.
    #[must_use]
    pub fn sentence(&self, language: Language) -> String {
        match (&self.said, self.code) {
            (Some(said), _) => said.text(language),
            (None, Some(code)) => messages::what(code, language),
            (None, None) => String::new(),
        }
    }

    fn new(subject: Subject, outcome: Outcome, code: Option<&'static Code>) -> Self {
        Self {
            subject,
            outcome,
            code,
            said: None,
            detail: String::new(),
            expected: String::new(),
            found: String::new(),
        }
    }
}
