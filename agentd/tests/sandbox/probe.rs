//! A hostile program for tests: `sandbox-probe NAME…` makes each named attempt and
//! prints `NAME ok` or `NAME errno N`. It is built for tests and not shipped.
//!
//! What an attempt means is judged by the test: the same program runs outside
//! first, as the control.

#![expect(
    unsafe_code,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an attacker's program: it makes the raw calls that production code must not"
)]

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::null_mut;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.first().is_some_and(|name| name == "hold") {
        hold();
    }
    for name in names {
        match attempt(&name) {
            Ok(()) => println!("{name} ok"),
            Err(errno) => println!("{name} errno {errno}"),
        }
    }
}

/// A process and a child that never end.
fn hold() -> ! {
    unsafe { libc::fork() };
    println!("holding");
    loop {
        std::thread::park();
    }
}

fn errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn done(result: i64) -> Result<(), i32> {
    if result < 0 { Err(errno()) } else { Ok(()) }
}

fn io<T>(result: Result<T, Error>) -> Result<(), i32> {
    result.map(drop).map_err(|e| e.raw_os_error().unwrap_or(0))
}

/// One raw system call with up to four small arguments.
fn call(number: i64, a: i64, b: i64, c: i64, d: i64) -> Result<(), i32> {
    done(unsafe { libc::syscall(number, a, b, c, d, 0, 0) })
}

#[expect(clippy::too_many_lines, reason = "a list of attempts, one arm each")]
fn attempt(name: &str) -> Result<(), i32> {
    match name {
        "nothing" => Ok(()),
        // sockets
        "socket-inet" => call(
            libc::SYS_socket,
            libc::AF_INET.into(),
            libc::SOCK_STREAM.into(),
            0,
            0,
        ),
        "socket-inet-datagram" => call(
            libc::SYS_socket,
            libc::AF_INET.into(),
            libc::SOCK_DGRAM.into(),
            0,
            0,
        ),
        "socket-inet6" => call(
            libc::SYS_socket,
            libc::AF_INET6.into(),
            libc::SOCK_STREAM.into(),
            0,
            0,
        ),
        "socket-mptcp" => call(
            libc::SYS_socket,
            libc::AF_INET.into(),
            libc::SOCK_STREAM.into(),
            262,
            0,
        ),
        "socket-vsock" => call(
            libc::SYS_socket,
            libc::AF_VSOCK.into(),
            libc::SOCK_STREAM.into(),
            0,
            0,
        ),
        "socket-netlink" => call(
            libc::SYS_socket,
            libc::AF_NETLINK.into(),
            libc::SOCK_RAW.into(),
            0,
            0,
        ),
        "socket-packet" => call(
            libc::SYS_socket,
            libc::AF_PACKET.into(),
            libc::SOCK_RAW.into(),
            0,
            0,
        ),
        "socket-unix" => call(
            libc::SYS_socket,
            libc::AF_UNIX.into(),
            libc::SOCK_STREAM.into(),
            0,
            0,
        ),
        "socket-family-high-bits" => call(
            libc::SYS_socket,
            0x1_0000_0000 | i64::from(libc::AF_INET),
            libc::SOCK_STREAM.into(),
            0,
            0,
        ),
        "connect-abstract" => connect(&[b"\0", b"casemate-probe" as &[u8]].concat()),
        "connect-host-path" => connect(b"/tmp/casemate-probe.sock"),
        // namespaces and the tree
        "unshare-user" => alone(|| call(libc::SYS_unshare, libc::CLONE_NEWUSER.into(), 0, 0, 0)),
        "unshare-net" => alone(|| call(libc::SYS_unshare, libc::CLONE_NEWNET.into(), 0, 0, 0)),
        "clone-new-user" => reap(unsafe {
            libc::syscall(
                libc::SYS_clone,
                i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD),
                0,
                0,
                0,
                0,
            )
        }),
        "clone3" => {
            let mut arguments = [0u64; 11];
            arguments[4] = 17; // exit_signal
            reap(unsafe { libc::syscall(libc::SYS_clone3, arguments.as_mut_ptr(), 88) })
        }
        "fork" => reap(unsafe { libc::syscall(libc::SYS_fork) }),
        "thread" => std::thread::Builder::new()
            .spawn(|| ())
            .map(|t| t.join().unwrap())
            .map_err(|e| e.raw_os_error().unwrap_or(0)),
        "setns" => alone(|| {
            let own = File::open("/proc/self/ns/net").map_err(|e| e.raw_os_error().unwrap_or(0))?;
            call(libc::SYS_setns, own.as_raw_fd().into(), 0, 0, 0)
        }),
        "mount" => alone(|| {
            call(libc::SYS_unshare, libc::CLONE_NEWNS.into(), 0, 0, 0).ok();
            let (kind, at) = (c"tmpfs", c"/tmp");
            done(unsafe {
                libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, null_mut()).into()
            })
        }),
        "remount-root" => alone(|| {
            call(libc::SYS_unshare, libc::CLONE_NEWNS.into(), 0, 0, 0).ok();
            let at = c"/";
            done(unsafe {
                libc::mount(
                    at.as_ptr(),
                    at.as_ptr(),
                    null_mut(),
                    libc::MS_REMOUNT | libc::MS_BIND,
                    null_mut(),
                )
                .into()
            })
        }),
        "umount-proc" => alone(|| {
            call(libc::SYS_unshare, libc::CLONE_NEWNS.into(), 0, 0, 0).ok();
            done(unsafe { libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH).into() })
        }),
        "fsopen" => done(unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0) }),
        "chroot" => alone(|| done(unsafe { libc::chroot(c"/tmp".as_ptr()).into() })),
        // other kernel surface; outside these reach the kernel
        "io-uring" => {
            let mut parameters = [0u8; 256];
            done(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) })
        }
        "bpf" => call(libc::SYS_bpf, 99, 0, 0, 0),
        "perf-event" => call(libc::SYS_perf_event_open, 0, 0, 0, 0),
        "userfaultfd" => call(libc::SYS_userfaultfd, 1, 0, 0, 0),
        "add-key" => done(unsafe {
            libc::syscall(
                libc::SYS_add_key,
                c"user".as_ptr(),
                c"probe".as_ptr(),
                c"x".as_ptr(),
                1,
                -3,
            )
        }),
        "keyctl" => call(libc::SYS_keyctl, 0, -3, 1, 0),
        "ptrace" => alone(|| call(libc::SYS_ptrace, 0, 0, 0, 0)),
        "process-vm" => call(
            libc::SYS_process_vm_readv,
            unsafe { libc::getpid() }.into(),
            0,
            0,
            0,
        ),
        "pidfd-getfd" => call(libc::SYS_pidfd_getfd, -1, 0, 0, 0),
        "personality" => call(libc::SYS_personality, 0xffff_ffff, 0, 0, 0),
        "handle" => call(libc::SYS_open_by_handle_at, -1, 0, 0, 0),
        "memfd-secret" => call(libc::SYS_memfd_secret, 0x7fff, 0, 0, 0),
        "message-queue" => done(unsafe {
            libc::syscall(libc::SYS_mq_open, c"probe".as_ptr(), libc::O_RDONLY, 0, 0)
        }),
        "tiocsti" => done(unsafe { libc::ioctl(0, libc::TIOCSTI, c"x".as_ptr()).into() }),
        "tiocsti-high-bits" => call(libc::SYS_ioctl, 0, 0x1_0000_5412, 0, 0),
        "tioclinux" => done(unsafe { libc::ioctl(0, libc::TIOCLINUX, c"x".as_ptr()).into() }),
        "terminal" => io(File::options().read(true).write(true).open("/dev/ptmx")),
        "set-seccomp" => alone(|| call(libc::SYS_prctl, 22, 1, 0, 0)),
        // foreign tables
        "x32" => call(0x4000_0000 | libc::SYS_getpid, 0, 0, 0, 0),
        "int80" => {
            let result: i64;
            unsafe { std::arch::asm!("int 0x80", inlateout("rax") 20i64 => result) };
            if result < 0 { Err(1) } else { Ok(()) }
        }
        // files
        "read-flood" => flood(),
        _ if name.starts_with("read:") => io(std::fs::read(name.trim_start_matches("read:"))),
        "read-host" => io(std::fs::read("/etc/shadow")),
        "read-pack" => io(std::fs::read("/etc/passwd")),
        "list-root" => io(std::fs::read_dir("/")),
        "write-usr" => made("/usr/casemate-probe"),
        "write-root" => made("/casemate-probe"),
        "write-agent" => made("/agent/casemate-probe"),
        "write-dev" => made("/dev/casemate-probe"),
        "write-tmp" => made("/tmp/casemate-probe"),
        "write-workspace" => made("/workspace/casemate-probe"),
        "write-self" => io(File::options().write(true).open("/proc/self/exe")),
        "device-node" => done(unsafe {
            libc::mknod(
                c"/tmp/casemate-node".as_ptr(),
                libc::S_IFCHR | 0o600,
                libc::makedev(1, 3),
            )
            .into()
        })
        .inspect(|()| drop(std::fs::remove_file("/tmp/casemate-node"))),
        "execute-tmp" => execute_copy("/tmp/casemate-copy"),
        "execute-shm" => execute_copy("/dev/shm/casemate-copy"),
        "execute-memory" => execute_memory(),
        "execute-loader" => execute_loader(),
        "map-tmp-executable" => map_executable("/tmp/casemate-map"),
        "execute-other" => alone(|| replace(&["/usr/bin/other", "nothing"])),
        "fill-bytes" => fill(|| {
            // Several, because one alone meets the limit on a file first.
            std::fs::create_dir_all("/tmp/casemate-many")?;
            for number in 0..4 {
                let mut file = File::create(format!("/tmp/casemate-many/{number}"))?;
                for _ in 0..100 {
                    file.write_all(&[1; 1 << 20])?;
                }
            }
            Ok(())
        }),
        "fill-inodes" => fill(|| {
            std::fs::create_dir_all("/tmp/casemate-many")?;
            for number in 0..20_000 {
                File::create(format!("/tmp/casemate-many/{number}"))?;
            }
            Ok(())
        }),
        // processes
        "kill-init" => call(libc::SYS_kill, 1, 0, 0, 0),
        "see-init" => io(std::fs::read("/proc/1/status")),
        "init-memory" => io(File::open("/proc/1/mem")),
        "set-uid-0" => alone(|| done(unsafe { libc::syscall(libc::SYS_setuid, 0) })),
        "raise-limit" => {
            let more = libc::rlimit {
                rlim_cur: 2048,
                rlim_max: 2048,
            };
            done(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more).into() })
        }
        "open-many" => {
            let files: Result<Vec<File>, Error> =
                (0..2000).map(|_| File::open("/dev/null")).collect();
            io(files)
        }
        "fork-many" => fork_many(),
        "allocate" => {
            let memory = vec![1u8; 512 << 20];
            std::hint::black_box(&memory);
            Ok(())
        }
        "chatter" => {
            for number in 0..200_000 {
                println!("line {number}");
            }
            Ok(())
        }
        "complain" => {
            let _closed = std::io::stderr().write_all(b"a complaint\n");
            Ok(())
        }
        "orphans" => orphans(),
        "nap" => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            Ok(())
        }
        "leave" => unsafe { libc::_exit(7) },
        "crash" => unsafe { libc::abort() },
        "work" => {
            let started = std::time::Instant::now();
            let mut sum = 0u64;
            while started.elapsed() < std::time::Duration::from_secs(2) {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
            Ok(())
        }
        "where" => {
            println!("directory {}", std::env::current_dir().unwrap().display());
            Ok(())
        }
        "edit" => {
            io(std::fs::write("new", "written inside"))?;
            io(std::fs::remove_file("gone"))?;
            io(std::fs::read("kept"))
        }
        "fill-workspace-bytes" => fill(|| std::fs::write("large", vec![1; 8 << 20])),
        "fill-workspace-inodes" => {
            fill(|| (0..2000).try_for_each(|number| std::fs::write(number.to_string(), "")))
        }
        "descriptors" => {
            let mut open: Vec<i32> = (0..4096)
                .filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0)
                .collect();
            open.sort_unstable();
            println!("open {open:?}");
            Ok(())
        }
        "environment" => {
            println!("environment {:?}", std::env::vars().collect::<Vec<_>>());
            Ok(())
        }
        "identity" => {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            for line in status.lines().filter(|l| {
                [
                    "Uid", "Gid", "Groups", "Cap", "NoNew", "Seccomp:", "Pid", "PPid",
                ]
                .iter()
                .any(|k| l.starts_with(k))
            }) {
                println!("status {}", line.replace('\t', " ").trim());
            }
            println!("core {}", limit(libc::RLIMIT_CORE));
            println!("session {}", unsafe {
                i32::from(libc::getsid(0) == libc::getpid())
            });
            Ok(())
        }
        other => panic!("no attempt {other}"),
    }
}

fn limit(which: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 9,
        rlim_max: 9,
    };
    unsafe { libc::getrlimit(which, &raw mut limit) };
    limit.rlim_max
}

/// In a child of its own where that is possible, so that one attempt does not
/// change the process that makes the next; the child's errno is its exit status.
fn alone(what: impl FnOnce() -> Result<(), i32>) -> Result<(), i32> {
    let child = unsafe { libc::fork() };
    if child < 0 {
        return what();
    }
    if child == 0 {
        let code = what().err().unwrap_or(0);
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    match libc::WEXITSTATUS(status) {
        0 => Ok(()),
        code => Err(code),
    }
}

fn reap(pid: i64) -> Result<(), i32> {
    match pid {
        0 => unsafe { libc::_exit(0) },
        pid if pid > 0 => {
            unsafe { libc::waitpid(-1, null_mut(), libc::__WALL) };
            Ok(())
        }
        _ => Err(errno()),
    }
}

fn connect(path: &[u8]) -> Result<(), i32> {
    let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
    if fd < 0 {
        return Err(errno());
    }
    let socket = unsafe { File::from_raw_fd(fd) };
    let mut address = [0u8; 110];
    address[0] = 1;
    address[2..2 + path.len()].copy_from_slice(path);
    let length = u32::try_from(2 + path.len()).unwrap();
    done(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length).into() })
}

fn made(path: &str) -> Result<(), i32> {
    io(File::create(path)).inspect(|()| drop(std::fs::remove_file(path)))
}

fn fill(what: impl FnOnce() -> Result<(), Error>) -> Result<(), i32> {
    let result = io(what());
    let _gone = std::fs::remove_dir_all("/tmp/casemate-many");
    result
}

/// Becomes the program; returns only by error.
fn replace(argv: &[&str]) -> Result<(), i32> {
    let strings: Vec<CString> = argv.iter().map(|a| CString::new(*a).unwrap()).collect();
    let mut pointers: Vec<_> = strings.iter().map(|a| a.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment = [std::ptr::null::<libc::c_char>()];
    done(unsafe { libc::execve(pointers[0], pointers.as_ptr(), environment.as_ptr()).into() })
}

fn own_bytes() -> Result<Vec<u8>, i32> {
    let mut bytes = Vec::new();
    File::open("/proc/self/exe")
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|e| e.raw_os_error().unwrap_or(0))?;
    Ok(bytes)
}

fn execute_copy(path: &str) -> Result<(), i32> {
    use std::os::unix::fs::PermissionsExt;
    let bytes = own_bytes()?;
    io(std::fs::write(path, bytes))?;
    io(std::fs::set_permissions(
        path,
        PermissionsExt::from_mode(0o700),
    ))?;
    let result = alone(|| replace(&[path, "nothing"]));
    let _gone = std::fs::remove_file(path);
    result
}

fn execute_memory() -> Result<(), i32> {
    let bytes = own_bytes()?;
    let fd = unsafe { libc::syscall(libc::SYS_memfd_create, c"probe".as_ptr(), 0x10) };
    done(fd)?;
    let mut file = unsafe { File::from_raw_fd(i32::try_from(fd).unwrap()) };
    io(file.write_all(&bytes))?;
    alone(|| replace(&[&format!("/proc/self/fd/{}", file.as_raw_fd()), "nothing"]))
}

/// Lets the loader map a file that may not be executed.
fn execute_loader() -> Result<(), i32> {
    let bytes = own_bytes()?;
    io(std::fs::write("/tmp/casemate-loaded", bytes))?;
    let result = alone(|| {
        replace(&[
            "/lib64/ld-linux-x86-64.so.2",
            "/tmp/casemate-loaded",
            "nothing",
        ])
    });
    let _gone = std::fs::remove_file("/tmp/casemate-loaded");
    result
}

fn map_executable(path: &str) -> Result<(), i32> {
    io(std::fs::write(path, [0x90; 4096]))?;
    let file = File::open(path).unwrap();
    let at = unsafe {
        libc::mmap(
            null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_EXEC,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        )
    };
    let result = if at == libc::MAP_FAILED {
        Err(errno())
    } else {
        Ok(())
    };
    let _gone = std::fs::remove_file(path);
    result
}

/// Two thousand processes whose parents are gone, one after the other: they end at
/// once, and whoever does not reap them soon has no room for more.
fn orphans() -> Result<(), i32> {
    for _ in 0..2000 {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let child = loop {
            let child = unsafe { libc::fork() };
            if child >= 0 || std::time::Instant::now() > end {
                break child;
            }
            std::thread::yield_now();
        };
        if child < 0 {
            return Err(errno());
        }
        if child == 0 {
            unsafe { libc::fork() };
            unsafe { libc::_exit(0) };
        }
        unsafe { libc::waitpid(child, null_mut(), 0) };
    }
    Ok(())
}

fn fork_many() -> Result<(), i32> {
    let mut children = Vec::new();
    let result = loop {
        if children.len() == 100 {
            break Ok(());
        }
        match unsafe { libc::fork() } {
            0 => loop {
                unsafe { libc::pause() };
            },
            child if child > 0 => children.push(child),
            _ => break Err(errno()),
        }
    };
    for child in &children {
        unsafe { libc::kill(*child, libc::SIGKILL) };
        unsafe { libc::waitpid(*child, null_mut(), 0) };
    }
    println!("forked {}", children.len());
    result
}

/// A hundred thousand denials of as many names as there are.
fn flood() -> Result<(), i32> {
    for number in 0..100_000 {
        let name = ["/srv/plain", "/srv/a b", "/"];
        if std::fs::File::open(name[number % 3]).is_ok() {
            return Ok(());
        }
    }
    Err(libc::EACCES)
}
