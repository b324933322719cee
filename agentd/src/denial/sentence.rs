//! A fact becomes a sentence: what was denied, by which layer, and the line of a
//! profile that would allow it, if one may.

use std::path::Path;

use casemate_protocol::denial::Denial;

use super::fact::{Fact, What};
use crate::sandbox::profile::WORKSPACE;
use crate::sandbox::{Ending, How, Layer, Profile, Right, call_sets};

/// The machine's system calls, a number and a name a line.
const CALLS: &str = include_str!("calls.txt");

/// What a job's or a command's compartment was held to.
#[derive(Debug)]
pub struct Held<'p> {
    /// Its name.
    pub compartment: &'p str,
    /// Its profile.
    pub profile: &'p Profile,
}

/// The layer, what was wanted, why it was refused, and the rule.
type Words = (Layer, String, String, Option<String>);

impl Held<'_> {
    /// What a fact of this compartment says.
    pub fn explain(&self, fact: &Fact, count: u64) -> Denial {
        let words = match &fact.what {
            What::Path { path, rights } => self.path(path, rights),
            What::Port { port, listen } => self.port(*port, *listen),
            What::Border { right, name } => border(right, name),
            What::Call {
                number,
                foreign,
                killed,
            } => self.call(*number, *foreign, *killed),
            What::Errno {
                errno,
                number,
                path,
            } => self.errno(*errno, *number, path.as_deref()),
        };
        self.denial(&fact.program, words, count)
    }

    /// What the way it ended and what it used say.
    pub fn explain_end(&self, ending: &Ending) -> Vec<Denial> {
        let mut all = Vec::new();
        let leaf = &self.profile.leaf;
        if ending.pids_refused > 0 {
            let what = "start one more process or thread".to_owned();
            // A job's own limit may be lower than its profile's: the most that there were.
            let most = match ending.pids_peak {
                0 => leaf.pids,
                peak => peak,
            };
            let why = format!("the limit of {most} processes was reached");
            let words = (Layer::ControlGroup, what, why, self.limit("pids"));
            all.push((words, ending.pids_refused));
        }
        if ending.memory_kills > 0 {
            let what = "have more memory than its limit".to_owned();
            let why = format!(
                "which ended {} of its processes at the limit; the profile {} gives {} bytes",
                ending.memory_kills,
                self.profile.name(),
                leaf.memory_bytes
            );
            let words = (Layer::ControlGroup, what, why, self.limit("memory_bytes"));
            all.push((words, 1));
        }
        // 25: SIGXFSZ.
        if ending.how == How::Signalled(25) {
            let most = self.profile.rlimits.file_bytes;
            let what = "write a file beyond the largest size".to_owned();
            let why = format!("the profile {} gives {most} bytes", self.profile.name());
            let words = (Layer::Rlimits, what, why, self.limit("file_bytes"));
            all.push((words, 1));
        }
        all.into_iter()
            .map(|(words, count)| self.denial("", words, count))
            .collect()
    }

    fn denial(&self, program: &str, (layer, what, why, rule): Words, count: u64) -> Denial {
        Denial {
            compartment: self.compartment.to_owned(),
            program: program.to_owned(),
            layer: layer.name().to_owned(),
            what,
            why,
            rule,
            count,
        }
    }

    /// A line of the profile's file.
    fn line(&self, line: &str) -> Option<String> {
        Some(format!("{line} in the profile {}", self.profile.name()))
    }

    fn limit(&self, key: &str) -> Option<String> {
        self.line(&format!("a higher {key} below [limits]"))
    }

    fn path(&self, path: &str, rights: &[String]) -> Words {
        let has = |all: &[&str]| rights.iter().any(|right| all.contains(&right.as_str()));
        if has(&["fs.resolve_unix"]) {
            let why = format!("the profile {} names other sockets", self.profile.name());
            let rule = self.line(&format!("sockets = [..., {}]", quoted(path)));
            return (Layer::Landlock, format!("connect to {path}"), why, rule);
        }
        let (verb, right) = if has(&["fs.execute"]) {
            ("execute", Right::Execute)
        } else if has(&["fs.ioctl_dev"]) {
            ("control the device", Right::Device)
        } else if rights
            .iter()
            .all(|right| matches!(right.as_str(), "fs.read_file" | "fs.read_dir"))
        {
            ("read", Right::Read)
        } else {
            ("write", Right::Write)
        };
        let (why, rule) = self.file(path, right);
        (Layer::Landlock, format!("{verb} {path}"), why, rule)
    }

    /// Why a path may not be used so, and the line that would allow it.
    fn file(&self, path: &str, wanted: Right) -> (String, Option<String>) {
        let profile = self.profile;
        let name = profile.name();
        let below = |place: &str| Path::new(path).starts_with(place);
        let in_private = profile.private.keys().any(|place| below(place));
        let bind = profile.binds.iter().find(|(place, _)| below(place));
        let given = match bind
            .map(|(_, right)| *right)
            .or(in_private.then_some(Right::Write))
        {
            Some(right) => Some(right),
            None => of_pack(profile, path),
        };
        let why = match given {
            Some(right) => format!("the profile {name} gives {path} {}", words(right)),
            None => format!("the profile {name} gives nothing at {path}"),
        };
        let own = ["/proc", "/dev", "/sys"].iter().any(|place| below(place));
        let rule = match (wanted, bind) {
            (Right::Execute, Some(_)) | (Right::Write | Right::Device, None) => None,
            (Right::Execute, None) if in_private => None,
            _ if own && !in_private => None,
            // A profile names no path above all others.
            _ if path == "/" => None,
            (Right::Read | Right::Execute, None) => {
                let right = if wanted == Right::Read {
                    "read"
                } else {
                    "execute"
                };
                self.line(&format!("{} = \"{right}\" below [pack]", quoted(path)))
            }
            (Right::Write, Some((place, _))) => {
                self.line(&format!("{} = \"write\" below [binds]", quoted(place)))
            }
            _ => None,
        };
        (why, rule)
    }

    fn port(&self, port: u16, listen: bool) -> Words {
        let name = self.profile.name();
        if listen {
            let what = format!("listen at the TCP port {port}");
            let why = "nothing ever comes in from the network".to_owned();
            return (Layer::Landlock, what, why, None);
        }
        let what = format!("connect to the TCP port {port} itself");
        let why = format!("the profile {name} reaches the network by its proxy or not at all");
        let rule = self.line(&format!("egress = [\"HOST:{port}\"]"));
        (Layer::Landlock, what, why, rule)
    }

    fn call(&self, number: u32, foreign: bool, killed: bool) -> Words {
        let name = self.profile.name();
        if foreign {
            let what = "make a system call of another architecture".to_owned();
            let why = "which ended it: there is no such call in a sandbox".to_owned();
            return (Layer::Gate, what, why, None);
        }
        let call = call_name(number);
        let what = format!("make the system call {call}");
        let ended = if killed { "which ended it: " } else { "" };
        let sets: Vec<String> = call_sets()
            .unwrap_or_default()
            .into_iter()
            .filter(|set| set.calls.iter().any(|(known, _)| *known == call))
            .map(|set| set.name)
            .collect();
        if let Some(set) = sets.iter().find(|set| self.profile.calls.contains(*set)) {
            let why =
                format!("{ended}the set {set} of the profile {name} has it with other arguments");
            return (Layer::Calls, what, why, None);
        }
        let why = format!("{ended}no set of the profile {name} has it");
        let rule = sets
            .first()
            .and_then(|set| self.line(&format!("calls = [..., \"{set}\"]")));
        (Layer::Calls, what, why, rule)
    }

    fn errno(&self, errno: i32, number: u32, path: Option<&str>) -> Words {
        let name = self.profile.name();
        let at = path.map_or(String::new(), |path| format!(" {path}"));
        match errno {
            libc::EROFS => {
                let (why, rule) = match path {
                    Some(path) => self.file(path, Right::Write),
                    None => (
                        format!("what the profile {name} gives there is read-only"),
                        None,
                    ),
                };
                let what = format!("write{}", if at.is_empty() { " a file" } else { &at });
                let why = format!("what is mounted there is read-only: {why}");
                (Layer::MountFlags, what, why, rule)
            }
            libc::ENOSPC => {
                let (layer, rule) = self.fuller(path);
                let at = path.map_or(String::new(), |path| format!(" at {path}"));
                let what = format!("write more{at} ({})", call_name(number));
                (
                    layer,
                    what,
                    "what is mounted there is full".to_owned(),
                    rule,
                )
            }
            libc::EACCES => {
                let what = format!("execute{}", if at.is_empty() { " a file" } else { &at });
                let why = "nothing is executed from what is mounted there".to_owned();
                (Layer::MountFlags, what, why, None)
            }
            libc::EMFILE => {
                let most = self.profile.rlimits.open_files;
                let what = format!("open{at} beside {most} open files");
                let why = format!("the profile {name} gives {most} to a process");
                (Layer::Rlimits, what, why, self.limit("open_files"))
            }
            _ => {
                let what = format!("make the system call {}{at}", call_name(number));
                (Layer::Root, what, format!("with error {errno}"), None)
            }
        }
    }

    /// Which limit a full file system stands for; a write names no path.
    fn fuller(&self, path: Option<&str>) -> (Layer, Option<String>) {
        let below = |place: &str| path.is_some_and(|path| Path::new(path).starts_with(place));
        if let Some(place) = self.profile.private.keys().find(|place| below(place)) {
            let line = format!(
                "higher bytes or inodes of {} below [private]",
                quoted(place)
            );
            return (Layer::Sizes, self.line(&line));
        }
        if below(WORKSPACE) {
            return (
                Layer::Workspace,
                self.limit("workspace_bytes or workspace_inodes"),
            );
        }
        let line = "a higher workspace_bytes below [limits], or bytes below [private],";
        (Layer::Sizes, self.line(line))
    }
}

fn border(right: &str, name: &str) -> Words {
    let what = match right {
        "scope.signal" => format!("send a signal to the process {name}"),
        "scope.abstract_unix_socket" => format!("connect to the abstract socket {name}"),
        "ptrace" => format!("look into the process {name}"),
        "fs.change_topology" => format!("change what is mounted ({name})"),
        other => format!("use {other} on {name}"),
    };
    let layer = match right {
        "scope.signal" | "scope.abstract_unix_socket" => Layer::Scopes,
        _ => Layer::Landlock,
    };
    (
        layer,
        what,
        "it lies beyond the sandbox's border".to_owned(),
        None,
    )
}

/// What the pack's longest entry at or above a path gives.
fn of_pack(profile: &Profile, path: &str) -> Option<Right> {
    profile
        .pack
        .iter()
        .filter(|(place, _)| Path::new(path).starts_with(place))
        .max_by_key(|(place, _)| place.len())
        .map(|(_, right)| *right)
}

fn words(right: Right) -> &'static str {
    match right {
        Right::Read => "read only",
        Right::Execute => "read and execute",
        Right::Write => "read and write, not execute",
        Right::Device => "as a device",
        Right::Socket => "to connect to",
    }
}

/// A TOML string.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('"', "\\\""))
}

fn call_name(number: u32) -> String {
    CALLS
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find_map(|(known, name)| (known.parse() == Ok(number)).then(|| name.to_owned()))
        .unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(profile: &str, what: What) -> String {
        let held = Held {
            compartment: profile,
            profile: Profile::shipped(profile).unwrap(),
        };
        let fact = Fact {
            program: "evince".into(),
            what,
        };
        held.explain(&fact, 1).sentence()
    }

    fn path(path: &str, rights: &[&str]) -> What {
        What::Path {
            path: path.into(),
            rights: rights.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of facts and sentences")]
    fn each_layers_fact_is_a_sentence_with_path_layer_and_rule() {
        let errno = |errno, number, path: &str| What::Errno {
            errno,
            number,
            path: Some(path.to_owned()),
        };
        let call = |number| What::Call {
            number,
            foreign: false,
            killed: false,
        };
        for (profile, what, parts) in [
            (
                "desktop",
                path("/opt/x", &["fs.read_file"]),
                [
                    "evince (desktop) wanted to read /opt/x: refused by the layer landlock",
                    "gives nothing at /opt/x",
                    "To allow it: \"/opt/x\" = \"read\" below [pack] in the profile desktop.",
                ],
            ),
            (
                "desktop",
                path("/etc/x", &["fs.execute"]),
                [
                    "execute /etc/x: refused by the layer landlock",
                    "gives /etc/x read only",
                    "\"/etc/x\" = \"execute\" below [pack]",
                ],
            ),
            (
                "desktop",
                path("/workspace/x", &["fs.execute"]),
                [
                    "execute /workspace/x",
                    "not execute",
                    "No rule can allow it.",
                ],
            ),
            (
                "strict",
                path("/workspace/x", &["fs.write_file", "fs.truncate"]),
                [
                    "write /workspace/x: refused by the layer landlock",
                    "gives /workspace/x read only",
                    "\"/workspace\" = \"write\" below [binds] in the profile strict",
                ],
            ),
            (
                "desktop",
                errno(libc::EROFS, 257, "/etc/hosts"),
                [
                    "write /etc/hosts: refused by the layer mount-flags",
                    "the profile desktop gives /etc/hosts read only",
                    "No rule can allow it.",
                ],
            ),
            (
                "desktop",
                errno(libc::ENOSPC, 257, "/tmp/x"),
                [
                    "write more at /tmp/x (openat): refused by the layer sizes",
                    "full",
                    "higher bytes or inodes of \"/tmp\" below [private]",
                ],
            ),
            (
                "desktop",
                errno(libc::ENOSPC, 257, "/workspace/x"),
                [
                    "layer workspace",
                    "full",
                    "workspace_bytes or workspace_inodes",
                ],
            ),
            (
                "desktop",
                errno(libc::EMFILE, 257, "/etc/x"),
                [
                    "layer rlimits",
                    "1024",
                    "a higher open_files below [limits]",
                ],
            ),
            (
                "script",
                call(41),
                [
                    "make the system call socket: refused by the layer calls",
                    "no set of the profile script",
                    "calls = [..., \"unix-client\"] in the profile script",
                ],
            ),
            (
                "script",
                call(321),
                [
                    "make the system call bpf",
                    "no set",
                    "No rule can allow it.",
                ],
            ),
            (
                "browser",
                What::Port {
                    port: 443,
                    listen: false,
                },
                ["TCP port 443 itself", "proxy", "egress = [\"HOST:443\"]"],
            ),
            (
                "desktop",
                What::Border {
                    right: "scope.signal".into(),
                    name: "agentd".into(),
                },
                [
                    "signal to the process agentd",
                    "layer scopes",
                    "No rule can allow it.",
                ],
            ),
        ] {
            let text = sentence(profile, what);
            for part in parts {
                assert!(text.contains(part), "{part} is not in: {text}");
            }
        }
    }
}
