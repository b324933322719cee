//! The commands: parse, read files, call the library, say what came out.

mod audit;
mod challenge;
mod enrol;
mod explain;
mod ledger;
mod log;
mod manual;
mod predict;
mod quote;
mod revoke;
mod selftest;
mod verify;
mod verify_all;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign an appliance's enrolment request as its owner
    Enrol(enrol::Enrol),
    /// Sign a list of what is no longer trusted
    Revoke(revoke::Revoke),
    /// Make a challenge for an appliance
    Challenge(challenge::MakeChallenge),
    /// Judge the evidence that an appliance answered
    Verify(verify::Verify),
    /// Judge one quote of a TPM, as tpm2_quote writes it
    Quote(quote::Quote),
    /// Read, name and replay one event log
    Log(log::ReadLog),
    /// Say what an image will leave in the registers
    Predict(predict::Predict),
    /// Check an export of an audit log
    Audit(audit::Audit),
    /// Read a ledger of verdicts
    Ledger(ledger::LedgerCommand),
    /// Judge the built-in cases, hostile and genuine, on this machine
    Selftest(selftest::SelfTest),
    /// Explain a code
    Explain(explain::Explain),
    /// Write completions for a shell
    Completions(manual::Completions),
    /// Write the manual page
    Man(manual::Manual),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Enrol(command) => command.run(),
            Self::Revoke(command) => command.run(),
            Self::Challenge(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Quote(command) => command.run(),
            Self::Log(command) => command.run(),
            Self::Predict(command) => command.run(),
            Self::Audit(command) => command.run(),
            Self::Ledger(command) => command.run(),
            Self::Selftest(command) => command.run(),
            Self::Explain(command) => command.run(),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
        }
    }
}

/// The auditor's clock, milliseconds since 1970. The one place that reads it.
fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
