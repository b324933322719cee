//! A peer that speaks the lease protocol as agentd does and does as it is told.
//! It drives the queue; the real agentd runs in the top-level tests.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::event::{ArtifactKind, ArtifactPart, Event, JobEnd, StepResult};
use casemate_protocol::frame::{self, ReadError};
use casemate_protocol::id::{Digest, JobId};
use casemate_protocol::job::JobSpec;
use casemate_protocol::lease::{Diagnosis, PackOffer, ToAgent, ToDaemon, VERSION};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::{Bed, PATIENCE};

/// The peer.
pub(crate) struct Agent {
    pub(crate) stream: UnixStream,
    numbers: BTreeMap<JobId, u64>,
    /// Leases that came before the acknowledgement that was waited for.
    early: VecDeque<Lease>,
}

/// A lease that came.
pub(crate) struct Lease {
    pub(crate) spec: JobSpec,
    pub(crate) bundle: Bundle,
    pub(crate) inputs: Vec<File>,
}

impl Lease {
    pub(crate) fn job(&self) -> JobId {
        self.spec.job
    }
}

impl Agent {
    /// Connects and says hello with one slot.
    pub(crate) fn connect(bed: &Bed) -> Self {
        Self::with_slots(bed, 1)
    }

    pub(crate) fn with_slots(bed: &Bed, slots: u32) -> Self {
        let stream = UnixStream::connect(bed.path("run/agentd.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut agent = Self {
            stream,
            numbers: BTreeMap::new(),
            early: VecDeque::new(),
        };
        agent.send(&ToDaemon::Hello {
            version: VERSION,
            slots,
            packs: vec![PackOffer {
                root: Digest([7; 32]),
                name: "desktop".to_owned(),
                applications: vec!["mousepad".to_owned(), "evince".to_owned()],
            }],
            selftest: Digest([5; 32]),
        });
        agent
    }

    /// The same, and waits until the daemon has taken it.
    pub(crate) fn settled(bed: &Bed) -> Self {
        let agent = Self::connect(bed);
        super::wait_until("agentd is connected", || {
            !bed.json(&["status"])["agent"].is_null()
        });
        agent
    }

    pub(crate) fn send(&mut self, message: &ToDaemon) {
        frame::write(&mut self.stream, message).unwrap();
    }

    pub(crate) fn receive(&mut self) -> ToAgent {
        self.try_receive().unwrap()
    }

    pub(crate) fn try_receive(&mut self) -> Result<ToAgent, ReadError> {
        frame::read(&mut self.stream, frame::DAEMON)
    }

    /// Takes the next lease with its inputs.
    pub(crate) fn lease(&mut self) -> Lease {
        if let Some(lease) = self.early.pop_front() {
            return lease;
        }
        match self.receive() {
            ToAgent::Lease { spec, bundle } => self.leased(&spec, &bundle),
            other => panic!("no lease came, but {other:?}"),
        }
    }

    fn leased(&mut self, spec: &[u8], bundle: &[u8]) -> Lease {
        let spec: JobSpec = codec::decode_canonical(spec).unwrap();
        let bundle = codec::decode_canonical(bundle).unwrap();
        let inputs = spec.inputs.iter().map(|_| self.descriptor()).collect();
        self.numbers.insert(spec.job, 0);
        Lease {
            spec,
            bundle,
            inputs,
        }
    }

    fn descriptor(&mut self) -> File {
        let mut byte = [1u8];
        let mut space = nix::cmsg_space!([std::os::fd::RawFd; 1]);
        let fd = {
            let mut slices = [IoSliceMut::new(&mut byte)];
            let message = recvmsg::<()>(
                self.stream.as_raw_fd(),
                &mut slices,
                Some(&mut space),
                MsgFlags::MSG_CMSG_CLOEXEC,
            )
            .unwrap();
            match message.cmsgs().unwrap().next() {
                Some(ControlMessageOwned::ScmRights(fds)) => fds[0],
                other => panic!("no descriptor came: {other:?}"),
            }
        };
        assert_eq!(byte, [0]);
        // Opened again by the kernel's name for it, which safe code may do.
        let file = File::open(format!("/proc/self/fd/{fd}")).unwrap();
        nix::unistd::close(fd).unwrap();
        file
    }

    /// Sends a numbered message and waits until it is acknowledged.
    pub(crate) fn report(&mut self, job: JobId, make: impl FnOnce(u64) -> ToDaemon) {
        let number = self.report_unacknowledged(job, make);
        loop {
            match self.receive() {
                ToAgent::Ack {
                    job: of,
                    number: acked,
                } if (of, acked) == (job, number) => return,
                ToAgent::Cancel { .. } => {}
                ToAgent::Lease { spec, bundle } => {
                    let lease = self.leased(&spec, &bundle);
                    self.early.push_back(lease);
                }
                other => panic!("expected the acknowledgement of {number}, got {other:?}"),
            }
        }
    }

    /// The same without waiting.
    pub(crate) fn report_unacknowledged(
        &mut self,
        job: JobId,
        make: impl FnOnce(u64) -> ToDaemon,
    ) -> u64 {
        let number = self.numbers.entry(job).or_insert(0);
        *number += 1;
        let number = *number;
        // The daemon may have cut this peer off; the caller sees it when it reads.
        let _ = frame::write(&mut self.stream, &make(number));
        number
    }

    pub(crate) fn event(&mut self, job: JobId, event: Event) {
        self.report(job, |number| ToDaemon::Event { job, number, event });
    }

    pub(crate) fn step(&mut self, job: JobId, step: u32) {
        let (verb, target) = ("open".to_owned(), "mousepad".to_owned());
        self.event(
            job,
            Event::StepStarted {
                step,
                verb: verb.clone(),
                target: target.clone(),
                at_ms: 100,
            },
        );
        self.event(
            job,
            Event::StepDone {
                step,
                verb,
                target,
                result: StepResult::Ok,
                at_ms: 100,
                took_ms: 50,
                area: None,
                screenshot: None,
            },
        );
    }

    pub(crate) fn file(&mut self, job: JobId, name: &str, bytes: &[u8]) {
        let pieces: Vec<&[u8]> = if bytes.is_empty() {
            vec![bytes]
        } else {
            bytes.chunks(1 << 20).collect()
        };
        let last = pieces.len() - 1;
        for (at, piece) in pieces.into_iter().enumerate() {
            let part = ArtifactPart {
                name: name.to_owned(),
                kind: ArtifactKind::Output,
                media: "text/plain".to_owned(),
                bytes: piece.to_vec().into(),
                last: at == last,
            };
            self.report(job, |number| ToDaemon::Artifact { job, number, part });
        }
    }

    pub(crate) fn end(&mut self, job: JobId, end: JobEnd) {
        self.report(job, |number| ToDaemon::Ended { job, number, end });
    }

    pub(crate) fn answer_check(&mut self, diagnoses: Vec<Diagnosis>) {
        let ToAgent::Check { request, .. } = self.receive() else {
            panic!("no check came");
        };
        self.send(&ToDaemon::Checked { request, diagnoses });
    }
}
