//! What a stand must not leave behind on the host.

use std::fs;
use std::path::PathBuf;

use super::{Layout, UID_COUNT};

/// Processes of the host whose command line names a program of a compartment.
///
/// A stand's own processes are recognised by their ids from the first of agentd's
/// range on: whatever they call themselves, the kernel says whose they are.
pub fn processes(layout: &Layout) -> Vec<(u32, String)> {
    let ids = layout.uid_base()..layout.uid_base().saturating_add(UID_COUNT);
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return found;
    };
    for entry in entries.filter_map(Result::ok) {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let uid = status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .and_then(|ids| ids.split_whitespace().next())
            .and_then(|id| id.parse::<u32>().ok());
        if uid.is_some_and(|uid| ids.contains(&uid)) {
            let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            found.push((pid, line.replace('\0', " ").trim().to_owned()));
        }
    }
    found
}

/// Control groups of agentd that are still there.
pub fn control_groups() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let Ok(entries) = fs::read_dir(root) else {
            continue;
        };
        for folder in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            for path in [folder.clone()].into_iter().chain(children(&folder)) {
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                if name.starts_with("casemate") {
                    found.push(path);
                }
            }
        }
    }
    found
}

fn children(folder: &std::path::Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| {
            entries
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .collect()
        })
        .unwrap_or_default()
}

/// Mounts of the host that are a pack or a job's folder.
pub fn mounts() -> Vec<String> {
    fs::read_to_string("/proc/self/mountinfo")
        .unwrap_or_default()
        .lines()
        .filter(|line| line.contains(" - erofs ") || line.contains("/jobs/"))
        .map(str::to_owned)
        .collect()
}
