//! Whether the layers stand: a built-in set of attempts, made in a sandbox of each
//! profile and, as the control, outside of one.
//!
//! Guaranteed: agentd serves only after every attempt of its own profiles was
//! answered as it must be. Not guaranteed: that what was not attempted would have
//! been; `agentd/tests/escape` attempts far more. The attempts are this program's
//! own (probe.rs), so they are there wherever it is.

mod command;
mod expected;
mod probe;

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use casemate_protocol::id::Digest;
use casemate_protocol::{Code, codec, frame};
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::code;
use crate::sandbox::enclosure::AGENTD;
use crate::sandbox::{Bind, LaunchSpec, Narrowed, Refusal, Right, Sandbox};

pub use command::{SelfTest, inside};
pub use probe::main as probe;

/// The profiles that agentd itself starts compartments of.
pub const SERVED: [&str; 4] = ["desktop", "hands", "script", "strict"];

/// Where this program is in a sandbox under test.
const INSIDE: &str = "/agent/agentd";
/// The first sandbox's id in agentd's numbering; below those of jobs.
const FIRST_UID: u32 = 900;
/// How long the attempts may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
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

/// A self-test that was passed. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
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
            Self::Refused { source, .. } => source.code,
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
    let control = control?;
    let mut tested = Vec::new();
    for (profile, findings) in all {
        let findings =
            findings.map_err(|_| unanswered(profile, &"the thread that asked ended"))??;
        expected::check(profile, &findings, &control)?;
        tested.push(Tested {
            profile: profile.to_owned(),
            findings,
        });
    }
    if tested.is_empty() {
        return Err(unanswered("any profile", &"none was named"));
    }
    Ok(Passed {
        control,
        profiles: tested,
    })
}

fn unanswered(place: &str, why: &dyn std::fmt::Display) -> SelfTestError {
    SelfTestError::Unanswered {
        place: place.to_owned(),
        why: why.to_string(),
    }
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
    let findings = read(&ours);
    // It ends by itself once it has answered, and must in any case.
    let _gone = child.kill();
    let _reaped = child.wait();
    findings.map_err(|e| failed(&e))
}

fn in_sandbox(root: &str, profile: &str, uid: u32) -> Result<Vec<Finding>, SelfTestError> {
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
    let findings = read(&ours);
    // Dropped, it is gone when this returns.
    drop(running);
    findings.map_err(|e| unanswered(profile, &e))
}

fn read(stream: &UnixStream) -> Result<Vec<Finding>, frame::ReadError> {
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(frame::ReadError::Io)?;
    let findings = frame::read(&mut &*stream, LARGEST)?;
    let mut rest = [0];
    match (&*stream).read(&mut rest) {
        Ok(0) => Ok(findings),
        Ok(_) => Err(io::Error::other("more came than the answers").into()),
        Err(e) => Err(e.into()),
    }
}
