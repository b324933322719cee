//! From a request to a job: the specification is built here, once.

use std::collections::BTreeMap;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::event::ArtifactKind;
use casemate_protocol::id::{ArtifactId, Digest, JobId, TenantId};
use casemate_protocol::job::{Input, JobSpec, VERSION};
use casemate_protocol::lease::PackOffer;

use super::dispatcher::Dispatcher;
use super::error::JobError;
use super::state::Job;
use crate::artifact::Artifact;
use crate::code;
use crate::keys::random;

/// The one sandbox profile set; also the name of the pack that it runs in.
const PROFILE: &str = "desktop";
/// Longest value of a parameter.
const MAX_VALUE: usize = 4096;
/// Longest name of an input.
const MAX_NAME: usize = 128;
/// Most inputs of a job.
const MAX_INPUTS: usize = 256;
/// Largest specification: it must fit into one audit leaf with its artifacts.
const MAX_SPEC: usize = 32 << 10;
/// Largest bundle, in its canonical bytes.
pub const MAX_BUNDLE: usize = 4 << 20;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Name of the workflow.
    pub workflow: String,
    /// Input names with where they are stored.
    pub inputs: BTreeMap<String, ArtifactId>,
    /// Parameters that differ from the defaults.
    pub parameters: BTreeMap<String, String>,
    /// Who asks.
    pub requester: String,
}

impl Dispatcher {
    /// Builds the job that an order asks for; nothing is recorded yet.
    ///
    /// # Errors
    /// [`JobError`] names what cannot be used.
    pub fn job_of(&self, order: Order) -> Result<Job, JobError> {
        let row = self
            .store()
            .index()
            .workflow(&order.workflow)?
            .ok_or_else(|| JobError::NoWorkflow(order.workflow.clone()))?;
        let bytes = self.read_bundle(row.bundle)?;
        let bundle: Bundle = codec::decode_canonical(&bytes).map_err(|e| JobError::State {
            code: &code::ARTIFACT_DAMAGED,
            message: format!("the stored bundle of {:?}: {e}", order.workflow),
        })?;
        let pack = self.pack_for(&bundle)?;
        let (inputs, artifacts) = self.inputs(order.inputs)?;
        let spec = JobSpec {
            version: VERSION,
            job: JobId(random()?),
            tenant: TenantId::SYSTEM,
            requester: order.requester,
            workflow: bundle.name,
            bundle: row.bundle.digest,
            inputs,
            parameters: parameters(bundle.parameters, order.parameters)?,
            profile: PROFILE.to_owned(),
            pack_root: pack,
            grants: bundle.grants,
            limits: bundle.limits,
            on_interrupt: bundle.on_interrupt,
        };
        let size = codec::encode(&spec).len();
        if size > MAX_SPEC {
            return Err(JobError::Parameter {
                name: "all".to_owned(),
                why: format!("the job's specification has {size} bytes, at most {MAX_SPEC}"),
            });
        }
        Ok(Job::accepted(spec, artifacts, row.bundle))
    }

    /// The canonical bytes of a stored bundle.
    ///
    /// # Errors
    /// [`JobError::State`] if they are damaged.
    pub fn read_bundle(&self, artifact: Artifact) -> Result<Vec<u8>, JobError> {
        Ok(self
            .store()
            .artifact_reader(artifact)?
            .read_all(MAX_BUNDLE as u64)?)
    }

    /// The verity root of the mounted pack, which must offer every application.
    fn pack_for(&self, bundle: &Bundle) -> Result<Digest, JobError> {
        let agent = self.agent().ok_or_else(|| {
            JobError::NoAgent("agentd is not connected, so no pack is known".to_owned())
        })?;
        let pack: &PackOffer = agent
            .packs
            .iter()
            .find(|pack| pack.name == PROFILE)
            .ok_or_else(|| JobError::NoAgent(format!("agentd has no pack named {PROFILE:?}")))?;
        for name in &bundle.grants.applications {
            if !pack.applications.contains(name) {
                return Err(JobError::Application(name.clone()));
            }
        }
        Ok(pack.root)
    }

    fn inputs(
        &self,
        named: BTreeMap<String, ArtifactId>,
    ) -> Result<(Vec<Input>, Vec<Artifact>), JobError> {
        let mut inputs = Vec::with_capacity(named.len());
        let mut artifacts = Vec::with_capacity(named.len());
        let count = named.len();
        for (name, id) in named {
            let wrong = |why: &str| JobError::Input {
                name: name.clone(),
                why: why.to_owned(),
            };
            if count > MAX_INPUTS {
                return Err(wrong("there are too many inputs"));
            }
            if !is_file_name(&name) {
                return Err(wrong("this is not a plain file name"));
            }
            let row = self
                .store()
                .index()
                .artifact(id)?
                .filter(|row| row.kind == Some(ArtifactKind::Input) && row.job.is_none())
                .ok_or_else(|| wrong("nothing was uploaded under this id"))?;
            inputs.push(Input {
                name,
                digest: row.artifact.digest,
                size: row.artifact.size,
            });
            artifacts.push(row.artifact);
        }
        Ok((inputs, artifacts))
    }
}

/// The workflow's parameters with what was asked for in place of the defaults.
fn parameters(
    declared: Vec<(String, String)>,
    mut asked: BTreeMap<String, String>,
) -> Result<Vec<(String, String)>, JobError> {
    let parameters: Vec<(String, String)> = declared
        .into_iter()
        .map(|(name, default)| {
            let value = asked.remove(&name).unwrap_or(default);
            (name, value)
        })
        .collect();
    if let Some((name, _)) = asked.pop_first() {
        let why = "the workflow declares no such parameter".to_owned();
        return Err(JobError::Parameter { name, why });
    }
    if let Some((name, _)) = parameters.iter().find(|(_, value)| value.len() > MAX_VALUE) {
        let why = format!("the value is longer than {MAX_VALUE} bytes");
        return Err(JobError::Parameter {
            name: name.clone(),
            why,
        });
    }
    Ok(parameters)
}

/// A name that is one visible component of a path and nothing else.
fn is_file_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_name_is_a_file_name() {
        for name in ["a.pdf", "Rechnung Nr. 5.pdf", "\u{e4}.pdf"] {
            assert!(is_file_name(name), "{name}");
        }
        let long = "x".repeat(129);
        for name in [
            "", ".", "..", ".hidden", "a/b", "/a", "a\\b", "a\0b", "a\nb", &long,
        ] {
            assert!(!is_file_name(name), "{name}");
        }
    }

    #[test]
    fn a_parameter_must_be_declared() {
        let declared = vec![
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "2".to_owned()),
        ];
        let asked = |name: &str| BTreeMap::from([(name.to_owned(), "9".to_owned())]);
        assert_eq!(
            parameters(declared.clone(), asked("b")).unwrap(),
            [
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), "9".to_owned())
            ]
        );
        assert!(matches!(
            parameters(declared, asked("c")),
            Err(JobError::Parameter { name, .. }) if name == "c"
        ));
    }
}
