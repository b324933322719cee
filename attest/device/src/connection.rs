//! One command at a time over the one connection, with its authorisations.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::number::{RS_PW, ST_NO_SESSIONS, ST_SESSIONS, cc};
use crate::response::ResponseCode;
use crate::session::Session;
use crate::transport::Transport;
use crate::wire::{Malformed, Put, Take};

/// Why a TPM command had no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// The channel broke or timed out.
    #[error("the connection to the TPM failed: {0}")]
    Connection(#[source] io::Error),
    /// The TPM refused.
    #[error("{command}: {code}")]
    Refused {
        /// The command's name in the specification.
        command: &'static str,
        /// What the TPM answered.
        code: ResponseCode,
    },
    /// The answer does not parse.
    #[error("{command}: the TPM's answer is malformed")]
    Malformed {
        /// The command's name in the specification.
        command: &'static str,
    },
    /// Registers that we need are not in use in the bank that we need.
    #[error("the TPM has no PCR {register} in a SHA-256 bank")]
    Bank {
        /// The first such register.
        register: u8,
    },
    /// The answer's HMAC is wrong: something between us and the TPM changed it.
    #[error("{command}: the answer was altered on its way from the TPM")]
    Altered {
        /// The command's name in the specification.
        command: &'static str,
    },
    /// The kernel gave no randomness.
    #[error("no randomness from the kernel")]
    Random,
}

impl TpmError {
    /// The TPM's response code, if it answered at all.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// A handle with the Name that authorisation HMACs and policies bind to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entity {
    pub(crate) handle: u32,
    pub(crate) name: Vec<u8>,
}

impl Entity {
    /// A hierarchy, PCR or session: its Name is its handle.
    pub(crate) fn plain(handle: u32) -> Self {
        Self {
            handle,
            name: handle.to_be_bytes().to_vec(),
        }
    }
}

/// How one handle of a command is authorised.
#[derive(Debug)]
pub(crate) enum Authority<'a> {
    /// An empty password.
    Empty,
    /// An HMAC or policy session; `auth` is the authorised entity's value.
    Session {
        session: &'a mut Session,
        auth: &'a [u8],
        attributes: u8,
    },
}

/// A command before it is sent.
#[derive(Debug)]
pub(crate) struct Command<'a> {
    pub(crate) code: u32,
    pub(crate) name: &'static str,
    pub(crate) handles: &'a [&'a Entity],
    pub(crate) parameters: Vec<u8>,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// For the few commands that return one; else zero.
    pub(crate) handle: u32,
    pub(crate) parameters: Vec<u8>,
}

impl Answer {
    pub(crate) fn read<T>(
        &self,
        command: &'static str,
        read: impl FnOnce(&mut Take<'_>) -> Result<T, Malformed>,
    ) -> Result<T, TpmError> {
        let mut take = Take(&self.parameters);
        read(&mut take)
            .and_then(|value| take.end().map(|()| value))
            .map_err(|Malformed| TpmError::Malformed { command })
    }
}

/// Attempts at a command the TPM asks to repeat (self-test running, busy).
const RETRIES: usize = 50;

/// The channel, shared by a [`crate::Tpm`] and the guards of what it loaded.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Mutex<Transport>>);

impl Connection {
    pub(crate) fn new(transport: Transport) -> Self {
        Self(Arc::new(Mutex::new(transport)))
    }

    fn transport(&self) -> MutexGuard<'_, Transport> {
        // A panic while holding the lock leaves at worst an unread answer, which
        // the next exchange reports as malformed; there is no state to protect.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command that needs no authorisation.
    pub(crate) fn run(&self, command: Command<'_>) -> Result<Answer, TpmError> {
        self.run_with(command, &mut [])
    }

    /// A command with one authority for each of its first handles.
    pub(crate) fn run_with(
        &self,
        command: Command<'_>,
        authorities: &mut [Authority<'_>],
    ) -> Result<Answer, TpmError> {
        let name = command.name;
        let mut parameters = command.parameters;
        let area = authorise(command.code, command.handles, &mut parameters, authorities)?;
        let packet = packet(command.code, command.handles, &area, &parameters);
        let response = self.exchange(&packet, name)?;
        let returns_handle = matches!(
            command.code,
            cc::CREATE_PRIMARY | cc::LOAD | cc::LOAD_EXTERNAL | cc::START_AUTH_SESSION
        );
        let malformed = |Malformed| TpmError::Malformed { command: name };
        let mut take = Take(&response);
        let handle = if returns_handle {
            take.u32().map_err(malformed)?
        } else {
            0
        };
        if authorities.is_empty() {
            return Ok(Answer {
                handle,
                parameters: take.0.to_vec(),
            });
        }
        let size = take.u32().map_err(malformed)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut parameters = take.raw(size).map_err(malformed)?.to_vec();
        verify(command.code, name, &mut take, &mut parameters, authorities)?;
        Ok(Answer { handle, parameters })
    }

    /// Sends a packet, repeating while the TPM says so; returns what follows the header.
    fn exchange(&self, packet: &[u8], name: &'static str) -> Result<Vec<u8>, TpmError> {
        let mut transport = self.transport();
        let mut left = RETRIES;
        loop {
            let mut response = transport.exchange(packet).map_err(TpmError::Connection)?;
            let mut take = Take(&response);
            let header = take
                .u16()
                .and_then(|_tag| take.u32().and_then(|_size| take.u32()));
            let code = header.map_err(|Malformed| TpmError::Malformed { command: name })?;
            let code = ResponseCode(code);
            if code.0 == 0 {
                return Ok(response.split_off(10));
            }
            if !code.is_retry() || left == 0 {
                return Err(TpmError::Refused {
                    command: name,
                    code,
                });
            }
            left -= 1;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Forgets a transient object or session.
    pub(crate) fn flush(&self, handle: u32) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.u32(handle);
        self.run(Command {
            code: cc::FLUSH_CONTEXT,
            name: "TPM2_FlushContext",
            handles: &[],
            parameters,
        })
        .map(drop)
    }
}

fn packet(code: u32, handles: &[&Entity], area: &[u8], parameters: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.u32(code);
    for entity in handles {
        body.u32(entity.handle);
    }
    if !area.is_empty() {
        body.u32(u32::try_from(area.len()).unwrap_or(u32::MAX))
            .raw(area);
    }
    body.raw(parameters);
    let mut packet = Vec::new();
    packet
        .u16(if area.is_empty() {
            ST_NO_SESSIONS
        } else {
            ST_SESSIONS
        })
        .u32(u32::try_from(body.len().saturating_add(6)).unwrap_or(u32::MAX))
        .raw(&body);
    packet
}

/// The authorisation area; encrypts the first parameter where a session says so.
fn authorise(
    code: u32,
    handles: &[&Entity],
    parameters: &mut [u8],
    authorities: &mut [Authority<'_>],
) -> Result<Vec<u8>, TpmError> {
    for authority in authorities.iter_mut() {
        if let Authority::Session {
            session,
            auth,
            attributes,
        } = authority
        {
            session.begin(auth, *attributes, parameters)?;
        }
    }
    // cpHash is over the parameters as sent, so after encryption (Part 1, 16.7).
    let names: Vec<&[u8]> = handles
        .iter()
        .map(|entity| entity.name.as_slice())
        .collect();
    let mut area = Vec::new();
    for authority in authorities.iter() {
        match authority {
            Authority::Empty => {
                area.u32(RS_PW).sized(&[]).u8(0).sized(&[]);
            }
            Authority::Session {
                session,
                auth,
                attributes,
            } => {
                let hmac = session.command_hmac(code, &names, parameters, auth, *attributes);
                area.u32(session.handle())
                    .sized(session.nonce_caller())
                    .u8(*attributes);
                area.sized(&hmac);
            }
        }
    }
    Ok(area)
}

/// Checks each session's HMAC over the answer, then decrypts its first parameter.
fn verify(
    code: u32,
    command: &'static str,
    take: &mut Take<'_>,
    parameters: &mut [u8],
    authorities: &mut [Authority<'_>],
) -> Result<(), TpmError> {
    let malformed = |Malformed| TpmError::Malformed { command };
    for authority in authorities.iter_mut() {
        let nonce = take.sized().map_err(malformed)?;
        let attributes = take.u8().map_err(malformed)?;
        let hmac = take.sized().map_err(malformed)?;
        if let Authority::Session { session, auth, .. } = authority {
            session
                .finish(code, parameters, nonce, attributes, hmac, auth)
                .map_err(|()| TpmError::Altered { command })?;
        }
    }
    take.end().map_err(malformed)?;
    for authority in authorities.iter() {
        if let Authority::Session {
            session,
            auth,
            attributes,
        } = authority
        {
            session.decrypt_answer(auth, *attributes, parameters);
        }
    }
    Ok(())
}
