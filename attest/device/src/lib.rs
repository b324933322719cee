//! The only code that opens a TPM: attestation key, quote, seal, unseal, NV.
