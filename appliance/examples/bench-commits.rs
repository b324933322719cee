//! Durable commits a second, beside SQLite in WAL mode with synchronous=FULL, in one run.
//!
//! Ours is the whole of a commit: sealed twice, journaled, synced, a leaf of the audit log under a
//! signed checkpoint, applied to the index. SQLite's is one row of the same size in one table,
//! each writer with a connection of its own. The two take turns on the same file system, so that
//! what else the machine does hits both.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark's output is its result, and it ends when it cannot have one"
)]

#[path = "../tests/state_bed/mod.rs"]
mod state_bed;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use casemate_appliance::store::Store;
use state_bed::{Tpm, log_line, open};

const WRITERS: [usize; 3] = [1, 8, 64];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);
const TEXT: usize = 160;

fn main() {
    let base = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(&base).expect("a directory for the benchmark");
    let (ours, theirs) = (dir.path().join("state"), dir.path().join("sqlite"));
    std::fs::create_dir(&theirs).expect("a directory for SQLite");
    let (store, _) = open(&ours, &Tpm::default()).expect("a new state");
    state_bed::fill(&store, 1);
    sqlite(&theirs)
        .execute_batch("CREATE TABLE entry (id INTEGER PRIMARY KEY, line BLOB NOT NULL)")
        .expect("a table");
    println!("durable commits a second, {}", base.display());
    println!(
        "one file, one writer, pwrite and fdatasync: {:.0}",
        bare(dir.path())
    );
    for writers in WRITERS {
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            mine.push(of_store(&store, writers));
            other.push(of_sqlite(&theirs, writers));
        }
        let (mine, other) = (median(mine), median(other));
        println!(
            "{writers:>2} writers: casemate {mine:>6.0}, SQLite WAL FULL {other:>6.0}, ratio {:.2}",
            mine / other
        );
    }
    store.close().expect("a clean end");
}

fn of_store(store: &Store, writers: usize) -> f64 {
    static NUMBER: AtomicU64 = AtomicU64::new(10);
    let text = "x".repeat(TEXT);
    rate(writers, |_| {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        store.commit(log_line(1, number, &text)).expect("a commit");
    })
}

fn of_sqlite(dir: &Path, writers: usize) -> f64 {
    let connections: Vec<_> = (0..writers)
        .map(|_| std::sync::Mutex::new(sqlite(dir)))
        .collect();
    let line = vec![b'x'; TEXT];
    rate(writers, |writer| {
        let connection = connections
            .get(writer)
            .expect("one each")
            .lock()
            .expect("no panic");
        connection
            .prepare_cached("INSERT INTO entry (line) VALUES (?1)")
            .and_then(|mut insert| insert.execute([&line]))
            .expect("an insert");
    })
}

fn sqlite(dir: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(dir.join("db")).expect("a database");
    connection
        .busy_timeout(Duration::from_secs(60))
        .expect("a time-out");
    connection
        .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        .expect("WAL mode");
    connection
}

fn bare(dir: &Path) -> f64 {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::create(dir.join("bare")).expect("a file");
    let at = AtomicU64::new(0);
    rate(1, |_| {
        let offset = at.fetch_add(400, Ordering::Relaxed);
        file.write_all_at(&[7; 400], offset).expect("a write");
        file.sync_data().expect("a sync");
    })
}

/// Calls a second, from `writers` threads for one round.
fn rate(writers: usize, commit: impl Fn(usize) + Sync) -> f64 {
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (stop, count, commit) = (&stop, &count, &commit);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    commit(writer);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while began.elapsed() < ROUND {
            std::thread::park_timeout(ROUND.saturating_sub(began.elapsed()));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let commits = count.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 commits")]
    let commits = commits as f64;
    commits / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
