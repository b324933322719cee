//! A program of the build host: run to its end, its output kept for the message.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::BuildError;

/// How much of a failed program's output goes into the message.
const TAIL: usize = 1200;

/// One call of a host program.
#[derive(Debug)]
pub struct Tool {
    program: String,
    command: Command,
}

impl Tool {
    /// A call of `program`, found through PATH, with no input.
    #[must_use]
    pub fn new(program: &str) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
        Self {
            program: program.to_owned(),
            command,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets one variable of the program's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the program's working directory.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it to its end and returns its standard output.
    ///
    /// # Errors
    /// `Tool` when it cannot be started or ends with another status than 0.
    pub fn output(mut self) -> Result<Vec<u8>, BuildError> {
        let done = self.command.output().map_err(|why| BuildError::Tool {
            program: self.program.clone(),
            why: format!("could not be started: {why}"),
        })?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let mut text = String::from_utf8_lossy(&done.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&done.stderr));
        let tail: String = text.chars().rev().take(TAIL).collect();
        let tail: String = tail.chars().rev().collect();
        Err(BuildError::Tool {
            program: self.program,
            why: format!("ended with {}: {}", done.status, tail.trim()),
        })
    }

    /// Runs it to its end; output is only kept for the message of a failure.
    ///
    /// # Errors
    /// As [`Tool::output`].
    pub fn run(self) -> Result<(), BuildError> {
        self.output().map(drop)
    }
}
