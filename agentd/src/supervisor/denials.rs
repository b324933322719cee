//! What was denied to one job, for its journal and for the sentence it ends with.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use casemate_protocol::denial::Denial;
use casemate_protocol::event::{Event, JobEnd};

use super::compartments;
use super::link::JobLink;
use super::words::shorten;
use crate::denial::fact::What;
use crate::denial::watch::Seen;
use crate::denial::{Held, Watch};
use crate::sandbox::{Ending, Profile};

/// Longest message that a job ends with.
const MESSAGE: usize = 1500;

/// One job's denials, from its lease on.
#[derive(Debug)]
pub struct Denials {
    watch: Arc<Watch>,
    base: u32,
    leased: Instant,
    /// When the script's last acting step began.
    acting: RefCell<Instant>,
    /// Those that its compartments' endings tell.
    ends: RefCell<Vec<Denial>>,
}

impl Denials {
    /// Keeps from now on what is denied to the users of the block at `base`.
    pub fn open(watch: &Arc<Watch>, base: u32) -> Self {
        watch.open(base..base.saturating_add(compartments::UIDS));
        Self {
            watch: Arc::clone(watch),
            base,
            leased: Instant::now(),
            acting: RefCell::new(Instant::now()),
            ends: RefCell::default(),
        }
    }

    /// An acting step begins: what is denied from now on may be its doing.
    pub fn acting(&self) {
        *self.acting.borrow_mut() = Instant::now();
    }

    /// A compartment has ended.
    pub fn ended(&self, compartment: &str, ending: &Ending) {
        if let Ok(profile) = Profile::shipped(compartment) {
            let held = Held {
                compartment,
                profile,
            };
            self.ends.borrow_mut().extend(held.explain_end(ending));
        }
    }

    /// The sentence of the last denial since the last acting step that a person would
    /// look for: of a path, a port or a process, or one that ended the program. Calls
    /// that got an error are not among them: programs ask for many and do without.
    pub fn sentence(&self) -> Option<String> {
        let since = *self.acting.borrow();
        let account = self.watch.so_far(self.base);
        account
            .seen
            .iter()
            .rev()
            .take_while(|seen| seen.first >= since)
            .find(|seen| !matches!(seen.fact.what, What::Call { killed: false, .. }))
            .and_then(|seen| self.explain(seen))
            .or_else(|| self.ends.borrow().last().cloned())
            .map(|denial| denial.sentence())
    }

    /// A failure's message, and the sentence that explains it if there is one.
    pub fn explained(&self, message: String) -> String {
        match self.sentence() {
            Some(sentence) if !message.contains(&sentence) => {
                shorten(format!("{message}; {sentence}"), MESSAGE)
            }
            _ => message,
        }
    }

    /// The same for the way a job ended.
    pub fn explain_ending(&self, end: JobEnd) -> JobEnd {
        match end {
            JobEnd::Failed { code, message } => JobEnd::Failed {
                code,
                message: self.explained(message),
            },
            JobEnd::Interrupted { code, message } => JobEnd::Interrupted {
                code,
                message: self.explained(message),
            },
            other => other,
        }
    }

    /// Reports all of them; nothing is watched any more. If the daemon is gone there
    /// is nobody to tell.
    pub fn report(self, report: &mut JobLink) {
        let account = self.watch.close(self.base);
        let at = |seen: &Seen| {
            let since = seen.first.saturating_duration_since(self.leased);
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        };
        let seen = account
            .seen
            .iter()
            .filter_map(|seen| Some((self.explain(seen)?, at(seen))));
        let now = u64::try_from(self.leased.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ends = self.ends.borrow_mut().drain(..).collect::<Vec<_>>();
        let ends = ends.into_iter().map(|denial| (denial, now));
        for (denial, at_ms) in seen.chain(ends).collect::<Vec<_>>() {
            if report.report(Event::Denied { denial, at_ms }).is_err() {
                return;
            }
        }
        for text in account.missing {
            if report.report(Event::DenialsMissing { text }).is_err() {
                return;
            }
        }
    }

    fn explain(&self, seen: &Seen) -> Option<Denial> {
        let compartment = compartments::name_of(self.base, seen.uid)?;
        let held = Held {
            compartment,
            profile: Profile::shipped(compartment).ok()?,
        };
        Some(held.explain(&seen.fact, seen.count))
    }
}
