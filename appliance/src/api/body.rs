//! Bodies: what comes in is bounded in bytes and in patience, what goes out is
//! whole or streamed.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::mpsc;

use super::error::ApiError;
use crate::code;

/// How long a client may be silent inside a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the next piece of a body; `None` at its end.
///
/// # Errors
/// `request.stalled` if nothing comes for [`PATIENCE`], `request.malformed` if
/// the transfer breaks.
pub async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, ApiError> {
    loop {
        let frame = tokio::time::timeout(PATIENCE, body.frame())
            .await
            .map_err(|_| {
                ApiError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    &code::REQUEST_STALLED,
                    format!(
                        "no byte of the body came for {} seconds",
                        PATIENCE.as_secs()
                    ),
                )
            })?;
        match frame {
            None => return Ok(None),
            Some(Err(e)) => {
                return Err(ApiError::bad(
                    &code::REQUEST_MALFORMED,
                    format!("the body could not be read: {e}"),
                ));
            }
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data()
                    && !bytes.is_empty()
                {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// `request.too-large`, and those of [`next_piece`].
pub async fn whole(mut body: Incoming, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = next_piece(&mut body).await? {
        if bytes.len().saturating_add(piece.len()) > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The refusal of a body over `limit` bytes.
pub fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        &code::REQUEST_TOO_LARGE,
        format!("the body is over {limit} bytes"),
    )
}

/// A body that goes out.
#[derive(Debug)]
pub enum ReplyBody {
    /// Known bytes, taken when sent.
    Whole(Option<Bytes>),
    /// Pieces from a blocking reader, and how many bytes they will be.
    Stream(mpsc::Receiver<std::io::Result<Bytes>>, u64),
}

impl ReplyBody {
    /// A body of these bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(pieces, left) => {
                let piece = std::task::ready!(pieces.poll_recv(context));
                if let Some(Ok(bytes)) = &piece {
                    *left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                }
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Stream(_, left) => SizeHint::with_exact(*left),
        }
    }
}
