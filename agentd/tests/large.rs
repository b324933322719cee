//! The programs of the office pack, each under its profile. Needs root and the pack
//! (`make packs-large`), which no other test needs: run with `--ignored`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: a failure shall say where"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CALC: &str = "/usr/lib/libreoffice/program/soffice.bin";
const CHROMIUM: &str = "/usr/lib/chromium/chromium";

fn stand(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../var")
        .join(file);
    assert!(
        path.exists(),
        "{} is missing: `make packs-large`",
        path.display()
    );
    path
}

fn exec(profile: &str, workspace: &Path, command: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_agentd"))
        .args(["exec", "--profile", profile, "--timeout", "300"])
        .arg("--pack")
        .arg(stand("packs/office.pack"))
        .arg("--release-key")
        .arg(stand("dev/release.pub"))
        .arg("--workspace")
        .arg(workspace)
        .args(["--env", "HOME=/home/job", "--env", "LC_ALL=C.UTF-8", "--"])
        .args(command)
        .output()
        .unwrap()
}

fn browse(workspace: &Path, more: &[&str]) -> Output {
    let mut command = vec![
        CHROMIUM,
        "--headless=new",
        "--disable-gpu",
        "--no-first-run",
        "--disable-breakpad",
        "--user-data-dir=/home/job/chromium",
        "--allow-chrome-scheme-url",
        "--window-size=800,500",
    ];
    command.extend(more);
    exec("browser", workspace, &command)
}

#[test]
#[ignore = "needs the office pack: make packs-large"]
fn calc_converts_a_document() {
    let place = tempfile::tempdir().unwrap();
    fs::write(
        place.path().join("sums.csv"),
        "name,sum\nfirst,00411\nsecond,12.50\n",
    )
    .unwrap();
    let convert = |kind: &str| {
        exec(
            "office",
            place.path(),
            &[
                CALC,
                "--headless",
                "--norestore",
                "-env:UserInstallation=file:///workspace/.office",
                "--convert-to",
                kind,
                "--outdir",
                "/workspace",
                "/workspace/sums.csv",
            ],
        )
    };
    // The first start makes its settings and asks to be started again.
    let first = convert("pdf");
    assert_eq!(first.status.code(), Some(81), "{first:?}");
    for (kind, begins) in [("xlsx", b"PK\x03\x04".as_slice()), ("pdf", b"%PDF-")] {
        let output = convert(kind);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        // It says 0 even if it did nothing: the file is the proof.
        let made = fs::read(place.path().join(format!("sums.{kind}")));
        let made = made.unwrap_or_else(|e| panic!("no {kind}: {e}: {output:?}"));
        assert!(made.starts_with(begins), "{kind}: {output:?}");
    }
}

#[test]
#[ignore = "needs the office pack: make packs-large"]
fn chromium_keeps_its_own_sandbox_and_opens_a_local_page() {
    let place = tempfile::tempdir().unwrap();
    fs::write(
        place.path().join("page.html"),
        "<p id=p></p><script>p.textContent = 6 * 7</script>",
    )
    .unwrap();
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let page = browse(place.path(), &["--dump-dom", "file:///workspace/page.html"]);
    assert!(said(&page).contains("<p id=\"p\">42</p>"), "{page:?}");
    // Its own word for it, and the picture of that.
    let status = browse(place.path(), &["--dump-dom", "chrome://sandbox"]);
    let text = said(&status);
    for sentence in [
        "You are adequately sandboxed.",
        "PID namespaces",
        "Seccomp-BPF sandbox",
    ] {
        assert!(text.contains(sentence), "{sentence}: {status:?}");
    }
    let shot = browse(
        place.path(),
        &["--screenshot=sandbox.png", "chrome://sandbox"],
    );
    let picture = fs::read(place.path().join("sandbox.png"));
    let picture = picture.unwrap_or_else(|e| panic!("no picture: {e}: {shot:?}"));
    assert!(picture.starts_with(b"\x89PNG"));
}

#[test]
#[ignore = "needs the office pack: make packs-large"]
fn chromium_does_not_start_where_it_cannot_keep_its_sandbox() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("page.html"), "<p>here</p>").unwrap();
    let output = exec(
        "desktop",
        place.path(),
        &[
            CHROMIUM,
            "--headless=new",
            "--disable-gpu",
            "--user-data-dir=/home/job/chromium",
            "--dump-dom",
            "file:///workspace/page.html",
        ],
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("<p>here</p>"), "{output:?}");
    assert_ne!(output.status.code(), Some(0), "{output:?}");
}
