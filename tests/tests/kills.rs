//! Twenty rounds of `kill -9` against a two-invoice job: nothing lost, nothing left.
//!
//! Each round kills one victim at one moment, starts again what a service manager
//! would start again, and demands: the job ends as succeeded with its two rows, the
//! sheet holds them, a second attempt is said, whatever was seen in the log before
//! the kill is still there, the audit log verifies, and no process of the job's ids
//! and no control group of a job is left.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::zombie_processes,
    reason = "a test's helpers fail the test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use casemate_tests::stand::{Layout, Stand, leftover, repository, run, story};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Long enough for two invoices on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(240);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Casemated,
    AgentdOutside,
    AgentdInside,
    Compartment(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While the compartments are being built.
    Start,
    /// After the step of this number was started and before it is done.
    GuiStep(u64),
    /// On entering this many-th `fdatasync` of the daemon: within a commit.
    Commit(u32),
    /// On entering this many-th `fsync` of the daemon: within an artifact's write.
    ArtifactWrite(u32),
}

const ROUNDS: [(Moment, Victim); 20] = [
    (Moment::Start, Victim::AgentdInside),
    (Moment::Start, Victim::Casemated),
    (Moment::Start, Victim::Compartment("desktop")),
    (Moment::Start, Victim::Compartment("hands")),
    (Moment::GuiStep(1), Victim::Compartment("script")),
    (Moment::GuiStep(2), Victim::Compartment("hands")),
    (Moment::GuiStep(3), Victim::Compartment("desktop")),
    (Moment::GuiStep(6), Victim::AgentdInside),
    (Moment::GuiStep(9), Victim::AgentdOutside),
    (Moment::GuiStep(12), Victim::Casemated),
    (Moment::GuiStep(14), Victim::Compartment("hands")),
    (Moment::GuiStep(16), Victim::Compartment("script")),
    (Moment::Commit(3), Victim::Casemated),
    (Moment::Commit(11), Victim::Casemated),
    (Moment::Commit(23), Victim::Casemated),
    (Moment::Commit(31), Victim::Casemated),
    (Moment::ArtifactWrite(2), Victim::Casemated),
    (Moment::ArtifactWrite(7), Victim::Casemated),
    (Moment::ArtifactWrite(13), Victim::Casemated),
    (Moment::ArtifactWrite(18), Victim::Casemated),
];

#[test]
fn first_ten_rounds() {
    rounds(0..10, 11, 300_000);
}

#[test]
fn last_ten_rounds() {
    rounds(10..20, 12, 400_000);
}

fn rounds(which: std::ops::Range<usize>, seed: u64, uid_base: u32) {
    let mounts = leftover::mounts();
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(&folder.path().join("s"), &repository().join("var"));
    let layout = layout.with_uid_base(uid_base);
    let mut stand = Stand::start(layout.clone()).unwrap();
    let set = folder.path().join("set");
    story::documents(&stand, seed, &set).unwrap();
    let given = folder.path().join("given");
    assert_eq!(
        story::inputs(&set, Some(&["inv-1.pdf", "inv-2.pdf"]), &given).unwrap(),
        2
    );
    run(stand.casemate(&["workflow", "add"]).arg(story::workflow())).unwrap();
    for round in which {
        let (moment, victim) = ROUNDS[round];
        println!("round {round}: seed {seed}, {moment:?}, {victim:?}");
        one_round(&mut stand, &given, &set, moment, victim);
    }
    stand.stop();
    assert_eq!(leftover::processes(&layout), vec![]);
    assert_eq!(leftover::mounts(), mounts);
}

fn one_round(stand: &mut Stand, given: &Path, set: &Path, moment: Moment, victim: Victim) {
    let tracer = match moment {
        Moment::Commit(count) => Some(kill_on(stand, "fdatasync", count)),
        Moment::ArtifactWrite(count) => Some(kill_on(stand, "fsync", count)),
        _ => None,
    };
    let accepted = stand
        .casemate(&["--json", "job", "run", "invoices", "--input"])
        .arg(given)
        .output();
    let accepted: Option<Value> = serde_json::from_slice(&accepted.unwrap().stdout).ok();
    let job = accepted
        .as_ref()
        .and_then(|job| job.get("job"))
        .and_then(Value::as_str);
    let Some(job) = job.map(str::to_owned) else {
        // The daemon was killed within the very commit that would have accepted it:
        // nothing was acknowledged, so there is nothing to lose.
        assert!(matches!(
            moment,
            Moment::Commit(_) | Moment::ArtifactWrite(_)
        ));
        if let Some(tracer) = tracer {
            end_of(tracer);
        }
        restart(stand);
        return;
    };
    let before = match tracer {
        Some(tracer) => {
            end_of(tracer);
            vec![]
        }
        None => {
            let before = wait_for(stand, &job, moment);
            strike(stand, victim);
            before
        }
    };
    restart(stand);
    let ended = wait_for_end(stand, &job);
    assert_eq!(
        field(&ended, "state"),
        "succeeded",
        "{moment:?} {victim:?}: {ended}"
    );
    assert_eq!(
        ended.get("rows").and_then(Value::as_u64),
        Some(2),
        "{ended}"
    );

    log_holds(stand, &job, &before, &ended);
    sheet_holds(stand, &job, set);
    run(&mut stand.casemate(&["audit", "verify"])).unwrap();
    nothing_left(stand);
}

fn log_holds(stand: &Stand, job: &str, before: &[(u64, String)], ended: &Value) {
    // What was seen is still there, in the same order.
    let after = all_events(stand, job);
    assert!(after.len() >= before.len());
    assert_eq!(
        &after[..before.len()],
        before,
        "an event that was seen is gone"
    );
    // It ran again only if it says so.
    let attempts = ended.get("attempt").and_then(Value::as_u64).unwrap();
    let requeued = after.iter().filter(|(_, kind)| kind == "requeued").count();
    assert_eq!(attempts, requeued as u64 + 1, "{after:?}");
    let ends = after.iter().filter(|(_, kind)| kind == "succeeded").count();
    assert_eq!(ends, 1, "{after:?}");
}

fn field<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Has the kernel's own tracer kill the daemon on entering a system call.
fn kill_on(stand: &Stand, call: &str, count: u32) -> Child {
    let pid = stand.casemated.as_ref().unwrap().pid();
    let child = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
            "-e",
        ])
        .arg(format!("inject={call}:signal=KILL:when={count}"))
        .args(["-p", &pid.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    // Attached when the kernel says that the process is traced.
    let until = Instant::now() + PATIENCE;
    loop {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        if status
            .lines()
            .any(|line| line == format!("TracerPid:\t{}", child.id()))
        {
            return child;
        }
        assert!(Instant::now() < until, "strace did not attach");
        sleep(Duration::from_millis(5));
    }
}

/// The tracer ends with what it traces.
fn end_of(mut tracer: Child) {
    let until = Instant::now() + PATIENCE;
    while tracer.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            let _gone = tracer.kill();
            let _reaped = tracer.wait();
            panic!("the daemon did not come to the call at which it is killed");
        }
        sleep(Duration::from_millis(10));
    }
}

fn all_events(stand: &Stand, job: &str) -> Vec<(u64, String)> {
    let output = stand
        .casemate(&["--json", "job", "events", job])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|event| {
            (
                event.get("seq").and_then(Value::as_u64).unwrap(),
                field(&event, "kind").to_owned(),
            )
        })
        .collect()
}

/// Waits until the moment has come; the events that were seen by then.
fn wait_for(stand: &Stand, job: &str, moment: Moment) -> Vec<(u64, String)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let events = all_events(stand, job);
        let started = events
            .iter()
            .filter(|(_, kind)| kind == "step-started")
            .count() as u64;
        let come = match moment {
            Moment::Start => events.iter().any(|(_, kind)| kind == "leased"),
            Moment::GuiStep(number) => started >= number,
            Moment::Commit(_) | Moment::ArtifactWrite(_) => true,
        };
        if come {
            return events;
        }
        assert!(
            Instant::now() < until,
            "{moment:?} did not come: {events:?}"
        );
        sleep(Duration::from_millis(10));
    }
}

fn strike(stand: &mut Stand, victim: Victim) {
    let until = Instant::now() + PATIENCE;
    match victim {
        Victim::Casemated => stand.casemated.take().unwrap().kill(),
        Victim::AgentdOutside => stand.agentd.take().unwrap().kill(),
        Victim::AgentdInside | Victim::Compartment(_) => loop {
            if let Some(pid) = find(stand, victim) {
                kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
                return;
            }
            assert!(Instant::now() < until, "{victim:?} is not running");
            sleep(Duration::from_millis(10));
        },
    }
}

/// The victim among the processes of agentd's ids.
fn find(stand: &Stand, victim: Victim) -> Option<i32> {
    let wanted = match victim {
        Victim::AgentdInside => "agentd serve",
        Victim::Compartment("desktop") => "/usr/bin/Xtigervnc",
        Victim::Compartment("hands") => "/agent/agent-hands",
        Victim::Compartment(_) => "/agent/agent-script",
        Victim::Casemated | Victim::AgentdOutside => return None,
    };
    leftover::processes(&stand.layout)
        .into_iter()
        .find(|(_, line)| line.contains(wanted))
        .and_then(|(pid, _)| i32::try_from(pid).ok())
}

/// What a service manager would do: start again whatever has ended.
fn restart(stand: &mut Stand) {
    let until = Instant::now() + PATIENCE;
    let ended = |daemon: &mut Option<casemate_tests::stand::Daemon>| {
        daemon
            .as_mut()
            .is_none_or(|daemon| daemon.has_ended().is_some())
    };
    if ended(&mut stand.casemated) {
        // Without a journal nothing may act: agentd ends by itself.
        while stand.agentd.is_some() && !ended(&mut stand.agentd) {
            assert!(Instant::now() < until, "agentd outlived the daemon");
            sleep(Duration::from_millis(10));
        }
        stand.casemated = None;
        stand.start_casemated().unwrap();
    }
    // An inner agentd that was killed takes the outer one with it.
    let status = stand.status().unwrap();
    let connected = status.get("agent").is_some_and(Value::is_object);
    while stand.agentd.is_some() && !connected && !ended(&mut stand.agentd) {
        assert!(Instant::now() < until, "agentd neither serves nor ends");
        sleep(Duration::from_millis(10));
    }
    if ended(&mut stand.agentd) {
        stand.agentd = None;
        stand.start_agentd().unwrap();
    }
}

fn wait_for_end(stand: &mut Stand, job: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok(view) = stand.json(&["job", "show", job])
            && ["succeeded", "failed", "cancelled"].contains(&field(&view, "state"))
        {
            return view;
        }
        assert!(
            Instant::now() < until,
            "the job does not end: {:?}",
            stand.json(&["job", "show", job])
        );
        sleep(Duration::from_millis(100));
        // The inner agentd may have been the victim and end only now.
        if stand
            .agentd
            .as_mut()
            .is_some_and(|agentd| agentd.has_ended().is_some())
        {
            restart(stand);
        }
    }
}

/// The saved sheet has the header and the two documents' rows of the truth.
fn sheet_holds(stand: &Stand, job: &str, set: &Path) {
    let artifacts = stand
        .json(&["artifact", "list", "--job", job, "--kind", "output"])
        .unwrap();
    let list = artifacts.as_array().unwrap();
    let sheet = list
        .iter()
        .rfind(|one| field(one, "name") == "invoices.xlsx")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("sheet.xlsx");
    run(stand
        .casemate(&["artifact", "get", field(sheet, "artifact"), "--out"])
        .arg(&path))
    .unwrap();
    let truth = fs::read_to_string(set.join("expected.tsv")).unwrap();
    let two: Vec<&str> = truth.lines().take(3).collect();
    let expected = folder.path().join("expected.tsv");
    fs::write(&expected, two.join("\n")).unwrap();
    story::compare(&path, &expected).unwrap();
}

/// Launchers that agentd keeps started for its next sandboxes.
const READY: usize = 3;

/// Nothing of the job: only agentd itself and its ready launchers have its ids.
fn nothing_left(stand: &Stand) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (launchers, left): (Vec<_>, Vec<_>) = leftover::processes(&stand.layout)
            .into_iter()
            .filter(|(_, line)| !line.contains("agentd serve") && !line.contains("agentd enter"))
            .partition(|(_, line)| line == "/agentd launch");
        if left.is_empty() && launchers.len() <= READY {
            return;
        }
        assert!(
            Instant::now() < until,
            "left running: {left:?} {launchers:?}"
        );
        sleep(Duration::from_millis(20));
    }
}
