//! TPM 2.0 structures, read strictly from bytes without a TPM library.

/// `TPM_ALG_SHA256`.
pub const ALG_SHA256: u16 = 0x000b;
