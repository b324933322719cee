//! Plain text: the line first, then what it is about, then every check.

use super::printable;
use super::wrap::wrapped;
use crate::checkpoint::Checkpoint;
use crate::leaf::TpmClock;
use crate::messages::{self, Language, Phrase, phrases};
use crate::verdict::{Check, Outcome, ReleaseName, Verdict};

impl ReleaseName {
    /// Product, version and number.
    #[must_use]
    pub fn phrase(&self) -> Phrase {
        phrases::fact_release(&self.product, &self.version, self.number)
    }
}

impl Outcome {
    /// The outcome in a word.
    #[must_use]
    pub fn phrase(self) -> Phrase {
        match self {
            Self::Pass => phrases::mark_pass(),
            Self::Note => phrases::mark_note(),
            Self::Weak => phrases::mark_weak(),
            Self::Unjudged => phrases::mark_unjudged(),
            Self::Fail => phrases::mark_fail(),
        }
    }
}

impl Verdict {
    /// The whole verdict in plain text, in English.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_in(Language::English)
    }

    /// The whole verdict in plain text: the line first, no line longer than 80 columns.
    #[must_use]
    pub fn text_in(&self, language: Language) -> String {
        let mut text = self.line_in(language);
        text.push('\n');
        for (heading, value) in self.named_facts(language) {
            let lead = format!("  {:<12}", heading.text(language));
            text.push_str(&wrapped(&lead, 14, &value));
        }
        text.push('\n');
        for check in self.checks() {
            text.push_str(&lines(check, language));
        }
        text
    }

    /// What the verdict is about, as headings and values; unknown ones are left out. Values are
    /// printable.
    pub(super) fn named_facts(&self, language: Language) -> Vec<(Phrase, String)> {
        let facts = self.facts();
        let release = facts.release.as_ref().map(ReleaseName::phrase);
        let mut named = vec![
            (phrases::heading_evidence(), facts.evidence.clone()),
            (phrases::heading_enrolment(), facts.enrolment.clone()),
            (phrases::heading_appliance(), facts.label.clone()),
            (
                phrases::heading_release(),
                release.map(|name| name.text(language)).unwrap_or_default(),
            ),
        ];
        if let Some(Checkpoint { origin, size, root }) = &facts.audit {
            let log = phrases::fact_audit_log(origin.as_str(), *size);
            named.push((phrases::heading_audit_log(), log.text(language)));
            named.push((phrases::heading_audit_root(), root.to_string()));
        }
        for (job, artifacts) in &facts.jobs {
            let job = phrases::fact_job(job, *artifacts);
            named.push((phrases::heading_job(), job.text(language)));
        }
        if let Some(TpmClock {
            ms,
            resets,
            restarts,
        }) = facts.clock
        {
            let clock = phrases::fact_clock(ms, resets, restarts);
            named.push((phrases::heading_clock(), clock.text(language)));
        }
        named.retain(|(_, value)| !value.is_empty());
        let shown = named
            .into_iter()
            .map(|(name, value)| (name, printable(&value)));
        shown.collect()
    }
}

/// A check: its mark, its subject and its sentence; beneath it what a specialist asks for.
pub(super) fn lines(check: &Check, language: Language) -> String {
    let mark = check.outcome.phrase().text(language);
    let colon = language.colon();
    let lead = format!("  {mark:<6} {}{colon} ", check.subject.name(language));
    let mut text = wrapped(&lead, 9, &printable(&check.sentence(language)));
    let mut under = |heading: Phrase, value: &str| {
        if !value.is_empty() {
            let lead = format!("    {:<10}", heading.text(language));
            text.push_str(&wrapped(&lead, 14, &printable(value)));
        }
    };
    let Some(code) = check.code else { return text };
    under(phrases::heading_expected(), &check.expected);
    under(phrases::heading_found(), &check.found);
    under(phrases::heading_detail(), &check.detail);
    under(phrases::heading_code(), code.id);
    if matches!(check.outcome, Outcome::Weak | Outcome::Fail) {
        under(phrases::heading_next(), &messages::next(code, language));
    }
    text
}
