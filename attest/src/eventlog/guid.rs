//! `EFI_GUID`s and the names of those that firmware measures (UEFI Specification 2.10).

use std::fmt;

/// An `EFI_GUID` in its order of bytes: three little-endian numbers and eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid([u8; 16]);

impl Guid {
    /// `EFI_GLOBAL_VARIABLE`: `SecureBoot`, `PK`, `KEK`, `BootOrder`, ...
    pub const GLOBAL: Self = Self::of(0x8be4_df61, 0x93ca, 0x11d2, 0xaa0d_00e0_9803_2b8c);
    /// `EFI_IMAGE_SECURITY_DATABASE`: `db`, `dbx`, `dbt`, `dbr`.
    pub const SECURITY: Self = Self::of(0xd719_b2cb, 0x3d3a, 0x4596, 0xa3bc_dad0_0e67_656f);
    /// shim's variables: `MokList`, `SbatLevel`, ...
    pub const SHIM: Self = Self::of(0x605d_ab50, 0xe046, 0x4300, 0xabb6_3dd8_10dd_8b23);
    /// `EFI_CERT_X509`: a certificate.
    pub const CERT_X509: Self = Self::of(0xa5c0_59a1, 0x94e4, 0x4aa7, 0x87b5_ab15_5c2b_f072);
    /// `EFI_CERT_SHA256`: the digest of an image.
    pub const CERT_SHA256: Self = Self::of(0xc1c4_1626, 0x504c, 0x4092, 0xaca9_41f9_3693_4328);
    /// `EFI_CERT_SHA1`.
    pub const CERT_SHA1: Self = Self::of(0x826c_a512, 0xcf10, 0x4ac9, 0xb187_be01_4966_31bd);
    /// `EFI_CERT_SHA384`.
    pub const CERT_SHA384: Self = Self::of(0xff3e_5307, 0x9fd0, 0x48c9, 0x85f1_8ad5_6c70_1e01);
    /// `EFI_CERT_SHA512`.
    pub const CERT_SHA512: Self = Self::of(0x093e_0fae, 0xa6c4, 0x4f50, 0x9f1b_d41e_2b89_c19a);
    /// `EFI_CERT_RSA2048`.
    pub const CERT_RSA2048: Self = Self::of(0x3c57_66e8, 0x269c, 0x4e34, 0xaa14_ed77_6e85_b3b6);
    /// `EFI_CERT_X509_SHA256`: the digest of a revoked certificate's signed part.
    pub const CERT_X509_SHA256: Self = Self::of(0x3bd2_a492, 0x96c0, 0x4079, 0xb420_fcf9_8ef1_03ed);
    /// Microsoft as the owner of a signature.
    pub const MICROSOFT: Self = Self::of(0x77fa_9abd, 0x0359, 0x4d32, 0xbd60_28f4_e78f_784b);

    /// The GUID of these bytes, as they stand in a structure.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, as they stand in a structure.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    const fn of(first: u32, second: u16, third: u16, last: u64) -> Self {
        let ([a, b, c, d], [e, f]) = (first.to_le_bytes(), second.to_le_bytes());
        let ([g, h], [i, j, k, l, m, n, o, p]) = (third.to_le_bytes(), last.to_be_bytes());
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// A short name, for those that firmware and loaders usually measure.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        let named = [
            (Self::GLOBAL, "global"),
            (Self::SECURITY, "security database"),
            (Self::SHIM, "shim"),
            (Self::CERT_X509, "X.509"),
            (Self::CERT_SHA256, "SHA-256"),
            (Self::CERT_SHA1, "SHA-1"),
            (Self::CERT_SHA384, "SHA-384"),
            (Self::CERT_SHA512, "SHA-512"),
            (Self::CERT_RSA2048, "RSA-2048"),
            (Self::CERT_X509_SHA256, "X.509 SHA-256"),
            (Self::MICROSOFT, "Microsoft"),
        ];
        let found = named.iter().find(|(guid, _)| guid == self);
        found.map(|(_, name)| *name)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        let first = u32::from_le_bytes([a, b, c, d]);
        let (second, third) = (u16::from_le_bytes([e, g]), u16::from_le_bytes([h, i]));
        let rest = u64::from_be_bytes(rest);
        let (fourth, last) = (rest >> 48, rest & 0xffff_ffff_ffff);
        write!(
            f,
            "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{last:012x}"
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Guid;

    #[test]
    fn a_guid_is_written_as_the_specification_writes_it() {
        let text = Guid::GLOBAL.to_string();
        assert_eq!(text, "8be4df61-93ca-11d2-aa0d-00e098032b8c");
        assert_eq!(Guid::GLOBAL.as_bytes()[..4], [0x61, 0xdf, 0xe4, 0x8b]);
    }
}
