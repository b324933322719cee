//! `attest completions` and `attest man`: papers made from the command line itself.

use std::process::ExitCode;

use casemate_attest::code;
use clap::{Args, CommandFactory as _};

use crate::failure::{Exit, Failure};
use crate::{Arguments, file};

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Manual {}

impl Completions {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "attest", &mut script);
        say(&script)
    }
}

impl Manual {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Arguments::command()).render(&mut page);
        rendered.map_err(|why| {
            let what = "cannot write the manual page";
            Failure::new(Exit::Internal, &code::FILE_UNWRITABLE, what, why)
        })?;
        say(&page)
    }
}

fn say(paper: &[u8]) -> Result<ExitCode, Failure> {
    file::say(&String::from_utf8_lossy(paper))?;
    Ok(ExitCode::SUCCESS)
}
