//! Figures of a whole job: start of the appliance, desktop ready, evidence, memory.
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

const JOBS: usize = 5;
const VERIFICATIONS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let layout = Layout::new(folder.path(), &repository().join("var")).with_uid_base(900_000);
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
        "  lease to desktop ready (p50 of {JOBS})  {:>8.0} ms",
        millis(middle(&mut ready))
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
    let peak = |pid: u32| -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").trim().parse().ok()
    };
    let casemated = stand
        .casemated
        .as_ref()
        .map_or(0, casemate_tests::stand::Daemon::pid);
    let serve = leftover::processes(&stand.layout)
        .into_iter()
        .find(|(_, line)| line.contains("serve"));
    for (name, pid) in [
        ("casemated", casemated),
        ("agentd", serve.map_or(0, |(pid, _)| pid)),
    ] {
        if let Some(kib) = peak(pid) {
            writeln!(
                out,
                "  peak memory of {name:<10}         {:>8.1} MiB",
                kib_to_mib(kib)
            )?;
        }
    }
    Ok(())
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
