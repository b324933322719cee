//! `--egress HOST:PORT`: one command's way out, held and shown as a job's is.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use casemate_protocol::egress::Endpoint;
use casemate_protocol::event::{ConnectionEvent, Event};
use clap::Args;
use serde_json::{Value, json};

use super::inside::UID;
use super::refuse;
use crate::egress::outlet::Plan;
use crate::egress::{Connector, Outlet, Site, code, site};
use crate::sandbox::enclosure::CONNECTOR;
use crate::sandbox::{Profile, Refusal, Running};

/// The proxy's identity in agentd's numbering.
const PROXY_UID: u32 = UID + 1;
/// Events that are reported; the account must fit into its pipe.
const REPORTED: usize = 200;

/// What may be reached.
#[derive(Debug, Args)]
pub(super) struct WayOut {
    /// Let the command reach this through a proxy, if profile and site grant it. May be
    /// repeated
    #[arg(long = "egress", value_name = "HOST:PORT", requires = "egress_file", value_parser = endpoint)]
    endpoints: Vec<Endpoint>,
    /// What the site grants; see docs/formats/egress.md
    #[arg(long, value_name = "FILE", requires = "endpoints")]
    egress_file: Option<PathBuf>,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).ok_or_else(|| "it is not NAME:PORT in lower case".to_owned())
}

impl WayOut {
    /// The site's file, if there is a way out; what is asked for must be granted by
    /// profile and site.
    pub(super) fn check(&self, profile: &Profile) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(path) = &self.egress_file else {
            return Ok(None);
        };
        let text = read(path)?;
        let site = Site::parse(&text)?;
        for asked in &self.endpoints {
            if !profile.egress().covers(asked) {
                let why = format!("the profile {} does not grant {asked}", profile.name());
                return Err(refuse(why));
            }
            if !site.covers(asked) {
                let why = format!("the site does not grant {asked}");
                return Err(Refusal::new(
                    &code::NOT_SITE,
                    "the command was not run",
                    why,
                ));
            }
        }
        Ok(Some(text.into_bytes()))
    }

    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.clone()
    }
}

/// The text of a site's egress file.
///
/// # Errors
/// `egress.file`.
pub(crate) fn read(path: &Path) -> Result<String, Refusal> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(site::LARGEST).read_to_string(&mut text))
        .map_err(|e| {
            let what = format!("{} cannot be read", path.display());
            Refusal::new(&code::FILE, what, e)
        })?;
    Ok(text)
}

/// A command's outlet, and what it recorded.
#[derive(Debug)]
pub(super) struct Opened {
    outlet: Outlet,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Opened {
    /// Opens it for a running command. In agentd's rooms.
    pub(super) fn open(
        grants: Vec<Endpoint>,
        root: String,
        running: &Running,
    ) -> Result<Self, Refusal> {
        let site = std::fs::read_to_string(site::PLACE).map_err(refuse)?;
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let recorded = Arc::clone(&events);
        let outlet = Outlet::open(Plan {
            root,
            name: "exec-proxy".to_owned(),
            uid: PROXY_UID,
            listening: running
                .take_listening()
                .ok_or_else(|| refuse("the sandbox has no port for its proxy"))?,
            grants,
            bounds: Site::parse(&site)?.bounds(),
            connector: Connector::adopt(CONNECTOR).map_err(refuse)?,
            record: Arc::new(move |event| {
                let mut events = recorded.lock().unwrap_or_else(PoisonError::into_inner);
                if events.len() < REPORTED {
                    events.push(event);
                }
                true
            }),
        })?;
        Ok(Self { outlet, events })
    }

    /// Closes it; what it recorded.
    pub(super) fn close(self) -> Vec<Event> {
        self.outlet.close();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *events)
    }
}

/// For a program.
pub(super) fn json(event: &Event) -> Option<Value> {
    match event {
        Event::Connection {
            number,
            host,
            port,
            what,
        } => {
            let mut one = json!({ "number": number, "host": host, "port": port });
            let (key, value) = match what {
                ConnectionEvent::Opened { address } => ("opened", json!({ "address": address })),
                ConnectionEvent::Closed {
                    sent,
                    received,
                    code,
                } => (
                    "closed",
                    json!({ "sent": sent, "received": received, "code": code }),
                ),
                ConnectionEvent::Refused { code, message } => {
                    ("refused", json!({ "code": code, "message": message }))
                }
            };
            one.as_object_mut()?.insert(key.to_owned(), value);
            Some(one)
        }
        Event::MoreRefused { count } => Some(json!({ "more_refused": count })),
        _ => None,
    }
}

/// For a person.
pub(super) fn text(event: &Event) -> Option<String> {
    match event {
        Event::Connection {
            number,
            host,
            port,
            what,
        } => Some(match what {
            ConnectionEvent::Opened { address } => {
                format!("connection {number} to {host}:{port} opened at {address}")
            }
            ConnectionEvent::Closed {
                sent,
                received,
                code,
            } => {
                let code = code
                    .as_ref()
                    .map_or(String::new(), |code| format!(", {code}"));
                format!("connection {number} closed: {sent} bytes sent, {received} received{code}")
            }
            ConnectionEvent::Refused { code, message } => {
                format!("connection {number} refused: {message} ({code})")
            }
        }),
        Event::MoreRefused { count } => Some(format!("{count} more connections refused")),
        _ => None,
    }
}
