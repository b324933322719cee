//! The `attest` command as its user meets it: whole outputs, exit codes, files.
//!
//! Whole outputs are in tests/cli; `ATTEST_BLESS=1 cargo test -p casemate-attest --test cli`
//! writes them again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use casemate_attest::challenge::{Challenge, ChallengeSecret};
use casemate_attest::code::CODES;
use casemate_attest::enrolment::Root;
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use p256::pkcs8::LineEnding;
use stand::Stand;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attest"));
        command
            .current_dir(&self.0)
            .args(arguments)
            .output()
            .unwrap()
    }

    fn expect(&self, arguments: &[&str], exit: i32) -> String {
        let output = self.run(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(
            output.status.code(),
            Some(exit),
            "{arguments:?}\n{out}\n{err}"
        );
        if out.is_empty() { err } else { out }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_output(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli")
        .join(name);
    if std::env::var_os("ATTEST_BLESS").is_some() {
        fs::write(&path, found).unwrap();
    }
    assert_eq!(
        found,
        fs::read_to_string(&path).unwrap_or_default(),
        "{name}"
    );
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// A folder with everything that `verify` needs, evidence made just now.
fn prepared(name: &str, stand: &Stand) -> Folder {
    let folder = Folder::new(name);
    let pem = |key: &ed25519_dalek::SigningKey| {
        key.verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .unwrap()
    };
    folder.write("owner.pub", pem(&stand.owner).as_bytes());
    folder.write("log.pub", pem(&stand.audit).as_bytes());
    let release = stand
        .release_key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    folder.write("release.pub", release.as_bytes());
    folder.write("enrolment", &stand.enrolment());
    let mut challenge = Challenge::from_bytes(&stand.auditor().challenge).unwrap();
    (challenge.created_ms, challenge.expires_ms) = (now_ms() - 1000, now_ms() + 3_600_000);
    let challenge = challenge.to_bytes();
    let secret = ChallengeSecret::new(&challenge, [0x5a; 32]);
    folder.write("challenge", &challenge);
    folder.write("challenge.secret", &secret.to_bytes());
    folder.write("evidence", &stand.evidence(&challenge).to_bytes());
    folder.write("audit", &stand.export());
    folder
}

const VERIFY: [&str; 12] = [
    "verify",
    "evidence",
    "--enrolment",
    "enrolment",
    "--owner-key",
    "owner.pub",
    "--release-key",
    "release.pub",
    "--challenge",
    "challenge",
    "--audit",
    "audit",
];

#[test]
fn help_is_whole_and_fits_eighty_columns() {
    let folder = Folder::new("help");
    let mut all = String::new();
    for command in [
        "",
        "enrol",
        "challenge",
        "verify",
        "audit",
        "ledger",
        "explain",
    ] {
        let mut arguments = vec![command, "--help"];
        arguments.retain(|argument| !argument.is_empty());
        all.push_str(&format!("$ attest {}\n", arguments.join(" ")));
        all.push_str(&folder.expect(&arguments, 0));
        all.push('\n');
    }
    for line in all.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_output("help.txt", &all);
}

#[test]
fn a_passing_verdict() {
    let stand = Stand::default();
    let folder = prepared("passing", &stand);
    let verdict = folder.expect(&VERIFY, 0);
    assert_eq!(verdict.lines().next(), Some("PASS (trust on first use)"));
    // The evidence's identity differs each time: its challenge has the time in it.
    let fixed: Vec<&str> = verdict
        .lines()
        .filter(|line| !line.starts_with("  evidence "))
        .collect();
    assert_output("pass.txt", &fixed.join("\n"));
}

#[test]
fn a_development_verdict() {
    let stand = Stand {
        development: true,
        root: Root::Development,
        ..Stand::default()
    };
    let folder = prepared("development", &stand);
    let verdict = folder.expect(&VERIFY, 1);
    assert_eq!(verdict.lines().next(), Some("FAIL: release.development"));
    let accepted = folder.expect(&[&VERIFY[..], &["--accept-development"]].concat(), 0);
    assert_eq!(accepted.lines().next(), Some("PASS (development root)"));
    let json = folder.expect(
        &[&VERIFY[..], &["--accept-development", "--json"]].concat(),
        0,
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["verdict"], "PASS");
    assert_eq!(json["line"], "PASS (development root)");
    assert_eq!(json["checks"].as_array().unwrap().len(), 17);
}

#[test]
fn what_is_missing_or_malformed_is_said_in_one_sentence() {
    let stand = Stand::default();
    let folder = prepared("malformed", &stand);
    folder.write("empty", b"");
    let with = |from: &str, to: &str| -> Vec<String> {
        let replaced = VERIFY
            .iter()
            .map(|argument| if *argument == from { to } else { argument });
        replaced.map(ToOwned::to_owned).collect()
    };
    let mut all = String::new();
    for (from, to) in [
        ("evidence", "nothing"),
        ("evidence", "empty"),
        ("evidence", "challenge"),
        ("enrolment", "evidence"),
        ("owner.pub", "release.pub"),
        ("release.pub", "owner.pub"),
        ("challenge", "empty"),
    ] {
        let arguments = with(from, to);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        all.push_str(&format!("$ attest verify with {to} for {from}\n"));
        all.push_str(&folder.expect(&arguments, 2));
    }
    assert_output("malformed.txt", &all);
    // The wrong owner: readable, and not believed.
    let arguments = with("owner.pub", "log.pub");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(folder.expect(&arguments, 1).contains("enrolment.signature"));
}

#[test]
fn an_enrolment_and_a_challenge_are_made_and_never_overwritten() {
    let stand = Stand::default();
    let folder = Folder::new("enrolling");
    folder.write("request", &stand.request().to_bytes());
    let enrol = [
        "enrol",
        "--request",
        "request",
        "--owner-key",
        "owner.key",
        "--create-owner-key",
        "--root",
        "development",
        "--out",
        "enrolment",
    ];
    let said = folder.expect(&enrol, 0);
    assert_eq!(
        said,
        format!("enrolled {} (development root)\n", stand.enrolment_id())
    );
    folder.expect(&enrol, 2);
    let mode = {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(folder.0.join("owner.key"))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode & 0o777, 0o600);
    let challenge = [
        "challenge",
        "--enrolment",
        "enrolment",
        "--owner-key",
        "owner.key.pub",
        "--out",
        "challenge",
    ];
    folder.expect(&challenge, 0);
    let made = Challenge::from_bytes(&fs::read(folder.0.join("challenge")).unwrap()).unwrap();
    assert_eq!(made.enrolment, stand.enrolment_id());
    assert_eq!(made.expires_ms - made.created_ms, 24 * 3_600_000);
    assert!(!made.credential.is_empty());
    assert!(folder.expect(&challenge, 2).contains("file.unwritable"));
    folder.expect(&["challenge", "--out", "plain"], 0);
    let plain = Challenge::from_bytes(&fs::read(folder.0.join("plain")).unwrap()).unwrap();
    assert!(plain.credential.is_empty());
    assert_ne!(plain.nonce, made.nonce);
}

#[test]
fn a_request_whose_key_may_not_attest_is_not_enrolled() {
    let stand = Stand {
        ak_attributes: stand::LOG_ATTRIBUTES,
        ..Stand::default()
    };
    let folder = Folder::new("unrestricted");
    folder.write("request", &stand.request().to_bytes());
    let enrol = ["enrol", "--request", "request", "--owner-key", "owner.key"];
    let enrol = [&enrol[..], &["--create-owner-key", "--out", "enrolment"]].concat();
    assert!(folder.expect(&enrol, 1).contains("ak.attributes"));
    assert!(!folder.0.join("enrolment").exists());
}

#[test]
fn an_audit_export_is_checked() {
    let stand = Stand::default();
    let folder = prepared("audit", &stand);
    let note = stand.checkpoint().sign(&stand.audit);
    folder.write("note", note.as_bytes());
    let said = folder.expect(&["audit", "audit"], 0);
    assert_output("audit.txt", &said);
    let key = hex::encode(stand.audit.verifying_key().as_bytes());
    folder.expect(
        &["audit", "audit", "--checkpoint", "note", "--key", &key],
        0,
    );
    folder.expect(&["audit", "audit", "--key", "log.pub"], 0);
    assert!(
        folder
            .expect(&["audit", "audit", "--key", "owner.pub"], 1)
            .contains("audit.key")
    );
    let longer = Stand {
        leaves: [&stand.leaves[..], &stand.leaves[..]].concat(),
        ..Stand::default()
    };
    folder.write("later", longer.checkpoint().sign(&stand.audit).as_bytes());
    let forked = folder.expect(&["audit", "audit", "--checkpoint", "later"], 1);
    assert!(forked.contains("audit.fork"), "{forked}");
}

/// Every byte of an export changed, through the command: the message names the entry.
#[test]
fn a_changed_byte_of_an_export_names_its_entry() {
    let stand = Stand::default();
    let folder = prepared("bytes", &stand);
    let export = stand.export();
    let leaf = &stand.leaves[1];
    let start = export
        .windows(leaf.len())
        .position(|window| window == leaf)
        .unwrap();
    // The item is an array, the hash with its length, the leaf with its length.
    for at in start - (1 + 2 + 32 + 2)..start + leaf.len() {
        let mut changed = export.clone();
        changed[at] ^= 1;
        folder.write("changed", &changed);
        let said = folder.expect(&["audit", "changed"], 1);
        assert!(said.contains("entry 1 "), "byte {at}: {said}");
    }
}

#[test]
fn every_code_is_explained() {
    let folder = Folder::new("explain");
    let all = folder.expect(&["explain"], 0);
    let mut seen = std::collections::BTreeSet::new();
    for code in CODES.iter() {
        assert!(seen.insert(code.id), "{} is there twice", code.id);
        assert!(all.contains(code.id));
        assert!(
            code.what.ends_with('.') && code.next.ends_with('.'),
            "{}",
            code.id
        );
        let one = folder.expect(&["explain", code.id], 0);
        assert_eq!(
            one,
            format!("{}\n\n{}\nNext: {}\n", code.id, code.what, code.next)
        );
    }
    folder.expect(&["explain", "no.code"], 2);
}

const WITH_LEDGER: [&str; 2] = ["--ledger", "ledger"];

#[test]
fn verdicts_are_recorded_also_of_a_malformed_file() {
    let stand = Stand::default();
    let folder = prepared("ledger", &stand);
    folder.write("rubbish", b"rubbish");
    let with = |file| {
        let mut arguments = VERIFY.to_vec();
        for argument in &mut arguments {
            if *argument == "evidence" {
                *argument = file;
            }
        }
        [&arguments[..], &WITH_LEDGER].concat()
    };
    let first = folder.expect(&with("evidence"), 0);
    assert!(first.contains("history: The ledger has no earlier evidence of this key."));
    folder.expect(&with("rubbish"), 2);
    let again = folder.expect(&with("evidence"), 0);
    assert!(
        again.contains("evidence.seen") && again.contains("history.failed"),
        "{again}"
    );
    let list = folder.expect(&["ledger", "list", "ledger"], 0);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(lines[0].contains(" PASS ") && lines[1].contains(" MALFORMED "));
    assert!(lines[1].ends_with(" format.malformed"), "{list}");
    let verified = folder.expect(&["ledger", "verify", "ledger"], 0);
    let head = verified
        .lines()
        .nth(1)
        .unwrap()
        .strip_prefix("head ")
        .unwrap();
    folder.expect(&["ledger", "verify", "ledger", "--head", head], 0);
    // One line less: the chain holds, the head is gone.
    let bytes = fs::read(folder.0.join("ledger")).unwrap();
    let cut = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    folder.write("cut", &bytes[..=cut]);
    folder.expect(&["ledger", "verify", "cut"], 0);
    let said = folder.expect(&["ledger", "verify", "cut", "--head", head], 5);
    assert!(said.contains("ledger.head"), "{said}");
    // A changed line: no verdict is shown, none is added.
    let mut changed = bytes.clone();
    let at = changed.iter().position(|byte| *byte == b'\n').unwrap() + 30;
    changed[at] ^= 1;
    folder.write("ledger", &changed);
    let said = folder.expect(&with("evidence"), 5);
    assert!(
        said.contains("ledger.damaged") && !said.contains("PASS"),
        "{said}"
    );
    assert_eq!(fs::read(folder.0.join("ledger")).unwrap(), changed);
}

#[test]
fn a_verdict_that_cannot_be_recorded_is_not_shown() {
    let stand = Stand::default();
    let folder = prepared("unrecorded", &stand);
    let arguments = [&VERIFY[..], &["--ledger", "nowhere/ledger"]].concat();
    let said = folder.expect(&arguments, 2);
    assert!(
        said.contains("ledger.unwritable") && !said.contains("PASS"),
        "{said}"
    );
}

#[test]
fn many_writers_lose_no_record_of_the_ledger() {
    let stand = Stand::default();
    let folder = prepared("writers", &stand);
    let arguments = [&VERIFY[..], &WITH_LEDGER].concat();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..3).for_each(|_| drop(folder.expect(&arguments, 0))));
        }
    });
    let verified = folder.expect(&["ledger", "verify", "ledger"], 0);
    assert!(verified.starts_with("24 records\n"), "{verified}");
    assert!(!verified.contains("ledger.torn"));
}

/// A folder of evidences of two appliances, with what else lies about in such a folder.
fn many(name: &str) -> (Folder, [&'static str; 9]) {
    let stand = Stand::default();
    let other = Stand {
        ek: p256::ecdsa::SigningKey::from_slice(&[31; 32]).unwrap(),
        ak: p256::ecdsa::SigningKey::from_slice(&[32; 32]).unwrap(),
        ..Stand::default()
    };
    let folder = prepared(name, &stand);
    for below in ["in/deep", "records", "asked"] {
        fs::create_dir_all(folder.0.join(below)).unwrap();
    }
    folder.write("records/one", &stand.enrolment());
    folder.write("records/two", &other.enrolment());
    for file in ["challenge", "challenge.secret"] {
        fs::copy(folder.0.join(file), folder.0.join("asked").join(file)).unwrap();
    }
    fs::copy(folder.0.join("evidence"), folder.0.join("in/deep/asked")).unwrap();
    folder.write("in/unasked", &stand.evidence(&[]).to_bytes());
    folder.write("in/two", &other.evidence(&[]).to_bytes());
    let mut forged = stand.evidence(&[]).to_bytes();
    let end = forged.len() - 1;
    forged[end] ^= 1;
    folder.write("in/forged", &forged);
    folder.write("in/rubbish", b"rubbish");
    #[cfg(unix)]
    std::os::unix::fs::symlink("../evidence", folder.0.join("in/link")).unwrap();
    let arguments = [
        "verify",
        "--all",
        "in",
        "--enrolment",
        "records",
        "--owner-key",
        "owner.pub",
        "--release-key",
        "release.pub",
    ];
    (folder, arguments)
}

#[test]
fn all_evidence_below_a_folder_is_judged() {
    let (folder, arguments) = many("all");
    let with = [&arguments[..], &["--challenge", "asked"]].concat();
    let said = folder.expect(&with, 1);
    assert_output("all.txt", &said);
    let french = folder.expect(&[&with[..], &["--lang", "fr"]].concat(), 1);
    assert_output("all-fr.txt", &french);
    let json = folder.expect(&[&with[..], &["--json"]].concat(), 1);
    let lines: Vec<serde_json::Value> = json
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0]["file"], "in/deep/asked");
    assert_eq!(lines[0]["verdict"], "PASS");
    assert_eq!(lines[2]["verdict"], "MALFORMED");
    assert_eq!(lines[5]["summary"]["files"], 5);
    // Only what passes: exit code 0.
    let deep: Vec<&str> = with
        .iter()
        .map(|a| if *a == "in" { "in/deep" } else { a })
        .collect();
    folder.expect(&deep, 0);
    // No file is no verdict.
    fs::create_dir_all(folder.0.join("empty")).unwrap();
    let empty: Vec<&str> = with
        .iter()
        .map(|a| if *a == "in" { "empty" } else { a })
        .collect();
    assert!(folder.expect(&empty, 2).contains("file.unreadable"));
}

#[test]
fn all_evidence_is_recorded_in_the_order_of_its_clock() {
    let (folder, arguments) = many("all-ledger");
    for (name, ms) in [("in/a-later", 9000), ("in/z-earlier", 5000)] {
        let clock = casemate_attest::leaf::TpmClock { ms, ..stand::CLOCK };
        let stand = Stand {
            clock,
            ..Stand::default()
        };
        folder.write(name, &stand.evidence(&[]).to_bytes());
    }
    let said = folder.expect(&[&arguments[..], &WITH_LEDGER].concat(), 1);
    assert!(!said.contains("clock."), "{said}");
    let list = folder.expect(&["ledger", "list", "ledger"], 0);
    assert_eq!(list.lines().count(), 7, "{list}");
    // Seen again: still no clock went back, and every verdict says that it was seen.
    let json = [&arguments[..], &WITH_LEDGER, &["--json"]].concat();
    let again = folder.expect(&json, 1);
    assert_eq!(again.matches("evidence.seen").count(), 6, "{again}");
}

#[test]
fn an_appliance_without_a_record_is_named() {
    let (folder, arguments) = many("unenrolled");
    fs::remove_file(folder.0.join("records/two")).unwrap();
    fs::copy(folder.0.join("records/one"), folder.0.join("records/three")).unwrap();
    let said = folder.expect(&arguments, 1);
    let line = said
        .lines()
        .find(|line| line.starts_with("in/two"))
        .unwrap();
    assert_eq!(line, "in/two: MALFORMED: enrolment.absent");
}

#[test]
fn the_papers_are_made_from_the_command_line() {
    let folder = Folder::new("papers");
    let script = folder.expect(&["completions", "bash"], 0);
    assert!(script.contains("_attest()") && script.contains("selftest"));
    let page = folder.expect(&["man"], 0);
    assert!(
        page.contains(".TH attest 1") && page.contains("verify"),
        "{page}"
    );
}
