//! A frame: a four-byte big-endian length and that many bytes.
//!
//! The limit is the border's, not the sender's: a reader states how much it is
//! willing to hold before it reads a length.

use std::io::{self, Read, Write};

use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::code::{self, Code};
use crate::codec::{self, DecodeError};

/// Largest frame from the interpreter to agentd: actions are short.
pub const FROM_SCRIPT: usize = 1 << 20;
/// Largest frame from the eyes and hands to agentd: one screenshot with its event.
pub const FROM_HANDS: usize = 16 << 20;
/// Largest frame from the desktop session to agentd.
pub const FROM_SESSION: usize = 64 << 10;
/// Largest frame from agentd to a compartment: a workflow bundle.
pub const TO_COMPARTMENT: usize = 4 << 20;
/// Largest frame between agentd and the daemon, either way.
pub const DAEMON: usize = 20 << 20;

/// Why a frame could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The other side closed the stream between two frames.
    #[error("the other side closed the connection")]
    Closed,
    /// The stream failed or ended inside a frame.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The announced length is over the border's limit.
    #[error("a frame of {announced} bytes was announced, at most {limit} are allowed")]
    TooLarge {
        /// What the sender announced.
        announced: usize,
        /// What this border allows.
        limit: usize,
    },
    /// The frame does not hold the expected message.
    #[error("a frame is malformed: {0}")]
    Malformed(#[from] DecodeError),
}

impl ReadError {
    /// The stable code, where the failure is the sender's doing.
    pub fn code(&self) -> Option<&'static Code> {
        match self {
            Self::TooLarge { .. } => Some(&code::FRAME_TOO_LARGE),
            Self::Malformed(_) => Some(&code::FRAME_MALFORMED),
            Self::Closed | Self::Io(_) => None,
        }
    }
}

/// Writes one message as one frame, in a single `write_all`.
///
/// # Errors
/// The stream's error, or `InvalidInput` for a message over 4 GiB.
pub fn write<T: Encode<()>>(stream: &mut impl Write, message: &T) -> io::Result<()> {
    let body = codec::encode(message);
    let length = u32::try_from(body.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "message over 4 GiB"))?;
    let mut frame = Vec::with_capacity(body.len().saturating_add(4));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    stream.write_all(&frame)?;
    stream.flush()
}

/// Reads the body of one frame of at most `limit` bytes.
///
/// Memory is taken as bytes arrive, so a lying length costs the sender its bytes.
///
/// # Errors
/// See [`ReadError`]; after any of them the stream is out of step and must be closed.
pub fn read_bytes(stream: &mut impl Read, limit: usize) -> Result<Vec<u8>, ReadError> {
    let mut head = [0u8; 4];
    let mut have = 0usize;
    while let Some(rest) = head.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) if have == 0 => return Err(ReadError::Closed),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => have = have.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let announced = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(ReadError::TooLarge { announced, limit });
    }
    let mut body = Vec::with_capacity(announced.min(64 << 10));
    let wanted = u64::try_from(announced).unwrap_or(u64::MAX);
    if stream.take(wanted).read_to_end(&mut body)? != announced {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(body)
}

/// Reads one message.
///
/// # Errors
/// See [`ReadError`].
pub fn read<T>(stream: &mut impl Read, limit: usize) -> Result<T, ReadError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    Ok(codec::decode_canonical(&read_bytes(stream, limit)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"hello".to_owned()).unwrap();
        assert_eq!(read::<String>(&mut bytes.as_slice(), 100).unwrap(), "hello");
    }

    #[test]
    fn a_lying_length_is_refused_before_memory_is_taken() {
        let bytes = [0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            read_bytes(&mut bytes.as_slice(), 1000),
            Err(ReadError::TooLarge {
                announced: 0xffff_ffff,
                limit: 1000
            })
        ));
    }

    #[test]
    fn an_end_inside_a_frame_is_not_a_clean_close() {
        let empty: &[u8] = &[];
        assert!(matches!(
            read_bytes(&mut { empty }, 10),
            Err(ReadError::Closed)
        ));
        for cut in [&[0u8][..], &[0, 0, 0, 2, 1][..]] {
            assert!(matches!(
                read_bytes(&mut { cut }, 10),
                Err(ReadError::Io(_))
            ));
        }
    }
}
