//! The one way out of the interpreter: an action goes to agentd, its outcome
//! comes back, and the script waits meanwhile.

// `ProvidesStaticType` is an unsafe trait that only its derive may implement.
#![expect(
    unsafe_code,
    reason = "derived by the starlark crate for what verbs are lent"
)]

use std::cell::{Cell, RefCell};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use casemate_protocol::action::{Action, Outcome};
use casemate_protocol::codec;
use casemate_protocol::compartment::{FromScript, ToScript};
use casemate_protocol::frame::{self, FROM_SCRIPT, ReadError, TO_COMPARTMENT};
use starlark::any::ProvidesStaticType;

use super::code;
use super::failure::{Halt, Raised};

/// The connection to agentd, as the verbs see it.
#[derive(Debug, ProvidesStaticType)]
pub struct Agent<'s> {
    stream: &'s UnixStream,
    deadline: Instant,
    number: Cell<u64>,
    halt: RefCell<Option<Halt>>,
}

impl<'s> Agent<'s> {
    /// A connection on which no action was asked for yet.
    pub fn new(stream: &'s UnixStream, deadline: Instant) -> Self {
        Self {
            stream,
            deadline,
            number: Cell::new(0),
            halt: RefCell::new(None),
        }
    }

    /// Why the script must not go on, if so. A script cannot catch it.
    pub fn halted(&self) -> Option<Halt> {
        if self.halt.borrow().is_none() && Instant::now() >= self.deadline {
            self.halt.replace(Some(Halt::Deadline));
        }
        self.halt.borrow().clone()
    }

    /// Asks for one action and waits for its outcome, at most until the deadline.
    ///
    /// # Errors
    /// [`Halt`] as a Starlark error if the script cannot go on, [`Raised`] if the
    /// action is too large to be asked for. A failed action is an `Ok` outcome.
    pub fn ask(&self, action: Action) -> starlark::Result<Outcome> {
        if let Some(halt) = self.halted() {
            return Err(starlark::Error::new_other(halt));
        }
        self.exchange(action).map_err(|e| match e {
            Refused::Raised(raised) => raised.into(),
            Refused::Halt(halt) => {
                self.halt.replace(Some(halt.clone()));
                starlark::Error::new_other(halt)
            }
        })
    }

    fn exchange(&self, action: Action) -> Result<Outcome, Refused> {
        let number = self.number.get().saturating_add(1);
        let message = FromScript::Act { number, action };
        let size = codec::encode(&message).len();
        if size > FROM_SCRIPT {
            return Err(Refused::Raised(Raised::new(
                &code::TOO_LARGE,
                format!("the action takes {size} bytes, at most {FROM_SCRIPT} are allowed"),
            )));
        }
        self.number.set(number);
        let left = self.deadline.saturating_duration_since(Instant::now());
        // A read time-out of zero would mean none at all.
        let left = left.max(Duration::from_millis(1));
        let gone = |_| Refused::Halt(Halt::Gone);
        self.stream.set_read_timeout(Some(left)).map_err(gone)?;
        frame::write(&mut &*self.stream, &message).map_err(gone)?;
        let answer: ToScript = frame::read(&mut &*self.stream, TO_COMPARTMENT)
            .map_err(|e| Refused::Halt(of_read(e)))?;
        if answer.number != number {
            return Err(Refused::Halt(Halt::Garbage(format!(
                "action {number} was asked for, {} was answered",
                answer.number
            ))));
        }
        Ok(answer.outcome)
    }
}

/// Either the one action cannot be asked for, or nothing can any more.
enum Refused {
    Raised(Raised),
    Halt(Halt),
}

fn of_read(error: ReadError) -> Halt {
    use std::io::ErrorKind;
    match error {
        ReadError::Closed => Halt::Gone,
        ReadError::Io(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Halt::Deadline
        }
        ReadError::Io(_) => Halt::Gone,
        ReadError::TooLarge { .. } | ReadError::Malformed(_) => Halt::Garbage(error.to_string()),
    }
}
