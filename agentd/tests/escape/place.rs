//! Where attempts are made: outside, and in a sandbox of a profile.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sockopt,
};

use super::asked::{Answer, Ask};
use super::attempts::{Attempt, Control};
use super::ground;
use super::world::{Report, Seen, World};

const ROOMS: &str = env!("CARGO_BIN_EXE_escape-rooms");
const PROBE: &str = env!("CARGO_BIN_EXE_escape-probe");
/// For whatever a machine under load may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Our end and theirs. With each message of theirs comes who sent it.
fn pair() -> (OwnedFd, OwnedFd) {
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    sockopt::set_socket_passcred(&ours, true).unwrap();
    (ours, theirs)
}

/// The host's side of a probe.
#[derive(Debug)]
pub(crate) struct Probe {
    socket: OwnedFd,
    /// By the kernel's word, in the host's numbering.
    pub(crate) pid: i32,
    child: Option<Child>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

impl Probe {
    fn new(socket: OwnedFd, child: Option<Child>) -> Self {
        let mut probe = Self {
            socket,
            pid: 0,
            child,
        };
        let (text, pid) = probe.receive().expect("the probe is ready");
        assert_eq!(text, b"ready");
        probe.pid = pid;
        probe
    }

    /// One message and its sender; `None` when the other side is gone.
    fn receive(&self) -> Option<(Vec<u8>, i32)> {
        let limit = Timespec {
            tv_sec: PATIENCE.as_secs().try_into().unwrap(),
            tv_nsec: 0,
        };
        let ready = rustix::event::poll(
            &mut [PollFd::new(&self.socket, PollFlags::IN)],
            Some(&limit),
        );
        assert_eq!(ready, Ok(1), "the probe does not answer");
        let mut bytes = vec![0; 32 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let got = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
        .ok()?;
        if got.bytes == 0 {
            return None;
        }
        let mut pid = 0;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmCredentials(sender) = message {
                pid = sender.pid.as_raw_nonzero().get();
            }
        }
        bytes.truncate(got.bytes);
        Some((bytes, pid))
    }

    /// Has the attempt, or deed, made and says what the host knows of it; `None`
    /// if the probe did not live to answer.
    pub(crate) fn make(&self, name: &str, world: &World) -> Option<Report> {
        let before = Seen::of(self.pid);
        let request = format!("{name}\n{}", serde_json::to_string(&world.scene).unwrap());
        rustix::io::write(&self.socket, request.as_bytes()).ok()?;
        let (mut proof, mut forged) = (false, false);
        loop {
            let Some((text, sender)) = self.receive() else {
                // One that became the program it was not to run is gone after it.
                return proof.then_some(Report {
                    pid: self.pid,
                    answer: Ok(Vec::new()),
                    before,
                    proof,
                    forged,
                });
            };
            if text == format!("proof {}", world.scene.tag).as_bytes() {
                proof = true;
                continue;
            }
            if text == b"forged" {
                forged |= sender != self.pid;
                continue;
            }
            let answer = match text.strip_prefix(b"errno ") {
                Some(number) => Err(String::from_utf8_lossy(number).parse().unwrap()),
                None => Ok(text.strip_prefix(b"ok ").unwrap().to_vec()),
            };
            return Some(Report {
                pid: self.pid,
                answer,
                before,
                proof,
                forged,
            });
        }
    }
}

/// Everything one test stands on. Dropped, nothing of it is left.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) base: PathBuf,
    pub(crate) uids: u32,
    rooms: Child,
    socket: OwnedFd,
    /// Leaked on purpose, see `inherited_*`.
    pub(crate) leaks: Leaks,
}

/// Descriptors that a careless parent lets through.
#[derive(Debug)]
pub(crate) struct Leaks {
    /// The host's side of the leaked socket.
    pub(crate) socket: OwnedFd,
    /// The leaked memory.
    pub(crate) memory: OwnedFd,
    _theirs: Vec<OwnedFd>,
}

impl Leaks {
    fn new(base: &Path) -> Self {
        let (socket, theirs) = pair();
        rustix::io::ioctl_fionbio(&socket, true).unwrap();
        let memory = rustix::fs::memfd_create("leak", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let directory = std::fs::File::open(base.join("host")).unwrap();
        let theirs = vec![theirs, memory.try_clone().unwrap(), directory.into()];
        for fd in &theirs {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty()).unwrap();
        }
        Self {
            socket,
            memory,
            _theirs: theirs,
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _closed = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let _ended = self.rooms.wait();
        let _gone = std::fs::remove_dir_all(&self.base);
    }
}

impl Host {
    /// Rooms with a range of ids of their own.
    pub(crate) fn new() -> Self {
        Self::started(&[], "inside")
    }

    /// The same, and who is asked is confined as agentd's supervisor is.
    pub(crate) fn confined() -> Self {
        Self::started(&[], "confined")
    }

    /// The same with one layer left away; confined if it is one of the supervisor's own.
    #[cfg(feature = "weaken")]
    pub(crate) fn without(layer: casemate_agentd::sandbox::Layer) -> Self {
        use casemate_agentd::sandbox::Layer;
        let how = match layer {
            Layer::SupervisorLandlock => "confined",
            _ => "inside",
        };
        Self::started(&["--without", layer.name()], how)
    }

    fn started(flags: &[&str], how: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        // Above the ranges of `agentd exec`; ids of users end at 4294967295.
        let uids = 2_000_000_000 + (process % 30_000) * 70_000 + (number % 32) * 2000;
        // On a disk: a tmpfs takes no swap and is often mounted without set-id programs.
        let base = PathBuf::from(format!("/var/tmp/casemate-escape-{process}-{number}"));
        for place in ["host", "shared"] {
            std::fs::create_dir_all(base.join(place)).unwrap();
        }
        std::fs::copy(PROBE, base.join("probe")).unwrap();
        // The sandbox's own file, so that no other owner keeps it from writing.
        std::os::unix::fs::chown(base.join("probe"), Some(uids + UID), Some(uids + UID)).unwrap();
        let pack = ground::ground();
        let leaks = Leaks::new(&base);
        let (socket, theirs) = pair();
        let rooms = Command::new(ROOMS)
            .args(flags)
            .arg(how)
            .args([&pack.pack, &pack.key])
            .arg(uids.to_string())
            .args([base.join("probe"), base.join("shared")])
            .stdin(theirs)
            .env("CASEMATE_ESCAPE_SECRET", "1")
            .spawn()
            .unwrap();
        Self {
            base,
            uids,
            rooms,
            socket,
            leaks,
        }
    }

    /// The rooms' outer process.
    pub(crate) fn rooms(&self) -> u32 {
        self.rooms.id()
    }

    pub(crate) fn ask(&self, ask: &Ask, passed: Option<OwnedFd>) -> Answer {
        let bytes = serde_json::to_vec(ask).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds: Vec<_> = passed.iter().map(AsFd::as_fd).collect();
        if !fds.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        }
        rustix::net::sendmsg(
            &self.socket,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
        .expect("the rooms are there");
        let mut answer = vec![0; 512 << 10];
        let length = rustix::io::read(&self.socket, &mut answer).unwrap();
        assert!(length > 0, "the rooms ended");
        serde_json::from_slice(&answer[..length]).unwrap()
    }

    /// A stage for an attempt at the sandbox's id.
    pub(crate) fn world(&self, name: &str, uid: u32) -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{name}-{}-{number}", std::process::id());
        let mut world = World::new(&self.base, &self.base.join("probe"), &tag, self.uids + uid);
        let copy = |fd: &OwnedFd| fd.try_clone().unwrap();
        world.leaked(copy(&self.leaks.socket), copy(&self.leaks.memory));
        world
    }

    /// A probe outside, as the control wants it.
    pub(crate) fn outside(&self, control: Control) -> Probe {
        let (socket, theirs) = pair();
        let mut command = Command::new(self.base.join("probe"));
        let how = if control == Control::Apart {
            "apart"
        } else {
            "serve"
        };
        // A user may not get out of the folder that the tests run in, but out of this one.
        command
            .args([how, "0"])
            .stdin(theirs)
            .current_dir(&self.base);
        command.env("CASEMATE_ESCAPE_SECRET", "1");
        if control == Control::User {
            command.uid(self.uids + UID).gid(self.uids + UID);
        }
        Probe::new(socket, Some(command.spawn().unwrap()))
    }

    /// A sandbox with the probe in it.
    pub(crate) fn inside(&self, name: &str, profile: &str, uid: u32) -> Probe {
        self.start(&Start::new(name, profile, uid))
            .unwrap_or_else(|why| panic!("{profile}: {why}"))
    }

    pub(crate) fn start(&self, start: &Start) -> Result<Probe, String> {
        let (socket, theirs) = pair();
        let ask = Ask::Start {
            name: start.name.clone(),
            profile: start.profile.clone(),
            uid: start.uid,
            argv: ["/agent/probe", "serve", "3"].map(str::to_owned).to_vec(),
            memory_bytes: start.memory_bytes,
            pids: start.pids,
            workspace: start.workspace.clone(),
        };
        match self.ask(&ask, Some(theirs)).refused {
            Some(why) => Err(why),
            None => Ok(Probe::new(socket, None)),
        }
    }

    /// Waits for a sandbox, or ends it.
    pub(crate) fn wait(&self, name: &str, kill: bool) -> Answer {
        let name = name.to_owned();
        self.ask(&Ask::Wait { name, kill }, None)
    }

    /// The host's processes that belong to the range of these rooms.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes(self.uids, 2000)
    }
}

/// The id, in agentd's numbering, of the sandbox under attack.
pub(crate) const UID: u32 = 1001;

/// One sandbox to start.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) name: String,
    pub(crate) profile: String,
    pub(crate) uid: u32,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) pids: Option<u64>,
    pub(crate) workspace: Option<String>,
}

impl Start {
    pub(crate) fn new(name: &str, profile: &str, uid: u32) -> Self {
        Self {
            name: name.to_owned(),
            profile: profile.to_owned(),
            uid,
            memory_bytes: None,
            pids: None,
            workspace: None,
        }
    }
}

/// Processes of the host whose real id is in a range.
pub(crate) fn processes(base: u32, count: u32) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
            let uid: u32 = line.split_whitespace().next()?.parse().ok()?;
            (base..base + count).contains(&uid).then_some(pid)
        })
        .collect()
}

/// The host's processes that this one made.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let parent = format!("PPid:\t{pid}\n");
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            status.contains(&parent).then_some(pid)
        })
        .collect()
}

/// Waits for a condition that must come.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The scene as it is inside.
pub(crate) fn as_inside(world: &mut World) {
    let scene = &mut world.scene;
    scene.outside = false;
    scene.shared = format!("/agent/shared/{}", scene.tag);
    scene.tmp = "/tmp".into();
    scene.proof = 3;
}

/// The control of one attempt: why it does not do, if it does not.
pub(crate) fn control(host: &Host, name: &str, attempt: &Attempt) -> Result<(), String> {
    let mut world = host.world(name, UID);
    (attempt.stage)(&mut world);
    let probe = host.outside(attempt.control);
    let report = probe.make(name, &world);
    if attempt.control == Control::Absent {
        return match report {
            Some(report) if report.answer == Err(libc::EPERM) => Err("refused outside too".into()),
            _ => Ok(()),
        };
    }
    let report = report.ok_or("it did not live to answer")?;
    match (attempt.seen)(&mut world, &report) {
        true => Ok(()),
        false => Err(format!("the host saw nothing, it said {}", word(&report))),
    }
}

/// What a probe said, for people.
pub(crate) fn word(report: &Report) -> String {
    match &report.answer {
        Ok(bytes) if bytes.is_empty() => "ok".into(),
        Ok(bytes) => format!(
            "ok with {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
        ),
        Err(errno) => format!("errno {errno}"),
    }
}
