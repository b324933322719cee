//! Hostile programs in the place of the interpreter and of the eyes and hands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test's helpers fail the test"
)]

use std::fs;
use std::path::Path;

use casemate_tests::stand::{Layout, Stand, repository, run, story};
use serde_json::Value;

const TOML: &str = r#"
version = 1
name = "attack"
summary = "A workflow whose interpreter was replaced"
on_interrupt = "fail"

[grants]
verbs = ["open", "wait", "files"]
applications = ["mousepad"]
outputs = ["granted.txt"]

[limits]
seconds = 60

[parameters]
attack = "everything"
"#;

/// A stand whose `replaced` program is the hostile one; the others are ours.
fn stand(folder: &Path, replaced: &str, uid_base: u32) -> Stand {
    let layout = Layout::new(&folder.join("stand"), &repository().join("var"));
    let programs = folder.join("programs");
    fs::create_dir(&programs).unwrap();
    for name in ["agent-script", "agent-hands"] {
        let from = if name == replaced { "hostile" } else { name };
        fs::copy(layout.program(from), programs.join(name)).unwrap();
    }
    let workflow = folder.join("workflow");
    fs::create_dir(&workflow).unwrap();
    fs::write(workflow.join("workflow.toml"), TOML).unwrap();
    fs::write(
        workflow.join("main.star"),
        "wait(text = \"nothing\", timeout = 1)\n",
    )
    .unwrap();
    let stand = Stand::start(
        layout
            .with_agent_programs(&programs)
            .with_uid_base(uid_base),
    )
    .unwrap();
    run(stand.casemate(&["workflow", "add"]).arg(&workflow)).unwrap();
    stand
}

/// Runs the attack; the job as it ended.
fn attack(stand: &Stand, attack: &str) -> Value {
    let parameter = format!("attack={attack}");
    let mut command = stand.casemate(&["job", "run", "attack", "--wait", "--param", &parameter]);
    command.output().unwrap();
    story::newest(stand).unwrap()
}

fn field<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn a_hostile_script_gets_nothing_that_was_not_granted() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path(), "agent-script", 500_000);

    let job = attack(&stand, "everything");
    assert_eq!(field(&job, "state"), "succeeded", "{job}");
    let id = field(&job, "job");
    let logs = story::events(&stand, id, "log").unwrap();
    let lines: Vec<&str> = logs.iter().map(|event| field(event, "message")).collect();
    let attempts: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("attempt"))
        .collect();
    assert!(attempts.len() >= 11, "{lines:?}");
    for line in attempts {
        let refused = [
            "job.not-granted",
            "file.refused",
            "file.missing",
            "job.no-application",
        ];
        assert!(refused.iter().any(|code| line.ends_with(code)), "{line}");
    }
    assert!(lines.contains(&"control: performed"), "{lines:?}");

    // Refused in agentd and audited: each is a step of its own with its reason, and
    // none was started.
    let steps = story::events(&stand, id, "step").unwrap();
    let refused: Vec<&Value> = steps
        .iter()
        .filter(|step| field(step, "outcome") == "refused")
        .collect();
    assert!(refused.len() >= 5, "{steps:?}");
    assert!(
        refused
            .iter()
            .all(|step| field(step, "code") == "job.not-granted")
    );
    let started = story::events(&stand, id, "step-started").unwrap();
    assert!(
        started.iter().all(|step| field(step, "verb") != "keys"),
        "{started:?}"
    );
    run(&mut stand.casemate(&["audit", "verify"])).unwrap();

    // Bytes that are no message, a lying length, a number out of turn.
    for kind in ["garbage", "huge", "renumber"] {
        let job = attack(&stand, kind);
        assert_eq!(field(&job, "state"), "failed", "{kind}: {job}");
        assert_eq!(field(&job, "code"), "job.hostile", "{kind}: {job}");
    }
    stand.stop();
}

#[test]
fn hostile_hands_cannot_act_on_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path(), "agent-hands", 600_000);
    let job = attack(&stand, "none");
    assert_eq!(field(&job, "state"), "failed", "{job}");
    assert_eq!(field(&job, "code"), "job.hostile", "{job}");
    let started = story::events(&stand, field(&job, "job"), "step-started").unwrap();
    assert!(
        started.iter().all(|step| field(step, "verb") != "open"),
        "{started:?}"
    );
    run(&mut stand.casemate(&["audit", "verify"])).unwrap();
    stand.stop();
}
