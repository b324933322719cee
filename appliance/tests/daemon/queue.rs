//! Jobs through the running daemon: policies, cancelling, halting, bad peers.

use casemate_protocol::event::{ArtifactKind, ArtifactPart, Event, JobEnd};
use casemate_protocol::frame::ReadError;
use casemate_protocol::id::JobId;
use casemate_protocol::lease::{Diagnosis, ToAgent, ToDaemon};

use crate::bed::agent::Agent;
use crate::bed::{Bed, http, wait_until};

/// The kinds of a job's events, in order.
fn kinds(bed: &Bed, job: &str) -> Vec<String> {
    let said = bed.casemate(&["--json", "job", "events", job]);
    assert_eq!(said.exit, 0, "{said:?}");
    said.out
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["kind"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn audit(bed: &Bed, kind: &str) -> Vec<String> {
    let entries = bed.json(&["audit", "list", "--limit", "100000"]);
    let of_kind = entries
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == kind);
    of_kind
        .map(|entry| entry["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_lost_agent_means_again_or_failed_as_declared() {
    let bed = Bed::running();
    bed_workflows(&bed);
    let mut agent = Agent::with_slots(&bed, 2);
    wait_until("agentd is connected", || {
        !bed.json(&["status"])["agent"].is_null()
    });
    let (again, once) = (bed.run_job("again"), bed.run_job("once"));
    for lease in [agent.lease(), agent.lease()] {
        agent.event(
            lease.job(),
            Event::Phase {
                name: "desktop".to_owned(),
                at_ms: 1,
            },
        );
    }
    drop(agent);
    let failed = bed.wait_for_state(&once, "failed");
    assert_eq!(failed["code"], "agent.lost");
    let requeued = bed.wait_for_state(&again, "queued");
    assert_eq!(requeued["attempt"], 2);
    assert_eq!(requeued["message"], "waits for agentd to connect");
    let mut agent = Agent::connect(&bed);
    let lease = agent.lease();
    assert_eq!(lease.job().to_string(), again);
    agent.end(lease.job(), JobEnd::Succeeded);
    bed.wait_for_state(&again, "succeeded");
    assert_eq!(
        kinds(&bed, &again),
        [
            "accepted",
            "leased",
            "phase",
            "requeued",
            "leased",
            "succeeded"
        ]
    );
    assert_eq!(
        kinds(&bed, &once),
        ["accepted", "leased", "phase", "failed"]
    );
    assert!(audit(&bed, "agent.lost")[0].contains("closed the connection"));
}

fn bed_workflows(bed: &Bed) {
    bed.add_workflow("again", "requeue");
    bed.add_workflow("once", "fail");
}

#[test]
fn a_job_that_is_always_cut_off_is_given_up() {
    let bed = Bed::running();
    bed.add_workflow("again", "requeue");
    let mut agent = Agent::settled(&bed);
    let job = bed.run_job("again");
    for _ in 0..5 {
        let lease = agent.lease();
        let (code, message) = ("agent.test".to_owned(), "cut off".to_owned());
        agent.end(lease.job(), JobEnd::Interrupted { code, message });
    }
    let given_up = bed.wait_for_state(&job, "failed");
    assert_eq!(
        (&given_up["attempt"], &given_up["code"]),
        (&5.into(), &"agent.test".into())
    );
}

#[test]
fn a_job_is_cancelled_wherever_it_stands() {
    let bed = Bed::running();
    bed_workflows(&bed);
    let mut agent = Agent::settled(&bed);
    let running = bed.run_job("again");
    let lease = agent.lease();
    let queued = bed.run_job("again");
    assert_eq!(bed.json(&["job", "cancel", &queued])["state"], "cancelled");
    let told = bed.json(&["job", "cancel", &running]);
    assert_eq!(told["message"], "cancelled by uid:0");
    assert_eq!(agent.receive(), ToAgent::Cancel { job: lease.job() });
    agent.end(lease.job(), JobEnd::Cancelled);
    bed.wait_for_state(&running, "cancelled");
    let late = bed.casemate(&["job", "cancel", &running]);
    assert_eq!(late.exit, 4, "{late:?}");
    assert!(late.err.contains("code job.ended;"), "{late:?}");
    // Told to stop and then cut off: it is not started again.
    let third = bed.run_job("again");
    agent.lease();
    bed.json(&["job", "cancel", &third]);
    drop(agent);
    bed.wait_for_state(&third, "cancelled");
}

#[test]
fn a_halt_stops_everything_and_outlives_a_restart() {
    let mut bed = Bed::running();
    bed.add_workflow("again", "requeue");
    let mut agent = Agent::settled(&bed);
    let running = bed.run_job("again");
    let lease = agent.lease();
    let queued = bed.run_job("again");
    let halted = bed.json(&["halt", "--all"]);
    assert_eq!(
        (&halted["halted"], &halted["stopped"]),
        (&true.into(), &2.into())
    );
    assert_eq!(agent.receive(), ToAgent::Cancel { job: lease.job() });
    bed.wait_for_state(&queued, "cancelled");
    // The daemon dies before agentd has stopped the job.
    bed.kill();
    bed.start();
    assert_eq!(bed.json(&["status"])["halted"], "uid:0");
    let stopped = bed.wait_for_state(&running, "cancelled");
    assert_eq!(stopped["message"], "halted by uid:0");
    let _agent = Agent::settled(&bed);
    let refused = bed.casemate(&["job", "run", "again"]);
    assert_eq!(refused.exit, 4, "{refused:?}");
    assert!(refused.err.contains("code halt.in-force;"), "{refused:?}");
    assert_eq!(bed.json(&["halt", "--lift"])["halted"], false);
    bed.run_job("again");
    assert_eq!(
        audit(&bed, "halt"),
        ["all jobs halted by uid:0", "halt lifted by uid:0"]
    );
}

#[test]
fn an_agent_that_breaks_the_protocol_is_cut_off_and_recorded() {
    let bed = Bed::running();
    bed.add_workflow("again", "requeue");
    {
        // Two jobs: after five attempts the first is given up.
        let _agent = Agent::settled(&bed);
        let jobs = [bed.run_job("again"), bed.run_job("again")];
        bed.wait_for_state(&jobs[0], "leased");
    }
    let event = |job, number| ToDaemon::Event {
        job,
        number,
        event: Event::Log {
            text: "x".to_owned(),
        },
    };
    let part = |job, name: &str, last| ToDaemon::Artifact {
        job,
        number: 1,
        part: ArtifactPart {
            name: name.to_owned(),
            kind: ArtifactKind::Log,
            media: "text/plain".to_owned(),
            bytes: Vec::new().into(),
            last,
        },
    };
    let huge = Event::Log {
        text: "x".repeat(40 << 10),
    };
    type Attack<'a> = Box<dyn Fn(&mut Agent, JobId) + 'a>;
    let attacks: Vec<Attack<'_>> = vec![
        Box::new(|agent, _| std::io::Write::write_all(&mut agent.stream, &[0xff; 64]).unwrap()),
        Box::new(|agent, job| agent.send(&event(job, 2))),
        Box::new(|agent, _| agent.send(&event(JobId([9; 16]), 1))),
        Box::new(|agent, job| {
            let event = huge.clone();
            agent.send(&ToDaemon::Event {
                job,
                number: 1,
                event,
            });
        }),
        Box::new(|agent, job| agent.send(&part(job, "a\nb", true))),
        Box::new(|agent, _| {
            agent.send(&ToDaemon::Checked {
                request: 7,
                diagnoses: vec![],
            })
        }),
        Box::new(|agent, _| {
            agent.send(&ToDaemon::Hello {
                version: 1,
                slots: 9,
                packs: vec![],
                selftest: casemate_protocol::id::Digest([5; 32]),
            });
        }),
    ];
    let count = attacks.len();
    for (at, attack) in attacks.into_iter().enumerate() {
        let mut agent = Agent::connect(&bed);
        let lease = agent.lease();
        attack(&mut agent, lease.job());
        assert!(
            matches!(
                agent.try_receive(),
                Err(ReadError::Closed | ReadError::Io(_))
            ),
            "attack {at}"
        );
        wait_until("the agent is let go", || {
            bed.json(&["status"])["agent"].is_null()
        });
    }
    let lost = audit(&bed, "agent.lost");
    let malformed = lost
        .iter()
        .filter(|text| text.contains("agent.malformed"))
        .count();
    assert_eq!(malformed, count, "{lost:?}");
}

#[test]
fn there_is_one_agent_at_a_time() {
    let bed = Bed::running();
    let _first = Agent::settled(&bed);
    let mut second = Agent::connect(&bed);
    assert!(matches!(
        second.try_receive(),
        Err(ReadError::Closed | ReadError::Io(_))
    ));
    wait_until("the second is recorded", || {
        !audit(&bed, "denied").is_empty()
    });
    assert!(audit(&bed, "denied")[0].contains("another agentd is connected"));
    assert!(!bed.json(&["status"])["agent"].is_null());
}

#[test]
fn the_queue_is_bounded() {
    let bed = Bed::running();
    bed.add_workflow("again", "requeue");
    let agent = Agent::with_slots(&bed, 0);
    wait_until("agentd is connected", || {
        !bed.json(&["status"])["agent"].is_null()
    });
    let body = b"{\"workflow\":\"again\"}";
    for _ in 0..256 {
        let answer = http::request(&bed, "POST /v1/jobs", body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let answer = http::request(&bed, "POST /v1/jobs", body);
    assert!(
        answer.starts_with("HTTP/1.1 429") && answer.contains("queue.full"),
        "{answer}"
    );
    assert_eq!(bed.json(&["halt", "--all"])["stopped"], 256);
    drop(agent);
}

#[test]
fn a_workflow_is_checked_by_agentd_and_by_nobody_else() {
    let bed = Bed::running();
    let folder = bed.workflow("greet", "fail");
    let folder = folder.to_str().unwrap().to_owned();
    let alone = bed.casemate(&["workflow", "check", &folder]);
    assert_eq!(alone.exit, 3, "{alone:?}");
    assert!(alone.err.contains("code agent.absent;"), "{alone:?}");
    let mut agent = Agent::settled(&bed);
    let faults = [
        vec![],
        vec![Diagnosis {
            file: "main.star".to_owned(),
            line: 1,
            column: 5,
            message: "no \x1b[31mverb".to_owned(),
        }],
    ];
    for (faults, exit) in faults.into_iter().zip([0, 1]) {
        let said = std::thread::scope(|scope| {
            let asked = scope.spawn(|| bed.casemate(&["workflow", "check", &folder]));
            agent.answer_check(faults);
            asked.join().unwrap()
        });
        assert_eq!(said.exit, exit, "{said:?}");
        assert!(!said.out.contains('\x1b'), "{said:?}");
    }
}

#[test]
fn a_file_of_many_pieces_comes_back_whole() {
    let bed = Bed::running();
    bed.add_workflow("again", "requeue");
    let mut agent = Agent::settled(&bed);
    let job = bed.run_job("again");
    let lease = agent.lease();
    let bytes: Vec<u8> = (0..(5 << 20) + 3)
        .map(|n: u32| n.to_le_bytes()[1])
        .collect();
    agent.file(lease.job(), "out/result.txt", &bytes);
    agent.file(lease.job(), "out/empty", b"");
    agent.end(lease.job(), JobEnd::Succeeded);
    let files = bed.json(&["artifact", "list", "--job", &job, "--kind", "output"]);
    for (file, expected) in files.as_array().unwrap().iter().zip([&bytes[..], b""]) {
        let out = bed.path(file["artifact"].as_str().unwrap());
        let id = file["artifact"].as_str().unwrap();
        bed.json(&["artifact", "get", id, "--out", out.to_str().unwrap()]);
        assert!(std::fs::read(&out).unwrap() == expected, "{file}");
    }
    // One flipped byte on the disk: named, with its own exit code, and no file is left.
    let chunks = walk(&bed.path("state/artifacts"));
    for chunk in chunks {
        let mut stored = std::fs::read(&chunk).unwrap();
        let last = stored.len() - 1;
        stored[last] ^= 1;
        std::fs::write(&chunk, stored).unwrap();
    }
    let id = files[0]["artifact"].as_str().unwrap();
    let out = bed.path("damaged");
    let said = bed.casemate(&["artifact", "get", id, "--out", out.to_str().unwrap()]);
    assert_eq!(said.exit, 5, "{said:?}");
    assert!(said.err.contains("code artifact.damaged;"), "{said:?}");
    assert!(!out.exists());
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn a_job_that_makes_files_without_end_is_told_to_stop() {
    let bed = Bed::running();
    bed.add_workflow("again", "requeue");
    let mut agent = Agent::settled(&bed);
    let job = bed.run_job("again");
    let lease = agent.lease();
    let id = lease.job();
    let mut told = false;
    for at in 0..6000 {
        let name = format!("{at:0>128}");
        let part = ArtifactPart {
            name,
            kind: ArtifactKind::Log,
            media: "x".repeat(128),
            bytes: b"x".to_vec().into(),
            last: true,
        };
        let number = agent.report_unacknowledged(id, |number| ToDaemon::Artifact {
            job: id,
            number,
            part,
        });
        while agent.receive() != (ToAgent::Ack { job: id, number }) {
            told = true;
        }
        if told {
            break;
        }
    }
    assert!(told);
    agent.end(id, JobEnd::Cancelled);
    let stopped = bed.wait_for_state(&job, "cancelled");
    assert_eq!(
        stopped["message"],
        "it made more files than a list of files may have"
    );
    wait_until("the list is signed", || {
        audit(&bed, "job.manifest").len() == 1
    });
    let out = bed.path("evidence");
    assert_eq!(
        bed.casemate(&["evidence", "--out", out.to_str().unwrap()])
            .exit,
        0
    );
}
