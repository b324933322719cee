//! The neighbour: every resource attack of `tests/escape/deeds.rs`, over and over, by
//! a program that runs in a sandbox of the profile `desktop` with its shipped limits.

use std::fs::File;
use std::process::ExitCode;

use crate::attack::Scene;
use crate::deeds::deed;

/// Each attack, and the deeds that it repeats at the same time.
pub(crate) const ATTACKS: [(&str, &[&str]); 10] = [
    ("fork bomb", &["fork_bomb"]),
    ("memory", &["take_memory"]),
    ("disk, one file", &["one_file"]),
    ("disk, many files", &["many_files"]),
    ("inodes", &["empty_files"]),
    ("descriptors", &["open_files"]),
    ("output", &["flood"]),
    ("denials", &["denials"]),
    ("processor", &["spin"]),
    // The fork bomb last: it leaves the others no process to begin with.
    (
        "all of them",
        &[
            "take_memory",
            "one_file",
            "many_files",
            "empty_files",
            "open_files",
            "flood",
            "denials",
            "spin",
            "fork_bomb",
        ],
    ),
];

/// Repeats the named deeds, a process each, until it is ended.
pub(crate) fn main(deeds: &[&str]) -> ExitCode {
    for (number, name) in deeds.iter().enumerate() {
        // SAFETY: this program has one thread.
        if unsafe { libc::fork() } == 0 {
            again(name, number);
        }
    }
    loop {
        // SAFETY: waits, and touches no memory.
        unsafe { libc::pause() };
    }
}

/// A deed without end. What it holds is given back before it is made again.
fn again(name: &str, number: usize) -> ! {
    let folder = format!("/tmp/{number}");
    let _there = std::fs::create_dir(&folder);
    let scene = Scene {
        tmp: folder.clone(),
        ..Scene::default()
    };
    loop {
        match name {
            "denials" => denied(),
            // It is ended for it, and by whom is the kernel's choice: a child's child.
            "take_memory" => in_a_child(|| drop(deed(name).unwrap()(&scene))),
            _ => {
                let got = deed(name).unwrap()(&scene);
                for child in got.map(|got| got.children).unwrap_or_default() {
                    if name == "spin" {
                        // It has no end of its own.
                        wait_for(child);
                    }
                    // SAFETY: signals a child that was not waited for yet.
                    unsafe { libc::kill(child, libc::SIGKILL) };
                    wait_for(child);
                }
                for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                    let _gone = std::fs::remove_file(entry.path());
                }
            }
        }
    }
}

/// What Landlock and the list of calls refuse and the kernel records.
fn denied() {
    for _ in 0..1000 {
        let _refused = File::open("/");
        // SAFETY: a call that is refused before it looks at its arguments.
        unsafe { libc::syscall(libc::SYS_bpf, 0, 0, 0) };
    }
}

fn in_a_child(work: impl FnOnce()) {
    // SAFETY: this program has one thread.
    match unsafe { libc::fork() } {
        0 => {
            work();
            // SAFETY: ends this process.
            unsafe { libc::_exit(0) };
        }
        child => wait_for(child),
    }
}

fn wait_for(child: i32) {
    // SAFETY: a null status is allowed; no memory is touched.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}
