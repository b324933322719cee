//! `agentd session`: the one program of ours inside the desktop compartment.
//!
//! It reads [`ToSession`] frames on descriptor 3, brings up the display, the
//! buses and the window manager, starts and ends applications, and answers each
//! request once. When the display or a bus dies it ends, and the sandbox with it.
//!
//! It protects nothing: applications run under the same uid in the same sandbox.
//! What confines them is the sandbox, and agentd treats every frame from here as
//! a claim.
//!
//! Needed of the sandbox: the job's `desk/` at `/run/desk` (writable) and its
//! `desk/x11` at `/tmp/.X11-unix`, because X servers listen there and nowhere
//! else; `/tmp` and `/home/job` writable; `/proc`.

mod program;
mod settings;
mod startup;

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_protocol::compartment::{FromSession, ToSession};
use casemate_protocol::{Code, frame};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

use crate::desktop::{Desk, code};
use crate::sandbox::{enclosure, sys};
use program::{Output, Program};
use settings::Settings;
use startup::Up;

/// Most applications of one name, and of all names.
const MOST_PROGRAMS: usize = 64;

/// Why the session ended before its channel was closed.
#[derive(Debug, Error)]
pub enum SessionError {
    /// Descriptor 3 is not usable.
    #[error("the channel on descriptor 3 cannot be used: {0}")]
    Channel(#[from] io::Error),
    /// agentd sent something that is no request.
    #[error("a request could not be read: {0}")]
    Request(#[from] frame::ReadError),
    /// A program that the desktop cannot be without has ended.
    #[error("{0} has ended")]
    Lost(&'static str),
}

/// Where the session keeps its files.
#[derive(Debug, Clone)]
pub struct Places {
    /// The job's desk.
    pub desk: Desk,
    /// A private folder; made.
    pub folder: PathBuf,
    /// The home folder.
    pub home: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            desk: Desk::default(),
            folder: Path::new("/tmp/session").to_owned(),
            home: Path::new("/home/job").to_owned(),
        }
    }
}

/// Serves descriptor 3 until it is closed. Exit code 0 then, 1 when the display
/// or a bus was lost, 2 for a request that is none.
pub fn main() -> ExitCode {
    let result = sys::adopt(enclosure::PASSED).and_then(|channel| {
        // No application may hold the channel, or speak on it.
        sys::close_on_exec(enclosure::PASSED.unsigned_abs())?;
        Ok(UnixStream::from(channel))
    });
    let served = result
        .map_err(SessionError::from)
        .and_then(|channel| Session::new(channel, Places::default()).serve());
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(SessionError::Request(_)) => ExitCode::from(2),
        Err(SessionError::Channel(_) | SessionError::Lost(_)) => ExitCode::from(1),
    }
}

/// The session's state.
#[derive(Debug)]
pub struct Session {
    channel: UnixStream,
    places: Places,
    up: Option<(Settings, Up)>,
    programs: HashMap<String, Vec<Program>>,
}

impl Session {
    /// A session that has started nothing yet.
    pub fn new(channel: UnixStream, places: Places) -> Self {
        Self {
            channel,
            places,
            up: None,
            programs: HashMap::new(),
        }
    }

    /// Answers requests until the channel is closed.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn serve(mut self) -> Result<(), SessionError> {
        loop {
            self.wait()?;
            let request = match frame::read(&mut self.channel, frame::TO_COMPARTMENT) {
                Ok(request) => request,
                Err(frame::ReadError::Closed) => return Ok(()),
                Err(e) => return Err(e.into()),
            };
            let answer = match request {
                ToSession::Start { width, height } => self.start(width, height),
                ToSession::Open { app, argv } => self.open(app, &argv),
                ToSession::Close { app } => self.close(&app),
            };
            frame::write(&mut self.channel, &answer)?;
        }
    }

    /// Waits for a request; fails when a program that must live has ended.
    fn wait(&mut self) -> Result<(), SessionError> {
        loop {
            let mut fds = vec![PollFd::new(self.channel.as_fd(), PollFlags::POLLIN)];
            let vital = self
                .up
                .as_ref()
                .map(|(_, up)| up.vital())
                .unwrap_or_default();
            let watched = vital.iter().map(|(_, program)| program.pidfd());
            let applications = self.programs.values().flatten().map(Program::pidfd);
            fds.extend(
                watched
                    .chain(applications)
                    .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
            );
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(io::Error::from(e).into()),
            }
            let ready = |fd: Option<&PollFd<'_>>| fd.and_then(PollFd::any) == Some(true);
            if let Some(lost) = vital
                .iter()
                .zip(fds.iter().skip(1))
                .find_map(|((name, _), fd)| ready(Some(fd)).then_some(*name))
            {
                return Err(SessionError::Lost(lost));
            }
            let asked = ready(fds.first());
            drop(fds);
            self.reap();
            if asked {
                return Ok(());
            }
        }
    }

    /// Forgets applications that have ended. What they left behind lives on under
    /// nobody's name until the sandbox ends.
    fn reap(&mut self) {
        for programs in self.programs.values_mut() {
            programs.retain_mut(|program| !program.ended());
        }
        self.programs.retain(|_, programs| !programs.is_empty());
    }

    fn start(&mut self, width: u32, height: u32) -> FromSession {
        if self.up.is_some() {
            return failed(&code::START, "the desktop is already up");
        }
        let Places { desk, folder, home } = self.places.clone();
        let settings = match Settings::write(desk, &folder, &home) {
            Ok(settings) => settings,
            Err(e) => {
                return failed(
                    &code::START,
                    &format!("its settings cannot be written: {e}"),
                );
            }
        };
        match Up::bring(&settings, width, height) {
            Ok(up) => {
                self.up = Some((settings, up));
                FromSession::Ready
            }
            Err(e) => failed(&code::START, &e.to_string()),
        }
    }

    fn open(&mut self, app: String, argv: &[String]) -> FromSession {
        let Some((settings, _)) = &self.up else {
            return failed(&code::OPEN, "the desktop is not up");
        };
        if self.programs.values().map(Vec::len).sum::<usize>() >= MOST_PROGRAMS {
            return failed(
                &code::OPEN,
                &format!("{MOST_PROGRAMS} applications are open already"),
            );
        }
        match Program::start(
            argv,
            &settings.environment(),
            &settings.log("applications"),
            Output::Log,
        ) {
            Ok(program) => {
                self.programs.entry(app).or_default().push(program);
                FromSession::Done
            }
            Err(e) => failed(&code::OPEN, &format!("`{app}` cannot be started: {e}")),
        }
    }

    fn close(&mut self, app: &str) -> FromSession {
        // An application that ended by itself is as closed as can be.
        let programs = self.programs.remove(app).unwrap_or_default();
        let mut gone = true;
        for mut program in programs {
            gone &= program.end();
        }
        if gone {
            FromSession::Done
        } else {
            failed(
                &code::CLOSE,
                &format!("processes of `{app}` are still there"),
            )
        }
    }
}

impl Drop for Session {
    /// Ends what it started; in a sandbox the kernel would, in a test it would not.
    fn drop(&mut self) {
        for program in self.programs.values_mut().flatten() {
            let _last_effort = program.end();
        }
    }
}

fn failed(code: &Code, message: &str) -> FromSession {
    FromSession::Failed {
        code: code.id.to_owned(),
        message: message.to_owned(),
    }
}
