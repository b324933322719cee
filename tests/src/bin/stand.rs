//! `stand`: starts the appliance on an embedded default and runs the example job.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use casemate_tests::stand::{Layout, Stand, StandError, story};
use clap::{Parser, Subcommand};
use nix::sys::signal::{SigSet, Signal};

/// The development stand
#[derive(Debug, Parser)]
#[command(name = "stand", max_term_width = 80)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the appliance, run the example job, prove it, and stay up
    Run {
        /// End with the job's exit code instead of staying up
        #[arg(long)]
        once: bool,
        /// Which set of invoices
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    let Command::Run { once, seed } = Cli::parse().command;
    // Taken one by one by `wait` below; children get an empty mask from std.
    let stop: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    if let Err(e) = stop.thread_block() {
        say(&format!("stand: signals cannot be waited for: {e}\n"));
        return ExitCode::from(70);
    }
    match tell(once, seed, stop) {
        Ok(code) => code,
        Err(e) => {
            say(&format!("\nstand: {e}\n"));
            ExitCode::from(1)
        }
    }
}

fn tell(once: bool, seed: u64, stop: SigSet) -> Result<ExitCode, StandError> {
    say("Starting the appliance: software TPM, measured start, unseal, daemons ...\n");
    let stand = Stand::start(Layout::of_repository())?;
    let account = story::tell(&stand, seed, &mut say)?;
    say(&format!("\n{}", account.table(&stand)));
    if !once {
        say("\nThe appliance stays up. Press Ctrl-C to stop it.\n");
        let _signal = stop.wait();
    }
    say("\nStopping ...\n");
    stand.stop();
    Ok(ExitCode::from(u8::try_from(account.exit).unwrap_or(70)))
}

fn say(text: &str) {
    let mut out = io::stdout().lock();
    // A reader that went away does not stop the appliance.
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
