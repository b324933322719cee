//! A hostile program inside a sandbox with a way out, and, as the control, outside.
//! Prints one line an argument: `NUMBER ANSWER`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "an attacker's program for tests"
)]

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use rustix::net::{AddressFamily, Protocol, SocketType};

const PROXY: &str = "127.0.0.1:3128";

fn main() {
    for (number, attempt) in std::env::args().skip(1).enumerate() {
        let (verb, rest) = attempt.split_once(' ').unwrap_or((&attempt, ""));
        let answer = match perform(verb, rest) {
            Ok(answer) => answer,
            Err(e) => format!("errno {}", e.raw_os_error().unwrap_or(0)),
        };
        println!("{number} {answer}");
    }
}

fn perform(verb: &str, rest: &str) -> io::Result<String> {
    match verb {
        "ask" => ask(&unescape(rest)),
        "tunnel" => tunnel(rest),
        "slow" => slow(),
        "flood" => flood(rest),
        "many" => many(rest),
        "pour" => pour(rest),
        "env" => Ok(std::env::vars()
            .filter(|(name, _)| name.to_ascii_lowercase().ends_with("_proxy"))
            .map(|(name, value)| format!("{name}={value};"))
            .collect()),
        "tcp" => TcpStream::connect(rest).map(|_| "ok".to_owned()),
        "bind" => TcpListener::bind(rest).map(|_| "ok".to_owned()),
        "udp" => socket(AddressFamily::INET, SocketType::DGRAM, 0),
        "icmp" => socket(AddressFamily::INET, SocketType::DGRAM, 1),
        "raw" => socket(AddressFamily::INET, SocketType::RAW, 1),
        "mptcp" => socket(AddressFamily::INET, SocketType::STREAM, 262),
        "inet6" => socket(AddressFamily::INET6, SocketType::STREAM, 0),
        "netlink" => socket(AddressFamily::NETLINK, SocketType::RAW, 0),
        "packet" => socket(AddressFamily::PACKET, SocketType::RAW, 0),
        "vsock" => socket(AddressFamily::VSOCK, SocketType::STREAM, 0),
        "abstract" => {
            let address = SocketAddr::from_abstract_name(rest)?;
            UnixStream::connect_addr(&address).map(|_| "ok".to_owned())
        }
        "read" => std::fs::read(rest).map(|bytes| format!("{} bytes", bytes.len())),
        "list" => Ok(std::fs::read_dir(rest)?.count().to_string()),
        _ => panic!("there is no attempt {verb}"),
    }
}

fn socket(family: AddressFamily, kind: SocketType, protocol: u32) -> io::Result<String> {
    let protocol = std::num::NonZeroU32::new(protocol).map(Protocol::from_raw);
    rustix::net::socket(family, kind, protocol)?;
    Ok("ok".to_owned())
}

fn connect() -> io::Result<TcpStream> {
    let stream = TcpStream::connect(PROXY)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// `\r`, `\n`, `\0` as in a string.
fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0")
        .into_bytes()
}

/// Sends these bytes and says what came back.
fn ask(bytes: &[u8]) -> io::Result<String> {
    let mut stream = connect()?;
    // One that has been refused already may be reset.
    let _sent = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    Ok(format!("{:?}", String::from_utf8_lossy(&answer)))
}

fn open(host: &str) -> io::Result<(TcpStream, String)> {
    let mut stream = connect()?;
    write!(stream, "CONNECT {host} HTTP/1.1\r\n\r\n")?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    Ok((stream, head.lines().next().unwrap_or_default().to_owned()))
}

/// `HOST:PORT TEXT`: through a tunnel, and what came back.
fn tunnel(rest: &str) -> io::Result<String> {
    let (host, text) = rest.split_once(' ').unwrap();
    let (mut stream, status) = open(host)?;
    if !status.contains(" 200 ") {
        return Ok(status);
    }
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Half a head, and then nothing.
fn slow() -> io::Result<String> {
    let mut stream = connect()?;
    stream.write_all(b"GET http://a.example/ HTTP/1.1\r\nHost: ")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// `HOST:PORT COUNT`: so many tunnels at once, each of which says something.
fn flood(rest: &str) -> io::Result<String> {
    let (host, count) = rest.split_once(' ').unwrap();
    let count: usize = count.parse().unwrap();
    let mut said = 0;
    let mut others = BTreeSet::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| scope.spawn(|| tunnel(&format!("{host} x"))))
            .collect();
        for thread in threads {
            match thread.join().unwrap() {
                Ok(text) if text == "x" => said += 1,
                other => drop(others.insert(format!("{other:?}"))),
            }
        }
    });
    // What the others met, so that a test that fails says it.
    Ok([said.to_string()]
        .into_iter()
        .chain(others)
        .collect::<Vec<_>>()
        .join(" "))
}

/// `HOST:PORT COUNT`: so many tunnels, one after the other; their statuses.
fn many(rest: &str) -> io::Result<String> {
    let (host, count) = rest.split_once(' ').unwrap();
    let all = (0..count.parse().unwrap()).map(|_| {
        let status = open(host).map_or_else(|e| e.to_string(), |(_, status)| status);
        status.split(' ').nth(1).unwrap_or("none").to_owned()
    });
    Ok(all.collect::<Vec<_>>().join(" "))
}

/// `HOST:PORT BYTES`: sends so many; how many came back.
fn pour(rest: &str) -> io::Result<String> {
    let (host, count) = rest.split_once(' ').unwrap();
    let (mut stream, _) = open(host)?;
    let mut left: usize = count.parse().unwrap();
    let piece = [b'x'; 1000];
    while left > 0 {
        let Ok(sent) = stream.write(&piece[..left.min(1000)]) else {
            break;
        };
        left -= sent;
    }
    let mut back = Vec::new();
    let _reset = stream.read_to_end(&mut back);
    Ok(back.len().to_string())
}
