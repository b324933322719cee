//! The client of the API: one request, one connection, one answer.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::exit::Exit;
use super::failure::Failure;
use crate::api::view::Refusal;
use crate::code;

/// How long the daemon may be silent before the client gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// The largest answer that is held in memory.
const LARGEST: usize = 1 << 30;

/// A client of one daemon.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

impl Client {
    /// A client of the daemon behind this socket; nothing is connected yet.
    ///
    /// # Errors
    /// The runtime's, if the system is out of descriptors.
    pub(super) fn new(socket: &Path) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| {
                Failure::new("starting", e.to_string(), &code::INTERNAL, Exit::Internal)
            })?;
        Ok(Self {
            socket: socket.to_owned(),
            runtime,
        })
    }

    /// `GET` that answers JSON.
    ///
    /// # Errors
    /// [`Failure`], named by `what`.
    pub(super) fn get<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, Failure> {
        parse(what, &self.get_bytes(what, path)?)
    }

    /// `GET` that answers bytes.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn get_bytes(&self, what: &str, path: &str) -> Result<Vec<u8>, Failure> {
        self.call(what, Method::GET, path, Bytes::new())
    }

    /// `POST` of JSON that answers JSON.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|e| Failure::new(what, e.to_string(), &code::INTERNAL, Exit::Internal))?;
        parse(what, &self.post_bytes(what, path, body)?)
    }

    /// `POST` of bytes that answers bytes.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn post_bytes(
        &self,
        what: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, Failure> {
        self.call(what, Method::POST, path, body.into())
    }

    /// `GET` into a file, piece by piece; returns its length.
    ///
    /// # Errors
    /// As [`Self::get`], and the file's.
    pub(super) fn get_file(&self, what: &str, path: &str, file: &mut File) -> Result<u64, Failure> {
        self.run(what, async {
            let answer = self.send(what, Method::GET, path, Bytes::new()).await?;
            let mut body = checked(what, answer).await?;
            let mut length = 0u64;
            while let Some(piece) = next_piece(what, &mut body).await? {
                file.write_all(&piece)
                    .map_err(|e| Failure::file(what, &e))?;
                length = length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            }
            Ok(length)
        })
    }

    fn call(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Vec<u8>, Failure> {
        self.run(what, async {
            let answer = self.send(what, method, path, body).await?;
            let body = checked(what, answer).await?;
            whole(what, body).await
        })
    }

    /// Runs a request to its end, or to Ctrl-C.
    fn run<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(async {
            tokio::select! {
                answer = request => answer,
                _ = tokio::signal::ctrl_c() => Err(Failure::new(
                    what,
                    "interrupted",
                    &code::CLI_INTERRUPTED,
                    Exit::Interrupted,
                )),
            }
        })
    }

    async fn send(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| {
            let why = format!("no daemon answers at {}: {e}", self.socket.display());
            Failure::new(what, why, &code::DAEMON_ABSENT, Exit::Absent)
        })?;
        let broken = |e: hyper::Error| {
            let why = format!("the daemon closed the connection: {e}");
            Failure::new(what, why, &code::DAEMON_ABSENT, Exit::Absent)
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "casemate")
            .body(Full::new(body))
            .map_err(|e| Failure::new(what, e.to_string(), &code::CLI_USAGE, Exit::Usage))?;
        patient(what, sender.send_request(request))
            .await?
            .map_err(broken)
    }
}

/// A path segment in which nothing has a meaning of its own.
pub(super) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            segment.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

async fn checked(what: &str, answer: Response<Incoming>) -> Result<Incoming, Failure> {
    let status = answer.status();
    let body = answer.into_body();
    if status.is_success() {
        return Ok(body);
    }
    let bytes = whole(what, body).await?;
    Err(match serde_json::from_slice::<Refusal>(&bytes) {
        Ok(refusal) => Failure::refused(what, status, refusal),
        Err(_) => foreign(what, &format!("status {status} without a reason")),
    })
}

async fn whole(what: &str, mut body: Incoming) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(piece) = next_piece(what, &mut body).await? {
        if bytes.len().saturating_add(piece.len()) > LARGEST {
            return Err(foreign(what, "the answer is too long"));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

async fn next_piece(what: &str, body: &mut Incoming) -> Result<Option<Bytes>, Failure> {
    while let Some(frame) = patient(what, body.frame()).await? {
        let frame = frame.map_err(|e| {
            let why = format!("the answer broke off: {e}");
            Failure::new(what, why, &code::DAEMON_ABSENT, Exit::Absent)
        })?;
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

async fn patient<T>(what: &str, wait: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(PATIENCE, wait).await.map_err(|_| {
        let why = format!("the daemon was silent for {} seconds", PATIENCE.as_secs());
        Failure::new(what, why, &code::DAEMON_SILENT, Exit::Interrupted)
    })
}

/// Reads an answer.
///
/// # Errors
/// `daemon.foreign` if it is not what this version expects.
pub(super) fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|e| foreign(what, &e.to_string()))
}

fn foreign(what: &str, why: &str) -> Failure {
    let why = format!("the answer is not one of this version's: {why}");
    Failure::new(what, why, &code::DAEMON_FOREIGN, Exit::Internal)
}
