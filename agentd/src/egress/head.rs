//! The head of a request to the proxy, read so that no two readers could read it
//! differently.
//!
//! The proxy rewrites what it lets through, so a server sees one request of one form:
//! the granted host and no other, one length, no header that speaks of the connection.
//! What would have to be guessed is refused: RFC 9112 lets a reader mend much of it,
//! and two readers that mend differently are how requests are smuggled.

use casemate_protocol::egress;

/// Largest head.
pub const LARGEST: usize = 16 << 10;
/// Most header lines.
const LINES: usize = 64;
/// Where a head ends.
const END: &[u8] = b"\r\n\r\n";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `CONNECT`: bytes both ways, whatever they are.
    Tunnel {
        /// The host's name.
        host: String,
        /// The port.
        port: u16,
    },
    /// One request of HTTP.
    Plain {
        /// The host's name.
        host: String,
        /// The port.
        port: u16,
        /// The head as the server gets it.
        head: Vec<u8>,
        /// How many bytes of body follow.
        body: u64,
    },
}

/// Why a head is refused, in words for the log; the client learns that it is.
pub type Wrong = &'static str;

/// Reads the head at the start of `bytes`; also gives its length. `None`: more is to come.
///
/// # Errors
/// [`Wrong`].
pub fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Wrong> {
    let within = bytes.get(..LARGEST).unwrap_or(bytes);
    let Some(end) = within.windows(END.len()).position(|part| part == END) else {
        if bytes.len() >= LARGEST {
            return Err("the head is too large");
        }
        return Ok(None);
    };
    let length = end.saturating_add(END.len());
    let head = bytes.get(..length).unwrap_or_default();
    check_bytes(head)?;
    let mut lines = [httparse::EMPTY_HEADER; LINES];
    let mut raw = httparse::Request::new(&mut lines);
    match raw.parse(head) {
        Ok(httparse::Status::Complete(read)) if read == length => {}
        Ok(_) => return Err("the head has an empty line in it"),
        Err(httparse::Error::TooManyHeaders) => return Err("there are too many header lines"),
        Err(_) => return Err("this is not a request of HTTP/1"),
    }
    let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
        return Err("this is not a request of HTTP/1");
    };
    let fields = Fields::of(raw.headers)?;
    let request = match method {
        "CONNECT" => fields.tunnel(target),
        _ => fields.plain(method, target, minor),
    }?;
    Ok(Some((request, length)))
}

/// Lines end in CR LF and in nothing else, none continues another, and there is no
/// byte that is not printed.
fn check_bytes(head: &[u8]) -> Result<(), Wrong> {
    // The parser passes over empty lines before the first, as RFC 9112 lets it.
    if head.starts_with(b"\r\n") {
        return Err("it begins with an empty line");
    }
    let mut last = 0;
    for &byte in head {
        match byte {
            b'\n' if last == b'\r' => {}
            _ if last == b'\r' => return Err("a carriage return stands alone"),
            b'\n' => return Err("a line feed stands alone"),
            b' ' | b'\t' if last == b'\n' => return Err("a line continues the one before it"),
            b'\r' | b'\t' | b' '..=b'~' => {}
            _ => return Err("there is a byte that is not printable ASCII"),
        }
        last = byte;
    }
    Ok(())
}

/// The header lines, those that decide something taken out.
#[derive(Debug, Default)]
struct Fields<'a> {
    host: Option<&'a str>,
    length: Option<u64>,
    /// Those that are for the server.
    rest: Vec<(&'a str, &'a str)>,
}

/// For the next hop only, which is us: RFC 9110 section 7.6.1.
const HOP: [&str; 9] = [
    // No header, but our own `Connection: close` would name one that is called so.
    "close",
    "connection",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
];
/// What may not be named as for one hop: the request would change its meaning.
const FIRM: [&str; 3] = ["host", "content-length", "transfer-encoding"];

impl<'a> Fields<'a> {
    fn of(headers: &[httparse::Header<'a>]) -> Result<Self, Wrong> {
        let mut fields = Self::default();
        let mut named: Vec<String> = Vec::new();
        for header in headers {
            let value = std::str::from_utf8(header.value).map_err(|_| "a value is not ASCII")?;
            let value = value.trim_matches([' ', '\t']);
            // Some servers take `_` for `-`.
            let name = header.name.to_ascii_lowercase();
            match name.replace('_', "-").as_str() {
                "transfer-encoding" => return Err("a body's length is not said in numbers"),
                "content-length" if fields.length.is_some() || name.contains('_') => {
                    return Err("there are two lengths");
                }
                "content-length" => fields.length = Some(number(value)?),
                "host" if fields.host.is_some() => return Err("there are two hosts"),
                "host" => fields.host = Some(value),
                "connection" => {
                    let words = value.split(',').map(|word| word.trim_matches([' ', '\t']));
                    named.extend(words.map(str::to_ascii_lowercase));
                }
                _ => {}
            }
            fields.rest.push((header.name, value));
        }
        if named.iter().any(|name| FIRM.contains(&name.as_str())) {
            return Err("a header that decides is named as for one hop");
        }
        fields.rest.retain(|(name, _)| {
            let name = name.to_ascii_lowercase();
            name != "host" && !HOP.contains(&name.as_str()) && !named.contains(&name)
        });
        Ok(fields)
    }

    fn tunnel(self, target: &str) -> Result<Request, Wrong> {
        if self.length.unwrap_or(0) != 0 {
            return Err("a tunnel has no body");
        }
        let (host, port) = authority(target, None)?;
        self.same_host(host, port)?;
        Ok(Request::Tunnel {
            host: host.to_owned(),
            port,
        })
    }

    fn plain(self, method: &str, target: &str, minor: u8) -> Result<Request, Wrong> {
        let plain = method.bytes().all(|c| c.is_ascii_uppercase());
        if !plain || method == "TRACE" {
            return Err("the method is not one that is relayed");
        }
        let rest = target
            .strip_prefix("http://")
            .ok_or("the target is not an absolute http:// URL")?;
        let (named, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if path.contains(['#', '\\']) {
            return Err("the path is not one");
        }
        let (host, port) = authority(named, Some(80))?;
        if minor == 1 && self.host.is_none() {
            return Err("there is no host line");
        }
        self.same_host(host, port)?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        let shown = match port {
            80 => host.to_owned(),
            port => format!("{host}:{port}"),
        };
        let mut head = format!("{method} {slash}{path} HTTP/1.{minor}\r\nHost: {shown}\r\n");
        for (name, value) in &self.rest {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head.push_str("Connection: close\r\n\r\n");
        Ok(Request::Plain {
            host: host.to_owned(),
            port,
            head: head.into_bytes(),
            body: self.length.unwrap_or(0),
        })
    }

    /// A host line, if there is one, says what the target says.
    fn same_host(&self, host: &str, port: u16) -> Result<(), Wrong> {
        let Some(line) = self.host else { return Ok(()) };
        match authority(line, Some(port)) {
            Ok(said) if said == (host, port) => Ok(()),
            _ => Err("the host line is not the target's host"),
        }
    }
}

/// `NAME:PORT`, each in its one spelling.
fn authority(text: &str, default: Option<u16>) -> Result<(&str, u16), Wrong> {
    let (host, port) = match text.split_once(':') {
        Some((host, digits)) => (host, egress::port(digits)),
        None => (text, default),
    };
    let port = port.ok_or("the port is not a plain number")?;
    if egress::is_name(host) {
        Ok((host, port))
    } else {
        Err("the host is not a name in its plain spelling")
    }
}

fn number(text: &str) -> Result<u64, Wrong> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or("the length is not a plain number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<Request, Wrong> {
        let parsed = parse(text.as_bytes())?;
        let (request, length) = parsed.ok_or("it is not whole")?;
        assert_eq!(length, text.len());
        Ok(request)
    }

    #[test]
    fn a_request_is_rewritten_to_one_form() {
        let asked = "GET http://a.example/x?y=1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\
            Proxy-Connection: keep-alive\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\n\
            Upgrade: h2c\r\nClose: 1\r\n\r\n";
        let Request::Plain {
            host,
            port,
            head,
            body,
        } = whole(asked).unwrap()
        else {
            panic!("it is plain")
        };
        assert_eq!((host.as_str(), port, body), ("a.example", 80, 0));
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        let asked = "POST http://a.example:8080?q HTTP/1.1\r\nhost: a.example:8080\r\n\
            content-length:  12\r\n\r\n";
        let Request::Plain {
            head, body, port, ..
        } = whole(asked).unwrap()
        else {
            panic!("it is plain")
        };
        assert_eq!((port, body), (8080, 12));
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "POST /?q HTTP/1.1\r\nHost: a.example:8080\r\ncontent-length: 12\r\nConnection: close\r\n\r\n"
        );
        let tunnel = Request::Tunnel {
            host: "a.example".into(),
            port: 443,
        };
        for asked in [
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: x\r\n\r\n",
            "CONNECT a.example:443 HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(whole(asked).unwrap(), tunnel);
        }
        assert_eq!(
            parse(b"GET http://a.example/ HTTP/1.1\r\nHost: a"),
            Ok(None)
        );
        assert_eq!(parse(b""), Ok(None));
    }

    /// Each of these is let through, or mended, by some proxy or server.
    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let get = |target: &str, lines: &str| format!("GET {target} HTTP/1.1\r\n{lines}\r\n\r\n");
        let url = "http://a.example/";
        let host = "Host: a.example";
        let line = |line: &str| get(url, &format!("{host}\r\n{line}"));
        let connect = |target: &str| format!("CONNECT {target} HTTP/1.1\r\n\r\n");
        assert!(whole(&get(url, host)).is_ok());
        assert!(whole(&connect("a.example:443")).is_ok());
        let mut refused = vec![
            // Lengths.
            line("Content-Length: 5\r\nTransfer-Encoding: chunked"),
            line("Transfer-Encoding: chunked"),
            line("Transfer-Encoding : chunked"),
            line("transfer_encoding: chunked"),
            line("Transfer-Encoding:\tchunked"),
            line("Content-Length: 5\r\nContent-Length: 6"),
            line("Content-Length: 5\r\nContent-Length: 5"),
            line("Content-Length: 5, 5"),
            line("Content-Length: +5"),
            line("Content-Length: -1"),
            line("Content-Length: 0x5"),
            line("Content-Length:"),
            line("Content-Length: 99999999999999999999999"),
            line("Content_Length: 5"),
            line("Content-Length : 5"),
            line("Connection: Content-Length\r\nContent-Length: 5"),
            line("Connection: close, host"),
            // Lines.
            line("X: a\r\n b"),
            line("X: a\r\n\tb"),
            line("X: a\nY: b"),
            line("X: a\rY: b"),
            line("X: a\0b"),
            line("X: a\u{7f}"),
            line("X: \u{fc}"),
            line("X Y: a"),
            line(" X: a"),
            line(": a"),
            line("no colon"),
            // Hosts.
            get(url, "Accept: */*"),
            get(url, "Host: b.example"),
            get(url, "Host: a.example:81"),
            get(url, "Host: a.example\r\nHost: a.example"),
            get(url, "Host: a.example\r\nHost: b.example"),
            get(url, "Host: a.example, b.example"),
            get(url, "Host: A.example"),
            get(url, "Host:"),
            get("/", host),
            get("*", host),
            get("https://a.example/", host),
            get("HTTP://a.example/", host),
            get("http:/a.example/", host),
            get("http:///", host),
            get("http://a.example\\@b.example/", host),
            get("http://a.example/#x", host),
            get("http://a.example/ ", host),
            get("http://a.example/\t", host),
            get("http://user@a.example/", host),
            get("http://user:pw@a.example/", host),
            get("http://a.example@b.example/", host),
            get("http://a.example.:80/", host),
            get("http://a.example:/", host),
            get("http://a.example:080/", host),
            get("http://a.example:+80/", host),
            get("http://a.example:80:80/", host),
            get("http://a%2eexample/", host),
            // Requests.
            "GET http://a.example/ HTTP/1.1\nHost: a.example\n\n\r\n\r\n".to_owned(),
            "GET http://a.example/\r\n\r\n".to_owned(),
            "GET http://a.example/ HTTP/2.0\r\nHost: a.example\r\n\r\n".to_owned(),
            "GET  http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned(),
            "get http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned(),
            "TRACE http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned(),
            "\r\nGET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned(),
            "PRI * HTTP/2.0\r\n\r\n".to_owned(),
            "\u{5}\u{1}\r\n\r\n".to_owned(),
            "CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\n".to_owned(),
            "CONNECT a.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n".to_owned(),
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:80\r\n\r\n".to_owned(),
        ];
        refused.extend(
            [
                "a.example",
                "a.example:",
                "a.example:0",
                "a.example:0443",
                "a.example:443/",
                "a.example.:443",
                "A.example:443",
                "user@a.example:443",
                "127.0.0.1:443",
                "2130706433:443",
                "0x7f000001:443",
                "017700000001:443",
                "127.1:443",
                "[::1]:443",
                "[::ffff:127.0.0.1]:443",
                "::1:443",
                ":443",
                "a.example:443:443",
                "http://a.example:443",
                "*:443",
                "*.example:443",
                "a.example:https",
                "a,b:443",
                "a.example%00:443",
                "xn--.example.:443",
            ]
            .map(connect),
        );
        for text in refused {
            assert!(whole(&text).is_err(), "{text:?}: {:?}", whole(&text));
        }
    }

    #[test]
    fn a_head_is_bounded() {
        let start = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nX: ";
        let endless = format!("{start}{}", "a".repeat(LARGEST));
        assert!(parse(endless.as_bytes()).is_err());
        // Its end is there, but beyond what is read.
        assert!(parse(format!("{endless}\r\n\r\n").as_bytes()).is_err());
        let many = "X: a\r\n".repeat(LINES);
        assert!(
            whole(&format!(
                "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n{many}\r\n"
            ))
            .is_err()
        );
        // What follows a head is not read.
        let (_, length) = parse(b"CONNECT a.example:1 HTTP/1.1\r\n\r\n\n\0")
            .unwrap()
            .unwrap();
        assert_eq!(length, 32);
    }
}
