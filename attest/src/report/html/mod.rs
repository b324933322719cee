//! One page that can be printed and filed: no script, nothing loaded from anywhere.
//!
//! The page's own policy forbids both, with the digest of its one style sheet as the exception.
//! The decision comes first and in plain words; what a specialist asks for is beneath.

mod diagram;
mod markup;
mod measured;

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

use self::markup::Markup;
use self::measured::{heading, paragraph};
use crate::digest::Digest;
use crate::enrolment::Root;
use crate::evidence::Evidence;
use crate::messages::{self, Language, Phrase, page};
use crate::time::readable;
use crate::verdict::{Check, Decision, Outcome, ReleaseName, Verdict};

const STYLE: &str = include_str!("style.css");

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Page<'p> {
    /// The verdict.
    pub verdict: &'p Verdict,
    /// The file that it is on.
    pub file: &'p [u8],
    /// When it was judged, milliseconds since 1970.
    pub judged_ms: u64,
    /// The language.
    pub language: Language,
}

impl Page<'_> {
    /// The page, one HTML document.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = Markup::default();
        self.head(&mut out);
        self.decision(&mut out);
        self.reasons(&mut out, Outcome::Fail, &page::reasons_fail());
        self.reasons(&mut out, Outcome::Weak, &page::reasons_weak());
        self.reasons(&mut out, Outcome::Note, &page::reasons_note());
        self.behind(&mut out);
        self.about(&mut out);
        self.checked(&mut out);
        if let Ok(evidence) = Evidence::from_bytes(self.file) {
            measured::registers(&mut out, self.verdict, &evidence, self.language);
            self.statements(&mut out, &evidence);
            measured::events(&mut out, self.verdict, &evidence, self.language);
        }
        self.foot(&mut out);
        out.finish()
    }

    fn text(&self, phrase: &Phrase) -> String {
        phrase.text(self.language)
    }

    fn head(&self, out: &mut Markup) {
        let title = self.text(&page::title());
        out.raw("<!DOCTYPE html>\n<html lang=\"");
        out.raw(self.language.tag());
        out.raw("\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
        out.raw("base-uri 'none'; form-action 'none'; style-src 'sha256-");
        out.text(&Base64::encode_string(&Sha256::digest(STYLE)));
        out.raw("'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
        out.text(&title)
            .raw(" \u{2013} ")
            .text(&self.verdict.line_in(self.language));
        out.raw("</title>\n<style>")
            .raw(STYLE)
            .raw("</style>\n</head>\n<body>\n");
        out.raw("<header><p class=\"mark\">Casemate \u{b7} ")
            .text(&title)
            .raw("</p><p>");
        out.text(&self.text(&page::judged_at(&readable(self.judged_ms))));
        out.raw("</p></header>\n");
    }

    fn decision(&self, out: &mut Markup) {
        let decision = self.verdict.decision();
        out.raw(match decision {
            Decision::Pass => "<section class=\"decision pass\">",
            Decision::Conditional => "<section class=\"decision weak\">",
            Decision::Fail => "<section class=\"decision fail\">",
        });
        diagram::sign(out, decision);
        out.raw("<div><h1>")
            .text(&self.text(&decision.phrase()))
            .raw("</h1><p>");
        out.text(&self.text(&self.plain()))
            .raw("</p><p class=\"root\">");
        let root = self.text(&self.verdict.root().phrase());
        out.text(&self.text(&page::behind_root(&root)));
        out.raw("</p></div></section>\n");
    }

    /// The decision in one sentence for who reads nothing else.
    fn plain(&self) -> Phrase {
        let facts = self.verdict.facts();
        let who = match &facts.label[..] {
            "" => self.text(&page::appliance_unnamed()),
            label => self.text(&page::appliance(label)),
        };
        let failed = self.of(Outcome::Fail).count();
        match self.verdict.decision() {
            Decision::Pass => {
                let release = facts.release.as_ref().map(ReleaseName::phrase);
                let release = release.map(|release| self.text(&release));
                let release = release.unwrap_or_default();
                match self.verdict.root() {
                    Root::Development => page::plain_trial(&who, &release),
                    _ => page::plain_pass(&who, &release),
                }
            }
            Decision::Conditional => page::plain_conditional(&who),
            Decision::Fail if failed == 1 => page::plain_fail_one(&who),
            Decision::Fail => page::plain_fail_many(&who, failed),
        }
    }

    fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Check> {
        let checks = self.verdict.checks().iter();
        checks.filter(move |check| check.outcome == outcome)
    }

    fn reasons(&self, out: &mut Markup, outcome: Outcome, title: &Phrase) {
        if self.of(outcome).next().is_none() {
            return;
        }
        heading(out, title, self.language);
        out.raw("<ul class=\"reasons\">");
        for check in self.of(outcome) {
            let Some(code) = check.code else { continue };
            out.raw("<li class=\"").raw(outcome.id()).raw("\"><p>");
            out.text(&check.sentence(self.language));
            out.raw(" <code class=\"id\">")
                .text(code.id)
                .raw("</code></p>");
            let next = page::next(&messages::next(code, self.language));
            out.raw("<p class=\"next\">")
                .text(&self.text(&next))
                .raw("</p></li>");
        }
        out.raw("</ul>\n");
    }

    fn behind(&self, out: &mut Markup) {
        heading(out, &page::behind(), self.language);
        paragraph(out, &self.verdict.root().sentence(), self.language);
        diagram::chain(out, self.verdict.checks(), self.language);
    }

    fn about(&self, out: &mut Markup) {
        heading(out, &page::about(), self.language);
        out.raw("<table class=\"facts\"><tbody>");
        let mut row = |heading: Phrase, value: &str| {
            out.raw("<tr><th>")
                .text(&heading.text(self.language))
                .raw("</th><td>");
            if value.len() == 64 && value.bytes().all(|c| c.is_ascii_hexdigit()) {
                out.digest(value);
            } else {
                out.text(value);
            }
            out.raw("</td></tr>");
        };
        for (heading, value) in self.verdict.named_facts(self.language) {
            row(heading, &value);
        }
        if let Ok(evidence) = Evidence::from_bytes(self.file) {
            let at = page::made_by_its_clock(&readable(evidence.body().clock.wall_ms));
            row(page::made_at(), &self.text(&at));
        }
        let digest = Digest::of(self.file).to_string();
        let file = page::file_is(&digest, self.file.len());
        row(page::file(), &self.text(&file));
        out.raw("</tbody></table>\n");
    }

    fn checked(&self, out: &mut Markup) {
        heading(out, &page::checked(), self.language);
        out.raw("<table><thead><tr>");
        for column in [
            page::column_subject(),
            page::column_outcome(),
            page::column_finding(),
        ] {
            out.raw("<th>").text(&self.text(&column)).raw("</th>");
        }
        out.raw("</tr></thead><tbody>");
        for check in self.verdict.checks() {
            self.check(out, check);
        }
        out.raw("</tbody></table>\n");
    }

    fn check(&self, out: &mut Markup, check: &Check) {
        let subject = check.subject.name(self.language);
        out.raw("<tr><td class=\"subject\">").text(subject);
        out.raw("</td><td class=\"outcome ")
            .raw(check.outcome.id())
            .raw("\">");
        out.text(&self.text(&check.outcome.phrase()))
            .raw("</td><td>");
        out.text(&check.sentence(self.language));
        if let Some(code) = check.code {
            out.raw(" <code class=\"id\">").text(code.id).raw("</code>");
        }
        let mut side = |value: &str, said: &Phrase| {
            if !value.is_empty() {
                let said = said.text(self.language);
                out.raw("<div class=\"sides\">").text(&said).raw("</div>");
            }
        };
        side(&check.expected, &page::expected(&check.expected));
        side(&check.found, &page::found(&check.found));
        side(&check.detail, &page::detail(&check.detail));
        out.raw("</td></tr>");
    }

    fn statements(&self, out: &mut Markup, evidence: &Evidence) {
        let statements = &evidence.body().statements;
        if statements.is_empty() {
            return;
        }
        heading(out, &page::statements(), self.language);
        paragraph(out, &page::statements_unchecked(), self.language);
        out.raw("<table class=\"facts\"><tbody>");
        for statement in statements {
            out.raw("<tr><th>")
                .text(&statement.name)
                .raw("</th><td class=\"claimed\">");
            out.text(&statement.value).raw("</td></tr>");
        }
        out.raw("</tbody></table>\n");
    }

    fn foot(&self, out: &mut Markup) {
        out.raw("<div class=\"sign\">");
        for field in [page::sign_auditor(), page::sign_place(), page::sign_hand()] {
            out.raw("<p>").text(&self.text(&field)).raw("</p>");
        }
        out.raw("</div>\n<footer><p>");
        out.text(&self.text(&page::foot(env!("CARGO_PKG_VERSION"))));
        out.raw("</p></footer>\n</body>\n</html>\n");
    }
}
