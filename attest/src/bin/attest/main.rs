//! `attest`: judges an appliance's evidence on the auditor's machine, offline.
//!
//! The edge: files, the clock and randomness are read here, everything else is in the library.
#![forbid(unsafe_code)]

mod authorities;
mod command;
mod failure;
mod file;
mod kept;
mod key;
mod ledger_file;

use std::process::ExitCode;

use clap::Parser;

use command::Command;

/// Judges what an appliance says of itself: offline, without a TPM, trusting
/// nothing of the appliance.
#[derive(Debug, Parser)]
#[command(name = "attest", version, max_term_width = 80, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done or passed, 1 failed or conditional, 2 bad usage or malformed
input, 5 a damaged ledger, 70 a fault of this program. `attest explain CODE`
explains a code.";

fn main() -> ExitCode {
    let done = Arguments::parse().command.run();
    done.unwrap_or_else(|failure| failure.report())
}
