//! Programs of the initrd: run to their end, their words kept for the console.

use std::io::Write as _;
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
            .env("PATH", "/usr/sbin:/usr/bin");
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
    pub(crate) fn run(self) -> Result<Vec<u8>, Failure> {
        self.run_with(&[])
    }

    /// The same, with `input` on its standard input: no secret is among arguments.
    pub(crate) fn run_with(mut self, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let failed = |words: String| Failure::Program {
            program: self.path,
            words,
        };
        let refused = |error: std::io::Error| failed(error.to_string());
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(refused)?;
        // Whoever ends without reading says why; a broken pipe says nothing more.
        let _read = child.stdin.take().map(|mut pipe| pipe.write_all(input));
        let done = child.wait_with_output().map_err(refused)?;
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
