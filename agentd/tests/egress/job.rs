//! A job with a way out, by the way that jobs take: `agentd enter`, a lease, the
//! confined supervisor. The test is the control daemon, and asks the proxy from the
//! desktop's own network namespace. Needs the built packs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::{self, JoinHandle};

use casemate_protocol::bundle::{self, Bundle};
use casemate_protocol::egress::Endpoint;
use casemate_protocol::event::{ConnectionEvent, Event, JobEnd};
use casemate_protocol::id::{JobId, TenantId};
use casemate_protocol::job::{self, Grants, JobSpec, Limits, OnInterrupt};
use casemate_protocol::lease::{ToAgent, ToDaemon};
use casemate_protocol::{action::Verb, codec, frame};
use nix::sched::{CloneFlags, setns};

use super::SITE;
use super::ground::AGENTD;
use super::world::{SERVER, World};

const BASE: u32 = 720_000_000;
const COUNT: u32 = 4096;

/// `agentd enter`, and our end of its connection. Dropped, it ends.
struct Agentd {
    child: Child,
    daemon: UnixStream,
    root: casemate_protocol::id::Digest,
}

impl Drop for Agentd {
    fn drop(&mut self) {
        // It ends with its connection, and takes all that it started along.
        let _gone = self.daemon.shutdown(std::net::Shutdown::Both);
        let _gone = self.child.wait();
    }
}

impl Agentd {
    fn enter(world: &World) -> Self {
        let var = Path::new(env!("CARGO_MANIFEST_DIR")).join("../var");
        let socket = world.directory.join("agentd.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut command = world.shell();
        command.args([AGENTD, "enter", "--pack"]);
        command
            .arg(var.join("packs/desktop.pack"))
            .arg("--pack")
            .arg(var.join("packs/ocr.pack"));
        command
            .arg("--release-key")
            .arg(var.join("dev/release.pub"));
        command.arg("--daemon").arg(&socket);
        command
            .arg("--bin-dir")
            .arg(Path::new(AGENTD).parent().unwrap());
        command.args(["--egress", &world.site(SITE)]);
        command.args([
            "--uid-base",
            &BASE.to_string(),
            "--uid-count",
            &COUNT.to_string(),
        ]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let (daemon, _) = listener.accept().unwrap();
        let hello = frame::read(&mut &daemon, frame::DAEMON).expect("run `make packs` first");
        let ToDaemon::Hello { packs, .. } = hello else {
            panic!("{hello:?}")
        };
        Self {
            child,
            daemon,
            root: packs[0].root,
        }
    }

    fn send(&self, message: &ToAgent) {
        frame::write(&mut &self.daemon, message).unwrap();
    }

    /// Runs a job of three steps. `at_step` is called before the first may be taken, and
    /// the last waits for the connection that it makes.
    fn run<T: Send + 'static>(
        &self,
        number: u8,
        egress: &[&str],
        at_step: impl FnOnce() -> JoinHandle<T>,
    ) -> (Vec<Event>, JobEnd, Option<T>) {
        let job = JobId([number; 16]);
        let (spec, bundle) = self.job(job, egress);
        self.send(&ToAgent::Lease {
            spec: codec::encode(&spec).into(),
            bundle: codec::encode(&bundle).into(),
        });
        let mut events = Vec::new();
        let (mut at_step, mut working, mut did) = (Some(at_step), None, None);
        loop {
            match frame::read(&mut &self.daemon, frame::DAEMON).unwrap() {
                ToDaemon::Event { number, event, .. } => {
                    let step = matches!(event, Event::StepStarted { .. });
                    let what = match &event {
                        Event::Connection { what, .. } => Some(what),
                        _ => None,
                    };
                    if step && let Some(at_step) = at_step.take() {
                        working = Some(at_step());
                    } else if let Some(ConnectionEvent::Closed { .. }) = what
                        && let Some(working) = working.take()
                    {
                        did = Some(working.join().unwrap());
                    }
                    events.push(event);
                    // An acknowledgement is one of all that came before, so the one of a
                    // connection lets a step go: the next one waits for its end.
                    if !(step && working.is_some()) {
                        self.send(&ToAgent::Ack { job, number });
                    }
                }
                ToDaemon::Artifact { number, .. } => self.send(&ToAgent::Ack { job, number }),
                ToDaemon::Ended { end, .. } => return (events, end, did),
                other => panic!("{other:?}"),
            }
        }
    }

    fn job(&self, job: JobId, egress: &[&str]) -> (JobSpec, Bundle) {
        let endpoints = egress.iter().map(|text| Endpoint::parse(text).unwrap());
        let endpoints: Vec<Endpoint> = endpoints.collect();
        let grants = Grants {
            verbs: vec![Verb::Files],
            applications: vec![],
            outputs: vec!["a.txt".into()],
            egress: (!endpoints.is_empty()).then_some(endpoints),
        };
        let limits = Limits {
            seconds: 300,
            desktop_mib: 1024,
            script_mib: 256,
            hands_mib: 1024,
            workspace_mib: 64,
            steps: 10,
        };
        let script = b"write_file(\"out/a.txt\", \"x\")\n".repeat(3);
        let bundle = Bundle {
            version: bundle::VERSION,
            name: "reach".into(),
            summary: "Reaches out.".into(),
            files: vec![("main.star".into(), script.into())],
            grants: grants.clone(),
            limits,
            on_interrupt: OnInterrupt::Fail,
            parameters: vec![],
        };
        let spec = JobSpec {
            version: job::VERSION,
            job,
            tenant: TenantId::SYSTEM,
            requester: "uid:0".into(),
            workflow: "reach".into(),
            bundle: bundle.digest(),
            inputs: vec![],
            parameters: vec![],
            profile: "desktop".into(),
            pack_root: self.root,
            grants,
            limits,
            on_interrupt: OnInterrupt::Fail,
        };
        (spec, bundle)
    }
}

/// The process of our range with these arguments.
fn process(arguments: &[&str]) -> PathBuf {
    let wanted: String = arguments.iter().map(|one| format!("{one}\0")).collect();
    let ours = |place: &PathBuf| {
        let status = fs::read_to_string(place.join("status")).unwrap_or_default();
        let uid = status.lines().find_map(|line| {
            line.strip_prefix("Uid:\t")?
                .split('\t')
                .next()?
                .parse()
                .ok()
        });
        uid.is_some_and(|uid: u32| (BASE..BASE + COUNT).contains(&uid))
    };
    fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|place| fs::read(place.join("cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
        .find(ours)
        .unwrap_or_else(|| panic!("no process {arguments:?}"))
}

/// Asks the job's proxy for a page, as a program of its desktop would.
fn ask(request: String) -> JoinHandle<String> {
    let network = File::open(process(&["/agent/agentd", "session"]).join("ns/net")).unwrap();
    thread::spawn(move || {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        let mut stream = TcpStream::connect("127.0.0.1:3128").unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
}

#[test]
fn a_jobs_desktop_reaches_what_it_names_and_the_daemon_is_told_first() {
    let world = World::new();
    let agentd = Agentd::enter(&world);
    let request = "GET http://a.example:8080/ HTTP/1.1\r\nHost: a.example:8080\r\n\r\n";
    let (events, end, answer) = agentd.run(1, &["a.example:8080"], || {
        // The connector: nobody of the rooms, nothing but what it needs.
        let status = fs::read_to_string(process(&["/agentd", "connector"]).join("status")).unwrap();
        let last = BASE + COUNT - 1;
        for line in [
            &format!("Uid:\t{last}\t{last}\t{last}\t{last}"),
            "CapEff:\t0000000000000000",
            "CapPrm:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
        ] {
            assert!(status.contains(line), "{line}: {status}");
        }
        process(&["/agent/agentd", "proxy"]);
        ask(request.to_owned())
    });
    assert_eq!(end, JobEnd::Succeeded, "{events:?}");
    assert!(answer.unwrap().ends_with("a page of the server"));
    let connections: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event, Event::Connection { .. }))
        .collect();
    let Event::Connection {
        number: 1,
        host,
        port: 8080,
        what: ConnectionEvent::Opened { address },
    } = connections[0]
    else {
        panic!("{connections:?}")
    };
    assert_eq!(
        (host.as_str(), address.as_str()),
        ("a.example", &*format!("{SERVER}:8080"))
    );
    assert!(matches!(
        connections[1],
        Event::Connection {
            what: ConnectionEvent::Closed {
                sent: 1..,
                received: 20..,
                code: None
            },
            ..
        }
    ));
    assert_eq!(connections.len(), 2);

    // A job that names more than the site grants is not started with less.
    let (events, end, _) = agentd.run(2, &["b.example:80"], || thread::spawn(|| ()));
    let JobEnd::Failed { code, .. } = end else {
        panic!("{end:?}")
    };
    let reached = events
        .iter()
        .filter(|event| matches!(event, Event::Connection { .. }));
    assert_eq!((code.as_str(), reached.count()), ("egress.site", 0));
}
