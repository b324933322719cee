//! The desktop: the session that runs it, and the eyes and hands that use it.
//!
//! Two programs in two sandboxes. [`session`] is `agentd session`, inside the
//! `desktop` compartment with the display, the buses and the applications; it
//! starts and ends programs and nothing else. The rest is `agent-hands`, a client
//! of two mounted sockets: everything that it reads is a claim of whatever runs
//! in the desktop, and it bounds what it takes in by size, number and time.
//!
//! What is *not* promised: that a window is what its title or its names say.
//! agentd therefore lets effects be checked elsewhere.

pub mod accessible;
pub mod code;
pub mod deadline;
pub mod element;
pub mod failure;
pub mod hands;
pub mod keyboard;
pub mod picture;
pub mod pointer;
pub mod screen;
pub mod session;
pub mod sheet;
pub mod target;
pub mod typing;
pub mod window;

use std::path::{Path, PathBuf};

/// Where the job's `desk/` is mounted, in both compartments.
pub const DESK: &str = "/run/desk";
/// Number of the display.
pub const DISPLAY: u32 = 7;

/// Places below [`DESK`].
#[derive(Debug, Clone)]
pub struct Desk(PathBuf);

impl Desk {
    /// A desk at another place than [`DESK`], for tests.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder that is `/tmp/.X11-unix` in the desktop.
    pub fn x_folder(&self) -> PathBuf {
        self.0.join("x11")
    }

    /// The display's socket.
    pub fn x_socket(&self) -> PathBuf {
        self.x_folder().join(format!("X{DISPLAY}"))
    }

    /// The display's cookie file.
    pub fn x_authority(&self) -> PathBuf {
        self.0.join("xauthority")
    }

    /// The accessibility bus.
    pub fn bus_socket(&self) -> PathBuf {
        self.0.join("a11y")
    }

    /// The live view, RFB over a Unix socket.
    pub fn view_socket(&self) -> PathBuf {
        self.0.join("rfb")
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self(PathBuf::from(DESK))
    }
}
