//! agentd's rooms, as the tests drive them: the same way as a job's sandboxes are
//! started, with a descriptor for each program that leads to the test.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::wildcard_imports,
    reason = "the tests' own program; a failure shall say where"
)]

mod asked;

use std::collections::HashMap;
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use asked::{Answer, Ask};
use casemate_agentd::pack::{ReleaseKey, SignedPack};
use casemate_agentd::sandbox::builder::{self, Role};
use casemate_agentd::sandbox::confinement::confine_supervisor;
use casemate_agentd::sandbox::enclosure::{Enclosure, Extra, PASSED};
use casemate_agentd::sandbox::job_directory::JobDirectory;
use casemate_agentd::sandbox::{
    Bind, How, LaunchSpec, Narrowed, Refusal, Right, Running, Sandbox, launch, sys,
};
use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["--without", layer, ..] = words[..] {
        without(layer);
        words.drain(..2);
    }
    match words[..] {
        ["launch"] => launch::main(),
        [how @ ("inside" | "confined")] => inside(how == "confined"),
        [how, pack, key, base, probe, shared] => outside(how, pack, key, base, probe, shared),
        _ => panic!("{words:?}"),
    }
}

/// Leaves one layer of every sandbox away.
#[cfg(feature = "weaken")]
fn without(layer: &str) {
    casemate_agentd::sandbox::layer::weaken::take_away(layer.parse().unwrap());
}

/// Only what is built for it can be weakened.
#[cfg(not(feature = "weaken"))]
fn without(layer: &str) {
    panic!("built with every layer, {layer} too");
}

fn outside(how: &str, pack: &str, key: &str, base: &str, probe: &str, shared: &str) -> ExitCode {
    let key = ReleaseKey::read(Path::new(key)).unwrap();
    let pack = SignedPack::read(Path::new(pack), &key)
        .unwrap()
        .verify()
        .unwrap();
    let test = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3).unwrap();
    let enclosure = Enclosure {
        egress: None,
        packs: vec![pack.mount().unwrap()],
        programs: None,
        extra: vec![
            Extra::read_only(PathBuf::from(probe), "/agent/probe".into()),
            Extra::read_only(PathBuf::from(shared), "/agent/shared".into()),
        ],
        uid_base: base.parse().unwrap(),
        uid_count: 2000,
        passed: Some(test),
        arguments: vec![how.into()],
    };
    match enclosure.run() {
        Ok(How::Exited(0)) => ExitCode::SUCCESS,
        other => panic!("the rooms ended: {other:?}"),
    }
}

struct Rooms {
    job: JobDirectory,
    running: HashMap<String, Running>,
}

fn inside(confined: bool) -> ExitCode {
    let test = sys::adopt(PASSED).unwrap();
    // As agentd serves: who is asked is not who builds.
    match builder::found(|| Ok::<_, Refusal>(Vec::new())).unwrap() {
        Role::Supervisor(_) => {}
        Role::Builder(How::Exited(0)) => return ExitCode::SUCCESS,
        Role::Builder(how) => panic!("the supervisor ended: {how:?}"),
    }
    if confined {
        confine_supervisor(&[]).unwrap();
    }
    let job = JobDirectory::create("job", 64 << 20, 4096).unwrap();
    job.make("work", 1001, 0o700).unwrap();
    job.make("desk", 1001, 0o755).unwrap();
    let mut rooms = Rooms {
        job,
        running: HashMap::new(),
    };
    while let Some((ask, passed)) = receive(&test) {
        let answer = rooms.answer(ask, passed);
        let bytes = serde_json::to_vec(&answer).unwrap();
        rustix::io::write(&test, &bytes).unwrap();
    }
    ExitCode::SUCCESS
}

fn receive(test: &OwnedFd) -> Option<(Ask, Option<OwnedFd>)> {
    let mut bytes = vec![0; 64 << 10];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::net::recvmsg(
        test,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )
    .unwrap();
    if got.bytes == 0 {
        return None;
    }
    let mut passed = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message {
            passed = fds.next();
        }
    }
    Some((serde_json::from_slice(&bytes[..got.bytes]).unwrap(), passed))
}

impl Rooms {
    fn answer(&mut self, ask: Ask, passed: Option<OwnedFd>) -> Answer {
        match ask {
            Ask::Start {
                name,
                profile,
                uid,
                argv,
                memory_bytes,
                pids,
                workspace,
            } => {
                let mut binds = self.binds(&profile);
                for bind in &mut binds {
                    if let (Some(from), "/workspace") = (&workspace, bind.at.as_str()) {
                        bind.from = from.clone();
                    }
                }
                let spec = LaunchSpec {
                    egress: false,
                    binds,
                    profile,
                    name: name.clone(),
                    uid,
                    root: "/packs/test".into(),
                    argv,
                    environment: vec![("LC_ALL".into(), "C.UTF-8".into())],
                    passed,
                    limits: Narrowed {
                        memory_bytes,
                        pids,
                        ..Narrowed::default()
                    },
                };
                match Sandbox::spawn(spec) {
                    Ok(running) => {
                        self.running.insert(name, running);
                        Answer::default()
                    }
                    Err(refusal) => Answer {
                        refused: Some(format!("{refusal} ({})", refusal.code.id)),
                        ..Answer::default()
                    },
                }
            }
            Ask::Wait { name, kill } => {
                let running = self.running.remove(&name).expect("it was started");
                if kill {
                    running.kill();
                }
                let ending = running.wait();
                Answer {
                    how: match ending.how {
                        How::Exited(code) => format!("exited {code}"),
                        How::Signalled(signal) => format!("signalled {signal}"),
                        How::Killed => "killed".into(),
                    },
                    memory_kills: ending.memory_kills,
                    memory_peak: ending.memory_peak,
                    text: String::from_utf8_lossy(&running.output_tail()).into_owned(),
                    ..Answer::default()
                }
            }
            Ask::Read { path, naive: true } => {
                match std::fs::read_to_string(self.job.path().join(path)) {
                    Ok(text) => Answer {
                        text,
                        ..Answer::default()
                    },
                    Err(e) => Answer {
                        refused: Some(e.to_string()),
                        ..Answer::default()
                    },
                }
            }
            Ask::Read { path, .. } => self.read(&path),
        }
    }

    /// What a job has, as far as its profile has the places.
    fn binds(&self, profile: &str) -> Vec<Bind> {
        let bind = |from: &str, at: &str, right| Bind {
            from: from.into(),
            at: at.into(),
            right,
        };
        let job = |name: &str| self.job.path().join(name).display().to_string();
        let mut binds = vec![
            bind("/agent/probe", "/agent/probe", Right::Execute),
            bind("/agent/shared", "/agent/shared", Right::Execute),
        ];
        match profile {
            "desktop" => binds.extend([
                bind(&job("work"), "/workspace", Right::Write),
                bind(&job("desk"), "/run/desk", Right::Write),
            ]),
            "office" | "browser" => binds.push(bind(&job("work"), "/workspace", Right::Write)),
            "model" => binds.push(bind(&job("desk"), "/run/model", Right::Write)),
            "hands" => binds.push(bind(&job("desk"), "/run/desk", Right::Read)),
            _ => {}
        }
        binds
    }

    /// As the supervisor reads what a job wrote.
    fn read(&self, path: &str) -> Answer {
        let opened = sys::open_beneath(
            self.job.handle(),
            Path::new(path),
            OFlags::RDONLY | OFlags::NONBLOCK,
            Mode::empty(),
        );
        let read = opened.and_then(|file| {
            let kind = rustix::fs::fstat(file.as_fd())?.st_mode;
            if !rustix::fs::FileType::from_raw_mode(kind).is_file() {
                return Err(std::io::Error::from_raw_os_error(libc::EINVAL));
            }
            let mut text = String::new();
            std::fs::File::from(file).read_to_string(&mut text)?;
            Ok(text)
        });
        match read {
            Ok(text) => Answer {
                text,
                ..Answer::default()
            },
            Err(e) => Answer {
                refused: Some(format!("errno {}", e.raw_os_error().unwrap_or(0))),
                ..Answer::default()
            },
        }
    }
}
