//! When the TPM keeps the root: whoever stands before a console may type the recovery key.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use zeroize::Zeroizing;

use crate::console::say;
use crate::failure::Failure;
use crate::program::Program;

/// Where somebody may type: the screen and the serial line.
const CONSOLES: [&str; 2] = ["/dev/tty1", "/dev/ttyS0"];
/// More than a key takes, however it is spaced. A terminal gives a line at a time.
const LONGEST_LINE: usize = 256;

/// Asks until `recover` has sealed the root again, or nobody wants to type any more.
pub(crate) fn offer(why: &Failure, recover: impl Fn() -> Program) -> Result<(), Failure> {
    for line in why.to_string().lines() {
        say(line);
    }
    let mut consoles: Vec<File> = CONSOLES
        .iter()
        .filter_map(|path| OpenOptions::new().read(true).write(true).open(path).ok())
        .collect();
    loop {
        say("type the recovery key, eight groups of six digits, and Enter; Enter alone: power off");
        let typed = line(&mut consoles)?;
        if typed.trim_ascii().is_empty() {
            return Err(Failure::Declined);
        }
        match recover().run_with(&typed) {
            Ok(_) => {
                say("the root is sealed again, to this machine as it is now");
                return Ok(());
            }
            Err(failure) => failure.to_string().lines().for_each(say),
        }
    }
}

/// One line from whichever console has one first. What was echoed is wiped from the screen.
fn line(consoles: &mut [File]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = Failure::system("cannot read", Path::new("/dev/console"));
    let mut ready: Vec<PollFd<'_>> = consoles
        .iter()
        .map(|console| PollFd::new(console, PollFlags::IN))
        .collect();
    if ready.is_empty() {
        return Err(Failure::Missing("a console".to_owned()));
    }
    poll(&mut ready, None).map_err(failed)?;
    let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
    let failed = Failure::system("cannot read", Path::new("/dev/console"));
    let console = consoles.iter_mut().zip(ready).find(|(_, ready)| *ready);
    let Some((console, _)) = console else {
        return Ok(Zeroizing::default());
    };
    let mut typed = Zeroizing::new(vec![0; LONGEST_LINE]);
    let length = console.read(&mut typed).map_err(failed)?;
    typed.truncate(length);
    // Up one line and erase it. A terminal that cannot shows a few odd characters instead.
    let _shown = console.write_all(b"\x1b[1A\x1b[2K\r");
    Ok(typed)
}
