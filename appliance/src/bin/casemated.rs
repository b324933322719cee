//! `casemated`: the control daemon.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use casemate_appliance::cli::exit::Exit;
use casemate_appliance::daemon::{Flags, run};
use clap::Parser as _;

fn main() -> ExitCode {
    let exit = match run(Flags::parse()) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            // Nobody is left to tell if this fails.
            let _ = io::stderr().write_all(failure.lines("casemated").as_bytes());
            failure.exit
        }
    };
    exit.into()
}
