//! Records become facts: what belongs to one event is put together, what belongs to
//! a process of someone else is left out.
//!
//! Which sandbox a denial belongs to is decided by numbers that the kernel writes:
//! the user of the process that made the Landlock domain, else the user of the
//! process whose call it was. Every sandbox has a user of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::auditing::ERRNOS;
use super::fact::{Fact, What, printable};
use super::record::{Body, Call, Object, Record};

/// Events of which not everything has come yet.
const OPEN: usize = 64;
/// Domains remembered; a sandbox has three.
const DOMAINS: usize = 4096;
/// Numbers of events that are waited for.
const MISSING: usize = 4096;
const MISSING_AT_ONCE: u64 = 4096;
/// Records kept of one event.
const PARTS: usize = 16;
/// AUDIT_ARCH_X86_64: the one architecture of a sandbox's programs.
const ARCH: u32 = 0xC000_003E;
/// AT_FDCWD, as a call's argument of 64 or 32 bits.
const HERE: [u64; 2] = [0xffff_ffff_ffff_ff9c, 0xffff_ff9c];
/// Calls whose first argument is a directory that their path starts from: openat,
/// mkdirat, mknodat, unlinkat, renameat, linkat, symlinkat, openat2.
const FROM_DIRECTORY: [u32; 8] = [257, 258, 259, 263, 264, 265, 266, 437];

/// Something for agentd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// One denial.
    Fact(u32, Fact),
    /// Denials that were counted by the kernel and not seen.
    Unseen(u32, u64),
    /// The reader's own mark came by.
    Mark,
}

/// The records so far.
#[derive(Debug)]
pub(super) struct Stream {
    /// First user of the range, and how many.
    base: u32,
    count: u32,
    /// The reader, and the call that it marks the stream with.
    mark: (u32, u32),
    open: BTreeMap<u64, Event>,
    domains: BTreeMap<u64, Domain>,
    /// The highest number of an event so far.
    newest: u64,
    /// Numbers below it that have not come.
    missing: BTreeSet<u64>,
    /// How many more.
    lost: u64,
}

#[derive(Debug)]
struct Domain {
    uid: u32,
    seen: u64,
}

#[derive(Debug, Default)]
struct Event {
    refused: Vec<(u64, Vec<String>, Object)>,
    call: Option<Call>,
    directory: Vec<u8>,
    paths: Vec<(Vec<u8>, bool)>,
}

impl Stream {
    pub(super) fn new(base: u32, count: u32, mark: (u32, u32)) -> Self {
        Self {
            base,
            count,
            mark,
            open: BTreeMap::new(),
            domains: BTreeMap::new(),
            newest: 0,
            missing: BTreeSet::new(),
            lost: 0,
        }
    }

    /// Takes the next record.
    pub(super) fn take(&mut self, record: Record) -> Vec<Told> {
        self.number(record.serial);
        self.sort(record)
    }

    /// Forgets all that came so far, but for the number that the next one has.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.domains.clear();
        self.missing.clear();
        self.lost = 0;
    }

    /// The kernel numbers events without a gap; they may come a little out of order.
    fn number(&mut self, serial: u64) {
        if serial <= self.newest {
            self.missing.remove(&serial);
            return;
        }
        let first = self.newest.saturating_add(1);
        if self.newest > 0 {
            let gap = serial.saturating_sub(first);
            if self.missing.len() < MISSING && gap < MISSING_AT_ONCE {
                self.missing.extend(first..serial);
            } else {
                self.lost = self.lost.saturating_add(gap);
            }
        }
        self.newest = serial;
    }

    /// Events that were lost since this was last asked.
    pub(super) fn lost(&mut self) -> u64 {
        let missing = std::mem::take(&mut self.missing).len();
        let missing = u64::try_from(missing).unwrap_or(u64::MAX);
        std::mem::take(&mut self.lost).saturating_add(missing)
    }

    fn sort(&mut self, record: Record) -> Vec<Told> {
        match record.body {
            Body::Refused {
                domain,
                blockers,
                object,
            } => {
                let event = self.event(record.serial);
                if event.refused.len() < PARTS {
                    event.refused.push((domain, blockers, object));
                }
            }
            Body::Domain { domain, uid } => self.begin(domain, uid),
            Body::DomainGone { domain, denials } => {
                // What was refused before is still open only if its end was lost.
                let told = self.close();
                return told.into_iter().chain(self.gone(domain, denials)).collect();
            }
            Body::Call(call) => self.event(record.serial).call = Some(call),
            Body::Directory(directory) => self.event(record.serial).directory = directory,
            Body::Path { name, parent } => {
                let event = self.event(record.serial);
                if let Some(name) = name
                    && event.paths.len() < PARTS
                {
                    event.paths.push((name, parent));
                }
            }
            Body::Filtered {
                pid,
                uid,
                program,
                arch,
                call,
                signal,
            } => {
                if (pid, call) == self.mark && signal == 0 {
                    let mut told = self.close();
                    told.push(Told::Mark);
                    return told;
                }
                let what = What::Call {
                    number: call,
                    foreign: arch != ARCH || call & 0x4000_0000 != 0,
                    killed: signal != 0,
                };
                return self.fact(uid, &program, what).into_iter().collect();
            }
            Body::End => return self.finish(record.serial),
            Body::Other => {}
        }
        if self.open.len() > OPEN {
            let oldest = self.open.keys().next().copied();
            return oldest.map(|serial| self.finish(serial)).unwrap_or_default();
        }
        Vec::new()
    }

    /// A domain that appeared, if it is of one of ours.
    fn begin(&mut self, domain: u64, uid: u32) {
        if let Some(uid) = self.ours(uid)
            && self.domains.len() < DOMAINS
        {
            self.domains
                .entry(domain)
                .or_insert(Domain { uid, seen: 0 });
        }
    }

    fn event(&mut self, serial: u64) -> &mut Event {
        self.open.entry(serial).or_default()
    }

    /// Our number of a user of the host, if it is one of the range.
    fn ours(&self, uid: u32) -> Option<u32> {
        uid.checked_sub(self.base).filter(|uid| *uid < self.count)
    }

    fn fact(&self, uid: u32, program: &[u8], what: What) -> Option<Told> {
        let program = printable(program);
        Some(Told::Fact(self.ours(uid)?, Fact { program, what }))
    }

    fn gone(&mut self, domain: u64, denials: u64) -> Option<Told> {
        let domain = self.domains.remove(&domain)?;
        let unseen = denials.saturating_sub(domain.seen);
        (unseen > 0).then_some(Told::Unseen(domain.uid, unseen))
    }

    /// Everything that is open, as far as it came.
    fn close(&mut self) -> Vec<Told> {
        let serials: Vec<u64> = self.open.keys().copied().collect();
        serials
            .into_iter()
            .flat_map(|serial| self.finish(serial))
            .collect()
    }

    fn finish(&mut self, serial: u64) -> Vec<Told> {
        let Some(event) = self.open.remove(&serial) else {
            return Vec::new();
        };
        let mut told = Vec::new();
        let program = event.call.as_ref().map(|call| printable(&call.program));
        let caller = event.call.as_ref().and_then(|call| self.ours(call.uid));
        let explained = !event.refused.is_empty();
        for (number, blockers, object) in event.refused {
            let by_domain = self.domains.get_mut(&number).map(|domain| {
                domain.seen = domain.seen.saturating_add(1);
                domain.uid
            });
            if let Some(uid) = by_domain.or(caller) {
                let program = program.clone().unwrap_or_default();
                let what = landlock(blockers, object);
                told.push(Told::Fact(uid, Fact { program, what }));
            }
        }
        if let Some(call) = event.call.filter(|call| !explained && call.exit < 0)
            && let Ok(errno) = i32::try_from(call.exit.saturating_neg())
            // Others' rules may record our users' calls as well.
            && ERRNOS.iter().any(|known| known.errno == errno)
        {
            let what = What::Errno {
                errno,
                number: call.call,
                path: place(&call, &event.directory, &event.paths),
            };
            told.extend(self.fact(call.uid, &call.program, what));
        }
        told
    }
}

fn landlock(mut rights: Vec<String>, object: Object) -> What {
    let first = rights.first().cloned().unwrap_or_default();
    match object {
        Object::Port(port) => What::Port {
            port,
            listen: first == "net.bind_tcp",
        },
        Object::Path(path) if first.starts_with("fs.") => {
            rights.sort();
            What::Path {
                path: printable(&path),
                rights,
            }
        }
        Object::Path(name) | Object::Process(name) => What::Border {
            right: first,
            // An abstract name begins with a zero byte.
            name: printable(name.strip_prefix(b"\0").unwrap_or(&name)),
        },
        Object::Unsaid => What::Border {
            right: first,
            name: String::new(),
        },
    }
}

/// What the call was about, absolute if that can be told: of several paths the last
/// that is not a directory above; else that directory and `/*`.
fn place(call: &Call, directory: &[u8], paths: &[(Vec<u8>, bool)]) -> Option<String> {
    let (name, parent) = paths
        .iter()
        .rev()
        .find(|(_, parent)| !parent)
        .or(paths.last())?;
    let mut path = Vec::new();
    let here = !FROM_DIRECTORY.contains(&call.call) || HERE.contains(&call.first);
    if !name.starts_with(b"/") && here && directory.starts_with(b"/") {
        path.extend_from_slice(directory);
        if !directory.ends_with(b"/") {
            path.push(b'/');
        }
    }
    path.extend_from_slice(name.strip_prefix(b"./").unwrap_or(name));
    if *parent {
        let bare = path.strip_suffix(b"/").unwrap_or(&path).to_vec();
        path = [bare.as_slice(), b"/*"].concat();
    }
    Some(printable(&path))
}

#[cfg(test)]
mod tests {
    use super::super::record;
    use super::*;

    const BASE: u32 = 600_000_000;

    fn stream() -> Stream {
        Stream::new(BASE, 2048, (77, 110))
    }

    fn take(stream: &mut Stream, kind: u16, serial: u64, rest: &str) -> Vec<Told> {
        let text = format!("audit(1.000:{serial}): {rest}");
        let record = Record::parse(kind, text.as_bytes()).unwrap();
        stream.take(record)
    }

    fn call(uid: u32, number: u32, exit: i64) -> String {
        format!(
            "arch=c000003e syscall={number} success=no exit={exit} a0=ffffffffffffff9c a1=0 \
             a2=241 a3=1b6 items=2 ppid=1 pid=2 auid=4294967295 uid={uid} gid={uid} euid={uid} \
             tty=(none) ses=4294967295 comm=\"sh\" exe=\"/usr/bin/dash\" key=(null)"
        )
    }

    #[test]
    fn a_refusal_is_the_domains_and_of_no_other() {
        let mut stream = stream();
        for (domain, uid, serial) in [(1, BASE + 1000, 1), (2, BASE - 1, 2), (3, BASE + 2048, 3)] {
            let refused = format!("domain={domain} blockers=fs.read_file path=\"/opt/x\"");
            assert_eq!(
                take(&mut stream, record::LANDLOCK_ACCESS, serial, &refused),
                []
            );
            let made = format!("domain={domain} status=allocated pid=5 uid={uid} comm=\"agentd\"");
            assert_eq!(
                take(&mut stream, record::LANDLOCK_DOMAIN, serial, &made),
                []
            );
            // The caller's own user says nothing else than the domain's.
            assert_eq!(
                take(&mut stream, record::SYSCALL, serial, &call(uid, 257, -13)),
                []
            );
            let told = take(&mut stream, record::END, serial, "");
            let expected = Fact {
                program: "sh".into(),
                what: What::Path {
                    path: "/opt/x".into(),
                    rights: vec!["fs.read_file".into()],
                },
            };
            let ours = (domain == 1).then_some(Told::Fact(1000, expected));
            assert_eq!(told, ours.into_iter().collect::<Vec<_>>(), "{domain}");
        }
        let gone = |stream: &mut Stream, domain, count| {
            let text = format!("domain={domain} status=deallocated denials={count}");
            take(stream, record::LANDLOCK_DOMAIN, 9, &text)
        };
        assert_eq!(gone(&mut stream, 1, 5), [Told::Unseen(1000, 4)]);
        assert_eq!(gone(&mut stream, 1, 5), []);
        assert_eq!(gone(&mut stream, 2, 5), []);
    }

    #[test]
    fn an_error_names_the_path_as_far_as_it_can_be_told() {
        let told = |number: u32, directory: &str, paths: &[(&str, &str)]| {
            let mut stream = stream();
            take(
                &mut stream,
                record::SYSCALL,
                1,
                &call(BASE + 7, number, -30),
            );
            take(&mut stream, record::CWD, 1, &format!("cwd=\"{directory}\""));
            for (item, (name, kind)) in paths.iter().enumerate() {
                let text = format!("item={item} name={name} inode=5 nametype={kind}");
                take(&mut stream, record::PATH, 1, &text);
            }
            match take(&mut stream, record::END, 1, "").as_slice() {
                [
                    Told::Fact(
                        7,
                        Fact {
                            what:
                                What::Errno {
                                    errno: 30, path, ..
                                },
                            ..
                        },
                    ),
                ] => path.clone().unwrap_or_default(),
                other => panic!("{other:?}"),
            }
        };
        let hosts = [("\"/etc/\"", "PARENT"), ("\"/etc/hosts\"", "NORMAL")];
        assert_eq!(told(257, "/workspace", &hosts), "/etc/hosts");
        assert_eq!(told(257, "/etc", &[("\"/etc\"", "PARENT")]), "/etc/*");
        assert_eq!(told(2, "/etc", &[("\"x\"", "NORMAL")]), "/etc/x");
        assert_eq!(told(257, "/", &[("\"./x\"", "CREATE")]), "/x");
        assert_eq!(told(257, "/etc", &[("612062", "NORMAL")]), "/etc/a b");
        assert_eq!(told(257, "/etc", &[("610A62", "NORMAL")]), "/etc/a\\nb");
        assert_eq!(told(257, "/etc", &[("(null)", "NORMAL")]), "");
    }

    #[test]
    fn a_filtered_call_is_told_at_once_and_a_mark_is_the_readers_own() {
        let mut stream = stream();
        let text = |pid: u32, uid: u32, number: u32| {
            format!(
                "auid=4294967295 uid={uid} gid=1 ses=4294967295 pid={pid} comm=\"x\" \
                 exe=\"/usr/bin/x\" sig=0 arch=c000003e syscall={number} compat=0 \
                 ip=0x7f8e0fd0 code=0x50001"
            )
        };
        let told = take(&mut stream, record::SECCOMP, 1, &text(5, BASE + 3, 41));
        assert!(matches!(
            told.as_slice(),
            [Told::Fact(
                3,
                Fact {
                    what: What::Call {
                        number: 41,
                        foreign: false,
                        killed: false
                    },
                    ..
                }
            )]
        ));
        // Another process cannot make a mark, whatever it calls.
        let told = take(&mut stream, record::SECCOMP, 2, &text(78, BASE + 3, 110));
        assert!(matches!(told.as_slice(), [Told::Fact(..)]));
        let told = take(&mut stream, record::SECCOMP, 3, &text(77, BASE - 1, 110));
        assert_eq!(told, [Told::Mark]);
        assert_eq!(take(&mut stream, record::SECCOMP, 4, &text(5, 0, 41)), []);
    }

    #[test]
    fn a_mark_comes_after_all_that_was_before_it() {
        let mut stream = stream();
        let made = format!("domain=1 status=allocated pid=5 uid={}", BASE + 9);
        take(&mut stream, record::LANDLOCK_DOMAIN, 1, &made);
        let refused = "domain=1 blockers=fs.execute path=\"/opt/x\"";
        take(&mut stream, record::LANDLOCK_ACCESS, 2, refused);
        let mark = "uid=0 pid=77 comm=\"r\" sig=0 arch=c000003e syscall=110 code=0x7ffc0000";
        let told = take(&mut stream, record::SECCOMP, 3, mark);
        assert!(
            matches!(told.as_slice(), [Told::Fact(9, _), Told::Mark]),
            "{told:?}"
        );
    }

    #[test]
    fn a_gap_is_counted_and_events_without_an_end_do_not_pile_up() {
        let mut stream = stream();
        let record = |serial| Record {
            serial,
            body: Body::Directory(Vec::new()),
        };
        for serial in [10, 15, 12] {
            stream.take(record(serial));
        }
        assert_eq!(stream.lost(), 3);
        assert_eq!(stream.lost(), 0);
        stream.take(record(1_000_015));
        assert_eq!(stream.lost(), 999_999);
        for serial in 2_000_000..2_010_000 {
            stream.take(record(serial));
        }
        assert!(stream.open.len() <= OPEN + 1);
    }
}
