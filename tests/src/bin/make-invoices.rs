//! `make-invoices`: writes the example's eight invoices and the truth about them.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use casemate_tests::invoices;
use clap::Parser;

/// Makes eight supplier invoices (inv-1.pdf to inv-8.pdf) from a seed, with
/// truth.json and expected.tsv.
#[derive(Debug, Parser)]
#[command(name = "make-invoices")]
struct Arguments {
    /// The seed: the same seed makes the same files.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder to write them into.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match invoices::write(arguments.seed, &arguments.out) {
        Ok(documents) => {
            for document in documents {
                let difficulty = document.difficulty.word();
                let said = writeln!(std::io::stdout(), "{} {difficulty}", document.file);
                if said.is_err() {
                    return ExitCode::from(70);
                }
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(std::io::stderr(), "make-invoices: {error}");
            ExitCode::from(2)
        }
    }
}
