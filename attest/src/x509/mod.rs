//! Endorsement certificates: does an authority that the auditor chose vouch for this TPM?
//!
//! A path validation of our own (RFC 5280, section 6, and the TCG EK Credential Profile, version
//! 2.6), because general ones refuse what TPM vendors do: padding behind a certificate in NV, a
//! critical subjectAltName with a directory name, the year 9999, RSA keys named for OAEP.
//!
//! Not checked: revocation. Vendors publish lists on the network, which is not there.

mod authorities;
mod certificate;
mod chain;
mod extensions;
mod signature;
mod tpm;

pub use authorities::{Authorities, MAX_FILE};
pub use certificate::Certificate;
pub use chain::{Chain, ChainError, Policy, VerifiedCertificate};
pub use tpm::TpmModel;
