//! `agentd enter`: root's part. Verifies and mounts the packs, makes agentd's
//! rooms, and runs `agentd serve` in them.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use casemate_protocol::Code;
use clap::Args;
use thiserror::Error;

use crate::build::TEST_FEATURES;
use crate::code;
use crate::denial::Started;
use crate::egress::Site;
use crate::exec::way_out;
use crate::pack::{MountedPack, PackError, ReleaseKey, SignedPack};
use crate::sandbox::enclosure::{Enclosure, PASSED};
use crate::sandbox::{How, Refusal};

/// What is needed to make rooms at all.
#[derive(Debug, Args)]
pub struct Ground {
    /// A signed pack manifest; its data file lies beside it. May be repeated
    #[arg(long = "pack", value_name = "FILE", required = true)]
    pub packs: Vec<PathBuf>,
    /// The public key whose packs are used (P-256, PEM)
    #[arg(long, value_name = "FILE")]
    pub release_key: PathBuf,
    /// First host uid and gid of the range for jobs
    #[arg(long, value_name = "UID", default_value_t = 200_000)]
    pub uid_base: u32,
    /// Size of that range
    #[arg(long, value_name = "COUNT", default_value_t = 65_536)]
    pub uid_count: u32,
}

/// Arguments of `agentd enter`.
#[derive(Debug, Args)]
pub struct Enter {
    #[command(flatten)]
    ground: Ground,
    /// The control daemon's socket for agentd
    #[arg(long, value_name = "SOCKET")]
    daemon: PathBuf,
    /// Directory with agent-script and agent-hands
    #[arg(long, value_name = "DIR")]
    bin_dir: PathBuf,
    /// Also explain writes to what is read-only or full, and too many open files. Costs
    /// every process of this machine that starts later about 0.2 us a system call
    #[arg(long)]
    explain_errors: bool,
    /// What the site grants jobs to reach; without it there is no network for any
    #[arg(long, value_name = "FILE")]
    egress: Option<PathBuf>,
    /// Jobs at once
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    slots: u32,
}

/// Why agentd was not started.
#[derive(Debug, Error)]
pub enum EnterError {
    /// A pack is not usable.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The rooms could not be made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The daemon does not listen.
    #[error("{} does not answer: {source}", path.display())]
    Daemon {
        /// Its socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// This program must not serve.
    #[error("it was built for tests, with {0}")]
    TestBuild(String),
}

impl EnterError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Pack(e) => e.code(),
            Self::Refused(e) => e.code,
            Self::Daemon { .. } => &code::AGENTD_NO_DAEMON,
            Self::TestBuild(_) => &code::AGENTD_TEST_BUILD,
        }
    }

    /// The exit code: 2 bad input, 3 nobody there, 4 refused, 5 damaged, 125 not
    /// started.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Pack(PackError::Key(_)) => 2,
            Self::Pack(PackError::Signature(_) | PackError::Exposed { .. })
            | Self::TestBuild(_) => 4,
            Self::Pack(_) => 5,
            Self::Refused(_) => 125,
            Self::Daemon { .. } => 3,
        }
    }
}

impl Ground {
    /// Verifies and mounts every pack, in the order given.
    ///
    /// # Errors
    /// [`PackError`] of the first that is not usable.
    pub fn mount_packs(&self) -> Result<Vec<MountedPack>, PackError> {
        mount_packs(&self.packs, &self.release_key)
    }
}

/// Verifies and mounts packs that the key in a file signed.
///
/// # Errors
/// [`PackError`] of the first that is not usable.
pub(crate) fn mount_packs(packs: &[PathBuf], key: &Path) -> Result<Vec<MountedPack>, PackError> {
    let key = ReleaseKey::read(key)?;
    packs
        .iter()
        .map(|pack| SignedPack::read(pack, &key)?.verify()?.mount())
        .collect()
}

impl Enter {
    /// Runs agentd until it ends.
    ///
    /// # Errors
    /// [`EnterError`] if it could not be started.
    pub fn run(self) -> Result<How, EnterError> {
        if !TEST_FEATURES.is_empty() {
            return Err(EnterError::TestBuild(TEST_FEATURES.join(" and ")));
        }
        let egress = self.egress.as_deref().map(site).transpose()?;
        let daemon = connect(&self.daemon)?;
        let packs = self.ground.mount_packs()?;
        let numbers = [
            PASSED.to_string(),
            self.ground
                .uid_count
                .saturating_sub(u32::from(egress.is_some()))
                .to_string(),
            self.slots.to_string(),
        ];
        let arguments = [
            "serve",
            "--daemon-fd",
            &numbers[0],
            "--uid-count",
            &numbers[1],
            "--slots",
            &numbers[2],
        ];
        let enclosure = Enclosure {
            packs,
            programs: Some(self.bin_dir),
            extra: Vec::new(),
            uid_base: self.ground.uid_base,
            uid_count: self.ground.uid_count,
            passed: Some(daemon),
            arguments: arguments.map(str::to_owned).to_vec(),
            egress,
        };
        let (_reader, denials) = match Started::new(
            self.ground.uid_base,
            self.ground.uid_count,
            self.explain_errors,
        ) {
            Ok((reader, channel)) => (Some(reader), Some(channel)),
            Err(e) => {
                let _gone = writeln!(
                    io::stderr(),
                    "agentd: denials will not be explained: auditing cannot be used: {e}"
                );
                (None, None)
            }
        };
        Ok(enclosure.run_watched(denials)?)
    }
}

/// A site's egress file, checked.
fn site(path: &Path) -> Result<Vec<u8>, Refusal> {
    let text = way_out::read(path)?;
    Site::parse(&text)?;
    Ok(text.into_bytes())
}

/// The connection is made outside: inside there is no path to the socket.
fn connect(path: &Path) -> Result<OwnedFd, EnterError> {
    UnixStream::connect(path)
        .map(OwnedFd::from)
        .map_err(|source| EnterError::Daemon {
            path: path.to_owned(),
            source,
        })
}
