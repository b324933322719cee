//! A job's compartments, and the fresh sandboxes that check for it.
//!
//! Which program runs where, what is mounted for it and as whom is on this one
//! page. Every compartment has an id of its own, so that nothing of one belongs to
//! another even where both reach a file.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use casemate_protocol::compartment::{
    FromHands, FromScript, FromSession, ScriptSetup, ToHands, ToSession,
};
use casemate_protocol::frame;
use casemate_protocol::job::JobSpec;

use super::channel::{Breaker, Channel, ChannelError};
use super::ground::Ground;
use super::stop::Stop;
use super::workspace::Workspace;
use crate::egress::outlet::{Outlet, Record};
use crate::sandbox::{
    Bind, Ending, How, LaunchSpec, Narrowed, Refusal, Right, Running, Sandbox, enclosure,
};

/// Size of the job's screen.
const SCREEN: (u32, u32) = (1920, 1080);
/// Time a strict sandbox may take.
const STRICT: Duration = Duration::from_secs(60);
/// Time a lost compartment may take to be seen as ended.
const LOST: Duration = Duration::from_secs(2);

/// SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: a program's own doing.
const CRASH: [i32; 6] = [4, 6, 7, 8, 11, 31];
/// What Rust's allocator says before it aborts.
const REFUSED: &[u8] = b"memory allocation of";

/// Ids of one job.
pub const UIDS: u32 = 5;

/// The compartment of a job that has an id of ours.
pub fn name_of(base: u32, uid: u32) -> Option<&'static str> {
    [
        (desktop_uid(base), "desktop"),
        (script_uid(base), "script"),
        (hands_uid(base), "hands"),
        (strict_uid(base), "strict"),
        (proxy_uid(base), "proxy"),
    ]
    .into_iter()
    .find_map(|(known, name)| (known == uid).then_some(name))
}

/// Id of a job's desktop within our range.
pub fn desktop_uid(base: u32) -> u32 {
    base
}

fn script_uid(base: u32) -> u32 {
    base.saturating_add(1)
}

fn hands_uid(base: u32) -> u32 {
    base.saturating_add(2)
}

fn proxy_uid(base: u32) -> u32 {
    base.saturating_add(4)
}

fn strict_uid(base: u32) -> u32 {
    base.saturating_add(3)
}

/// One compartment: its sandbox and our end of its channel.
#[derive(Debug)]
struct Compartment {
    running: Running,
    channel: Channel,
}

/// What became of a compartment that was lost.
#[derive(Debug)]
pub struct PostMortem {
    /// Whether it ended for lack of memory: ended by the kernel, or refused more.
    pub out_of_memory: bool,
    /// Whether its program crashed by itself: no one else sends these signals.
    pub crashed: bool,
    /// In words.
    pub text: String,
}

/// The three compartments of a job. Dropped, they end, and everything in them.
#[derive(Debug)]
pub struct Compartments {
    script: Compartment,
    hands: Compartment,
    desktop: Compartment,
    /// Last: what its desktop still has open ends before it does.
    outlet: Option<Outlet>,
}

/// Why compartments were not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A sandbox was refused.
    #[error("{0}")]
    Sandbox(#[from] Refusal),
    /// A socket pair failed.
    #[error("a channel could not be made: {0}")]
    Channel(#[from] io::Error),
}

/// The environment of every compartment; nothing else is in it.
fn environment(more: &[(&str, &str)]) -> Vec<(String, String)> {
    [("LC_ALL", "C.UTF-8"), ("PATH", "/usr/bin")]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn bind(from: &Path, at: &str, right: Right) -> Bind {
    Bind {
        from: from.to_string_lossy().into_owned(),
        at: at.to_owned(),
        right,
    }
}

fn program(name: &str) -> Bind {
    let from = Path::new(enclosure::PROGRAMS).join(name);
    bind(&from, &format!("/agent/{name}"), Right::Execute)
}

fn mib(limit: u32) -> Narrowed {
    Narrowed {
        memory_bytes: Some(u64::from(limit) << 20),
        ..Narrowed::default()
    }
}

/// The compartment of display and applications, and the only one with a way out.
fn desktop(ground: &Ground, spec: &JobSpec, base: u32, workspace: &Workspace) -> LaunchSpec {
    LaunchSpec {
        egress: !spec.grants.egress().is_empty(),
        profile: "desktop".to_owned(),
        name: format!("{}-desktop", spec.job),
        uid: desktop_uid(base),
        root: ground.pack.mounted.clone(),
        binds: vec![
            bind(
                Path::new(enclosure::AGENTD),
                "/agent/agentd",
                Right::Execute,
            ),
            bind(&workspace.desk(), "/run/desk", Right::Write),
            bind(&workspace.x11(), "/tmp/.X11-unix", Right::Write),
            bind(&workspace.work(), "/workspace", Right::Write),
        ],
        argv: vec!["/agent/agentd".to_owned(), "session".to_owned()],
        environment: environment(&[("HOME", "/home/job")]),
        passed: None,
        limits: mib(spec.limits.desktop_mib),
    }
}

impl Compartment {
    fn start(mut spec: LaunchSpec, limit: usize) -> Result<Self, BuildError> {
        let (ours, theirs) = UnixStream::pair()?;
        spec.passed = Some(theirs.into());
        let running = Sandbox::spawn(spec)?;
        Ok(Self {
            running,
            channel: Channel::new(ours, limit)?,
        })
    }
}

impl Compartments {
    /// Starts the three sandboxes; the desktop's programs are not up yet.
    ///
    /// # Errors
    /// [`BuildError`]; nothing of them is left then.
    pub fn build(
        ground: &Ground,
        spec: &JobSpec,
        base: u32,
        workspace: &Workspace,
        record: Record,
    ) -> Result<Self, BuildError> {
        let root = ground.pack.mounted.clone();
        let name = |which: &str| format!("{}-{which}", spec.job);
        let hands = LaunchSpec {
            egress: false,
            profile: "hands".to_owned(),
            name: name("hands"),
            uid: hands_uid(base),
            root: root.clone(),
            binds: vec![
                program("agent-hands"),
                bind(&workspace.desk(), "/run/desk", Right::Read),
                bind(Path::new(&ground.models), "/models", Right::Read),
            ],
            argv: vec!["/agent/agent-hands".to_owned()],
            environment: environment(&[]),
            passed: None,
            limits: mib(spec.limits.hands_mib),
        };
        let script = LaunchSpec {
            egress: false,
            profile: "script".to_owned(),
            name: name("script"),
            uid: script_uid(base),
            root,
            binds: vec![program("agent-script")],
            argv: vec!["/agent/agent-script".to_owned()],
            environment: environment(&[]),
            passed: None,
            limits: mib(spec.limits.script_mib),
        };
        let desktop = desktop(ground, spec, base, workspace);
        let desktop = Compartment::start(desktop, frame::FROM_SESSION)?;
        let outlet = match spec.grants.egress() {
            [] => None,
            _ => Some(ground.outlet(spec, proxy_uid(base), &desktop.running, record)?),
        };
        Ok(Self {
            outlet,
            desktop,
            hands: Compartment::start(hands, frame::FROM_HANDS)?,
            script: Compartment::start(script, frame::FROM_SCRIPT)?,
        })
    }

    /// Handles that end the channels from another thread.
    pub fn breakers(&self) -> Vec<Breaker> {
        [&self.script, &self.hands, &self.desktop]
            .map(|one| one.channel.breaker())
            .into()
    }

    /// Has the session bring up the desktop and the hands connect to it.
    ///
    /// # Errors
    /// [`Stop`] naming the compartment that failed.
    pub fn start_desktop(&mut self, until: Instant) -> Result<(), Stop> {
        let desktop = |error| Stop::Lost {
            which: "desktop",
            error,
        };
        let hands = |error| Stop::Lost {
            which: "hands",
            error,
        };
        let (width, height) = SCREEN;
        self.desktop
            .channel
            .send(&ToSession::Start { width, height })
            .map_err(desktop)?;
        match self.desktop.channel.receive(until).map_err(desktop)? {
            FromSession::Ready => {}
            FromSession::Failed { code, message } => {
                return Err(desktop(io_reason(format!("{message} ({code})"))));
            }
            FromSession::Done => return Err(desktop(unexpected())),
        }
        self.hands.channel.send(&ToHands::Connect).map_err(hands)?;
        match self.hands.channel.receive(until).map_err(hands)? {
            FromHands::Ready {
                width: w,
                height: h,
            } if (w, h) == SCREEN => Ok(()),
            FromHands::Broken { code, message } => {
                Err(hands(io_reason(format!("{message} ({code})"))))
            }
            _ => Err(hands(unexpected())),
        }
    }

    /// The channels of script, hands and desktop session.
    pub fn channels(&mut self) -> (&mut Channel, &mut Channel, &mut Channel) {
        (
            &mut self.script.channel,
            &mut self.hands.channel,
            &mut self.desktop.channel,
        )
    }

    /// How a lost compartment ended.
    pub fn post_mortem(&self, which: &str) -> PostMortem {
        let one = match which {
            "script" => &self.script,
            "hands" => &self.hands,
            _ => &self.desktop,
        };
        match one.running.wait_until(Instant::now() + LOST) {
            Some(ending) => {
                let words = one.running.output_tail();
                let refused = words.windows(REFUSED.len()).any(|part| part == REFUSED);
                PostMortem {
                    out_of_memory: ending.memory_kills > 0 || refused,
                    crashed: matches!(ending.how, How::Signalled(signal) if CRASH.contains(&signal)),
                    text: format!("it ended: {:?}", ending.how),
                }
            }
            None => PostMortem {
                out_of_memory: false,
                crashed: false,
                text: "it still runs".to_owned(),
            },
        }
    }

    /// Ends all of them and returns how each ended and the end of what it wrote to its
    /// outputs.
    pub fn end(self) -> Vec<(&'static str, Option<Ending>, Vec<u8>)> {
        let all = [
            ("script", self.script),
            ("hands", self.hands),
            ("desktop", self.desktop),
        ];
        for (_, one) in &all {
            one.running.kill();
        }
        let mut logs: Vec<_> = all
            .map(|(name, one)| {
                let ending = one.running.wait();
                (name, Some(ending), one.running.output_tail())
            })
            .into();
        logs.extend(self.outlet.map(|outlet| ("proxy", None, outlet.close())));
        logs
    }
}

fn unexpected() -> ChannelError {
    ChannelError::Malformed("a message that does not belong at the start".to_owned())
}

fn io_reason(text: String) -> ChannelError {
    ChannelError::Io(io::Error::other(text))
}

/// A fresh `strict` sandbox for one question.
#[derive(Debug)]
pub struct Strict(Compartment);

impl Strict {
    /// Starts one; `folder` is mounted read-only at `/workspace`.
    ///
    /// # Errors
    /// In words, for the person who asked.
    pub fn start(ground: &Ground, base: u32, folder: Option<&Path>) -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut binds = vec![program("agent-script")];
        binds.extend(folder.map(|folder| bind(folder, "/workspace", Right::Read)));
        let spec = LaunchSpec {
            egress: false,
            profile: "strict".to_owned(),
            name: format!("strict-{number}"),
            uid: strict_uid(base),
            root: ground.pack.mounted.clone(),
            binds,
            argv: vec!["/agent/agent-script".to_owned()],
            environment: environment(&[]),
            passed: None,
            limits: Narrowed::default(),
        };
        Compartment::start(spec, frame::FROM_SCRIPT)
            .map(Self)
            .map_err(|e| e.to_string())
    }

    /// Asks it; a sandbox that does not answer in time is ended with the handle.
    ///
    /// # Errors
    /// In words.
    pub fn ask(&mut self, setup: &ScriptSetup, until: Instant) -> Result<FromScript, String> {
        self.0.channel.send(setup).map_err(|e| e.to_string())?;
        self.0.channel.receive(until).map_err(|e| e.to_string())
    }
}

/// What a strict sandbox says of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SheetVerdict {
    /// It holds exactly the expected rows.
    Equal {
        /// How many.
        rows: u32,
    },
    /// It does not; the first difference.
    Different(String),
    /// It could not be compared.
    NotChecked(String),
}

/// Checks a sheet outside the GUI.
pub trait SheetCheck: std::fmt::Debug {
    /// Compares the bytes of a spreadsheet with the expected rows.
    fn check(&self, bytes: &[u8], rows: &[Vec<String>], deadline: Instant) -> SheetVerdict;
}

/// The checker of a job: one fresh strict sandbox a check.
#[derive(Debug)]
pub struct StrictChecker<'j> {
    ground: &'j Ground,
    base: u32,
    workspace: &'j Workspace,
    checks: AtomicU64,
}

impl<'j> StrictChecker<'j> {
    /// For one job.
    pub fn new(ground: &'j Ground, base: u32, workspace: &'j Workspace) -> Self {
        Self {
            ground,
            base,
            workspace,
            checks: AtomicU64::new(0),
        }
    }

    fn ask(
        &self,
        bytes: &[u8],
        rows: &[Vec<String>],
        until: Instant,
    ) -> Result<FromScript, String> {
        let number = self.checks.fetch_add(1, Ordering::Relaxed);
        let folder = self
            .workspace
            .stage_check(number, "sheet.xlsx", bytes)
            .map_err(|e| format!("the copy for the check could not be made: {e}"))?;
        let mut strict = Strict::start(self.ground, self.base, Some(&folder))?;
        let path = "/workspace/sheet.xlsx".to_owned();
        strict.ask(
            &ScriptSetup::VerifySheet {
                path,
                rows: rows.to_vec(),
            },
            until,
        )
    }
}

impl SheetCheck for StrictChecker<'_> {
    fn check(&self, bytes: &[u8], rows: &[Vec<String>], deadline: Instant) -> SheetVerdict {
        match self.ask(bytes, rows, deadline.min(Instant::now() + STRICT)) {
            Ok(FromScript::Sheet {
                difference: None,
                rows: compared,
            }) if usize::try_from(compared) == Ok(rows.len()) => {
                SheetVerdict::Equal { rows: compared }
            }
            Ok(FromScript::Sheet {
                difference: Some(text),
                ..
            }) => SheetVerdict::Different(text),
            Ok(FromScript::Failed { code, message }) => {
                SheetVerdict::NotChecked(format!("{message} ({code})"))
            }
            Ok(_) => SheetVerdict::NotChecked("the checker's answer does not fit".to_owned()),
            Err(why) => SheetVerdict::NotChecked(why),
        }
    }
}
