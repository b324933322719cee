//! The host around an attempt: what there is to be reached, and what the host sees
//! of it being reached.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::attack::Scene;

/// The stage of one attempt. Dropped, nothing of it is left.
#[derive(Debug)]
pub(crate) struct World {
    /// What the attacker is told.
    pub(crate) scene: Scene,
    /// What must not be read.
    pub(crate) secret: String,
    /// The host's id behind the sandbox.
    pub(crate) uid: u32,
    /// The host's directory.
    pub(crate) dir: PathBuf,
    /// The shared directory, as the host sees it.
    pub(crate) shared: PathBuf,
    /// The probe's file.
    pub(crate) probe: PathBuf,
    /// What is listening.
    pub(crate) tcp: Option<TcpListener>,
    pub(crate) udp: Option<UdpSocket>,
    pub(crate) unix: Option<UnixListener>,
    pub(crate) datagrams: Option<UnixDatagram>,
    /// Anything that is kept for the time of the attempt.
    pub(crate) kept: Vec<OwnedFd>,
    /// What was leaked on purpose.
    leaks: Option<(OwnedFd, OwnedFd)>,
    victim: Option<Victim>,
    clean: Vec<Box<dyn Clean>>,
}

/// What must be undone, whatever happens.
pub(crate) trait Clean: std::fmt::Debug {
    /// Undoes it.
    fn clean(&mut self);
}

impl Drop for World {
    fn drop(&mut self) {
        for clean in &mut self.clean {
            clean.clean();
        }
        let _gone = fs::remove_dir_all(&self.dir);
        let _gone = fs::remove_dir_all(&self.shared);
    }
}

#[derive(Debug)]
struct Victim {
    child: Child,
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl World {
    /// A stage below `base`, for the host's id `uid`.
    pub(crate) fn new(base: &Path, probe: &Path, tag: &str, uid: u32) -> Self {
        let dir = base.join("host").join(tag);
        let shared = base.join("shared").join(tag);
        for place in [&dir, &shared] {
            fs::create_dir_all(place).unwrap();
            std::os::unix::fs::chown(place, Some(uid), Some(uid)).unwrap();
        }
        let scene = Scene {
            outside: true,
            dir: dir.display().to_string(),
            shared: shared.display().to_string(),
            tmp: dir.display().to_string(),
            tag: tag.to_owned(),
            victim: i32::MAX,
            key: 0x0ca5_0000 | i32::try_from(uid & 0xffff).unwrap(),
            other: uid + 7,
            kept: 64,
            descriptor: 1000,
            terminal: "/dev/pts/ptmx-none".into(),
            group: "/sys/fs/cgroup/none".into(),
            ..Scene::default()
        };
        Self {
            secret: format!("secret-of-{tag}"),
            scene,
            uid,
            dir,
            shared,
            probe: probe.to_owned(),
            tcp: None,
            udp: None,
            unix: None,
            datagrams: None,
            kept: Vec::new(),
            leaks: None,
            victim: None,
            clean: Vec::new(),
        }
    }

    /// The host's ends of a socket and a memory that a careless parent leaked.
    pub(crate) fn leaked(&mut self, socket: OwnedFd, memory: OwnedFd) {
        self.leaks = Some((socket, memory));
    }

    /// What came out of the leaked socket.
    pub(crate) fn leaked_socket(&self) -> String {
        let (socket, _) = self.leaks.as_ref().unwrap();
        let mut text = vec![0; 4096];
        let length = rustix::io::read(socket, &mut text).unwrap_or(0);
        text.truncate(length);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What the leaked memory begins with.
    pub(crate) fn leaked_memory(&self) -> String {
        let (_, memory) = self.leaks.as_ref().unwrap();
        let mut text = vec![0; 4096];
        let length = rustix::io::pread(memory, &mut text, 0).unwrap_or(0);
        text.truncate(length);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Has this undone at the end.
    pub(crate) fn undo(&mut self, clean: impl Clean + 'static) {
        self.clean.push(Box::new(clean));
    }

    /// A file of the sandbox's id in the host's directory.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        self.put(self.dir.join(name), text)
    }

    /// The same in the shared directory.
    pub(crate) fn share(&self, name: &str, text: &str) -> PathBuf {
        self.put(self.shared.join(name), text)
    }

    fn put(&self, path: PathBuf, text: &str) -> PathBuf {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(self.uid), Some(self.uid)).unwrap();
        path
    }

    /// Listens on a port of the host's.
    pub(crate) fn listen_tcp(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        self.scene.port = listener.local_addr().unwrap().port();
        self.tcp = Some(listener);
    }

    /// Receives datagrams on a port of the host's.
    pub(crate) fn listen_udp(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        self.scene.port = socket.local_addr().unwrap().port();
        self.udp = Some(socket);
    }

    /// Listens at a path that everybody may use.
    pub(crate) fn listen_unix(&mut self, path: &Path) {
        let _old = fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.unix = Some(listener);
    }

    /// Listens at an abstract name.
    pub(crate) fn listen_abstract(&mut self, name: &str) {
        let address = <SocketAddr as SocketAddrExt>::from_abstract_name(name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.unix = Some(listener);
    }

    /// Takes datagrams at a path that everybody may use, as a system log does.
    pub(crate) fn listen_datagrams(&mut self) {
        let path = self.dir.join("service");
        let socket = UnixDatagram::bind(&path).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.datagrams = Some(socket);
    }

    /// What reached the TCP listener: `None` if nobody connected.
    pub(crate) fn tcp_got(&self) -> Option<String> {
        let (stream, _) = self.tcp.as_ref()?.accept().ok()?;
        Some(all(stream))
    }

    /// What reached the Unix listener.
    pub(crate) fn unix_got(&self) -> Option<String> {
        let (stream, _) = self.unix.as_ref()?.accept().ok()?;
        Some(all(stream))
    }

    /// A terminal of the host's; both ends are kept, the master first.
    pub(crate) fn terminal(&mut self) {
        use std::os::fd::{AsRawFd, FromRawFd};
        use std::os::unix::fs::OpenOptionsExt;
        let master = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
        assert!(master >= 0);
        let master = unsafe { OwnedFd::from_raw_fd(master) };
        let fd = master.as_raw_fd();
        let mut name = [0 as libc::c_char; 64];
        assert_eq!(unsafe { libc::grantpt(fd) }, 0);
        assert_eq!(unsafe { libc::unlockpt(fd) }, 0);
        assert_eq!(unsafe { libc::ptsname_r(fd, name.as_mut_ptr(), 64) }, 0);
        let name = unsafe { std::ffi::CStr::from_ptr(name.as_ptr()) };
        self.scene.terminal = name.to_str().unwrap().to_owned();
        let slave = fs::File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY)
            .open(&self.scene.terminal)
            .unwrap();
        let mut mode: libc::termios = unsafe { std::mem::zeroed() };
        unsafe { libc::tcgetattr(slave.as_raw_fd(), &raw mut mode) };
        unsafe { libc::cfmakeraw(&raw mut mode) };
        unsafe { libc::tcsetattr(slave.as_raw_fd(), libc::TCSANOW, &raw const mode) };
        self.kept = vec![master, slave.into()];
    }

    /// A process of the sandbox's id, outside it, with the secret in all places a
    /// process has.
    pub(crate) fn victim(&mut self) {
        self.start_victim(false);
    }

    /// The same at the head of a process group.
    pub(crate) fn victim_group(&mut self) {
        self.start_victim(true);
    }

    fn start_victim(&mut self, group: bool) {
        let mut command = Command::new(&self.probe);
        if group {
            command.process_group(0);
        }
        let mut child = command
            .args(["victim", &self.secret])
            .env_clear()
            .env("SECRET", &self.secret)
            .uid(self.uid)
            .gid(self.uid)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let (address, descriptor) = line.trim().split_once(' ').unwrap();
        self.scene.victim = i32::try_from(child.id()).unwrap();
        self.scene.address = address.parse().unwrap();
        self.scene.descriptor = descriptor.parse().unwrap();
        self.victim = Some(Victim { child });
    }

    /// Whether the victim is still running.
    pub(crate) fn victim_lives(&mut self) -> bool {
        let state = self.victim_file("stat");
        // A signal that was sent is delivered by the time a process may be asked.
        !state.is_empty() && !state.contains(") Z ") && !state.contains(") X ")
    }

    /// A file of the victim's in /proc.
    pub(crate) fn victim_file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.scene.victim)).unwrap_or_default()
    }

    /// What the victim's memory holds where the secret was.
    pub(crate) fn victim_memory(&self) -> String {
        use std::os::unix::fs::FileExt;
        let memory = fs::File::open(format!("/proc/{}/mem", self.scene.victim)).unwrap();
        let mut bytes = vec![0; self.secret.len()];
        memory
            .read_exact_at(&mut bytes, self.scene.address)
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

/// Stages and judgements that several attempts share.
impl World {
    /// A file of rules that others rely on, in the shared directory.
    pub(crate) fn share_rules(&mut self) {
        self.share("rules", "deny");
    }

    /// The secret in a file of the host's directory.
    pub(crate) fn keep_secret(&mut self) {
        self.file("secret", &self.secret);
    }

    /// It sent the secret to the host.
    pub(crate) fn secret_was_got(&mut self, report: &Report) -> bool {
        report.got(&self.secret)
    }

    /// A program that it was not to run said so.
    pub(crate) fn program_ran(&mut self, report: &Report) -> bool {
        report.proof
    }

    /// It has one socket more than before.
    pub(crate) fn socket_was_made(&mut self, report: &Report) -> bool {
        report.holds("socket:")
    }

    /// Its mounts are others than before.
    pub(crate) fn mounts_changed(&mut self, report: &Report) -> bool {
        report.remounted()
    }

    /// The process outside is gone.
    pub(crate) fn victim_died(&mut self, _: &Report) -> bool {
        soon(|| !self.victim_lives())
    }

    /// Somebody connected to the host's port.
    pub(crate) fn tcp_was_reached(&mut self, _: &Report) -> bool {
        self.tcp_got().is_some()
    }

    /// Somebody connected to the host's Unix socket.
    pub(crate) fn unix_was_reached(&mut self, _: &Report) -> bool {
        self.unix_got().is_some()
    }

    /// The host's service got a datagram.
    pub(crate) fn datagram_came(&mut self, _: &Report) -> bool {
        let mut bytes = [0; 256];
        self.datagrams
            .as_ref()
            .is_some_and(|socket| socket.recv(&mut bytes).is_ok())
    }

    /// What was pushed into the terminal's input can be read from it.
    pub(crate) fn input_was_pushed(&mut self, _: &Report) -> bool {
        rustix::io::ioctl_fionread(&self.kept[1]).unwrap() > 0
    }

    /// The host has no way to see it: the answer alone counts.
    pub(crate) fn sees_nothing(&mut self, _: &Report) -> bool {
        false
    }
}

/// Whether it comes to be within the time that a signal or a packet takes; what
/// does not happen is waited for as long.
pub(crate) fn soon(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..20 {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// A control group of the host's, for attempts on it.
pub(crate) fn group(name: &str) -> PathBuf {
    let hierarchy = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
        .into_iter()
        .find(|place| Path::new(place).join("cgroup.procs").exists())
        .expect("there are control groups");
    let group = Path::new(hierarchy).join(format!("casemate-test-{name}"));
    fs::create_dir(&group).unwrap();
    group
}

/// Takes it away; who is still in it goes up.
pub(crate) fn remove_group(group: &Path) {
    let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for member in members.lines() {
        let _moved = fs::write(group.join("../cgroup.procs"), member);
    }
    let _gone = fs::remove_dir(group);
}

fn all(mut stream: impl Read + Timed) -> String {
    stream.patience();
    let mut text = vec![0; 4096];
    let length = stream.read(&mut text).unwrap_or(0);
    text.truncate(length);
    String::from_utf8_lossy(&text).into_owned()
}

trait Timed {
    fn patience(&self);
}

impl Timed for std::net::TcpStream {
    fn patience(&self) {
        self.set_nonblocking(false).unwrap();
        self.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    }
}

impl Timed for std::os::unix::net::UnixStream {
    fn patience(&self) {
        self.set_nonblocking(false).unwrap();
        self.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    }
}

/// What the host knows of one attempt that was made.
#[derive(Debug)]
pub(crate) struct Report {
    /// The attacker's process, in the host's numbering.
    pub(crate) pid: i32,
    /// Its own word.
    pub(crate) answer: Result<Vec<u8>, i32>,
    /// How the host saw it before.
    pub(crate) before: Seen,
    /// Whether a program that it was not to run said so.
    pub(crate) proof: bool,
    /// Whether a message came that was not from its sender.
    pub(crate) forged: bool,
}

/// What the host sees of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Its namespaces by kind.
    pub(crate) namespaces: Vec<(String, PathBuf)>,
    /// Its mounts.
    pub(crate) mounts: String,
    /// Its root.
    pub(crate) root: PathBuf,
    /// Its descriptors.
    pub(crate) descriptors: Vec<PathBuf>,
    /// Its status.
    pub(crate) status: String,
}

impl Seen {
    /// Looks now.
    pub(crate) fn of(pid: i32) -> Self {
        let of = |name: &str| format!("/proc/{pid}/{name}");
        let links = |name: &str| -> Vec<(String, PathBuf)> {
            fs::read_dir(of(name))
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    Some((name, fs::read_link(entry.path()).ok()?))
                })
                .collect()
        };
        Self {
            namespaces: links("ns"),
            mounts: fs::read_to_string(of("mountinfo")).unwrap_or_default(),
            root: fs::read_link(of("root")).unwrap_or_default(),
            descriptors: links("fd").into_iter().map(|(_, to)| to).collect(),
            status: fs::read_to_string(of("status")).unwrap_or_default(),
        }
    }

    /// The namespace of this kind.
    pub(crate) fn namespace(&self, kind: &str) -> Option<&PathBuf> {
        self.namespaces
            .iter()
            .find(|(name, _)| name == kind)
            .map(|(_, to)| to)
    }

    /// A line of the status.
    pub(crate) fn line(&self, key: &str) -> String {
        self.status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn count(&self, what: &str) -> usize {
        self.descriptors
            .iter()
            .filter(|to| to.to_string_lossy().contains(what))
            .count()
    }
}

impl Report {
    /// The attacker, now.
    pub(crate) fn now(&self) -> Seen {
        Seen::of(self.pid)
    }

    /// Whether it has a descriptor of this more than before.
    pub(crate) fn holds(&self, what: &str) -> bool {
        self.now().count(what) > self.before.count(what)
    }

    /// Whether it sent this to the host.
    pub(crate) fn got(&self, what: &str) -> bool {
        self.answer
            .as_ref()
            .is_ok_and(|bytes| String::from_utf8_lossy(bytes).contains(what))
    }

    /// Whether it is in another namespace of this kind than before, or has a child
    /// that is.
    pub(crate) fn moved(&self, kind: &str) -> bool {
        let before = self.before.namespace(kind);
        let moved = |seen: &Seen| seen.namespace(kind).is_some_and(|now| Some(now) != before);
        moved(&self.now()) || self.children().iter().any(|pid| moved(&Seen::of(*pid)))
    }

    /// Whether its mounts are others than before.
    pub(crate) fn remounted(&self) -> bool {
        self.now().mounts != self.before.mounts
    }

    fn children(&self) -> Vec<i32> {
        let parent = format!("PPid:\t{}\n", self.pid);
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let status = fs::read_to_string(entry.path().join("status")).ok()?;
                status.contains(&parent).then_some(pid)
            })
            .collect()
    }

    /// A file of the attacker's own in /proc.
    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid)).unwrap_or_default()
    }

    /// A path as the attacker sees it, reached by the host.
    pub(crate) fn in_root(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid))
    }
}
