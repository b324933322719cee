//! The inner half of `agentd exec`, in agentd's rooms.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use casemate_protocol::codec;
use casemate_protocol::egress::Endpoint;
use minicbor::{Decode, Encode};

use super::limits::OrderLimits;
use super::refuse;
use super::report::{Account, Denied};
use super::way_out::Opened;
use crate::denial::Watch;
use crate::denial::start::CHANNEL;
use crate::sandbox::enclosure::PASSED;
use crate::sandbox::{
    Bind, How, LaunchSpec, Output, Profile, Refusal, Right, Running, Sandbox, sys,
};

/// The sandbox's identity in agentd's numbering.
pub(super) const UID: u32 = 1000;
/// Where agentd's tree has what was brought along.
pub(super) const BROUGHT: &str = "/brought";

/// What the inner half is told.
#[derive(Debug, Encode, Decode)]
pub(super) struct Inner {
    #[n(0)]
    pub(super) profile: String,
    /// The file that makes it narrower.
    #[n(1)]
    pub(super) narrow: Option<String>,
    #[n(2)]
    pub(super) root: String,
    /// Where the workspace is, inside.
    #[n(3)]
    pub(super) workspace: Option<String>,
    /// Places inside; their sources are numbered in [`BROUGHT`].
    #[n(4)]
    pub(super) binds: Vec<String>,
    #[n(5)]
    pub(super) limits: OrderLimits,
    #[n(6)]
    pub(super) env: Vec<(String, String)>,
    #[n(7)]
    pub(super) command: Vec<String>,
    /// In seconds.
    #[n(8)]
    pub(super) timeout: Option<u64>,
    /// What it may reach.
    #[n(9)]
    pub(super) egress: Vec<Endpoint>,
    /// Why nobody watches what is denied, if so.
    #[n(10)]
    pub(super) unwatched: Option<String>,
}

/// `told` is what the outer half encoded.
///
/// # Errors
/// [`Refusal`] if nothing was run.
pub fn run(told: &str) -> Result<How, Refusal> {
    let inner: Inner = hex::decode(told)
        .ok()
        .and_then(|bytes| codec::decode_canonical(&bytes).ok())
        .ok_or_else(|| refuse("the outer half did not say what to run"))?;
    let account = sys::adopt(PASSED).map_err(refuse)?;
    let profile = inner.profile()?;
    let directory = inner.workspace.clone().unwrap_or_else(|| "/".to_owned());
    let timeout = inner.timeout.map(Duration::from_secs);
    let (egress, root) = (inner.egress.clone(), inner.root.clone());
    let watch = match &inner.unwatched {
        None => sys::adopt(CHANNEL).map(Watch::of).map_err(refuse)?,
        Some(why) => Watch::nobody(why),
    };
    watch.open(UID..UID + 1);
    let spec = inner.spec(&profile)?;
    let running = Sandbox::spawn_as(spec, &profile, &directory, Output::Live)?;
    let opened = match egress.is_empty() {
        true => None,
        false => Some(Opened::open(egress, root, &running)?),
    };
    let (ending, timed_out) = wait(&running, timeout);
    let connections = opened.map(Opened::close).unwrap_or_default();
    let denied = Denied::of(&profile, &ending, &watch);
    let told = codec::encode(&Account::of(&ending, timed_out, connections, denied));
    // An outer half that is gone needs no account.
    let _gone = File::from(account).write_all(&told);
    Ok(ending.how)
}

fn wait(running: &Running, timeout: Option<Duration>) -> (crate::sandbox::Ending, bool) {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let Some(deadline) = deadline else {
        return (running.wait(), false);
    };
    match running.wait_until(deadline) {
        Some(ending) => (ending, false),
        None => {
            running.kill();
            (running.wait(), true)
        }
    }
}

impl Inner {
    fn profile(&self) -> Result<Profile, Refusal> {
        let mut profile = Profile::shipped(&self.profile)?.clone();
        if let Some(text) = &self.narrow {
            profile = profile.narrowed_by(&Profile::parse(text)?)?;
        }
        #[cfg(feature = "host-root")]
        if let Some(at) = &self.workspace {
            profile = profile.with_workspace_at(at);
        }
        Ok(profile)
    }

    fn spec(self, profile: &Profile) -> Result<LaunchSpec, Refusal> {
        let mut binds: Vec<Bind> = Vec::new();
        for (number, at) in self.binds.into_iter().enumerate() {
            let right = match profile.bind_right(&at) {
                Some(Right::Execute) => Right::Execute,
                Some(_) => Right::Read,
                None => {
                    let why = format!("the profile {} has no place {at}", profile.name());
                    return Err(refuse(why));
                }
            };
            let from = format!("{BROUGHT}/{number}");
            binds.push(Bind { from, at, right });
        }
        if let Some(at) = self.workspace
            && let Some(right) = profile.bind_right(&at)
        {
            let from = format!("{BROUGHT}/workspace");
            binds.push(Bind { from, at, right });
        }
        Ok(LaunchSpec {
            egress: !self.egress.is_empty(),
            profile: self.profile,
            name: "exec".into(),
            uid: UID,
            root: self.root,
            binds,
            argv: self.command,
            environment: self.env,
            passed: None,
            limits: self.limits.narrowed(),
        })
    }
}
