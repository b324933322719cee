//! TPM response codes, said in words.

/// A response code other than success (TPM 2.0 Library Part 2, section 6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseCode(pub u32);

impl ResponseCode {
    /// The code without the number of the parameter, handle or session it is about.
    #[must_use]
    pub const fn base(self) -> u32 {
        // Format one (bit 7) carries P/N in bits 6 and 8-11.
        if self.0 & 0x80 != 0 {
            self.0 & 0x0BF
        } else {
            self.0
        }
    }
    /// A policy assertion or a whole policy was not met.
    #[must_use]
    pub const fn is_policy(self) -> bool {
        // TPM_RC_POLICY_FAIL and TPM_RC_POLICY.
        matches!(self.base(), 0x9D | 0x126)
    }
    /// Dictionary-attack lockout.
    #[must_use]
    pub const fn is_lockout(self) -> bool {
        self.base() == 0x921
    }
    /// No such handle: the object or index is not in this TPM.
    #[must_use]
    pub const fn is_handle(self) -> bool {
        self.base() == 0x8B
    }
    /// The blob was made by another TPM, or edited.
    #[must_use]
    pub const fn is_integrity(self) -> bool {
        self.base() == 0x9F
    }
    /// `TPM2_Startup` has not been called.
    #[must_use]
    pub const fn is_not_started(self) -> bool {
        self.base() == 0x100
    }
    /// The TPM found a fault in itself and does nothing more until it is reset.
    #[must_use]
    pub const fn is_failure_mode(self) -> bool {
        self.base() == 0x101
    }
    /// A hierarchy or a command was switched off.
    #[must_use]
    pub const fn is_disabled(self) -> bool {
        matches!(self.base(), 0x85 | 0x120)
    }
    /// No room: object slots, session slots, memory, NV space.
    #[must_use]
    pub const fn is_full(self) -> bool {
        matches!(self.base(), 0x14B | 0x901..=0x906)
    }
    /// An authorisation value was wrong.
    #[must_use]
    pub const fn is_auth(self) -> bool {
        matches!(self.base(), 0x8E | 0xA2)
    }
    /// The TPM asks for the same command again.
    #[must_use]
    pub(crate) const fn is_retry(self) -> bool {
        // Retry, yielded, testing, NV written too often, NV not available.
        matches!(self.base(), 0x922 | 0x908 | 0x90A | 0x920 | 0x923)
    }
    const fn words(self) -> &'static str {
        match self.base() {
            0x82 => "an attribute is not allowed here",
            0x84 => "a value is not what it must be",
            0x85 => "the hierarchy is disabled or not allowed here",
            0x8B => "no such object or index",
            0x8E => "authorisation failed",
            0x9B => "wrong signature",
            0x9D => "the policy is not met",
            0x9F => "not made by this TPM, or edited",
            0xA2 => "wrong authorisation",
            0x100 => "the TPM has not been started",
            0x101 => "the TPM is in failure mode",
            0x120 => "the command or hierarchy is disabled",
            0x126 => "a policy comparison does not hold",
            0x128 => "a PCR changed meanwhile",
            0x12F => "this authorisation is not available here",
            0x149 => "not authorised to touch this NV index",
            0x14A => "the NV index was never written",
            0x14B => "no room for an NV index",
            0x14C => "the NV index exists already",
            0x902 => "no free object slot",
            0x903 => "no free session slot",
            0x920 => "NV memory was written too often in a short time",
            0x922 | 0x90A => "busy",
            0x923 => "NV memory is not available now",
            0x921 => "locked out after wrong authorisations",
            _ => "see TPM 2.0 Library Part 2, section 6.6",
        }
    }
}

impl std::fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TPM response 0x{:03x}: {}", self.0, self.words())
    }
}
