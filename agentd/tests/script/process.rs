//! The `agent-script` program, with a test in the place of agentd.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use casemate_protocol::action::{Action, Outcome};
use casemate_protocol::compartment::{FromScript, ScriptSetup, ToScript};
use casemate_protocol::frame;

/// Generous: the box may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program with our end of its socket.
pub(crate) struct Script {
    pub(crate) child: Child,
    pub(crate) stream: UnixStream,
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Script {
    pub(crate) fn start() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let child = Command::new("/bin/sh")
            .args([
                "-c",
                "ulimit -v 1500000; ulimit -c 0; exec 3<&0 0</dev/null; exec \"$0\"",
            ])
            .arg(env!("CARGO_BIN_EXE_agent-script"))
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env_clear()
            .spawn()
            .unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            child,
            stream: ours,
        }
    }

    pub(crate) fn with(setup: &ScriptSetup) -> Self {
        let mut script = Self::start();
        frame::write(&mut script.stream, setup).unwrap();
        script
    }

    pub(crate) fn next(&mut self) -> FromScript {
        frame::read(&mut self.stream, frame::FROM_SCRIPT).unwrap()
    }

    pub(crate) fn answer(&mut self, number: u64, outcome: Outcome) {
        frame::write(&mut self.stream, &ToScript { number, outcome }).unwrap();
    }

    /// Answers every action until the last message.
    pub(crate) fn until_it_ends(mut self, mut serve: impl FnMut(&Action) -> Outcome) -> Ended {
        let mut actions = Vec::new();
        loop {
            match self.next() {
                FromScript::Act { number, action } => {
                    let outcome = serve(&action);
                    actions.push(action);
                    self.answer(number, outcome);
                }
                last => {
                    return Ended {
                        actions,
                        last,
                        exit: self.exit(),
                    };
                }
            }
        }
    }

    pub(crate) fn exit(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "agent-script does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn stderr(&mut self) -> String {
        let mut text = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut text).unwrap();
        text
    }
}

pub(crate) struct Ended {
    pub(crate) actions: Vec<Action>,
    pub(crate) last: FromScript,
    pub(crate) exit: ExitStatus,
}

impl Ended {
    /// The code and message of a run that failed in good order.
    pub(crate) fn failure(self) -> (String, String) {
        assert_eq!(self.exit.code(), Some(1));
        match self.last {
            FromScript::Failed { code, message } => {
                assert!(!message.chars().any(char::is_control), "{message:?}");
                (code, message)
            }
            other => panic!("{other:?}"),
        }
    }
}
