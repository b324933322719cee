//! `unseal`: asks the TPM for the appliance root, hands over what is derived from it, and ends.
#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_attest::code::Code;
use casemate_attest::digest::Digest;
use casemate_device::{Opening, Provisioning, RuntimeLog, SiteApproval, Tpm, code};
use clap::{Parser, Subcommand};
use p256::ecdsa::{SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};

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

#[derive(Debug, Subcommand)]
enum Command {
    /// First boot: take ownership of the TPM and seal a new root
    Provision {
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
        /// Shut older releases out from now on
        #[arg(long)]
        raise_floor: bool,
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
        Command::Provision {
            tpm,
            state,
            release,
            release_key,
            site_key,
            firmware_log,
        } => {
            let inputs = [&release, &release_key, &site_key, &firmware_log];
            provision(&tpm, &state, inputs)
        }
        Command::Open {
            tpm,
            state,
            release,
            runtime_log,
            out_fd,
            volume_fd,
            raise_floor,
        } => {
            let opening = (state, release, runtime_log);
            open(&tpm, &opening, [Some(out_fd), volume_fd], raise_floor)
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

fn provision(tcti: &str, state: &Path, inputs: [&PathBuf; 4]) -> Result<(), Failure> {
    let what = "cannot set up the appliance on this TPM";
    let [release, release_key, site_key, firmware_log] = inputs;
    let tpm = connect(what, tcti)?;
    let provisioning = Provisioning {
        state,
        release: &read(what, release, &code::OTHER_RELEASE)?,
        release_key: &read_key(what, release_key)?,
        site_key: &read_key(what, site_key)?,
        firmware_log: &read(what, firmware_log, &code::FIRMWARE_LOG)?,
    };
    casemate_device::provision(&tpm, provisioning).map_err(|error| Failure {
        what,
        why: error.to_string(),
        code: error.code(),
    })
}

fn open(
    tcti: &str,
    (state, release, runtime_log): &(PathBuf, PathBuf, PathBuf),
    descriptors: [Option<u32>; 2],
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
    for fd in descriptors.into_iter().flatten() {
        let path = format!("/proc/self/fd/{fd}");
        let out = OpenOptions::new().write(true).open(path);
        outs.push((fd, out.map_err(handed(fd))?));
    }
    let release = read(what, release, &code::OTHER_RELEASE)?;
    let tpm = connect(what, tcti)?;
    let opening = Opening {
        state,
        release: &release,
        runtime_log,
        raise_floor,
    };
    let (handover, volume) =
        casemate_device::open_with_volume(&tpm, opening).map_err(|error| Failure {
            what,
            why: error.to_string(),
            code: error.code(),
        })?;
    let handover = handover.to_bytes();
    let secrets: [&[u8]; 2] = [&handover, volume.bytes()];
    for ((fd, out), secret) in outs.iter_mut().zip(secrets) {
        out.write_all(secret).map_err(handed(*fd))?;
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
