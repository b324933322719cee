//! The example's workflow against screens that a test makes up: what it makes of
//! readings that are clear, that contradict each other, or that are not there.
//! Whether the readings are right is for the end-to-end test to say.

use std::path::Path;

use casemate_protocol::action::{Action, Area, Line, Outcome};
use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::compartment::{FromScript, ScriptSetup};

use crate::process::{Ended, Script};

fn bundle() -> Bundle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/invoices/workflow");
    let mut declaration = String::new();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match name.as_str() {
            "workflow.toml" => declaration = std::fs::read_to_string(path).unwrap(),
            _ => files.push((name, std::fs::read(path).unwrap())),
        }
    }
    Bundle::from_source(&declaration, files).unwrap()
}

/// A screen: lines of text with their left edge and top, all equally clear.
type Screen = Vec<(&'static str, i32, i32)>;

fn lines(screen: &Screen, confidence: u16) -> Vec<Line> {
    let line = |(text, x, y): &(&str, i32, i32)| {
        let w = i32::try_from(text.len()).unwrap() * 8;
        let area = Area {
            x: *x,
            y: *y,
            w,
            h: 20,
        };
        Line {
            text: (*text).to_owned(),
            area,
            confidence,
        }
    };
    screen.iter().map(line).collect()
}

/// A page with these amounts, as wholes and in large look alike here.
fn page(net: &'static str, tax: &'static str, total: &'static str) -> Screen {
    vec![
        ("BrightwaterTools Ltd", 680, 130),
        ("Invoice number", 1000, 270),
        ("INV-2026-00411", 1170, 272),
        ("lnvoice date", 1000, 290),
        ("3N0vember2026", 1170, 292),
        ("Net amount", 1000, 560),
        (net, 1150, 561),
        ("VAT20%", 1000, 580),
        (tax, 1150, 581),
        ("Totaldue", 1000, 600),
        (total, 1150, 601),
    ]
}

/// Runs the workflow over one document that shows `whole` as a page and `large`
/// at any larger size; the sheet takes what it is told.
fn run(whole: &[(Screen, u16)], large: &[(Screen, u16)]) -> Ended {
    let bundle = bundle();
    let setup = ScriptSetup::Run {
        bundle: codec::encode(&bundle).into(),
        parameters: bundle.parameters.clone(),
        inputs: vec!["inv-1.pdf".to_owned()],
        deadline_ms: 60_000,
    };
    let (mut in_large, mut at) = (false, 0usize);
    Script::with(&setup).until_it_ends(|action| {
        assert_eq!(bundle.grants.check(action), Ok(()));
        match action {
            Action::Keys { chords } => {
                for chord in chords {
                    match chord.as_str() {
                        "n" | "Page_Down" => at += 1,
                        "ctrl+Home" => at = 0,
                        "w" => in_large = true,
                        _ => {}
                    }
                }
                Outcome::Done
            }
            Action::ReadScreen { .. } => {
                let screens = if in_large { large } else { whole };
                let (screen, confidence) = &screens[at.min(screens.len() - 1)];
                Outcome::Lines(lines(screen, *confidence))
            }
            _ => Outcome::Done,
        }
    })
}

fn findings(ended: &Ended) -> Vec<&str> {
    let texts = ended.actions.iter().filter_map(|action| match action {
        Action::Finding { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn second_row(ended: &Ended) -> Vec<&str> {
    let rows = ended.actions.iter().find_map(|action| match action {
        Action::VerifySheet { rows, .. } => Some(rows),
        _ => None,
    });
    rows.unwrap()[1].iter().map(String::as_str).collect()
}

fn looked_again(ended: &Ended) -> bool {
    let wide = Action::Keys {
        chords: vec!["ctrl+Home".into(), "w".into()],
    };
    ended.actions.contains(&wide)
}

#[test]
fn the_example_passes_the_check() {
    let bundle = codec::encode(&bundle()).into();
    let ended = Script::with(&ScriptSetup::Check { bundle }).until_it_ends(|_| Outcome::Done);
    assert_eq!(ended.last, FromScript::Checked { diagnoses: vec![] });
}

#[test]
fn a_clear_page_is_read_once() {
    let clear = (page("EUR 1,234.50", "EUR246.90", "1.481,40"), 900);
    let ended = run(&[clear], &[]);
    assert_eq!(ended.last, FromScript::Finished);
    assert!(!looked_again(&ended));
    assert!(findings(&ended).is_empty());
    assert_eq!(
        second_row(&ended),
        [
            "Brightwater Tools Ltd",
            "INV-2026-00411",
            "2026-11-03",
            "1234.50",
            "246.90",
            "1481.40"
        ]
    );
}

#[test]
fn a_wrong_total_that_is_seen_twice_is_a_finding() {
    let wrong = (page("EUR 1,234.50", "EUR 246.90", "EUR 1,491.40"), 900);
    let ended = run(std::slice::from_ref(&wrong), std::slice::from_ref(&wrong));
    assert_eq!(ended.last, FromScript::Finished);
    assert!(looked_again(&ended));
    assert_eq!(
        findings(&ended),
        ["1234.50 + 246.90 = 1481.40, but the invoice says 1491.40"]
    );
    assert_eq!(second_row(&ended)[5], "1491.40");
}

#[test]
fn a_misread_total_is_no_finding() {
    let misread = (page("EUR 1,234.50", "EUR 246.90", "EUR 1,491.40"), 900);
    let right = (page("EUR 1,234.50", "EUR 246.90", "EUR 1,481.40"), 900);
    // Two views say different things, a third one decides.
    let third = run(&[misread], &[right]);
    assert_eq!(third.last, FromScript::Finished);
    assert!(findings(&third).is_empty());
    assert_eq!(second_row(&third)[5], "1481.40");
}

#[test]
fn readings_that_never_agree_halt_the_job() {
    let clear = (page("EUR 1,234.50", "EUR 246.90", "EUR 1,491.40"), 900);
    let broken = (page("EUR 1,234.50", "EUR 246.90", "EUR 1,4B1.40"), 900);
    let (code, message) = run(&[clear], &[broken]).failure();
    assert_eq!(code, "script.unsure");
    assert!(message.contains("do not agree on total"), "{message}");
    let nothing = (vec![("only a picture", 700, 300)], 900);
    let (code, _) = run(
        std::slice::from_ref(&nothing),
        std::slice::from_ref(&nothing),
    )
    .failure();
    assert_eq!(code, "script.unsure");
}

#[test]
fn what_is_unclear_is_read_again() {
    let unclear = (page("EUR 1,234.50", "EUR 246.90", "EUR 1,481.40"), 300);
    let ended = run(
        std::slice::from_ref(&unclear),
        std::slice::from_ref(&unclear),
    );
    assert_eq!(ended.last, FromScript::Finished);
    assert!(looked_again(&ended));
}

#[test]
fn the_total_on_the_second_page_is_found() {
    let all = page("EUR 1,234.50", "EUR 246.90", "EUR 1,481.40");
    let (first, second) = all.split_at(5);
    let ended = run(&[(first.to_vec(), 900), (second.to_vec(), 900)], &[]);
    assert_eq!(ended.last, FromScript::Finished);
    assert!(!looked_again(&ended));
    assert_eq!(second_row(&ended)[5], "1481.40");
}

#[test]
fn an_unknown_supplier_or_a_document_that_is_none_ends_the_job() {
    let mut unknown = page("EUR 1,234.50", "EUR 246.90", "EUR 1,481.40");
    unknown[0].0 = "Somebody Else Ltd";
    let unknown = (unknown, 900);
    let ended = run(
        std::slice::from_ref(&unknown),
        std::slice::from_ref(&unknown),
    );
    assert_eq!(ended.failure().0, "script.document");
}
