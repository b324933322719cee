//! Measures what one job notices of another that runs every resource attack:
//! `bench-neighbour [STEPS]`.
//!
//! The victim is a desktop with hands, as agentd makes them for a job, and its steps
//! are the hands' own; the neighbour is one more sandbox of the profile `desktop`, with
//! its shipped limits, in which a hostile program repeats the attacks of `tests/escape`
//! for as long as is measured. Before each attack the same steps are measured alone.
//!
//! Needs root and the built packs. Prints one line an attack; p99 must not double.

#![allow(
    unsafe_code,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "a benchmark that fails should say where, and its attacker makes raw calls"
)]
#![allow(
    dead_code,
    reason = "stage and deeds are shared with the tests, which use more of them"
)]

#[path = "../../tests/escape/attack.rs"]
mod attack;
#[path = "../../tests/escape/attacker.rs"]
mod attacker;
#[path = "../../tests/escape/deeds.rs"]
mod deeds;
#[path = "../../tests/hands/stage.rs"]
mod stage;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use casemate_agentd::denial::reader::Reader;
use casemate_agentd::denial::start::CHANNEL;
use casemate_agentd::denial::{Started, Watch};
use casemate_agentd::sandbox::enclosure::{AGENTD, PACKS};
use casemate_agentd::sandbox::{Bind, Ending, LaunchSpec, Narrowed, Right, Sandbox, sys};
use casemate_agentd::supervisor::workspace::Workspace;
use casemate_protocol::action::Action;
use casemate_protocol::id::JobId;
use clap::Parser;

/// The neighbour's id in agentd's numbering; the stage has the first ones.
const UID: u32 = 900;
/// Steps of each kind in one measurement.
const STEPS: usize = 300;

#[derive(Debug, Parser)]
struct AuditReader {
    #[command(flatten)]
    reader: Reader,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["launch", ..] => casemate_agentd::sandbox::launch::main(),
        ["session", ..] => casemate_agentd::desktop::session::main(),
        ["audit-reader", ..] => AuditReader::parse_from(std::env::args().skip(1))
            .reader
            .main(),
        ["attack", ref deeds @ ..] => attacker::main(deeds),
        ["inside", steps] => inside(steps.parse().unwrap_or(STEPS)),
        _ => {
            let own = std::env::current_exe().unwrap();
            let programs = own.parent().and_then(Path::parent).unwrap();
            let steps = words.first().copied().unwrap_or_default();
            outside(steps, &programs.join("agent-hands"))
        }
    }
}

/// The rooms, and an audit reader beside them, as when agentd serves.
fn outside(steps: &str, hands: &Path) -> ExitCode {
    // Who asks for the steps stands where agentd's supervisor does, which no session is
    // nice for: in a nice one it would be starved, and that would be measured.
    let _none_here = std::fs::write("/proc/self/autogroup", "0");
    let rooms = stage::rooms(steps, hands, Vec::new());
    let (reader, denials) = Started::new(rooms.uid_base, rooms.uid_count, false).unwrap();
    let code = stage::ended(&rooms.run_watched(Some(denials)).unwrap());
    drop(reader);
    code
}

/// One kind of step.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Keys, as short as a step gets: four processes hand it on and back.
    Keys,
    /// The whole screen, taken and compressed: work of a processor.
    Picture,
}

fn inside(steps: usize) -> ExitCode {
    // As agentd serves: somebody hears of what is denied.
    let watch = sys::adopt(CHANNEL).map(Watch::of).unwrap();
    watch.open(0..1000);
    println!("a job beside a hostile one, {steps} steps of each kind");
    let mut victim = stage::Stage::up("victim");
    victim.open("mousepad", &[]);
    victim.wait(stage::window("Mousepad"));
    let mut alone = [Vec::new(), Vec::new()];
    let mut beside = Vec::new();
    measure(&mut victim, 20);
    for (name, deeds) in attacker::ATTACKS {
        for (all, more) in alone.iter_mut().zip(measure(&mut victim, steps / 2)) {
            all.extend(more);
        }
        let neighbour = Neighbour::start(deeds);
        // It needs a moment to be at its worst, and so does what it pushes out.
        measure(&mut victim, 20);
        let times = measure(&mut victim, steps);
        beside.push((name, times, neighbour.end()));
    }
    let alone = alone.map(percentiles);
    show("alone", alone, alone);
    for (name, times, used) in beside {
        show(name, times.map(percentiles), alone);
        println!("    {used}");
    }
    ExitCode::SUCCESS
}

/// How long each step took, by kind.
fn measure(victim: &mut stage::Stage, steps: usize) -> [Vec<Duration>; 2] {
    [Step::Keys, Step::Picture].map(|kind| {
        let once = |_| {
            let action = match kind {
                Step::Keys => Action::Keys {
                    chords: vec!["Right".into()],
                },
                Step::Picture => Action::Screenshot {
                    label: "step".into(),
                },
            };
            let started = Instant::now();
            victim.act(action);
            started.elapsed()
        };
        (0..steps).map(once).collect()
    })
}

/// The hostile sandbox: started again whenever the kernel ends it for what it does.
struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<String>,
}

impl Neighbour {
    fn start(deeds: &'static [&'static str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let workspace = Workspace::create(JobId([255; 16]), 256, UID).unwrap();
            let mut all = Vec::new();
            while !stopping.load(Ordering::Relaxed) {
                all.push(run(&workspace, deeds, &stopping));
            }
            used(&all)
        });
        Self { stop, thread }
    }

    /// What it used.
    fn end(self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// One sandbox until it has ended or is to stop.
fn run(workspace: &Workspace, deeds: &[&str], stop: &AtomicBool) -> Ending {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let bind = |from: &Path, at: &str, right| Bind {
        from: from.to_str().unwrap().to_owned(),
        at: at.to_owned(),
        right,
    };
    let argv = ["/agent/agentd", "attack"].iter().chain(deeds);
    let running = Sandbox::spawn(LaunchSpec {
        egress: false,
        profile: "desktop".to_owned(),
        name: "desktop-hostile".to_owned(),
        uid: UID,
        root: format!("{PACKS}/desktop"),
        binds: vec![
            bind(Path::new(AGENTD), "/agent/agentd", Right::Execute),
            bind(&workspace.desk(), "/run/desk", Right::Write),
            bind(&workspace.x11(), "/tmp/.X11-unix", Right::Write),
            bind(&workspace.work(), "/workspace", Right::Write),
        ],
        argv: argv.map(|word| (*word).to_owned()).collect(),
        environment: Vec::new(),
        passed: Some(theirs.into()),
        limits: Narrowed::default(),
    })
    .unwrap();
    while !stop.load(Ordering::Relaxed) {
        if let Some(ending) = running.wait_until(Instant::now() + Duration::from_millis(200)) {
            return ending;
        }
    }
    running.kill();
    running.wait()
}

/// That the attack was one: what the kernel says was used.
fn used(all: &[Ending]) -> String {
    let most = |of: fn(&Ending) -> u64| all.iter().map(of).max().unwrap_or(0);
    let kills: u64 = all.iter().map(|one| one.memory_kills).sum();
    format!(
        "it had {} MiB, {} processes at once; {kills} were ended for memory; {} sandboxes",
        most(|one| one.memory_peak) >> 20,
        most(|one| one.pids_peak),
        all.len()
    )
}

type Percentiles = (Duration, Duration);

fn percentiles(mut times: Vec<Duration>) -> Percentiles {
    times.sort_unstable();
    let at = |hundredths: usize| times[(times.len() * hundredths).div_ceil(100).saturating_sub(1)];
    (at(50), at(99))
}

fn show(name: &str, [keys, picture]: [Percentiles; 2], alone: [Percentiles; 2]) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let ratio = |one: Duration, to: Duration| one.as_secs_f64() / to.as_secs_f64();
    let line = |kind: &str, (p50, p99): Percentiles, (_, whole): Percentiles| {
        format!(
            "{kind} p50 {:>6.2} p99 {:>6.2} ms, p99 ratio {:>5.2}",
            ms(p50),
            ms(p99),
            ratio(p99, whole)
        )
    };
    println!(
        "  {name:<17} {}   {}",
        line("keys", keys, alone[0]),
        line("picture", picture, alone[1])
    );
}
