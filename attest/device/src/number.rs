//! Command codes, handles and algorithm numbers (TPM 2.0 Library Part 2).

pub(crate) const ST_NO_SESSIONS: u16 = 0x8001;
pub(crate) const ST_SESSIONS: u16 = 0x8002;

/// `TPM_CC` of the commands we send.
pub(crate) mod cc {
    pub(crate) const EVICT_CONTROL: u32 = 0x0120;
    pub(crate) const NV_UNDEFINE_SPACE: u32 = 0x0122;
    pub(crate) const HIERARCHY_CHANGE_AUTH: u32 = 0x0129;
    pub(crate) const NV_DEFINE_SPACE: u32 = 0x012A;
    pub(crate) const CREATE_PRIMARY: u32 = 0x0131;
    pub(crate) const NV_INCREMENT: u32 = 0x0134;
    pub(crate) const NV_WRITE: u32 = 0x0137;
    pub(crate) const STARTUP: u32 = 0x0144;
    pub(crate) const SHUTDOWN: u32 = 0x0145;
    pub(crate) const ACTIVATE_CREDENTIAL: u32 = 0x0147;
    pub(crate) const CERTIFY: u32 = 0x0148;
    pub(crate) const POLICY_NV: u32 = 0x0149;
    pub(crate) const NV_READ: u32 = 0x014E;
    pub(crate) const POLICY_SECRET: u32 = 0x0151;
    pub(crate) const CREATE: u32 = 0x0153;
    pub(crate) const LOAD: u32 = 0x0157;
    pub(crate) const QUOTE: u32 = 0x0158;
    pub(crate) const SIGN: u32 = 0x015D;
    pub(crate) const UNSEAL: u32 = 0x015E;
    pub(crate) const FLUSH_CONTEXT: u32 = 0x0165;
    pub(crate) const LOAD_EXTERNAL: u32 = 0x0167;
    pub(crate) const NV_READ_PUBLIC: u32 = 0x0169;
    pub(crate) const POLICY_AUTHORIZE: u32 = 0x016A;
    pub(crate) const POLICY_COMMAND_CODE: u32 = 0x016C;
    pub(crate) const POLICY_OR: u32 = 0x0171;
    pub(crate) const READ_PUBLIC: u32 = 0x0173;
    pub(crate) const START_AUTH_SESSION: u32 = 0x0176;
    pub(crate) const VERIFY_SIGNATURE: u32 = 0x0177;
    pub(crate) const GET_CAPABILITY: u32 = 0x017A;
    pub(crate) const PCR_READ: u32 = 0x017E;
    pub(crate) const POLICY_PCR: u32 = 0x017F;
    pub(crate) const READ_CLOCK: u32 = 0x0181;
    pub(crate) const PCR_EXTEND: u32 = 0x0182;
}

pub(crate) const RH_OWNER: u32 = 0x4000_0001;
pub(crate) const RH_NULL: u32 = 0x4000_0007;
pub(crate) const RS_PW: u32 = 0x4000_0009;
pub(crate) const RH_LOCKOUT: u32 = 0x4000_000A;
pub(crate) const RH_ENDORSEMENT: u32 = 0x4000_000B;
pub(crate) const RH_PLATFORM: u32 = 0x4000_000C;

/// `TPMA_SESSION`: keep the session, decrypt the first parameter, encrypt the first answer.
pub(crate) const SESSION_CONTINUE: u8 = 0x01;
pub(crate) const SESSION_DECRYPT: u8 = 0x20;
pub(crate) const SESSION_ENCRYPT: u8 = 0x40;

pub(crate) const ALG_SHA256: u16 = 0x000B;
pub(crate) const ALG_KEYEDHASH: u16 = 0x0008;
pub(crate) const ALG_AES: u16 = 0x0006;
pub(crate) const ALG_NULL: u16 = 0x0010;
pub(crate) const ALG_ECDSA: u16 = 0x0018;
pub(crate) const ALG_ECC: u16 = 0x0023;
pub(crate) const ALG_CFB: u16 = 0x0043;
pub(crate) const CURVE_P256: u16 = 0x0003;

/// The storage root key's place (TCG TPM v2.0 Provisioning Guidance, 7.5.1).
pub(crate) const SRK_HANDLE: u32 = 0x8100_0001;
/// The log key's place.
pub(crate) const LOG_KEY_HANDLE: u32 = 0x8100_4301;
/// NV index of the EK certificate (TCG EK Credential Profile, template L-2).
pub(crate) const EK_CERTIFICATE: u32 = 0x01C0_000A;
/// NV index of the certificate of an RSA 2048 EK (template L-1).
pub(crate) const EK_CERTIFICATE_RSA: u32 = 0x01C0_0002;
