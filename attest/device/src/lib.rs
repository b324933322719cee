//! The only code that opens a TPM: attestation key, quote, seal, unseal, NV.
//!
//! What it keeps in a TPM, and under which policies, is in docs/formats/tpm.md.
//! Guaranteed to the callers: what is loaded into the TPM is flushed on every
//! path; secrets cross the bus only in sessions salted with the storage root key
//! whose Name was checked; the sealed root leaves the TPM under its policy or not
//! at all. *Not* guaranteed: anything against who controls the TPM itself, which on
//! a virtual machine is the hypervisor's administrator.
//!
//! The client is our own: see docs/formats/tpm.md for why `tss-esapi` does not do.
#![forbid(unsafe_code)]

mod approval;
mod attestation;
pub mod code;
mod connection;
mod counter;
pub mod firmware;
mod handover;
mod logkey;
mod measure;
mod number;
mod nv;
mod object;
mod policy;
mod provision;
mod record;
mod recovery;
mod register;
mod response;
mod root;
mod session;
mod status;
mod storage;
pub mod swtpm;
mod tpm;
mod transport;
mod unseal;
mod wire;

pub use approval::{ApprovalError, SiteApproval, reseal_site};
pub use attestation::{AttestationKey, QuoteError};
pub use connection::TpmError;
pub use counter::CounterAuth;
pub use handover::Handover;
pub use logkey::{LogAuth, LogKey};
pub use measure::{MeasureError, RuntimeLog};
pub use provision::{ProvisionError, Provisioning, provision, recover};
pub use record::{RecordError, SealedState};
pub use recovery::{RecoveryError, RecoveryKey};
pub use register::PcrValue;
pub use response::ResponseCode;
pub use root::{ApplianceRoot, VolumeKey};
pub use status::TpmStatus;
pub use storage::{StorageError, StorageRoot};
pub use tpm::{Clock, Loaded, OpenTpmError, Permanent, Tpm};
pub use transport::{Address, AddressError};
pub use unseal::{Opened, Opening, UnsealError, open, open_whole};
