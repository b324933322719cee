//! What else a hostile program does, for tests with a story of their own.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use super::attack::{Got, Loot, Scene, bytes, call, done, io, nothing, own, wait};

/// The deed of that name.
pub(crate) fn deed(name: &str) -> Option<fn(&Scene) -> Loot> {
    let deed: fn(&Scene) -> Loot = match name {
        "nothing" => |_| nothing(),
        "fork_bomb" => |_| fork_bomb(),
        "take_memory" => |_| take_memory(),
        "one_file" => one_file,
        "many_files" => many_files,
        "empty_files" => empty_files,
        "open_files" => |_| open_files(),
        "flood" => |_| flood(),
        "spin" => |_| spin(),
        "orphans" => |_| orphans(),
        "dead_orphans" => |_| dead_orphans(),
        "share_memory" => share_memory,
        "secure_bits" => |_| secure_bits(),
        "secret_in_memory" => secret_in_memory,
        "secret_in_files" => secret_in_files,
        "read_secrets" => read_secrets,
        "write_desk" => |scene| {
            io(std::fs::write(format!("/run/desk/{}", scene.tag), "x"))?;
            nothing()
        },
        "listen" => listen,
        "links" => links,
        "swap" => swap,
        _ => return None,
    };
    Some(deed)
}

/// Processes until there are no more, or enough to show that nothing stops it.
fn fork_bomb() -> Loot {
    let mut children = Vec::new();
    while children.len() < 600 {
        match done(unsafe { libc::fork() }) {
            Ok(0) => wait(),
            Ok(child) => children.push(i32::try_from(child).unwrap()),
            Err(_) => break,
        }
    }
    Ok(Got {
        bytes: children.len().to_string().into_bytes(),
        children,
        ..Got::default()
    })
}

/// 512 MiB, a page at a time.
fn take_memory() -> Loot {
    let mut all = Vec::new();
    for _ in 0..512 {
        all.push(vec![1u8; 1 << 20]);
    }
    bytes((std::hint::black_box(&all).len()).to_string())
}

/// One file, as large as it gets, up to 512 MiB.
fn one_file(scene: &Scene) -> Loot {
    let mut file = io(File::create(format!("{}/one", scene.tmp)))?;
    for _ in 0..512 {
        io(file.write_all(&[1; 1 << 20]))?;
    }
    nothing()
}

/// Files that are each small enough, 512 MiB in all.
fn many_files(scene: &Scene) -> Loot {
    for number in 0..512 {
        let mut file = io(File::create(format!("{}/many-{number}", scene.tmp)))?;
        io(file.write_all(&[1; 1 << 20]))?;
    }
    nothing()
}

/// Files with nothing in them.
fn empty_files(scene: &Scene) -> Loot {
    for number in 0..30_000 {
        io(File::create(format!("{}/empty-{number}", scene.tmp)))?;
    }
    nothing()
}

/// Descriptors until there are no more.
fn open_files() -> Loot {
    let mut held = Vec::new();
    while held.len() < 4096 {
        match call(libc::SYS_dup, &[0]) {
            Ok(fd) => held.push(own(fd)),
            Err(_) => break,
        }
    }
    Ok(Got {
        bytes: held.len().to_string().into_bytes(),
        held,
        ..Got::default()
    })
}

/// 64 MiB of output.
fn flood() -> Loot {
    let mut output = std::io::stdout().lock();
    for _ in 0..1024 {
        io(output.write_all(&[b'x'; 64 << 10]))?;
    }
    nothing()
}

/// Eight processes that never rest.
fn spin() -> Loot {
    let mut children = Vec::new();
    for _ in 0..8 {
        match done(unsafe { libc::fork() })? {
            0 => {
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                loop {
                    std::hint::spin_loop();
                }
            }
            child => children.push(i32::try_from(child).unwrap()),
        }
    }
    Ok(Got {
        children,
        ..Got::default()
    })
}

/// Processes that try to outlive everything: sessions of their own, orphaned,
/// deaf to what can be ignored.
fn orphans() -> Loot {
    for _ in 0..4 {
        let child = done(unsafe { libc::fork() })?;
        if child != 0 {
            let child = i32::try_from(child).unwrap();
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        } else {
            unsafe { libc::setsid() };
            if unsafe { libc::fork() } != 0 {
                unsafe { libc::_exit(0) };
            }
            for signal in 1..32 {
                unsafe { libc::signal(signal, libc::SIG_IGN) };
            }
            loop {
                unsafe { libc::pause() };
            }
        }
    }
    nothing()
}

/// Orphans that have ended: somebody must reap them.
fn dead_orphans() -> Loot {
    for _ in 0..4 {
        let child = done(unsafe { libc::fork() })?;
        if child == 0 {
            if unsafe { libc::fork() } != 0 {
                unsafe { libc::_exit(0) };
            }
            // Only once its parent is gone, so that it is an orphan when it ends.
            while unsafe { libc::getppid() } != 1 {
                unsafe { libc::sched_yield() };
            }
            unsafe { libc::_exit(0) };
        }
        let child = i32::try_from(child).unwrap();
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    }
    nothing()
}

/// Shared memory that everybody of the same namespace may attach.
fn share_memory(scene: &Scene) -> Loot {
    let id = call(libc::SYS_shmget, &[scene.key.into(), 64, 0o1666])?;
    let memory = call(libc::SYS_shmat, &[id, 0, 0])?;
    let secret = format!("secret-of-{}", scene.tag);
    let length = secret.len().min(63);
    unsafe { std::ptr::copy_nonoverlapping(secret.as_ptr(), memory as *mut u8, length) };
    nothing()
}

/// What the kernel says of its secure bits.
fn secure_bits() -> Loot {
    bytes(call(libc::SYS_prctl, &[27])?.to_string())
}

/// What another compartment must not read: the answer is its address.
fn secret_in_memory(scene: &Scene) -> Loot {
    let memory: &'static [u8] = format!("secret-of-{}", scene.tag).into_bytes().leak();
    bytes((memory.as_ptr() as u64).to_string())
}

/// The same in files, where the profile lets it write.
fn secret_in_files(scene: &Scene) -> Loot {
    let secret = format!("secret-of-{}", scene.tag);
    let mut written = 0;
    for place in ["/tmp", "/run", "/home", "/dev/shm", "/workspace"] {
        let path = format!("{place}/{}", scene.tag);
        written += i32::from(std::fs::write(path, &secret).is_ok());
    }
    bytes(written.to_string())
}

/// Looks for them in the same places.
fn read_secrets(scene: &Scene) -> Loot {
    let secret = format!("secret-of-{}", scene.tag);
    for place in ["/tmp", "/run", "/home", "/dev/shm", "/workspace"] {
        match super::attack::read(&format!("{place}/{}", scene.tag)) {
            Ok(got) if got.bytes == secret.as_bytes() => return Ok(got),
            Ok(_) | Err(libc::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(libc::ENOENT)
}

/// Listens at an abstract name.
fn listen(scene: &Scene) -> Loot {
    let socket = super::attack::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    let mut address = [0u8; 110];
    address[0] = 1;
    address[3..3 + scene.tag.len()].copy_from_slice(scene.tag.as_bytes());
    let length = i64::try_from(3 + scene.tag.len()).unwrap();
    call(
        libc::SYS_bind,
        &[
            socket.as_raw_fd().into(),
            super::attack::at(&address),
            length,
        ],
    )?;
    call(libc::SYS_listen, &[socket.as_raw_fd().into(), 8])?;
    Ok(Got {
        held: vec![socket],
        ..Got::default()
    })
}

/// Everything that could lead the supervisor astray, at names it will open.
fn links(scene: &Scene) -> Loot {
    use std::os::unix::fs::symlink;
    let secret = scene.host("secret");
    let at = |name: &str| format!("/workspace/{name}");
    io(symlink(&secret, at("link")))?;
    io(symlink(&scene.dir, at("directory")))?;
    io(symlink("../../../../../../..", at("up")))?;
    io(symlink("/proc/self/root", at("magic")))?;
    let fifo = super::attack::text(&at("pipe"));
    call(
        libc::SYS_mknod,
        &[fifo.as_ptr() as i64, (libc::S_IFIFO | 0o600).into(), 0],
    )?;
    io(std::fs::write(at("honest"), "honest"))?;
    nothing()
}

/// Swaps a directory of its own for a link out, as fast as it can.
fn swap(scene: &Scene) -> Loot {
    let at = |name: &str| super::attack::text(&format!("/workspace/{name}"));
    io(std::fs::create_dir("/workspace/racing"))?;
    io(std::fs::write("/workspace/racing/secret", "own"))?;
    io(std::os::unix::fs::symlink(&scene.dir, "/workspace/out"))?;
    let (one, other) = (at("racing"), at("out"));
    let child = done(unsafe { libc::fork() })?;
    if child == 0 {
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        let here = i64::from(libc::AT_FDCWD);
        loop {
            // RENAME_EXCHANGE: there is no moment without either.
            let _swapped = call(
                libc::SYS_renameat2,
                &[here, one.as_ptr() as i64, here, other.as_ptr() as i64, 2],
            );
        }
    }
    Ok(Got {
        children: vec![i32::try_from(child).unwrap()],
        ..Got::default()
    })
}
