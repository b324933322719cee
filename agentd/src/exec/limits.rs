//! `--limit KEY=VALUE`: what one command gets less than its profile has.

use minicbor::{Decode, Encode};

use crate::sandbox::Narrowed;
use crate::sandbox::profile::WorkspaceLimit;

/// The limits given; what was not given is the profile's.
#[derive(Debug, Default)]
pub(super) struct Limits {
    order: OrderLimits,
    workspace_bytes: Option<u64>,
    workspace_inodes: Option<u64>,
}

/// Those that the inner half needs.
#[derive(Debug, Clone, Copy, Default, Encode, Decode)]
pub(super) struct OrderLimits {
    #[n(0)]
    memory_bytes: Option<u64>,
    #[n(1)]
    pids: Option<u64>,
    #[n(2)]
    cpu_percent: Option<u64>,
    #[n(3)]
    io_bytes: Option<u64>,
    #[n(4)]
    open_files: Option<u64>,
    #[n(5)]
    file_bytes: Option<u64>,
}

impl Limits {
    /// Reads them; a key is one of a profile's, or the same shorter.
    pub(super) fn parse(given: &[(String, String)]) -> Result<Self, String> {
        let mut limits = Self::default();
        for (key, value) in given {
            let slot = match key.as_str() {
                "memory" | "memory_bytes" => &mut limits.order.memory_bytes,
                "pids" => &mut limits.order.pids,
                "cpu" | "cpu_percent" => &mut limits.order.cpu_percent,
                "io" | "io_bytes" => &mut limits.order.io_bytes,
                "open-files" | "open_files" => &mut limits.order.open_files,
                "file-bytes" | "file_bytes" => &mut limits.order.file_bytes,
                "workspace" | "workspace_bytes" => &mut limits.workspace_bytes,
                "inodes" | "workspace_inodes" => &mut limits.workspace_inodes,
                _ => {
                    return Err(format!(
                        "there is no limit {key}; there are memory, pids, cpu, io, open-files, \
                         file-bytes, workspace and inodes"
                    ));
                }
            };
            let number = number(value).filter(|number| *number > 0 || key.starts_with("file"));
            *slot = Some(number.ok_or_else(|| format!("{key}={value} is not a number above 0"))?);
        }
        Ok(limits)
    }

    pub(super) fn order(&self) -> OrderLimits {
        self.order
    }

    /// What the workspace gets of the profile's limit.
    pub(super) fn workspace(&self, most: WorkspaceLimit) -> WorkspaceLimit {
        WorkspaceLimit {
            bytes: self
                .workspace_bytes
                .map_or(most.bytes, |by| by.min(most.bytes)),
            inodes: self
                .workspace_inodes
                .map_or(most.inodes, |by| by.min(most.inodes)),
        }
    }
}

impl OrderLimits {
    pub(super) fn narrowed(self) -> Narrowed {
        Narrowed {
            memory_bytes: self.memory_bytes,
            pids: self.pids,
            cpu_percent: self.cpu_percent,
            io_bytes: self.io_bytes,
            open_files: self.open_files,
            file_bytes: self.file_bytes,
        }
    }
}

/// A count, or with K, M or G the same times 1024, 1024 squared or cubed.
fn number(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (text.strip_suffix('K')?, 10),
        b'M' => (text.strip_suffix('M')?, 20),
        b'G' => (text.strip_suffix('G')?, 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, value: &str) -> Result<Limits, String> {
        Limits::parse(&[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_limit_is_a_known_key_and_a_number() {
        let limits = parse("memory", "64M").unwrap();
        assert_eq!(limits.order.memory_bytes, Some(64 << 20));
        assert_eq!(parse("pids", "20").unwrap().order.pids, Some(20));
        assert_eq!(parse("file_bytes", "0").unwrap().order.file_bytes, Some(0));
        for (key, value) in [
            ("memory", ""),
            ("memory", "-1"),
            ("memory", "0"),
            ("memory", "99999999999999G"),
            ("mem", "1"),
        ] {
            assert!(parse(key, value).is_err(), "{key}={value}");
        }
        let most = WorkspaceLimit {
            bytes: 100,
            inodes: 10,
        };
        assert_eq!(parse("workspace", "1G").unwrap().workspace(most), most);
        assert_eq!(parse("inodes", "3").unwrap().workspace(most).inodes, 3);
    }
}
