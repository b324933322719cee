//! A job as agentd serves it, from lease to end, by its two processes: the confined
//! supervisor can do all that jobs need, and nothing of agentd outlives it.
//!
//! Needs the packs (`make packs`). Builds for tests do not serve.

use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::event::{ArtifactKind, Event, JobEnd, StepResult};
use casemate_protocol::frame;
use casemate_protocol::id::{Digest, JobId, TenantId};
use casemate_protocol::job::{self, Input, JobSpec};
use casemate_protocol::lease::{ToAgent, ToDaemon};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::ground::AGENTD;
use super::place::{children, processes, until};

const NOTE: &str = "read in the supervisor";
const WORKFLOW: &str = r#"
text = read_file("in/note.txt")
write_file("out/copy.txt", text + "!")
template("blank.xlsx", "out/a.xlsx")
verify_sheet("out/a.xlsx", [])
screenshot("the desktop")
if list_files("out") != ["a.xlsx", "copy.txt"]: fail("list")
"#;
const DECLARATION: &str = r#"
version = 1
name = "served"
summary = "What a supervisor does for a job"
on_interrupt = "fail"
[grants]
verbs = ["files", "screenshot", "verify"]
outputs = ["copy.txt", "a.xlsx"]
"#;

fn stand(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../var")
        .join(file);
    assert!(path.exists(), "{} is missing: `make packs`", path.display());
    path
}

/// agentd, and the daemon's end of its connection.
struct Served {
    agentd: Child,
    stream: UnixStream,
    root: Digest,
    uids: u32,
    _one: MutexGuard<'static, ()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.agentd.kill();
        let _gone = self.agentd.wait();
    }
}

impl Served {
    fn new() -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Beside the ranges of place.rs, and of the self-test's tests.
        let uids = 2_000_000_000 + (std::process::id() % 30_000) * 70_000 + 68_000;
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agentd.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let agentd = Command::new(AGENTD)
            .args(["enter", "--uid-base", &uids.to_string()])
            .args(["--uid-count", "2000"])
            .arg("--pack")
            .arg(stand("packs/desktop.pack"))
            .arg("--pack")
            .arg(stand("packs/ocr.pack"))
            .arg("--release-key")
            .arg(stand("dev/release.pub"))
            .arg("--daemon")
            .arg(&socket)
            .arg("--bin-dir")
            .arg(Path::new(AGENTD).parent().unwrap())
            .spawn()
            .unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(300)))
            .unwrap();
        let mut served = Self {
            agentd,
            stream,
            root: Digest([0; 32]),
            uids,
            _one: one,
        };
        match served.receive() {
            ToDaemon::Hello { packs, .. } => served.root = packs[0].root,
            other => panic!("{other:?}"),
        }
        served
    }

    fn receive(&self) -> ToDaemon {
        frame::read(&mut &self.stream, frame::DAEMON).expect("agentd is there")
    }

    fn send(&self, message: &ToAgent) {
        frame::write(&mut &self.stream, message).unwrap();
    }

    fn lease(&self) -> JobId {
        let job = JobId([7; 16]);
        let files = [("main.star".to_owned(), WORKFLOW.as_bytes().to_vec())];
        let bundle = Bundle::from_source(DECLARATION, files).unwrap();
        let bytes = codec::encode(&bundle);
        let spec = JobSpec {
            version: job::VERSION,
            job,
            tenant: TenantId([1; 16]),
            requester: "a test".into(),
            workflow: "served".into(),
            bundle: Digest::of(&bytes),
            inputs: vec![Input {
                name: "note.txt".into(),
                digest: Digest::of(NOTE.as_bytes()),
                size: NOTE.len().try_into().unwrap(),
            }],
            parameters: Vec::new(),
            profile: "desktop".into(),
            pack_root: self.root,
            grants: bundle.grants,
            limits: bundle.limits,
            on_interrupt: bundle.on_interrupt,
        };
        self.send(&ToAgent::Lease {
            spec: codec::encode(&spec).into(),
            bundle: bytes.into(),
        });
        let input = rustix::fs::memfd_create("note", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut input = std::fs::File::from(input);
        input.write_all(NOTE.as_bytes()).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [input.as_fd()];
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        rustix::net::sendmsg(
            &self.stream,
            &[IoSlice::new(&[0])],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
        .unwrap();
        job
    }

    /// Whether anything of agentd is left.
    fn left(&self) -> usize {
        processes(self.uids, 2000).len()
    }
}

#[test]
fn a_job_is_done_by_a_supervisor_that_can_do_nothing_else() {
    let served = Served::new();
    // Checked in a sandbox of its own, on the builder's side.
    served.send(&ToAgent::Check {
        request: 5,
        bundle: codec::encode(
            &Bundle::from_source(
                DECLARATION,
                [("main.star".to_owned(), b"nonsense(".to_vec())],
            )
            .unwrap(),
        )
        .into(),
    });
    match served.receive() {
        ToDaemon::Checked {
            request: 5,
            diagnoses,
        } => assert_eq!(diagnoses.len(), 1, "{diagnoses:?}"),
        other => panic!("{other:?}"),
    }
    let job = served.lease();
    let mut outputs = Vec::new();
    let end = loop {
        let number = match served.receive() {
            ToDaemon::Event { number, event, .. } => {
                if let Event::StepDone { verb, result, .. } = &event {
                    assert!(matches!(result, StepResult::Ok), "{verb}: {event:?}");
                }
                number
            }
            ToDaemon::Artifact { number, part, .. } => {
                if part.kind == ArtifactKind::Output {
                    outputs.push((part.name, part.bytes.to_vec()));
                }
                number
            }
            ToDaemon::Ended { end, .. } => break end,
            other => panic!("{other:?}"),
        };
        served.send(&ToAgent::Ack { job, number });
    };
    assert_eq!(end, JobEnd::Succeeded);
    let copy = outputs.iter().find(|(name, _)| name == "copy.txt").unwrap();
    assert_eq!(copy.1, format!("{NOTE}!").into_bytes());
    assert!(outputs.iter().any(|(name, _)| name == "a.xlsx"));
    // When the daemon is gone, so is agentd.
    served.stream.shutdown(std::net::Shutdown::Both).unwrap();
    until("nothing is left", || served.left() == 0);
}

#[test]
fn an_agentd_whose_builder_or_supervisor_is_killed_ends_whole() {
    for of_supervisor in [true, false] {
        let served = Served::new();
        let says = |pid: &u32, what: &str| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(what)
        };
        let is_supervisor = |pid: &u32| says(pid, "serve");
        // Beside the rooms stands the reader of audit records.
        let only = |of: u32| {
            let mut all = children(of);
            all.retain(|pid| !says(pid, "audit-reader"));
            match all[..] {
                [one] => one,
                ref all => panic!("{of} has {all:?}"),
            }
        };
        let builder = only(only(served.agentd.id()));
        let victim = match of_supervisor {
            true => children(builder).into_iter().find(is_supervisor).unwrap(),
            false => builder,
        };
        unsafe { libc::kill(i32::try_from(victim).unwrap(), libc::SIGKILL) };
        until("nothing is left", || served.left() == 0);
        // The daemon sees it as an end of the connection, and decides by policy.
        let ended = frame::read::<ToDaemon>(&mut &served.stream, frame::DAEMON);
        assert!(matches!(
            ended,
            Err(frame::ReadError::Closed | frame::ReadError::Io(_))
        ));
    }
}
