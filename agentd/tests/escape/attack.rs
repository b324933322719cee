//! What an attack has to work with, in the probe.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use serde::{Deserialize, Serialize};

/// What the attacker was told, or guessed right. Nothing in it helps the sandbox:
/// a hostile program is assumed to know all paths, names and numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Scene {
    /// Whether this is the control.
    pub(crate) outside: bool,
    /// A directory of the host's.
    pub(crate) dir: String,
    /// Where a directory of the host's is seen, which belongs to the same id.
    pub(crate) shared: String,
    /// Where one may write.
    pub(crate) tmp: String,
    /// In every name and message of this attempt.
    pub(crate) tag: String,
    /// A process outside, of the same id.
    pub(crate) victim: i32,
    /// Where in its memory the secret lies.
    pub(crate) address: u64,
    /// Its descriptor of a secret.
    pub(crate) descriptor: i32,
    /// A port of the host's.
    pub(crate) port: u16,
    /// A terminal of the host's.
    pub(crate) terminal: String,
    /// A key of System V.
    pub(crate) key: i32,
    /// A control group of the host's, its file of processes.
    pub(crate) group: String,
    /// An id that is not the sandbox's.
    pub(crate) other: u32,
    /// The descriptor that leads to the host.
    pub(crate) proof: i32,
    /// What is inherited ends below this number.
    pub(crate) kept: i32,
}

impl Scene {
    /// A path in the host's directory.
    pub(crate) fn host(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }

    /// A path in the shared directory.
    pub(crate) fn shared(&self, name: &str) -> String {
        format!("{}/{name}", self.shared)
    }

    /// A path where one may write.
    pub(crate) fn tmp(&self, name: &str) -> String {
        format!("{}/{}-{name}", self.tmp, self.tag)
    }
}

/// What an attack got hold of.
#[derive(Debug, Default)]
pub(crate) struct Got {
    /// Bytes that it claims.
    pub(crate) bytes: Vec<u8>,
    /// What is kept open until the next one, so that the host can look.
    pub(crate) held: Vec<OwnedFd>,
    /// Processes that wait for as long.
    pub(crate) children: Vec<i32>,
}

/// An attack's own word; the host judges by what it sees.
pub(crate) type Loot = Result<Got, i32>;

pub(crate) fn nothing() -> Loot {
    Ok(Got::default())
}

pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Loot {
    Ok(Got {
        bytes: bytes.into(),
        ..Got::default()
    })
}

pub(crate) fn held(fd: i64) -> Loot {
    Ok(Got {
        held: vec![own(fd)],
        ..Got::default()
    })
}

pub(crate) fn own(fd: i64) -> OwnedFd {
    unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) }
}

pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

pub(crate) fn done(result: impl Into<i64>) -> Result<i64, i32> {
    let result = result.into();
    if result < 0 { Err(errno()) } else { Ok(result) }
}

/// One raw system call.
pub(crate) fn call(number: i64, arguments: &[i64]) -> Result<i64, i32> {
    let mut six = [0; 6];
    six[..arguments.len()].copy_from_slice(arguments);
    let [a, b, c, d, e, f] = six;
    done(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

pub(crate) fn io<T>(result: std::io::Result<T>) -> Result<T, i32> {
    result.map_err(|e| e.raw_os_error().unwrap_or(0))
}

pub(crate) fn text(path: &str) -> CString {
    CString::new(path).unwrap()
}

/// The address of something, as a system call wants it.
pub(crate) fn at<T: ?Sized>(what: &T) -> i64 {
    (what as *const T).cast::<()>() as i64
}

pub(crate) fn read(path: &str) -> Loot {
    let mut all = Vec::new();
    let mut file = io(File::open(path))?;
    // Enough for any secret; some files here have no end.
    io((&mut file).take(1 << 16).read_to_end(&mut all))?;
    bytes(all)
}

/// The whole of a file whose end matters, shortened to its last 12 KiB.
pub(crate) fn read_all(path: &str) -> Loot {
    let all = io(std::fs::read(path))?;
    bytes(&all[all.len().saturating_sub(12 << 10)..])
}

pub(crate) fn write(path: &str, what: &str) -> Loot {
    use std::io::Write;
    let mut file = io(File::options().write(true).open(path))?;
    io(file.write_all(what.as_bytes()))?;
    nothing()
}

/// A child that does this; its errno is its exit status.
pub(crate) fn in_child(what: impl FnOnce() -> Result<(), i32>) -> Loot {
    let child = done(unsafe { libc::fork() })?;
    if child == 0 {
        let code = what().err().unwrap_or(0);
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    unsafe { libc::waitpid(i32::try_from(child).unwrap(), &raw mut status, 0) };
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
        (true, 0) => nothing(),
        (true, code) => Err(code),
        _ => bytes(format!("signal {}", libc::WTERMSIG(status))),
    }
}

/// Waits for ever, as a child whose namespaces the host looks at.
pub(crate) fn wait() -> ! {
    // Not longer than the attacker lives, whoever ends it.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    loop {
        unsafe { libc::pause() };
    }
}

/// What a fork-like call returned: in the child, wait; in the parent, keep it.
pub(crate) fn forked(pid: i64) -> Loot {
    match pid {
        0 => wait(),
        pid => Ok(Got {
            children: vec![i32::try_from(pid).unwrap()],
            ..Got::default()
        }),
    }
}

/// Executes `argv`, in a child where there may be one; the program proves to the
/// host that it ran.
pub(crate) fn run(argv: &[&str]) -> Loot {
    let argv: Vec<CString> = argv.iter().map(|word| text(word)).collect();
    let mut pointers: Vec<_> = argv.iter().map(|word| word.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment = [std::ptr::null::<libc::c_char>()];
    let become_it = || {
        done(unsafe { libc::execve(pointers[0], pointers.as_ptr(), environment.as_ptr()) })
            .map(drop)
    };
    match in_child(become_it) {
        Err(libc::EPERM) => become_it().and_then(|()| nothing()),
        ran => ran,
    }
}

/// A program of some 200 bytes that says `proof` and the tag to the host.
pub(crate) fn program(scene: &Scene) -> Vec<u8> {
    let said = format!("proof {}", scene.tag).into_bytes();
    let length = u32::try_from(said.len()).unwrap().to_le_bytes();
    let mut code = vec![0xbf];
    code.extend(scene.proof.to_le_bytes()); // mov edi, proof
    code.extend([0x48, 0x8d, 0x35, 21, 0, 0, 0]); // lea rsi, [rip + 21]
    code.push(0xba);
    code.extend(length); // mov edx, length
    code.extend([0xb8, 1, 0, 0, 0, 0x0f, 0x05]); // write
    code.extend([0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]); // exit 0
    code.extend(said);
    let whole = u64::try_from(120 + code.len()).unwrap().to_le_bytes();
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]); // executable, x86-64, version
    elf.extend(0x40_0078u64.to_le_bytes()); // entry
    elf.extend(64u64.to_le_bytes()); // program headers
    elf.extend([0; 12]);
    elf.extend([64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]); // sizes and counts
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]); // load, read and execute
    elf.extend([0; 8]);
    elf.extend(0x40_0000u64.to_le_bytes());
    elf.extend(0x40_0000u64.to_le_bytes());
    elf.extend(whole);
    elf.extend(whole);
    elf.extend(0x1000u64.to_le_bytes());
    elf.extend(code);
    elf
}

/// The probe's own file.
pub(crate) fn own_program() -> Result<Vec<u8>, i32> {
    io(std::fs::read("/proc/self/exe"))
}

/// The small program at `path` with this mode.
pub(crate) fn plant(scene: &Scene, path: &str, mode: u32) -> Result<(), i32> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut file = io(File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode & 0o777)
        .open(path))?;
    io(file.write_all(&program(scene)))?;
    if mode > 0o777 {
        io(file.set_permissions(PermissionsExt::from_mode(mode)))?;
    }
    Ok(())
}

/// A socket of this kind.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, i32> {
    call(
        libc::SYS_socket,
        &[family.into(), kind.into(), protocol.into()],
    )
    .map(own)
}

/// Such a socket, held so that the host can see it.
pub(crate) fn hold_socket(family: i32, kind: i32, protocol: i32) -> Loot {
    Ok(Got {
        held: vec![socket(family, kind, protocol)?],
        ..Got::default()
    })
}

/// Connects to this address and says the tag.
pub(crate) fn say_to_port<T>(socket: OwnedFd, address: &T, scene: &Scene) -> Loot {
    let length = i64::try_from(size_of::<T>()).unwrap();
    call(
        libc::SYS_connect,
        &[socket.as_raw_fd().into(), at(address), length],
    )?;
    say(&socket, &scene.tag)?;
    nothing()
}

/// Connects to the host's port by this protocol of streams and says the tag.
pub(crate) fn say_to_tcp(scene: &Scene, protocol: i32) -> Loot {
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, protocol)?;
    say_to_port(socket, &local(scene.port), scene)
}

/// Makes a socket to a part of the kernel.
pub(crate) fn hold_netlink(protocol: i32) -> Loot {
    hold_socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)
}

/// Makes a call on the shared rules, which gets the open file first, and holds them.
pub(crate) fn hold_rules(scene: &Scene, number: i64, arguments: &[i64]) -> Loot {
    let file = io(File::open(scene.shared("rules")))?;
    let fd = i64::from(file.as_raw_fd());
    call(number, &[&[fd], arguments].concat())?;
    Ok(Got {
        held: vec![file.into()],
        ..Got::default()
    })
}

/// Makes a request of the terminal.
pub(crate) fn ask_terminal(scene: &Scene, request: i64, argument: i64) -> Loot {
    use std::os::unix::fs::OpenOptionsExt;
    let terminal = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(&scene.terminal);
    // Where there is none to be opened, whatever its input is.
    let fd = terminal.as_ref().map_or(0, AsRawFd::as_raw_fd);
    call(libc::SYS_ioctl, &[fd.into(), request, argument])?;
    nothing()
}

/// The address 127.0.0.1 with `port`.
pub(crate) fn local(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET.try_into().unwrap(),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    }
}

/// Connects to a Unix socket by path, or by abstract name if it begins with zero,
/// and says the tag.
pub(crate) fn say_to_unix(kind: i32, name: &[u8], what: &str) -> Result<OwnedFd, i32> {
    let socket = socket(libc::AF_UNIX, kind, 0)?;
    let mut address = [0u8; 110];
    address[0] = 1;
    address[2..2 + name.len()].copy_from_slice(name);
    call(
        libc::SYS_connect,
        &[
            socket.as_raw_fd().into(),
            at(&address),
            i64::try_from(2 + name.len()).unwrap(),
        ],
    )?;
    say(&socket, what)?;
    Ok(socket)
}

/// Writes to a descriptor.
pub(crate) fn say(fd: &OwnedFd, what: &str) -> Result<(), i32> {
    let length = i64::try_from(what.len()).unwrap();
    call(
        libc::SYS_write,
        &[fd.as_raw_fd().into(), at(what.as_bytes()), length],
    )
    .map(drop)
}
