//! `casemate`: a client of the API, and nothing that the API does not give.

mod args;
mod artifact;
mod audit;
mod client;
mod evidence;
pub mod exit;
pub mod failure;
mod folder;
mod halt;
mod job;
mod status;
pub mod text;
mod tpm;
mod workflow;

use std::io::Write;

use clap::{CommandFactory as _, Parser as _};

pub use args::Cli;
use args::Command;
use client::Client;
use exit::Exit;
use failure::Failure;

/// What a command works with.
struct Desk<'a> {
    client: Client,
    json: bool,
    out: &'a mut dyn Write,
}

/// Runs one command line; the only place where errors become text.
pub fn main(
    arguments: impl Iterator<Item = std::ffi::OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            let stream: &mut dyn Write = if e.use_stderr() { err } else { out };
            // Nobody is left to tell if this fails.
            let _ = write!(stream, "{e}");
            return if e.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
        }
    };
    match run(cli, out) {
        Ok(exit) => exit,
        Err(failure) => {
            // Nobody is left to tell if this fails.
            let _ = out.flush();
            let _ = write!(err, "{}", failure.lines("casemate"));
            failure.exit
        }
    }
}

fn run(cli: Cli, out: &mut dyn Write) -> Result<Exit, Failure> {
    match cli.command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "casemate", &mut &mut *out);
            return Ok(Exit::Done);
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut &mut *out)?;
            return Ok(Exit::Done);
        }
        _ => {}
    }
    let mut desk = Desk {
        client: Client::new(&cli.socket)?,
        json: cli.json,
        out,
    };
    match cli.command {
        Command::Status => status::run(&mut desk),
        Command::Tpm(command) => tpm::run(&mut desk, &command),
        Command::Workflow(command) => workflow::run(&mut desk, command),
        Command::Job(command) => job::run(&mut desk, command),
        Command::Artifact(command) => artifact::run(&mut desk, command),
        Command::Audit(command) => audit::run(&mut desk, command),
        Command::Evidence(command) => evidence::evidence(&mut desk, &command),
        Command::Enrolment(command) => evidence::enrolment(&mut desk, &command),
        Command::Halt(command) => halt::run(&mut desk, &command),
        // Answered above without a daemon.
        Command::Completions { .. } | Command::Man => Ok(Exit::Done),
    }
}
