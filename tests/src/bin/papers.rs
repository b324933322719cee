//! `papers`: writes the papers that are made from the code.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let path = casemate_tests::stand::repository().join("docs/errors.md");
    let written = casemate_tests::papers::errors()
        .map_err(|id| format!("the code {id} has two meanings"))
        .and_then(|text| std::fs::write(&path, text).map_err(|e| e.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _gone = writeln!(io::stderr(), "papers: {}: {why}", path.display());
            ExitCode::from(1)
        }
    }
}
