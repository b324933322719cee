//! A workflow that breaks a rule ends with a sentence that names path, layer and rule,
//! and `casemate job denials` lists it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use casemate_tests::stand::{Layout, Stand, leftover, repository, run, story};
use serde_json::Value;

/// Has the editor list a folder that no profile gives, and waits for what never comes.
const FORBIDDEN: &str = r#"
open("mousepad")
wait(title="Mousepad", timeout=30)
keys("ctrl+o")
wait(title="Open File", timeout=30)
wait(text="this never comes", timeout=3)
"#;

/// Asks for what its own specification does not grant, so that it is refused when it
/// runs: the check before cannot see it.
const UNGRANTED: &str = r#"
for app in ["gnu" + "meric"]:
    open(app)
"#;

fn workflow(folder: &Path, name: &str, main: &str) -> PathBuf {
    let own = folder.join(name);
    fs::create_dir_all(&own).unwrap();
    let toml = format!(
        "version = 1\nname = \"{name}\"\nsummary = \"A test\"\non_interrupt = \"fail\"\n\n\
         [grants]\nverbs = [\"open\", \"wait\", \"keys\"]\napplications = [\"mousepad\"]\n\
         outputs = []\n\n[limits]\nseconds = 120\n"
    );
    fs::write(own.join("workflow.toml"), toml).unwrap();
    fs::write(own.join("main.star"), main).unwrap();
    own
}

fn field<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The job's end, and what `casemate job denials` prints of it.
fn ends(stand: &Stand, folder: &Path, name: &str, main: &str) -> (Value, String) {
    let folder = workflow(folder, name, main);
    run(stand.casemate(&["workflow", "add"]).arg(folder)).unwrap();
    let output = stand
        .casemate(&["job", "run", name, "--wait"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let job = story::newest(stand).unwrap();
    let told = stand
        .casemate(&["job", "denials", field(&job, "job")])
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
    (job, String::from_utf8(told.stdout).unwrap())
}

#[test]
fn a_workflow_that_breaks_a_rule_ends_with_path_layer_and_rule() {
    let folder = tempfile::tempdir().unwrap();
    let shared = repository().join("var");
    let layout = Layout::new(&folder.path().join("s"), &shared).with_uid_base(800_000);
    let stand = Stand::start(layout.clone()).unwrap();

    let (job, told) = ends(&stand, folder.path(), "forbidden", FORBIDDEN);
    let message = field(&job, "message");
    for part in [
        "(desktop) wanted to read /: refused by the layer landlock",
        "the profile desktop gives nothing at /",
        "No rule can allow it",
    ] {
        assert!(message.contains(part), "{part} is not in {job:#}\n{told}");
    }
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("wanted to read /: refused by the layer landlock"),
        "{told}"
    );
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );

    let (job, told) = ends(&stand, folder.path(), "ungranted", UNGRANTED);
    let message = field(&job, "message");
    assert!(
        message.contains("open the application gnumeric: refused by the layer grants")
            && message.contains("add \"gnumeric\" to grants.applications"),
        "{job:#}"
    );
    assert!(told.contains("grants"), "{told}");
    run(&mut stand.casemate(&["audit", "verify"])).unwrap();
    stand.stop();
    assert_eq!(leftover::processes(&layout), vec![]);
}
