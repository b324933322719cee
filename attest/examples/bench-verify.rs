//! Figures of whole verdicts: one evidence of a machine with real firmware, and ten thousand of a
//! software TPM by `attest verify --all`, wall time and processor time.
//!
//! Run by `make bench`; `bench-verify 500` judges that many.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark's output is its result, and it ends when it cannot have one"
)]

#[path = "../tests/stand/mod.rs"]
mod stand;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use casemate_attest::evidence::{Evidence, Statement};
use casemate_attest::leaf::TpmClock;
use casemate_attest::verify::{Inputs, Verifier, verify};
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use p256::pkcs8::LineEnding;
use stand::Stand;

const FILES: usize = 10_000;
const ROUNDS: u32 = 500;

fn main() {
    let files = std::env::args().nth(1).and_then(|count| count.parse().ok());
    println!("attest verify, whole verdicts");
    one();
    all(files.unwrap_or(FILES));
}

/// The evidence of OVMF and swtpm, judged in this process.
fn one() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ovmf-secboot");
    let read = |name: &str| fs::read(here.join(name)).expect("the vector");
    let text = |name: &str| String::from_utf8(read(name)).expect("a PEM file");
    let owner = ed25519_dalek::VerifyingKey::from_public_key_pem(&text("owner.pub")).unwrap();
    let release = p256::ecdsa::VerifyingKey::from_public_key_pem(&text("release.pub")).unwrap();
    let files = ["evidence", "enrolment", "challenge", "challenge.secret"].map(read);
    let [evidence, enrolment, challenge, secret] = &files;
    let asked = casemate_attest::challenge::Challenge::from_bytes(challenge).unwrap();
    let inputs = Inputs {
        challenge: Some(challenge),
        secret: Some(secret),
        now_ms: asked.created_ms,
        accept_development: true,
        ..plain(evidence, enrolment, &owner, &release)
    };
    let line = verify(&inputs).expect("a verdict").line();
    let fresh = processor(|| drop(verify(&inputs)));
    let verifier = Verifier::new(inputs).expect("a verifier");
    let again = processor(|| drop(verifier.judge(evidence)));
    println!(
        "  one evidence, real firmware, {} bytes: {line}",
        evidence.len()
    );
    println!(
        "    processor time, everything anew          {:>8.3} ms",
        millis(fresh)
    );
    println!(
        "    processor time, by a verifier that is up {:>8.3} ms",
        millis(again)
    );
}

fn plain<'i>(
    evidence: &'i [u8],
    enrolment: &'i [u8],
    owner_key: &'i ed25519_dalek::VerifyingKey,
    release_key: &'i p256::ecdsa::VerifyingKey,
) -> Inputs<'i> {
    Inputs {
        evidence,
        enrolment,
        owner_key,
        release_key,
        challenge: None,
        secret: None,
        export: None,
        now_ms: stand::NOW,
        accept_development: false,
    }
}

/// Distinct evidences of one appliance, each with a quote and a clock of its own.
fn all(count: usize) {
    let folder = std::env::temp_dir().join(format!("bench-verify-{}", std::process::id()));
    let evidence = folder.join("evidence");
    fs::create_dir_all(&evidence).expect("a folder");
    let mut stand = Stand::default();
    let body = stand.body(&[]);
    for number in 0..count {
        stand.clock = TpmClock {
            ms: 6000 + number as u64 * 10,
            ..stand::CLOCK
        };
        let mut body = body.clone();
        body.clock.tpm = stand.clock;
        body.statements = vec![Statement {
            name: "number".to_owned(),
            value: number.to_string(),
        }];
        let body = body.sealed();
        let quote = stand.quote(&body.qualifying());
        let bytes = Evidence::new(body, vec![quote]).to_bytes();
        fs::write(evidence.join(format!("{number:05}")), bytes).expect("a file");
    }
    let pem = stand
        .owner
        .verifying_key()
        .to_public_key_pem(LineEnding::LF);
    fs::write(folder.join("owner.pub"), pem.unwrap()).expect("a file");
    let pem = stand
        .release_key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF);
    fs::write(folder.join("release.pub"), pem.unwrap()).expect("a file");
    fs::write(folder.join("enrolment"), stand.enrolment()).expect("a file");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!("  attest verify --all, {count} evidence files, {processors} processors");
    println!("    what                   wall      a second   processor, each");
    run(&folder, count, "lines", &[]);
    run(&folder, count, "JSON", &["--json"]);
    run(&folder, count, "lines and ledger", &["--ledger", "ledger"]);
    fs::remove_dir_all(&folder).expect("the folder to go");
}

fn run(folder: &Path, count: usize, name: &str, more: &[&str]) {
    let mut command = Command::new(attest());
    command
        .current_dir(folder)
        .args(["verify", "--all", "evidence", "--enrolment", "enrolment"]);
    command
        .args(["--owner-key", "owner.pub", "--release-key", "release.pub"])
        .args(more);
    // No challenge was given, so every verdict is CONDITIONAL: the clock of the bench is not the stand's.
    let (began, before) = (Instant::now(), children());
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("attest to run");
    let (wall, used) = (began.elapsed(), children().saturating_sub(before));
    let said = String::from_utf8(output.stdout).expect("text");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains(&count.to_string()), "{last}");
    let rate = count as f64 / wall.as_secs_f64();
    let each = millis(used) / count as f64;
    println!(
        "    {name:<18} {:>8.2} s {rate:>11.0}/s {each:>13.3} ms",
        wall.as_secs_f64()
    );
    if !last.contains("FAIL 0") && !last.contains("\"FAIL\":0") {
        println!("    {last}");
    }
}

/// The command beside this program.
fn attest() -> PathBuf {
    let own = std::env::current_exe().expect("a path of this program");
    let folder = own.parent().and_then(Path::parent).expect("a build folder");
    folder.join("attest")
}

/// The processor time of one call of many.
fn processor(call: impl Fn()) -> Duration {
    let before = ticks(11);
    (0..ROUNDS).for_each(|_| call());
    ticks(11).saturating_sub(before) / ROUNDS
}

/// The processor time of the children that have ended (`cutime` and `cstime`).
fn children() -> Duration {
    ticks(13)
}

/// The sum of a pair of fields of /proc/self/stat, behind the program's name; in ticks of 10 ms.
fn ticks(first: usize) -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("stat");
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let pair = fields.skip(first).take(2);
    let ticks: u64 = pair.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
