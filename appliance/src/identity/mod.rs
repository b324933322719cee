//! Who is on the other end of a socket: what the kernel says of the peer.
//!
//! Nothing a client sends names it. A peer is admitted to the API when it is
//! root, the daemon's own user, or runs with the daemon's own group; what it is
//! called is `uid:N`. The link of agentd admits exactly one uid.

use thiserror::Error;

/// Someone whose requests are carried out and recorded under this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    uid: u32,
}

/// A peer that may not use the API.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("user {uid} with group {gid} may not use this appliance")]
pub struct NotAdmitted {
    /// The peer's user.
    pub uid: u32,
    /// The peer's group.
    pub gid: u32,
}

/// Who may use the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    uid: u32,
    gid: u32,
}

impl Door {
    /// The door of a daemon that runs as this user and group.
    pub fn of(uid: u32, gid: u32) -> Self {
        Self { uid, gid }
    }

    /// Admits a peer by its credentials, as the kernel states them (`SO_PEERCRED`).
    ///
    /// # Errors
    /// [`NotAdmitted`] names the peer.
    pub fn admit(&self, uid: u32, gid: u32) -> Result<Principal, NotAdmitted> {
        if uid == 0 || uid == self.uid || gid == self.gid {
            Ok(Principal { uid })
        } else {
            Err(NotAdmitted { uid, gid })
        }
    }
}

impl Principal {
    /// The name that goes into specifications and the journal.
    pub fn name(&self) -> String {
        format!("uid:{}", self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_stay_outside() {
        let door = Door::of(900, 901);
        for (uid, gid) in [(0, 0), (900, 5), (1000, 901)] {
            assert_eq!(door.admit(uid, gid).unwrap().name(), format!("uid:{uid}"));
        }
        // A user id equal to the daemon's group id, and the reverse, mean nothing.
        for (uid, gid) in [(1000, 1000), (901, 900), (65534, 65534), (1000, 0)] {
            assert_eq!(door.admit(uid, gid), Err(NotAdmitted { uid, gid }));
        }
    }
}
