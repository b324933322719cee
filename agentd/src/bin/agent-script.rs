//! `agent-script`: the interpreter's process. It is started by agentd inside a
//! sandbox with one socket on descriptor 3 and takes its one request from there.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use casemate_agentd::sandbox::sys;
use casemate_agentd::workflow::serve::ServeError;
use casemate_agentd::workflow::{failure::Halt, serve};

/// Where agentd puts the socket.
const SOCKET: i32 = 3;

fn main() -> ExitCode {
    let socket = match sys::adopt(SOCKET) {
        Ok(socket) => socket,
        Err(e) => {
            say(
                "frame.malformed",
                &format!("there is no socket on descriptor 3: {e}"),
            );
            return ExitCode::from(3);
        }
    };
    match serve(&UnixStream::from(socket)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            say("frame.malformed", &error.to_string());
            ExitCode::from(match error {
                ServeError::Request(_) | ServeError::Halted(Halt::Garbage(_)) => 2,
                ServeError::Answer(_) | ServeError::Halted(_) => 3,
            })
        }
    }
}

/// The one place where this program writes; agentd keeps it as a log.
fn say(code: &str, why: &str) {
    // Nobody is left to tell if standard error is gone too.
    let _ = writeln!(
        std::io::stderr(),
        "agent-script: cannot serve: {why}\n  code {code}; agentd starts this program, it is not run by hand"
    );
}
