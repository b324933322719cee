//! `GET /v1/tpm`: the TPM, asked on its own thread, and the record of the sealed root.

use casemate_attest::digest::Digest;
use casemate_device::{SealedState, TpmStatus};

use super::appliance::Appliance;
use super::error::ApiError;
use super::view::{ApprovalView, ClockView, LockoutView, SealedView, TpmReport};
use crate::evidence::chip::{Chip, ChipError};

/// What only the TPM knows.
struct Answer {
    status: TpmStatus,
    ek: Vec<u8>,
    ak: Vec<u8>,
    counter: u64,
    floor: u64,
}

/// Asks the TPM; blocks for as long as it takes to make its keys again.
pub(super) fn report(appliance: &Appliance) -> Result<TpmReport, ApiError> {
    let answer = appliance
        .chip
        .ask(ask)
        .map_err(|e| ApiError::unavailable(e.code(), e.to_string()))?;
    let sealed = SealedState::read(&appliance.sealed).ok();
    Ok(view(answer, appliance.release, sealed))
}

fn ask(chip: &Chip) -> Result<Answer, ChipError> {
    let failed = |e: casemate_device::TpmError| ChipError::command("status", &e);
    Ok(Answer {
        status: chip.tpm.status().map_err(failed)?,
        ek: chip.tpm.ek_public().map_err(failed)?,
        ak: chip.tpm.attestation_key().map_err(failed)?.name().to_vec(),
        counter: chip.counter()?,
        floor: chip.root.floor().map_err(failed)?,
    })
}

fn view(answer: Answer, release: u64, sealed: Option<SealedState>) -> TpmReport {
    let Answer {
        status,
        ek,
        ak,
        counter,
        floor,
    } = answer;
    let (permanent, clock) = (status.permanent, status.clock);
    TpmReport {
        manufacturer: status.manufacturer,
        model: status.model,
        firmware: status.firmware,
        revision: status.revision,
        lockout: LockoutView {
            locked: permanent.in_lockout,
            counter: permanent.lockout_counter,
            max: permanent.lockout_max,
            interval_s: permanent.lockout_interval,
            recovery_s: permanent.lockout_recovery,
        },
        clock: ClockView {
            ms: clock.clock.ms,
            powered_ms: clock.since_start_ms,
            resets: clock.clock.resets,
            restarts: clock.clock.restarts,
            safe: clock.safe,
        },
        banks: status.banks,
        owned: permanent.owner_set && permanent.lockout_set,
        ek: Digest::of(&ek).to_string(),
        ek_certificate: status.ek_certificate,
        ek_certificate_rsa: status.ek_certificate_rsa,
        ak: hex::encode(ak),
        counter,
        floor,
        release,
        sealed: sealed.map(|sealed| SealedView {
            pcr7: sealed.pcr7.to_string(),
            pcr11: sealed.pcr11.to_string(),
            epoch: sealed.epoch,
            approval: sealed.site_approval.map(|approval| ApprovalView {
                pcr7: approval.pcr7.to_string(),
                pcr11: approval.pcr11.to_string(),
                number: approval.number,
            }),
        }),
    }
}
