//! What the interpreter's process does: read one request, answer it, end.

use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec::decode_canonical;
use casemate_protocol::compartment::{FromScript, ScriptSetup};
use casemate_protocol::frame::{self, ReadError, TO_COMPARTMENT};

use super::agent::Agent;
use super::failure::{Failure, Halt};
use super::{check, code, interpreter, sheet};

/// Why the process could not answer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No request came, or none of ours.
    #[error("no request can be read on the socket: {0}")]
    Request(#[from] ReadError),
    /// The answer could not be sent.
    #[error("the answer cannot be sent: {0}")]
    Answer(#[from] std::io::Error),
    /// agentd does not keep to the protocol; nothing it says can be trusted.
    #[error("{0}")]
    Halted(Halt),
}

/// What the last panic said; a hook is called before the stack is unwound.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Reads one request, answers it, and says whether the answer was a good one.
///
/// # Errors
/// [`ServeError`] if there was no request, or nobody to answer to.
pub fn serve(stream: &UnixStream) -> Result<bool, ServeError> {
    let setup: ScriptSetup = frame::read(&mut &*stream, TO_COMPARTMENT)?;
    let now = Instant::now();
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("no reason given");
        let place = info.location().map(ToString::to_string);
        let said = format!("{text} ({})", place.unwrap_or_default());
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }));
    let mut halt = None;
    // Nothing of the interpreter is used after a panic, so no broken invariant
    // of it can be seen.
    let answered = catch_unwind(AssertUnwindSafe(|| answer(stream, setup, now, &mut halt)));
    let answer = answered.unwrap_or_else(|_| {
        let said = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(Failure::new(
            &code::PANIC,
            format!("the interpreter broke down: {}", said.unwrap_or_default()),
        ))
    });
    if let Some(halt @ (Halt::Gone | Halt::Garbage(_))) = halt {
        return Err(ServeError::Halted(halt));
    }
    let message = answer.unwrap_or_else(|failure| FromScript::Failed {
        code: failure.code,
        message: failure.message,
    });
    let good = match &message {
        FromScript::Finished => true,
        FromScript::Checked { diagnoses } => diagnoses.is_empty(),
        FromScript::Sheet { difference, .. } => difference.is_none(),
        FromScript::Failed { .. } | FromScript::Act { .. } => false,
    };
    frame::write(&mut &*stream, &message)?;
    Ok(good)
}

fn answer(
    stream: &UnixStream,
    setup: ScriptSetup,
    now: Instant,
    halt: &mut Option<Halt>,
) -> Result<FromScript, Failure> {
    match setup {
        ScriptSetup::Run {
            bundle,
            parameters,
            inputs,
            deadline_ms,
        } => {
            let bundle = unpack(&bundle)?;
            let agent = Agent::new(stream, interpreter::deadline(now, deadline_ms));
            let ended = interpreter::run(&bundle, &parameters, &inputs, &agent);
            *halt = agent.halted();
            ended.map(|()| FromScript::Finished)
        }
        ScriptSetup::Check { bundle } => Ok(FromScript::Checked {
            diagnoses: check::check(&unpack(&bundle)?),
        }),
        ScriptSetup::VerifySheet { path, rows } => Ok(FromScript::Sheet {
            difference: sheet::difference(Path::new(&path), &rows)?,
            rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        }),
    }
}

fn unpack(bytes: &[u8]) -> Result<Bundle, Failure> {
    let malformed = |why: String| {
        Failure::new(
            &casemate_protocol::code::WORKFLOW_FILES,
            format!("the workflow's bundle is malformed: {why}"),
        )
    };
    let bundle: Bundle = decode_canonical(bytes).map_err(|e| malformed(e.to_string()))?;
    Ok(bundle)
}
