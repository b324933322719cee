//! Policy digests of the sealed root, computed without a TPM.
//!
//! The release builder signs what a TPM will compute at unsealing, and the
//! appliance seals to what both compute: this file is the one place where that
//! arithmetic stands (TPM 2.0 Library Part 3, section 23; the order of commands
//! and the constants are in docs/formats/tpm.md). Nothing here decides whether a
//! policy is *good*; it only says what its digest is.

use sha2::{Digest as _, Sha256};

/// A SHA-256 policy digest or PCR value.
pub type Digest = [u8; 32];

/// NV index of the version floor.
pub const FLOOR_INDEX: u32 = 0x0180_4D01;
/// Attributes the floor is defined with: POLICYWRITE, AUTHREAD, NO_DA.
pub const FLOOR_ATTRIBUTES: u32 = 0x0204_0008;
/// NV index of the rollback counter.
pub const COUNTER_INDEX: u32 = 0x0180_4D02;
/// Attributes the counter is defined with: AUTHWRITE, NT_COUNTER, AUTHREAD, NO_DA.
pub const COUNTER_ATTRIBUTES: u32 = 0x0204_0014;
/// `TPMA_NV_WRITTEN`, set by the TPM at the first write and part of the Name.
pub const NV_WRITTEN: u32 = 0x2000_0000;
/// `TPM_RH_OWNER`; the Name of a hierarchy is its handle.
pub const OWNER: u32 = 0x4000_0001;

/// policyRef of a policy approved by the release key.
pub const RELEASE_REF: &[u8] = b"casemate release v1";
/// policyRef of a policy approved by the site key.
pub const SITE_REF: &[u8] = b"casemate site v1";

const ALG_SHA256: u16 = 0x000B;
const ALG_NULL: u16 = 0x0010;
const ALG_ECDSA: u16 = 0x0018;
const ALG_ECC: u16 = 0x0023;
const CURVE_P256: u16 = 0x0003;
const CC_POLICY_NV: u32 = 0x0149;
const CC_NV_WRITE: u32 = 0x0137;
const CC_POLICY_SECRET: u32 = 0x0151;
const CC_POLICY_AUTHORIZE: u32 = 0x016A;
const CC_POLICY_COMMAND_CODE: u32 = 0x016C;
const CC_POLICY_OR: u32 = 0x0171;
const CC_POLICY_PCR: u32 = 0x017F;
/// `TPM_EO_UNSIGNED_LE`: the NV value is at most operandB.
pub const UNSIGNED_LE: u16 = 0x0009;

/// A policy session's digest as the TPM would hold it after the same commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy(Digest);

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy {
    /// A fresh session: 32 zero bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; 32])
    }

    /// The digest reached.
    #[must_use]
    pub const fn digest(self) -> Digest {
        self.0
    }

    /// `TPM2_PolicyPCR` over the SHA-256 bank; `values` sorted by register.
    #[must_use]
    pub fn pcr(self, values: &[(u8, Digest)]) -> Self {
        let registers: Vec<u8> = values.iter().map(|(register, _)| *register).collect();
        self.update(
            CC_POLICY_PCR,
            &[&pcr_selection(&registers), &pcr_digest(values)],
        )
    }

    /// `TPM2_PolicyNV`: the floor index holds at most `version`.
    #[must_use]
    pub fn floor_at_most(self, version: u64) -> Self {
        let mut args = Sha256::new();
        args.update(version.to_be_bytes());
        args.update(0u16.to_be_bytes());
        args.update(UNSIGNED_LE.to_be_bytes());
        let args: Digest = args.finalize().into();
        self.update(CC_POLICY_NV, &[&args, &floor_name()])
    }

    /// `TPM2_PolicyAuthorize`: replaces the digest by key and reference.
    #[must_use]
    pub fn authorize(self, key_name: &[u8], reference: &[u8]) -> Self {
        Self::new()
            .update(CC_POLICY_AUTHORIZE, &[key_name])
            .then(reference)
    }

    /// `TPM2_PolicySecret` with an empty policyRef.
    #[must_use]
    pub fn secret(self, entity_name: &[u8]) -> Self {
        self.update(CC_POLICY_SECRET, &[entity_name]).then(&[])
    }

    /// `TPM2_PolicyCommandCode`.
    #[must_use]
    pub fn command_code(self, code: u32) -> Self {
        self.update(CC_POLICY_COMMAND_CODE, &[&code.to_be_bytes()])
    }

    /// `TPM2_PolicyOR` of two branches.
    #[must_use]
    pub fn or(a: Digest, b: Digest) -> Self {
        Self::new().update(CC_POLICY_OR, &[&a, &b])
    }

    fn update(self, code: u32, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(code.to_be_bytes());
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    fn then(self, part: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(part);
        Self(hash.finalize().into())
    }
}

/// `TPML_PCR_SELECTION` of these registers (0 to 23) in the SHA-256 bank.
#[must_use]
pub fn pcr_selection(registers: &[u8]) -> Vec<u8> {
    let mask = registers
        .iter()
        .filter(|r| **r < 24)
        .fold(0u32, |mask, r| mask | (1 << r));
    let [low, middle, high, _] = mask.to_le_bytes();
    let mut out = 1u32.to_be_bytes().to_vec();
    out.extend(ALG_SHA256.to_be_bytes());
    out.extend([3, low, middle, high]);
    out
}

/// The hash over concatenated PCR values that `TPM2_PolicyPCR` and a quote use.
#[must_use]
pub fn pcr_digest(values: &[(u8, Digest)]) -> Digest {
    let mut hash = Sha256::new();
    for (_, value) in values {
        hash.update(value);
    }
    hash.finalize().into()
}

/// Name of an object or index whose nameAlg is SHA-256.
#[must_use]
pub fn name(public: &[u8]) -> Vec<u8> {
    let mut out = ALG_SHA256.to_be_bytes().to_vec();
    out.extend(Sha256::digest(public));
    out
}

/// `TPMS_NV_PUBLIC`.
#[must_use]
pub fn nv_public(index: u32, attributes: u32, policy: &[u8], size: u16) -> Vec<u8> {
    let mut out = index.to_be_bytes().to_vec();
    out.extend(ALG_SHA256.to_be_bytes());
    out.extend(attributes.to_be_bytes());
    out.extend(
        u16::try_from(policy.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes(),
    );
    out.extend(policy);
    out.extend(size.to_be_bytes());
    out
}

/// Policy that must be met to write the floor: owner authorisation, NV_Write only.
#[must_use]
pub fn floor_write_policy() -> Digest {
    Policy::new()
        .secret(&OWNER.to_be_bytes())
        .command_code(CC_NV_WRITE)
        .digest()
}

/// Name of the floor once written; the same on every appliance.
#[must_use]
pub fn floor_name() -> Vec<u8> {
    name(&nv_public(
        FLOOR_INDEX,
        FLOOR_ATTRIBUTES | NV_WRITTEN,
        &floor_write_policy(),
        8,
    ))
}

/// `TPMT_PUBLIC` under which a policy-signing P-256 key is shown to the TPM.
#[must_use]
pub fn signer_public(x: &[u8; 32], y: &[u8; 32]) -> Vec<u8> {
    let mut out = ALG_ECC.to_be_bytes().to_vec();
    out.extend(ALG_SHA256.to_be_bytes());
    out.extend(0x0004_0040u32.to_be_bytes()); // userWithAuth | sign
    out.extend(0u16.to_be_bytes()); // authPolicy
    out.extend(ALG_NULL.to_be_bytes()); // symmetric
    out.extend(ALG_ECDSA.to_be_bytes());
    out.extend(ALG_SHA256.to_be_bytes());
    out.extend(CURVE_P256.to_be_bytes());
    out.extend(ALG_NULL.to_be_bytes()); // kdf
    for coordinate in [x, y] {
        out.extend(32u16.to_be_bytes());
        out.extend(coordinate);
    }
    out
}

/// Registers that must be untouched when the root opens: what lies beside the signed image
/// (command lines and credentials 12, extensions 13), and the latch (15).
pub const UNTOUCHED: [u8; 3] = [12, 13, 15];

/// These registers and the untouched ones, as one `PolicyPCR` takes them: ascending. The mask is
/// made here for those who approve, seal and open, and nothing of it can be left out.
#[must_use]
pub fn with_untouched(measured: &[(u8, Digest)]) -> Vec<(u8, Digest)> {
    let untouched = UNTOUCHED.map(|register| (register, [0; 32]));
    measured.iter().copied().chain(untouched).collect()
}

/// What the release key approves: PCR 11 at entering the initrd, floor <= version.
#[must_use]
pub fn release_approved(pcr11: Digest, version: u64) -> Digest {
    Policy::new()
        .pcr(&[(11, pcr11)])
        .floor_at_most(version)
        .digest()
}

/// What the site key approves: predicted PCR 7 and 11, nothing beside, floor <= version.
#[must_use]
pub fn site_approved(pcr7: Digest, pcr11: Digest, version: u64) -> Digest {
    Policy::new()
        .pcr(&with_untouched(&[(7, pcr7), (11, pcr11)]))
        .floor_at_most(version)
        .digest()
}

/// The digest an approving key signs: `SHA-256(approved || policyRef)`.
#[must_use]
pub fn authorization_hash(approved: &Digest, reference: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(approved);
    hash.update(reference);
    hash.finalize().into()
}

/// Branch A: an approved release, then PCR 7 as enrolled and [`UNTOUCHED`] zero.
#[must_use]
pub fn release_branch(release_key_name: &[u8], pcr7: Digest) -> Digest {
    Policy::new()
        .authorize(release_key_name, RELEASE_REF)
        .pcr(&with_untouched(&[(7, pcr7)]))
        .digest()
}

/// Branch B: whatever the site key approved.
#[must_use]
pub fn site_branch(site_key_name: &[u8]) -> Digest {
    Policy::new().authorize(site_key_name, SITE_REF).digest()
}

/// `EV_IPL`: the type under which systemd measures boot phases, and we with it.
pub const EV_IPL: u32 = 0x0000_000d;
/// The phase that systemd-pcrphase measures into PCR 11 on entering the initrd.
pub const ENTER_INITRD: &[u8] = b"enter-initrd";
/// `EV_EVENT_TAG`: the type of the event that an opening of the root measures into PCR 15.
pub const EV_EVENT_TAG: u32 = 0x0000_0006;
const UNSEAL_TAG: u32 = 0x4353_4d55;

/// The data of the event that opening the root under release `number` measures into PCR 15:
/// `TCG_PCClientTaggedEvent` (PC Client PFP, section 10.4.2.1). Its digest is over these bytes.
#[must_use]
pub fn unseal_event(number: u64) -> Vec<u8> {
    let text = b"casemate unseal v1\0";
    let mut out = UNSEAL_TAG.to_le_bytes().to_vec();
    out.extend(27u32.to_le_bytes()); // the text's 19 bytes and 8 of the number
    out.extend(text);
    out.extend(number.to_be_bytes());
    out
}
