//! What a program is asked about certificates that the server obtains by itself: to set a record
//! in the DNS or to take it away, and whether a name may have a certificate. Asked on the thread
//! `slimhttp-acme`, answered on a thread of the interpreter or on its event loop; abandoned when
//! that thread waits no longer, and skipped then by whoever takes it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use crate::job_id::JobId;

/// A question.
#[derive(Debug)]
pub struct AcmeJob {
    /// Under which a task that answers it is kept.
    pub id: JobId,
    /// What is asked.
    pub question: AcmeQuestion,
    reply: oneshot::Sender<AcmeOutcome>,
    _place: Place,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcmeQuestion {
    /// To set a record, or to take it away.
    Record {
        /// Which of the two.
        action: RecordAction,
        /// Where it stands: a name without a dot at its end.
        name: Arc<str>,
        /// Its text.
        value: Arc<str>,
    },
    /// Whether this name may have a certificate.
    Allow(Arc<str>),
}

/// What is to become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordAction {
    /// It is to be there.
    Present,
    /// It is to be there no more.
    Cleanup,
}

/// What comes back: whether a name may have a certificate, nothing of use for a record; or why
/// nothing came of it, in words.
pub type AcmeOutcome = Result<bool, String>;

impl AcmeJob {
    /// A question, and the slot that its answer fills.
    pub(crate) fn channel(
        id: JobId,
        question: AcmeQuestion,
        place: Place,
    ) -> (Self, oneshot::Receiver<AcmeOutcome>) {
        let (reply, answer) = oneshot::channel();
        (Self { id, question, reply, _place: place }, answer)
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// Answers it. Where nobody waits any more that is dropped. One that is dropped without an
    /// answer says that there will be none.
    pub fn answer(self, outcome: AcmeOutcome) {
        let _ = self.reply.send(outcome);
    }
}

impl AcmeQuestion {
    /// The function that a program answers it by.
    pub fn hook(&self) -> &'static str {
        match self {
            Self::Record { .. } => "acme_dns",
            Self::Allow(_) => "acme_allow",
        }
    }
}

impl RecordAction {
    /// By its name: `present`, `cleanup`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Cleanup => "cleanup",
        }
    }
}

/// In the words of a log line: `acme_dns (present of _acme-challenge.example.com)`.
impl fmt::Display for AcmeQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { action, name, .. } => {
                write!(f, "{} ({} of {name})", self.hook(), action.name())
            }
            Self::Allow(name) => write!(f, "{} of {name}", self.hook()),
        }
    }
}

/// How many questions there are: those that wait, and those that are being answered, also when
/// nobody waits for that any more. A program that never answers is asked no further ones.
#[derive(Debug, Default)]
pub(crate) struct AcmeBacklog(Arc<AtomicUsize>);

impl AcmeBacklog {
    /// A place for one more, if there are fewer than `most`.
    pub(crate) fn take(&self, most: usize) -> Option<Place> {
        let more = |count| (count < most).then_some(count + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| Place(self.0.clone()))
    }
}

/// The place of one question.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
