//! The display: connecting to it, and pictures of it.
//!
//! A picture is made by MIT-SHM 1.2 into a memory file of ours that is sealed
//! against resizing and then read like a file. It is not mapped: the other side
//! writes it at will, and may be hostile.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::shm::{ConnectionExt as _, Seg};
use x11rb::protocol::xproto::{ImageFormat, ImageOrder, Window};
use x11rb::rust_connection::{DefaultStream, RustConnection};

use crate::desktop::failure::Failure;
use crate::desktop::{Desk, code};
use crate::vision::Frame;

/// Largest cookie file.
const LARGEST_COOKIE: u64 = 4096;
/// Events taken at once; a flood is looked at in turns.
const EVENTS: usize = 4096;

/// Connects to the desk's display with its cookie.
///
/// # Errors
/// `desktop.lost`.
pub fn connect(desk: &Desk) -> Result<RustConnection, Failure> {
    let failed = |what: &str, e: io::Error| {
        Failure::new(
            &code::LOST,
            format!("the display's {what} cannot be used: {e}"),
        )
    };
    let mut bytes = Vec::new();
    File::open(desk.x_authority())
        .and_then(|file| file.take(LARGEST_COOKIE).read_to_end(&mut bytes))
        .map_err(|e| failed("cookie", e))?;
    let (name, data) = cookie(&bytes)
        .ok_or_else(|| failed("cookie", io::Error::from(io::ErrorKind::InvalidData)))?;
    let stream = UnixStream::connect(desk.x_socket()).map_err(|e| failed("socket", e))?;
    let (stream, _) = DefaultStream::from_unix_stream(stream).map_err(|e| failed("socket", e))?;
    Ok(RustConnection::connect_to_stream_with_auth_info(
        stream, 0, name, data,
    )?)
}

/// Name and data of the first entry of an Xau file.
fn cookie(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    fn part(rest: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
    }
    let (_family, rest) = bytes.split_first_chunk::<2>()?;
    let (_address, rest) = part(rest)?;
    let (_number, rest) = part(rest)?;
    let (name, rest) = part(rest)?;
    let (data, _) = part(rest)?;
    Some((name.to_vec(), data.to_vec()))
}

/// The root window, if the display has a screen.
pub fn root(connection: &RustConnection) -> Option<Window> {
    connection.setup().roots.first().map(|screen| screen.root)
}

/// The screen of a display.
pub struct Screen {
    connection: RustConnection,
    root: Window,
    width: u16,
    height: u16,
    memory: File,
    segment: Seg,
    damage: Damage,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Screen({}x{})", self.width, self.height)
    }
}

impl Screen {
    /// Connects and prepares pictures.
    ///
    /// # Errors
    /// `desktop.lost`, also for a display whose pixels are not 32 bits of blue,
    /// green and red.
    pub fn open(desk: &Desk) -> Result<Self, Failure> {
        let unfit = |why: &str| Failure::new(&code::LOST, format!("the display is unfit: {why}"));
        let connection = connect(desk)?;
        let setup = connection.setup();
        let screen = setup
            .roots
            .first()
            .ok_or_else(|| unfit("it has no screen"))?;
        let (root, width, height) = (screen.root, screen.width_in_pixels, screen.height_in_pixels);
        let depth = screen.root_depth;
        let format = setup
            .pixmap_formats
            .iter()
            .find(|format| format.depth == depth);
        let visual = screen
            .allowed_depths
            .iter()
            .flat_map(|depth| &depth.visuals)
            .find(|visual| visual.visual_id == screen.root_visual);
        let usual = format.is_some_and(|f| f.bits_per_pixel == 32)
            && visual.is_some_and(|v| (v.red_mask, v.blue_mask) == (0xff_0000, 0xff))
            && setup.image_byte_order == ImageOrder::LSB_FIRST;
        if !usual || width == 0 || height == 0 {
            return Err(unfit("its pixels are not 32 bits of blue, green and red"));
        }
        let bytes = usize::from(width)
            .saturating_mul(usize::from(height))
            .saturating_mul(4);
        let memory = memory(bytes).map_err(|e| unfit(&format!("no memory for pictures: {e}")))?;
        let version = connection.shm_query_version()?.reply()?;
        if (version.major_version, version.minor_version) < (1, 2) {
            return Err(unfit("it has no MIT-SHM 1.2"));
        }
        let segment = connection.generate_id()?;
        let shared = memory.try_clone().map_err(|e| unfit(&e.to_string()))?;
        connection
            .shm_attach_fd(segment, std::os::fd::OwnedFd::from(shared), false)?
            .check()?;
        connection.damage_query_version(1, 1)?.reply()?;
        let damage = connection.generate_id()?;
        connection
            .damage_create(damage, root, ReportLevel::NON_EMPTY)?
            .check()?;
        Ok(Self {
            connection,
            root,
            width,
            height,
            memory,
            segment,
            damage,
        })
    }

    /// The connection, for input and windows.
    pub fn connection(&self) -> &RustConnection {
        &self.connection
    }

    /// The root window.
    pub fn root(&self) -> Window {
        self.root
    }

    /// Pixels in a row.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// What the screen shows now.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn capture(&self) -> Result<Frame, Failure> {
        self.capture_over(None)
    }

    /// The same, in the memory of a frame that is no longer needed: fresh memory
    /// costs more than the picture.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn capture_over(&self, old: Option<Frame>) -> Result<Frame, Failure> {
        let reply = self
            .connection
            .shm_get_image(
                self.root,
                0,
                0,
                self.width,
                self.height,
                u32::MAX,
                ImageFormat::Z_PIXMAP.into(),
                self.segment,
                0,
            )?
            .reply()?;
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let bytes = width.saturating_mul(height).saturating_mul(4);
        let lost = |why: String| Failure::new(&code::LOST, why);
        if usize::try_from(reply.size) != Ok(bytes) {
            return Err(lost(format!(
                "a picture of {} bytes instead of {bytes}",
                reply.size
            )));
        }
        let mut data = old.map(Frame::into_data).unwrap_or_default();
        data.resize(bytes, 0);
        self.memory
            .read_exact_at(&mut data, 0)
            .map_err(|e| lost(format!("a picture cannot be read: {e}")))?;
        Frame::new(width, height, data).ok_or_else(|| lost("a picture without pixels".to_owned()))
    }

    /// Waits until something is drawn, at most `patience`. A change before the
    /// call and after the last one counts.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn wait_for_change(&self, patience: Duration) -> Result<bool, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            if self.take_damage()? {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(left) = PollTimeout::try_from(left) else {
                return Ok(false);
            };
            if left == PollTimeout::ZERO {
                return Ok(false);
            }
            let mut fds = [PollFd::new(
                self.connection.stream().as_fd(),
                PollFlags::POLLIN,
            )];
            let _either = poll(&mut fds, left);
        }
    }

    fn take_damage(&self) -> Result<bool, Failure> {
        let mut damaged = false;
        for _ in 0..EVENTS {
            match self.connection.poll_for_event()? {
                Some(Event::DamageNotify(_)) => damaged = true,
                Some(_) => {}
                None => break,
            }
        }
        if damaged {
            // Arms the report again; what is drawn from here on counts anew.
            self.connection.damage_subtract(self.damage, 0u32, 0u32)?;
            self.connection.flush()?;
        }
        Ok(damaged)
    }
}

/// Memory that can be neither resized by the other side nor executed.
fn memory(bytes: usize) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::NOEXEC_SEAL;
    let file = File::from(memfd_create(c"screen", flags)?);
    file.set_len(u64::try_from(bytes).map_err(io::Error::other)?)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_file_is_read_and_a_cut_one_is_not() {
        let bytes = b"\xff\xff\0\0\0\x017\0\x02ab\0\x03xyz";
        assert_eq!(cookie(bytes), Some((b"ab".to_vec(), b"xyz".to_vec())));
        for end in 0..bytes.len() {
            assert_eq!(cookie(&bytes[..end]), None);
        }
    }

    #[test]
    fn the_other_side_cannot_shrink_our_memory() {
        let file = memory(8192).unwrap();
        let theirs = file.try_clone().unwrap();
        assert_eq!(
            theirs.set_len(0).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
        assert_eq!(
            theirs.set_len(1 << 20).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
    }
}
