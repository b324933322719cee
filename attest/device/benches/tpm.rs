//! Latency of what the appliance asks of its TPM, on swtpm. A hardware TPM takes 200 to 600 ms
//! for each signature; these figures are of the client and the software TPM.
//!
//! `cargo bench --profile dev -p casemate-device --bench tpm`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints and fails by panicking"
)]

#[path = "../tests/bed/mod.rs"]
mod bed;

use std::time::Instant;

use bed::Bed;
use casemate_attest::digest::Digest;

fn time(name: &str, rounds: usize, mut operation: impl FnMut()) {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            operation();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (p50, p95) = (times[rounds / 2], times[rounds * 95 / 100]);
    println!("tpm {name}: p50 {p50:.2} ms, p95 {p95:.2} ms ({rounds} rounds)");
}

fn main() {
    let mut bed = Bed::new();
    let tpm = bed.start();
    let start = Instant::now();
    bed.provision(&tpm).unwrap();
    println!(
        "tpm first boot: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    drop(tpm);
    bed.reset();
    let tpm = bed.start();
    let start = Instant::now();
    let handover = bed.open(&tpm).unwrap();
    println!(
        "tpm open the root: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    let log = storage.log_key(&handover.log_key_name).unwrap();
    let (counter, auth) = (handover.counter_auth(), handover.log_auth());
    let digest = Digest::of(b"bench");
    let ak = || tpm.attestation_key().unwrap();
    time("make the attestation key", 200, || drop(ak()));
    let key = ak();
    time("quote of 12 registers", 500, || {
        drop(key.quote(&digest).unwrap())
    });
    time("certify the log key", 200, || {
        drop(key.certify(&log, &auth, &digest).unwrap())
    });
    drop(key);
    time("log signature", 500, || {
        drop(log.sign(&auth, digest.as_bytes()).unwrap())
    });
    time("counter read", 500, || {
        assert!(storage.counter(&counter).unwrap() > 0)
    });
    time("counter increment", 500, || {
        assert!(storage.increment_counter(&counter).unwrap() > 0);
    });
}
