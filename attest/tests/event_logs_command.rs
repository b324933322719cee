//! `attest log` as its user meets it: whole outputs and exit codes.
//!
//! Whole outputs are in tests/logs; `ATTEST_BLESS=1 cargo test -p casemate-attest --test
//! event_logs_command` writes them again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod logs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use logs::{genuine, old_form, systemd_log};
use serde_json::Value;

struct Run {
    file: PathBuf,
}

impl Run {
    fn on(name: &str, bytes: &[u8]) -> Self {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, bytes).unwrap();
        Self { file }
    }

    fn output(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attest"));
        let folder = self.file.parent().unwrap();
        command.current_dir(folder).arg("log").args(more);
        command
            .arg(self.file.file_name().unwrap())
            .output()
            .unwrap()
    }

    fn expect(&self, more: &[&str], exit: i32) -> (String, String) {
        let output = self.output(more);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(exit), "{out}\n{err}");
        (out, err)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.expect(&["--json"], 0).0).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn assert_output(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/logs")
        .join(name);
    if std::env::var_os("ATTEST_BLESS").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(found, expected, "{name}");
    if name.ends_with(".txt") {
        let widest = found.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{name} is {widest:?} columns wide");
    }
}

#[test]
fn a_log_of_real_firmware() {
    let run = Run::on("ovmf.log", &genuine());
    let (out, err) = run.expect(&[], 0);
    assert_output("ovmf.txt", &out);
    assert_eq!(err, "");
    assert_output("ovmf.json", &run.expect(&["--json"], 0).0);
}

#[test]
fn a_log_of_the_old_form() {
    let run = Run::on("old.log", &old_form());
    assert_output("old.txt", &run.expect(&[], 0).0);
    assert_output("old.json", &run.expect(&["--json"], 0).0);
}

#[test]
fn a_log_of_systemd() {
    let run = Run::on("systemd.log", &systemd_log());
    assert_output("systemd.txt", &run.expect(&[], 0).0);
    assert_output("systemd.json", &run.expect(&["--json"], 0).0);
}

#[test]
fn a_malformed_log_is_named_with_its_byte_and_code() {
    let mut log = genuine();
    log.truncate(5000);
    let run = Run::on("cut.log", &log);
    let (out, err) = run.expect(&[], 2);
    assert_eq!(out, "");
    assert_output("cut.err", &err);
    let (out, _) = run.expect(&["--json"], 2);
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out["malformed"]["code"], "log.malformed");
    assert_eq!(out["malformed"]["offset"], 4997);
}

#[test]
fn a_file_that_is_not_there() {
    let run = Run::on("gone.log", b"");
    fs::remove_file(&run.file).unwrap();
    let (_, err) = run.expect(&[], 2);
    assert!(err.contains("file.unreadable"), "{err}");
}

/// Every byte of the log is in the JSON once: as a register, type, digest, size or payload.
#[test]
fn the_json_accounts_for_every_byte() {
    let log = genuine();
    let json = Run::on("account.log", &log).json();
    let mut end = json["log"]["header"]["length"].as_u64().unwrap();
    for event in json["events"].as_array().unwrap() {
        assert_eq!(event["offset"], end);
        let payload = event["payload_offset"].as_u64().unwrap();
        let parts = ["authenticated", "unauthenticated"].map(|part| &event[part]["payload"]);
        let parts = parts.iter().flat_map(|part| part.as_array().unwrap());
        let sizes = parts.map(|part| part["to"].as_u64().unwrap() - part["from"].as_u64().unwrap());
        end += event["length"].as_u64().unwrap();
        assert_eq!(payload + sizes.sum::<u64>(), end);
    }
    assert_eq!(end, log.len() as u64);
}

/// Text of the log reaches neither a terminal nor a page as anything but text.
#[test]
fn text_of_outside_origin_is_only_text() {
    let log = logs::agile(&[
        (
            8,
            logs::IPL,
            b"\x1b[2Jgone \xe2\x80\xaereversed\r\nnext\0".to_vec(),
        ),
        (8, logs::ACTION, b"bell \x07 and \xc2\x9b csi".to_vec()),
    ]);
    let run = Run::on("text.log", &log);
    for more in [&[][..], &["--json"]] {
        let (out, _) = run.expect(more, 0);
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!out.contains(obeyed), "{out:?}");
        assert!(!out.contains("\\u001b") && !out.contains("\\r"), "{out}");
    }
}
