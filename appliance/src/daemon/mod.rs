//! `casemated`: starts in an order that is its security, serves, and stops.

mod clocks;
mod handover;
mod socket;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Parser;
use nix::unistd::{getegid, geteuid};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::appliance::Appliance;
use crate::api::server;
use crate::audit::witness::Clocks;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::code;
use crate::evidence::chip::ChipThread;
use crate::evidence::issue::Issuer;
use crate::identity::Door;
use crate::job::dispatcher::Dispatcher;
use crate::job::link;
use crate::journal::SEGMENT_BYTES;
use crate::keys::Kek;
use crate::store::{OpenError, Report, Setup, Store};
use clocks::MachineClocks;

/// Threads that may wait for the disk, the TPM or agentd on behalf of clients.
const WAITERS: usize = 16;

/// The control daemon of a Casemate appliance.
#[derive(Debug, Parser)]
#[command(name = "casemated", version, max_term_width = 80)]
pub struct Flags {
    /// The state directory.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The directory for the sockets api.sock and agentd.sock.
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// The TPM: device:/dev/tpmrm0 or swtpm:path=/absolute/socket.
    #[arg(long, value_name = "TPM")]
    pub tpm: String,
    /// Number of the descriptor that unseal handed over.
    #[arg(long, value_name = "N")]
    pub handover_fd: i32,
    /// The signed release manifest.
    #[arg(long, value_name = "FILE")]
    pub release: PathBuf,
    /// The firmware's event log.
    #[arg(long, value_name = "FILE")]
    pub firmware_log: PathBuf,
    /// The log of what was measured since.
    #[arg(long, value_name = "FILE")]
    pub runtime_log: PathBuf,
    /// The user that agentd connects as.
    #[arg(long, value_name = "UID")]
    pub agent_uid: u32,
    /// How often the TPM vouches for the audit log when there is something new.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub checkpoint_every: u64,
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// [`Failure`] says what could not be done.
pub fn run(flags: Flags) -> Result<(), Failure> {
    // 1. What unseal handed over: without it nothing can be opened.
    let handover = handover::take(flags.handover_fd)?;
    let release = handover::read_release(&flags.release)?;
    // 2. The TPM's thread. It opens the TPM when the state asks, which is after
    //    the state's lock is held: a second daemon must not disturb the first.
    let chip = ChipThread::start(&flags.tpm, &handover)
        .map_err(|e| failed("starting", &e.to_string(), e.code()))?;
    // 3. The journal: its chain, its head against the TPM's counter, the index.
    let clocks: Arc<dyn Clocks> = Arc::new(MachineClocks);
    let started = clocks.wall_ms() / 1000;
    let (store, report) = Store::open(Setup {
        dir: flags.state.clone(),
        kek: Kek::new(handover.store_kek),
        witness: Box::new(chip.clone()),
        recovered_at: handover.recovered_at,
        clocks: Arc::clone(&clocks),
        segment_bytes: SEGMENT_BYTES,
    })
    .map_err(|e| open_failed(&flags.state, &e))?;
    say(&opened(&report));
    // 4. Jobs that the last daemon left: settled before anyone can ask for more.
    let dispatcher = Arc::new(
        Dispatcher::open(store.clone())
            .map_err(|e| failed("taking up the jobs", &e.to_string(), e.code()))?,
    );
    let development = handover.development;
    let appliance = Arc::new(Appliance {
        issuer: Issuer::new(chip.clone(), release, flags.firmware_log, flags.runtime_log),
        store: store.clone(),
        dispatcher: Arc::clone(&dispatcher),
        chip,
        door: Door::of(geteuid().as_raw(), getegid().as_raw()),
        clocks,
        started,
        development,
        sealed: flags.state.join("tpm"),
        release: handover.release,
        last_denied: Mutex::new(None),
    });
    drop(handover);
    // 5. Only now can anyone connect; whoever can may also end the daemon in order.
    let system = |e: std::io::Error| failed("starting", &e.to_string(), &code::INTERNAL);
    let reactor = Reactor::new().map_err(system)?;
    let sockets = socket::open(&flags.run)?;
    link::listen(sockets.agent, Arc::clone(&dispatcher), flags.agent_uid).map_err(system)?;
    let runner = Arc::clone(&dispatcher);
    let leases = thread::Builder::new()
        .name("dispatcher".to_owned())
        .spawn(move || runner.run())
        .map_err(system)?;
    let (stop, stopped) = channel();
    let checkpoints = checkpoints(
        store.clone(),
        Duration::from_secs(flags.checkpoint_every),
        stopped,
    )
    .map_err(system)?;
    let served = reactor.serve(sockets.api, appliance);
    socket::remove(&flags.run);
    let ended = end(&store, &dispatcher, stop, [leases, checkpoints]);
    served.and(ended)
}

/// What the API is served on, and what ends it.
struct Reactor {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Reactor {
    /// From here on SIGTERM and SIGINT are caught.
    fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WAITERS)
            .build()?;
        let entered = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        drop(entered);
        Ok(Self {
            runtime,
            terminate,
            interrupt,
        })
    }

    /// Serves the API until SIGTERM or SIGINT.
    fn serve(
        mut self,
        api: std::os::unix::net::UnixListener,
        appliance: Arc<Appliance>,
    ) -> Result<(), Failure> {
        let served = self.runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(api)?;
            say("ready");
            tokio::select! {
                served = server::serve(listener, appliance) => served,
                _ = self.terminate.recv() => Ok(()),
                _ = self.interrupt.recv() => Ok(()),
            }
        });
        // Clients that wait for an event or a check are let go.
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        served.map_err(|e: std::io::Error| failed("serving", &e.to_string(), &code::INTERNAL))
    }
}

/// Has the TPM vouch for the log every now and then, until told to stop.
fn checkpoints(
    store: Store,
    every: Duration,
    stopped: Receiver<()>,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("checkpoints".to_owned())
        .spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(every) {
                checkpoint(&store);
            }
        })
}

fn checkpoint(store: &Store) {
    let size = store.checkpoint().checkpoint.size;
    // The entry that records a checkpoint is after it and is nothing new.
    let covered = store.anchored().map_or(0, |anchored| {
        anchored.signed.checkpoint.size.saturating_add(1)
    });
    if size > covered
        && let Err(error) = store.anchor()
    {
        say(&format!("the TPM did not vouch for the log: {error}"));
    }
}

/// Stops: no lease, jobs settled, the log vouched for, the state closed.
fn end(
    store: &Store,
    dispatcher: &Dispatcher,
    stop: Sender<()>,
    threads: [JoinHandle<()>; 2],
) -> Result<(), Failure> {
    let what = "ending";
    let settled = dispatcher
        .stop()
        .map_err(|e| failed(what, &e.to_string(), e.code()));
    drop(stop);
    for thread in threads {
        // A thread that panicked has nothing more to do.
        let _ = thread.join();
    }
    checkpoint(store);
    let closed = store
        .close()
        .map_err(|e| failed(what, &e.to_string(), e.code()));
    say("ended");
    settled.and(closed)
}

fn opened(report: &Report) -> String {
    let mut text = format!("state opened, {} entries", report.entries);
    if report.created {
        text.push_str(", new");
    } else if !report.clean {
        text.push_str(", the last daemon did not close it");
    }
    if report.cut > 0 {
        text.push_str(&format!(", {} unacknowledged bytes cut", report.cut));
    }
    if report.swept > 0 {
        text.push_str(&format!(", {} files of no entry removed", report.swept));
    }
    if let Some(reason) = &report.rebuilt {
        text.push_str(&format!(", index rebuilt: {reason}"));
    }
    text
}

fn open_failed(state: &std::path::Path, error: &OpenError) -> Failure {
    // What the TPM's thread found says more than that the TPM did not answer.
    let code = match error {
        OpenError::Witness(witness) => code::CODES
            .iter()
            .find(|code| code.id == witness.code)
            .unwrap_or(&code::WITNESS_FAILED),
        error => error.code(),
    };
    failed(
        &format!("opening the state {}", state.display()),
        &error.to_string(),
        code,
    )
}

fn failed(what: &str, why: &str, code: &casemate_protocol::Code) -> Failure {
    let exit = match code.id {
        "state.locked" => Exit::Refused,
        "tpm.unavailable" | "witness.failed" => Exit::Absent,
        "internal.fault" => Exit::Internal,
        id if id.starts_with("start.") => Exit::Usage,
        _ => Exit::Damaged,
    };
    Failure::new(what, why, code, exit)
}

/// A line of the daemon's log.
fn say(text: &str) {
    use std::io::Write as _;
    // If the log is gone, the journal still has what matters.
    let _ = writeln!(
        std::io::stderr().lock(),
        "casemated: {}",
        crate::cli::text::clean(text)
    );
}
