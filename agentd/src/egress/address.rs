//! Which addresses a granted name may have.
//!
//! A name is in somebody's hands: whoever answers for it may answer anything, and
//! another thing the next time. So a grant of a name is not a grant of where it
//! points; that is decided here, and by the kernel's own routing (route.rs).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses below a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    network: IpAddr,
    bits: u8,
}

impl Range {
    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Self {
        let network = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        Self { network, bits }
    }

    const fn v6(first: [u16; 3], bits: u8) -> Self {
        let [a, b, c] = first;
        let network = IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0));
        Self { network, bits }
    }

    /// Whether it holds this address; one of the other family is in none.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (network, address, width) = match (self.network, address) {
            (IpAddr::V4(n), IpAddr::V4(a)) => (n.to_bits().into(), a.to_bits().into(), 32u8),
            (IpAddr::V6(n), IpAddr::V6(a)) => (n.to_bits(), a.to_bits(), 128),
            _ => return false,
        };
        let spare = u32::from(width.saturating_sub(self.bits));
        let head = |bits: u128| bits.checked_shr(spare).unwrap_or(0);
        head(network) == head(address)
    }
}

impl FromStr for Range {
    type Err = String;

    /// `10.1.0.0/16` or one address; the bits beyond the prefix are 0.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let network: IpAddr = address
            .parse()
            .map_err(|_| format!("{text:?} is no address or range"))?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|bits: &u8| *bits <= width && *digits == bits.to_string())
                .ok_or(format!("{text:?} has no prefix of 0 to {width} bits"))?,
        };
        let range = Self { network, bits };
        let beyond = match network {
            IpAddr::V4(n) => u128::from(n.to_bits()),
            IpAddr::V6(n) => n.to_bits(),
        };
        let spare = u32::from(width - bits);
        let mask = 1u128.checked_shl(spare).map_or(u128::MAX, |bit| bit - 1);
        if beyond & mask == 0 {
            Ok(range)
        } else {
            Err(format!("{text:?} has bits beyond its prefix"))
        }
    }
}

/// Never to be reached, whatever a grant says: this machine, this link, everybody,
/// nobody, and the forms in which one address is written inside another.
const NEVER: [(Range, &str); 18] = [
    (Range::v4(0, 0, 0, 0, 8), "this host"),
    (Range::v4(127, 0, 0, 0, 8), "loopback"),
    (
        Range::v4(169, 254, 0, 0, 16),
        "link-local, where clouds keep their secrets",
    ),
    (Range::v4(192, 88, 99, 0, 24), "a relay"),
    (Range::v4(224, 0, 0, 0, 4), "multicast"),
    (Range::v4(240, 0, 0, 0, 4), "reserved or broadcast"),
    // ::, ::1 and the forms that are compatible, mapped and translated.
    (
        Range::v6([0, 0, 0], 64),
        "this host or an IPv4 address in IPv6",
    ),
    (Range::v6([0x64, 0xff9b, 0], 96), "an IPv4 address in IPv6"),
    (Range::v6([0x64, 0xff9b, 1], 48), "an IPv4 address in IPv6"),
    (Range::v6([0x100, 0, 0], 64), "discarded"),
    (Range::v6([0x2001, 0, 0], 32), "an IPv4 address in IPv6"),
    (Range::v6([0x2001, 0xdb8, 0], 32), "documentation"),
    (Range::v6([0x2002, 0, 0], 16), "an IPv4 address in IPv6"),
    (Range::v6([0x3ffe, 0, 0], 16), "retired"),
    (Range::v6([0x5f00, 0, 0], 16), "segment routing"),
    (Range::v6([0xfe80, 0, 0], 10), "link-local"),
    (Range::v6([0xfec0, 0, 0], 10), "retired"),
    (Range::v6([0xff00, 0, 0], 8), "multicast"),
];

/// Not everybody's: reached only where a grant names them.
const PRIVATE: [Range; 10] = [
    Range::v4(10, 0, 0, 0, 8),
    Range::v4(100, 64, 0, 0, 10),
    Range::v4(172, 16, 0, 0, 12),
    Range::v4(192, 0, 0, 0, 24),
    Range::v4(192, 0, 2, 0, 24),
    Range::v4(192, 168, 0, 0, 16),
    Range::v4(198, 18, 0, 0, 15),
    Range::v4(198, 51, 100, 0, 24),
    Range::v4(203, 0, 113, 0, 24),
    Range::v6([0xfc00, 0, 0], 7),
];

/// Whether a name granted with these ranges may have this address. No ranges: any
/// public address.
///
/// # Errors
/// Why not, in words.
pub fn permit(address: IpAddr, ranges: Option<&[Range]>) -> Result<(), String> {
    if let Some((_, what)) = NEVER.iter().find(|(range, _)| range.contains(address)) {
        return Err(format!("{address} is never reached: {what}"));
    }
    match ranges {
        Some(ranges) if ranges.iter().any(|range| range.contains(address)) => Ok(()),
        Some(_) => Err(format!("{address} is in none of the grant's ranges")),
        None if PRIVATE.iter().any(|range| range.contains(address)) => Err(format!(
            "{address} is private and the grant names no ranges"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_one_spelling() {
        for good in [
            "10.0.0.0/8",
            "10.1.2.3",
            "10.1.2.3/32",
            "fd00::/8",
            "::/0",
            "0.0.0.0/0",
        ] {
            assert!(good.parse::<Range>().is_ok(), "{good}");
        }
        for bad in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0/8",
            "fd00::1/8",
            "host",
            "",
            "0x0a.0.0.0/8",
        ] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
        let range: Range = "10.1.0.0/16".parse().unwrap();
        assert!(range.contains("10.1.255.255".parse().unwrap()));
        assert!(!range.contains("10.2.0.0".parse().unwrap()));
        assert!(!range.contains("::ffff:10.1.0.0".parse().unwrap()));
        let all: Range = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.255.255.255".parse().unwrap()));
    }

    #[test]
    fn what_is_never_reached_is_not_reached_by_naming_it() {
        let all: Vec<Range> = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2001:0:1::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(
                permit(address.parse().unwrap(), Some(&all)).is_err(),
                "{address}"
            );
        }
        for address in ["10.0.0.1", "93.184.216.34", "fd00::1", "2606:4700::1"] {
            assert_eq!(
                permit(address.parse().unwrap(), Some(&all)),
                Ok(()),
                "{address}"
            );
        }
    }

    #[test]
    fn without_ranges_only_what_is_public_is_reached() {
        for address in [
            "10.0.0.1",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd00:ec2::254",
        ] {
            assert!(permit(address.parse().unwrap(), None).is_err(), "{address}");
        }
        for address in ["93.184.216.34", "172.32.0.1", "2606:4700::1"] {
            assert_eq!(permit(address.parse().unwrap(), None), Ok(()), "{address}");
        }
        let ten: Vec<Range> = vec!["10.1.0.0/16".parse().unwrap()];
        assert!(permit("10.1.0.1".parse().unwrap(), Some(&ten)).is_ok());
        assert!(permit("10.2.0.1".parse().unwrap(), Some(&ten)).is_err());
        assert!(permit("93.184.216.34".parse().unwrap(), Some(&ten)).is_err());
    }
}
