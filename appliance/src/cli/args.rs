//! The command line of `casemate`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The operator's command for a Casemate appliance.
///
/// Every command speaks to the control daemon through its local socket; the
/// daemon knows you by what the kernel says of your process.
#[derive(Debug, Parser)]
#[command(
    name = "casemate",
    version,
    max_term_width = 80,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 done; 1 negative verdict, job or check failed; 2 bad usage or \
malformed input; 3 the daemon or the agent is not there; 4 refused; 5 stored state is damaged; \
6 interrupted or timed out; 70 internal fault."
)]
pub struct Cli {
    /// The daemon's socket.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "/run/casemate/api.sock"
    )]
    pub socket: PathBuf,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how the appliance is.
    Status,
    /// Look at the TPM.
    #[command(subcommand)]
    Tpm(Tpm),
    /// Check, add and look at workflows.
    #[command(subcommand)]
    Workflow(Workflow),
    /// Run, watch and stop jobs.
    #[command(subcommand)]
    Job(Job),
    /// List and fetch what jobs were given and made.
    #[command(subcommand)]
    Artifact(Artifact),
    /// Read, export and verify the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Get an evidence file for an auditor.
    Evidence(Evidence),
    /// Get the file with which an auditor enrols this appliance.
    Enrolment(OutFile),
    /// Stop every job at once, or allow jobs again.
    Halt(Halt),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Commands about the TPM.
#[derive(Debug, Subcommand)]
pub enum Tpm {
    /// Show what the TPM says of itself and what the root is sealed to.
    Status,
}

/// Commands about workflows.
#[derive(Debug, Subcommand)]
pub enum Workflow {
    /// Check a workflow's folder without running it.
    Check {
        /// The folder with workflow.toml and main.star.
        folder: PathBuf,
    },
    /// Add a workflow, or replace the one of the same name.
    Add {
        /// The folder with workflow.toml and main.star.
        folder: PathBuf,
    },
    /// List the workflows.
    List,
    /// Show a workflow.
    Show {
        /// Its name.
        name: String,
    },
}

/// Commands about jobs.
#[derive(Debug, Subcommand)]
pub enum Job {
    /// Start a job.
    Run(Run),
    /// List the jobs, the newest first.
    List,
    /// Show a job.
    Show {
        /// Its id, or the first digits of it.
        job: String,
    },
    /// Print a job's events.
    Events {
        /// Its id, or the first digits of it.
        job: String,
        /// Go on printing until the job ends.
        #[arg(long)]
        follow: bool,
        /// Only events after this number.
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
    },
    /// Say what was denied to a job, by which layer, and which rule would allow it.
    Denials {
        /// Its id, or the first digits of it.
        job: String,
    },
    /// Stop a job.
    Cancel {
        /// Its id, or the first digits of it.
        job: String,
    },
}

/// Starting a job.
#[derive(Debug, Args)]
pub struct Run {
    /// Name of the workflow.
    pub workflow: String,
    /// A file for the job; a folder gives every file in it, NAME= left out.
    #[arg(long = "input", value_name = "[NAME=]PATH")]
    pub inputs: Vec<String>,
    /// A parameter of the workflow.
    #[arg(long = "param", value_name = "KEY=VALUE")]
    pub parameters: Vec<String>,
    /// Print steps as they happen; end with the job's exit code.
    #[arg(long)]
    pub wait: bool,
    /// Put the files that the job made into this folder (implies --wait).
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// Commands about artifacts.
#[derive(Debug, Subcommand)]
pub enum Artifact {
    /// List the artifacts of a job.
    List {
        /// The job's id, or the first digits of it.
        #[arg(long)]
        job: String,
        /// Only this kind.
        #[arg(long, value_enum)]
        kind: Option<Kind>,
    },
    /// Fetch an artifact.
    Get {
        /// Its id.
        artifact: String,
        /// The file to make; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Kinds of artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A document that the job was given.
    Input,
    /// A document that the job made.
    Output,
    /// A picture of the desktop.
    Screenshot,
    /// Standard error of a compartment.
    Log,
}

impl Kind {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Screenshot => "screenshot",
            Self::Log => "log",
        }
    }
}

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List entries.
    List {
        /// Only entries from this number on.
        #[arg(long, value_name = "N", default_value_t = 0)]
        from: u64,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u64,
    },
    /// Write the whole log into one file that anyone can check with attest.
    Export(OutFile),
    /// Fetch the whole log and check every entry here, not in the daemon.
    Verify,
}

/// Getting evidence.
#[derive(Debug, Args)]
pub struct Evidence {
    /// The auditor's challenge; without it the evidence proves no freshness.
    #[arg(long, value_name = "FILE")]
    pub challenge: Option<PathBuf>,
    /// Include the manifest of this job only.
    #[arg(long)]
    pub job: Option<String>,
    /// The file to make; it must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// A file to make.
#[derive(Debug, Args)]
pub struct OutFile {
    /// The file to make; it must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Stopping everything.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Halt {
    /// Stop every job at once; no job starts until the halt is lifted.
    #[arg(long)]
    pub all: bool,
    /// Allow jobs again; what was stopped stays stopped.
    #[arg(long)]
    pub lift: bool,
}
