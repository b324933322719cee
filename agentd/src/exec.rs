//! `agentd exec`: one command in a sandbox, for operators and tests.
//!
//! It takes the same way as a job: verified packs, agentd's rooms, a launcher. The
//! outer half, as root, makes the rooms and runs the inner half in them.

use std::io::{self, Write};
use std::path::PathBuf;

use casemate_protocol::codec;
use clap::Args;
use minicbor::{Decode, Encode};

use crate::code;
use crate::enter::{EnterError, Ground};
use crate::pack::Kind;
use crate::sandbox::enclosure::{Enclosure, Extra, PACKS};
use crate::sandbox::job_directory::JobDirectory;
use crate::sandbox::{Bind, Ending, How, LaunchSpec, Narrowed, Refusal, Right, Sandbox};

/// The sandbox's identity in agentd's numbering.
const UID: u32 = 1000;
/// Where agentd's tree has what was named by `--bind-ro`.
const BROUGHT: &str = "/brought";

/// Arguments of `agentd exec`.
#[derive(Debug, Args)]
pub struct Exec {
    #[command(flatten)]
    ground: Ground,
    /// What the sandbox may do: desktop, hands, script or strict
    #[arg(long, value_name = "NAME")]
    profile: String,
    /// A directory of the host as /workspace; without it an empty one is made. What
    /// is in it must belong to uid-base + 1000 to be written
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// A file or directory of the host, at a place the profile has; executable below
    /// /agent. May be repeated
    #[arg(long, value_name = "HOST=PATH", value_parser = pair)]
    bind_ro: Vec<(String, String)>,
    /// A lower limit: memory=BYTES or pids=COUNT. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    limit: Vec<(String, String)>,
    /// One variable of the command's environment. May be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// The command: an absolute path inside, and arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "it is not NAME=VALUE".to_owned())
}

/// What the inner half is told.
#[derive(Debug, Encode, Decode)]
struct Inner {
    #[n(0)]
    profile: String,
    #[n(1)]
    root: String,
    #[n(2)]
    workspace: bool,
    /// Places inside; their sources are numbered in [`BROUGHT`].
    #[n(3)]
    binds: Vec<String>,
    #[n(4)]
    memory_bytes: Option<u64>,
    #[n(5)]
    pids: Option<u64>,
    #[n(6)]
    env: Vec<(String, String)>,
    #[n(7)]
    command: Vec<String>,
}

impl Exec {
    /// Runs the command; its output goes to standard output when it has ended.
    ///
    /// # Errors
    /// [`EnterError`] if nothing was run.
    pub fn run(self) -> Result<How, EnterError> {
        let packs = self.ground.mount_packs()?;
        let root = packs
            .iter()
            .find(|pack| pack.manifest.kind() == Kind::Root)
            .ok_or_else(|| refuse("none of the packs is a root"))?;
        let mut inner = Inner {
            profile: self.profile,
            root: format!("{PACKS}/{}", root.manifest.name),
            workspace: self.workspace.is_some(),
            binds: Vec::new(),
            memory_bytes: None,
            pids: None,
            env: self.env,
            command: self.command,
        };
        for (key, value) in &self.limit {
            let value = value
                .parse()
                .map_err(|_| refuse("a limit is not a number"))?;
            match key.as_str() {
                "memory" => inner.memory_bytes = Some(value),
                "pids" => inner.pids = Some(value),
                _ => return Err(refuse("a limit is neither memory nor pids").into()),
            }
        }
        let mut extra = Vec::new();
        for (number, (from, at)) in self.bind_ro.into_iter().enumerate() {
            extra.push(Extra::read_only(from.into(), format!("{BROUGHT}/{number}")));
            inner.binds.push(at);
        }
        if let Some(workspace) = self.workspace {
            extra.push(Extra::writable(workspace, format!("{BROUGHT}/workspace")));
        }
        let enclosure = Enclosure {
            packs,
            programs: None,
            extra,
            uid_base: self.ground.uid_base,
            uid_count: self.ground.uid_count,
            passed: None,
            arguments: vec!["exec-inside".into(), hex::encode(codec::encode(&inner))],
        };
        Ok(enclosure.run()?)
    }
}

fn refuse(why: &str) -> Refusal {
    Refusal::new(&code::SANDBOX_ORDER, "the command was not run", why)
}

/// The inner half: `told` is what the outer half encoded.
///
/// # Errors
/// [`Refusal`] if nothing was run.
pub fn inside(told: &str) -> Result<How, Refusal> {
    let inner: Inner = hex::decode(told)
        .ok()
        .and_then(|bytes| codec::decode_canonical(&bytes).ok())
        .ok_or_else(|| refuse("the outer half did not say what to run"))?;
    let directory = JobDirectory::create("exec", 256 << 20, 16_384)?;
    let mut binds: Vec<Bind> = inner
        .binds
        .iter()
        .enumerate()
        .map(|(number, at)| Bind {
            from: format!("{BROUGHT}/{number}"),
            at: at.clone(),
            right: if at.starts_with("/agent") {
                Right::Execute
            } else {
                Right::Read
            },
        })
        .collect();
    if inner.profile == "desktop" {
        let from = if inner.workspace {
            format!("{BROUGHT}/workspace")
        } else {
            directory.make("work", UID, 0o700)?.display().to_string()
        };
        binds.push(Bind {
            from,
            at: "/workspace".into(),
            right: Right::Write,
        });
    }
    let running = Sandbox::spawn(LaunchSpec {
        profile: inner.profile,
        name: "exec".into(),
        uid: UID,
        root: inner.root,
        binds,
        argv: inner.command,
        environment: inner.env,
        passed: None,
        limits: Narrowed {
            memory_bytes: inner.memory_bytes,
            pids: inner.pids,
        },
    })?;
    let ending = running.wait();
    // Its output is a hostile program's; it goes where the operator directed it.
    let _closed = io::stdout().write_all(&running.output_tail());
    let _closed = writeln!(io::stderr(), "{}", account(&ending));
    Ok(ending.how)
}

fn account(ending: &Ending) -> String {
    let kills = match ending.memory_kills {
        0 => String::new(),
        kills => format!(", {kills} ended at the memory limit"),
    };
    format!(
        "agentd: {:.3} s in the program, {:.3} s in the kernel, {} KiB at most{kills}",
        ending.user.as_secs_f64(),
        ending.system.as_secs_f64(),
        ending.memory_peak >> 10
    )
}
