//! Drawings: the sign of a decision, and the chain from the root of trust to the release.

use super::markup::Markup;
use crate::messages::{Language, Phrase, page};
use crate::verdict::{Check, Decision, Outcome, Subject};

/// Width and height of a link of the chain, and what is between two; in the drawing's units.
const WIDTH: u32 = 108;
const HEIGHT: u32 = 76;
const GAP: u32 = 20;

/// A sign that is told apart without colour.
pub(super) fn sign(out: &mut Markup, decision: Decision) {
    out.raw("<svg width=\"56\" height=\"56\" viewBox=\"0 0 56 56\" aria-hidden=\"true\">");
    out.raw(match decision {
        Decision::Pass => {
            "<circle cx=\"28\" cy=\"28\" r=\"26\" fill=\"#17613a\"/>\
             <path d=\"M15 29l9 9 17-19\" fill=\"none\" stroke=\"#fff\" stroke-width=\"6\"/>"
        }
        Decision::Conditional => {
            "<path d=\"M28 3l26 48H2z\" fill=\"#8a5200\"/>\
             <path d=\"M28 20v15M28 40v6\" stroke=\"#fff\" stroke-width=\"6\"/>"
        }
        Decision::Fail => {
            "<path d=\"M17 2h22l15 15v22l-15 15h-22l-15-15v-22z\" fill=\"#a3121f\"/>\
             <path d=\"M18 18l20 20M38 18l-20 20\" stroke=\"#fff\" stroke-width=\"6\"/>"
        }
    });
    out.raw("</svg>");
}

/// Each link holds by the one before it; its sign is the worst of its checks.
pub(super) fn chain(out: &mut Markup, checks: &[Check], language: Language) {
    let links: [(Phrase, &[Subject]); 6] = [
        (page::node_root(), &[Subject::Root]),
        (
            page::node_tpm(),
            &[Subject::Enrolment, Subject::EndorsementKey],
        ),
        (
            page::node_key(),
            &[Subject::AttestationKey, Subject::Activation],
        ),
        (
            page::node_quote(),
            &[Subject::Quote, Subject::Members, Subject::Challenge],
        ),
        (page::node_logs(), &[Subject::EventLogs]),
        (
            page::node_release(),
            &[Subject::Release, Subject::Registers],
        ),
    ];
    out.raw("<figure><svg viewBox=\"0 0 748 80\" role=\"img\" font-family=\"DejaVu Sans, Arial, sans-serif\">");
    let mut x: u32 = 0;
    for (name, subjects) in links {
        if x > 0 {
            let (from, y) = (x.saturating_sub(GAP), HEIGHT / 2);
            out.raw("<path d=\"M").number(from).raw(" ").number(y);
            out.raw("h12l-5 -5m5 5l-5 5\" fill=\"none\" stroke=\"#4a5058\" stroke-width=\"2\"/>");
        }
        link(out, x, &name.text(language), worst(checks, subjects));
        x = x.saturating_add(WIDTH).saturating_add(GAP);
    }
    out.raw("</svg></figure>");
}

fn link(out: &mut Markup, x: u32, name: &str, outcome: Outcome) {
    let (colour, mark) = match outcome {
        Outcome::Pass => ("#17613a", "\u{2713}"),
        Outcome::Note => ("#1d4f8c", "i"),
        Outcome::Weak => ("#8a5200", "!"),
        Outcome::Unjudged => ("#5a6068", "?"),
        Outcome::Fail => ("#a3121f", "\u{2717}"),
    };
    let middle = x.saturating_add(WIDTH / 2);
    out.raw("<rect x=\"")
        .number(x.saturating_add(1))
        .raw("\" y=\"1\" width=\"");
    out.number(WIDTH.saturating_sub(2))
        .raw("\" height=\"")
        .number(HEIGHT);
    out.raw("\" rx=\"6\" fill=\"#fff\" stroke-width=\"2\" stroke=\"")
        .raw(colour);
    out.raw("\"/><text x=\"")
        .number(middle)
        .raw("\" y=\"25\" font-size=\"18\" font-weight=\"bold\" text-anchor=\"middle\" fill=\"");
    out.raw(colour).raw("\">").raw(mark).raw("</text>");
    // Two lines, broken where the first has about half of the letters.
    let (first, second) = halves(name);
    for (y, line) in [(46_u32, first), (62, second)] {
        out.raw("<text x=\"")
            .number(middle)
            .raw("\" y=\"")
            .number(y);
        out.raw("\" font-size=\"12\" text-anchor=\"middle\" fill=\"#1c1f23\">")
            .text(&line)
            .raw("</text>");
    }
}

/// Breaks a name at the space that leaves the shortest longer line.
fn halves(name: &str) -> (String, String) {
    let breaks = name.match_indices(' ').map(|(at, _)| name.split_at(at));
    let longer = |(first, second): &(&str, &str)| first.chars().count().max(second.chars().count());
    let (first, second) = breaks.min_by_key(longer).unwrap_or((name, ""));
    (first.to_owned(), second.trim_start().to_owned())
}

fn worst(checks: &[Check], subjects: &[Subject]) -> Outcome {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Pass => 0,
        Outcome::Note => 1,
        Outcome::Weak => 2,
        Outcome::Unjudged => 3,
        Outcome::Fail => 4,
    };
    let of_these = checks
        .iter()
        .filter(|check| subjects.contains(&check.subject));
    let outcomes = of_these.map(|check| check.outcome);
    outcomes.max_by_key(rank).unwrap_or(Outcome::Unjudged)
}
