//! The verdict: what was checked, how it came out, and what follows.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::checkpoint::Checkpoint;
use crate::code::Code;
use crate::enrolment::Root;
use crate::leaf::TpmClock;

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

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked, one of [`SUBJECTS`].
    pub subject: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// The stable code, when it did not simply pass.
    pub code: Option<&'static Code>,
    /// What was found out, one sentence.
    pub plain: String,
    /// What was expected; may be empty.
    pub expected: String,
    /// What was found; may be empty.
    pub found: String,
}

/// Every subject that a verdict must have judged. A verdict in which one is missing fails.
pub const SUBJECTS: [&str; 15] = [
    "members",
    "challenge",
    "enrolment",
    "endorsement key",
    "attestation key",
    "activation",
    "release",
    "quote",
    "event logs",
    "registers",
    "log key",
    "audit head",
    "artifacts",
    "clock",
    "root",
];

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

/// What the verdict is about, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The evidence's identity.
    pub evidence: String,
    /// The enrolment's name.
    pub enrolment: String,
    /// The owner's name for the appliance.
    pub label: String,
    /// Product, version and number of the release.
    pub release: String,
    /// The audit checkpoint, when it holds.
    pub audit: Option<Checkpoint>,
    /// Jobs whose artifact manifests are in the evidence, with the number of artifacts.
    pub jobs: Vec<(String, usize)>,
    /// The TPM's clock, when a quote holds.
    pub clock: Option<TpmClock>,
}

/// The verdict on one evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    decision: Decision,
    root: Root,
    checks: Vec<Check>,
    subject: Subject,
}

impl Check {
    /// A check that holds.
    #[must_use]
    pub fn pass(subject: &'static str, plain: impl Into<String>) -> Self {
        Self::new(subject, Outcome::Pass, None, plain)
    }

    /// A check that came out otherwise.
    #[must_use]
    pub fn other(
        subject: &'static str,
        outcome: Outcome,
        code: &'static Code,
        plain: impl Into<String>,
    ) -> Self {
        Self::new(subject, outcome, Some(code), plain)
    }

    /// A check that does not hold.
    #[must_use]
    pub fn fail(subject: &'static str, code: &'static Code, plain: impl Into<String>) -> Self {
        Self::other(subject, Outcome::Fail, code, plain)
    }

    /// Says what was expected and found.
    #[must_use]
    pub fn sides(mut self, expected: impl Into<String>, found: impl Into<String>) -> Self {
        self.expected = expected.into();
        self.found = found.into();
        self
    }

    fn new(
        subject: &'static str,
        outcome: Outcome,
        code: Option<&'static Code>,
        plain: impl Into<String>,
    ) -> Self {
        let (expected, found) = (String::new(), String::new());
        Self {
            subject,
            outcome,
            code,
            plain: plain.into(),
            expected,
            found,
        }
    }
}

impl Root {
    /// The root in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Development => "development root",
            Self::SwtpmCa => "software TPM root",
            Self::HardwareEk => "hardware root",
            Self::FirstUse => "trust on first use",
        }
    }
}

impl Verdict {
    /// Draws the conclusion from the checks: a failed, unjudged or missing one fails, a weak one
    /// makes it conditional.
    #[must_use]
    pub fn conclude(checks: Vec<Check>, root: Root, subject: Subject) -> Self {
        let missing = SUBJECTS
            .iter()
            .any(|name| checks.iter().all(|check| check.subject != *name));
        let any = |outcome| checks.iter().any(|check| check.outcome == outcome);
        let decision = if missing || any(Outcome::Fail) || any(Outcome::Unjudged) {
            Decision::Fail
        } else if any(Outcome::Weak) {
            Decision::Conditional
        } else {
            Decision::Pass
        };
        Self {
            decision,
            root,
            checks,
            subject,
        }
    }

    /// What it comes to.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.decision
    }

    /// The checks, in the order they were made.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
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

    /// The verdict's one line: `PASS (<root>)`, or the decision and the first code behind it.
    #[must_use]
    pub fn line(&self) -> String {
        let first = |outcome| {
            let check = self.checks.iter().find(|check| check.outcome == outcome);
            check
                .and_then(|check| check.code)
                .map_or("verdict.incomplete", |code| code.id)
        };
        match self.decision {
            Decision::Pass => format!("PASS ({})", self.root.words()),
            Decision::Conditional => {
                format!(
                    "CONDITIONAL ({}): {}",
                    self.root.words(),
                    first(Outcome::Weak)
                )
            }
            Decision::Fail => format!("FAIL: {}", first(Outcome::Fail)),
        }
    }

    /// The whole verdict in plain text, the line first.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.line();
        text.push('\n');
        for (name, value) in self.facts() {
            let _ = writeln!(text, "  {name:<12}{value}");
        }
        text.push('\n');
        for check in &self.checks {
            let mark = match check.outcome {
                Outcome::Pass => "ok  ",
                Outcome::Note => "note",
                Outcome::Weak => "weak",
                Outcome::Unjudged => "-   ",
                Outcome::Fail => "FAIL",
            };
            let _ = writeln!(
                text,
                "  {mark} {}: {}",
                check.subject,
                printable(&check.plain)
            );
            let Some(code) = check.code else { continue };
            if !check.expected.is_empty() || !check.found.is_empty() {
                let _ = writeln!(text, "         expected {}", printable(&check.expected));
                let _ = writeln!(text, "         found    {}", printable(&check.found));
            }
            let _ = match check.outcome {
                Outcome::Weak | Outcome::Fail => {
                    writeln!(text, "         code {}; {}", code.id, code.next)
                }
                _ => writeln!(text, "         code {}", code.id),
            };
        }
        text
    }

    /// The whole verdict as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let checks: Vec<Value> = self.checks.iter().map(check_json).collect();
        let decision = match self.decision {
            Decision::Pass => "PASS",
            Decision::Conditional => "CONDITIONAL",
            Decision::Fail => "FAIL",
        };
        let subject = &self.subject;
        let jobs: Vec<Value> = subject
            .jobs
            .iter()
            .map(|(job, artifacts)| json!({ "job": job, "artifacts": artifacts }))
            .collect();
        json!({
            "verdict": decision,
            "line": self.line(),
            "root": self.root.words(),
            "evidence": subject.evidence,
            "enrolment": subject.enrolment,
            "appliance": subject.label,
            "release": subject.release,
            "audit": subject.audit.as_ref().map(|head| json!({
                "origin": head.origin.as_str(), "entries": head.size, "root": head.root.to_string(),
            })),
            "jobs": jobs,
            "clock": subject.clock.map(|clock| json!({
                "ms": clock.ms, "resets": clock.resets, "restarts": clock.restarts,
            })),
            "checks": checks,
        })
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let subject = &self.subject;
        let mut facts = vec![
            ("evidence", subject.evidence.clone()),
            ("enrolment", subject.enrolment.clone()),
            ("appliance", subject.label.clone()),
            ("release", subject.release.clone()),
        ];
        if let Some(Checkpoint { origin, size, root }) = &subject.audit {
            facts.push(("audit log", format!("{origin}, {size} entries")));
            facts.push(("audit root", root.to_string()));
        }
        for (job, artifacts) in &subject.jobs {
            facts.push(("job", format!("{job}, artifacts: {artifacts}")));
        }
        if let Some(TpmClock {
            ms,
            resets,
            restarts,
        }) = &subject.clock
        {
            facts.push((
                "TPM clock",
                format!("{ms} ms, resets: {resets}, restarts: {restarts}"),
            ));
        }
        let known = facts.into_iter().filter(|(_, value)| !value.is_empty());
        known
            .map(|(name, value)| (name, printable(&value)))
            .collect()
    }
}

fn check_json(check: &Check) -> Value {
    let outcome = match check.outcome {
        Outcome::Pass => "pass",
        Outcome::Note => "note",
        Outcome::Weak => "weak",
        Outcome::Unjudged => "unjudged",
        Outcome::Fail => "fail",
    };
    json!({
        "subject": check.subject,
        "outcome": outcome,
        "code": check.code.map(|code| code.id),
        "plain": check.plain,
        "expected": check.expected,
        "found": check.found,
        "next": check.code.map(|code| code.next),
    })
}

/// Text of outside origin with its control characters replaced: a terminal obeys nothing in it.
fn printable(text: &str) -> String {
    let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}
