//! Clients that stall, send garbage, send too much, or have no business here.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use casemate_protocol::event::JobEnd;

use crate::bed::agent::Agent;
use crate::bed::{Bed, http};

/// The code in an answer.
fn code(answer: &str) -> String {
    let body = answer
        .split("\r\n\r\n")
        .nth(1)
        .unwrap_or_else(|| panic!("no body: {answer}"));
    let refusal: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(
        refusal["message"].is_string() && refusal["next"].is_string(),
        "{refusal}"
    );
    refusal["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_that_stalls_is_cut_off_and_holds_nobody_up() {
    let bed = Bed::running();
    // One in the head, one in the body, each for good.
    let mut in_head = http::connect(&bed);
    in_head
        .write_all(b"GET /v1/status HTTP/1.1\r\nhost: x")
        .unwrap();
    let mut in_body = http::connect(&bed);
    in_body
        .write_all(b"POST /v1/halt HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{")
        .unwrap();
    let mut idle = http::connect(&bed);
    let start = Instant::now();
    assert_eq!(bed.casemate(&["status"]).exit, 0);
    let answer = http::drain(&mut in_body);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(code(&answer), "request.stalled");
    http::drain(&mut in_head);
    http::drain(&mut idle);
    assert!(start.elapsed() < Duration::from_secs(40));
    assert_eq!(bed.casemate(&["status"]).exit, 0);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let bed = Bed::running();
    let big = bed.path("big");
    std::fs::write(&big, vec![b'x'; 24 << 20]).unwrap();
    let mut agent = Agent::settled(&bed);
    bed.add_workflow("greet", "fail");
    let job = bed.json(&["job", "run", "greet", "--input", big.to_str().unwrap()]);
    let lease = agent.lease();
    agent.end(lease.job(), JobEnd::Succeeded);
    let job = job["job"].as_str().unwrap();
    let files = bed.json(&["artifact", "list", "--job", job]);
    let id = files[0]["artifact"].as_str().unwrap();
    let mut greedy = http::connect(&bed);
    let head = format!("GET /v1/artifacts/{id} HTTP/1.1\r\nhost: x\r\n\r\n");
    greedy.write_all(head.as_bytes()).unwrap();
    // It reads nothing for longer than the daemon's patience, then what is left.
    let out = bed.path("copy");
    assert_eq!(
        bed.casemate(&["artifact", "get", id, "--out", out.to_str().unwrap()])
            .exit,
        0
    );
    assert_eq!(std::fs::metadata(&out).unwrap().len(), 24 << 20);
    std::thread::park_timeout(Duration::from_secs(33));
    let answer = http::drain(&mut greedy);
    assert!(answer.len() < 24 << 20, "the whole file came");
}

#[test]
fn garbage_is_cut_off_and_the_daemon_serves_on() {
    let bed = Bed::running();
    let mut noise = 1u32;
    for round in 0..40 {
        let bytes: Vec<u8> = (0..512)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            })
            .collect();
        let mut stream = http::connect(&bed);
        // The daemon may close before it has taken everything.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = http::drain(&mut stream);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "round {round}: {answer}"
        );
    }
    let long = format!(
        "GET /v1/status HTTP/1.1\r\nx: {}\r\n\r\n",
        "y".repeat(1 << 20)
    );
    let answer = http::exchange(&bed, long.as_bytes());
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Two requests where one is allowed: the second is never answered.
    let two = "GET /v1/workflows HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
    assert_eq!(
        http::exchange(&bed, two.as_bytes())
            .matches("HTTP/1.1")
            .count(),
        1
    );
    assert_eq!(bed.casemate(&["status"]).exit, 0);
}

#[test]
fn requests_are_bounded_and_strict() {
    let bed = Bed::running();
    let big = vec![b' '; 5 << 20];
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for (head, body, status, expected) in [
        ("POST /v1/workflows", &big[..], 413, "request.too-large"),
        ("POST /v1/halt", &big[..300_000], 413, "request.too-large"),
        ("POST /v1/evidence", &big[..5000], 413, "request.too-large"),
        ("POST /v1/jobs", &deep, 400, "request.malformed"),
        (
            "POST /v1/halt",
            b"{\"halted\":true,\"why\":1}",
            400,
            "request.malformed",
        ),
        ("POST /v1/halt", b"{\"halted\":1}", 400, "request.malformed"),
        (
            "POST /v1/halt",
            b"{\"halted\":true}x",
            400,
            "request.malformed",
        ),
        (
            "POST /v1/jobs",
            b"{\"workflow\":\"none\"}",
            404,
            "workflow.unknown",
        ),
        ("POST /v1/workflows", b"\x82\x00", 400, "request.malformed"),
        (
            "POST /v1/evidence",
            b"no challenge",
            400,
            "evidence.challenge",
        ),
        ("GET /v1/status?verbose=1", b"", 400, "request.malformed"),
        ("GET /v1/audit?from=-1", b"", 400, "request.malformed"),
        ("GET /v1/nothing", b"", 404, "request.unknown"),
        ("GET /v2/status", b"", 404, "request.unknown"),
        ("GET /v1/../v1/status", b"", 404, "request.unknown"),
        ("DELETE /v1/jobs", b"", 404, "request.unknown"),
        ("GET /v1/jobs/xyz", b"", 404, "job.unknown"),
        (
            "GET /v1/jobs/00000000000000000000000000000000",
            b"",
            404,
            "job.unknown",
        ),
        (
            "GET /v1/artifacts/00000000000000000000000000000000",
            b"",
            404,
            "artifact.unknown",
        ),
    ] {
        let answer = http::request(&bed, head, body);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head}: {answer}"
        );
        assert_eq!(code(&answer), expected, "{head}");
    }
    assert_eq!(bed.json(&["status"])["halted"], serde_json::Value::Null);
}

#[test]
fn a_user_who_is_not_admitted_is_refused_and_recorded() {
    let bed = Bed::running();
    // Even with the doors of the file system open.
    for (name, mode) in [("", 0o755), ("run", 0o755), ("run/api.sock", 0o666)] {
        std::fs::set_permissions(bed.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let command = bed.path("casemate");
    std::fs::copy(env!("CARGO_BIN_EXE_casemate"), &command).unwrap();
    std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o755)).unwrap();
    let out = Command::new(&command)
        .arg("--socket")
        .arg(bed.path("run/api.sock"))
        .arg("status")
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("code access.refused;"), "{said}");
    // The refusal does not wait for the disk, so the record may come after it.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let text = loop {
        let entries = bed.json(&["audit", "list"]);
        let mut entries = entries.as_array().unwrap().iter();
        if let Some(entry) = entries.find(|entry| entry["kind"] == "denied") {
            break entry["text"].as_str().unwrap().to_owned();
        }
        assert!(std::time::Instant::now() < end, "never recorded");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!(text.contains("user 65534"), "{text}");
}
