//! Figures, for people: `cargo test --test daemon -- --ignored --nocapture measure`.

use std::time::Instant;

use casemate_protocol::event::{Event, JobEnd};

use crate::bed::Bed;
use crate::bed::agent::Agent;

fn peak_kib(bed: &Bed) -> String {
    let pid = bed.daemon.as_ref().unwrap().id();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.trim_start_matches("VmHWM:").trim().to_owned()
}

#[test]
#[ignore = "prints figures and judges nothing"]
fn measure() {
    let mut bed = Bed::new();
    let began = Instant::now();
    bed.start();
    eprintln!("start to first answer: {:?}", began.elapsed());
    let mut agent = Agent::settled(&bed);
    bed.add_workflow("again", "requeue");
    let began = Instant::now();
    bed.run_job("again");
    let id = agent.lease().job();
    eprintln!("casemate job run to lease at agentd: {:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..1000 {
        agent.event(
            id,
            Event::Log {
                text: "x".repeat(200),
            },
        );
    }
    eprintln!("1000 events, each acknowledged: {:?}", began.elapsed());
    let shot = vec![7; 300_000];
    let began = Instant::now();
    for at in 0..100 {
        agent.file(id, &format!("step-{at}.png"), &shot);
    }
    eprintln!(
        "100 files of 300 kB, each acknowledged: {:?}",
        began.elapsed()
    );
    agent.end(id, JobEnd::Succeeded);
    let out = bed.path("evidence");
    let began = Instant::now();
    assert_eq!(
        bed.casemate(&["evidence", "--out", out.to_str().unwrap()])
            .exit,
        0
    );
    eprintln!("evidence: {:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(bed.casemate(&["audit", "verify"]).exit, 0);
    eprintln!(
        "export and verify of {} entries: {:?}",
        bed.json(&["status"])["audit"]["size"],
        began.elapsed()
    );
    eprintln!("peak memory: {}", peak_kib(&bed));
}
