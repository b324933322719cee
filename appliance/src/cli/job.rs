//! `casemate job`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::{Job, Run};
use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, artifact, folder, text};
use crate::api::view::{EventView, EventsView, InputView, JobRequest, JobView};
use crate::code;

pub(super) fn run(desk: &mut Desk<'_>, command: Job) -> Result<Exit, Failure> {
    match command {
        Job::Run(command) => start(desk, &command),
        Job::List => list(desk),
        Job::Show { job } => {
            let view = find(desk, "showing the job", &job)?;
            show(desk, &view)?;
            Ok(Exit::Done)
        }
        Job::Events { job, follow, after } => {
            let id = full_id(desk, "reading the job's events", &job)?;
            events(desk, &id, after, follow)?;
            Ok(Exit::Done)
        }
        Job::Denials { job } => {
            let id = full_id(desk, "reading the job's denials", &job)?;
            denials(desk, &id)?;
            Ok(Exit::Done)
        }
        Job::Cancel { job } => cancel(desk, &job),
    }
}

fn start(desk: &mut Desk<'_>, command: &Run) -> Result<Exit, Failure> {
    let what = format!("starting a job of workflow {}", command.workflow);
    let mut request = JobRequest {
        workflow: command.workflow.clone(),
        inputs: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    for parameter in &command.parameters {
        let (key, value) = parameter
            .split_once('=')
            .ok_or_else(|| usage(&what, format!("--param {parameter:?} is not KEY=VALUE")))?;
        if request
            .parameters
            .insert(key.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(usage(&what, format!("parameter {key:?} is given twice")));
        }
    }
    if let Some(out) = &command.out {
        std::fs::create_dir_all(out)
            .map_err(|e| Failure::file(format!("{what}: making {}", out.display()), &e))?;
    }
    for (name, path) in inputs(&what, &command.inputs)? {
        let bytes = std::fs::read(&path)
            .map_err(|e| Failure::file(format!("{what}: reading {}", path.display()), &e))?;
        let answer = desk.client.post_bytes(&what, "/v1/inputs", bytes)?;
        let input: InputView = super::client::parse(&what, &answer)?;
        request.inputs.insert(name, input.artifact);
    }
    let view: JobView = desk.client.post(&what, "/v1/jobs", &request)?;
    if !command.wait && command.out.is_none() {
        if desk.json {
            text::json(desk.out, &view)?;
        } else {
            writeln!(desk.out, "{}", view.job)?;
        }
        return Ok(Exit::Done);
    }
    if !desk.json {
        writeln!(desk.out, "job {}", view.job)?;
    }
    events(desk, &view.job, 0, true)?;
    let view: JobView = desk.client.get(&what, &format!("/v1/jobs/{}", view.job))?;
    if let Some(out) = &command.out {
        fetch_outputs(desk, &view.job, out)?;
    }
    end(desk, &view)
}

/// Names and paths of the inputs; a folder stands for the files in it.
fn inputs(what: &str, arguments: &[String]) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut inputs = BTreeMap::new();
    let mut add = |name: String, path: PathBuf| {
        if inputs.contains_key(&name) {
            return Err(usage(what, format!("two inputs are named {name:?}")));
        }
        inputs.insert(name, path);
        Ok(())
    };
    for argument in arguments {
        let (name, path) = match argument.split_once('=') {
            Some((name, path)) if !name.contains('/') => (Some(name.to_owned()), Path::new(path)),
            _ => (None, Path::new(argument.as_str())),
        };
        match name {
            Some(name) => add(name, path.to_owned())?,
            None if path.is_dir() => {
                for document in folder::documents(what, path)? {
                    add(file_name(what, &document)?, document)?;
                }
            }
            None => add(file_name(what, path)?, path.to_owned())?,
        }
    }
    Ok(inputs)
}

fn file_name(what: &str, path: &Path) -> Result<String, Failure> {
    path.file_name()
        .and_then(|name| name.to_str())
        .map(str::to_owned)
        .ok_or_else(|| usage(what, format!("{} has no name in UTF-8", path.display())))
}

fn fetch_outputs(desk: &mut Desk<'_>, job: &str, out: &Path) -> Result<(), Failure> {
    for file in artifact::of_job(desk, job)? {
        if file.kind != "output" {
            continue;
        }
        // A name is the workflow's claim; only a plain one becomes a path here.
        let name = file.name.strip_prefix("out/").unwrap_or(&file.name);
        let plain = Path::new(name)
            .file_name()
            .is_some_and(|plain| plain == name);
        if !plain || name.contains('/') {
            let why = format!("the output {:?} has no plain name", file.name);
            return Err(usage("fetching the outputs", why));
        }
        let path = out.join(name);
        let size = artifact::fetch(desk, &file.artifact, &path)?;
        if !desk.json {
            let path = text::clean(&path.display().to_string());
            writeln!(desk.out, "{:>9}  {path}, {}", "output", text::size(size))?;
        }
    }
    Ok(())
}

/// Says how a job ended; the exit code is the job's.
fn end(desk: &mut Desk<'_>, view: &JobView) -> Result<Exit, Failure> {
    if desk.json {
        text::json_line(desk.out, view)?;
    } else {
        writeln!(desk.out, "job {} {}", view.job, view.state)?;
        writeln!(desk.out, "  {}", so_far(view))?;
        if let Some(message) = &view.message {
            let code = view.code.as_deref().unwrap_or("job.cancelled");
            writeln!(
                desk.out,
                "  {}: {}",
                text::clean(code),
                text::clean(message)
            )?;
        }
    }
    Ok(if view.state == "succeeded" {
        Exit::Done
    } else {
        Exit::Negative
    })
}

/// What a job has done so far.
fn so_far(view: &JobView) -> String {
    [
        text::count(view.steps, "step"),
        text::count(view.rows, "row"),
        text::count(view.findings, "finding"),
        text::count(view.artifacts, "artifact"),
    ]
    .join(", ")
}

/// Prints the events of a job as they come.
fn events(desk: &mut Desk<'_>, job: &str, after: u64, follow: bool) -> Result<(), Failure> {
    let what = "reading the job's events";
    let mut after = after;
    let wait = if follow { 30_000 } else { 0 };
    loop {
        let path = format!("/v1/jobs/{job}/events?after={after}&wait_ms={wait}");
        let page: EventsView = desk.client.get(what, &path)?;
        for event in &page.events {
            after = event.seq;
            if desk.json {
                text::json_line(desk.out, event)?;
            } else if event.kind != "step-started" {
                // The line of a step comes when it has ended; JSON has both.
                writeln!(desk.out, "{}", line(event))?;
            }
        }
        desk.out.flush()?;
        if after >= page.last && (page.ended || !follow) {
            return Ok(());
        }
    }
}

/// Prints what was denied to a job so far, all attempts.
fn denials(desk: &mut Desk<'_>, job: &str) -> Result<(), Failure> {
    let what = "reading the job's denials";
    let mut after = 0;
    let mut found: Vec<EventView> = Vec::new();
    let ended = loop {
        let path = format!("/v1/jobs/{job}/events?after={after}&wait_ms=0");
        let page: EventsView = desk.client.get(what, &path)?;
        after = page.events.last().map_or(page.last, |event| event.seq);
        let kinds = ["denied", "denials-missing"];
        let told = page.events.into_iter();
        found.extend(told.filter(|event| kinds.contains(&event.kind.as_str())));
        if after >= page.last {
            break page.ended;
        }
    };
    if desk.json {
        for event in &found {
            text::json_line(desk.out, event)?;
        }
        return Ok(());
    }
    for event in &found {
        let sentence = event.message.as_deref().unwrap_or_default();
        let times = match event.denial.as_ref().map_or(1, |denial| denial.count) {
            1 => String::new(),
            count => format!(" ({count} times)"),
        };
        let at = event.at_ms.map(text::seconds).unwrap_or_default();
        text::hanging(
            desk.out,
            &format!("{at:>9}  "),
            &format!("{sentence}{times}"),
        )?;
    }
    if found.is_empty() {
        writeln!(desk.out, "no denials")?;
    }
    if !ended {
        writeln!(
            desk.out,
            "The job has not ended; what a layer held is told at its end."
        )?;
    }
    Ok(())
}

/// One event on one line of the terminal.
fn line(event: &EventView) -> String {
    let at = event.at_ms.map(text::seconds).unwrap_or_default();
    let target = event.target.as_deref().unwrap_or_default();
    let message = event.message.as_deref().unwrap_or_default();
    let rest = match event.kind.as_str() {
        "step" => {
            let verb = event.verb.as_deref().unwrap_or_default();
            let outcome = match event.outcome.as_deref() {
                Some("ok") => format!("ok {}", text::seconds(event.took_ms.unwrap_or(0))),
                Some(outcome) => {
                    format!(
                        "{outcome} {}: {message}",
                        event.code.as_deref().unwrap_or_default()
                    )
                }
                None => String::new(),
            };
            format!("{verb} {target}: {outcome}")
        }
        "row" => event
            .cells
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" "),
        _ => match (target, message) {
            (target, "") => target.to_owned(),
            ("", message) => message.to_owned(),
            (target, message) => format!("{target}: {message}"),
        },
    };
    let kind = if event.kind == "step" {
        format!("step {}", event.step.unwrap_or(0))
    } else {
        event.kind.clone()
    };
    let head = format!("{at:>9}  {:<12}  ", text::fit(&kind, 12));
    let rest = text::fit(&rest, text::WIDTH.saturating_sub(head.chars().count()));
    format!("{head}{rest}").trim_end().to_owned()
}

fn list(desk: &mut Desk<'_>) -> Result<Exit, Failure> {
    let views: Vec<JobView> = desk.client.get("listing the jobs", "/v1/jobs")?;
    if desk.json {
        text::json(desk.out, &views)?;
        return Ok(Exit::Done);
    }
    let mut table = text::Table::new(&["JOB", "ACCEPTED", "STATE", "WORKFLOW"]);
    for view in views {
        let short = view.job.get(..12).unwrap_or(&view.job).to_owned();
        let state = if view.attempt > 1 {
            format!("{} (attempt {})", view.state, view.attempt)
        } else {
            view.state
        };
        table.row(vec![short, text::time(view.accepted), state, view.workflow]);
    }
    table.write(desk.out, "no jobs")?;
    Ok(Exit::Done)
}

fn show(desk: &mut Desk<'_>, view: &JobView) -> Result<(), Failure> {
    if desk.json {
        return Ok(text::json(desk.out, view)?);
    }
    let mut pairs = vec![
        ("job", view.job.clone()),
        ("state", view.state.clone()),
        ("attempt", view.attempt.to_string()),
        ("workflow", view.workflow.clone()),
        ("requester", view.requester.clone()),
        ("accepted", text::time(view.accepted)),
    ];
    if let Some(ended) = view.ended {
        pairs.push(("ended", text::time(ended)));
    }
    if let Some(code) = &view.code {
        pairs.push(("code", code.clone()));
    }
    if let Some(message) = &view.message {
        pairs.push(("reason", message.clone()));
    }
    pairs.extend([
        ("so far", so_far(view)),
        ("spec", view.spec.clone()),
        ("bundle", view.bundle.clone()),
        ("pack", view.pack.clone()),
    ]);
    for (name, value) in &view.parameters {
        pairs.push(("parameter", format!("{name} = {value}")));
    }
    for (name, digest) in &view.inputs {
        pairs.push((
            "input",
            format!("{name} {}", digest.get(..16).unwrap_or(digest)),
        ));
    }
    Ok(text::pairs(desk.out, &pairs)?)
}

fn cancel(desk: &mut Desk<'_>, job: &str) -> Result<Exit, Failure> {
    let what = "stopping the job";
    let id = full_id(desk, what, job)?;
    let answer = desk
        .client
        .post_bytes(what, &format!("/v1/jobs/{id}/cancel"), Vec::new())?;
    let view: JobView = super::client::parse(what, &answer)?;
    if desk.json {
        text::json(desk.out, &view)?;
    } else if view.state == "cancelled" {
        writeln!(desk.out, "job {} is cancelled", view.job)?;
    } else {
        writeln!(desk.out, "job {} was told to stop", view.job)?;
    }
    Ok(Exit::Done)
}

/// The job that an id, or the beginning of one, names.
fn find(desk: &Desk<'_>, what: &str, job: &str) -> Result<JobView, Failure> {
    let id = full_id(desk, what, job)?;
    desk.client.get(what, &format!("/v1/jobs/{id}"))
}

/// The full id; a beginning is looked up in the list of jobs.
pub(super) fn full_id(desk: &Desk<'_>, what: &str, job: &str) -> Result<String, Failure> {
    if job.is_empty()
        || job.len() > 32
        || !job.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err(usage(
            what,
            format!("{job:?} is not a job's id: up to 32 of 0-9 and a-f"),
        ));
    }
    if job.len() == 32 {
        return Ok(job.to_owned());
    }
    let views: Vec<JobView> = desk.client.get(what, "/v1/jobs")?;
    let mut fitting = views.into_iter().filter(|view| view.job.starts_with(job));
    match (fitting.next(), fitting.next()) {
        (Some(view), None) => Ok(view.job),
        (None, _) => Err(usage(what, format!("no job's id begins with {job}"))),
        (Some(_), Some(_)) => Err(usage(
            what,
            format!("more than one job's id begins with {job}"),
        )),
    }
}

fn usage(what: &str, why: String) -> Failure {
    Failure::new(what, why, &code::CLI_USAGE, Exit::Usage)
}
