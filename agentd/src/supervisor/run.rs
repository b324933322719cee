//! One job, from its lease to the moment nothing of it is left.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::compartment::{FromScript, ScriptSetup, ToScript};
use casemate_protocol::event::{ArtifactKind, Event, JobEnd};
use casemate_protocol::id::Digest;
use casemate_protocol::job::{self, JobSpec};
use minicbor::bytes::ByteVec;
use sha2::{Digest as _, Sha256};

use super::channel::{Channel, ChannelError};
use super::code;
use super::compartments::{Compartments, StrictChecker};
use super::denials::Denials;
use super::files;
use super::ground::Ground;
use super::link::{Gone, JobLink};
use super::mediator::Mediator;
use super::stop::Stop;
use super::workspace::Workspace;
use crate::egress;
use casemate_protocol::Code;

/// Largest output document that becomes an artifact.
const OUTPUT: u64 = 256 << 20;
/// Time the desktop may take to come up.
const DESKTOP: Duration = Duration::from_secs(60);

/// A job as it was leased, its parts not yet believed.
#[derive(Debug)]
pub struct Lease {
    /// The specification; its digest is the job's identity in every record.
    pub spec: JobSpec,
    /// Bytes of the workflow bundle.
    pub bundle: Vec<u8>,
    /// The inputs, in the specification's order.
    pub inputs: Vec<OwnedFd>,
    /// First of the block of our ids that is this job's.
    pub uid_base: u32,
}

/// How a job ended before its workflow did.
type Ending = JobEnd;

fn failed(code: &Code, message: impl ToString) -> Ending {
    JobEnd::Failed {
        code: code.id.to_owned(),
        message: message.to_string(),
    }
}

fn interrupted(code: &Code, message: impl ToString) -> Ending {
    JobEnd::Interrupted {
        code: code.id.to_owned(),
        message: message.to_string(),
    }
}

/// Runs a leased job and reports its end when everything of it is gone.
pub fn run(ground: &Arc<Ground>, lease: Lease, mut report: JobLink) {
    let denials = Denials::open(&ground.watch, lease.uid_base);
    let end = attempt(ground, lease, &mut report, &denials).unwrap_or_else(|end| end);
    let end = denials.explain_ending(end);
    denials.report(&mut report);
    // The sandboxes, the workspace and its mount went with `attempt`.
    report.ended(end);
}

fn attempt(
    ground: &Arc<Ground>,
    lease: Lease,
    report: &mut JobLink,
    denials: &Denials,
) -> Result<JobEnd, Ending> {
    let leased = Instant::now();
    let deadline = leased + Duration::from_secs(u64::from(lease.spec.limits.seconds));
    let bundle = admit(ground, &lease)?;
    phase(report, "leased", leased)?;

    // Order matters for clean-up: the compartments are declared after the
    // workspace and so end before it is unmounted.
    let workspace = prepare(&lease)?;
    let reporter = report.reporter();
    let record = Arc::new(move |event| reporter.report_durably(event).is_ok());
    let (spec, base) = (&lease.spec, lease.uid_base);
    let mut compartments = Compartments::build(ground, spec, base, &workspace, record)
        .map_err(|e| interrupted(&code::JOB_NO_SANDBOX, e))?;
    compartments
        .breakers()
        .into_iter()
        .for_each(|breaker| report.end_with_job(breaker));
    compartments
        .start_desktop(deadline.min(Instant::now() + DESKTOP))
        .map_err(|stop| ending(&stop, report, &compartments))?;
    phase(report, "desktop", leased)?;

    let setup = setup(&bundle, &lease, deadline);
    let checker = StrictChecker::new(ground, lease.uid_base, &workspace);
    let outcome = {
        let (script, hands, session) = compartments.channels();
        let mediator = Mediator {
            spec: &lease.spec,
            pack: &ground.pack,
            workspace: &workspace,
            report,
            denials,
            hands,
            session,
            checker: &checker,
            leased,
            deadline,
            steps: 0,
            picture: None,
        };
        converse(script, &setup, mediator)
    };
    let end = match outcome {
        Ok(end) => end,
        Err(stop) => ending(&stop, report, &compartments),
    };
    phase(report, "collect", leased)?;
    for (name, ending, stderr) in compartments.end() {
        if let Some(ending) = ending {
            denials.ended(name, &ending);
        }
        if !stderr.is_empty() {
            report.artifact(
                &format!("{name}.log"),
                ArtifactKind::Log,
                "text/plain",
                &stderr,
            )?;
        }
    }
    collect(&lease.spec, &workspace, report)?;
    Ok(end)
}

/// What the interpreter is told first.
fn setup(bundle: &Bundle, lease: &Lease, deadline: Instant) -> ScriptSetup {
    ScriptSetup::Run {
        bundle: ByteVec::from(lease.bundle.clone()),
        parameters: parameters(bundle, &lease.spec),
        inputs: lease
            .spec
            .inputs
            .iter()
            .map(|input| input.name.clone())
            .collect(),
        deadline_ms: millis(deadline.saturating_duration_since(Instant::now())),
    }
}

impl From<Gone> for JobEnd {
    fn from(Gone: Gone) -> Self {
        // Reported only if the daemon is back to hear it; it decides by policy.
        Self::Cancelled
    }
}

fn phase(report: &mut JobLink, name: &str, leased: Instant) -> Result<(), Gone> {
    report.report(Event::Phase {
        name: name.to_owned(),
        at_ms: millis(leased.elapsed()),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Checks that the parts of the lease belong together and fit this agentd.
fn admit(ground: &Ground, lease: &Lease) -> Result<Bundle, Ending> {
    let refused = |why: &str| failed(&code::JOB_REFUSED, why);
    let spec = &lease.spec;
    if spec.version != job::VERSION {
        return Err(refused("the specification has an unknown version"));
    }
    if spec.profile != "desktop" {
        return Err(refused("the specification names an unknown profile"));
    }
    if Digest::of(&lease.bundle) != spec.bundle {
        return Err(refused("the workflow is not the one of the specification"));
    }
    if spec.pack_root != ground.pack.root_hash {
        return Err(refused(
            "the specification was made for another desktop pack",
        ));
    }
    if lease.inputs.len() != spec.inputs.len() {
        return Err(refused("an input is missing"));
    }
    if !spec.inputs.iter().all(|input| files::is_name(&input.name)) {
        return Err(refused("an input has a name that is not a plain file name"));
    }
    let site = ground.egress.as_ref().map(|(site, _)| site);
    for asked in spec.grants.egress() {
        if !site.is_some_and(|site| site.covers(asked)) {
            let why = format!("the site does not grant {asked}");
            return Err(failed(&egress::code::NOT_SITE, why));
        }
    }
    codec::decode_canonical(&lease.bundle).map_err(|e| refused(&e.to_string()))
}

fn parameters(bundle: &Bundle, spec: &JobSpec) -> Vec<(String, String)> {
    let given = |name: &String| spec.parameters.iter().find(|(known, _)| known == name);
    bundle
        .parameters
        .iter()
        .map(|(name, default)| {
            (
                name.clone(),
                given(name).map_or_else(|| default.clone(), |(_, value)| value.clone()),
            )
        })
        .collect()
}

/// Mounts the job's folders and copies its inputs in, checking each digest.
fn prepare(lease: &Lease) -> Result<Workspace, Ending> {
    let mib = lease.spec.limits.workspace_mib;
    let desktop = super::compartments::desktop_uid(lease.uid_base);
    let workspace = Workspace::create(lease.spec.job, mib, desktop)
        .map_err(|e| interrupted(&code::JOB_NO_WORKSPACE, e))?;
    for (input, descriptor) in lease.spec.inputs.iter().zip(&lease.inputs) {
        let mut hashed = Hashed {
            file: reopen(descriptor)?,
            hash: Sha256::new(),
        };
        let copied = workspace.put_input(&input.name, &mut hashed).map_err(|e| {
            failed(
                &code::JOB_NO_WORKSPACE,
                format!("input {}: {e}", input.name),
            )
        })?;
        if copied != input.size || Digest(hashed.hash.finalize().into()) != input.digest {
            let why = format!("input {} is not the one of the specification", input.name);
            return Err(failed(&code::JOB_REFUSED, why));
        }
    }
    Ok(workspace)
}

fn reopen(descriptor: &OwnedFd) -> Result<File, Ending> {
    let wrong = |e: io::Error| failed(&code::JOB_REFUSED, format!("an input cannot be read: {e}"));
    let mut file = File::from(descriptor.try_clone().map_err(wrong)?);
    file.seek(SeekFrom::Start(0)).map_err(wrong)?;
    Ok(file)
}

struct Hashed {
    file: File,
    hash: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(room)?;
        self.hash.update(room.get(..n).unwrap_or_default());
        Ok(n)
    }
}

/// Answers the script's actions until it ends.
fn converse(
    script: &mut Channel,
    setup: &ScriptSetup,
    mut mediator: Mediator<'_>,
) -> Result<JobEnd, Stop> {
    let deadline = mediator.deadline;
    let lost = |error| match error {
        ChannelError::Late => Stop::Deadline,
        error => Stop::Lost {
            which: "script",
            error,
        },
    };
    script.send(setup).map_err(lost)?;
    let mut expected = 1u64;
    loop {
        match script.receive(deadline).map_err(lost)? {
            FromScript::Act { number, action } if number == expected => {
                let outcome = mediator.perform(&action)?;
                script.send(&ToScript { number, outcome }).map_err(lost)?;
                expected = expected.saturating_add(1);
            }
            FromScript::Finished => return Ok(JobEnd::Succeeded),
            FromScript::Failed { code, message } => return Ok(JobEnd::Failed { code, message }),
            _ => {
                let why = "a message that does not belong in a running job".to_owned();
                return Err(Stop::Lost {
                    which: "script",
                    error: ChannelError::Malformed(why),
                });
            }
        }
    }
}

/// Turns the reason a job cannot go on into the way it ends.
fn ending(stop: &Stop, report: &JobLink, compartments: &Compartments) -> JobEnd {
    if report.cancelled() || report.gone() || matches!(stop, Stop::Gone) {
        return JobEnd::Cancelled;
    }
    match stop {
        Stop::Gone => JobEnd::Cancelled,
        Stop::Deadline => failed(&code::JOB_TIMEOUT, "the job's time limit was reached"),
        Stop::Steps => failed(&code::JOB_STEPS, "the job's limit of steps was reached"),
        Stop::Lost {
            which,
            error: error @ ChannelError::Malformed(_),
        } => failed(
            &code::JOB_HOSTILE,
            format!("the compartment `{which}`: {error}"),
        ),
        Stop::Lost { which, error } => {
            let how = compartments.post_mortem(which);
            if how.out_of_memory {
                let why = format!("the compartment `{which}` used up its memory limit");
                return failed(&code::JOB_MEMORY, why);
            }
            if how.crashed && *which == "script" {
                // The workflow's own doing: the same script would do it again.
                let why = format!("the interpreter crashed ({})", how.text);
                return failed(&code::JOB_CRASHED, why);
            }
            interrupted(
                &code::JOB_COMPARTMENT_LOST,
                format!("the compartment `{which}` was lost ({error}; {})", how.text),
            )
        }
    }
}

/// Sends the granted output documents that exist.
fn collect(spec: &JobSpec, workspace: &Workspace, report: &mut JobLink) -> Result<(), JobEnd> {
    for name in spec
        .grants
        .outputs
        .iter()
        .filter(|name| files::is_name(name))
    {
        let bytes = match files::read_regular(workspace.root(), &format!("out/{name}"), OUTPUT) {
            Ok(bytes) => bytes,
            Err(files::FileError::Missing(_)) => continue,
            Err(e) => return Err(failed(&code::FILE_REFUSED, e)),
        };
        report.artifact(name, ArtifactKind::Output, media(name), &bytes)?;
    }
    Ok(())
}

fn media(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("pdf") => "application/pdf",
        Some("txt" | "csv") => "text/plain",
        _ => "application/octet-stream",
    }
}
