//! After many jobs of every ending nothing is left: no process, mount, control group,
//! namespace, loop device, folder or identity, and no more descriptors.
//!
//! `make test` runs a few; `make test-leaks` a thousand. What is compared is what the
//! kernel says of the host and of both daemons, before and after.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use casemate_tests::stand::{Layout, Stand, leftover, repository, run};

/// Long enough for the last job's clean-up on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many jobs: this many in `make test`, others by the environment.
const FEW: usize = 25;
const COUNT: &str = "CASEMATE_TEST_JOBS";

/// How a job ends: its workflow, and the exit code of `job run --wait`.
const ENDINGS: [(&str, &str, i32); 6] = [
    ("done", "log(\"done\")\n", 0),
    ("shown", "open(\"galculator\")\nscreenshot(\"shown\")\n", 0),
    ("failed", "fail_job(\"no\")\n", 1),
    ("refused", "read_file(\"in/none\")\n", 1),
    ("greedy", "sorted(range(300000000))\n", 1),
    ("stopped", "wait(name = \"nothing\", timeout = 50.0)\n", 1),
];
/// Over its time, which is ten seconds at least: one in so many.
const LATE: (&str, &str, i32) = ("late", SPIN, 1);
const SPIN: &str = "\
def f():
    for a in range(1000000):
        for b in range(1000000):
            pass
f()
";
const SELDOM: usize = 25;

#[test]
fn after_many_jobs_nothing_is_left() {
    let count = std::env::var(COUNT).map_or(FEW, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(&folder.path().join("s"), &repository().join("var"));
    let layout = layout.with_uid_base(1_100_000);
    let outside = leftover::mounts();
    let stand = Stand::start(layout.clone()).unwrap();
    for (name, main, _) in ENDINGS.into_iter().chain([LATE]) {
        let workflow = workflow(folder.path(), name, main);
        run(stand.casemate(&["workflow", "add"]).arg(workflow)).unwrap();
    }
    // Once round, so that what a first time makes is made.
    jobs(&stand, ENDINGS.len());
    let before = settled(&stand, None);
    stopped(&stand, ENDINGS[5].0, Some(&before));
    jobs(&stand, count);
    let after = settled(&stand, Some(&before));
    assert_eq!(before, after);
    println!("{count} jobs: {after:#?}");
    stand.stop();
    assert_eq!(leftover::processes(&layout), vec![]);
    assert_eq!(leftover::mounts(), outside);
}

fn workflow(folder: &Path, name: &str, main: &str) -> PathBuf {
    let own = folder.join(name);
    fs::create_dir_all(&own).unwrap();
    let seconds = if name == LATE.0 { 10 } else { 60 };
    let toml = format!(
        "version = 1\nname = \"{name}\"\nsummary = \"A test\"\non_interrupt = \"fail\"\n\
         [grants]\nverbs = [\"open\", \"wait\", \"files\", \"screenshot\"]\n\
         applications = [\"galculator\"]\noutputs = []\n[limits]\nseconds = {seconds}\n"
    );
    fs::write(own.join("workflow.toml"), toml).unwrap();
    fs::write(own.join("main.star"), main).unwrap();
    own
}

fn jobs(stand: &Stand, count: usize) {
    for number in 0..count {
        let (name, _, exit) = match number % SELDOM {
            12 => LATE,
            _ => ENDINGS[number % ENDINGS.len()],
        };
        if number % 100 == 99 {
            println!("{} jobs", number + 1);
        }
        if name == "stopped" {
            stopped(stand, name, None);
            continue;
        }
        let output = stand
            .casemate(&["job", "run", name, "--wait"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(exit), "{name}: {words}");
    }
}

/// The look must see what a job holds, or it would see nothing left behind.
fn sees(before: &Held, during: &Held) -> bool {
    let open = |held: &Held| held.descriptors["agentd serve"];
    let spaces = |held: &Held| held.namespaces["mnt"];
    during.processes.len() > before.processes.len()
        && spaces(during) >= spaces(before) + 3
        && during.mounts.len() > before.mounts.len()
        && during.groups.len() > before.groups.len()
        && during.folders.len() > before.folders.len()
        && open(during) > open(before)
}

/// Cancelled as soon as it runs, or as soon as it is seen to.
fn stopped(stand: &Stand, name: &str, before: Option<&Held>) {
    let accepted = stand.json(&["job", "run", name]).unwrap();
    let job = accepted["job"].as_str().unwrap().to_owned();
    until(|| {
        let state = state(stand, &job);
        (state == "running").then_some(())
    });
    if let Some(before) = before {
        until(|| sees(before, &held(stand)).then_some(()));
    }
    run(&mut stand.casemate(&["job", "cancel", &job])).unwrap();
    until(|| (state(stand, &job) == "cancelled").then_some(()));
}

fn state(stand: &Stand, job: &str) -> String {
    let view = stand.json(&["job", "show", job]).unwrap();
    view["state"].as_str().unwrap().to_owned()
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "it does not happen");
        sleep(Duration::from_millis(20));
    }
}

/// What the host and the daemons hold.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    /// Processes with agentd's ids: how many of each command line.
    processes: BTreeMap<String, usize>,
    /// Namespaces that those are in, by kind.
    namespaces: BTreeMap<String, usize>,
    /// Open descriptors of each daemon.
    descriptors: BTreeMap<String, usize>,
    /// Mounts that agentd sees.
    mounts: Vec<String>,
    /// Control groups below agentd's.
    groups: BTreeSet<String>,
    /// Folders of jobs.
    folders: Vec<String>,
    /// Loop devices with a file behind them.
    loops: usize,
}

/// What is held once it stays so, or is as it was before.
fn settled(stand: &Stand, before: Option<&Held>) -> Held {
    let end = Instant::now() + PATIENCE;
    let mut last = held(stand);
    loop {
        sleep(Duration::from_millis(500));
        let now = held(stand);
        let done = before.map_or(now == last, |before| now == *before);
        if done || Instant::now() > end {
            return now;
        }
        last = now;
    }
}

fn held(stand: &Stand) -> Held {
    let mut held = Held::default();
    let mut namespaces = BTreeSet::new();
    let mut agentd = None;
    for (pid, line) in leftover::processes(&stand.layout) {
        if line.contains(" serve ") {
            agentd = Some(pid);
            *held.descriptors.entry("agentd serve".into()).or_default() += open(pid);
        }
        namespaces.extend(namespaces_of(pid));
        *held.processes.entry(line).or_default() += 1;
    }
    for (kind, _) in namespaces {
        *held.namespaces.entry(kind).or_default() += 1;
    }
    let casemated = stand.casemated.as_ref().unwrap().pid();
    held.descriptors.insert("casemated".into(), open(casemated));
    let enter = stand.agentd.as_ref().unwrap().pid();
    held.descriptors.insert("agentd enter".into(), open(enter));
    let agentd = agentd.unwrap();
    held.mounts = mounts(agentd);
    held.groups = groups(agentd);
    held.folders = names(&PathBuf::from(format!("/proc/{agentd}/root/jobs")));
    held.loops = names(Path::new("/sys/block"))
        .iter()
        .filter(|name| Path::new(&format!("/sys/block/{name}/loop/backing_file")).exists())
        .count();
    held
}

fn open(pid: u32) -> usize {
    names(Path::new(&format!("/proc/{pid}/fd"))).len()
}

fn namespaces_of(pid: u32) -> Vec<(String, PathBuf)> {
    let folder = PathBuf::from(format!("/proc/{pid}/ns"));
    names(&folder)
        .into_iter()
        .filter_map(|kind| Some((kind.clone(), fs::read_link(folder.join(kind)).ok()?)))
        .collect()
}

fn mounts(pid: u32) -> Vec<String> {
    // Ids and the parent's are the kernel's to choose; the place and the kind are not.
    let list = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    let mut mounts: Vec<_> = list
        .lines()
        .map(|line| {
            line.split_whitespace()
                .skip(4)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    mounts.sort();
    mounts
}

/// agentd's groups but those of ready launchers, whose numbers only grow.
fn groups(pid: u32) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    below(
        Path::new(&format!("/proc/{pid}/root/group")),
        "",
        &mut found,
    );
    found
}

fn below(folder: &Path, at: &str, found: &mut BTreeSet<String>) {
    for name in names(folder) {
        let (path, at) = (folder.join(&name), format!("{at}/{name}"));
        if path.is_dir() && !name.starts_with("launcher-") {
            below(&path, &at, found);
            found.insert(at);
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
