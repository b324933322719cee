//! One record of the ledger: a line of JSON with a fixed member order.

use serde_json::Value;

use crate::digest::Digest;
use crate::leaf::TpmClock;
use crate::time::{from_utc, utc};
use crate::verdict::{Decision, Outcome, Subject, Verdict};

/// The most codes of a record.
const MAX_CODES: usize = 64;

/// How a file was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// There was a verdict.
    Verdict(Decision),
    /// The file could not be read as evidence, or not be judged.
    Malformed,
}

/// The TPM's clock in an evidence whose quote held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenClock {
    /// What it said.
    pub clock: TpmClock,
    /// Whether the TPM says that it never went back.
    pub safe: bool,
}

/// The audit log's head in an evidence in which it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHead {
    /// The log's name.
    pub origin: String,
    /// Its entries.
    pub size: u64,
    /// Its root.
    pub root: Digest,
}

/// What is recorded of one judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was judged, milliseconds since 1970 by the auditor's clock.
    pub at_ms: u64,
    /// How it came out.
    pub verdict: Recorded,
    /// The codes of what failed or was weaker, in the verdict's order.
    pub codes: Vec<String>,
    /// The SHA-256 of the file.
    pub file: Digest,
    /// The file's size.
    pub bytes: u64,
    /// The evidence's identity; absent when it could not be read.
    pub evidence: Option<Digest>,
    /// The enrolment that it was held against, when there was one.
    pub enrolment: Option<Digest>,
    /// The owner's name for the appliance.
    pub appliance: String,
    /// The TPM Name of the enrolled attestation key.
    pub key: Vec<u8>,
    /// When the challenge was made that the evidence answers; absent when it answers none.
    pub asked_ms: Option<u64>,
    /// The TPM's clock, when the quote held.
    pub clock: Option<SeenClock>,
    /// The audit log's head, when quote and head held.
    pub audit: Option<SeenHead>,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A judgement.
    Judged(Box<Entry>),
    /// Lines before this one were not written to their end: how many bytes they have.
    Torn {
        /// When that was found.
        at_ms: u64,
        /// The bytes, line ends included.
        bytes: u64,
    },
}

impl Entry {
    /// What is to be recorded of a verdict on `file`.
    #[must_use]
    pub fn of(verdict: &Verdict, file: &[u8], at_ms: u64) -> Self {
        let facts = verdict.facts();
        let checks = verdict.checks().iter();
        let head_holds = checks
            .filter(|check| check.subject == Subject::AuditHead)
            .all(|check| check.outcome == Outcome::Pass);
        let quoted = facts.clock.is_some();
        let audit = facts.audit.as_ref().filter(|_| head_holds && quoted);
        Self {
            codes: codes(verdict),
            evidence: facts.evidence.parse().ok(),
            enrolment: facts.enrolment.parse().ok(),
            appliance: facts.label.clone(),
            key: facts.key.clone(),
            asked_ms: facts.asked_ms,
            clock: facts.clock.map(|clock| SeenClock {
                clock,
                safe: facts.clock_is_safe,
            }),
            audit: audit.map(|head| SeenHead {
                origin: head.origin.as_str().to_owned(),
                size: head.size,
                root: head.root,
            }),
            ..Self::malformed(file, at_ms, Recorded::Verdict(verdict.decision()))
        }
    }

    /// What is to be recorded of a file that could not be judged: its digest and the reason.
    #[must_use]
    pub fn unjudged(file: &[u8], at_ms: u64, enrolment: Option<Digest>, code: &str) -> Self {
        Self {
            codes: vec![code.to_owned()],
            enrolment,
            ..Self::malformed(file, at_ms, Recorded::Malformed)
        }
    }

    /// The same with the decision and codes of the verdict that is shown in the end.
    #[must_use]
    pub fn concluded(self, verdict: &Verdict) -> Self {
        Self {
            verdict: Recorded::Verdict(verdict.decision()),
            codes: codes(verdict),
            ..self
        }
    }

    fn malformed(file: &[u8], at_ms: u64, verdict: Recorded) -> Self {
        Self {
            at_ms,
            verdict,
            codes: Vec::new(),
            file: Digest::of(file),
            bytes: u64::try_from(file.len()).unwrap_or(u64::MAX),
            evidence: None,
            enrolment: None,
            appliance: String::new(),
            key: Vec::new(),
            asked_ms: None,
            clock: None,
            audit: None,
        }
    }
}

impl Recorded {
    /// The word in the record.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Verdict(decision) => decision.id(),
            Self::Malformed => "MALFORMED",
        }
    }

    /// Whether nothing speaks against the appliance.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        matches!(self, Self::Verdict(Decision::Pass | Decision::Conditional))
    }

    fn from_id(id: &str) -> Option<Self> {
        let all = [
            Self::Verdict(Decision::Pass),
            Self::Verdict(Decision::Conditional),
            Self::Verdict(Decision::Fail),
            Self::Malformed,
        ];
        all.into_iter().find(|recorded| recorded.id() == id)
    }
}

impl Line {
    /// The line as record `number` behind a ledger whose head is `previous`, with the head that the
    /// ledger then has: SHA-256 over `previous` and the line up to the member that carries it.
    pub(super) fn to_text(&self, number: u64, previous: &Digest) -> (String, Digest) {
        let body = self.body(number);
        let head = Digest::of_parts(&[previous.as_bytes(), body.as_bytes()]);
        (chained(&body, &head), head)
    }

    /// Reads a line with its end that is spelt as [`Line::to_text`] spells it; whether it
    /// continues a ledger is said by writing it again.
    pub(super) fn from_text(text: &str) -> Option<(Self, u64)> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = value.get("record")?.as_u64()?;
        let head: Digest = value.get("chain")?.as_str()?.parse().ok()?;
        let line = if let Some(bytes) = value.get("torn") {
            Self::Torn {
                at_ms: from_utc(value.get("at")?.as_str()?)?,
                bytes: bytes.as_u64()?,
            }
        } else {
            Self::Judged(Box::new(read(&value)?))
        };
        // One spelling: a member that is unknown, missing, moved or written otherwise shows here.
        (chained(&line.body(number), &head) == text).then_some((line, number))
    }

    fn body(&self, number: u64) -> String {
        let members = match self {
            Self::Torn { at_ms, bytes } => format!(r#""at":"{}","torn":{bytes}"#, utc(*at_ms)),
            Self::Judged(entry) => judged(entry),
        };
        format!(r#"{{"record":{number},{members}"#)
    }
}

fn chained(body: &str, head: &Digest) -> String {
    format!("{body},\"chain\":\"{head}\"}}\n")
}

/// The codes of what failed or was weaker: each once, at most [`MAX_CODES`].
fn codes(verdict: &Verdict) -> Vec<String> {
    let counted = |outcome| matches!(outcome, Outcome::Fail | Outcome::Weak);
    let checks = verdict.checks().iter();
    let counted = checks.filter(|check| counted(check.outcome));
    let mut codes: Vec<String> = Vec::new();
    for code in counted.filter_map(|check| check.code) {
        if codes.len() < MAX_CODES && codes.iter().all(|known| known != code.id) {
            codes.push(code.id.to_owned());
        }
    }
    codes
}

fn judged(entry: &Entry) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let optional = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
    let digest = |value: &Option<Digest>| optional(value.map(|digest| format!("\"{digest}\"")));
    let codes: Vec<String> = entry.codes.iter().map(|code| quoted(code)).collect();
    let asked = entry.asked_ms.map(|ms| format!("\"{}\"", utc(ms)));
    let clock = entry.clock.map(|seen| {
        let TpmClock {
            ms,
            resets,
            restarts,
        } = seen.clock;
        let safe = seen.safe;
        format!(r#"{{"ms":{ms},"resets":{resets},"restarts":{restarts},"safe":{safe}}}"#)
    });
    let audit = entry.audit.as_ref().map(|head| {
        let (origin, size, root) = (quoted(&head.origin), head.size, head.root);
        format!(r#"{{"origin":{origin},"entries":{size},"root":"{root}"}}"#)
    });
    format!(
        r#""at":"{}","verdict":"{}","codes":[{}],"file":"{}","bytes":{},"evidence":{},"enrolment":{},"appliance":{},"key":"{}","asked":{},"clock":{},"audit":{}"#,
        utc(entry.at_ms),
        entry.verdict.id(),
        codes.join(","),
        entry.file,
        entry.bytes,
        digest(&entry.evidence),
        digest(&entry.enrolment),
        quoted(&entry.appliance),
        hex::encode(&entry.key),
        optional(asked),
        optional(clock),
        optional(audit),
    )
}

fn read(value: &Value) -> Option<Entry> {
    let text = |name: &str| value.get(name)?.as_str();
    let digest = |name: &str| match value.get(name)? {
        Value::Null => Some(None),
        value => value.as_str()?.parse::<Digest>().ok().map(Some),
    };
    let code = |code: &Value| code.as_str().map(ToOwned::to_owned);
    let codes = value.get("codes")?.as_array()?.iter().map(code);
    let asked_ms = match value.get("asked")? {
        Value::Null => None,
        value => Some(from_utc(value.as_str()?)?),
    };
    let clock = match value.get("clock")? {
        Value::Null => None,
        clock => Some(read_clock(clock)?),
    };
    let audit = match value.get("audit")? {
        Value::Null => None,
        head => Some(SeenHead {
            origin: head.get("origin")?.as_str()?.to_owned(),
            size: head.get("entries")?.as_u64()?,
            root: head.get("root")?.as_str()?.parse().ok()?,
        }),
    };
    Some(Entry {
        at_ms: from_utc(text("at")?)?,
        verdict: Recorded::from_id(text("verdict")?)?,
        codes: codes.collect::<Option<Vec<String>>>()?,
        file: text("file")?.parse().ok()?,
        bytes: value.get("bytes")?.as_u64()?,
        evidence: digest("evidence")?,
        enrolment: digest("enrolment")?,
        appliance: text("appliance")?.to_owned(),
        key: hex::decode(text("key")?).ok()?,
        asked_ms,
        clock,
        audit,
    })
}

fn read_clock(clock: &Value) -> Option<SeenClock> {
    let count = |name: &str| u32::try_from(clock.get(name)?.as_u64()?).ok();
    Some(SeenClock {
        clock: TpmClock {
            ms: clock.get("ms")?.as_u64()?,
            resets: count("resets")?,
            restarts: count("restarts")?,
        },
        safe: clock.get("safe")?.as_bool()?,
    })
}
