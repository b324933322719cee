//! A change of the platform that the site approved before it happens: branch B of the policy.
//!
//! Made where the site key is, carried to the appliance as a file, checked there against the
//! site key the root was sealed with, and kept beside the root. The TPM checks it again at each
//! opening; the check here only says early and in words that it is not the site's.

use std::path::Path;

use casemate_attest::codec::{self, CodecError};
use casemate_attest::digest::Digest;
use casemate_attest::sealing;
use minicbor::{Decode, Encode};
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::ecdsa::{Signature, SigningKey};

use crate::record::{RecordError, RootRecord};
use crate::unseal::key;

/// The name and version of the format.
const FORMAT: &str = "casemate.site-approval.1";
const LIMIT: usize = 512;

/// Why an approval was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The file is no approval.
    #[error("the approval: {0}")]
    Format(#[from] CodecError),
    /// The record of the sealed root cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The site key of this appliance did not sign it.
    #[error("the approval is not signed by the site key that this root was sealed with")]
    Signature,
}

/// A predicted state that the site key approved.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SiteApproval {
    #[n(0)]
    format: String,
    /// PCR 7 after the change.
    #[n(1)]
    pub pcr7: Digest,
    /// PCR 11 at entering the initrd after the change.
    #[n(2)]
    pub pcr11: Digest,
    /// The highest version floor under which the approval opens the root: the number of the
    /// release after the change.
    #[n(3)]
    pub number: u64,
    /// The site key's ECDSA signature, r || s, over the policy that this state meets.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl SiteApproval {
    /// Approves a predicted state with the site key. None if the key cannot sign, which does
    /// not happen for a valid one.
    #[must_use]
    pub fn sign(site_key: &SigningKey, pcr7: Digest, pcr11: Digest, number: u64) -> Option<Self> {
        let hash = hash(&pcr7, &pcr11, number);
        let signature: Signature = site_key.sign_prehash(&hash).ok()?;
        Some(Self {
            format: FORMAT.to_owned(),
            pcr7,
            pcr11,
            number,
            signature: signature.to_bytes().into(),
        })
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads the file: its form, not whose it is.
    ///
    /// # Errors
    /// [`CodecError`] when it is not one canonical approval of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let approval: Self = codec::decode_canonical(bytes, LIMIT)?;
        codec::expect_format(&approval.format, FORMAT)?;
        Ok(approval)
    }
}

fn hash(pcr7: &Digest, pcr11: &Digest, number: u64) -> [u8; 32] {
    let approved = sealing::site_approved(*pcr7.as_bytes(), *pcr11.as_bytes(), number);
    sealing::authorization_hash(&approved, sealing::SITE_REF)
}

/// Takes an approval into the state, so that the root also opens to the change it names.
/// A later approval replaces it.
///
/// # Errors
/// [`ApprovalError`] when it is malformed, not the site's, or the state cannot be written.
pub fn reseal_site(state: &Path, approval: &[u8]) -> Result<(), ApprovalError> {
    let approval = SiteApproval::from_bytes(approval)?;
    let path = RootRecord::path(state);
    let mut record = RootRecord::read(&path)?;
    let site = key(&record.site_key, "site").map_err(|_| ApprovalError::Signature)?;
    let hash = hash(&approval.pcr7, &approval.pcr11, approval.number);
    Signature::from_slice(&approval.signature)
        .and_then(|signature| site.verify_prehash(&hash, &signature))
        .map_err(|_| ApprovalError::Signature)?;
    record.site_approval = Some(approval);
    record.write(&path)?;
    Ok(())
}
