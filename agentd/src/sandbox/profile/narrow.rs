//! A job may only narrow: what two profiles both grant, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Egress, Endpoint, PrivateFs, Profile, Sockets, WorkspaceLimit};
use crate::sandbox::cgroup::LeafLimits;
use crate::sandbox::landlock::Right;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::rlimits::Rlimits;
use crate::sandbox::seccomp::Filter;

impl Profile {
    /// This profile, less what `other` does not grant as well. It keeps its name.
    ///
    /// # Errors
    /// `profile.invalid` if nothing could be started under what is left.
    pub fn narrowed_by(&self, other: &Self) -> Result<Self, Refusal> {
        let calls: Vec<String> = self.calls.intersection(&other.calls).cloned().collect();
        let least = |a: u64, b: u64| a.min(b);
        Ok(Self {
            name: self.name.clone(),
            about: self.about.clone(),
            abi: self.abi.max(other.abi),
            filter: Filter::compile(&calls)?,
            calls: calls.into_iter().collect(),
            user_namespaces: self.user_namespaces && other.user_namespaces,
            sockets: self.sockets.meet(&other.sockets),
            egress: self.egress.meet(&other.egress),
            pack: meet_paths(&self.pack, &other.pack),
            private: meet_private(&self.private, &other.private),
            binds: meet_paths(&self.binds, &other.binds),
            leaf: LeafLimits {
                memory_bytes: least(self.leaf.memory_bytes, other.leaf.memory_bytes),
                pids: least(self.leaf.pids, other.leaf.pids),
                cpu_percent: least(self.leaf.cpu_percent, other.leaf.cpu_percent),
                io_bytes: least(self.leaf.io_bytes, other.leaf.io_bytes),
            },
            rlimits: Rlimits {
                open_files: least(self.rlimits.open_files, other.rlimits.open_files),
                file_bytes: least(self.rlimits.file_bytes, other.rlimits.file_bytes),
                processes: least(self.rlimits.processes, other.rlimits.processes),
                address_space: least(self.rlimits.address_space, other.rlimits.address_space),
            },
            workspace: self
                .workspace
                .zip(other.workspace)
                .map(|(a, b)| WorkspaceLimit {
                    bytes: least(a.bytes, b.bytes),
                    inodes: least(a.inodes, b.inodes),
                }),
        })
    }
}

impl Right {
    /// What both allow; reading is in every right but that on devices.
    pub(crate) fn meet(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Device, _) | (_, Self::Device) => None,
            _ => Some(Self::Read),
        }
    }
}

impl Sockets {
    fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Mounted, rest) | (rest, Self::Mounted) => rest.clone(),
            (Self::Listed(a), Self::Listed(b)) => Self::Listed(
                pairs(a.iter(), b.iter())
                    .map(|(path, ..)| path.clone())
                    .collect::<BTreeSet<_>>(),
            ),
        }
    }
}

impl Egress {
    fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Site, rest) | (rest, Self::Site) => rest.clone(),
            (Self::Listed(a), Self::Listed(b)) => {
                let within = |all: &Self, one: &&Endpoint| all.covers(one);
                let of_a = a.iter().filter(|one| within(other, one));
                let of_b = b.iter().filter(|one| within(self, one));
                Self::Listed(of_a.chain(of_b).cloned().collect())
            }
        }
    }
}

/// Each pair of which one lies at or below the other, with the lower one's path.
fn pairs<'a>(
    a: impl Iterator<Item = &'a String>,
    b: impl Iterator<Item = &'a String> + Clone,
) -> impl Iterator<Item = (&'a String, &'a String, &'a String)> {
    a.flat_map(move |a| {
        b.clone().filter_map(move |b| {
            if Path::new(a).starts_with(b) {
                Some((a, a, b))
            } else if Path::new(b).starts_with(a) {
                Some((b, a, b))
            } else {
                None
            }
        })
    })
}

/// Rights below paths. Where several pairs meet at one path, what they allow is
/// joined if one right says it; else the least stands, which grants less than
/// both would, never more.
fn meet_paths(a: &BTreeMap<String, Right>, b: &BTreeMap<String, Right>) -> BTreeMap<String, Right> {
    let mut met: BTreeMap<String, Right> = BTreeMap::new();
    for (path, in_a, in_b) in pairs(a.keys(), b.keys()) {
        let right = a.get(in_a).zip(b.get(in_b)).and_then(|(a, b)| a.meet(*b));
        let Some(right) = right else { continue };
        met.entry(path.clone())
            .and_modify(|there| {
                if *there == Right::Read {
                    *there = right;
                } else if right != Right::Read && right != *there {
                    *there = Right::Read;
                }
            })
            .or_insert(right);
    }
    met
}

fn meet_private(
    a: &BTreeMap<String, PrivateFs>,
    b: &BTreeMap<String, PrivateFs>,
) -> BTreeMap<String, PrivateFs> {
    a.iter()
        .filter_map(|(path, a)| {
            let b = b.get(path)?;
            let both = PrivateFs {
                bytes: a.bytes.min(b.bytes),
                inodes: a.inodes.min(b.inodes),
                mode: a.mode & b.mode,
            };
            Some((path.clone(), both))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATHS: [&str; 7] = ["/a", "/a/b", "/a/b/c", "/ab", "/d", "/d/e", "/d/e/f/g"];

    fn rights() -> impl Strategy<Value = BTreeMap<String, Right>> {
        let right = prop_oneof![Just(Right::Read), Just(Right::Execute), Just(Right::Write)];
        proptest::collection::btree_map(proptest::sample::select(&PATHS[..]), right, 0..6)
            .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }

    /// (read, write, execute) at a path: all rules above it together.
    fn effective(rules: &BTreeMap<String, Right>, at: &str) -> [bool; 3] {
        let mut all = [false; 3];
        for (path, right) in rules {
            if Path::new(at).starts_with(path) {
                all[0] |= *right != Right::Device;
                all[1] |= *right == Right::Write;
                all[2] |= *right == Right::Execute;
            }
        }
        all
    }

    proptest! {
        #[test]
        fn no_path_gets_more_than_both_grant(a in rights(), b in rights()) {
            let met = meet_paths(&a, &b);
            for at in PATHS.into_iter().chain(["/a/x", "/abc", "/d/e/f", "/z"]) {
                let (a, b, met) = (effective(&a, at), effective(&b, at), effective(&met, at));
                for which in 0..3 {
                    prop_assert!(!met[which] || (a[which] && b[which]), "{at}: {met:?} of {a:?} {b:?}");
                }
                // Nothing readable under both is lost.
                prop_assert_eq!(met[0], a[0] && b[0], "{}", at);
            }
            let same = meet_paths(&a, &a);
            prop_assert!(same.keys().eq(a.keys()));
        }

        #[test]
        fn a_narrowed_profile_is_within_both(one in 0..8usize, two in 0..8usize) {
            let names: Vec<&str> = Profile::names().collect();
            let a = Profile::shipped(names[one]).unwrap();
            let b = Profile::shipped(names[two]).unwrap();
            let both = a.narrowed_by(b).unwrap();
            prop_assert_eq!(&both.name, &a.name);
            prop_assert!(both.abi >= a.abi.max(b.abi));
            prop_assert!(!both.user_namespaces || (a.user_namespaces && b.user_namespaces));
            for whole in [a, b] {
                prop_assert!(both.calls.is_subset(&whole.calls));
                prop_assert!(both.egress == Egress::None || both.egress == whole.egress);
                prop_assert!(both.leaf.memory_bytes <= whole.leaf.memory_bytes);
                prop_assert!(both.leaf.pids <= whole.leaf.pids);
                prop_assert!(both.leaf.cpu_percent <= whole.leaf.cpu_percent);
                prop_assert!(both.leaf.io_bytes <= whole.leaf.io_bytes);
                prop_assert!(both.rlimits.file_bytes <= whole.rlimits.file_bytes);
                prop_assert!(both.rlimits.open_files <= whole.rlimits.open_files);
                prop_assert!(both.rlimits.address_space <= whole.rlimits.address_space);
                for (path, fs) in &both.private {
                    let there = whole.private.get(path).unwrap();
                    prop_assert!(fs.bytes <= there.bytes && fs.inodes <= there.inodes);
                    prop_assert_eq!(fs.mode & !there.mode, 0);
                }
                for path in both.binds.keys() {
                    prop_assert!(whole.bind_right(path).is_some());
                }
            }
        }
    }

    #[test]
    fn hosts_only_become_fewer() {
        let listed = |all: &[&str]| {
            Egress::Listed(
                all.iter()
                    .map(|one| Endpoint::parse(one).unwrap())
                    .collect(),
            )
        };
        let one = listed(&["*.site.example:443", "a.example:80"]);
        let two = listed(&["b.site.example:443", "a.example:81", "site.example:443"]);
        assert_eq!(one.meet(&two), listed(&["b.site.example:443"]));
        assert_eq!(two.meet(&one), one.meet(&two));
        assert_eq!(one.meet(&Egress::Site), one);
        assert_eq!(Egress::None.meet(&Egress::Site), Egress::None);
    }

    #[test]
    fn sockets_only_become_fewer() {
        let listed =
            |paths: &[&str]| Sockets::Listed(paths.iter().map(|path| (*path).to_owned()).collect());
        assert_eq!(Sockets::None.meet(&Sockets::Mounted), Sockets::None);
        assert_eq!(Sockets::Mounted.meet(&listed(&["/a"])), listed(&["/a"]));
        assert_eq!(
            listed(&["/a", "/b/c"]).meet(&listed(&["/a/x", "/b", "/d"])),
            listed(&["/a/x", "/b/c"])
        );
        assert_eq!(listed(&["/a"]).meet(&listed(&["/ab"])), listed(&[]));
    }
}
