//! A world of two network namespaces: the appliance's and a server's, with a wire
//! between them, a name server and services.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use super::ground::{self, AGENTD};

pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_egress-probe");
/// The server's address, and one more of it.
pub(crate) const SERVER: &str = "10.77.0.2";
/// The appliance's own.
pub(crate) const OWN: &str = "10.77.0.1";

/// Dropped, nothing of it is left but idle threads, which end with the test.
#[derive(Debug)]
pub(crate) struct World {
    ours: String,
    theirs: String,
    pub(crate) directory: PathBuf,
    /// Heads and bodies that the HTTP server got.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    /// Questions for addresses that the name server got, by name.
    pub(crate) questions: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Connections taken by the appliance's loopback service.
    pub(crate) loopback: Arc<AtomicUsize>,
    /// Most connections at once at the echo, and bytes that the sink got.
    pub(crate) most: Arc<AtomicUsize>,
    pub(crate) sunk: Arc<AtomicUsize>,
}

impl Drop for World {
    fn drop(&mut self) {
        for name in [&self.ours, &self.theirs] {
            let _gone = Command::new("ip").args(["netns", "del", name]).output();
        }
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("ip (package iproute2) is needed");
    assert!(output.status.success(), "ip {arguments}: {output:?}");
}

/// Does `work` in a thread of that network namespace.
fn within<T: Send + 'static>(namespace: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let place = File::open(format!("/run/netns/{namespace}")).unwrap();
    thread::spawn(move || {
        setns(place, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    })
    .join()
    .unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cm-egress-{}-{number}", std::process::id());
        let world = Self {
            ours: format!("{name}-a"),
            theirs: format!("{name}-b"),
            directory: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name),
            requests: Arc::default(),
            questions: Arc::default(),
            loopback: Arc::default(),
            most: Arc::default(),
            sunk: Arc::default(),
        };
        fs::create_dir_all(&world.directory).unwrap();
        let (a, b) = (&world.ours, &world.theirs);
        for one in [a, b] {
            ip(&format!("netns add {one}"));
            ip(&format!("-n {one} link set lo up"));
        }
        ip(&format!(
            "-n {a} link add wire type veth peer name wire netns {b}"
        ));
        ip(&format!("-n {a} addr add {OWN}/24 dev wire"));
        ip(&format!("-n {b} addr add {SERVER}/24 dev wire"));
        ip(&format!("-n {b} addr add 169.254.169.254/32 dev wire"));
        ip(&format!("-n {a} link set wire up"));
        ip(&format!("-n {b} link set wire up"));
        ip(&format!("-n {a} route add 169.254.169.254 dev wire"));
        world.serve();
        fs::write(world.directory.join("hosts"), "10.77.0.2 hosted.example\n").unwrap();
        let servers = format!("nameserver {SERVER}\nsearch evil.example\n");
        fs::write(world.directory.join("resolv.conf"), servers).unwrap();
        world
    }

    fn listen(namespace: &str, address: &str) -> TcpListener {
        let address = address.to_owned();
        within(namespace, move || TcpListener::bind(address).unwrap())
    }

    fn serve(&self) {
        for port in [80, 8080] {
            let requests = Arc::clone(&self.requests);
            let listener = Self::listen(&self.theirs, &format!("0.0.0.0:{port}"));
            each(listener, move |stream| page(stream, &requests));
        }
        let (most, now) = (Arc::clone(&self.most), AtomicUsize::new(0));
        each(
            Self::listen(&self.theirs, "0.0.0.0:9000"),
            move |mut stream| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let mut piece = [0; 4096];
                while let Ok(got @ 1..) = stream.read(&mut piece) {
                    if stream.write_all(&piece[..got]).is_err() {
                        break;
                    }
                }
                // Before the other side sees the end and comes again.
                now.fetch_sub(1, Ordering::SeqCst);
                let _gone = stream.shutdown(Shutdown::Both);
            },
        );
        let sunk = Arc::clone(&self.sunk);
        each(
            Self::listen(&self.theirs, "0.0.0.0:9001"),
            move |mut stream| {
                let mut piece = [0; 4096];
                while let Ok(got @ 1..) = stream.read(&mut piece) {
                    sunk.fetch_add(got, Ordering::SeqCst);
                }
            },
        );
        // Never ends by itself.
        each(Self::listen(&self.theirs, "0.0.0.0:9002"), |mut stream| {
            while stream.write_all(&[b'y'; 4096]).is_ok() {}
        });
        let loopback = Arc::clone(&self.loopback);
        each(Self::listen(&self.ours, "0.0.0.0:8080"), move |stream| {
            loopback.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        });
        let socket = within(&self.theirs, || UdpSocket::bind("0.0.0.0:53").unwrap());
        let questions = Arc::clone(&self.questions);
        thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                if let Some(answer) = answer(&packet[..length], &questions) {
                    let _gone = socket.send_to(&answer, from);
                }
            }
        });
    }

    /// Whether a plain program of the appliance connects: the control.
    pub(crate) fn connects_outside(&self, address: &str) -> bool {
        let address = address.to_owned();
        within(&self.ours, move || TcpStream::connect(address).is_ok())
    }

    /// Writes the site's file.
    pub(crate) fn site(&self, text: &str) -> String {
        let path = self.directory.join("egress.toml");
        fs::write(&path, format!("version = 1\n{text}")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A line that runs what follows in the appliance's network, with its files.
    pub(crate) fn shell(&self) -> Command {
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$1/hosts\" /etc/hosts && \
            mount --bind \"$1/resolv.conf\" /etc/resolv.conf && \
            ns=$2 && shift 2 && exec nsenter --net=/run/netns/\"$ns\" -- \"$@\"";
        command
            .args(["--mount", "--", "sh", "-c", script, "sh"])
            .arg(&self.directory)
            .arg(&self.ours);
        command
    }

    /// The probe in a sandbox.
    pub(crate) fn command(&self, profile: &str, flags: &[&str], attempts: &[&str]) -> Command {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = 460_000 + NEXT.fetch_add(1, Ordering::Relaxed) * 2000;
        let ground = ground::ground();
        let mut command = self.shell();
        command
            .args([
                AGENTD,
                "exec",
                "--uid-count",
                "2000",
                "--uid-base",
                &base.to_string(),
            ])
            .args(["--profile", profile])
            .args(["--bind-ro", &format!("{PROBE}=/agent/probe"), "--pack"])
            .arg(&ground.pack)
            .arg("--release-key")
            .arg(&ground.key)
            .arg("--json")
            .arg(self.report(base))
            .args(flags)
            .args(["--", "/agent/probe"])
            .args(attempts);
        command
    }

    fn report(&self, base: u32) -> PathBuf {
        self.directory.join(format!("report-{base}"))
    }

    /// Runs it: what each attempt was answered, and the report.
    pub(crate) fn run(&self, profile: &str, flags: &[&str], attempts: &[&str]) -> Ran {
        let mut command = self.command(profile, flags, attempts);
        let report = command.get_args().skip_while(|arg| *arg != "--json").nth(1);
        let report = PathBuf::from(report.unwrap());
        let output = command.output().unwrap();
        Ran::read(output, &report)
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) output: Output,
    pub(crate) answers: Vec<String>,
    pub(crate) connections: Vec<Value>,
    /// Somebody watched for denials.
    pub(crate) watched: bool,
}

impl Ran {
    fn read(output: Output, report: &PathBuf) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answers = text.lines().enumerate().map(|(number, line)| {
            let (said, answer) = line.split_once(' ').unwrap_or((line, ""));
            assert_eq!(said, number.to_string(), "{text}");
            answer.to_owned()
        });
        let report: Value = fs::read(report)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            answers: answers.collect(),
            connections: report["connections"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            watched: report["denials"].is_array(),
            output,
        }
    }

    /// The codes of refused connections, in order.
    pub(crate) fn refused(&self) -> Vec<&str> {
        let code = |one: &'_ Value| one["refused"]["code"].as_str().map(str::to_owned);
        let all = self.connections.iter();
        all.filter(|one| code(one).is_some())
            .map(|one| one["refused"]["code"].as_str().unwrap())
            .collect()
    }
}

fn each(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) {
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), serve) = (stream, Arc::clone(&serve)) else {
                return;
            };
            thread::spawn(move || serve(stream));
        }
    });
}

/// A page that says what it is; everything that came is kept.
fn page(mut stream: TcpStream, requests: &Mutex<Vec<String>>) {
    let mut got = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            });
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        match stream.read(&mut piece) {
            Ok(got_now @ 1..) => got.extend(&piece[..got_now]),
            _ => break,
        }
    }
    let body = "a page of the server";
    let _gone = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _gone = stream.shutdown(Shutdown::Write);
    // Whatever more is sent on this connection.
    let _end = stream.read_to_end(&mut got);
    requests
        .lock()
        .unwrap()
        .push(String::from_utf8_lossy(&got).into_owned());
}

/// Where each name points; `times` is how often it was asked for before.
fn addresses(name: &str, times: usize) -> Option<Vec<IpAddr>> {
    let v4 = |a: [u8; 4]| IpAddr::V4(Ipv4Addr::from(a));
    let server = v4([10, 77, 0, 2]);
    Some(match name {
        "a.example" | "b.example" | "x.star.example" => vec![server],
        "loop.example" => vec![v4([127, 0, 0, 1])],
        "zero.example" => vec![v4([0, 0, 0, 0])],
        "meta.example" => vec![v4([169, 254, 169, 254])],
        "own.example" => vec![v4([10, 77, 0, 1])],
        "all.example" => vec![v4([10, 77, 0, 255])],
        "away.example" => vec![v4([10, 78, 0, 2])],
        "mixed.example" => vec![server, v4([127, 0, 0, 1])],
        "rebind.example" if times == 0 => vec![server],
        "rebind.example" => vec![v4([127, 0, 0, 1])],
        "mapped.example" => vec!["::ffff:127.0.0.1".parse().unwrap()],
        "nat.example" => vec!["64:ff9b::7f00:1".parse().unwrap()],
        _ => return None,
    })
}

/// RFC 1035: one question in, one answer out.
fn answer(question: &[u8], questions: &Mutex<BTreeMap<String, usize>>) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    while *question.get(at)? != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(question.get(at + 1..=at + length)?).into_owned());
        at += length + 1;
    }
    let end = at + 5;
    let wants_v6 = question.get(at + 1..at + 3)? == [0, 28];
    let name = labels.join(".");
    let times = {
        let mut all = questions.lock().unwrap();
        let times = all.entry(name.clone()).or_default();
        let before = *times;
        *times += usize::from(!wants_v6);
        before
    };
    let found = addresses(&name, times);
    let mut records: Vec<Vec<u8>> = Vec::new();
    for address in found.iter().flatten() {
        match address {
            IpAddr::V4(a) if !wants_v6 => records.push(a.octets().to_vec()),
            IpAddr::V6(a) if wants_v6 => records.push(a.octets().to_vec()),
            _ => {}
        }
    }
    let mut answer = question.get(..2)?.to_vec();
    answer.extend(if found.is_some() {
        [0x81, 0x80]
    } else {
        [0x81, 0x83]
    });
    answer.extend([0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend(question.get(12..end)?);
    for record in records {
        answer.extend([0xc0, 12, 0, if wants_v6 { 28 } else { 1 }, 0, 1, 0, 0, 0, 0]);
        answer.extend([0, u8::try_from(record.len()).unwrap()]);
        answer.extend(record);
    }
    Some(answer)
}
