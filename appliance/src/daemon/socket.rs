//! The two sockets of the daemon.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::code;

const API: &str = "api.sock";
const AGENT: &str = "agentd.sock";

/// Both, listening.
#[derive(Debug)]
pub(super) struct Sockets {
    /// For operators; mode 0660, and the peer's credentials are checked.
    pub(super) api: UnixListener,
    /// For agentd, which is another user: mode 0666, and only the peer's
    /// credentials decide.
    pub(super) agent: UnixListener,
}

/// Makes both sockets. The state's lock is held, so a socket that is there is
/// one that a daemon before left.
pub(super) fn open(run: &Path) -> Result<Sockets, Failure> {
    let failed = |name: &str, e: io::Error| {
        let what = format!("making the socket {}", run.join(name).display());
        Failure::new(what, e.to_string(), &code::START_SOCKET, Exit::Usage)
    };
    fs::create_dir_all(run).map_err(|e| failed("", e))?;
    let agent = listen(&run.join(AGENT), 0o666).map_err(|e| failed(AGENT, e))?;
    let api = listen(&run.join(API), 0o660).map_err(|e| failed(API, e))?;
    api.set_nonblocking(true).map_err(|e| failed(API, e))?;
    Ok(Sockets { api, agent })
}

/// Removes both.
pub(super) fn remove(run: &Path) {
    for name in [API, AGENT] {
        // The next start removes what stays.
        let _ = fs::remove_file(run.join(name));
    }
}

fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(old) if !old.file_type().is_socket() => {
            return Err(io::Error::other("something that is no socket is there"));
        }
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // Made where nobody else can reach it, and moved into place, over an old one,
    // when its mode is right. (A process-wide umask would hit other threads.)
    let closed = path.with_extension("making");
    match fs::remove_dir_all(&closed) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&closed)?;
    let made = closed.join("s");
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, fs::Permissions::from_mode(mode))?;
    fs::rename(&made, path)?;
    fs::remove_dir(&closed)?;
    Ok(listener)
}
