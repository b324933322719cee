//! `agentd exec`: one command in a sandbox, for operators and tests.
//!
//! It takes the same way as a job: verified packs, agentd's rooms, a launcher. The
//! outer half, as root, makes the rooms and runs the inner half in them; what the
//! command used comes back over a pipe, what it wrote to its workspace by
//! [`workspace`].

#[cfg(feature = "host-root")]
mod host_root;
pub mod inside;
mod learn;
mod limits;
mod range;
pub mod report;
pub(crate) mod way_out;
mod workspace;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use casemate_protocol::codec;
use clap::Args;

use crate::code;
use crate::denial::Started;
use crate::enter::{EnterError, mount_packs};
use crate::pack::{Kind, MountedPack};
use crate::sandbox::enclosure::{Enclosure, Extra, PACKS};
use crate::sandbox::profile::WORKSPACE;
use crate::sandbox::{How, Profile, Refusal, Right};
use inside::{BROUGHT, Inner};
use learn::{Learning, Run};
use limits::Limits;
use report::{Account, Report};
use way_out::WayOut;
use workspace::{Returned, Staged};

/// Arguments of `agentd exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// What the sandbox may do; `agentd profile list` names the profiles
    #[arg(long, value_name = "NAME")]
    profile: String,
    /// A profile's file that makes it narrower: what both grant is granted
    #[arg(long, value_name = "FILE")]
    narrow: Option<PathBuf>,
    /// A directory of the host as /workspace. The command works on a copy within the
    /// profile's limits; what it changed is brought back when it has ended
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// A file or directory of the host, at a place the profile has; executable below
    /// /agent. May be repeated
    #[arg(long, value_name = "HOST=PATH", value_parser = pair)]
    bind_ro: Vec<(String, String)>,
    /// A signed pack manifest; the first that is a root becomes the root. May be
    /// repeated
    #[arg(long = "pack", value_name = "PACK")]
    packs: Vec<PathBuf>,
    /// The public key whose packs are used (P-256, PEM)
    #[arg(long, value_name = "FILE")]
    release_key: Option<PathBuf>,
    /// The host's own tree, read-only, as the root and the workspace at its own path
    /// (test builds only)
    #[cfg(feature = "host-root")]
    #[arg(long, conflicts_with = "packs")]
    host_root: bool,
    /// A lower limit: memory, workspace, io, file-bytes (BYTES, or with K, M, G), pids,
    /// cpu (percent of one processor), open-files, inodes (COUNT). May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    limit: Vec<(String, String)>,
    /// One variable of the command's environment. May be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// End the command after so many seconds, with exit code 6
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[command(flatten)]
    way_out: WayOut,
    /// Write what it used and was denied to FILE instead of the error output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a narrower profile to FILE, of what the command really used
    #[arg(long, value_name = "FILE")]
    learn: Option<PathBuf>,
    /// First host uid and gid of a range of its own; without it a free one is taken
    #[arg(long, value_name = "UID")]
    uid_base: Option<u32>,
    /// Size of that range
    #[arg(long, value_name = "COUNT", default_value_t = 2048)]
    uid_count: u32,
    /// The command, a path inside or a name in /usr/bin, and arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Room for what the inner half says: 256 denials of some kilobytes at most.
const ACCOUNT: usize = 1 << 20;

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "it is not NAME=VALUE".to_owned())
}

fn refuse(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(&code::SANDBOX_ORDER, "the command was not run", why)
}

/// What the rooms tell of the command comes this way.
fn account_pipe() -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (account, to_account) = io::pipe()?;
    // It is read only when the rooms are gone, so all of it must fit.
    rustix::pipe::fcntl_setpipe_size(&to_account, ACCOUNT)?;
    Ok((account, to_account))
}

/// The account, if the rooms came so far as to give one.
fn read(mut account: io::PipeReader) -> io::Result<Option<Account>> {
    let mut bytes = Vec::new();
    account.read_to_end(&mut bytes)?;
    Ok(codec::decode_canonical(&bytes).ok())
}

impl Exec {
    /// Runs the command; its outputs are ours.
    ///
    /// # Errors
    /// [`EnterError`] if nothing was run.
    pub fn run(mut self) -> Result<How, EnterError> {
        // Before anything is made: what is asked for must be sound.
        let (profile, narrow) = self.profile()?;
        let limits = Limits::parse(&self.limit).map_err(refuse)?;
        let egress = self.way_out.check(&profile)?;
        let json = self.json.as_ref().map(create).transpose()?;
        let range = range::Range::take(self.uid_base, self.uid_count)?;
        let packs = self.packs()?;
        let learning = self.learning(&packs)?;
        let mut extra = Vec::new();
        let root = self.root(&packs, &mut extra)?;
        let binds = self.bring(&mut extra);
        let workspace = self.stage(&profile, &limits, range.base, &mut extra)?;
        let (_reader, denials, unwatched) = watched(&range, self.uid_count);
        let places: Vec<_> = [
            binds.clone(),
            workspace.iter().map(|w| w.1.clone()).collect(),
        ]
        .concat();
        let inner = Inner {
            unwatched,
            profile: self.profile.clone(),
            narrow,
            root,
            workspace: workspace.as_ref().map(|(_, at)| at.clone()),
            binds,
            limits: limits.order(),
            env: std::mem::take(&mut self.env),
            command: resolve(std::mem::take(&mut self.command)),
            timeout: self.timeout,
            egress: self.way_out.endpoints(),
        };
        let (account, to_account) = account_pipe().map_err(refuse)?;
        let enclosure = Enclosure {
            packs,
            programs: None,
            extra,
            uid_base: range.base,
            uid_count: self.uid_count,
            passed: Some(OwnedFd::from(to_account)),
            arguments: vec!["exec-inside".into(), hex::encode(codec::encode(&inner))],
            egress,
        };
        let outer = std::process::id();
        let how = enclosure.run_watched(denials)?;
        if std::process::id() != outer {
            // The rooms' first process comes back as well; its ending is all it has.
            return Ok(how);
        }
        // Every process of the rooms is gone: nothing is written any more.
        let account = read(account).map_err(refuse)?;
        let returned = workspace
            .map(|(staged, _)| staged.bring_back())
            .transpose()?;
        let peaks = account.as_ref().map(Account::peaks);
        self.say(how, account, returned, json);
        if let Some(learning) = learning {
            learning.finish(&Run {
                profile: &profile,
                peaks,
                places: &places,
            })?;
        }
        Ok(how)
    }

    fn learning(&self, packs: &[MountedPack]) -> Result<Option<Learning>, Refusal> {
        let file = self.learn.as_ref();
        file.map(|file| Learning::begin(file, packs)).transpose()
    }

    /// The profile, narrower if asked, and the text that makes it so.
    fn profile(&self) -> Result<(Profile, Option<String>), Refusal> {
        let profile = Profile::shipped(&self.profile)?;
        let Some(path) = &self.narrow else {
            return Ok((profile.clone(), None));
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(64 << 10).read_to_string(&mut text))
            .map_err(|e| refuse(format!("{}: {e}", path.display())))?;
        let narrowed = profile.narrowed_by(&Profile::parse(&text)?)?;
        Ok((narrowed, Some(text)))
    }

    fn packs(&self) -> Result<Vec<MountedPack>, EnterError> {
        if self.packs.is_empty() {
            return Ok(Vec::new());
        }
        let key = self
            .release_key
            .as_ref()
            .ok_or_else(|| refuse("--pack needs --release-key"))?;
        Ok(mount_packs(&self.packs, key)?)
    }

    /// Where the root is in agentd's tree.
    fn root(&self, packs: &[MountedPack], extra: &mut Vec<Extra>) -> Result<String, Refusal> {
        #[cfg(feature = "host-root")]
        if self.host_root {
            let root = format!("{PACKS}/host");
            host_root::gather(&root, Profile::shipped(&self.profile)?, extra)?;
            return Ok(root);
        }
        let _only_with_host_root = extra;
        packs
            .iter()
            .find(|pack| pack.manifest.kind() == Kind::Root)
            .map(|pack| format!("{PACKS}/{}", pack.manifest.name))
            .ok_or_else(|| refuse("no --pack is a root; the sandbox would be empty"))
    }

    /// Brings what `--bind-ro` names along; the places inside, by number.
    fn bring(&mut self, extra: &mut Vec<Extra>) -> Vec<String> {
        let mut binds = Vec::new();
        for (number, (from, at)) in self.bind_ro.drain(..).enumerate() {
            extra.push(Extra::read_only(from.into(), format!("{BROUGHT}/{number}")));
            binds.push(at);
        }
        binds
    }

    /// The workspace, if the profile has one, and its place inside.
    fn stage(
        &self,
        profile: &Profile,
        limits: &Limits,
        base: u32,
        extra: &mut Vec<Extra>,
    ) -> Result<Option<(Staged, String)>, EnterError> {
        let Some((right, limit)) = profile.workspace_right().zip(profile.workspace()) else {
            if let Some(given) = &self.workspace {
                let _gone = writeln!(
                    io::stderr(),
                    "agentd: the profile {} has no workspace; {} is not in the sandbox",
                    profile.name(),
                    given.display()
                );
            }
            return Ok(None);
        };
        let staged = Staged::make(
            self.workspace.as_deref(),
            limits.workspace(limit),
            base.saturating_add(inside::UID),
            right == Right::Write,
        )?;
        extra.push(Extra::mount(
            staged.for_rooms()?,
            format!("{BROUGHT}/workspace"),
        ));
        Ok(Some((staged, self.workspace_place()?)))
    }

    fn workspace_place(&self) -> Result<String, Refusal> {
        #[cfg(feature = "host-root")]
        if self.host_root
            && let Some(given) = &self.workspace
        {
            return host_root::own_path(given);
        }
        Ok(WORKSPACE.to_owned())
    }

    /// Says what was used: to the file if there is one, else as text.
    fn say(
        &self,
        how: How,
        account: Option<Account>,
        returned: Option<Returned>,
        json: Option<File>,
    ) {
        let report = Report::new(&self.profile, how, account, returned);
        // What cannot be said does not change what was done.
        match json {
            Some(mut file) => {
                if let Err(e) = file.write_all(report.json().as_bytes()) {
                    let _gone = writeln!(io::stderr(), "agentd: the report was not written: {e}");
                }
            }
            None => {
                let _gone = io::stderr().write_all(report.text().as_bytes());
            }
        }
    }
}

/// The audit reader and the channel to it, or why there is none.
fn watched(range: &range::Range, count: u32) -> (Option<Started>, Option<OwnedFd>, Option<String>) {
    match Started::new(range.base, count, true) {
        Ok((reader, channel)) => (Some(reader), Some(channel), None),
        Err(e) => (None, None, Some(format!("auditing cannot be used: {e}"))),
    }
}

fn create(path: &PathBuf) -> Result<File, Refusal> {
    File::create(path).map_err(|e| refuse(format!("{}: {e}", path.display())))
}

/// A bare name is one of /usr/bin: nothing inside searches for programs.
fn resolve(mut command: Vec<String>) -> Vec<String> {
    if let Some(program) = command.first_mut()
        && !program.contains('/')
    {
        *program = format!("/usr/bin/{program}");
    }
    command
}
