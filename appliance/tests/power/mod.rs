//! A power cut, from what a real process really asked of the kernel.
//!
//! A writer runs as a child under strace. Its calls on files are replayed onto a model of a disk
//! that keeps only what the standard promises: bytes that were covered by an `fsync` or
//! `fdatasync` that returned, names whose directory was synced. Of what was not synced, nothing,
//! all, or a random and torn part may have arrived. The disk of any moment is then laid out as
//! real files, for the real program to open.

mod disk;
mod trace;

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use disk::Arrived;
use disk::Disk;
use trace::Event;

/// What a child did, call by call.
#[derive(Debug)]
pub(crate) struct Recording {
    root: PathBuf,
    events: Vec<Event>,
}

/// A disk as a power cut left it.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) dir: tempfile::TempDir,
    /// What the child had acknowledged by then.
    pub(crate) acknowledged: Vec<u64>,
}

/// Environment variable that tells a child where to write.
const ROOT: &str = "CASEMATE_TEST_POWER_ROOT";

/// In the child: the directory to write to, and a call that acknowledges a number.
pub(crate) fn child() -> (PathBuf, impl Fn(u64) + Sync) {
    let root = PathBuf::from(std::env::var_os(ROOT).expect("run by its parent test only"));
    let acks = std::fs::File::create(root.with_extension("acks")).unwrap();
    let acknowledge = move |number: u64| {
        use std::io::Write as _;
        // One call, so that an acknowledgement is one event.
        (&acks).write_all(format!("{number}\n").as_bytes()).unwrap();
    };
    (root, acknowledge)
}

impl Recording {
    /// Runs the ignored test `name` of this program as a child and records it.
    pub(crate) fn of(name: &str) -> Self {
        let work = tempfile::tempdir().unwrap();
        let root = work.path().canonicalize().unwrap().join("disk");
        std::fs::create_dir(&root).unwrap();
        let trace = work.path().join("trace");
        let output = Command::new("strace")
            .args([
                "-f",
                "-y",
                "-xx",
                "-s",
                "100000000",
                "-e",
                trace::CALLS,
                "-o",
            ])
            .arg(&trace)
            .arg(std::env::current_exe().unwrap())
            .args([
                name,
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROOT, &root)
            .output()
            .expect("strace is installed (ci/debian-packages.txt)");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = std::fs::read_to_string(&trace).unwrap();
        let events = trace::parse(&text, &root);
        Self { root, events }
    }

    /// How many moments there are at which the power can go.
    pub(crate) fn moments(&self) -> usize {
        self.events.len()
    }

    /// Everything that was acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, Event::Acknowledged(_)))
            .count()
    }

    /// What is left when the power goes before event `moment`.
    pub(crate) fn cut(&self, moment: usize, arrived: Arrived) -> Remains {
        let mut disk = Disk::default();
        let mut acknowledged = Vec::new();
        for event in &self.events[..moment] {
            match event {
                Event::Acknowledged(number) => acknowledged.push(*number),
                other => disk.apply(other),
            }
        }
        let dir = tempfile::tempdir().unwrap();
        disk.lay_out(&self.root, dir.path(), arrived);
        Remains { dir, acknowledged }
    }
}

/// Numbers from a seed: splitmix64.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below.max(1) as u64).unwrap()
    }
}

/// Whether a path is the directory or below it.
fn within(root: &Path, path: &Path) -> bool {
    path.starts_with(root)
}
