//! The papers agree with the code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test's helpers fail the test"
)]

use std::fs;

use casemate_tests::papers;
use casemate_tests::stand::repository;

#[test]
fn errors_are_the_codes_of_the_programs() {
    let written = fs::read_to_string(repository().join("docs/errors.md")).unwrap();
    let made = papers::errors().unwrap();
    assert_eq!(
        written, made,
        "run `cargo run -p casemate-tests --bin papers`"
    );
}

#[test]
fn every_code_has_a_meaning_and_a_next_step() {
    let codes = papers::codes().unwrap();
    assert!(codes.len() > 80, "only {} codes were found", codes.len());
    for (id, (_, what, next)) in codes {
        assert!(id.contains('.') && id.is_ascii(), "{id}");
        assert!(what.len() > 15 && next.len() > 3, "{id}: {what} / {next}");
    }
}

/// A guarantee names the tests that hold it; each of them exists.
#[test]
fn every_guarantee_names_tests_that_exist() {
    let mut named = 0;
    for paper in ["docs/guarantees.md", "docs/threat-model.md"] {
        let text = fs::read_to_string(repository().join(paper)).unwrap();
        for word in text.split('`').filter(|word| word.contains(".rs::")) {
            let (path, test) = word.split_once("::").unwrap();
            let source = fs::read_to_string(repository().join(path))
                .unwrap_or_else(|e| panic!("{paper}: {path}: {e}"));
            assert!(
                source.contains(&format!("fn {test}(")),
                "{paper}: {path} has no {test}"
            );
            named += 1;
        }
    }
    assert!(named > 40, "only {named} tests are named");
}

/// Links inside the repository lead somewhere.
#[test]
fn links_lead_somewhere() {
    let root = repository();
    let papers = [
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/guarantees.md",
        "docs/operations.md",
        "docs/threat-model.md",
    ];
    for paper in papers {
        let text = fs::read_to_string(root.join(paper)).unwrap();
        let folder = root.join(paper).parent().unwrap().to_path_buf();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if !link.starts_with("http") && !link.starts_with('#') {
                let path = link.split('#').next().unwrap();
                assert!(folder.join(path).exists(), "{paper} links to {link}");
            }
        }
    }
}
