//! Bad input to a running appliance: one sentence, a code, a next step, an exit code;
//! nothing lost, left running or mounted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test's helpers fail the test"
)]

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Output;

use casemate_tests::stand::{Layout, Stand, StandError, leftover, repository, run, story};
use serde_json::Value;

fn shared() -> PathBuf {
    repository().join("var")
}

/// A workflow folder whose script is `main`; its limits are small.
fn workflow(folder: &Path, name: &str, main: &str) -> PathBuf {
    let own = folder.join(name);
    fs::create_dir_all(&own).unwrap();
    let toml = format!(
        "version = 1\nname = \"{name}\"\nsummary = \"A test\"\non_interrupt = \"fail\"\n\n\
         [grants]\nverbs = [\"open\", \"wait\", \"read\", \"files\"]\napplications = [\"evince\"]\n\
         outputs = []\n\n[limits]\nseconds = 25\nscript_mib = 128\n"
    );
    fs::write(own.join("workflow.toml"), toml).unwrap();
    fs::write(own.join("main.star"), main).unwrap();
    own
}

fn words(output: &Output) -> String {
    let mut words = String::from_utf8_lossy(&output.stdout).into_owned();
    words.push_str(&String::from_utf8_lossy(&output.stderr));
    words
}

fn field<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Adds and runs a workflow; the job as it ended and the command's exit code.
fn ends(
    stand: &Stand,
    folder: &Path,
    name: &str,
    main: &str,
    input: Option<&Path>,
) -> (Value, i32) {
    run(stand
        .casemate(&["workflow", "add"])
        .arg(workflow(folder, name, main)))
    .unwrap();
    let mut command = stand.casemate(&["job", "run", name, "--wait"]);
    if let Some(input) = input {
        command.arg("--input").arg(input);
    }
    let output = command.output().unwrap();
    (story::newest(stand).unwrap(), output.status.code().unwrap())
}

#[test]
fn workflows_that_misbehave_end_with_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(&folder.path().join("s"), &shared()).with_uid_base(700_000);
    let stand = Stand::start(layout.clone()).unwrap();

    found_without_running(&stand, folder.path());

    // Never ends, in a built-in that cannot be interrupted.
    let (job, exit) = ends(
        &stand,
        folder.path(),
        "endless",
        "sorted(range(300000000))\n",
        None,
    );
    let code = field(&job, "code");
    assert!(
        ["job.timeout", "job.memory", "script.memory", "script.panic"].contains(&code),
        "{job}"
    );
    assert_ne!(exit, 0);
    let spin = "def f():\n    for a in range(100000):\n        for b in range(100000):\n            pass\nf()\n";
    let (job, exit) = ends(&stand, folder.path(), "spin", spin, None);
    assert!(
        field(&job, "code").contains("time") || field(&job, "code").contains("deadline"),
        "{job}"
    );
    assert_ne!(exit, 0);

    // Eats memory.
    let eat = "def f():\n    x = [0] * 1000\n    for i in range(40):\n        x = x + x\n    log(str(len(x)))\nf()\n";
    let (job, exit) = ends(&stand, folder.path(), "eater", eat, None);
    assert_eq!(field(&job, "state"), "failed", "{job}");
    assert!(
        field(&job, "code").contains("memory") || field(&job, "code") == "script.panic",
        "{job}"
    );
    assert_ne!(exit, 0);

    // A PDF that is not one: what the screen says is a failure, not a guess.
    let fake = folder.path().join("fake.pdf");
    fs::write(&fake, "this is not a document of that kind").unwrap();
    run(stand.casemate(&["workflow", "add"]).arg(story::workflow())).unwrap();
    let output = stand
        .casemate(&["job", "run", "invoices", "--wait", "--input"])
        .arg(&fake)
        .output()
        .unwrap();
    let job = story::newest(&stand).unwrap();
    assert_eq!(field(&job, "state"), "failed", "{job}");
    assert!(
        !field(&job, "code").is_empty() && field(&job, "message").contains("fake.pdf"),
        "{job}"
    );
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));

    damaged_artifact(&stand, &layout, field(&job, "job"), folder.path());
    run(&mut stand.casemate(&["audit", "verify"])).unwrap();
    stand.stop();
    assert_eq!(leftover::processes(&layout), vec![]);
}

fn found_without_running(stand: &Stand, folder: &Path) {
    // Malformed: found without running it, by file and line.
    let broken = workflow(folder, "broken", "log(\"fine\")\nopen(\"evince\"\n");
    let output = stand
        .casemate(&["workflow", "check"])
        .arg(&broken)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(words(&output).contains("main.star:"), "{}", words(&output));
    let ungranted = workflow(folder, "ungranted", "open(\"gnumeric\")\n");
    let output = stand
        .casemate(&["workflow", "check"])
        .arg(&ungranted)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(words(&output).contains("gnumeric"), "{}", words(&output));
}

/// An edited chunk is named with its artifact, and nothing of it comes out.
fn damaged_artifact(stand: &Stand, layout: &Layout, job: &str, folder: &Path) {
    let list = stand.json(&["artifact", "list", "--job", job]).unwrap();
    let all: Vec<&Value> = list.as_array().unwrap().iter().collect();
    assert!(!all.is_empty());
    for chunk in files(&layout.state().join("artifacts")) {
        let mut file = File::options().write(true).open(&chunk).unwrap();
        file.seek(SeekFrom::End(-1)).unwrap();
        let last = fs::read(&chunk).unwrap().last().copied().unwrap();
        file.write_all(&[last ^ 1]).unwrap();
    }
    let out = folder.join("never");
    let id = field(all[0], "artifact");
    let output = stand
        .casemate(&["artifact", "get", id, "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", words(&output));
    assert!(
        words(&output).contains("artifact.damaged"),
        "{}",
        words(&output)
    );
    assert!(!out.exists(), "half a file was left");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        match entry.is_dir() {
            true => found.extend(files(&entry)),
            false => found.push(entry),
        }
    }
    found
}

/// The words of a stand that does not start.
fn refusal(layout: Layout) -> String {
    match Stand::start(layout) {
        Err(error @ StandError::Program { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    }
}

#[test]
fn changed_packs_and_another_tpm_are_refused() {
    let mounts = leftover::mounts();
    // Beside the packs: /tmp may be a tmpfs, from whose files an erofs cannot be mounted.
    let folder = tempfile::tempdir_in(shared()).unwrap();
    let own = folder.path().join("s");
    let copy = folder.path().join("shared");
    for part in ["packs", "dev"] {
        fs::create_dir_all(copy.join(part)).unwrap();
        for entry in fs::read_dir(shared().join(part))
            .unwrap()
            .map(|entry| entry.unwrap())
        {
            fs::copy(entry.path(), copy.join(part).join(entry.file_name())).unwrap();
        }
    }
    let layout = Layout::new(&own, &copy).with_uid_base(800_000);
    Stand::start(layout.clone()).unwrap().stop();

    // One bit of the model, then of the desktop; then no desktop at all.
    for pack in ["ocr", "desktop"] {
        let path = copy.join("packs").join(format!("{pack}.erofs"));
        let genuine = fs::read(&path).unwrap();
        let mut changed = genuine.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&path, &changed).unwrap();
        let words = refusal(layout.clone());
        assert!(
            words.contains("pack.changed") && words.contains(pack),
            "{words}"
        );
        fs::write(&path, &genuine).unwrap();
    }
    let pack = copy.join("packs/desktop.pack");
    let manifest = fs::read(&pack).unwrap();
    let mut forged = manifest.clone();
    *forged.last_mut().unwrap() ^= 1;
    fs::write(&pack, &forged).unwrap();
    assert!(refusal(layout.clone()).contains("pack.signature"));
    fs::remove_file(&pack).unwrap();
    assert!(refusal(layout.clone()).contains("pack.missing"));
    fs::write(&pack, &manifest).unwrap();

    // The state is opened with another TPM.
    fs::rename(own.join("tpm"), own.join("tpm.genuine")).unwrap();
    let words = refusal(layout.clone());
    assert!(words.contains("tpm.other"), "{words}");
    fs::remove_dir_all(own.join("tpm")).unwrap();
    fs::rename(own.join("tpm.genuine"), own.join("tpm")).unwrap();

    // Nothing of all this harmed it.
    Stand::start(layout.clone()).unwrap().stop();
    assert_eq!(leftover::processes(&layout), vec![]);
    assert_eq!(leftover::mounts(), mounts);
}
