//! `unseal`: asks the TPM for the appliance root, hands over what is derived from it, and ends.
#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_attest::code::Code;
use casemate_attest::digest::Digest;
use casemate_device::{
    Opening, ProvisionError, Provisioning, RecoveryKey, RuntimeLog, SiteApproval, Tpm, UnsealError,
    code,
};
use clap::{Args, Parser, Subcommand};
use p256::ecdsa::{SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};

/// More than a recovery key takes, however it is spaced.
const LONGEST_LINE: usize = 256;

#[derive(Debug, Parser)]
#[command(
    name = "unseal",
    version,
    about = "Opens the appliance root that the TPM keeps"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What a root is sealed with.
#[derive(Debug, Args)]
struct First {
    /// The TPM: device:/dev/tpmrm0 or swtpm:path=/absolute/socket
    #[arg(long)]
    tpm: String,
    /// The state's TPM directory
    #[arg(long)]
    state: PathBuf,
    /// The signed manifest of the release that runs
    #[arg(long)]
    release: PathBuf,
    /// The release key (PEM): the root opens to releases it signs
    #[arg(long)]
    release_key: PathBuf,
    /// The site key (PEM): the root opens to changes it approves
    #[arg(long)]
    site_key: PathBuf,
    /// The firmware's event log
    #[arg(long)]
    firmware_log: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// First boot: take ownership of the TPM and seal a new root
    Provision {
        #[command(flatten)]
        first: First,
    },
    /// Each boot: open the root and hand over the derived keys
    Open {
        /// The TPM: device:/dev/tpmrm0 or swtpm:path=/absolute/socket
        #[arg(long)]
        tpm: String,
        /// The state's TPM directory
        #[arg(long)]
        state: PathBuf,
        /// The signed manifest of the release that runs
        #[arg(long)]
        release: PathBuf,
        /// Where run-time measurements are logged
        #[arg(long)]
        runtime_log: PathBuf,
        /// Number of the open descriptor (a memfd) that receives the handover
        #[arg(long)]
        out_fd: u32,
        /// Number of the open descriptor that receives the state volume's key
        #[arg(long)]
        volume_fd: Option<u32>,
        /// Number of the open descriptor that receives a new recovery key as text. Once one was
        /// typed back nothing is written to it
        #[arg(long)]
        recovery_fd: Option<u32>,
        /// Shut older releases out from now on
        #[arg(long)]
        raise_floor: bool,
    },
    /// When the TPM does not open the root: seal it again with the recovery key
    Recover {
        #[command(flatten)]
        first: First,
    },
    /// In the initrd: measure that a phase of the boot begins
    Phase {
        /// The TPM: device:/dev/tpmrm0 or swtpm:path=/absolute/socket
        #[arg(long)]
        tpm: String,
        /// Where run-time measurements are logged; the first phase begins it
        #[arg(long)]
        runtime_log: PathBuf,
        /// enter-initrd or leave-initrd
        #[arg(value_parser = ["enter-initrd", "leave-initrd"])]
        word: String,
    },
    /// At the site: approve a change of the platform before it happens
    Approve {
        /// The site's private key (PKCS#8 PEM)
        #[arg(long)]
        site_key: PathBuf,
        /// PCR 7 after the change, 64 hexadecimal digits
        #[arg(long)]
        pcr7: Digest,
        /// PCR 11 at entering the initrd after the change, 64 hexadecimal digits
        #[arg(long)]
        pcr11: Digest,
        /// Number of the release after the change
        #[arg(long)]
        number: u64,
        /// Where the approval goes
        #[arg(long)]
        out: PathBuf,
    },
    /// On the appliance: let the root also open to a change that the site approved
    ResealSite {
        /// The state's TPM directory
        #[arg(long)]
        state: PathBuf,
        /// The approval
        #[arg(long)]
        approval: PathBuf,
    },
}

/// A failure as the operator reads it.
struct Failure {
    what: &'static str,
    why: String,
    code: &'static Code,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Provision { first } => provision(&first),
        Command::Recover { first } => recover(&first),
        Command::Open {
            tpm,
            state,
            release,
            runtime_log,
            out_fd,
            volume_fd,
            recovery_fd,
            raise_floor,
        } => {
            let opening = (state, release, runtime_log);
            let descriptors = [Some(out_fd), volume_fd, recovery_fd];
            open(&tpm, &opening, descriptors, raise_floor)
        }
        Command::Phase {
            tpm,
            runtime_log,
            word,
        } => phase(&tpm, &runtime_log, &word),
        Command::Approve {
            site_key,
            pcr7,
            pcr11,
            number,
            out,
        } => approve(&site_key, [pcr7, pcr11], number, &out),
        Command::ResealSite { state, approval } => reseal_site(&state, &approval),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { what, why, code }) => {
            let text = format!("unseal: {what}: {why}\n  code {}; {}\n", code.id, code.next);
            // Nowhere is left to say that standard error is closed.
            let _closed = io::stderr().write_all(text.as_bytes());
            ExitCode::from(code::exit(code))
        }
    }
}

fn provision(first: &First) -> Result<(), Failure> {
    let what = "cannot set up the appliance on this TPM";
    sealing(what, first, |tpm, provisioning| {
        casemate_device::provision(tpm, provisioning)
    })
}

/// The key is a line of standard input: nobody sees it among the arguments.
fn recover(first: &First) -> Result<(), Failure> {
    let what = "cannot recover the appliance root";
    let mut line = zeroize::Zeroizing::new(String::with_capacity(LONGEST_LINE));
    let failure = |why: String, code: &'static Code| Failure { what, why, code };
    io::stdin()
        .lock()
        .take(u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX))
        .read_line(&mut line)
        .map_err(|error| failure(error.to_string(), &code::RECOVERY_TYPED))?;
    let key =
        RecoveryKey::from_text(&line).map_err(|error| failure(error.to_string(), error.code()))?;
    sealing(what, first, |tpm, provisioning| {
        casemate_device::recover(tpm, provisioning, &key)
    })
}

fn sealing(
    what: &'static str,
    first: &First,
    seal: impl FnOnce(&Tpm, Provisioning<'_>) -> Result<(), ProvisionError>,
) -> Result<(), Failure> {
    let tpm = connect(what, &first.tpm)?;
    let provisioning = Provisioning {
        state: &first.state,
        release: &read(what, &first.release, &code::OTHER_RELEASE)?,
        release_key: &read_key(what, &first.release_key)?,
        site_key: &read_key(what, &first.site_key)?,
        firmware_log: &read(what, &first.firmware_log, &code::FIRMWARE_LOG)?,
    };
    seal(&tpm, provisioning).map_err(|error| Failure {
        what,
        why: error.to_string(),
        code: error.code(),
    })
}

fn open(
    tcti: &str,
    (state, release, runtime_log): &(PathBuf, PathBuf, PathBuf),
    descriptors: [Option<u32>; 3],
    raise_floor: bool,
) -> Result<(), Failure> {
    let what = "cannot open the appliance root";
    let handed = |fd: u32| {
        move |error: io::Error| Failure {
            what,
            why: format!("descriptor {fd}: {error}"),
            code: &code::HANDOVER,
        }
    };
    // The descriptors first: the root opens once a boot, and must not be opened for nobody.
    let mut outs = Vec::new();
    for descriptor in descriptors {
        let out = descriptor.map(|fd| {
            let path = format!("/proc/self/fd/{fd}");
            let out = OpenOptions::new().write(true).open(path);
            out.map(|out| (fd, out)).map_err(handed(fd))
        });
        outs.push(out.transpose()?);
    }
    let release = read(what, release, &code::OTHER_RELEASE)?;
    let tpm = connect(what, tcti)?;
    let opening = Opening {
        state,
        release: &release,
        runtime_log,
        raise_floor,
    };
    let failed = |error: UnsealError| Failure {
        what,
        why: error.to_string(),
        code: error.code(),
    };
    let opened = casemate_device::open_whole(&tpm, opening).map_err(failed)?;
    let recovery = match outs.last() {
        Some(Some(_)) => opened.new_recovery_key(state).map_err(failed)?,
        _ => None,
    };
    let text = recovery.map(|key| key.text()).unwrap_or_default();
    let handover = opened.handover.to_bytes();
    let secrets: [&[u8]; 3] = [&handover, opened.volume.bytes(), text.as_bytes()];
    for (out, secret) in outs.into_iter().zip(secrets) {
        if let Some((fd, mut out)) = out {
            out.write_all(secret).map_err(handed(fd))?;
        }
    }
    Ok(())
}

fn phase(tcti: &str, runtime_log: &Path, word: &str) -> Result<(), Failure> {
    let what = "cannot measure the phase";
    let tpm = connect(what, tcti)?;
    let log = RuntimeLog::at(runtime_log);
    match word {
        "enter-initrd" => tpm.enter_initrd(&log),
        _ => tpm.leave_initrd(&log),
    }
    .map_err(|error| Failure {
        what,
        why: error.to_string(),
        code: error.code(),
    })
}

fn approve(key: &Path, pcrs: [Digest; 2], number: u64, out: &Path) -> Result<(), Failure> {
    let what = "cannot approve the change";
    let bad = |path: &Path, why: String| Failure {
        what,
        why: format!("{}: {why}", path.display()),
        code: &code::APPROVAL,
    };
    let pem = fs::read_to_string(key).map_err(|error| bad(key, error.to_string()))?;
    let site = SigningKey::from_pkcs8_pem(&pem)
        .map_err(|_| bad(key, "not a P-256 private key in PKCS#8 PEM".to_owned()))?;
    let [pcr7, pcr11] = pcrs;
    let approval = SiteApproval::sign(&site, pcr7, pcr11, number)
        .ok_or_else(|| bad(key, "the key does not sign".to_owned()))?;
    fs::write(out, approval.to_bytes()).map_err(|error| bad(out, error.to_string()))
}

fn reseal_site(state: &Path, approval: &Path) -> Result<(), Failure> {
    let what = "cannot let the root open to the change";
    let approval = read(what, approval, &code::APPROVAL)?;
    casemate_device::reseal_site(state, &approval).map_err(|error| Failure {
        what,
        why: error.to_string(),
        code: error.code(),
    })
}

fn connect(what: &'static str, tcti: &str) -> Result<Tpm, Failure> {
    Tpm::open(tcti).map_err(|error| Failure {
        what,
        why: error.to_string(),
        code: error.code(),
    })
}

fn read(what: &'static str, path: &Path, code: &'static Code) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure {
        what,
        why: format!("{}: {error}", path.display()),
        code,
    })
}

fn read_key(what: &'static str, path: &Path) -> Result<VerifyingKey, Failure> {
    let bad = |why: String| Failure {
        what,
        why: format!("{}: {why}", path.display()),
        code: &casemate_attest::code::RELEASE_KEY,
    };
    let pem = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    VerifyingKey::from_public_key_pem(&pem).map_err(|_| bad("not a P-256 public key in PEM".into()))
}
