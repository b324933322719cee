//! What a site grants: the file of `agentd enter --egress`, docs/formats/egress.md.

use std::collections::BTreeSet;

use casemate_protocol::egress::{self, Bounds, Endpoint};
use serde::Deserialize;

use super::address::{self, Range};
use super::code;
use crate::sandbox::Refusal;

/// Where the file is in agentd's tree and the connector's.
pub const PLACE: &str = "/egress.toml";
/// Largest file.
pub const LARGEST: u64 = 256 << 10;

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSite {
    version: u32,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    grant: Vec<RawGrant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    host: String,
    ports: Vec<u16>,
    addresses: Option<Vec<String>>,
}

/// A job's, whatever it reaches. The defaults are ample for documents and small for
/// carrying a data base out.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    sent_bytes: u64,
    received_bytes: u64,
    connections: u32,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            sent_bytes: 64 << 20,
            received_bytes: 1 << 30,
            connections: 4096,
        }
    }
}

/// Connections of a job at once; more wait.
const AT_ONCE: u32 = 64;
/// A client sends its head in one piece.
const HEAD_MS: u64 = 10_000;
/// Longer than servers keep an idle connection.
const IDLE_MS: u64 = 120_000;

/// A name, its ports, and where it may point.
#[derive(Debug, Clone)]
pub struct Grant {
    host: String,
    ports: BTreeSet<u16>,
    addresses: Option<Vec<Range>>,
}

/// The checked file.
#[derive(Debug, Clone)]
pub struct Site {
    grants: Vec<Grant>,
    bounds: Bounds,
}

impl Site {
    /// Reads it.
    ///
    /// # Errors
    /// `egress.file`, with the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refused = |why: String| Refusal::new(&code::FILE, "the egress file is not used", why);
        let raw: RawSite = toml::from_str(text).map_err(|e| refused(e.to_string()))?;
        raw.check().map_err(refused)
    }

    /// What a job's connections may use.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Whether a job may name this.
    pub fn covers(&self, asked: &Endpoint) -> bool {
        self.grants.iter().any(|grant| {
            grant.ports.contains(&asked.port) && egress::pattern_covers(&grant.host, &asked.host)
        })
    }

    /// The ports of all grants.
    pub fn ports(&self) -> BTreeSet<u16> {
        self.grants
            .iter()
            .flat_map(|grant| &grant.ports)
            .copied()
            .collect()
    }

    /// The grant of one name and port: the exact one before one with a star.
    pub fn grant(&self, host: &str, port: u16) -> Option<&Grant> {
        let fits = |grant: &&Grant| {
            grant.ports.contains(&port) && egress::pattern_covers(&grant.host, host)
        };
        let mut all = self.grants.iter().filter(fits);
        let first = all.clone().find(|grant| grant.host == host);
        first
            .or_else(|| all.next())
            .filter(|_| egress::is_name(host))
    }
}

impl Grant {
    /// See [`address::permit`].
    ///
    /// # Errors
    /// Why not, in words.
    pub fn permit(&self, address: std::net::IpAddr) -> Result<(), String> {
        address::permit(address, self.addresses.as_deref())
    }
}

impl RawSite {
    fn check(self) -> Result<Site, String> {
        if self.version != 1 {
            return Err(format!("version {} is not 1", self.version));
        }
        let RawLimits {
            sent_bytes: sent,
            received_bytes: received,
            connections: in_all,
        } = self.limits;
        if sent == 0 || received == 0 || in_all == 0 {
            return Err("a limit is 0; leave the grants out instead".to_owned());
        }
        let grants = self.grant.into_iter().map(RawGrant::check);
        let grants = grants.collect::<Result<Vec<_>, _>>()?;
        // Two grants of one name and port could permit different addresses.
        for (place, one) in grants.iter().enumerate() {
            let rest = grants.get(place.saturating_add(1)..).unwrap_or_default();
            let twice =
                |other: &&Grant| one.host == other.host && !one.ports.is_disjoint(&other.ports);
            if rest.iter().any(|other| twice(&other)) {
                return Err(format!("{} is granted twice on one port", one.host));
            }
        }
        let bounds = Bounds {
            sent,
            received,
            at_once: AT_ONCE,
            in_all,
            head_ms: HEAD_MS,
            idle_ms: IDLE_MS,
        };
        Ok(Site { grants, bounds })
    }
}

impl RawGrant {
    fn check(self) -> Result<Grant, String> {
        if !egress::is_pattern(&self.host) {
            return Err(format!(
                "{:?} is not a name in lower case, at most with `*.`",
                self.host
            ));
        }
        let ports: BTreeSet<u16> = self.ports.iter().copied().collect();
        if ports.is_empty() || ports.contains(&0) || ports.len() != self.ports.len() {
            return Err(format!("{} has no list of ports, each once", self.host));
        }
        let addresses = match &self.addresses {
            None => None,
            Some(texts) if texts.is_empty() => {
                return Err(format!("{} may have no address at all", self.host));
            }
            Some(texts) => Some(
                texts
                    .iter()
                    .map(|text| text.parse())
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Grant {
            host: self.host,
            ports,
            addresses,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
version = 1
[limits]
sent_bytes = 1000
[[grant]]
host = "files.site.example"
ports = [443, 8443]
addresses = ["10.1.0.0/16"]
[[grant]]
host = "*.site.example"
ports = [443]
"#;

    #[test]
    fn a_site_grants_what_it_names() {
        let site = Site::parse(GOOD).unwrap();
        let covers = |text: &str| site.covers(&Endpoint::parse(text).unwrap());
        assert!(covers("files.site.example:8443") && covers("a.site.example:443"));
        assert!(covers("*.site.example:443"));
        for no in [
            "a.site.example:8443",
            "site.example:443",
            "*.site.example:8443",
            "x.example:443",
        ] {
            assert!(!covers(no), "{no}");
        }
        let exact = site.grant("files.site.example", 443).unwrap();
        assert!(exact.permit("10.1.0.1".parse().unwrap()).is_ok());
        let star = site.grant("b.site.example", 443).unwrap();
        assert!(star.permit("10.1.0.1".parse().unwrap()).is_err());
        assert!(site.grant("*.site.example", 443).is_none());
        assert_eq!(site.bounds().sent, 1000);
        assert_eq!(site.ports(), [443, 8443].into());
        assert!(Site::parse("version = 1").unwrap().ports().is_empty());
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (from, to) in [
            ("version = 1", "version = 2"),
            ("sent_bytes = 1000", "sent_bytes = 0"),
            ("sent_bytes", "bytes"),
            ("files.site.example", "10.0.0.1"),
            ("files.site.example", "Files.site.example"),
            ("files.site.example", "*.site.example"),
            ("[443, 8443]", "[]"),
            ("[443, 8443]", "[0]"),
            ("[443, 8443]", "[443, 443]"),
            ("\"10.1.0.0/16\"", ""),
            ("\"10.1.0.0/16\"", "\"10.1.0.0/8\""),
            ("addresses", "address"),
            ("[limits]", "[limit]"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            assert_eq!(
                Site::parse(&text).unwrap_err().code.id,
                "egress.file",
                "{to}"
            );
        }
    }
}
