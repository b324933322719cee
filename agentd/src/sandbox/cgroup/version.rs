//! What differs between the two versions of control groups.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{LeafLimits, Usage};
use crate::code;
use crate::sandbox::refusal::{At, Refusal};

/// Where the host has its hierarchies.
const HOST: &str = "/sys/fs/cgroup";
/// Length of a processor period, in microseconds: the kernel's own default.
const PERIOD: u64 = 100_000;
/// What version 2 calls the four controllers.
const CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "io"];

/// Which version is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// A hierarchy a controller.
    One,
    /// One hierarchy for all.
    Two,
}

impl Version {
    /// The host's: two if the hierarchy of all is the only one.
    pub(super) fn of_host() -> Self {
        if Path::new(HOST).join("cgroup.controllers").exists() {
            Self::Two
        } else {
            Self::One
        }
    }

    /// That of the groups in agentd's tree.
    pub(super) fn brought_along(groups: &Path) -> Self {
        let [unified] = UNIFIED;
        if groups.join(unified).is_dir() {
            Self::Two
        } else {
            Self::One
        }
    }

    /// The directories by name, in the order in which they are joined.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::One => &["memory", "pids", "cpu", "blkio"],
            Self::Two => &UNIFIED,
        }
    }

    /// Where agentd's group is made: every hierarchy, checked for its controller.
    pub(super) fn hierarchies(self) -> Result<Vec<PathBuf>, Refusal> {
        let lacking = |controller: &str, why: String| {
            let what = format!("the {controller} controller cannot be used");
            Refusal::new(&code::SANDBOX_CGROUP, what, why)
        };
        if self == Self::Two {
            let base = base()?;
            let offered = fs::read_to_string(base.join("cgroup.controllers"))
                .at(&code::SANDBOX_CGROUP, || {
                    format!("{} has no controllers", base.display())
                })?;
            for controller in CONTROLLERS {
                if !offered.split_whitespace().any(|one| one == controller) {
                    let why = format!("{} does not offer it", base.display());
                    return Err(lacking(controller, why));
                }
            }
            hand_down(&base)?;
            return Ok(vec![base]);
        }
        let mut all = Vec::new();
        for controller in self.names() {
            let hierarchy = Path::new(HOST).join(controller);
            if !hierarchy.join("cgroup.procs").exists() {
                let why = format!("no version 1 hierarchy at {}", hierarchy.display());
                return Err(lacking(controller, why));
            }
            all.push(hierarchy);
        }
        Ok(all)
    }

    /// What of agentd's group becomes agentd's own.
    pub(super) fn delegated(self) -> &'static [&'static str] {
        match self {
            Self::One => &[""],
            Self::Two => &[
                "",
                "cgroup.procs",
                "cgroup.threads",
                "cgroup.subtree_control",
            ],
        }
    }

    /// The directory, by its place in [`Version::names`], that has a file.
    pub(super) fn place(self, file: &str) -> Option<usize> {
        match self {
            Self::Two => Some(0),
            Self::One => {
                let controller = file.split('.').next()?;
                self.names().iter().position(|known| *known == controller)
            }
        }
    }

    /// The files to write, in order. `disks` is one `MAJOR:MINOR` a line.
    pub(super) fn limits(self, limits: LeafLimits, disks: &str) -> Vec<(&'static str, String)> {
        let quota = limits.cpu_percent.saturating_mul(PERIOD / 100);
        let (memory, io) = (limits.memory_bytes, limits.io_bytes);
        let mut all = match self {
            Self::One => vec![
                ("memory.limit_in_bytes", memory.to_string()),
                // Memory and swap together: no swap beyond the limit.
                ("memory.memsw.limit_in_bytes", memory.to_string()),
                ("pids.max", limits.pids.to_string()),
                ("cpu.cfs_quota_us", quota.to_string()),
            ],
            Self::Two => vec![
                ("memory.max", memory.to_string()),
                ("memory.swap.max", "0".to_owned()),
                ("pids.max", limits.pids.to_string()),
                ("cpu.max", format!("{quota} {PERIOD}")),
            ],
        };
        for disk in disks.lines() {
            match self {
                Self::One => {
                    let line = format!("{disk} {io}");
                    all.push(("blkio.throttle.read_bps_device", line.clone()));
                    all.push(("blkio.throttle.write_bps_device", line));
                }
                Self::Two => all.push(("io.max", format!("{disk} rbps={io} wbps={io}"))),
            }
        }
        all
    }

    /// What was used; `text` reads one of the leaf's files.
    pub(super) fn usage(self, text: impl Fn(&str) -> String) -> Usage {
        match self {
            Self::One => Usage {
                memory_peak: number(&text("memory.max_usage_in_bytes"), ""),
                memory_kills: number(&text("memory.oom_control"), "oom_kill "),
                pids_peak: number(&text("pids.peak"), ""),
                pids_refused: number(&text("pids.events"), "max "),
                disk_written: written(&text("blkio.throttle.io_service_bytes"), " Write "),
            },
            Self::Two => Usage {
                memory_peak: number(&text("memory.peak"), ""),
                memory_kills: number(&text("memory.events"), "oom_kill "),
                pids_peak: number(&text("pids.peak"), ""),
                pids_refused: number(&text("pids.events"), "max "),
                disk_written: written(&text("io.stat"), " wbytes="),
            },
        }
    }
}

/// The name of the one directory of version 2 in agentd's tree.
const UNIFIED: [&str; 1] = ["unified"];

/// Without swap, or without accounting for it, there is no such file and no need.
pub(super) fn is_swap(file: &str) -> bool {
    matches!(file, "memory.memsw.limit_in_bytes" | "memory.swap.max")
}

/// Below which agentd's group is made, in version 2: the parent of the group that
/// agentd was started in, if that is `supervisor` (a unit with `Delegate=yes` and
/// `DelegateSubgroup=supervisor`), else the root of the hierarchy.
fn base() -> Result<PathBuf, Refusal> {
    let own = fs::read_to_string("/proc/self/cgroup").at(&code::SANDBOX_CGROUP, || {
        "agentd's own group is not known".to_owned()
    })?;
    Ok(base_of(&own))
}

fn base_of(own: &str) -> PathBuf {
    let delegated = own
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .and_then(|path| path.strip_suffix("/supervisor"));
    Path::new(HOST).join(delegated.unwrap_or_default())
}

/// Lets the groups below `group` use the four controllers.
pub(super) fn hand_down(group: &Path) -> Result<(), Refusal> {
    let wanted: Vec<String> = CONTROLLERS.iter().map(|one| format!("+{one}")).collect();
    fs::write(group.join("cgroup.subtree_control"), wanted.join(" "))
        .at(&code::SANDBOX_CGROUP, || {
            format!("{} does not hand its controllers down", group.display())
        })
}

/// The block devices of `sys` that are disks: of some size, and none of those that
/// only repeat another's traffic or none.
pub(super) fn disks(sys: &Path) -> io::Result<String> {
    let mut all = String::new();
    for entry in fs::read_dir(sys)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let apart = ["loop", "ram", "zram", "fd", "sr"]
            .iter()
            .any(|kind| name.starts_with(kind));
        let read = |file| fs::read_to_string(entry.path().join(file));
        if !apart && read("size")?.trim() != "0" {
            let _infallible = writeln!(all, "{}", read("dev")?.trim());
        }
    }
    Ok(all)
}

fn number(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
        .unwrap_or(0)
}

/// The sum over all disks of the number after `key`.
fn written(text: &str, key: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(key))
        .filter_map(|(_, rest)| rest.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LeafLimits = LeafLimits {
        memory_bytes: 4096,
        pids: 7,
        cpu_percent: 150,
        io_bytes: 1000,
    };

    #[test]
    fn both_versions_limit_the_same_four() {
        let one = Version::One.limits(LIMITS, "8:0\n254:0\n");
        let two = Version::Two.limits(LIMITS, "8:0\n254:0\n");
        let value = |all: &[(&str, String)], name: &str| {
            let found = all.iter().find(|(file, _)| *file == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        assert_eq!(value(&one, "memory.limit_in_bytes"), "4096");
        assert_eq!(value(&one, "cpu.cfs_quota_us"), "150000");
        assert_eq!(value(&one, "blkio.throttle.write_bps_device"), "8:0 1000");
        assert_eq!(value(&two, "memory.max"), "4096");
        assert_eq!(value(&two, "memory.swap.max"), "0");
        assert_eq!(value(&two, "cpu.max"), "150000 100000");
        assert_eq!(value(&two, "io.max"), "8:0 rbps=1000 wbps=1000");
        assert_eq!((one.len(), two.len()), (8, 6));
        for (file, _) in one {
            assert!(Version::One.place(file).is_some(), "{file}");
        }
    }

    #[test]
    fn what_was_used_is_read_in_both_forms() {
        let one = |name: &str| {
            match name {
                "memory.max_usage_in_bytes" => "123\n",
                "memory.oom_control" => "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
                "pids.peak" => "9\n",
                "pids.events" => "max 4\n",
                "blkio.throttle.io_service_bytes" => {
                    "8:0 Read 1\n8:0 Write 20\n254:0 Write 300\nTotal 321\n"
                }
                _ => "",
            }
            .to_owned()
        };
        let two = |name: &str| {
            match name {
                "memory.peak" => "123\n",
                "memory.events" => "low 0\noom 3\noom_kill 2\n",
                "pids.peak" => "9\n",
                "pids.events" => "max 4\n",
                "io.stat" => "8:0 rbytes=1 wbytes=20 rios=1\n254:0 rbytes=0 wbytes=300\n",
                _ => "",
            }
            .to_owned()
        };
        let used = Usage {
            memory_peak: 123,
            memory_kills: 2,
            pids_peak: 9,
            pids_refused: 4,
            disk_written: 320,
        };
        assert_eq!(Version::One.usage(one), used);
        assert_eq!(Version::Two.usage(two), used);
        assert_eq!(Version::Two.usage(|_| String::new()), Usage::default());
    }

    #[test]
    fn disks_that_cannot_be_read_are_no_empty_list() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(disks(sys.path()).unwrap(), "");
        let disk = sys.path().join("sda");
        fs::create_dir(&disk).unwrap();
        assert!(disks(sys.path()).is_err(), "its size is not known");
        fs::write(disk.join("size"), "8\n").unwrap();
        assert!(disks(sys.path()).is_err(), "its number is not known");
        fs::write(disk.join("dev"), "8:0\n").unwrap();
        fs::create_dir(sys.path().join("loop0")).unwrap();
        assert_eq!(disks(sys.path()).unwrap(), "8:0\n");
        assert!(disks(&sys.path().join("none")).is_err());
    }

    #[test]
    fn a_delegated_unit_is_left_to_its_own_group() {
        let root = Path::new(HOST);
        assert_eq!(base_of("0::/init.scope\n"), root.join(""));
        assert_eq!(base_of("4:memory:/x\n0::/\n"), root.join(""));
        assert_eq!(
            base_of("0::/system.slice/agentd.service/supervisor\n"),
            root.join("system.slice/agentd.service")
        );
    }
}
