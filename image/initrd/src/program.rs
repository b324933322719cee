//! Programs of the initrd: run to their end, their words kept for the console.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// A call of one of the initrd's programs.
pub(crate) struct Program {
    path: &'static str,
    command: Command,
}

impl Program {
    /// The program at `path`, with nothing of an environment but what the device mapper needs:
    /// no udev runs here, so the library makes the device nodes itself.
    pub(crate) fn new(path: &'static str) -> Self {
        let mut command = Command::new(path);
        command
            .env_clear()
            .env("DM_DISABLE_UDEV", "1")
            .env("PATH", "/usr/sbin:/usr/bin")
            .stdin(Stdio::null());
        Self { path, command }
    }

    /// Adds arguments.
    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Adds a path.
    pub(crate) fn path(mut self, path: &Path) -> Self {
        self.command.arg(path);
        self
    }

    /// Runs it; its standard output.
    pub(crate) fn run(mut self) -> Result<Vec<u8>, Failure> {
        let failed = |words: String| Failure::Program {
            program: self.path,
            words,
        };
        let done = self
            .command
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let words = String::from_utf8_lossy(&done.stderr);
        let words: Vec<&str> = words.lines().map(str::trim).collect();
        Err(failed(match words.is_empty() {
            true => format!("ended with {}", done.status),
            false => words.join("\n"),
        }))
    }
}
