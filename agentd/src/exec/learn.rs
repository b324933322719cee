//! `--learn FILE`: a narrower profile, proposed from what one run really used.
//!
//! What is seen for certain is which files of the pack were opened and executed: the
//! kernel tells it (fanotify) from outside the sandbox, and the sandbox notices
//! nothing. So the proposal names those files, the places that this command had
//! something mounted at, and twice the memory and processes it took. System calls,
//! sockets and private file systems are not seen; they stay as the profile has them.
//! Nothing is ever added: a proposal is less than the profile of the run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use toml::{Table, Value};

use super::refuse;
use crate::pack::{Kind, MountedPack};
use crate::sandbox::profile::is_plain;
use crate::sandbox::{Profile, Refusal, Right};

/// Most single files that a proposal names; more are named by their directories, as a
/// sandbox's order has only so much room.
const FILES: usize = 400;

/// Watches the root pack of one run.
#[derive(Debug)]
pub(super) struct Learning {
    file: File,
    events: Fanotify,
}

/// What was opened, and the most that was done to it.
type Used = BTreeMap<String, Right>;

impl Learning {
    /// Watches from now on. The file is made now, so that a run is not for nothing.
    pub(super) fn begin(path: &PathBuf, packs: &[MountedPack]) -> Result<Self, Refusal> {
        let root = packs
            .iter()
            .find(|pack| pack.manifest.kind() == Kind::Root)
            .ok_or_else(|| refuse("--learn needs a --pack that is a root"))?;
        let file = File::create(path).map_err(|e| refuse(format!("{}: {e}", path.display())))?;
        let flags = InitFlags::FAN_CLASS_NOTIF
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_UNLIMITED_QUEUE;
        let opened = EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC | EventFFlags::O_LARGEFILE;
        let unseen = |e: nix::Error| refuse(format!("what it uses cannot be seen: {e}"));
        let events = Fanotify::init(flags, opened).map_err(unseen)?;
        // The whole file system: every mount of it in every namespace.
        events
            .mark(
                MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM,
                MaskFlags::FAN_OPEN | MaskFlags::FAN_OPEN_EXEC | MaskFlags::FAN_ONDIR,
                root.mount.as_fd(),
                Some("."),
            )
            .map_err(unseen)?;
        Ok(Self { file, events })
    }

    /// Writes the proposal, when every process of the run is gone.
    pub(super) fn finish(mut self, run: &Run<'_>) -> Result<(), Refusal> {
        let used = self.used()?;
        let text = run.proposal(used)?;
        self.file
            .write_all(text.as_bytes())
            .map_err(|e| refuse(format!("the proposal was not written: {e}")))
    }

    fn used(&self) -> Result<Used, Refusal> {
        let mut used = Used::new();
        loop {
            let events = match self.events.read_events() {
                Ok(events) => events,
                Err(nix::Error::EAGAIN) => return Ok(used),
                Err(e) => return Err(refuse(format!("what it used cannot be read: {e}"))),
            };
            for event in events {
                // No descriptor: the queue ran over, and something is missing.
                let fd = event
                    .fd()
                    .ok_or_else(|| refuse("not all it used was seen"))?;
                let path = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))
                    .map_err(|e| refuse(format!("a file it used cannot be named: {e}")))?;
                let right = match event.mask().contains(MaskFlags::FAN_OPEN_EXEC) {
                    true => Right::Execute,
                    false => Right::Read,
                };
                let most = used.entry(name(&path)).or_insert(right);
                *most = (*most).max(right);
            }
        }
    }
}

/// The path, or the nearest directory above that a profile can name.
fn name(path: &Path) -> String {
    path.ancestors()
        .filter_map(Path::to_str)
        .find(|path| is_plain(path))
        .unwrap_or("/usr")
        .to_owned()
}

/// What else is known of the run.
#[derive(Debug)]
pub(super) struct Run<'r> {
    /// The profile it had.
    pub(super) profile: &'r Profile,
    /// Most memory and most processes it had, if that is known.
    pub(super) peaks: Option<(u64, u64)>,
    /// The places at which something was mounted for it.
    pub(super) places: &'r [String],
}

impl Run<'_> {
    fn proposal(&self, used: Used) -> Result<String, Refusal> {
        let profile = self.profile;
        let unread = |e: toml::de::Error| refuse(format!("the profile cannot be read: {e}"));
        let mut table: Table = Profile::source(profile.name())?.parse().map_err(unread)?;
        let calls = profile.calls.iter().cloned().map(Value::String);
        table.insert("calls".to_owned(), Value::Array(calls.collect()));
        let pack = fewer(used, profile).into_iter();
        let pack = pack.map(|(path, right)| (path, word(right))).collect();
        table.insert("pack".to_owned(), Value::Table(pack));
        let places = profile.binds.iter().filter(|(place, _)| {
            self.places
                .iter()
                .any(|used| Path::new(used).starts_with(place))
        });
        let binds: Table = places
            .map(|(place, right)| (place.clone(), word(*right)))
            .collect();
        let workspace = binds.contains_key(crate::sandbox::profile::WORKSPACE);
        table.insert("binds".to_owned(), Value::Table(binds));
        if let Some(Value::Table(private)) = table.get_mut("private") {
            private.retain(|place, _| profile.private.contains_key(place));
        }
        if let Some(Value::Table(limits)) = table.get_mut("limits") {
            if !workspace {
                limits.retain(|key, _| !key.starts_with("workspace_"));
            }
            let least = [
                (
                    "memory_bytes",
                    profile.leaf.memory_bytes,
                    self.twice_memory(),
                ),
                ("pids", profile.leaf.pids, self.twice_pids()),
            ];
            for (key, most, twice) in least {
                let value = twice.map_or(most, |twice| twice.min(most));
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                limits.insert(key.to_owned(), Value::Integer(value));
            }
        }
        let unwritten = |e: toml::ser::Error| refuse(format!("no proposal can be written: {e}"));
        let text = toml::to_string(&table).map_err(unwritten)?;
        // It must be a profile, and one that can be used for narrowing.
        profile.narrowed_by(&Profile::parse(&text)?)?;
        Ok(format!(
            "# Proposed by `agentd exec --learn` from what one run under the profile\n\
             # {} used. For `--narrow`; read it before you rely on it: what this run did\n\
             # not need, another may.\n{text}",
            profile.name()
        ))
    }

    /// In whole units of 16 MiB: what a run takes differs a little every time.
    fn twice_memory(&self) -> Option<u64> {
        const UNIT: u64 = 16 << 20;
        let (memory, _) = self.peaks?;
        Some(memory.saturating_mul(2).div_ceil(UNIT).saturating_mul(UNIT))
    }

    fn twice_pids(&self) -> Option<u64> {
        let (_, pids) = self.peaks?;
        Some(pids.saturating_mul(2))
    }
}

fn word(right: Right) -> Value {
    let word = match right {
        Right::Execute => "execute",
        Right::Write => "write",
        _ => "read",
    };
    Value::String(word.to_owned())
}

/// Not more entries than fit: what lies below a directory that was read itself goes
/// with it, and if they are still too many, files go by their directory. Never more
/// than the profile gives: its own entries are the widest.
fn fewer(mut used: Used, profile: &Profile) -> Used {
    let readable: Vec<String> = used
        .iter()
        .filter(|(path, right)| **right == Right::Read && is_directory_of(path, &used))
        .map(|(path, _)| path.clone())
        .collect();
    used.retain(|path, right| {
        let above = |known: &String| known != path && Path::new(path).starts_with(known);
        *right != Right::Read || !readable.iter().any(above)
    });
    while used.len() > FILES {
        let mut above = Used::new();
        for (path, right) in used {
            let granted = profile.pack.contains_key(&path);
            let path = match Path::new(&path).parent().and_then(Path::to_str) {
                Some(parent) if !granted && is_plain(parent) => parent.to_owned(),
                _ => path,
            };
            let most = above.entry(path).or_insert(right);
            *most = (*most).max(right);
        }
        used = above;
    }
    used
}

/// Whether something else that was used lies below.
fn is_directory_of(path: &str, used: &Used) -> bool {
    let prefix = format!("{path}/");
    used.range(prefix.clone()..)
        .next()
        .is_some_and(|(next, _)| next.starts_with(&prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_directory_that_was_read_goes_with_it() {
        let profile = Profile::shipped("desktop").unwrap();
        let used = |all: &[(&str, Right)]| -> Used {
            all.iter().map(|(p, r)| ((*p).to_owned(), *r)).collect()
        };
        let all = used(&[
            ("/usr/share/fonts", Right::Read),
            ("/usr/share/fonts/a.ttf", Right::Read),
            ("/usr/share/fonts/run", Right::Execute),
            ("/usr/share/fonts-x", Right::Read),
        ]);
        let left = used(&[
            ("/usr/share/fonts", Right::Read),
            ("/usr/share/fonts/run", Right::Execute),
            ("/usr/share/fonts-x", Right::Read),
        ]);
        assert_eq!(fewer(all, profile), left);
        let many: Used = (0..5000)
            .map(|n| (format!("/usr/lib/{}/{n}", n % 7), Right::Read))
            .collect();
        let left = fewer(many, profile);
        assert_eq!(left.len(), 7);
        assert!(left.contains_key("/usr/lib/3"));
    }

    #[test]
    fn a_path_that_no_profile_can_say_goes_by_its_directory() {
        assert_eq!(name(Path::new("/usr/lib/x")), "/usr/lib/x");
        let long = format!("/usr/lib/{}", "x".repeat(300));
        assert_eq!(name(Path::new(&long)), "/usr/lib");
    }
}
