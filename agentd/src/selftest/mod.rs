//! Whether the layers stand: a built-in set of attempts, made in a sandbox of each
//! profile and, as the control, outside of one.
//!
//! Guaranteed: agentd serves only after every attempt of its own profiles, and every
//! one in the supervisor's own confinement, was answered as it must be. Not guaranteed: that what was not attempted would have
//! been; `agentd/tests/escape` attempts far more. The attempts are this program's
//! own (probe.rs), so they are there wherever it is.

mod command;
mod expected;
mod probe;

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use casemate_protocol::id::Digest;
use casemate_protocol::{Code, codec, frame};
use minicbor::{Decode, Encode};
use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::code;
use crate::sandbox::builder::{self, Role};
use crate::sandbox::confinement::confine_supervisor;
use crate::sandbox::enclosure::AGENTD;
use crate::sandbox::{Bind, How, LaunchSpec, Narrowed, Refusal, Right, Running, Sandbox};
use expected::Place;

pub use command::{SelfTest, inside};
pub use probe::main as probe;

/// What the supervisor is called among the profiles. There is no such profile.
pub const SUPERVISOR: &str = "supervisor";
/// Calls another architecture's table: what is seen of it is how the probe ends.
const FOREIGN: &str = "foreign-calls";
/// Looks whether the kernel holds the sandbox's group to its limits.
const LIMITS: &str = "group-limits";

/// The profiles that agentd itself starts compartments of.
pub const SERVED: [&str; 5] = ["desktop", "hands", "script", "strict", "proxy"];

/// Where this program is in a sandbox under test.
const INSIDE: &str = "/agent/agentd";
/// The first sandbox's id in agentd's numbering; below those of jobs.
const FIRST_UID: u32 = 900;
/// How long the attempts may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// From here a descriptor is left open for programs that agentd starts. Without it
/// there would be nothing for a sandbox to close but what agentd itself was started with.
const PLANTED: i32 = 200;
/// Largest answer of a probe, which is hostile ground once it is in a sandbox.
const LARGEST: usize = 16 << 10;

/// One attempt or look, and its answer: `ok`, `errno N`, or what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Finding {
    /// The attempt's name.
    #[n(0)]
    pub attempt: String,
    /// What came of it.
    #[n(1)]
    pub answer: String,
}

/// What was found in one profile.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Tested {
    /// The profile.
    #[n(0)]
    pub profile: String,
    /// By attempt, in the order made.
    #[n(1)]
    pub findings: Vec<Finding>,
}

/// A self-test that was passed. There is no other way to one, but from the builder to
/// its supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Passed {
    /// The control's findings, outside.
    #[n(0)]
    control: Vec<Finding>,
    /// By profile.
    #[n(1)]
    profiles: Vec<Tested>,
}

impl Passed {
    /// SHA-256 of the canonical encoding: the same on every start of the same
    /// release on the same kernel.
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(codec::encode(self)).into())
    }
}

/// Why the layers are not known to stand.
#[derive(Debug, Error)]
pub enum SelfTestError {
    /// A layer does not hold.
    #[error(
        "in the profile {profile} {layer} is missing: {attempt} was answered `{found}`, not `{expected}`"
    )]
    Missing {
        /// The profile.
        profile: String,
        /// The layer, in words.
        layer: &'static str,
        /// The attempt.
        attempt: String,
        /// What came of it.
        found: String,
        /// What must come of it.
        expected: &'static str,
    },
    /// Outside the attempt fails as well, so its failing inside shows nothing.
    #[error("outside a sandbox {attempt} is answered `{found}` as well, so it shows nothing")]
    Control {
        /// The attempt.
        attempt: String,
        /// What came of it.
        found: String,
    },
    /// No sandbox could be started.
    #[error("no sandbox of the profile {profile} was started: {source}")]
    Refused {
        /// The profile.
        profile: String,
        /// Why.
        source: Refusal,
    },
    /// agentd itself could not be confined.
    #[error("agentd could not be confined itself: {0}")]
    Itself(#[from] Refusal),
    /// The attempts were not made, or not all.
    #[error("the attempts were not made in {place}: {why}")]
    Unanswered {
        /// A profile, or outside.
        place: String,
        /// Why.
        why: String,
    },
}

impl SelfTestError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Missing { .. } => &code::SELFTEST_LAYER,
            Self::Control { .. } => &code::SELFTEST_CONTROL,
            Self::Refused { source, .. } | Self::Itself(source) => source.code,
            Self::Unanswered { .. } => &code::SELFTEST_UNANSWERED,
        }
    }
}

/// Makes every attempt outside and in `profiles`. Only in agentd's rooms; `root` is
/// a mounted root pack.
///
/// # Errors
/// [`SelfTestError`] of the first layer that is missing.
pub fn run<'a>(
    root: &str,
    profiles: impl IntoIterator<Item = &'a str>,
) -> Result<Passed, SelfTestError> {
    let planted = planted().map_err(|e| unanswered("agentd's rooms", &e))?;
    let (control, all) = std::thread::scope(|scope| {
        // Side by side: a start mostly waits for the kernel.
        let all: Vec<_> = profiles
            .into_iter()
            .zip(FIRST_UID..)
            .map(|(profile, uid)| (profile, scope.spawn(move || in_sandbox(root, profile, uid))))
            .collect();
        let control = outside();
        let joined: Vec<_> = all
            .into_iter()
            .map(|(profile, thread)| (profile, thread.join()))
            .collect();
        (control, joined)
    });
    drop(planted);
    let control = control?;
    let mut tested = Vec::new();
    let mut ending = Vec::new();
    for (profile, findings) in all {
        let (findings, running) =
            findings.map_err(|_| unanswered(profile, &"the thread that asked ended"))??;
        ending.push(running);
        expected::check(profile, &findings, &control)?;
        tested.push(Tested {
            profile: profile.to_owned(),
            findings,
        });
    }
    if tested.is_empty() {
        return Err(unanswered("any profile", &"none was named"));
    }
    // They have ended; nobody needs to wait until their groups are gone.
    let _thread = std::thread::Builder::new().spawn(move || drop(ending));
    Ok(Passed {
        control,
        profiles: tested,
    })
}

/// Makes this process two, see [`builder`]. In the supervisor it returns confined, with
/// the self-test passed: the attempts in `profiles` were made by the builder, those in
/// the supervisor's own confinement by itself. It may still read the places in `read`.
///
/// # Errors
/// [`SelfTestError`] of the first layer that is missing.
pub fn found<'a>(
    root: &str,
    profiles: impl IntoIterator<Item = &'a str>,
    read: &[String],
) -> Result<Founded, SelfTestError> {
    let first = || run(root, profiles).map(|passed| codec::encode(&passed));
    let told = match builder::found(first)? {
        Role::Builder(how) => return Ok(Founded::Builder(how)),
        Role::Supervisor(told) => told,
    };
    let mut passed: Passed =
        codec::decode_canonical(&told).map_err(|e| unanswered("any profile", &e))?;
    confine_supervisor(read)?;
    let findings = probe::make(Some(Place::Supervisor));
    expected::check(SUPERVISOR, &findings, &passed.control)?;
    passed.profiles.push(Tested {
        profile: SUPERVISOR.to_owned(),
        findings,
    });
    Ok(Founded::Supervisor(passed))
}

/// Which of the two this process is.
#[derive(Debug)]
pub enum Founded {
    /// The supervisor, confined.
    Supervisor(Passed),
    /// The builder, and the supervisor has ended like this.
    Builder(How),
}

fn unanswered(place: &str, why: &dyn std::fmt::Display) -> SelfTestError {
    SelfTestError::Unanswered {
        place: place.to_owned(),
        why: why.to_string(),
    }
}

/// A descriptor that an exec does not close.
fn planted() -> io::Result<OwnedFd> {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let planted = rustix::io::fcntl_dupfd_cloexec(&root, PLANTED)?;
    rustix::io::fcntl_setfd(&planted, FdFlags::empty())?;
    Ok(planted)
}

/// The control: this program as it is in agentd's rooms, not in a sandbox.
fn outside() -> Result<Vec<Finding>, SelfTestError> {
    let failed = |e: &dyn std::fmt::Display| unanswered("agentd's rooms", e);
    let (ours, theirs) = UnixStream::pair().map_err(|e| failed(&e))?;
    let mut child = Command::new(AGENTD)
        .args(["probe", "0"])
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .spawn()
        .map_err(|e| failed(&e))?;
    let findings = read(&ours).and_then(|findings| Ok(let_go(&ours).map(|()| findings)?));
    if findings.is_err() {
        let _gone = child.kill();
    }
    // It ends by itself once it has answered.
    let status = child.wait().map_err(|e| failed(&e))?;
    let mut findings = findings.map_err(|e| failed(&e))?;
    findings.push(finding(FOREIGN, ended(status.code(), status.signal())));
    findings.push(finding(LIMITS, "none".to_owned()));
    Ok(findings)
}

fn finding(attempt: &str, answer: String) -> Finding {
    let attempt = attempt.to_owned();
    Finding { attempt, answer }
}

fn ended(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "killed".to_owned(),
    }
}

fn in_sandbox(
    root: &str,
    profile: &str,
    uid: u32,
) -> Result<(Vec<Finding>, Running), SelfTestError> {
    let (ours, theirs) = UnixStream::pair().map_err(|e| unanswered(profile, &e))?;
    let running = Sandbox::spawn(LaunchSpec {
        egress: false,
        profile: profile.to_owned(),
        name: format!("selftest-{profile}"),
        uid,
        root: root.to_owned(),
        binds: vec![Bind {
            from: AGENTD.to_owned(),
            at: INSIDE.to_owned(),
            right: Right::Execute,
        }],
        argv: [INSIDE, "probe", "3"].map(str::to_owned).to_vec(),
        environment: Vec::new(),
        passed: Some(OwnedFd::from(theirs)),
        limits: Narrowed::default(),
    })
    .map_err(|source| SelfTestError::Refused {
        profile: profile.to_owned(),
        source,
    })?;
    let mut findings = read(&ours).map_err(|e| unanswered(profile, &e))?;
    // While somebody is in the group.
    let limits = running.limits_stand();
    let_go(&ours).map_err(|e| unanswered(profile, &e))?;
    let how = match running.how_until(Instant::now() + PATIENCE) {
        Some(How::Exited(code)) => ended(Some(code), None),
        Some(How::Signalled(signal)) => ended(None, Some(signal)),
        Some(How::Killed) | None => ended(None, None),
    };
    findings.push(finding(FOREIGN, how));
    let limits = limits.err().unwrap_or_else(|| "in force".to_owned());
    findings.push(finding(LIMITS, limits));
    Ok((findings, running))
}

/// What a probe found; it then waits for [`let_go`].
fn read(stream: &UnixStream) -> Result<Vec<Finding>, frame::ReadError> {
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(frame::ReadError::Io)?;
    frame::read(&mut &*stream, LARGEST)
}

/// Lets a probe make its last attempt and end; it has nothing more to say.
fn let_go(stream: &UnixStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    match (&*stream).read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::other("more came than the answers")),
    }
}
