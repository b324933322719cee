//! `agent-hands`: the eyes and hands of one job, in a sandbox of their own.
//!
//! Reads `ToHands` frames on descriptor 3 and answers each once. Exit code 0 when
//! the channel is closed, 1 when the display or the bus was lost (after saying
//! so), 2 for a message that is none.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use casemate_agentd::desktop::Desk;
use casemate_agentd::desktop::hands::Hands;
use casemate_agentd::sandbox::{enclosure, sys};
use casemate_protocol::compartment::{FromHands, ToHands};
use casemate_protocol::frame;

fn main() -> ExitCode {
    let Ok(channel) = sys::adopt(enclosure::PASSED) else {
        return ExitCode::from(2);
    };
    serve(
        UnixStream::from(channel),
        Hands::new(Desk::default(), Path::new("/models")),
    )
}

fn serve(mut channel: UnixStream, mut hands: Hands) -> ExitCode {
    loop {
        let answer = match frame::read::<ToHands>(&mut channel, frame::TO_COMPARTMENT) {
            Ok(message) => hands.answer(message),
            Err(frame::ReadError::Closed) => return ExitCode::SUCCESS,
            Err(frame::ReadError::Io(_)) => return ExitCode::from(1),
            Err(_) => return ExitCode::from(2),
        };
        let broken = matches!(answer, FromHands::Broken { .. });
        if frame::write(&mut channel, &answer).is_err() || broken {
            return ExitCode::from(1);
        }
    }
}
