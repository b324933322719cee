//! `kill -9` between any two entries of a job's life, then a new daemon:
//! nothing that was acknowledged is lost, no job both ended and goes on, and no
//! job starts again without an entry that says so.

use casemate_protocol::event::{Event, JobEnd};
use casemate_protocol::id::JobId;
use casemate_protocol::lease::ToDaemon;

use crate::bed::Bed;
use crate::bed::agent::Agent;

/// The messages of a run; each is one entry, the last two (end, list of files).
const MESSAGES: usize = 6;

fn message(at: usize, job: JobId, number: u64) -> ToDaemon {
    let event = match at {
        0 => Event::Phase {
            name: "desktop".to_owned(),
            at_ms: 1,
        },
        1 => Event::StepStarted {
            step: 1,
            verb: "open".to_owned(),
            target: "mousepad".to_owned(),
            at_ms: 2,
        },
        2 => Event::Row {
            cells: vec![("a".to_owned(), "1".to_owned())],
        },
        3 => Event::Finding {
            item: "a".to_owned(),
            text: "b".to_owned(),
        },
        4 => Event::Log {
            text: "c".to_owned(),
        },
        _ => {
            return ToDaemon::Ended {
                job,
                number,
                end: JobEnd::Succeeded,
            };
        }
    };
    ToDaemon::Event { job, number, event }
}

/// What the journal says of a job, checked for sense.
struct History {
    kinds: Vec<String>,
    state: String,
    attempt: u64,
}

fn history(bed: &Bed, job: &str) -> History {
    let said = bed.casemate(&["--json", "job", "events", job]);
    assert_eq!(said.exit, 0, "{said:?}");
    let events: Vec<serde_json::Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<String> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], at + 1, "{said:?}");
    }
    let is_end = |kind: &&String| ["succeeded", "failed", "cancelled"].contains(&kind.as_str());
    let ends = kinds.iter().filter(is_end).count();
    assert!(
        ends <= 1 && (ends == 0 || is_end(&kinds.last().unwrap())),
        "{kinds:?}"
    );
    let count = |word: &str| kinds.iter().filter(|kind| *kind == word).count();
    // Every start after the first is announced.
    assert!(count("leased") <= count("requeued") + 1, "{kinds:?}");
    let view = bed.job(job);
    History {
        kinds,
        state: view["state"].as_str().unwrap().to_owned(),
        attempt: view["attempt"].as_u64().unwrap(),
    }
}

/// One round: `sent` messages are sent, all but the last `open` acknowledged;
/// then the daemon dies and starts again.
fn round(bed: &mut Bed, workflow: &str, sent: usize, open: usize) {
    let mut agent = Agent::settled(bed);
    let job = bed.run_job(workflow);
    let lease = agent.lease();
    let id = lease.job();
    assert_eq!(id.to_string(), job);
    for at in 0..sent - open {
        agent.report(id, |number| message(at, id, number));
    }
    for at in sent - open..sent {
        agent.report_unacknowledged(id, |number| message(at, id, number));
    }
    bed.kill();
    bed.start();
    let history = history(bed, &job);
    let words = [
        "phase",
        "step-started",
        "row",
        "finding",
        "log",
        "succeeded",
    ];
    let expected: Vec<&str> = ["accepted", "leased"]
        .into_iter()
        .chain(words.into_iter().take(sent - open))
        .collect();
    assert!(
        history
            .kinds
            .iter()
            .zip(&expected)
            .all(|(found, expected)| found == expected)
            && history.kinds.len() >= expected.len(),
        "sent {sent}, open {open}: {:?} lacks {expected:?}",
        history.kinds
    );
    if history.kinds.iter().any(|kind| kind == "succeeded") {
        assert_eq!(history.state, "succeeded");
    } else if workflow == "again" {
        assert_eq!((history.state.as_str(), history.attempt), ("queued", 2));
        assert_eq!(history.kinds.last().unwrap(), "requeued");
        // It can be done to its end.
        let mut agent = Agent::connect(bed);
        let lease = agent.lease();
        assert_eq!(lease.job(), id);
        agent.end(id, JobEnd::Succeeded);
        bed.wait_for_state(&job, "succeeded");
    } else {
        assert_eq!(history.state, "failed");
    }
    drop(agent);
    super::bed::wait_until("the agent is let go", || {
        bed.json(&["status"])["agent"].is_null()
    });
}

#[test]
fn a_kill_between_any_two_entries_loses_nothing() {
    let mut bed = Bed::running();
    bed.add_workflow("again", "requeue");
    bed.add_workflow("once", "fail");
    for sent in 0..=MESSAGES {
        for open in 0..=sent.min(1) {
            let workflow = if (sent + open) % 2 == 0 {
                "again"
            } else {
                "once"
            };
            round(&mut bed, workflow, sent, open);
        }
    }
    let verified = bed.casemate(&["audit", "verify"]);
    assert_eq!(verified.exit, 0, "{verified:?}");
    // Every job ended, and has a signed list of files.
    let jobs = bed.json(&["job", "list"]);
    let manifests = bed.json(&["audit", "list"]);
    let signed = manifests
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["kind"] == "job.manifest");
    assert!(signed.count() >= jobs.as_array().unwrap().len());
    bed.stop();
}

#[test]
fn a_kill_while_jobs_are_queued_loses_none_of_them() {
    let mut bed = Bed::running();
    bed.add_workflow("again", "requeue");
    let agent = Agent::with_slots(&bed, 0);
    super::bed::wait_until("agentd is connected", || {
        !bed.json(&["status"])["agent"].is_null()
    });
    let jobs: Vec<String> = (0..5).map(|_| bed.run_job("again")).collect();
    drop(agent);
    bed.kill();
    bed.start();
    let mut agent = Agent::connect(&bed);
    for job in &jobs {
        let lease = agent.lease();
        assert_eq!(lease.job().to_string(), *job, "in the order of acceptance");
        agent.end(lease.job(), JobEnd::Succeeded);
        assert_eq!(bed.wait_for_state(job, "succeeded")["attempt"], 1);
    }
}

#[test]
fn a_kill_around_the_end_of_a_job_leaves_one_end_and_one_list() {
    let mut bed = Bed::running();
    bed.add_workflow("again", "requeue");
    let mut succeeded = 0;
    for delay_us in (0..12).map(|round| round * 400) {
        let mut agent = Agent::settled(&bed);
        let job = bed.run_job("again");
        let id = agent.lease().job();
        agent.file(id, "out/result.txt", b"hello");
        agent.report_unacknowledged(id, |number| message(MESSAGES - 1, id, number));
        std::thread::sleep(std::time::Duration::from_micros(delay_us));
        bed.kill();
        bed.start();
        let history = history(&bed, &job);
        if history.state == "succeeded" {
            succeeded += 1;
            let list = bed.json(&["audit", "list", "--limit", "100000"]);
            let lists = list.as_array().unwrap().iter().filter(|entry| {
                entry["kind"] == "job.manifest" && entry["text"].as_str().unwrap().contains(&job)
            });
            assert_eq!(
                lists.count(),
                1,
                "one list, signed before or after the kill"
            );
        } else {
            assert_eq!((history.state.as_str(), history.attempt), ("queued", 2));
            bed.json(&["job", "cancel", &job]);
        }
    }
    assert!(
        succeeded > 0,
        "no end was recorded in time; the delays are too short"
    );
    assert_eq!(bed.casemate(&["audit", "verify"]).exit, 0);
}
