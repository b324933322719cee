//! Figures of a whole job: start of the appliance, desktop ready, evidence, memory,
//! and of many jobs at once.
//!
//! Run by `make bench`; prints what was measured on this machine, this time.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use casemate_tests::stand::story::{self, Auditor};
use casemate_tests::stand::{Layout, Stand, leftover, repository};

const JOBS: usize = 15;
/// As many as a machine of 24 GiB shall hold.
const AT_ONCE: u32 = 30;
const VERIFICATIONS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let layout = Layout::new(folder.path(), &repository().join("var"))
        .with_uid_base(900_000)
        .with_slots(AT_ONCE);
    let mut out = io::stdout().lock();
    writeln!(out, "whole job, on swtpm")?;

    let began = Instant::now();
    let stand = Stand::start(layout.clone())?;
    writeln!(
        out,
        "  first start, power-off to ready   {:>8.0} ms",
        millis(began.elapsed())
    )?;

    jobs(&stand, folder.path(), &mut out)?;
    proof(&stand, folder.path(), &mut out)?;
    memory(&stand, &mut out)?;
    at_once(&stand, folder.path(), &mut out)?;
    stand.stop();
    Ok(())
}

fn jobs(stand: &Stand, folder: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let workflow = folder.join("workflow");
    fs::create_dir(&workflow)?;
    fs::write(
        workflow.join("workflow.toml"),
        "version = 1\nname = \"bench\"\nsummary = \"Starts a desktop\"\non_interrupt = \"fail\"\n\
         [grants]\nverbs = [\"screenshot\"]\napplications = []\noutputs = []\n[limits]\nseconds = 60\n",
    )?;
    fs::write(workflow.join("main.star"), "screenshot(\"ready\")\n")?;
    casemate_tests::stand::run(stand.casemate(&["workflow", "add"]).arg(&workflow))?;
    let mut ready = Vec::new();
    let mut whole = Vec::new();
    for _ in 0..JOBS {
        let began = Instant::now();
        stand
            .casemate(&["job", "run", "bench", "--wait"])
            .stdout(Stdio::null())
            .status()?;
        whole.push(began.elapsed());
        let job = story::newest(stand)?;
        let id = job
            .get("job")
            .and_then(|id| id.as_str())
            .unwrap_or_default()
            .to_owned();
        for event in story::events(stand, &id, "phase")? {
            if event.get("target").and_then(|name| name.as_str()) == Some("desktop") {
                ready.extend(
                    event
                        .get("at_ms")
                        .and_then(serde_json::Value::as_u64)
                        .map(Duration::from_millis),
                );
            }
        }
    }
    writeln!(
        out,
        "  lease to desktop ready, of {JOBS:<3}     {:>8.0} ms  slowest {:.0} ms",
        millis(middle(&mut ready)),
        millis(ready.last().copied().unwrap_or_default())
    )?;
    writeln!(
        out,
        "  request to end of a one-step job  {:>8.0} ms",
        millis(middle(&mut whole))
    )?;
    Ok(())
}

fn proof(stand: &Stand, folder: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let auditor = Auditor::enrol(stand, &folder.join("auditor"))?;
    let began = Instant::now();
    auditor.challenge(stand)?;
    writeln!(
        out,
        "  challenge, evidence and export    {:>8.0} ms",
        millis(began.elapsed())
    )?;
    let mut verify = Vec::new();
    for _ in 0..VERIFICATIONS {
        let began = Instant::now();
        let evidence = auditor.at("evidence");
        let status = auditor
            .verify(stand, &evidence, &["--accept-development"])
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err("the evidence did not pass".into());
        }
        verify.push(began.elapsed());
    }
    let verify = middle(&mut verify);
    writeln!(
        out,
        "  attest verify, process and all    {:>8.1} ms",
        verify.as_secs_f64() * 1000.0
    )?;
    Ok(())
}

fn memory(stand: &Stand, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let casemated = stand
        .casemated
        .as_ref()
        .map_or(0, casemate_tests::stand::Daemon::pid);
    for (name, pid) in [
        ("casemated", casemated),
        ("agentd", serve(stand).unwrap_or_default()),
    ] {
        writeln!(
            out,
            "  peak memory of {name:<10}         {:>8.1} MiB",
            kib_to_mib(of_file(&format!("/proc/{pid}/status"), "VmHWM:"))
        )?;
    }
    Ok(())
}

/// Jobs that all have a desktop with an application open at the same time.
fn at_once(stand: &Stand, folder: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let workflow = folder.join("stay");
    fs::create_dir(&workflow)?;
    fs::write(
        workflow.join("workflow.toml"),
        "version = 1\nname = \"stay\"\nsummary = \"Stays\"\non_interrupt = \"fail\"\n\
         [grants]\nverbs = [\"open\", \"wait\"]\napplications = [\"galculator\"]\noutputs = []\n\
         [limits]\nseconds = 600\n",
    )?;
    fs::write(
        workflow.join("main.star"),
        "open(\"galculator\")\nlog(\"open\")\nwait(name = \"nothing\", timeout = 300.0)\n",
    )?;
    casemate_tests::stand::run(stand.casemate(&["workflow", "add"]).arg(&workflow))?;
    let before = [of_agentd, of_all].map(|which| set_size(stand, which));
    let began = Instant::now();
    let mut jobs = Vec::new();
    for _ in 0..AT_ONCE {
        let accepted = stand.json(&["job", "run", "stay"])?;
        jobs.push(text(&accepted, "job"));
    }
    let mut waiting = jobs.clone();
    while let Some(job) = waiting.pop() {
        // All of them have logged before one of them is looked at for memory.
        while story::events(stand, &job, "log")?.is_empty() {
            let state = text(&stand.json(&["job", "show", &job])?, "state");
            if !["queued", "leased", "running"].contains(&state.as_str()) {
                return Err(format!("a job of {AT_ONCE} at once is {state}").into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let took = began.elapsed();
    let per = |kib: u64| kib_to_mib(kib) / f64::from(AT_ONCE);
    writeln!(
        out,
        "  {AT_ONCE} jobs at once, all open        {:>8.1} s\n  \
         agentd, launchers, inits per job  {:>8.1} MiB\n  \
         with X, applications, agents      {:>8.1} MiB",
        took.as_secs_f64(),
        per(set_size(stand, of_agentd).saturating_sub(before[0])),
        per(set_size(stand, of_all).saturating_sub(before[1]))
    )?;
    for job in &jobs {
        stand.json(&["job", "cancel", job])?;
    }
    Ok(())
}

fn text(value: &serde_json::Value, key: &str) -> String {
    let text = value.get(key).and_then(serde_json::Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn serve(stand: &Stand) -> Option<u32> {
    leftover::processes(&stand.layout)
        .into_iter()
        .find(|(_, line)| line.contains("serve"))
        .map(|(pid, _)| pid)
}

fn of_agentd(line: &str) -> bool {
    line.starts_with("/agentd ")
}

fn of_all(_: &str) -> bool {
    true
}

/// What processes with agentd's ids hold, shared pages divided, in KiB.
fn set_size(stand: &Stand, which: fn(&str) -> bool) -> u64 {
    leftover::processes(&stand.layout)
        .into_iter()
        .filter(|(_, line)| which(line))
        .map(|(pid, _)| of_file(&format!("/proc/{pid}/smaps_rollup"), "Pss:"))
        .sum()
}

fn of_file(path: &str, key: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok())
        .unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn kib_to_mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
