//! The house's own rules, held against its text: which crate may use which, who
//! may name the index, where unsafe code may stand, how long a file may be, and
//! that no environment variable configures production.
//!
//! These rules are about what a reader may rely on without reading everything,
//! so they are checked on the text and not on what happens to be compiled.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// docs/architecture.md, "Allowed arrows". `tests` may use everything.
const ARROWS: &[(&str, &[&str])] = &[
    ("casemate-attest", &[]),
    ("casemate-device", &["casemate-attest"]),
    ("casemate-protocol", &[]),
    ("casemate-agentd", &["casemate-protocol"]),
    (
        "casemate-appliance",
        &["casemate-attest", "casemate-device", "casemate-protocol"],
    ),
    ("casemate-image", &["casemate-attest"]),
    // The initrd's init runs `unseal` as a program.
    ("casemate-initrd", &[]),
];

/// Crates that one crate alone may use, besides `tests`.
const RESERVED: &[(&str, &str)] = &[("sled", "casemate-appliance")];

/// What the verifier's library must not bring onto an auditor's machine.
const NOT_IN_ATTEST: &[&str] = &[
    "tokio",
    "hyper",
    "reqwest",
    "tss-esapi",
    "async-std",
    "zbus",
];

const PRODUCTION_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Direct dependencies of each workspace crate, of every kind, as cargo reads them.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--no-deps",
            "--offline",
            "--locked",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies
            .map(|d| d["name"].as_str().unwrap().to_owned())
            .collect()
    };
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), names(package)))
        .collect()
}

/// Every Rust file of the workspace with its path from the root.
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !matches!(name.as_str(), "target" | "var" | ".git" | "fuzz") {
                walk(&path, found);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    walk(&root, &mut found);
    found.sort();
    assert!(
        found.len() > 20,
        "the walk found only {} files",
        found.len()
    );
    let relative = |path: &Path| {
        path.strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    found
        .iter()
        .map(|p| (relative(p), std::fs::read_to_string(p).unwrap()))
        .collect()
}

/// Whether a file is production code: not a test, a bench or a build script's text.
fn is_production(path: &str) -> bool {
    !path.starts_with("tests/") && !path.contains("/tests/") && !path.ends_with("/tests.rs")
}

/// The production lines of a file with their numbers: what stands before its test module.
fn production(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .enumerate()
        .map(|(i, l)| (i + 1, l))
}

/// The production lines without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    production(text).map(|(n, line)| (n, line.split("//").next().unwrap_or("")))
}

/// `path:line` of each line of production code outside `allowed` that `matches`.
fn found(allowed: &str, matches: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if is_production(&path) && (allowed.is_empty() || !path.starts_with(allowed)) {
            let lines = code(&text).filter(|(_, line)| matches(line));
            found.extend(lines.map(|(n, line)| format!("{path}:{n}: {}", line.trim())));
        }
    }
    found
}

#[test]
fn every_arrow_between_our_crates_is_allowed() {
    let dependencies = dependencies();
    let ours: BTreeSet<&String> = dependencies.keys().collect();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for name in &ours {
        assert!(
            known.contains(name.as_str()) || *name == "casemate-tests",
            "unknown crate {name}"
        );
    }
    for (name, allowed) in ARROWS {
        let used = dependencies[*name]
            .iter()
            .filter(|used| ours.contains(used));
        let bad: Vec<_> = used
            .filter(|used| !allowed.contains(&used.as_str()))
            .collect();
        assert!(bad.is_empty(), "{name} may not depend on {bad:?}");
    }
}

#[test]
fn reserved_crates_are_used_where_they_belong() {
    for (name, used) in dependencies() {
        for (reserved, owner) in RESERVED {
            let allowed = name == *owner || name == "casemate-tests" || !used.contains(*reserved);
            assert!(allowed, "{name} may not depend on {reserved}");
        }
        if name == "casemate-attest" {
            let bad: Vec<_> = NOT_IN_ATTEST
                .iter()
                .filter(|bad| used.contains(**bad))
                .collect();
            assert!(bad.is_empty(), "attest may not depend on {bad:?}");
        }
    }
}

#[test]
fn only_the_store_names_sled() {
    let names = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "sled")
            && line.contains("sled::")
    };
    assert_eq!(found("appliance/src/store", names), Vec::<String>::new());
}

#[test]
fn only_the_syscall_module_has_unsafe_code() {
    let unsafe_code = |line: &str| {
        [
            "unsafe {",
            "unsafe fn",
            "unsafe impl",
            "unsafe extern",
            "unsafe trait",
            "(unsafe_code",
        ]
        .iter()
        .any(|text| line.contains(text))
            && !line.contains("forbid(unsafe_code")
    };
    let mut bad = found("agentd/src/sandbox/sys.rs", unsafe_code);
    // A derive of another crate may write some; then the file itself still has none.
    bad.retain(|line| !line.contains("expect(unsafe_code, reason = \"derived by "));
    assert_eq!(bad, Vec::<String>::new());
}

#[test]
fn every_crate_but_agentd_forbids_unsafe_code() {
    let is_root = |path: &str| {
        let binary = path.split_once("/src/bin/").map(|(_, rest)| rest);
        path.ends_with("/src/lib.rs")
            || path.ends_with("/src/main.rs")
            || binary.is_some_and(|rest| !rest.contains('/') || rest.ends_with("/main.rs"))
    };
    for (path, text) in sources() {
        if is_root(&path) && !path.starts_with("agentd/src/") {
            assert!(
                text.contains("#![forbid(unsafe_code)]"),
                "{path} does not forbid unsafe code"
            );
        }
    }
}

#[test]
fn no_production_file_is_longer_than_the_limit() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines = production(&text).count();
        if is_production(&path) && lines >= PRODUCTION_LINES {
            long.push(format!("{path}: {lines}"));
        }
    }
    assert_eq!(long, Vec::<String>::new(), "limit {PRODUCTION_LINES}");
}

#[test]
fn no_environment_variable_configures_production() {
    let reads = |line: &str| {
        ["env::var(", "env::var_os(", "env::vars(", "env::vars_os("]
            .iter()
            .any(|text| line.contains(text))
    };
    assert_eq!(found("", reads), Vec::<String>::new());
}

/// The verifier must build wherever an auditor is: what only Unix has stands behind `cfg(unix)`.
#[test]
fn the_verifier_asks_nothing_of_unix() {
    const UNIX: &[&str] = &[
        "std::os::",
        "libc::",
        "nix::",
        "rustix::",
        "\"/proc",
        "\"/dev",
        "\"/sys",
        "\"/etc",
        "\"/run",
        "\"/tmp",
    ];
    let mut found = Vec::new();
    for (path, text) in sources() {
        if !path.starts_with("attest/src/") {
            continue;
        }
        let mut only_unix = false;
        for (number, line) in code(&text) {
            // An item of its own, closed where it began.
            only_unix |= line.trim_end() == "#[cfg(unix)]";
            if !only_unix && UNIX.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
            only_unix &= line != "}";
        }
    }
    assert_eq!(found, Vec::<String>::new());
}
