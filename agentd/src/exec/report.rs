//! What one command used and was denied, for an operator and for a program.

use casemate_protocol::denial::Denial;
use casemate_protocol::event::Event;
use minicbor::{Decode, Encode};
use serde_json::{Value, json};

use super::inside::UID;
use super::way_out;
use super::workspace::Returned;
use crate::denial::{Held, Watch};
use crate::sandbox::{Ending, How, Profile};

/// What the inner half says of the command's end.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Account {
    #[n(0)]
    how: How,
    #[n(1)]
    timed_out: bool,
    #[n(2)]
    user_us: u64,
    #[n(3)]
    system_us: u64,
    #[n(4)]
    memory_peak: u64,
    #[n(5)]
    memory_kills: u64,
    #[n(6)]
    pids_peak: u64,
    #[n(7)]
    disk_written: u64,
    /// What its proxy recorded, in order.
    #[n(8)]
    connections: Vec<Event>,
    #[n(9)]
    denied: Denied,
}

impl Account {
    /// Most memory, and most processes.
    pub(super) fn peaks(&self) -> (u64, u64) {
        (self.memory_peak, self.pids_peak)
    }
}

/// What was denied to the command.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Denied {
    /// Whether anybody watched.
    #[n(0)]
    watched: bool,
    #[n(1)]
    denials: Vec<Denial>,
    /// What is not among them, in sentences.
    #[n(2)]
    missing: Vec<String>,
}

impl Denied {
    /// What was seen until now of the sandbox that has ended.
    pub(super) fn of(profile: &Profile, ending: &Ending, watch: &Watch) -> Self {
        let held = Held {
            compartment: "exec",
            profile,
        };
        let account = watch.close(UID);
        let mut denials: Vec<Denial> = account
            .seen
            .iter()
            .map(|seen| held.explain(&seen.fact, seen.count))
            .collect();
        denials.extend(held.explain_end(ending));
        Self {
            watched: watch.off().is_none(),
            denials,
            missing: account.missing,
        }
    }
}

impl Account {
    pub(super) fn of(
        ending: &Ending,
        timed_out: bool,
        connections: Vec<Event>,
        denied: Denied,
    ) -> Self {
        let micros =
            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            how: ending.how,
            timed_out,
            user_us: micros(ending.user),
            system_us: micros(ending.system),
            memory_peak: ending.memory_peak,
            memory_kills: ending.memory_kills,
            pids_peak: ending.pids_peak,
            disk_written: ending.disk_written,
            connections,
            denied,
        }
    }
}

/// All that is reported.
#[derive(Debug)]
pub(super) struct Report {
    profile: String,
    /// How the inner half ended, and what it said if it could.
    outer: How,
    account: Option<Account>,
    returned: Option<Returned>,
}

impl Report {
    pub(super) fn new(
        profile: &str,
        outer: How,
        account: Option<Account>,
        returned: Option<Returned>,
    ) -> Self {
        Self {
            profile: profile.to_owned(),
            outer,
            account,
            returned,
        }
    }

    /// For a person.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(account) = &self.account {
            let seconds =
                |micros: u64| format!("{}.{:03}", micros / 1_000_000, micros / 1000 % 1000);
            let kills = match account.memory_kills {
                0 => String::new(),
                kills => format!(", {kills} ended at the memory limit"),
            };
            text += &format!(
                "agentd: {} s in the program, {} s in the kernel, {} KiB and {} processes at \
                 most{kills}\n",
                seconds(account.user_us),
                seconds(account.system_us),
                account.memory_peak >> 10,
                account.pids_peak,
            );
            for line in account.connections.iter().filter_map(way_out::text) {
                text += &format!("agentd: {line}\n");
            }
            if account.timed_out {
                text += "agentd: it was ended at its time limit\n";
            }
        }
        if let Some(returned) = &self.returned {
            if returned.files + returned.removed > 0 {
                text += &format!(
                    "agentd: {} files with {} bytes written to the workspace, {} removed\n",
                    returned.files, returned.bytes, returned.removed
                );
            }
            for name in &returned.left_out {
                text += &format!("agentd: {name:?} was not brought back\n");
            }
        }
        if let Some(account) = &self.account {
            for denial in &account.denied.denials {
                let times = match denial.count {
                    1 => String::new(),
                    count => format!(" ({count} times)"),
                };
                text += &format!("agentd: {}{times}\n", denial.sentence());
            }
            for missing in &account.denied.missing {
                text += &format!("agentd: {missing}\n");
            }
        }
        text
    }

    /// For a program: docs/formats/profile.md has the keys.
    pub(super) fn json(&self) -> String {
        let end = |how: How| match how {
            How::Exited(code) => json!({ "kind": "exited", "code": code }),
            How::Signalled(signal) => json!({ "kind": "signalled", "signal": signal }),
            How::Killed => json!({ "kind": "killed" }),
        };
        let used = self.account.as_ref().map(|account| {
            json!({
                "user_us": account.user_us, "system_us": account.system_us,
                "memory_peak_bytes": account.memory_peak, "memory_kills": account.memory_kills,
                "pids_peak": account.pids_peak, "disk_written_bytes": account.disk_written,
            })
        });
        let connections = self.account.as_ref().map(|account| {
            let all = account.connections.iter();
            all.filter_map(way_out::json).collect::<Vec<Value>>()
        });
        let workspace = self.returned.as_ref().map(|returned| {
            json!({
                "files_written": returned.files, "bytes_written": returned.bytes,
                "removed": returned.removed, "left_out": returned.left_out,
            })
        });
        let denied = self.account.as_ref().map(|account| &account.denied);
        let denials = denied.filter(|denied| denied.watched).map(|denied| {
            denied
                .denials
                .iter()
                .map(|one| {
                    json!({
                        "program": one.program, "layer": one.layer, "what": one.what,
                        "why": one.why, "rule": one.rule, "count": one.count,
                        "sentence": one.sentence(),
                    })
                })
                .collect::<Vec<Value>>()
        });
        let missing = denied.map(|denied| &denied.missing);
        let how = self
            .account
            .as_ref()
            .map_or(self.outer, |account| account.how);
        let report = json!({
            "version": 1,
            "profile": self.profile,
            "end": end(how),
            "timed_out": self.account.as_ref().is_some_and(|account| account.timed_out),
            "used": used,
            "workspace": workspace,
            "connections": connections,
            // null: nobody watched, which is not the same as none.
            "denials": denials,
            "denials_missing": missing,
        });
        let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
        text.push('\n');
        text
    }
}
