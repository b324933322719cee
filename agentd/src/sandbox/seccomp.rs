//! Seccomp: which system calls exist at all.
//!
//! Two filters. The *gate* is the same for all: a foreign architecture's or x32's
//! call kills the process; `clone3`, whose flags a filter cannot read, does not
//! exist; and nothing is watched by inotify. The *list* is the profile's: what
//! `seccomp.toml` names is allowed, all else is EPERM, and recorded. The list goes in
//! last, because it forbids adding filters; where both answer an errno the newer
//! filter's wins, so the list lets what the gate is to answer (`gate = true`) through.

use std::collections::BTreeSet;

use seccompiler::{BpfProgram, TargetArch, sock_filter};
use serde::Deserialize;
use serde_json::{Value, json};

use super::layer::Layer;
use super::refusal::{At, Refusal};
use super::sys;
use crate::code;

const DATA: &str = include_str!("seccomp.toml");
/// The set that a sandbox with a proxy gets besides its profile's.
pub(crate) const PROXIED: &str = "proxied";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSets {
    version: u32,
    set: Vec<RawSet>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSet {
    name: String,
    about: String,
    calls: Vec<RawCall>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCall {
    call: String,
    why: String,
    #[serde(default)]
    when: Vec<RawCondition>,
    /// Answered by the gate, whatever its arguments.
    #[serde(default)]
    gate: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    arg: u8,
    #[serde(default)]
    mask: Option<u32>,
    /// Compared in all its 64 bits.
    #[serde(default)]
    pointer: bool,
    is: u32,
}

impl RawCondition {
    /// In the compiler's own JSON form.
    fn json(&self) -> Value {
        let op = match self.mask {
            Some(mask) => json!({ "masked_eq": mask }),
            None => json!("eq"),
        };
        let width = if self.pointer { "qword" } else { "dword" };
        json!({ "index": self.arg, "type": width, "op": op, "val": self.is })
    }
}

/// A set of the data file, for a reader.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// Its name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) about: String,
    /// Each call and its reason; not those that the gate answers.
    pub(crate) calls: Vec<(String, String)>,
}

/// Every set there is.
pub(crate) fn sets() -> Result<Vec<Set>, Refusal> {
    let raw = read()?;
    Ok(raw
        .set
        .into_iter()
        .map(|set| Set {
            name: set.name,
            about: set.about,
            calls: set
                .calls
                .into_iter()
                .filter(|call| !call.gate)
                .map(|call| (call.call, call.why))
                .collect(),
        })
        .collect())
}

fn read() -> Result<RawSets, Refusal> {
    let failed = || "the system call filter could not be made".to_owned();
    let raw: RawSets = toml::from_str(DATA).at(&code::PROFILE_INVALID, failed)?;
    let bare = raw
        .set
        .iter()
        .flat_map(|set| &set.calls)
        .find(|call| call.why.is_empty());
    let why = match bare {
        Some(call) => format!("{} has no reason", call.call),
        None if raw.version != 1 => format!("version {} is not 1", raw.version),
        None => return Ok(raw),
    };
    Err(Refusal::new(&code::PROFILE_INVALID, failed(), why))
}

/// A filter, ready to be handed to the kernel; 8 bytes an instruction, as the
/// launcher receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(Vec<u8>);

impl Filter {
    /// The allow-list of `sets`, compiled.
    ///
    /// # Errors
    /// `profile.invalid` if a set is unknown, or the data file is not well-formed.
    pub(crate) fn compile(sets: &[String]) -> Result<Self, Refusal> {
        let failed = || "the system call filter could not be made".to_owned();
        let raw = read()?;
        let known: BTreeSet<&str> = raw.set.iter().map(|set| set.name.as_str()).collect();
        if let Some(unknown) = sets.iter().find(|name| !known.contains(name.as_str())) {
            let why = format!("there is no set {unknown}");
            return Err(Refusal::new(&code::PROFILE_INVALID, failed(), why));
        }
        let calls: Vec<&RawCall> = raw
            .set
            .iter()
            .filter(|set| sets.contains(&set.name))
            .flat_map(|set| &set.calls)
            .collect();
        let filter = json!({ "list": {
            "mismatch_action": { "errno": libc::EPERM },
            "match_action": "allow",
            "filter": rules(&calls),
        }});
        // The compiler resolves the names; one it does not know is an error.
        let program: BpfProgram =
            seccompiler::compile_from_json(filter.to_string().as_bytes(), TargetArch::x86_64)
                .at(&code::PROFILE_INVALID, failed)?
                .remove("list")
                .ok_or("it is empty")
                .at(&code::PROFILE_INVALID, failed)?;
        Ok(Self(program.iter().flat_map(instruction_bytes).collect()))
    }

    /// The bytes the launcher gets.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A filter as the launcher got it. It comes from agentd, which compiled it;
    /// the kernel checks that it is a program.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn program(&self) -> Option<BpfProgram> {
        let (instructions, rest) = self.0.as_chunks::<8>();
        rest.is_empty().then(|| {
            instructions
                .iter()
                .map(|&[c0, c1, jt, jf, k0, k1, k2, k3]| sock_filter {
                    code: u16::from_le_bytes([c0, c1]),
                    jt,
                    jf,
                    k: u32::from_le_bytes([k0, k1, k2, k3]),
                })
                .collect()
        })
    }
}

fn instruction_bytes(instruction: &sock_filter) -> [u8; 8] {
    let [c0, c1] = instruction.code.to_le_bytes();
    let [k0, k1, k2, k3] = instruction.k.to_le_bytes();
    [c0, c1, instruction.jt, instruction.jf, k0, k1, k2, k3]
}

/// One rule an entry; a call that some set allows whatever its arguments needs no
/// other rule.
fn rules(calls: &[&RawCall]) -> Vec<Value> {
    let unconditional: BTreeSet<&str> = calls
        .iter()
        .filter(|call| call.when.is_empty())
        .map(|call| call.call.as_str())
        .collect();
    let whole = unconditional.iter().map(|name| json!({ "syscall": name }));
    let partly = calls
        .iter()
        .filter(|call| !unconditional.contains(call.call.as_str()))
        .map(|call| {
            let args: Vec<Value> = call.when.iter().map(RawCondition::json).collect();
            json!({ "syscall": call.call, "args": args })
        });
    whole.chain(partly).collect()
}

/// The gate: see the module's text. Installed first.
fn gate() -> BpfProgram {
    // seccomp(2): struct seccomp_data is { int nr; u32 arch; ... }.
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const AUDIT_ARCH_X86_64: u32 = 0xC000_003E;
    const X32_BIT: u32 = 0x4000_0000;
    let number = |call: libc::c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let errno = |errno: i32| libc::SECCOMP_RET_ERRNO | errno.cast_unsigned();
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD, 0, 0, 4),
        step(EQUAL, 0, 6, AUDIT_ARCH_X86_64), // else kill
        step(LOAD, 0, 0, 0),
        step(AT_LEAST, 4, 0, X32_BIT),                      // kill
        step(EQUAL, 4, 0, number(libc::SYS_clone3)),        // does not exist
        step(EQUAL, 4, 0, number(libc::SYS_inotify_init)),  // refused
        step(EQUAL, 3, 0, number(libc::SYS_inotify_init1)), // refused
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(RETURN, 0, 0, errno(libc::ENOSYS)),
        step(RETURN, 0, 0, errno(libc::EPERM)),
    ]
}

/// Puts both filters on the calling thread, for good.
pub(crate) fn install(list: &Filter) -> Result<(), Refusal> {
    let failed = || "the system call filter could not be installed".to_owned();
    let list = list
        .program()
        .ok_or("it is not whole instructions")
        .at(&code::SANDBOX_SECCOMP, failed)?;
    if Layer::Gate.stands() {
        seccompiler::apply_filter(&gate()).at(&code::SANDBOX_SECCOMP, failed)?;
    }
    if Layer::Calls.stands() {
        // What it denies is what a reader explains. The gate's is not: programs ask for
        // that once and do without.
        sys::install_recorded_filter(&list).at(&code::SANDBOX_SECCOMP, failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the gate answers to a call of a table, by running it.
    fn answer(arch: u32, call: u32) -> u32 {
        let gate = gate();
        let (mut loaded, mut at) = (0, 0);
        loop {
            let one = &gate[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { one.jt } else { one.jf });
            match one.code {
                0x20 => loaded = if one.k == 4 { arch } else { call },
                0x15 => at += jump(loaded == one.k),
                0x35 => at += jump(loaded >= one.k),
                _ => return one.k,
            }
        }
    }

    #[test]
    fn the_gate_answers_what_the_sets_leave_to_it_and_nothing_else() {
        const X86_64: u32 = 0xC000_003E;
        let numbers = include_str!("../denial/calls.txt");
        let left: BTreeSet<String> = read()
            .unwrap()
            .set
            .into_iter()
            .flat_map(|set| set.calls)
            .filter(|call| call.gate)
            .map(|call| {
                assert!(call.when.is_empty(), "{} is answered whole", call.call);
                call.call
            })
            .collect();
        for line in numbers.lines() {
            let (number, name) = line.split_once(' ').unwrap();
            let expected = match (left.contains(name), name) {
                (false, _) => libc::SECCOMP_RET_ALLOW,
                (true, "clone3") => libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned(),
                (true, _) => libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned(),
            };
            let number = number.parse().unwrap();
            assert_eq!(answer(X86_64, number), expected, "{name}");
            let killed = libc::SECCOMP_RET_KILL_PROCESS;
            assert_eq!(answer(X86_64, number | 0x4000_0000), killed, "{name}");
            assert_eq!(answer(0x4000_0003, number), killed, "{name}");
        }
        assert!(left.contains("inotify_init1"));
        let offered = sets().unwrap().into_iter().flat_map(|set| set.calls);
        assert!(
            !offered
                .map(|(name, _)| name)
                .any(|name| left.contains(&name))
        );
    }
}
