//! How names are resolved: the host's hosts file and name servers, and nothing else of
//! the host's configuration.
//!
//! The connector's tree is not the host's, so the files are taken along when agentd
//! starts. No search list: a name is the name that was granted. No plug-ins: only what
//! is in the C library itself.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;

/// Largest file of the host.
const LARGEST: u64 = 1 << 20;
/// Name servers that a resolver asks (resolv.conf(5): MAXNS).
const SERVERS: usize = 3;

/// Place in the connector's tree, and bytes.
pub(crate) fn files() -> [(&'static str, Vec<u8>); 3] {
    let read = |path: &str| {
        let mut bytes = Vec::new();
        // A host without the file has no entries.
        let _none = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
        bytes
    };
    let servers = String::from_utf8_lossy(&read("/etc/resolv.conf")).into_owned();
    [
        ("/etc/hosts", read("/etc/hosts")),
        ("/etc/resolv.conf", resolv_conf(&servers).into_bytes()),
        ("/etc/nsswitch.conf", b"hosts: files dns\n".to_vec()),
    ]
}

/// The name servers of a resolv.conf, and our own options.
fn resolv_conf(text: &str) -> String {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (key, server) = (words.next()?, words.next()?);
        (key == "nameserver" && server.parse::<IpAddr>().is_ok()).then_some(server)
    });
    let mut made: String = servers
        .take(SERVERS)
        .map(|server| format!("nameserver {server}\n"))
        .collect();
    made.push_str("search .\noptions timeout:3 attempts:2\n");
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_name_servers_are_taken_over() {
        let text = "# nameserver 10.0.0.9\nsearch corp.example\nnameserver 10.0.0.1\n\
            nameserver evil.example\noptions rotate debug\n nameserver fd00::1 # x\n";
        assert_eq!(
            resolv_conf(text),
            "nameserver 10.0.0.1\nnameserver fd00::1\nsearch .\noptions timeout:3 attempts:2\n"
        );
    }
}
