//! The way there: what one I/O thread has for Python lies in its outbox until
//! the thread has gone through everything else that is ready, and then goes
//! into the queues at once. To wake a thread of Python's costs more than a small
//! handler, so one wake-up serves for all requests that came together.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::bridge::Bridge;
use crate::completion::{Mailbox, Postman};
use crate::job::{Job, Pull};
use crate::loop_queue::Note;
use crate::outcome::Piece;
use crate::reply::ChunkReply;
use crate::side::Side;

/// How many things lie in an outbox at most.
const MOST: usize = 32;

/// For a queue, and for which.
#[derive(Debug)]
pub enum Parcel {
    /// For a thread in `turn()`.
    Job(Job),
    /// For the event loop.
    Note(Note),
}

thread_local! {
    /// The outbox of this I/O thread, once it has asked Python something.
    static OUTBOX: RefCell<Option<Outbox>> = const { RefCell::new(None) };
}

struct Outbox {
    bridge: Arc<Bridge>,
    mailbox: Arc<Mailbox>,
    jobs: Vec<Job>,
    notes: Vec<Note>,
}

impl Outbox {
    fn new(bridge: &Arc<Bridge>, runtime: &Handle) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        bridge.add_mailbox(&mailbox);
        runtime.spawn(Postman(mailbox.clone()));
        Self { bridge: bridge.clone(), mailbox, jobs: Vec::new(), notes: Vec::new() }
    }
}

/// Sends the parcel that `make` makes, to which an answer comes by the mailbox
/// that it is given, and gives what it gives besides. Without a runtime there is
/// no postman: the parcel is sent at once, and the answer comes straight.
pub fn send<R>(bridge: &Arc<Bridge>, make: impl FnOnce(Option<Arc<Mailbox>>) -> (Parcel, R)) -> R {
    let Ok(runtime) = Handle::try_current() else {
        let (parcel, made) = make(None);
        match parcel {
            Parcel::Job(job) => bridge.take_jobs([job]),
            Parcel::Note(note) => bridge.take_notes([note]),
        }
        return made;
    };
    let (made, lying) = OUTBOX.with_borrow_mut(|outbox| {
        let outbox = match outbox {
            Some(outbox) if Arc::ptr_eq(&outbox.bridge, bridge) => outbox,
            other => other.insert(Outbox::new(bridge, &runtime)),
        };
        let (parcel, made) = make(Some(outbox.mailbox.clone()));
        match parcel {
            Parcel::Job(job) => outbox.jobs.push(job),
            Parcel::Note(note) => outbox.notes.push(note),
        }
        (made, outbox.jobs.len() + outbox.notes.len())
    });
    match lying {
        // The task comes behind all that is ready now.
        1 => drop(runtime.spawn(async { empty() })),
        MOST => empty(),
        _ => {}
    }
    made
}

/// Asks for a chunk of a stream: `pull` makes the job, the chunk comes into
/// what is given. If the bridge is closed, it never comes.
pub fn pull(
    bridge: &Arc<Bridge>,
    side: Side,
    pull: impl FnOnce(ChunkReply) -> Pull,
) -> oneshot::Receiver<Piece> {
    send(bridge, |mailbox| {
        let (reply, piece) = ChunkReply::channel(mailbox);
        let pull = pull(reply);
        let parcel = match side {
            Side::Thread => Parcel::Job(Job::Pull(pull)),
            Side::Loop => Parcel::Note(Note::Pull(pull)),
        };
        (parcel, piece)
    })
}

/// Sends what lies in this thread's outbox.
fn empty() {
    let taken = OUTBOX.with_borrow_mut(|outbox| {
        let Outbox { bridge, jobs, notes, .. } = outbox.as_mut()?;
        Some((bridge.clone(), std::mem::take(jobs), std::mem::take(notes)))
    });
    let Some((bridge, jobs, notes)) = taken else { return };
    if !jobs.is_empty() {
        bridge.take_jobs(jobs);
    }
    if !notes.is_empty() {
        bridge.take_notes(notes);
    }
}
