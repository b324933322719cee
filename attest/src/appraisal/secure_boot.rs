//! Secure Boot: what register 7 says was enforced (PC Client PFP 1.06, section 3.3.4.8).
//!
//! The digest of a variable's event covers the variable, so its content is as the firmware
//! measured it. On means: `SecureBoot` is one byte of value 1 and nothing else; PK, KEK and db
//! hold something; no variable stands twice or after the separator; an entry of db allowed what
//! was started. A debug mode is not explained away.

use std::fmt;

use super::{Measured, Violation};
use crate::digest::Digest;
use crate::eventlog::payload::{Content, Payload, SignatureLists, Variable};
use crate::eventlog::{Guid, kind};
use crate::x509::Certificate;

/// The variables that must be measured, in the firmware's order.
const REQUIRED: [(Guid, &str); 5] = [
    (Guid::GLOBAL, "SecureBoot"),
    (Guid::GLOBAL, "PK"),
    (Guid::GLOBAL, "KEK"),
    (Guid::SECURITY, "db"),
    (Guid::SECURITY, "dbx"),
];
/// Further ones that may be.
const ALLOWED: [(Guid, &str); 6] = [
    (Guid::SECURITY, "dbt"),
    (Guid::SECURITY, "dbr"),
    (Guid::GLOBAL, "SetupMode"),
    (Guid::GLOBAL, "AuditMode"),
    (Guid::GLOBAL, "DeployedMode"),
    (Guid::GLOBAL, "VendorKeys"),
];

/// What Secure Boot enforced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecureBoot {
    /// PK, KEK, db, dbx and what else was measured of the kind, by name.
    pub databases: Vec<(String, Database)>,
    /// What allowed the started images: entries of db.
    pub authorities: Vec<String>,
}

/// What a key database holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Database {
    /// Certificates: subject (may be empty) and the SHA-256 of the DER.
    pub certificates: Vec<(String, Digest)>,
    /// How many digests of images.
    pub hashes: usize,
    /// How many entries of other kinds.
    pub others: usize,
}

/// Checks register 7.
pub(super) fn check(events: &[Measured<'_>]) -> (Option<SecureBoot>, Vec<Violation>) {
    let mut reader = Reader::default();
    for event in events {
        reader.take(event);
    }
    reader.conclude()
}

#[derive(Default)]
struct Reader {
    seen: Vec<(Guid, String)>,
    enforced: SecureBoot,
    separated: bool,
    /// The last of these was measured after the separator, as the image's must be.
    allowed: bool,
    found: Vec<Violation>,
}

impl Reader {
    fn take(&mut self, event: &Measured<'_>) {
        let place = event.place();
        match event.payload() {
            Payload::Separator(_) => self.separated = true,
            Payload::Variable(variable) if event.event_type == kind::EV_EFI_VARIABLE_AUTHORITY => {
                self.authority(&variable, place);
            }
            Payload::Variable(variable) => self.variable(&variable, place),
            Payload::Action(text) => self.found.push(Violation::DebugMode {
                place,
                says: text.to_string(),
            }),
            other => self.found.push(Violation::VariableMalformed {
                name: "an event of register 7".to_owned(),
                place,
                reason: other.to_string().chars().take(120).collect(),
            }),
        }
    }

    fn variable(&mut self, variable: &Variable<'_>, place: String) {
        let name = variable.name.to_string();
        let known = REQUIRED.iter().chain(&ALLOWED);
        if !known
            .clone()
            .any(|(vendor, name)| variable.is(*vendor, name))
        {
            let says = format!("the variable {name}");
            self.found.push(Violation::UnknownEvent {
                pcr: 7,
                place,
                says,
            });
            return;
        }
        if self.separated {
            let late = name.clone();
            self.found.push(Violation::VariableLate {
                name: late,
                place: place.clone(),
            });
        }
        let key = (variable.vendor, name.clone());
        if self.seen.contains(&key) {
            self.found.push(Violation::VariableTwice { name, place });
            return;
        }
        self.seen.push(key);
        match variable.content(false) {
            Content::Flag(value) => self.flag(&name, value, &place),
            Content::Signatures(lists) => {
                let held = Database::of(&lists);
                self.enforced.databases.push((name, held));
            }
            Content::Malformed(error) => self.found.push(Violation::VariableMalformed {
                name,
                place,
                reason: error.to_string(),
            }),
            _ => {}
        }
    }

    fn flag(&mut self, name: &str, value: &[u8], place: &str) {
        let wanted: Option<&[u8]> = match name {
            "SecureBoot" if value != [1] => {
                let found = match value {
                    [] => "empty".to_owned(),
                    _ => hex::encode(value.get(..16).unwrap_or(value)),
                };
                self.found.push(Violation::SecureBootOff { found });
                return;
            }
            "SetupMode" | "AuditMode" => Some(&[0]),
            _ => None,
        };
        if wanted.is_some_and(|wanted| wanted != value) {
            self.found.push(Violation::DebugMode {
                place: place.to_owned(),
                says: format!("{name} is {}", hex::encode(value)),
            });
        }
    }

    fn authority(&mut self, variable: &Variable<'_>, place: String) {
        let name = variable.name.to_string();
        match variable.content(true) {
            Content::Authority(entry) if variable.is(Guid::SECURITY, "db") => {
                self.allowed |= self.separated;
                let said = described(entry.data);
                if !self.enforced.authorities.contains(&said) {
                    self.enforced.authorities.push(said);
                }
            }
            Content::Malformed(error) => self.found.push(Violation::VariableMalformed {
                name,
                place,
                reason: error.to_string(),
            }),
            _ => self.found.push(Violation::UnknownEvent {
                pcr: 7,
                place,
                says: format!("an authority of {name}"),
            }),
        }
    }

    fn conclude(mut self) -> (Option<SecureBoot>, Vec<Violation>) {
        for (vendor, name) in REQUIRED {
            if !self
                .seen
                .iter()
                .any(|seen| seen.0 == vendor && seen.1 == name)
            {
                self.found.push(Violation::VariableMissing { name });
            }
        }
        for name in ["PK", "KEK", "db"] {
            let held = self.enforced.databases.iter().find(|held| held.0 == name);
            if held.is_some_and(|(_, held)| held.is_empty()) {
                self.found.push(Violation::DatabaseEmpty { name });
            }
        }
        if !self.allowed {
            self.found.push(Violation::NoAuthority);
        }
        let enforced = self.found.is_empty().then_some(self.enforced);
        (enforced, self.found)
    }
}

impl Database {
    pub(super) fn of(lists: &SignatureLists<'_>) -> Self {
        let mut held = Self::default();
        for (kind, entry) in lists.entries() {
            match kind {
                Guid::CERT_X509 => {
                    let certificate = (subject(entry.data), Digest::of(entry.data));
                    held.certificates.push(certificate);
                }
                Guid::CERT_SHA1 | Guid::CERT_SHA256 | Guid::CERT_SHA384 | Guid::CERT_SHA512 => {
                    held.hashes = held.hashes.saturating_add(1);
                }
                _ => held.others = held.others.saturating_add(1),
            }
        }
        held
    }

    /// How many entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.certificates
            .len()
            .saturating_add(self.hashes)
            .saturating_add(self.others)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A certificate's subject; empty when the DER cannot be read.
pub(super) fn subject(der: &[u8]) -> String {
    Certificate::read(der).map_or_else(|_| String::new(), |read| read.subject())
}

fn described(data: &[u8]) -> String {
    let (subject, digest) = (subject(data), Digest::of(data));
    match (subject.is_empty(), data.len()) {
        (false, _) => format!("{subject} ({digest})"),
        (true, 32) => format!("the image's own digest {}", hex::encode(data)),
        (true, _) => digest.to_string(),
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (subject, digest) in &self.certificates {
            let subject = if subject.is_empty() {
                "certificate"
            } else {
                subject
            };
            write!(f, "{between}{subject} ({digest})")?;
            between = ", ";
        }
        let counts = [
            (self.hashes, "hash", "hashes"),
            (self.others, "other entry", "other entries"),
        ];
        for (count, one, many) in counts.into_iter().filter(|(count, _, _)| *count > 0) {
            let what = if count == 1 { one } else { many };
            write!(f, "{between}{count} {what}")?;
            between = ", ";
        }
        if between.is_empty() {
            f.write_str("empty")?;
        }
        Ok(())
    }
}

impl fmt::Display for SecureBoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, held) in &self.databases {
            write!(f, "{name}: {held}; ")?;
        }
        write!(f, "started under: {}", self.authorities.join(", "))
    }
}
