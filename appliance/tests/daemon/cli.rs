//! Every command's whole output, compared with the text under tests/cli.
//!
//! What differs from run to run (ids, times, sizes of the log) is replaced by
//! something of the same width. `CASEMATE_BLESS=1` writes the files anew; read
//! the difference before you commit it.

use std::path::Path;

use casemate_attest::digest::Digest;
use casemate_device::{SiteApproval, reseal_site};
use casemate_protocol::event::{ArtifactKind, ArtifactPart, Event, JobEnd, StepResult};
use casemate_protocol::lease::{Diagnosis, ToDaemon};

use crate::bed::agent::Agent;
use crate::bed::{self, Bed, Said};

/// A transcript of commands.
struct Transcript<'b> {
    bed: &'b Bed,
    text: String,
}

impl<'b> Transcript<'b> {
    fn new(bed: &'b Bed) -> Self {
        Self {
            bed,
            text: String::new(),
        }
    }

    fn run(&mut self, arguments: &[&str]) {
        let said = self.bed.casemate(arguments);
        self.add(arguments, &said);
    }

    fn add(&mut self, arguments: &[&str], said: &Said) {
        let line = format!(
            "$ casemate {}\n{}{}",
            arguments.join(" "),
            said.out,
            said.err
        );
        self.text.push_str(&line);
        self.text.push_str(&format!("exit {}\n\n", said.exit));
        for line in said.out.lines().filter(|_| !arguments.contains(&"--json")) {
            assert!(
                line.chars().count() <= 80,
                "{arguments:?} is wider than 80: {line}"
            );
        }
    }

    /// Compares with the file of this name.
    fn compare(self, name: &str) {
        let directory = self.bed.path("");
        let directory = directory.to_str().unwrap().trim_end_matches('/').to_owned();
        let found = normalised(&self.text.replace(&directory, "/bed"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cli")
            .join(name);
        if std::env::var_os("CASEMATE_BLESS").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        let expected =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(
            found == expected,
            "{} differs; found:\n{found}",
            path.display()
        );
    }
}

/// Replaces what differs from run to run.
fn normalised(text: &str) -> String {
    text.lines()
        .map(|line| normalised_line(line) + "\n")
        .collect()
}

fn normalised_line(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let word: usize = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        if word == 0 {
            let next = rest.chars().next().unwrap();
            out.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        }
        let (head, tail) = rest.split_at(word);
        rest = tail;
        let hex = head
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let digits = head.bytes().all(|b| b.is_ascii_digit());
        // Ids, digests and the first digits of them; seconds and milliseconds since 1970.
        let id = hex && !digits && head.len() >= 12;
        let long = digits && head.len() >= 10;
        out.push_str(&if id || long {
            "x".repeat(head.len())
        } else {
            head.to_owned()
        });
    }
    let out = calendar(&out);
    let unsteady = [
        "\"clock_ms\":",
        "\"resets\":",
        "\"restarts\":",
        "\"counter\":",
        "\"ms\":",
        "\"powered_ms\":",
        "\"firmware\":",
        "\"revision\":",
        "TPM  ",
        "firmware  ",
        "revision  ",
        "clock  ",
        "starts  ",
        "counter  ",
        "PCR banks  ",
        "evidence, ",
        "enrolment, ",
        "export, ",
    ];
    let long_size = out
        .trim_start()
        .strip_prefix("\"size\": ")
        .is_some_and(|n| n.len() > 2);
    if long_size || unsteady.iter().any(|key| out.trim_start().starts_with(key)) {
        let mut steady: Vec<char> = out
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        steady.dedup_by(|a, b| (*a, *b) == ('9', '9'));
        return steady.into_iter().collect();
    }
    match out.split_once("process ") {
        Some((head, _)) => format!("{head}process \u{2026}"),
        None => out,
    }
}

/// Replaces `YYYY-MM-DD HH:MM:SSZ`.
fn calendar(line: &str) -> String {
    let shape = "9999-99-99 99:99:99Z";
    let mut bytes = line.as_bytes().to_vec();
    for at in 0..bytes.len().saturating_sub(shape.len() - 1) {
        let fits = bytes[at..at + shape.len()]
            .iter()
            .zip(shape.bytes())
            .all(|(b, s)| {
                if s == b'9' {
                    b.is_ascii_digit()
                } else {
                    *b == s
                }
            });
        if fits {
            bytes[at..at + shape.len()].copy_from_slice(shape.as_bytes());
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn help_and_usage() {
    let bed = Bed::new();
    let mut transcript = Transcript::new(&bed);
    let commands: [&[&str]; 24] = [
        &["--help"],
        &["status", "--help"],
        &["tpm", "--help"],
        &["tpm", "status", "--help"],
        &["workflow", "--help"],
        &["workflow", "check", "--help"],
        &["workflow", "add", "--help"],
        &["workflow", "list", "--help"],
        &["workflow", "show", "--help"],
        &["job", "--help"],
        &["job", "run", "--help"],
        &["job", "list", "--help"],
        &["job", "show", "--help"],
        &["job", "events", "--help"],
        &["job", "denials", "--help"],
        &["job", "cancel", "--help"],
        &["artifact", "--help"],
        &["artifact", "list", "--help"],
        &["artifact", "get", "--help"],
        &["audit", "--help"],
        &["audit", "list", "--help"],
        &["evidence", "--help"],
        &["enrolment", "--help"],
        &["halt", "--help"],
    ];
    for command in commands {
        transcript.run(command);
    }
    transcript.run(&["halt"]);
    transcript.run(&["halt", "--all", "--lift"]);
    transcript.run(&["nonsense"]);
    transcript.run(&["status"]);
    transcript.compare("help.txt");
    let daemon = std::process::Command::new(env!("CARGO_BIN_EXE_casemated"))
        .arg("--help")
        .output()
        .unwrap();
    let mut transcript = Transcript::new(&bed);
    transcript.text = String::from_utf8(daemon.stdout).unwrap();
    transcript.compare("casemated.txt");
    let man = bed.casemate(&["man"]);
    assert!(
        man.exit == 0 && man.out.contains(".TH casemate 1"),
        "{man:?}"
    );
    let completions = bed.casemate(&["completions", "bash"]);
    assert!(
        completions.exit == 0 && completions.out.contains("_casemate()"),
        "{completions:?}"
    );
}

/// A job with one of everything.
fn eventful_job(bed: &Bed, transcript: &mut Transcript<'_>, agent: &mut Agent) -> String {
    let letter = bed.document("letter.txt", "dear");
    bed.document("more/note.txt", "nb");
    let more = bed.path("more");
    let arguments = [
        "job",
        "run",
        "greet",
        "--input",
        &format!("renamed.txt={letter}"),
        "--input",
        more.to_str().unwrap(),
        "--param",
        "language=en",
        "--out",
        "made",
    ];
    let said = std::thread::scope(|scope| {
        let asked = scope.spawn(|| bed.casemate(&arguments));
        let lease = agent.lease();
        let job = lease.job();
        agent.event(
            job,
            Event::Phase {
                name: "desktop".to_owned(),
                at_ms: 812,
            },
        );
        agent.step(job, 1);
        let (verb, target) = (
            "click".to_owned(),
            "button \u{202e}\x1b[2J \u{201e}Save\u{201c}".to_owned(),
        );
        agent.event(
            job,
            Event::StepDone {
                step: 2,
                verb,
                target,
                result: StepResult::Refused {
                    code: "grant.missing".to_owned(),
                    message: "the job has no grant for `click`".to_owned(),
                },
                at_ms: 2_300,
                took_ms: 0,
                area: None,
                screenshot: None,
            },
        );
        agent.event(
            job,
            Event::Log {
                text: "a line that is long ".repeat(8),
            },
        );
        let cells = vec![
            ("total".to_owned(), "119.00".to_owned()),
            ("net".to_owned(), "100.00".to_owned()),
        ];
        agent.event(job, Event::Row { cells });
        let (item, text) = (
            "letter.txt".to_owned(),
            "net and tax are not total".to_owned(),
        );
        agent.event(job, Event::Finding { item, text });
        agent.file(job, "out/result.txt", b"hello");
        let part = ArtifactPart {
            name: "shot-1.png".to_owned(),
            kind: ArtifactKind::Screenshot,
            media: "image/png".to_owned(),
            bytes: vec![0; 20_000].into(),
            last: true,
        };
        agent.report(job, |number| ToDaemon::Artifact { job, number, part });
        let digest = casemate_protocol::id::Digest::of(b"hello");
        agent.event(
            job,
            Event::Verified {
                path: "out/result.txt".to_owned(),
                digest,
                rows: 1,
            },
        );
        agent.end(job, JobEnd::Succeeded);
        (asked.join().unwrap(), job.to_string())
    });
    transcript.add(&arguments, &said.0);
    assert_eq!(
        std::fs::read(bed.path("made/result.txt")).unwrap(),
        b"hello"
    );
    said.1
}

#[test]
fn workflows_jobs_and_artifacts() {
    let bed = Bed::running();
    std::fs::create_dir(bed.path("more")).unwrap();
    let mut transcript = Transcript::new(&bed);
    transcript.run(&["workflow", "list"]);
    transcript.run(&["job", "list"]);
    transcript.run(&["job", "run", "greet"]);
    bed.workflow("greet", "requeue");
    transcript.run(&["workflow", "add", "greet"]);
    transcript.run(&["workflow", "add", "nowhere"]);
    transcript.run(&["workflow", "check", "greet"]);
    let mut agent = Agent::settled(&bed);
    for faults in [
        Vec::new(),
        vec![Diagnosis {
            file: "main.star".to_owned(),
            line: 3,
            column: 7,
            message: "`clikc` is no verb; did you mean `click`?".to_owned(),
        }],
    ] {
        let said = std::thread::scope(|scope| {
            let asked = scope.spawn(|| bed.casemate(&["workflow", "check", "greet"]));
            agent.answer_check(faults);
            asked.join().unwrap()
        });
        transcript.add(&["workflow", "check", "greet"], &said);
    }
    for json in [&[][..], &["--json"]] {
        transcript.run(&[json, &["workflow", "list"]].concat());
        transcript.run(&[json, &["workflow", "show", "greet"]].concat());
    }
    let job = eventful_job(&bed, &mut transcript, &mut agent);
    for json in [&[][..], &["--json"]] {
        transcript.run(&[json, &["job", "list"]].concat());
        transcript.run(&[json, &["job", "show", &job]].concat());
        transcript.run(&[json, &["job", "events", &job]].concat());
        transcript.run(&[json, &["artifact", "list", "--job", &job]].concat());
    }
    let files = bed.json(&["artifact", "list", "--job", &job, "--kind", "output"]);
    let id = files[0]["artifact"].as_str().unwrap();
    transcript.run(&["artifact", "get", id, "--out", "copy"]);
    transcript.run(&["artifact", "get", id, "--out", "copy"]);
    transcript.run(&["--json", "artifact", "get", id, "--out", "copy2"]);
    transcript.run(&["job", "run", "greet", "--param", "colour=red"]);
    transcript.run(&["job", "run", "greet", "--param", "colour"]);
    transcript.run(&["job", "cancel", &job]);
    transcript.run(&["job", "show", "zz"]);
    transcript.run(&[
        "artifact",
        "get",
        "00000000000000000000000000000000",
        "--out",
        "none",
    ]);
    let said = std::thread::scope(|scope| {
        let asked = scope.spawn(|| bed.casemate(&["--json", "job", "run", "greet", "--wait"]));
        let lease = agent.lease();
        let (code, message) = (
            "script.failed".to_owned(),
            "the sheet is not there".to_owned(),
        );
        agent.end(lease.job(), JobEnd::Failed { code, message });
        asked.join().unwrap()
    });
    transcript.add(&["--json", "job", "run", "greet", "--wait"], &said);
    transcript.compare("jobs.txt");
}

#[test]
fn the_tpm_its_policy_an_approval_and_its_absence() {
    let mut bed = Bed::running();
    let approve = |bed: &Bed| {
        let (site, digest) = (bed::boot::site_key(), |text: &[u8]| Digest::of(text));
        let approval = SiteApproval::sign(&site, digest(b"new 7"), digest(b"new 11"), 6).unwrap();
        reseal_site(&bed.path("state/tpm"), &approval.to_bytes()).unwrap();
    };
    let mut transcript = Transcript::new(&bed);
    transcript.run(&["tpm", "status"]);
    transcript.run(&["--json", "tpm", "status"]);
    approve(&bed);
    transcript.run(&["tpm", "status"]);
    transcript.run(&["--json", "tpm", "status"]);
    std::fs::rename(bed.path("state/tpm/root.cbor"), bed.path("elsewhere")).unwrap();
    transcript.run(&["tpm", "status"]);
    let text = std::mem::take(&mut transcript.text);
    bed.power_tpm_off();
    let mut transcript = Transcript::new(&bed);
    transcript.text = text;
    transcript.run(&["tpm", "status"]);
    transcript.run(&["--json", "tpm", "status"]);
    transcript.compare("tpm.txt");
}

#[test]
fn status_halt_audit_and_files() {
    let bed = Bed::running();
    let mut transcript = Transcript::new(&bed);
    transcript.run(&["status"]);
    let _agent = Agent::settled(&bed);
    bed.add_workflow("greet", "requeue");
    transcript.run(&["evidence", "--out", "evidence"]);
    transcript.run(&["--json", "evidence", "--out", "evidence2"]);
    transcript.run(&["evidence", "--challenge", "nowhere", "--out", "evidence3"]);
    transcript.run(&["enrolment", "--out", "enrolment"]);
    transcript.run(&["--json", "enrolment", "--out", "enrolment2"]);
    transcript.run(&["halt", "--all"]);
    transcript.run(&["job", "run", "greet"]);
    transcript.run(&["status"]);
    transcript.run(&["--json", "status"]);
    transcript.run(&["--json", "halt", "--lift"]);
    transcript.run(&["halt", "--lift"]);
    transcript.run(&["audit", "list"]);
    transcript.run(&["--json", "audit", "list", "--from", "1", "--limit", "2"]);
    transcript.run(&["audit", "export", "--out", "export"]);
    transcript.run(&["--json", "audit", "export", "--out", "export2"]);
    transcript.run(&["audit", "verify"]);
    transcript.run(&["--json", "audit", "verify"]);
    transcript.compare("appliance.txt");
}
