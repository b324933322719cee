//! `attest explain`.

use std::process::ExitCode;

use casemate_attest::code;
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::file;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, such as quote.signature; without one, all codes are listed
    code: Option<String>,
}

impl Explain {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let text = match &self.code {
            None => code::CODES
                .iter()
                .map(|code| format!("{}\n  {}\n", code.id, code.what))
                .collect(),
            Some(id) => {
                let code = code::find(id).ok_or_else(|| {
                    let why = format!("{id} is no code of this program");
                    Failure::new(
                        Exit::Malformed,
                        &code::CODE_UNKNOWN,
                        "cannot explain it",
                        why,
                    )
                })?;
                format!("{}\n\n{}\nNext: {}\n", code.id, code.what, code.next)
            }
        };
        file::say(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
