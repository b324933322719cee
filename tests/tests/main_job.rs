//! The main job on a running appliance, its proof, and what an auditor must reject.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test's helpers fail the test"
)]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use casemate_tests::stand::story::{self, Auditor};
use casemate_tests::stand::{Layout, Stand, repository};

fn stand(own: &Path) -> Stand {
    Stand::start(Layout::new(own, &repository().join("var"))).unwrap()
}

/// One job is enough for all of these; each part says what it holds.
#[test]
fn eight_invoices_are_read_typed_checked_and_proven() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path();
    let running = stand(own);

    // The job: eight rows, the one wrong total is a finding, the sheet is the truth.
    let mut said = String::new();
    let account = story::tell(&running, 1, &mut |text| said.push_str(text)).unwrap();
    assert_eq!(account.rows, 8, "{said}");
    assert_eq!(account.findings.len(), 1, "{:?}", account.findings);
    assert_eq!(account.verdict, "PASS (development root)", "{said}");

    // Without the flag a development root is no pass, and that is the reason.
    let auditor = Auditor::enrol(&running, &own.join("auditor")).unwrap();
    let evidence = auditor.at("evidence");
    let strict = auditor
        .verify(&running, &evidence, &[])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&strict.stdout).into_owned();
    assert_eq!(strict.status.code(), Some(1), "{words}");
    assert!(
        words.starts_with("FAIL") && words.contains("release.development"),
        "{words}"
    );

    audit_names_the_entry(&running, &auditor);
    let jobs = running.json(&["job", "list"]).unwrap();
    let artifacts = running
        .json(&["artifact", "list", "--job", &account.job])
        .unwrap();
    let events = story::events(&running, &account.job, "step").unwrap();
    running.stop();

    // The index is thrown away and rebuilt from the journal, equal.
    fs::remove_dir_all(own.join("state/index")).unwrap();
    let running = stand(own);
    assert_eq!(running.json(&["job", "list"]).unwrap(), jobs);
    assert_eq!(
        running
            .json(&["artifact", "list", "--job", &account.job])
            .unwrap(),
        artifacts
    );
    assert_eq!(
        story::events(&running, &account.job, "step").unwrap(),
        events
    );
    running.stop();

    // One byte of the journal: the appliance does not start and names the record.
    journal_names_the_record(own);
}

/// Every part of an export is covered: a changed byte fails, in an entry by number.
fn audit_names_the_entry(stand: &Stand, auditor: &Auditor) {
    let genuine = fs::read(auditor.at("audit.export")).unwrap();
    let changed = auditor.at("changed.export");
    let check = || {
        stand
            .attest(&["audit"])
            .arg(&changed)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    fs::write(&changed, &genuine).unwrap();
    assert!(
        check().status.success(),
        "the control: the unchanged export passes"
    );
    let mut named = 0;
    // A stride that is prime, so that over the file every kind of byte is met.
    for at in (0..genuine.len()).step_by((genuine.len() / 60).next_multiple_of(2) + 1) {
        let mut bytes = genuine.clone();
        bytes[at] ^= 0x04;
        fs::write(&changed, &bytes).unwrap();
        let output = check();
        let words = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            !output.status.success(),
            "byte {at} of {} changed and passed",
            genuine.len()
        );
        named += usize::from(words.contains("entry"));
    }
    assert!(
        named >= 30,
        "only {named} changes were named by their entry"
    );
}

fn journal_names_the_record(own: &Path) {
    let mut segments: Vec<_> = fs::read_dir(own.join("state/journal"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    segments.retain(|path| path.extension().is_some_and(|end| end == "seg"));
    segments.sort();
    let segment = segments.first().unwrap();
    let mut bytes = fs::read(segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x01;
    fs::write(segment, &bytes).unwrap();
    let error = Stand::start(Layout::new(own, &repository().join("var"))).unwrap_err();
    let words = error.to_string();
    assert!(
        words.contains("journal.damaged") && words.contains("record"),
        "{words}"
    );
}
