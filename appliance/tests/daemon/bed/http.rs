//! Raw requests, for clients that do not behave.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Bed;

/// A connection to the API.
pub(crate) fn connect(bed: &Bed) -> UnixStream {
    let stream = UnixStream::connect(bed.path("run/api.sock")).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// Sends bytes and reads until the daemon closes.
pub(crate) fn exchange(bed: &Bed, bytes: &[u8]) -> String {
    let mut stream = connect(bed);
    // The daemon may close before it has taken everything.
    let _ = stream.write_all(bytes);
    drain(&mut stream)
}

/// Reads until the daemon closes.
pub(crate) fn drain(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("the daemon did not cut the client off: {e}"),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// One whole request with a body.
pub(crate) fn request(bed: &Bed, head: &str, body: &[u8]) -> String {
    let mut bytes = format!(
        "{head} HTTP/1.1\r\nhost: casemate\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    exchange(bed, &bytes)
}
