//! The head of a request to a job's proxy: what is let through has one form, which
//! reads the same again, and never holds a line that was not one of the client's.
#![no_main]

#[path = "../../src/egress/head.rs"]
mod head;

use casemate_protocol::egress;
use head::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((request, length))) = head::parse(bytes) else {
        return;
    };
    assert!(length <= bytes.len() && length <= head::LARGEST);
    // What follows a head does not change it.
    assert_eq!(head::parse(&bytes[..length]), Ok(Some((request.clone(), length))));
    let (host, port) = match &request {
        Request::Tunnel { host, port } | Request::Plain { host, port, .. } => (host, *port),
    };
    assert!(egress::is_name(host) && port != 0);
    let Request::Plain { head, body, .. } = &request else {
        return;
    };
    let text = std::str::from_utf8(head).unwrap();
    let (lines, rest) = text.split_once("\r\n\r\n").unwrap();
    assert!(rest.is_empty() && !lines.contains("\n\n"));
    let lower = lines.to_ascii_lowercase();
    let count = |name: &str| lower.lines().skip(1).filter(|line| line.starts_with(name)).count();
    assert_eq!((count("host:"), count("connection:"), count("transfer-encoding:")), (1, 1, 0));
    assert!(count("content-length:") <= 1 && (*body == 0 || count("content-length:") == 1));
    // As a server sees it, made absolute again, it says the same.
    let shown = if port == 80 { host.clone() } else { format!("{host}:{port}") };
    let (method, path) = lines.split_once(' ').unwrap();
    let again = format!("{method} http://{shown}{path}\r\n\r\n");
    // Our own two lines and the longer target may be more than a head may have.
    if again.len() > head::LARGEST || again.lines().count() > 60 {
        return;
    }
    let (again, _) = head::parse(again.as_bytes()).unwrap().unwrap();
    assert_eq!(again, request);
});
