//! `attest log`: one event log, read, named and replayed.

mod decoded;
mod json;
mod table;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use casemate_attest::code;
use casemate_attest::eventlog::{Log, LogError, MAX_LOG};
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::file;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ReadLog {
    /// The log: the firmware's (/sys/kernel/security/tpm0/binary_bios_measurements)
    /// or systemd's (/run/log/systemd/tpm2-measure.log)
    file: PathBuf,
    /// Every event with its authenticated and unauthenticated parts, and every
    /// register of every bank, as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
A log is a claim: only a quote says that the registers it leads to are those of
the TPM (`attest verify`). Exit codes: 0 the log was read, 2 it is malformed.";

impl ReadLog {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let bytes = file::read(&self.file, MAX_LOG)?;
        let mut out = BufWriter::new(io::stdout().lock());
        let written = match Log::parse(&bytes) {
            Ok(log) if self.json => json::write(&mut out, &log, bytes.len()),
            Ok(log) => table::write(&mut out, &log, bytes.len()),
            Err(error) => {
                if self.json {
                    let written = json::write_error(&mut out, &error);
                    written.and_then(|()| out.flush()).map_err(unwritable)?;
                }
                return Err(self.malformed(&error));
            }
        };
        written.and_then(|()| out.flush()).map_err(unwritable)?;
        Ok(ExitCode::SUCCESS)
    }

    fn malformed(&self, error: &LogError) -> Failure {
        let what = format!("{} is no event log", self.file.display());
        Failure::new(Exit::Malformed, error.code(), what, error)
    }
}

fn unwritable(why: io::Error) -> Failure {
    let what = "cannot write the output";
    Failure::new(Exit::Internal, &code::FILE_UNWRITABLE, what, why)
}
