//! What agentd asks for: one sandbox of a profile, narrowed to a job.

use std::os::fd::OwnedFd;

use minicbor::bytes::ByteVec;

use super::cgroup::LeafLimits;
use super::landlock::{Right, Rule};
use super::mounts::Mount;
use super::order::Order;
use super::profile::{Egress, Profile, Sockets, is_plain};
use super::proxied;
use super::refusal::Refusal;
use super::seccomp::{Filter, PROXIED};
use crate::code;

/// One sandbox to start.
#[derive(Debug)]
pub struct LaunchSpec {
    /// A shipped profile, such as `desktop`; see [`Profile::names`].
    pub profile: String,
    /// Names the control group: 1..=64 characters of a-z 0-9 and `-`, unique among
    /// the running ones, such as job id and compartment.
    pub name: String,
    /// The sandbox's identity in agentd's user namespace. Never the same for two
    /// that run at once. Inside it is always [`super::identity::INSIDE`].
    pub uid: u32,
    /// The mounted root pack, such as `/packs/desktop`.
    pub root: String,
    /// What of agentd's tree is mounted in.
    pub binds: Vec<Bind>,
    /// Program (absolute path inside) and arguments.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub environment: Vec<(String, String)>,
    /// Given to the program as descriptor 3.
    pub passed: Option<OwnedFd>,
    /// Limits below the profile's.
    pub limits: Narrowed,
    /// Whether it may reach a proxy; then [`super::Running::take_listening`] gives the
    /// socket for it. The profile must have `egress`.
    pub egress: bool,
}

/// A file or directory of agentd's tree, mounted into a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Absolute, in agentd's tree; not a symbolic link.
    pub from: String,
    /// Absolute, inside; the profile must have this place or one above it.
    pub at: String,
    /// At most what the profile has for the place.
    pub right: Right,
}

/// Limits that replace the profile's where they are lower.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// Bytes of memory of the whole sandbox.
    pub memory_bytes: Option<u64>,
    /// Processes and threads of the whole sandbox.
    pub pids: Option<u64>,
    /// Processor time of the whole sandbox, in percent of one processor.
    pub cpu_percent: Option<u64>,
    /// Bytes a second of the whole sandbox from, and as many to, each disk.
    pub io_bytes: Option<u64>,
    /// Open descriptors of one process.
    pub open_files: Option<u64>,
    /// Bytes of one file.
    pub file_bytes: Option<u64>,
}

/// The devices of every sandbox, see [`Mount::Devices`].
const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

impl LaunchSpec {
    /// The order for a launcher, and the limits of the control group. The program
    /// starts in `directory`, inside.
    ///
    /// # Errors
    /// [`Refusal`] if the specification asks for more than its profile allows, or the
    /// profile for more than this kernel can hold.
    pub(crate) fn resolve(
        &self,
        profile: &Profile,
        directory: &str,
    ) -> Result<(Order, LeafLimits), Refusal> {
        self.check(profile)?;
        profile.check_kernel()?;
        let lower = |limit: u64, by: Option<u64>| by.map_or(limit, |by| by.min(limit));
        let leaf = LeafLimits {
            memory_bytes: lower(profile.leaf.memory_bytes, self.limits.memory_bytes),
            pids: lower(profile.leaf.pids, self.limits.pids),
            cpu_percent: lower(profile.leaf.cpu_percent, self.limits.cpu_percent),
            io_bytes: lower(profile.leaf.io_bytes, self.limits.io_bytes),
        };
        let mut rlimits = profile.rlimits;
        rlimits.open_files = lower(rlimits.open_files, self.limits.open_files);
        rlimits.file_bytes = lower(rlimits.file_bytes, self.limits.file_bytes);
        let order = Order {
            uid: self.uid,
            root: self.root.clone(),
            mounts: self.mounts(profile),
            rules: self.rules(profile),
            filter: ByteVec::from(self.filter(profile)?.into_bytes()),
            rlimits,
            argv: self.argv.clone(),
            environment: self
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .chain(self.egress.then(proxied::environment).into_iter().flatten())
                .collect(),
            passed: self.passed.is_some(),
            user_namespaces: profile.user_namespaces,
            directory: directory.to_owned(),
            egress: self.egress,
        };
        Ok((order, leaf))
    }

    /// The profile's filter, and TCP sockets only where there is something to reach.
    fn filter(&self, profile: &Profile) -> Result<Filter, Refusal> {
        if !self.egress {
            return Ok(profile.filter.clone());
        }
        let sets = profile.calls.iter().cloned();
        Filter::compile(&sets.chain([PROXIED.to_owned()]).collect::<Vec<_>>())
    }

    fn check(&self, profile: &Profile) -> Result<(), Refusal> {
        let refuse = |why: String| {
            let what = format!("a sandbox of profile {} was not made", profile.name);
            Err(Refusal::new(&code::SANDBOX_ORDER, what, why))
        };
        let plain_name = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(plain_name) {
            return refuse("its name is not 1 to 64 characters of a-z 0-9 -".to_owned());
        }
        if self.uid == 0 {
            return refuse("identity 0 is agentd's own".to_owned());
        }
        if self.egress && profile.egress == Egress::None {
            return refuse("a way out was asked for and the profile has none".to_owned());
        }
        for bind in &self.binds {
            if !is_plain(&bind.from) || !is_plain(&bind.at) {
                return refuse(format!("{} is not an absolute path in plain form", bind.at));
            }
            match profile.bind_right(&bind.at) {
                // Execute and write do not contain each other.
                Some(most) if most == bind.right || bind.right == Right::Read => {}
                most => {
                    let most = most.map_or("nothing".to_owned(), |most| format!("{most:?}"));
                    return refuse(format!(
                        "{:?} was asked for at {} and the profile has {most} there",
                        bind.right, bind.at
                    ));
                }
            }
        }
        if !self.argv.first().is_some_and(|program| is_plain(program)) {
            return refuse("its program is not an absolute path in plain form".to_owned());
        }
        let sound = |(name, value): &(String, String)| {
            !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
        };
        if !self.environment.iter().all(sound) {
            return refuse("its environment is not names and values".to_owned());
        }
        Ok(())
    }

    /// Parents before children: the base, the private file systems (in path
    /// order), then the binds, then read-only what was only made to hold binds.
    fn mounts(&self, profile: &Profile) -> Vec<Mount> {
        let processes = Mount::Processes {
            writable: profile.user_namespaces,
        };
        let mut mounts = vec![Mount::Devices, processes];
        mounts.extend(profile.private.iter().map(|(at, fs)| Mount::Private {
            at: at.clone(),
            bytes: fs.bytes,
            inodes: fs.inodes,
            mode: fs.mode,
        }));
        let holders: Vec<&String> = profile
            .binds
            .keys()
            .filter(|place| {
                let below = format!("{place}/");
                self.binds.iter().any(|bind| bind.at.starts_with(&below))
            })
            .collect();
        mounts.extend(holders.iter().map(|at| Mount::Private {
            at: (*at).clone(),
            bytes: 4096,
            inodes: 64,
            mode: 0o755,
        }));
        mounts.extend(self.binds.iter().map(|bind| Mount::Bind {
            from: bind.from.clone(),
            at: bind.at.clone(),
            writable: bind.right == Right::Write,
            executable: bind.right == Right::Execute,
        }));
        mounts.extend(holders.iter().map(|at| Mount::Freeze { at: (*at).clone() }));
        mounts
    }

    fn rules(&self, profile: &Profile) -> Vec<Rule> {
        let rule = |path: &str, right| Rule {
            path: path.to_owned(),
            right,
        };
        let pack = profile.pack.iter().map(|(path, right)| rule(path, *right));
        let private = profile.private.keys().map(|path| rule(path, Right::Write));
        let binds = self.binds.iter().map(|bind| rule(&bind.at, bind.right));
        let devices = DEVICES.iter().map(|path| rule(path, Right::Device));
        // A user namespace's maps are written there.
        let maps = profile.user_namespaces.then_some(Right::Device);
        let processes = [Right::Read].into_iter().chain(maps);
        let sockets: Vec<&String> = match &profile.sockets {
            Sockets::None => Vec::new(),
            Sockets::Listed(paths) => paths.iter().collect(),
            Sockets::Mounted => {
                let binds = self.binds.iter().map(|bind| &bind.at);
                profile.private.keys().chain(binds).collect()
            }
        };
        pack.chain(private)
            .chain(binds)
            .chain(devices)
            .chain(processes.map(|right| rule("/proc", right)))
            .chain(sockets.into_iter().map(|path| rule(path, Right::Socket)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_protocol::codec;

    fn spec() -> LaunchSpec {
        LaunchSpec {
            profile: "script".into(),
            name: "job-1-script".into(),
            uid: 1001,
            root: "/packs/desktop".into(),
            binds: vec![Bind {
                from: "/agent/agent-script".into(),
                at: "/agent/agent-script".into(),
                right: Right::Execute,
            }],
            argv: vec!["/agent/agent-script".into(), "run".into()],
            environment: vec![("LC_ALL".into(), "C.UTF-8".into())],
            passed: None,
            limits: Narrowed::default(),
            egress: false,
        }
    }

    #[test]
    fn an_order_fits_its_packet_and_survives_it() {
        for name in Profile::names() {
            let profile = Profile::shipped(name).unwrap();
            let (order, _) = spec().resolve(profile, "/").unwrap();
            let bytes = codec::encode(&order);
            assert!(
                bytes.len() < super::super::order::LARGEST / 2,
                "{}",
                bytes.len()
            );
            assert_eq!(codec::decode_canonical::<Order>(&bytes).unwrap(), order);
        }
    }

    #[test]
    fn nothing_beyond_the_profile_is_ordered() {
        let profile = Profile::shipped("script").unwrap();
        let refused = |change: &dyn Fn(&mut LaunchSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.resolve(profile, "/").unwrap_err().code.id
        };
        let place = |at: &str, right| {
            let at = at.to_owned();
            move |spec: &mut LaunchSpec| {
                spec.binds.push(Bind {
                    from: "/jobs/1".into(),
                    at: at.clone(),
                    right,
                });
            }
        };
        assert_eq!(refused(&place("/workspace", Right::Read)), "sandbox.order");
        assert_eq!(refused(&place("/agent/x", Right::Write)), "sandbox.order");
        assert_eq!(
            refused(&place("/agent/../etc", Right::Execute)),
            "sandbox.order"
        );
        assert_eq!(refused(&place("/agentx", Right::Execute)), "sandbox.order");
        assert_eq!(refused(&|s| s.uid = 0), "sandbox.order");
        assert_eq!(refused(&|s| s.name = "../x".into()), "sandbox.order");
        assert_eq!(refused(&|s| s.argv = vec![]), "sandbox.order");
        assert_eq!(refused(&|s| s.argv = vec!["sh".into()]), "sandbox.order");
        assert_eq!(
            refused(&|s| s.environment.push(("A=B".into(), String::new()))),
            "sandbox.order"
        );
    }

    #[test]
    fn a_way_out_is_only_where_the_profile_has_one_and_it_was_asked_for() {
        let mut asks = spec();
        asks.egress = true;
        let script = Profile::shipped("script").unwrap();
        let refused = asks.resolve(script, "/").unwrap_err();
        assert_eq!(refused.code.id, "sandbox.order");

        let desktop = Profile::shipped("desktop").unwrap();
        let (without, _) = spec().resolve(desktop, "/").unwrap();
        let (with, _) = asks.resolve(desktop, "/").unwrap();
        assert!(!without.egress && with.egress);
        assert_ne!(without.filter, with.filter);
        let proxied = |order: &Order| {
            let named = |line: &&String| line.to_ascii_lowercase().starts_with("http");
            order.environment.iter().filter(named).count()
        };
        assert_eq!((proxied(&without), proxied(&with)), (0, 4));
    }

    #[test]
    fn a_job_only_narrows() {
        let profile = Profile::shipped("script").unwrap();
        let mut wide = spec();
        wide.limits.pids = Some(1 << 40);
        wide.limits.memory_bytes = Some(1 << 20);
        let (_, leaf) = wide.resolve(profile, "/").unwrap();
        assert_eq!(leaf.pids, profile.leaf.pids);
        assert_eq!(leaf.memory_bytes, 1 << 20);
        let mut wide = spec();
        wide.limits.cpu_percent = Some(u64::MAX);
        wide.limits.file_bytes = Some(u64::MAX);
        wide.limits.open_files = Some(7);
        let (order, leaf) = wide.resolve(profile, "/").unwrap();
        assert_eq!(leaf, profile.leaf);
        assert_eq!(order.rlimits.file_bytes, profile.rlimits.file_bytes);
        assert_eq!(order.rlimits.open_files, 7);
    }
}
