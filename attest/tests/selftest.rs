//! The self-test's cases, and that it fails when one comes out otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::process::Command;

use casemate_attest::code;
use casemate_attest::selftest::{ACCEPTED, Case, cases};
use serde_json::Value;

fn attest(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attest"));
    let output = command.arg("selftest").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn every_case_comes_out_as_it_must() {
    for outcome in cases().into_iter().map(Case::run) {
        let Case { area, name, .. } = outcome.case;
        assert_eq!(outcome.found, outcome.case.expected, "{area}: {name}");
    }
}

#[test]
fn a_case_that_comes_out_otherwise_is_seen() {
    for case in cases() {
        let other = if case.expected == ACCEPTED {
            "quote.magic"
        } else {
            ACCEPTED
        };
        assert!(!case.expecting(other).run().holds(), "{}", case.name);
    }
}

#[test]
fn every_area_has_genuine_and_hostile_cases_and_every_code_is_known() {
    let cases = cases();
    for area in ["quote", "event log", "certificate", "evidence"] {
        let of = || cases.iter().filter(|case| case.area == area);
        assert!(of().any(|case| case.expected == ACCEPTED), "{area}");
        assert!(
            of().filter(|case| case.expected != ACCEPTED).count() >= 10,
            "{area}"
        );
    }
    for case in &cases {
        let known = case.expected == ACCEPTED || code::find(case.expected).is_some();
        assert!(known, "{}", case.expected);
        let same = |other: &&Case| (other.area, other.name) == (case.area, case.name);
        assert_eq!(cases.iter().filter(same).count(), 1, "{}", case.name);
    }
}

#[test]
fn one_line_a_case_and_json() {
    let (exit, text) = attest(&[]);
    assert_eq!(exit, 0, "{text}");
    let ok = text.lines().filter(|line| line.starts_with("ok")).count();
    assert_eq!(ok, cases().len());
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(text.ends_with("cases came out as they must.\n"));
    let (exit, json) = attest(&["--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(exit, 0);
    assert_eq!(report["holds"], true);
    assert_eq!(report["cases"].as_array().unwrap().len(), cases().len());
    let (_, french) = attest(&["--lang", "fr"]);
    assert!(french.ends_with("cas ont donné le résultat voulu.\n"));
}
