//! `attest quote` on files as tpm2-tools write them (recipe in src/selftest/vectors/quotes).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use casemate_attest::digest::Digest;
use serde_json::Value;

const NONCE: &str = "00112233445566778899aabbccddeeff";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/selftest/vectors/quotes")
}

/// Exit code, standard output, standard error.
fn attest(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_attest"))
        .current_dir(folder())
        .arg("quote")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let exit = output.status.code().unwrap();
    (exit, text(output.stdout), text(output.stderr))
}

fn judge(name: &str, key: &str, more: &[&str]) -> (i32, String, String) {
    let (attest_file, signature) = (format!("{name}.attest"), format!("{name}.signature"));
    let mut arguments = vec!["--attest", &attest_file, "--signature", &signature];
    arguments.extend(["--key", key]);
    arguments.extend(more);
    attest(&arguments)
}

#[test]
fn genuine_quotes_are_accepted() {
    for (name, key, values) in [
        ("genuine", "ak", "genuine.json"),
        ("two-banks", "ak", "two-banks.json"),
        ("rsa2048", "rsa2048", "genuine.json"),
    ] {
        let (exit, out, _) = judge(name, key, &["--nonce", NONCE, "--pcrs", values]);
        assert_eq!(exit, 0, "{out}");
        assert!(out.starts_with("PASS (a quote by this key)\n"), "{out}");
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
        // What was not asked about is said, and rejects nothing.
        let (exit, out, _) = judge(name, key, &[]);
        assert_eq!(exit, 0, "{out}");
        assert!(out.contains("quote.nonce-unasked") && out.contains("quote.values-unasked"));
    }
}

#[test]
fn a_key_in_both_of_its_structures_and_bare() {
    let key = fs::read(folder().join("ak")).unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quote-command-tpmt-public");
    fs::write(&file, &key[2..]).unwrap();
    let (exit, out, _) = judge("genuine", file.to_str().unwrap(), &["--nonce", NONCE]);
    assert_eq!(exit, 0, "{out}");
    fs::remove_file(&file).unwrap();
    let (exit, out, _) = judge("genuine", "ak.pem", &["--nonce", NONCE]);
    assert_eq!(exit, 1, "{out}");
    assert!(
        out.starts_with("CONDITIONAL (a quote by this key): ak.unknown\n"),
        "{out}"
    );
    // A forgery by a key that signs anything cannot be told from its numbers: never accepted.
    let (exit, out, _) = judge("forged", "ak.pem", &["--pcrs", "forged.json"]);
    assert_eq!(
        (exit, out.lines().next()),
        (1, Some("FAIL: quote.signature"))
    );
}

#[test]
fn json_says_the_same() {
    let (exit, out, _) = judge(
        "genuine",
        "ak",
        &["--nonce", NONCE, "--pcrs", "genuine.json", "--json"],
    );
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &report["verdict"]), (0, &Value::from("PASS")));
    assert_eq!(report["code"], Value::Null);
    assert_eq!(report["registers"]["sha256"].as_object().unwrap().len(), 8);
    // Identity is what was signed, never the signature.
    let attest = fs::read(folder().join("genuine.attest")).unwrap();
    let identity = format!("sha256 {}", Digest::of(&attest));
    assert_eq!(report["quote"]["identity"], Value::from(identity));
    let (exit, out, _) = judge("nv", "ak", &["--json", "--lang", "fr"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &report["code"]), (1, &Value::from("quote.kind")));
    assert_eq!(report["registers"], serde_json::json!({}));
}

#[test]
fn its_labels_speak_the_language_asked_for() {
    let (_, out, _) = judge("genuine", "ak", &["--nonce", NONCE, "--lang", "fr"]);
    for label in [
        "clé",
        "signataire",
        "registres",
        "réinitialisations",
        "micrologiciel",
    ] {
        assert!(out.contains(&format!("\n  {label} ")), "{label}: {out}");
    }
    for label in ["key", "signer", "registers", "resets", "firmware"] {
        assert!(!out.contains(&format!("\n  {label} ")), "{label}: {out}");
    }
}

/// A masked clock is told apart, also where the hierarchy cannot be seen.
#[test]
fn a_clock_that_is_masked_is_noted() {
    let (exit, out, _) = judge("owner", "owner", &["--nonce", NONCE]);
    assert_eq!(exit, 0);
    assert!(
        out.contains("quote.masked") && out.contains("owner hierarchy"),
        "{out}"
    );
    let (_, out, _) = judge("genuine", "ak", &["--nonce", NONCE]);
    assert!(!out.contains("quote.masked"), "{out}");
}

#[test]
fn what_is_malformed_is_told_from_what_is_rejected() {
    let temporary = |name: &str, bytes: &[u8]| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let read = |name: &str| fs::read(folder().join(name)).unwrap();
    let long = temporary("quote-long", &[&read("genuine.attest")[..], &[0]].concat());
    let short = temporary("quote-short", &read("genuine.signature")[..20]);
    let sized = {
        // A TPM2B_ATTEST is not a TPMS_ATTEST.
        let attest = read("genuine.attest");
        let len = u16::try_from(attest.len()).unwrap().to_be_bytes();
        temporary("quote-sized", &[&len[..], &attest].concat())
    };
    let values = temporary("quote-values", br#"{"sha256":{"7":"00","7":"00"}}"#);
    let base = ["genuine.attest", "genuine.signature", "ak"];
    let run = |attest_file: &str, signature: &str, key: &str, more: &[&str]| {
        let mut arguments = vec!["--attest", attest_file, "--signature", signature];
        arguments.extend(["--key", key]);
        arguments.extend(more);
        let (exit, out, error) = attest(&arguments);
        (exit, if out.is_empty() { error } else { out })
    };
    for (exit, code, (found, text)) in [
        (2, "quote.malformed", run(&long, base[1], base[2], &[])),
        (1, "quote.magic", run(&sized, base[1], base[2], &[])),
        (2, "quote.malformed", run(base[0], &short, base[2], &[])),
        (2, "ak.malformed", run(base[0], base[1], "nonce", &[])),
        (
            2,
            "registers.malformed",
            run(base[0], base[1], base[2], &["--pcrs", &values]),
        ),
        (
            2,
            "nonce.malformed",
            run(base[0], base[1], base[2], &["--nonce", "xyz"]),
        ),
        (
            2,
            "file.unreadable",
            run("not there", base[1], base[2], &[]),
        ),
        (
            1,
            "quote.qualifying",
            run(base[0], base[1], base[2], &["--nonce", "00"]),
        ),
        (
            1,
            "quote.digest",
            run(base[0], base[1], base[2], &["--pcrs", "forged.json"]),
        ),
        (1, "ak.refused", run(base[0], base[1], "rsa1024", &[])),
    ] {
        assert_eq!(found, exit, "{text}");
        assert!(text.contains(code), "{code} in {text}");
    }
    for file in [long, short, sized, values] {
        fs::remove_file(file).unwrap();
    }
}

/// What the tool of the host makes of the same files, for the record: it may accept any of them.
#[test]
#[ignore = "shows what tpm2_checkquote accepts; asserts nothing of it"]
fn what_tpm2_checkquote_accepts() {
    for (name, key) in [
        ("genuine", "ak"),
        ("resettable", "ak"),
        ("nv", "ak"),
        ("time", "ak"),
        ("certify", "ak"),
        ("forged", "free"),
        ("sha1", "sha1"),
        ("rsa1024", "rsa1024"),
    ] {
        let output = Command::new("tpm2_checkquote")
            .current_dir(folder())
            .args(["-u", key, "-m", &format!("{name}.attest")])
            .args(["-s", &format!("{name}.signature"), "-q", NONCE])
            .output()
            .unwrap();
        let (ours, ..) = judge(name, key, &["--nonce", NONCE]);
        let theirs = if output.status.success() {
            "accepted"
        } else {
            "rejected"
        };
        let ours = if ours == 0 { "accepted" } else { "rejected" };
        println!("{name:<12} tpm2_checkquote {theirs}, attest {ours}");
    }
}
