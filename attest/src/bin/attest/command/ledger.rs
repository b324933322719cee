//! `attest ledger`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use casemate_attest::code;
use casemate_attest::digest::Digest;
use casemate_attest::ledger::{Ledger, Line};
use casemate_attest::report::printable;
use casemate_attest::time::readable;
use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::{file, ledger_file};

#[derive(Debug, Args)]
pub(crate) struct LedgerCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the verdicts of a ledger, one a line
    List {
        /// The ledger
        ledger: PathBuf,
    },
    /// Check that no line of a ledger was changed, removed or moved
    Verify {
        /// The ledger
        ledger: PathBuf,
        /// A head that was noted down earlier: it must be in the ledger's past
        #[arg(long, value_name = "HEX")]
        head: Option<Digest>,
    },
}

impl LedgerCommand {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self.action {
            Action::List { ledger } => {
                let ledger = ledger_file::read_only(&ledger)?;
                file::say(&list(&ledger))?;
                Ok(ExitCode::SUCCESS)
            }
            Action::Verify { ledger, head } => {
                let path = ledger;
                let ledger = ledger_file::read_only(&path)?;
                if let Some(head) = head.filter(|head| !ledger.has_head(head)) {
                    let what =
                        format!("the ledger {} is not the one noted down", file::name(&path));
                    let why = format!("it never had the head {head}");
                    return Err(Failure::new(Exit::Damaged, &code::LEDGER_HEAD, what, why));
                }
                let (records, head) = (ledger.lines().len(), ledger.head());
                let torn = if ledger.is_torn() {
                    format!(
                        "its last line was not written to its end\n  code {}\n",
                        code::LEDGER_TORN.id
                    )
                } else {
                    String::new()
                };
                file::say(&format!("{records} records\nhead {head}\n{torn}"))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn list(ledger: &Ledger) -> String {
    let mut text = String::new();
    for (number, line) in ledger.lines() {
        let _ = match line {
            Line::Torn { at_ms, bytes } => writeln!(
                text,
                "{number:>6} {} TORN ({bytes} bytes before this were not written to their end)",
                readable(*at_ms)
            ),
            Line::Judged(entry) => {
                let about = match entry.evidence {
                    Some(evidence) => format!("evidence {evidence}"),
                    None => format!("file {}", entry.file),
                };
                writeln!(
                    text,
                    "{number:>6} {} {:<11} {} {about} {}",
                    readable(entry.at_ms),
                    entry.verdict.id(),
                    printable(&entry.appliance),
                    entry.codes.join(","),
                )
                .map(drop)
            }
        };
    }
    // No line ends in a space for want of a code.
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
