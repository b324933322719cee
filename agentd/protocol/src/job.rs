//! A job: its immutable specification, whose digest everything else carries.

use minicbor::{Decode, Encode};

use crate::action::{Action, Verb};
use crate::codec;
use crate::egress::Endpoint;
use crate::id::{Digest, JobId, TenantId};

/// The only version of [`JobSpec`].
pub const VERSION: u32 = 1;

/// An input document: what the workflow will find under `in/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Input {
    /// File name, no folder.
    #[n(0)]
    pub name: String,
    /// SHA-256 of its bytes.
    #[n(1)]
    pub digest: Digest,
    /// Its length in bytes.
    #[n(2)]
    pub size: u64,
}

/// What the job may do; what is not listed is refused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Grants {
    /// Kinds of action, ascending.
    #[n(0)]
    pub verbs: Vec<Verb>,
    /// Applications of the pack, by name, ascending.
    #[n(1)]
    pub applications: Vec<String>,
    /// Files under `out/` that become artifacts, by name, ascending.
    #[n(2)]
    pub outputs: Vec<String>,
    /// Hosts and ports that its desktop may reach through the job's proxy, ascending;
    /// `None` is none, and an empty list is not a form of it. A grant without it has the
    /// bytes, and so the digest, that it had before there was this field.
    #[n(3)]
    pub egress: Option<Vec<Endpoint>>,
}

/// Why an action is outside the grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// The kind of action is not granted.
    #[error("the job has no grant for `{}`", .0.word())]
    Verb(Verb),
    /// The application is not granted.
    #[error("the job has no grant to open the application `{0}`")]
    Application(String),
    /// The output file is not granted.
    #[error("the job has no grant to write `{0}`")]
    Output(String),
}

impl Grants {
    /// What the job may reach.
    pub fn egress(&self) -> &[Endpoint] {
        self.egress.as_deref().unwrap_or_default()
    }

    /// Whether the grants cover an action.
    ///
    /// # Errors
    /// [`NotGranted`] names what is missing.
    pub fn check(&self, action: &Action) -> Result<(), NotGranted> {
        let Some(verb) = action.verb() else {
            return Ok(());
        };
        if !self.verbs.contains(&verb) {
            return Err(NotGranted::Verb(verb));
        }
        match action {
            Action::Open { app, .. } | Action::Close { app }
                if !self.applications.contains(app) =>
            {
                Err(NotGranted::Application(app.clone()))
            }
            Action::WriteFile { path, .. } | Action::Template { path, .. }
                if !self
                    .outputs
                    .iter()
                    .any(|name| path.strip_prefix("out/") == Some(name)) =>
            {
                Err(NotGranted::Output(path.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// Bounds on what the job may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// Wall time from lease to end, in seconds.
    #[n(0)]
    pub seconds: u32,
    /// Memory of the desktop compartment, in MiB.
    #[n(1)]
    pub desktop_mib: u32,
    /// Memory of the interpreter, in MiB.
    #[n(2)]
    pub script_mib: u32,
    /// Memory of the eyes and hands, in MiB.
    #[n(3)]
    pub hands_mib: u32,
    /// Workspace, in MiB.
    #[n(4)]
    pub workspace_mib: u32,
    /// Actions.
    #[n(5)]
    pub steps: u32,
}

/// What happens to a job whose run was cut off through no doing of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum OnInterrupt {
    /// Start it again from the beginning, and say so.
    #[n(0)]
    Requeue,
    /// End it as failed.
    #[n(1)]
    Fail,
}

/// The specification of one job. Immutable; its canonical bytes are hashed and
/// the digest goes into lease, events, artifacts and evidence.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct JobSpec {
    /// [`VERSION`].
    #[n(0)]
    pub version: u32,
    /// The job.
    #[n(1)]
    pub job: JobId,
    /// Whose job.
    #[n(2)]
    pub tenant: TenantId,
    /// Who asked for it, a principal's name.
    #[n(3)]
    pub requester: String,
    /// Name of the workflow.
    #[n(4)]
    pub workflow: String,
    /// SHA-256 of the workflow bundle's bytes.
    #[n(5)]
    pub bundle: Digest,
    /// Inputs, ascending by name.
    #[n(6)]
    pub inputs: Vec<Input>,
    /// Parameters, ascending by name.
    #[n(7)]
    pub parameters: Vec<(String, String)>,
    /// Sandbox profile set; `desktop` for now.
    #[n(8)]
    pub profile: String,
    /// Verity root of the desktop pack.
    #[n(9)]
    pub pack_root: Digest,
    /// What it may do.
    #[n(10)]
    pub grants: Grants,
    /// What it may use.
    #[n(11)]
    pub limits: Limits,
    /// What happens when it is cut off.
    #[n(12)]
    pub on_interrupt: OnInterrupt,
}

impl JobSpec {
    /// SHA-256 of `casemate/jobspec/v1`, a zero byte and the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of_domain("casemate/jobspec/v1", &codec::encode(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants() -> Grants {
        Grants {
            verbs: vec![Verb::Open, Verb::Files],
            applications: vec!["evince".into()],
            outputs: vec!["a.xlsx".into()],
            egress: None,
        }
    }

    #[test]
    fn without_a_network_a_grant_is_written_as_it_always_was() {
        let bytes = codec::encode(&grants());
        assert_eq!(bytes.first(), Some(&0x83), "an array of three");
        assert_eq!(codec::decode_canonical::<Grants>(&bytes), Ok(grants()));
        let mut wider = grants();
        wider.egress = Some(vec![Endpoint {
            host: "a.example".into(),
            port: 443,
        }]);
        let bytes = codec::encode(&wider);
        assert_eq!(bytes.first(), Some(&0x84));
        assert_eq!(codec::decode_canonical::<Grants>(&bytes), Ok(wider));
    }

    #[test]
    fn only_what_is_listed_is_granted() {
        let open = |app: &str| Action::Open {
            app: app.into(),
            files: vec![],
        };
        let write = |path: &str| Action::WriteFile {
            path: path.into(),
            text: String::new(),
        };
        assert_eq!(grants().check(&open("evince")), Ok(()));
        assert_eq!(
            grants().check(&open("gnumeric")),
            Err(NotGranted::Application("gnumeric".into()))
        );
        assert_eq!(grants().check(&write("out/a.xlsx")), Ok(()));
        for path in [
            "a.xlsx",
            "out/b.xlsx",
            "out/../a.xlsx",
            "in/a.xlsx",
            "out/out/a.xlsx",
        ] {
            assert!(grants().check(&write(path)).is_err(), "{path}");
        }
        let keys = Action::Keys { chords: vec![] };
        assert_eq!(grants().check(&keys), Err(NotGranted::Verb(Verb::Keys)));
        let nothing = Grants {
            verbs: vec![],
            applications: vec![],
            outputs: vec![],
            egress: None,
        };
        assert!(nothing.check(&open("evince")).is_err());
    }
}
