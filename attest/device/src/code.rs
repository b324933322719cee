//! The stable codes of everything that touches the TPM, for docs/errors.md.

use casemate_attest::code::Code;

use crate::approval::ApprovalError;
use crate::attestation::QuoteError;
use crate::connection::TpmError;
use crate::firmware::FirmwareError;
use crate::measure::MeasureError;
use crate::provision::ProvisionError;
use crate::record::RecordError;
use crate::recovery::RecoveryError;
use crate::response::ResponseCode;
use crate::storage::StorageError;
use crate::tpm::OpenTpmError;
use crate::unseal::UnsealError;

macro_rules! codes {
    ($($name:ident = $id:literal, $what:literal, $next:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $what)]
            pub const $name: Code = Code { id: $id, what: $what, next: $next };
        )*
        /// Every code of this crate.
        pub const CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    ADDRESS = "tpm.address",
        "The TPM's address on the command line is malformed.",
        "Write device:/dev/tpmrm0, or for a software TPM swtpm:path=/absolute/socket.";
    UNREACHABLE = "tpm.unreachable",
        "No TPM answers at the given address, or the connection broke.",
        "Check that the TPM is enabled in the firmware or added to the virtual machine, and that no other process holds it.";
    FAILED = "tpm.failed",
        "The TPM refused a command for a reason that is none of ours.",
        "Look the response up; reset the machine once; a TPM in failure mode must be replaced.";
    FAILURE_MODE = "tpm.failure-mode",
        "The TPM found a fault in itself and refuses everything.",
        "Power the machine off and on; if it stays so, the TPM must be replaced and the appliance restored with its recovery key.";
    NOT_STARTED = "tpm.not-started",
        "The TPM was not started: no firmware ran before us.",
        "Boot the machine through its firmware; on a development stand start the stand, which does it.";
    DISABLED = "tpm.disabled",
        "The TPM, or the hierarchy of keys that is needed, is switched off.",
        "Enable the TPM and its owner and endorsement hierarchies in the firmware's menu.";
    FULL = "tpm.full",
        "The TPM has no room left for a key, a session or an NV index.",
        "End the other programs that use the TPM, or reset the machine; remove NV indices that nobody needs.";
    BUSY = "tpm.busy",
        "The TPM asked for patience each time, for too long.",
        "Wait a minute and try again; if it stays so, reset the machine.";
    BANK = "tpm.bank",
        "The TPM's SHA-256 bank of registers is not in use.",
        "Enable SHA-256 for the TPM's PCR banks in the firmware's menu and boot again.";
    ALTERED = "tpm.altered",
        "An answer of the TPM was altered or malformed on its way.",
        "Suspect the bus between processor and TPM; do not enter secrets on this machine.";
    RANDOM = "tpm.random",
        "The kernel gave no random numbers.",
        "Check the machine; no key can be made without them.";
    OTHER = "tpm.other",
        "The state was made with another TPM, or this TPM was cleared since.",
        "Move the disk back to its machine, or restore the appliance with its recovery key.";
    POLICY = "tpm.policy",
        "The TPM keeps the root because a register or the version floor is not as the policy asks.",
        "Boot the release and the firmware settings that were enrolled; for an intended change reseal under the site's key, or use the recovery key.";
    BESIDE = "tpm.beside",
        "A command line, a credential or an extension that is not in the signed image was loaded beside it.",
        "Remove what lies beside the image on the boot partition (*.cred, *.raw, *.addon.efi, loader/), find out who put it there, and boot again.";
    LATCHED = "tpm.latched",
        "The root was opened already since the TPM was last reset.",
        "Reboot the machine (the development stand: stop it and start it again).";
    FLOOR = "tpm.floor",
        "The release is older than the oldest that this appliance may open its root to.",
        "Install the newest release.";
    FLOOR_INDEX = "tpm.floor-missing",
        "The version floor is gone from the TPM or was defined differently.",
        "Treat the machine as tampered with; restore with the recovery key on a cleared TPM.";
    LOCKOUT = "tpm.lockout",
        "The TPM is locked out because of wrong authorisations.",
        "Leave the machine on for as long as the message says, then try again; find out who tried (casemate tpm status shows the count).";
    OWNED = "tpm.owned",
        "The TPM has an owner already, so an appliance cannot be set up on it.",
        "Clear the TPM in the firmware's menu, which destroys what it protects, then start again.";
    FOREIGN_OWNER = "tpm.foreign-owner",
        "While a first boot was interrupted, somebody else set the TPM's owner or lockout authorisation.",
        "Find out who had access to the machine; clear the TPM in the firmware's menu and start again: nothing is stored yet that could be lost.";
    STATE_MISSING = "tpm.state-missing",
        "There is no sealed root in the state directory.",
        "Check the state directory; a new appliance is set up by unseal provision.";
    STATE_EXISTS = "tpm.state-exists",
        "The appliance is set up already.",
        "Use unseal open; to begin anew, remove the state and clear the TPM.";
    STATE_DAMAGED = "tpm.state-damaged",
        "The record of the sealed root is damaged or cannot be read or written.",
        "Restore root.cbor from a backup; it holds nothing secret.";
    STATE_VERSION = "tpm.state-version",
        "The root was sealed under another version of the policy than this program's.",
        "Run the version that sealed it; on a development stand `make clean` and begin anew.";
    APPROVAL = "tpm.approval",
        "The approval of a change is malformed or not signed by the site key of this appliance.",
        "Have the site approve the change again with the key that this appliance was set up with.";
    FIRMWARE_LOG = "tpm.firmware-log",
        "The firmware's event log is malformed or does not lead to what the TPM holds.",
        "Reset the machine; if it stays so, its firmware cannot be measured.";
    SECURE_BOOT = "tpm.secure-boot",
        "Secure Boot is off, in setup mode, or not measured, so nothing may be sealed to it.",
        "Turn Secure Boot on with the release's keys in the firmware, then start again.";
    UNMEASURED = "tpm.unmeasured",
        "A register to be sealed to was never measured into.",
        "Check that the firmware measures into the SHA-256 bank.";
    OTHER_RELEASE = "tpm.other-release",
        "What booted is not the release whose manifest was given.",
        "Give the manifest of the installed release.";
    NOT_RESET = "tpm.not-reset",
        "A measured start needs a TPM fresh from reset.",
        "Stop the stand's TPM and start it again.";
    RUNTIME_LOG = "tpm.runtime-log",
        "The log of run-time measurements cannot be written.",
        "Free space in the run directory or correct its permissions, then reset the machine.";
    UNSTEADY = "tpm.unsteady",
        "The registers changed during every attempt to quote them.",
        "Try again; something measures all the time.";
    RECOVERY_MISSING = "recovery.missing",
        "There is no record of a recovery key beside the state, or it cannot be read.",
        "Give the state directory of the appliance whose key this is; without its record a recovery key opens nothing.";
    RECOVERY_TYPED = "recovery.typed",
        "What was typed is not a recovery key: a group has an error, or groups are missing.",
        "Type all eight groups of six digits again, the named one with care.";
    RECOVERY_OTHER = "recovery.other",
        "The recovery key is well typed and is not the one that this appliance's root was last wrapped under.",
        "Look for the key with the latest date: a key that was shown later takes the place of an earlier one.";
    RECOVERY_DAMAGED = "recovery.damaged",
        "The record of the recovery key is damaged.",
        "Restore recovery.cbor from a copy of the disk; it holds nothing secret.";
    HANDOVER = "tpm.handover",
        "The handover could not be written to the descriptor, or what is on it is no handover.",
        "Start unseal from the launcher, which passes the descriptor.";
    SWTPM = "tpm.swtpm",
        "The software TPM of the development stand does not start.",
        "Install swtpm (make does) and read its log in the run directory.";
}

/// The stable code of a refusal.
fn refused(code: ResponseCode) -> &'static Code {
    if code.is_lockout() {
        &LOCKOUT
    } else if code.is_failure_mode() {
        &FAILURE_MODE
    } else if code.is_not_started() {
        &NOT_STARTED
    } else if code.is_disabled() {
        &DISABLED
    } else if code.is_full() {
        &FULL
    } else if code.is_retry() {
        &BUSY
    } else {
        &FAILED
    }
}

impl TpmError {
    /// The stable code of this error.
    #[must_use]
    pub fn stable(&self) -> &'static Code {
        match self {
            Self::Connection(_) => &UNREACHABLE,
            Self::Refused { code, .. } => refused(*code),
            Self::Malformed { .. } | Self::Altered { .. } => &ALTERED,
            Self::Bank { .. } => &BANK,
            Self::Random => &RANDOM,
        }
    }
}

impl OpenTpmError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Address(_) => &ADDRESS,
            Self::Unreachable { .. } => &UNREACHABLE,
            Self::Tpm(error) => error.stable(),
        }
    }
}

impl StorageError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Absent | Self::Other { .. } => &OTHER,
            Self::Tpm(error) => error.stable(),
        }
    }
}

impl QuoteError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Unsteady => &UNSTEADY,
            Self::Tpm(error) => error.stable(),
        }
    }
}

impl FirmwareError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Log(error) => error.code(),
            Self::Bank | Self::Replay { .. } => &FIRMWARE_LOG,
            Self::SecureBoot { .. } => &SECURE_BOOT,
            Self::Unmeasured { .. } => &UNMEASURED,
        }
    }
}

impl MeasureError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Firmware(error) => error.code(),
            Self::NotReset { .. } => &NOT_RESET,
            Self::Log { .. } => &RUNTIME_LOG,
            Self::Tpm(error) => error.stable(),
        }
    }
}

impl RecoveryError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::File { .. } => &RECOVERY_MISSING,
            Self::Form | Self::Group(_) => &RECOVERY_TYPED,
            Self::Other => &RECOVERY_OTHER,
            Self::Damaged(_) => &RECOVERY_DAMAGED,
        }
    }
}

impl RecordError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Missing(_) => &STATE_MISSING,
            Self::Version { .. } => &STATE_VERSION,
            Self::File { .. } | Self::Damaged { .. } => &STATE_DAMAGED,
        }
    }
}

impl UnsealError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Record(error) => error.code(),
            Self::Release(error) => error.code(),
            Self::Key { .. } => &STATE_DAMAGED,
            Self::Storage(error) => error.code(),
            Self::Foreign => &OTHER,
            Self::Latched { .. } => &LATCHED,
            Self::Register {
                register: 12 | 13, ..
            } => &BESIDE,
            Self::Register { .. } | Self::Policy(_) => &POLICY,
            Self::Floor { .. } => &FLOOR,
            Self::FloorIndex => &FLOOR_INDEX,
            Self::Lockout(_) => &LOCKOUT,
            Self::Measure(error) => error.code(),
            Self::Tpm(error) => error.stable(),
        }
    }
}

impl ApprovalError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Format(_) | Self::Signature => &APPROVAL,
            Self::Record(error) => error.code(),
        }
    }
}

impl ProvisionError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Exists(_) => &STATE_EXISTS,
            Self::Release(error) => error.code(),
            Self::Firmware(error) => error.code(),
            Self::OtherRelease { .. } => &OTHER_RELEASE,
            Self::Beside { .. } => &BESIDE,
            Self::Latched { .. } => &LATCHED,
            Self::Owned(_) => &OWNED,
            Self::Foreign { .. } => &FOREIGN_OWNER,
            Self::Lockout(_) => &LOCKOUT,
            Self::Record(error) => error.code(),
            Self::Resume(error) => error.code(),
            Self::Recovery(error) => error.code(),
            Self::Tpm(error) => error.stable(),
        }
    }
}

/// The exit code that a binary ends with for a code of ours (docs/errors.md).
#[must_use]
pub fn exit(code: &Code) -> u8 {
    match code.id {
        "tpm.unreachable" | "tpm.swtpm" | "tpm.not-started" | "tpm.busy" => 3,
        "tpm.address" | "release.malformed" | "tpm.firmware-log" | "tpm.handover"
        | "recovery.typed" => 2,
        "tpm.state-damaged" | "tpm.state-version" | "recovery.damaged" => 5,
        "tpm.failed" | "tpm.failure-mode" | "tpm.full" | "tpm.random" | "tpm.runtime-log"
        | "tpm.unsteady" => 70,
        _ => 4,
    }
}
