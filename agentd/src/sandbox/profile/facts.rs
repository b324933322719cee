//! A profile in plain words: one fact a line, from which explanations, comparisons
//! and JSON are all made.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Egress, Profile, Sockets};
use crate::sandbox::landlock::Right;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::seccomp;

/// One thing that a profile allows or limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What kind of thing, the same words in every profile.
    pub group: &'static str,
    /// Which one, such as a path.
    pub subject: String,
    /// What holds for it.
    pub says: String,
}

/// A fact that two profiles do not share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// See [`Fact::group`].
    pub group: &'static str,
    /// See [`Fact::subject`].
    pub subject: String,
    /// What the first says; `None` if nothing.
    pub first: Option<String>,
    /// What the second says; `None` if nothing.
    pub second: Option<String>,
}

const PACK: &str = "Files of the pack";
const PRIVATE: &str = "File systems of its own, empty at the start";
const BINDS: &str = "What agentd may mount in";
const LIMITS: &str = "Limits";
const SURFACE: &str = "Kernel";
const CALLS: &str = "System calls, by set";
const NETWORK: &str = "Network";

impl Profile {
    /// All facts, in the order in which they are explained.
    ///
    /// # Errors
    /// [`Refusal`] if the data file of system calls is not well-formed.
    pub fn facts(&self) -> Result<Vec<Fact>, Refusal> {
        let mut facts = Vec::new();
        let mut say = |group, subject: &str, says: String| {
            facts.push(Fact {
                group,
                subject: subject.to_owned(),
                says,
            });
        };
        for (path, right) in &self.pack {
            say(PACK, path, words(*right).to_owned());
        }
        for (path, fs) in &self.private {
            let says = format!("{} in {} files", bytes(fs.bytes), fs.inodes);
            say(PRIVATE, path, says);
        }
        for (path, right) in &self.binds {
            say(BINDS, path, words(*right).to_owned());
        }
        for (subject, says) in self.limits() {
            say(LIMITS, subject, says);
        }
        for set in seccomp::sets()? {
            if self.calls.contains(&set.name) {
                let says = format!("{} ({} rules)", set.about, set.calls.len());
                say(CALLS, &set.name, says);
            }
        }
        say(SURFACE, "unix sockets", self.socket_words());
        let below = if self.user_namespaces {
            "may be made: the program keeps a sandbox of its own"
        } else {
            "cannot be made"
        };
        say(SURFACE, "user namespaces", below.to_owned());
        say(SURFACE, "Landlock", format!("ABI {} or later", self.abi));
        match &self.egress {
            Egress::None => say(NETWORK, "hosts", "none: there is no network".to_owned()),
            Egress::Site => {
                let says = "what the site grants and the job names, through the proxy";
                say(NETWORK, "hosts", says.to_owned());
            }
            Egress::Listed(all) => {
                for endpoint in all {
                    let says = "if the site grants it and the job names it, through the proxy";
                    say(NETWORK, &endpoint.to_string(), says.to_owned());
                }
            }
        }
        Ok(facts)
    }

    fn limits(&self) -> Vec<(&'static str, String)> {
        let (leaf, rlimits) = (&self.leaf, &self.rlimits);
        let mut limits = vec![
            ("memory", format!("{} in all", bytes(leaf.memory_bytes))),
            ("processes", format!("{} with their threads", leaf.pids)),
            ("processor", format!("{} percent of one", leaf.cpu_percent)),
            (
                "disk",
                format!("{} a second, each way", bytes(leaf.io_bytes)),
            ),
            (
                "open files",
                format!("{} of each process", rlimits.open_files),
            ),
            (
                "largest file",
                match rlimits.file_bytes {
                    0 => "nothing can be written to a file".to_owned(),
                    most => bytes(most),
                },
            ),
            (
                "address space",
                format!("{} of each process", bytes(rlimits.address_space)),
            ),
        ];
        if let Some(workspace) = self.workspace {
            let says = format!("{} in {} files", bytes(workspace.bytes), workspace.inodes);
            limits.push(("workspace", says));
        }
        limits
    }

    fn socket_words(&self) -> String {
        match &self.sockets {
            Sockets::None => "none can be made".to_owned(),
            Sockets::Mounted => "those that are mounted can be connected to".to_owned(),
            Sockets::Listed(paths) if paths.is_empty() => "none can be connected to".to_owned(),
            Sockets::Listed(paths) => {
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                format!("only those at {}", paths.join(", "))
            }
        }
    }

    /// Each allowed call with its reason, by set.
    ///
    /// # Errors
    /// See [`Profile::facts`].
    pub fn call_reasons(&self) -> Result<Vec<Fact>, Refusal> {
        let mut all = Vec::new();
        for set in seccomp::sets()? {
            if self.calls.contains(&set.name) {
                all.extend(set.calls.into_iter().map(|(call, why)| Fact {
                    group: CALLS,
                    subject: call,
                    says: why,
                }));
            }
        }
        Ok(all)
    }

    /// What this profile and `other` do not share.
    ///
    /// # Errors
    /// See [`Profile::facts`].
    pub fn differences(&self, other: &Self) -> Result<Vec<Difference>, Refusal> {
        let (first, second) = (self.facts()?, other.facts()?);
        let says = |facts: &[Fact]| -> BTreeMap<(&'static str, String), String> {
            facts
                .iter()
                .map(|fact| ((fact.group, fact.subject.clone()), fact.says.clone()))
                .collect()
        };
        let (a, b) = (says(&first), says(&second));
        let mut differences: Vec<Difference> = Vec::new();
        for fact in first.iter().chain(&second) {
            let key = (fact.group, fact.subject.clone());
            let (one, two) = (a.get(&key), b.get(&key));
            let known = differences
                .iter()
                .any(|known| known.group == fact.group && known.subject == fact.subject);
            if one != two && !known {
                differences.push(Difference {
                    group: fact.group,
                    subject: fact.subject.clone(),
                    first: one.cloned(),
                    second: two.cloned(),
                });
            }
        }
        // Groups together, in the order of an explanation.
        let order = [PACK, PRIVATE, BINDS, LIMITS, CALLS, SURFACE, NETWORK];
        differences.sort_by_key(|one| order.iter().position(|group| *group == one.group));
        Ok(differences)
    }
}

fn words(right: Right) -> &'static str {
    match right {
        Right::Read => "read",
        Right::Execute => "read and execute",
        Right::Write => "read and write, not execute",
        Right::Device => "read and write a device",
        Right::Socket => "connect",
    }
}

/// A size as a person reads it, exact or not at all rounded.
fn bytes(count: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let whole = count >> shift;
        if whole > 0 && whole << shift == count {
            return format!("{whole} {unit}");
        }
    }
    format!("{count} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_differs_from_itself_in_nothing_and_from_others_in_what_it_says() {
        let profile = |name| Profile::shipped(name).unwrap();
        for name in Profile::names() {
            assert_eq!(profile(name).differences(profile(name)).unwrap(), []);
        }
        let differences = profile("desktop").differences(profile("browser")).unwrap();
        let nested = differences
            .iter()
            .find(|one| one.subject == "user namespaces")
            .unwrap();
        assert_eq!(nested.first.as_deref(), Some("cannot be made"));
        assert!(
            differences
                .iter()
                .any(|one| one.subject == "browser" && one.first.is_none())
        );
        assert!(differences.iter().all(|one| one.first != one.second));
    }

    #[test]
    fn sizes_are_said_exactly() {
        assert_eq!(bytes(1 << 30), "1 GiB");
        assert_eq!(bytes(1_610_612_736), "1536 MiB");
        assert_eq!(bytes((1 << 20) + 1), "1048577 bytes");
        assert_eq!(bytes(0), "0 bytes");
    }
}
