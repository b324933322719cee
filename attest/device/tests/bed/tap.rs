//! A tap on the wire between a client and the TPM: counts, records, cuts, alters.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What passed, and what the tap is to do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Cut the connection after this many commands have reached the TPM, before the answer.
    pub(crate) cut_after: Option<usize>,
    /// Cut the connection when this command code comes the n-th time, before it reaches the TPM.
    pub(crate) cut_before: Option<(u32, usize)>,
    /// Flip a bit of this byte of answers to this command code.
    pub(crate) alter: Option<(u32, usize)>,
    /// Commands that reached the TPM.
    pub(crate) commands: usize,
    /// Every byte that passed, both directions.
    pub(crate) traffic: Vec<u8>,
    /// Alterations made.
    pub(crate) altered: usize,
}

/// A running tap.
pub(crate) struct Tap {
    pub(crate) plan: Arc<Mutex<Plan>>,
    socket: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Listens at `socket` for one client at a time and passes on to `tpm`.
    pub(crate) fn start(socket: &Path, tpm: &Path, plan: Plan) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let plan = Arc::new(Mutex::new(plan));
        let (shared, tpm) = (Arc::clone(&plan), tpm.to_path_buf());
        let thread = std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // A client that sends nothing at all is the tap's own end.
                if pass(client, &tpm, &shared) == 0 {
                    break;
                }
            }
        });
        Self {
            plan,
            socket: socket.to_path_buf(),
            thread: Some(thread),
        }
    }

    pub(crate) fn tcti(&self) -> String {
        format!("swtpm:path={}", self.socket.display())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        drop(UnixStream::connect(&self.socket));
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Passes one client's commands on; returns how many there were.
fn pass(mut client: UnixStream, tpm: &Path, plan: &Mutex<Plan>) -> usize {
    let mut passed = 0;
    let mut upstream = None;
    while let Some(command) = packet(&mut client) {
        passed += 1;
        let code = u32::from_be_bytes(command[6..10].try_into().unwrap());
        if let Some((_, left)) =
            (plan.lock().unwrap().cut_before.as_mut()).filter(|cut| cut.0 == code)
        {
            *left -= 1;
            if *left == 0 {
                return passed;
            }
        }
        let upstream = upstream.get_or_insert_with(|| UnixStream::connect(tpm).unwrap());
        upstream.write_all(&command).unwrap();
        let mut answer = packet(upstream).unwrap();
        let mut plan = plan.lock().unwrap();
        plan.commands += 1;
        if plan.cut_after.is_some_and(|after| plan.commands > after) {
            return passed;
        }
        if let Some((wanted, at)) = plan.alter
            && wanted == code
            && at < answer.len()
        {
            answer[at] ^= 1;
            plan.altered += 1;
        }
        plan.traffic.extend(&command);
        plan.traffic.extend(&answer);
        if client.write_all(&answer).is_err() {
            return passed;
        }
    }
    passed
}

fn packet(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut header = [0; 10];
    stream.read_exact(&mut header).ok()?;
    let size = u32::from_be_bytes(header[2..6].try_into().unwrap());
    let mut packet = header.to_vec();
    packet.resize(usize::try_from(size).unwrap(), 0);
    stream.read_exact(&mut packet[10..]).ok()?;
    Some(packet)
}
