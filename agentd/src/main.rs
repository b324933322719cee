//! `agentd`: the agent runtime. See `agentd help` for what an operator runs; the
//! hidden commands are what agentd runs of itself.

use std::io::{self, Write};
use std::process::ExitCode;

use casemate_agentd::build::VERSION;
use casemate_agentd::denial::reader::Reader;
use casemate_agentd::egress;
use casemate_agentd::enter::{Enter, EnterError};
use casemate_agentd::exec::{self, Exec};
use casemate_agentd::profile::ProfileCommand;
use casemate_agentd::sandbox::{How, launch};
use casemate_agentd::selftest::{self, SelfTest, SelfTestError};
use casemate_agentd::supervisor::serve::Serve;
use casemate_protocol::Code;
use clap::{Parser, Subcommand};

/// The agent runtime: supervisor and mediator of confined desktop jobs
#[derive(Debug, Parser)]
#[command(name = "agentd", version = VERSION)]
struct Agentd {
    /// Leave one layer of every sandbox away (test builds only)
    #[cfg(feature = "weaken")]
    #[arg(long, value_name = "LAYER")]
    without: Option<casemate_agentd::sandbox::Layer>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify and mount the packs, give up everything of the host, and serve (root)
    Enter(Enter),
    /// Run one command in a sandbox and pass on its exit code (root)
    Exec(Box<Exec>),
    /// Say what the profiles of sandboxes allow
    Profile(ProfileCommand),
    /// Show that every layer of the sandboxes stands (root)
    Selftest(SelfTest),
    /// agentd in its rooms: leases jobs and mediates them
    #[command(hide = true)]
    Serve(Serve),
    /// Inside a desktop compartment: display, buses, applications
    #[command(hide = true)]
    Session,
    /// The process between agentd and a sandbox
    #[command(hide = true)]
    Launch,
    /// Beside agentd's rooms: resolves and connects for the jobs' proxies
    #[command(hide = true)]
    Connector,
    /// In a sandbox of its own: a job's proxy
    #[command(hide = true)]
    Proxy,
    /// The process that reads the kernel's audit stream for agentd
    #[command(hide = true)]
    AuditReader(Reader),
    /// The inner half of `selftest`
    #[command(hide = true)]
    SelftestInside {
        form: String,
        root: String,
        profiles: Vec<String>,
    },
    /// What `selftest` starts, in a sandbox and outside
    #[command(hide = true)]
    Probe { descriptor: i32 },
    /// The inner half of `exec`
    #[command(hide = true)]
    ExecInside { told: String },
}

fn main() -> ExitCode {
    let agentd = Agentd::parse();
    #[cfg(feature = "weaken")]
    if let Some(layer) = agentd.without {
        casemate_agentd::sandbox::layer::weaken::take_away(layer);
    }
    match agentd.command {
        Command::Enter(enter) => end("agentd was not started", enter.run()),
        Command::Exec(exec) => end("the command was not run", exec.run()),
        Command::Profile(profile) => print(&profile),
        Command::Serve(serve) => match serve.run() {
            Ok(how) => exit(how),
            Err(error) => {
                say("agentd stopped", &error, error.code());
                ExitCode::from(error.exit_code())
            }
        },
        Command::Session => casemate_agentd::desktop::session::main(),
        Command::Launch => launch::main(),
        Command::Connector => match egress::connector::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(refusal) => {
                say("the connector stopped", &refusal, refusal.code);
                ExitCode::from(70)
            }
        },
        Command::Proxy => match egress::proxy::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say("the proxy stopped", &error, &egress::code::LOST);
                ExitCode::from(70)
            }
        },
        Command::AuditReader(reader) => reader.main(),
        Command::Selftest(command) => end("the self-test was not made", command.run()),
        Command::SelftestInside {
            form,
            root,
            profiles,
        } => tested(selftest::inside(&form, &root, &profiles)),
        Command::Probe { descriptor } => selftest::probe(descriptor),
        Command::ExecInside { told } => end(
            "the command was not run",
            exec::inside::run(&told).map_err(EnterError::from),
        ),
    }
}

fn print(profile: &ProfileCommand) -> ExitCode {
    match profile.text() {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_closed) => ExitCode::from(70),
        },
        Err(refusal) => {
            say("the profile cannot be shown", &refusal, refusal.code);
            ExitCode::from(2)
        }
    }
}

/// The inner program's exit code is ours; a signal is 128 and its number, as in a
/// shell; a sandbox ended from outside is 6.
fn end(what: &str, ended: Result<How, EnterError>) -> ExitCode {
    match ended {
        Ok(how) => exit(how),
        Err(error) => {
            say(what, &error, error.code());
            ExitCode::from(error.exit_code())
        }
    }
}

fn exit(how: How) -> ExitCode {
    match how {
        How::Exited(code) => ExitCode::from(u8::try_from(code).unwrap_or(70)),
        How::Signalled(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(70)),
        How::Killed => ExitCode::from(6),
    }
}

/// 1: a layer is missing, or it is not known.
fn tested(ended: Result<How, SelfTestError>) -> ExitCode {
    match ended {
        Ok(how) => exit(how),
        Err(error) => {
            say("the self-test was not passed", &error, error.code());
            ExitCode::from(1)
        }
    }
}

fn say(what: &str, why: &dyn std::error::Error, code: &Code) {
    // If the error output is gone there is nobody left to tell.
    let _gone = writeln!(
        io::stderr(),
        "agentd: {what}: {why}\n  code {}; {}",
        code.id,
        code.next
    );
}
