//! JSON: every member is there in every verdict; ids are the same in every language.

use serde_json::{Value, json};

use crate::messages::{self, Language, Phrase};
use crate::verdict::{Check, Outcome, ReleaseName, Verdict};

impl Outcome {
    /// The outcome's stable name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Note => "note",
            Self::Weak => "weak",
            Self::Unjudged => "unjudged",
            Self::Fail => "fail",
        }
    }
}

impl Verdict {
    /// The whole verdict as JSON, sentences in English.
    #[must_use]
    pub fn json(&self) -> Value {
        self.json_in(Language::English)
    }

    /// The whole verdict as JSON. `line`, `root`, `release` and the checks' `plain` and `next` are
    /// in the language asked for, everything else is the same in every language.
    #[must_use]
    pub fn json_in(&self, language: Language) -> Value {
        let facts = self.facts();
        let checks = self
            .checks()
            .iter()
            .map(|check| check_json(check, language));
        let jobs = facts
            .jobs
            .iter()
            .map(|(job, artifacts)| json!({ "job": job, "artifacts": artifacts }));
        let release = facts.release.as_ref().map(ReleaseName::phrase);
        json!({
            "verdict": self.decision().id(),
            "language": language.tag(),
            "line": self.line_in(language),
            "root": self.root().phrase().text(language),
            "evidence": facts.evidence,
            "enrolment": facts.enrolment,
            "appliance": facts.label,
            "release": release.map(|name| name.text(language)).unwrap_or_default(),
            "audit": facts.audit.as_ref().map(|head| json!({
                "origin": head.origin.as_str(), "entries": head.size, "root": head.root.to_string(),
            })),
            "jobs": jobs.collect::<Vec<Value>>(),
            "clock": facts.clock.map(|clock| json!({
                "ms": clock.ms, "resets": clock.resets, "restarts": clock.restarts,
                "safe": facts.clock_is_safe,
            })),
            "checks": checks.collect::<Vec<Value>>(),
        })
    }
}

pub(super) fn check_json(check: &Check, language: Language) -> Value {
    json!({
        "subject": check.subject.id(),
        "outcome": check.outcome.id(),
        "code": check.code.map(|code| code.id),
        "phrase": check.said.as_ref().map(Phrase::id),
        "plain": check.sentence(language),
        "detail": check.detail,
        "expected": check.expected,
        "found": check.found,
        "next": check.code.map(|code| messages::next(code, language)),
    })
}
