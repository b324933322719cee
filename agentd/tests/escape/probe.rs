//! The hostile program: it makes the attempts it is asked for, wherever it runs,
//! and holds what it got until it is asked for the next. Built for tests, no part
//! of a release.

#![allow(
    unsafe_code,
    dead_code,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::exit,
    clippy::wildcard_imports,
    reason = "an attacker's program: it makes the raw calls that production code must not"
)]

mod attack;
mod attempts;
mod deeds;
mod world;

use attack::{Got, Scene, call};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[1..] {
        ["serve", fd] => serve(fd.parse().unwrap()),
        ["apart", fd] => {
            apart();
            serve(fd.parse().unwrap());
        }
        ["victim", secret] => victim(secret),
        ["prove", fd, tag] | ["prove", _, fd, tag] => {
            let said = format!("proof {tag}");
            send(fd.parse().unwrap(), said.as_bytes());
        }
        _ => panic!("{words:?}"),
    }
}

fn send(fd: i32, what: &[u8]) {
    unsafe { libc::write(fd, what.as_ptr().cast(), what.len()) };
}

/// Namespaces of its own, for a control whose success must not reach the host.
fn apart() {
    let flags = libc::CLONE_NEWNS
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWPID;
    call(libc::SYS_unshare, &[flags.into()]).unwrap();
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let root = attack::text("/");
    attack::done(unsafe {
        libc::mount(
            root.as_ptr(),
            root.as_ptr(),
            std::ptr::null(),
            private,
            std::ptr::null(),
        )
    })
    .unwrap();
}

/// Requests: the attempt's name, a line break, the scene. Answers: `ok` and what
/// was got, or `errno` and its number.
fn serve(fd: i32) {
    let mut kept = Got::default();
    send(fd, b"ready");
    loop {
        let mut request = vec![0u8; 8192];
        let length = unsafe { libc::read(fd, request.as_mut_ptr().cast(), request.len()) };
        for child in kept.children.drain(..) {
            unsafe { libc::kill(child, libc::SIGKILL) };
            unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::__WALL) };
        }
        drop(std::mem::take(&mut kept));
        if length <= 0 {
            return;
        }
        request.truncate(length as usize);
        let request = String::from_utf8(request).unwrap();
        let (name, scene) = request.split_once('\n').unwrap();
        let scene: Scene = serde_json::from_str(scene).unwrap();
        let answer = match make(name, &scene) {
            Ok(got) => {
                let mut answer = b"ok ".to_vec();
                answer.extend(got.bytes.iter().take(16 << 10));
                kept = got;
                answer
            }
            Err(errno) => format!("errno {errno}").into_bytes(),
        };
        send(fd, &answer);
    }
}

fn make(name: &str, scene: &Scene) -> attack::Loot {
    if let Some(deed) = deeds::deed(name) {
        return deed(scene);
    }
    let (_, attempt) = attempts::ALL
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no attempt {name}"));
    (attempt.attack)(scene)
}

/// A process with a secret in its memory, its environment, its arguments, its
/// keyring, a descriptor; it says where, and waits until its input ends.
fn victim(secret: &str) {
    let memory: &'static [u8] = secret.to_owned().into_bytes().leak();
    let name = attack::text("victim");
    let memfd = unsafe { libc::memfd_create(name.as_ptr(), 0) };
    send(memfd, secret.as_bytes());
    let kind = attack::text("user");
    unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            attack::text(secret).as_ptr(),
            secret.as_ptr(),
            secret.len(),
            -4, // KEY_SPEC_USER_KEYRING
        )
    };
    // A program made for one user is not to be dumped; this one may be, as most.
    println!("{} {memfd}", memory.as_ptr() as u64);
    let mut rest = Vec::new();
    let _ended = std::io::Read::read_to_end(&mut std::io::stdin(), &mut rest);
}
