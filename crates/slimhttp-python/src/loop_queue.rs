//! The queue between the I/O threads and the thread of the event loop: what
//! waits there, and a socket that is readable while something waits.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::job::{Call, Pull, Subject, Ticket};
use crate::queue::{Rejection, Watch};

/// One thing for the event loop to do.
#[derive(Debug)]
pub(crate) enum Note {
    /// Answer a request by an `async def` handler.
    Call(Call),
    /// Go on with the awaitable or async iterator that waits under this ticket.
    Adopt(Ticket),
    /// Fetch the next chunk of an async iterator.
    Pull(Pull),
    /// Content of a request has come for the reader that waits under this ticket.
    Content(Ticket),
    /// The client has left: cancel what runs under this ticket.
    Left(Ticket),
}

impl Note {
    /// What it is about, where that is known.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Call(call) => Some(Subject::Call(call.request.clone())),
            Self::Pull(pull) => Some(Subject::Pull(pull.subject.clone())),
            Self::Adopt(_) | Self::Content(_) | Self::Left(_) => None,
        }
    }

    /// Whether a client waits for it.
    fn is_awaited(&self) -> bool {
        match self {
            Self::Call(call) => !call.reply.is_closed(),
            Self::Pull(pull) => !pull.reply.is_closed(),
            Self::Adopt(_) | Self::Content(_) => true,
            Self::Left(_) => false,
        }
    }
}

/// An event loop that takes nothing, while clients wait for it.
#[derive(Debug)]
pub(crate) struct Blocked {
    /// For how long at least.
    pub(crate) duration: Duration,
    /// How many wait.
    pub(crate) waiting: usize,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct LoopQueue {
    state: Mutex<State>,
    limit: AtomicUsize,
    bell: OnceLock<Bell>,
}

#[derive(Debug, Default)]
struct State {
    notes: Vec<Note>,
    /// When the first of `notes` came that a client waits for.
    since: Option<Instant>,
    calls: usize,
    watched: bool,
    /// Whether it was told that nobody takes these notes.
    reported: bool,
    closed: bool,
}

/// A socket pair: a byte written to one end makes the other readable.
#[derive(Debug)]
struct Bell {
    rope: UnixStream,
    ear: UnixStream,
}

impl LoopQueue {
    /// An empty queue in which `limit` calls may wait.
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), limit: AtomicUsize::new(limit), bell: OnceLock::new() }
    }

    /// Changes how many calls may wait.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Puts a note at the end.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(crate) fn push(&self, note: Note) -> Result<Watch, Rejection> {
        let is_call = matches!(note, Note::Call(_));
        let mut abandoned = Vec::new();
        let mut state = self.lock();
        if state.closed {
            return Err(Rejection::Closed);
        }
        if is_call && state.calls >= self.limit.load(Ordering::Relaxed) {
            abandoned = sweep(&mut state);
            if abandoned.is_empty() {
                return Err(Rejection::Full);
            }
        }
        let first = state.notes.is_empty();
        if state.since.is_none() && note.is_awaited() {
            state.since = Some(Instant::now());
        }
        let begin = state.since.is_some() && !state.watched;
        state.watched |= begin;
        state.calls += usize::from(is_call);
        state.notes.push(note);
        drop(state);
        drop(abandoned);
        if first {
            self.ring();
        }
        Ok(if begin { Watch::Begin } else { Watch::AsBefore })
    }

    /// Notes that a client has left, if there is a loop that may serve it.
    pub(crate) fn leave(&self, ticket: Ticket) {
        if self.bell.get().is_some() {
            // A closed queue has cancelled everything already.
            let _ = self.push(Note::Left(ticket));
        }
    }

    /// Whether clients have waited longer than `allowance` for the loop to take
    /// what is here; told once until it has. `None` when nobody waits: there is
    /// nothing to watch until [`LoopQueue::push`] says so again.
    pub(crate) fn blocked(&self, allowance: Duration) -> Option<Option<Blocked>> {
        let mut state = self.lock();
        let Some(since) = state.since.filter(|_| !state.closed) else {
            state.watched = false;
            return None;
        };
        let duration = since.elapsed();
        if state.reported || duration <= allowance || self.bell.get().is_none() {
            return Some(None);
        }
        let waiting = state.notes.iter().filter(|note| note.is_awaited()).count();
        state.reported = waiting > 0;
        Some(state.reported.then_some(Blocked { duration, waiting }))
    }

    /// Everything that waits, in order; the socket is quiet again.
    pub(crate) fn take(&self) -> Vec<Note> {
        if let Some(bell) = self.bell.get() {
            let mut bytes = [0; 64];
            while matches!((&bell.ear).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        }
        let mut state = self.lock();
        state.calls = 0;
        state.since = None;
        state.reported = false;
        std::mem::take(&mut state.notes)
    }

    /// The socket that is readable while something waits.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub(crate) fn descriptor(&self) -> std::io::Result<RawFd> {
        if let Some(bell) = self.bell.get() {
            return Ok(bell.ear.as_raw_fd());
        }
        let (rope, ear) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let bell = self.bell.get_or_init(|| Bell { rope, ear });
        // What came before there was a bell.
        let waiting = {
            let state = self.lock();
            !state.notes.is_empty() || state.closed
        };
        if waiting {
            self.ring();
        }
        Ok(bell.ear.as_raw_fd())
    }

    /// Takes nothing more in and gives back what waits, to be dropped.
    pub(crate) fn close(&self) -> Vec<Note> {
        let mut state = self.lock();
        state.closed = true;
        let notes = std::mem::take(&mut state.notes);
        drop(state);
        self.ring();
        notes
    }

    /// Whether it takes nothing more in.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            // A full socket is readable as it is.
            let _ = (&bell.rope).write(&[1]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the calls out that nobody waits for, with what was said of their
/// clients, when the queue is full of them.
fn sweep(state: &mut State) -> Vec<Note> {
    let left: HashSet<Ticket> = state
        .notes
        .iter()
        .filter_map(|note| match note {
            Note::Call(call) if call.reply.is_closed() => Some(call.ticket),
            _ => None,
        })
        .collect();
    let is_abandoned = |note: &Note| match note {
        Note::Call(Call { ticket, .. }) | Note::Left(ticket) => left.contains(ticket),
        Note::Adopt(_) | Note::Pull(_) | Note::Content(_) => false,
    };
    let notes = std::mem::take(&mut state.notes);
    let (abandoned, wanted): (Vec<Note>, Vec<Note>) = notes.into_iter().partition(is_abandoned);
    state.notes = wanted;
    state.calls -= left.len();
    abandoned
}

#[cfg(test)]
#[path = "loop_queue/tests.rs"]
mod tests;
