//! Checking a workflow without running it: agentd does it, in a sandbox.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::lease::{Diagnosis, ToAgent};

use super::agent::LinkError;
use super::dispatcher::Dispatcher;
use super::error::JobError;

/// Most workflows that are being checked.
const MAX_CHECKS: usize = 4;
/// How long agentd may take to check a workflow.
const CHECK_PATIENCE: Duration = Duration::from_secs(60);

impl Dispatcher {
    /// Has agentd check a workflow without running it.
    ///
    /// # Errors
    /// [`JobError::NoAgent`] if it is not there or does not answer.
    pub fn check_workflow(&self, bundle: &Bundle) -> Result<Vec<Diagnosis>, JobError> {
        let (sender, answer) = sync_channel(1);
        let mut inner = self.lock();
        let request = inner.next_check;
        inner.next_check = request.saturating_add(1);
        let Some(agent) = &inner.agent else {
            return Err(JobError::NoAgent(
                "agentd, which checks workflows, is not connected".to_owned(),
            ));
        };
        if inner.checks.len() >= MAX_CHECKS {
            return Err(JobError::NoAgent(
                "agentd is busy with other checks".to_owned(),
            ));
        }
        agent.outbox.send(ToAgent::Check {
            request,
            bundle: codec::encode(bundle).into(),
        });
        inner.checks.insert(request, sender);
        drop(inner);
        let answer = answer.recv_timeout(CHECK_PATIENCE);
        self.lock().checks.remove(&request);
        answer.map_err(|_| JobError::NoAgent("agentd did not answer the check".to_owned()))
    }

    /// agentd's answer to a check.
    ///
    /// # Errors
    /// [`LinkError`] if nobody asked.
    pub fn checked(&self, request: u64, diagnoses: Vec<Diagnosis>) -> Result<(), LinkError> {
        let mut inner = self.lock();
        if request == 0 || request >= inner.next_check {
            return Err(LinkError::Malformed(format!(
                "an answer to check {request}, which nobody asked for"
            )));
        }
        if let Some(asker) = inner.checks.remove(&request) {
            // Whoever asked may have stopped waiting.
            let _ = asker.send(diagnoses);
        }
        Ok(())
    }
}
