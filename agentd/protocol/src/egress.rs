//! What a job may reach, and the messages by which it is reached.
//!
//! Three parties, each of which believes the one before it less: the proxy reads a
//! hostile program's bytes and has no socket of its own; agentd holds the job's
//! grants; the connector holds the site's, resolves, checks addresses and connects.
//! Descriptors accompany a message (`SCM_RIGHTS`), one packet a message.

use minicbor::{Decode, Encode};

/// Largest packet between proxy, agentd and connector.
pub const PACKET: usize = 2048;

/// A host by its name and one TCP port.
///
/// The name is exact, or `*.` and a name: then any name of exactly one label more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Endpoint {
    /// The name, in lower case.
    #[n(0)]
    pub host: String,
    /// The TCP port.
    #[n(1)]
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Endpoint {
    /// `HOST:PORT` as a grant writes it; see [`is_pattern`] and [`port`].
    pub fn parse(text: &str) -> Option<Self> {
        let (host, digits) = text.rsplit_once(':')?;
        let port = port(digits)?;
        is_pattern(host).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether it is one that [`Endpoint::parse`] can give.
    pub fn is_sound(&self) -> bool {
        is_pattern(&self.host) && self.port != 0
    }

    /// Whether a grant of this is a grant of `host` (a name or a pattern) and `port`.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        self.port == port && pattern_covers(&self.host, host)
    }
}

/// Whether every name that `asked` stands for is one that `granted` stands for.
pub fn pattern_covers(granted: &str, asked: &str) -> bool {
    if granted == asked {
        return true;
    }
    // Exactly one label stands for the star, and a star is within its own pattern only.
    granted
        .strip_prefix('*')
        .zip(asked.split_once('.'))
        .is_some_and(|(suffix, (label, rest))| {
            label != "*" && !label.is_empty() && suffix.strip_prefix('.') == Some(rest)
        })
}

/// Whether this is one host's name as it must be spelt: labels of `a-z 0-9 -`, a
/// last one that begins with a letter, at most 253 bytes.
///
/// Whatever a resolver or a C library would take for an address (`10.1`, `0x7f.1`,
/// `[::1]`) is none, nor is anything with a dot at its end, upper case or other
/// letters than these: a name in another script is written as `xn--`.
pub fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.split('.').all(label)
        && last.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Whether this is a name, or `*.` and a name of at least two labels.
pub fn is_pattern(host: &str) -> bool {
    match host.strip_prefix("*.") {
        Some(rest) => rest.contains('.') && is_name(rest),
        None => is_name(host),
    }
}

/// A port as it must be spelt: decimal, no sign, no leading zero, not 0.
pub fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

/// What one job's connections may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Bounds {
    /// Bytes that may leave, of all connections together.
    #[n(0)]
    pub sent: u64,
    /// Bytes that may come in, of all connections together.
    #[n(1)]
    pub received: u64,
    /// Connections at once.
    #[n(2)]
    pub at_once: u32,
    /// Connections in all, refused ones included.
    #[n(3)]
    pub in_all: u32,
    /// Milliseconds in which a request's head must be complete.
    #[n(4)]
    pub head_ms: u64,
    /// Milliseconds that a connection may be silent.
    #[n(5)]
    pub idle_ms: u64,
}

/// agentd to the proxy of a job.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToProxy {
    /// First: serve the listening socket that comes along.
    #[n(0)]
    Serve {
        /// Within these.
        #[n(0)]
        bounds: Bounds,
    },
    /// The connection that was asked for comes along.
    #[n(1)]
    Opened {
        /// See [`FromProxy::Open`].
        #[n(0)]
        number: u32,
    },
    /// It was not made.
    #[n(2)]
    Refused {
        /// See [`FromProxy::Open`].
        #[n(0)]
        number: u32,
        /// Stable code.
        #[n(1)]
        code: String,
    },
}

/// The proxy of a job to agentd. It has read a hostile program's bytes: whatever it
/// says is checked, and what it says of bytes is its own word.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FromProxy {
    /// Please connect; answered by [`ToProxy::Opened`] or [`ToProxy::Refused`].
    #[n(0)]
    Open {
        /// Ascending from 1, shared with [`FromProxy::Malformed`].
        #[n(0)]
        number: u32,
        /// To this host.
        #[n(1)]
        host: String,
        /// And port.
        #[n(2)]
        port: u16,
    },
    /// An opened connection ended.
    #[n(1)]
    Closed {
        /// Which.
        #[n(0)]
        number: u32,
        /// Bytes that left.
        #[n(1)]
        sent: u64,
        /// Bytes that came in.
        #[n(2)]
        received: u64,
        /// The code of the bound that ended it, if one did.
        #[n(3)]
        code: Option<String>,
    },
    /// A request was refused before a host was known.
    #[n(2)]
    Malformed {
        /// Ascending from 1, shared with [`FromProxy::Open`].
        #[n(0)]
        number: u32,
        /// Stable code.
        #[n(1)]
        code: String,
    },
}

/// agentd to the connector. A socket comes along, on which [`FromConnector`] is
/// awaited.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ToConnector {
    /// To this host.
    #[n(0)]
    pub host: String,
    /// And port.
    #[n(1)]
    pub port: u16,
}

/// The connector's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FromConnector {
    /// A connected socket comes along.
    #[n(0)]
    Connected {
        /// To this address, which was checked.
        #[n(0)]
        address: String,
    },
    /// There is none.
    #[n(1)]
    Refused {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for good in [
            "a.example",
            "intranet",
            "xn--mnchen-3ya.example",
            "1and1.example",
            "10.example",
        ] {
            assert!(is_name(good), "{good}");
        }
        let long = format!("{}.example", "a".repeat(64));
        let longer = format!("{}example", "a.".repeat(130));
        for bad in [
            "",
            ".",
            "a.example.",
            ".a.example",
            "a..example",
            "A.example",
            "a_b.example",
            "-a.example",
            "a-.example",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "017700000001",
            "[::1]",
            "::ffff:127.0.0.1",
            "::1",
            "a.example%00",
            "user@a.example",
            "a.example/",
            "a example",
            "*.example",
            "m\u{fc}nchen.example",
            "a.example\0",
            "a.example\n",
            "a.1",
            "a.0x7f",
            &long,
            &longer,
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
        for bad in [
            "", "0", "080", "+80", "-1", " 80", "80 ", "65536", "0x50", "8_0",
        ] {
            assert_eq!(port(bad), None, "{bad:?}");
        }
        assert_eq!(port("65535"), Some(65535));
    }

    #[test]
    fn a_star_is_one_label() {
        let star = Endpoint::parse("*.site.example:443").unwrap();
        assert!(star.covers("a.site.example", 443));
        assert!(star.covers("*.site.example", 443));
        for (host, port) in [
            ("site.example", 443),
            ("a.b.site.example", 443),
            (".site.example", 443),
            ("a.site.example", 80),
            ("asite.example", 443),
            ("*.b.site.example", 443),
            ("*", 443),
        ] {
            assert!(!star.covers(host, port), "{host}:{port}");
        }
        let exact = Endpoint::parse("a.site.example:443").unwrap();
        assert!(!exact.covers("*.site.example", 443));
        assert!(!exact.covers("b.site.example", 443));
        for bad in [
            "*:443",
            "*.example:443",
            "a.*.example:443",
            "**.a.example:443",
            "a.example",
        ] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
    }
}
