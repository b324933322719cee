//! The byte channel to a TPM: one command out, one response in.
//!
//! Both the kernel's `/dev/tpmrm0` and swtpm's server socket carry bare TPM
//! packets, whose header holds their length, so no framing is added.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// A response longer than this is not one (TPM_MAX_RESPONSE_SIZE is 4096).
const RESPONSE_LIMIT: usize = 4096;
/// Longest wait for a software TPM's response. It serves one connection at a time, so this is
/// also how long a second process waits before it is told that nobody answers. A device has the
/// kernel's own time-outs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a TPM is, as said on a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `device:/dev/tpmrm0`
    Device(PathBuf),
    /// `swtpm:path=/absolute/socket`
    Socket(PathBuf),
    /// `swtpm:host=127.0.0.1,port=2321`
    Tcp(String, u16),
}

/// A connection string that names no TPM.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a TPM address; write device:/dev/tpmrm0, swtpm:path=/absolute/socket or swtpm:host=H,port=N"
)]
pub struct AddressError(String);

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("device:") {
            return absolute(path).map(Self::Device).ok_or_else(bad);
        }
        let rest = text.strip_prefix("swtpm:").ok_or_else(bad)?;
        if let Some(path) = rest.strip_prefix("path=") {
            return absolute(path).map(Self::Socket).ok_or_else(bad);
        }
        let (host, port) = rest.split_once(',').ok_or_else(bad)?;
        let host = host
            .strip_prefix("host=")
            .filter(|h| !h.is_empty())
            .ok_or_else(bad)?;
        let port = port
            .strip_prefix("port=")
            .and_then(|p| p.parse().ok())
            .ok_or_else(bad)?;
        Ok(Self::Tcp(host.to_owned(), port))
    }
}

fn absolute(path: &str) -> Option<PathBuf> {
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// An open channel.
#[derive(Debug)]
pub(crate) enum Transport {
    Device(File),
    Socket(UnixStream),
    Tcp(TcpStream),
}

impl Transport {
    pub(crate) fn open(address: &Address) -> io::Result<Self> {
        match address {
            Address::Device(path) => OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .map(Self::Device),
            Address::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Self::Socket(stream))
            }
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
        }
    }

    /// Sends one command and returns the whole response, header included.
    pub(crate) fn exchange(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Device(file) => {
                file.write_all(command)?;
                // The device hands over a whole response in one read.
                let mut response = vec![0; RESPONSE_LIMIT];
                let read = file.read(&mut response)?;
                response.truncate(read);
                if read == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"));
                }
                Ok(response)
            }
            Self::Socket(stream) => exchange_stream(stream, command),
            Self::Tcp(stream) => exchange_stream(stream, command),
        }
    }
}

fn exchange_stream(stream: &mut (impl Read + Write), command: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(command)?;
    let mut header = [0; 10];
    stream.read_exact(&mut header)?;
    let [_, _, a, b, c, d, ..] = header;
    let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if !(header.len()..=RESPONSE_LIMIT).contains(&size) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "response of impossible size",
        ));
    }
    let mut response = header.to_vec();
    response.resize(size, 0);
    if let Some(body) = response.get_mut(header.len()..) {
        stream.read_exact(body)?;
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_absolute_or_refused() {
        assert_eq!(
            "swtpm:path=/run/x".parse::<Address>().unwrap(),
            Address::Socket("/run/x".into())
        );
        assert_eq!(
            "swtpm:host=127.0.0.1,port=2321".parse::<Address>().unwrap(),
            Address::Tcp("127.0.0.1".into(), 2321)
        );
        for bad in [
            "",
            "device:tpm0",
            "swtpm:",
            "swtpm:path=x",
            "swtpm:host=,port=1",
            "mssim:",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
