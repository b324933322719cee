//! A bounded, deadline-keeping conversation with one compartment.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use casemate_protocol::codec::{self, DecodeError};
use casemate_protocol::frame;
use minicbor::{Decode, Encode};
use thiserror::Error;

/// How long a compartment may leave our bytes unread before it counts as lost.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Why a message was not sent or received.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// The compartment closed its end, or we shut it down to cancel.
    #[error("the compartment closed its channel")]
    Closed,
    /// Nothing (or not all of a message) came in time.
    #[error("the compartment did not answer in time")]
    Late,
    /// The compartment sent something that is not a message of this border.
    #[error("the compartment sent a malformed message: {0}")]
    Malformed(String),
    /// The socket failed.
    #[error("the channel failed: {0}")]
    Io(io::Error),
}

impl From<DecodeError> for ChannelError {
    fn from(e: DecodeError) -> Self {
        Self::Malformed(e.to_string())
    }
}

/// Our end of a compartment's socket pair.
#[derive(Debug)]
pub struct Channel {
    stream: Arc<UnixStream>,
    limit: usize,
}

/// Ends a channel from another thread: every blocked call on it returns.
#[derive(Debug, Clone)]
pub struct Breaker(Arc<UnixStream>);

impl Breaker {
    /// Shuts the channel down; calling it twice is harmless.
    pub fn trip(&self) {
        // Already shut down is what we want.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Channel {
    /// Takes our end of a socket pair; frames over `limit` bytes are refused.
    ///
    /// # Errors
    /// The socket's error when its write time-out cannot be set.
    pub fn new(stream: UnixStream, limit: usize) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        Ok(Self {
            stream: Arc::new(stream),
            limit,
        })
    }

    /// A handle that ends this channel from another thread.
    pub fn breaker(&self) -> Breaker {
        Breaker(Arc::clone(&self.stream))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] or [`ChannelError::Late`] if the compartment is
    /// gone or does not read.
    pub fn send<T: Encode<()>>(&mut self, message: &T) -> Result<(), ChannelError> {
        frame::write(&mut &*self.stream, message).map_err(classify)
    }

    /// Receives one message, all of it before `deadline`.
    ///
    /// # Errors
    /// See [`ChannelError`]; after any of them the channel is out of step.
    pub fn receive<T>(&mut self, deadline: Instant) -> Result<T, ChannelError>
    where
        T: for<'b> Decode<'b, ()> + Encode<()>,
    {
        let mut head = [0u8; 4];
        self.fill(&mut head, deadline)?;
        let announced = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
        if announced > self.limit {
            return Err(ChannelError::Malformed(format!(
                "a frame of {announced} bytes was announced, at most {} are allowed",
                self.limit
            )));
        }
        // Memory is taken as the bytes arrive, so a lying length costs nothing.
        let mut body = Vec::new();
        while body.len() < announced {
            let have = body.len();
            body.resize(announced.min(have.saturating_add(64 << 10)), 0);
            let Some(room) = body.get_mut(have..) else {
                break;
            };
            self.fill(room, deadline)?;
        }
        Ok(codec::decode_canonical(&body)?)
    }

    fn fill(&mut self, room: &mut [u8], deadline: Instant) -> Result<(), ChannelError> {
        let mut have = 0usize;
        while let Some(rest) = room.get_mut(have..).filter(|rest| !rest.is_empty()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ChannelError::Late);
            }
            self.stream
                .set_read_timeout(Some(left))
                .map_err(ChannelError::Io)?;
            match (&*self.stream).read(rest) {
                Ok(0) => return Err(ChannelError::Closed),
                Ok(n) => have = have.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(classify(e)),
            }
        }
        Ok(())
    }
}

fn classify(e: io::Error) -> ChannelError {
    match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ChannelError::Late,
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => ChannelError::Closed,
        _ => ChannelError::Io(e),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn garbage_is_malformed_and_silence_is_late() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours, 100).unwrap();
        theirs.write_all(&[0, 0, 0, 200]).unwrap();
        assert!(matches!(
            channel.receive::<String>(soon()),
            Err(ChannelError::Malformed(_))
        ));

        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours, 100).unwrap();
        let now = Instant::now() + Duration::from_millis(5);
        assert!(matches!(
            channel.receive::<String>(now),
            Err(ChannelError::Late)
        ));
    }

    #[test]
    fn a_breaker_wakes_a_blocked_reader() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours, 100).unwrap();
        let breaker = channel.breaker();
        let reader = std::thread::spawn(move || channel.receive::<String>(soon()));
        breaker.trip();
        assert!(matches!(reader.join().unwrap(), Err(ChannelError::Closed)));
    }
}
