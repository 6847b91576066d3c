//! The queue between the I/O threads and the thread of the event loop: what
//! waits there, and a socket that is readable while something waits.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::fair_queue::{Capacity, FairQueue, Queued, Rejection};
use crate::job::{Call, Pull, Subject};
use crate::job_id::Ticket;
use crate::queue::{Pushed, Watchdog};

/// One thing for the event loop to do.
#[derive(Debug)]
pub enum Note {
    /// Answer a request by an `async def` handler.
    Call(Call),
    /// Go on with the awaitable or async iterator that waits under this ticket.
    Adopt(Ticket),
    /// Fetch the next chunk of an async iterator.
    Pull(Pull),
    /// Content of a request has come for the reader that waits under this ticket.
    Content(Ticket),
    /// Something has changed for the WebSocket that is kept under this ticket.
    Stir(Ticket),
    /// The client has left: cancel what runs under this ticket.
    Left(Ticket),
}

impl Note {
    /// What it is about, where that is known.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Call(call) => Some(Subject::Call(call.request.clone())),
            Self::Pull(pull) => Some(Subject::Pull(pull.subject.clone())),
            Self::Adopt(_) | Self::Content(_) | Self::Stir(_) | Self::Left(_) => None,
        }
    }

    /// The ticket of a call.
    fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Call(call) => Some(call.ticket),
            _ => None,
        }
    }

    /// Whether a client waits for it.
    fn is_awaited(&self) -> bool {
        !matches!(self, Self::Left(_)) && !self.is_abandoned()
    }

    /// Tells who waits that nobody will do it.
    pub fn refuse(self, rejection: Rejection) {
        if let Self::Call(call) = self {
            call.refuse(rejection);
        }
    }
}

impl Queued for Note {
    fn host(&self) -> Option<&Arc<str>> {
        match self {
            Self::Call(call) => call.request.scope.name.as_ref(),
            Self::Pull(pull) => pull.host.as_ref(),
            Self::Adopt(_) | Self::Content(_) | Self::Stir(_) | Self::Left(_) => None,
        }
    }

    fn is_call(&self) -> bool {
        matches!(self, Self::Call(_))
    }

    fn is_abandoned(&self) -> bool {
        match self {
            Self::Call(call) => call.reply.is_closed(),
            Self::Pull(pull) => pull.reply.is_closed(),
            Self::Adopt(_) | Self::Content(_) | Self::Stir(_) | Self::Left(_) => false,
        }
    }
}

/// An event loop that takes nothing, while clients wait for it.
#[derive(Debug)]
pub struct Blocked {
    /// For how long at least.
    pub duration: Duration,
    /// How many wait.
    pub waiting: usize,
}

/// The queue.
#[derive(Debug)]
pub struct LoopQueue {
    state: Mutex<State>,
    /// How many calls may wait.
    pub capacity: Capacity,
    wake_pair: OnceLock<WakePair>,
    /// How many tickets [`State::adopted`] has.
    adoptions: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    notes: FairQueue<Note>,
    /// The calls that a thread has handed on to the loop, until they are answered:
    /// of those alone among a thread's calls the loop is told that the client left.
    adopted: HashSet<Ticket>,
    /// When the first of `notes` came that a client waits for.
    since: Option<Instant>,
    watched: bool,
    /// Whether it was told that nobody takes these notes.
    reported: bool,
    closed: bool,
}

/// A socket pair: a byte written to one end makes the other readable.
#[derive(Debug)]
struct WakePair {
    wake_tx: UnixStream,
    wake_rx: UnixStream,
}

impl LoopQueue {
    /// An empty queue in which `limit` calls may wait.
    pub fn new(limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity: Capacity::new(limit),
            wake_pair: OnceLock::new(),
            adoptions: AtomicUsize::new(0),
        }
    }

    /// Puts notes in, each at the end of its host's queue.
    pub fn push(&self, notes: impl IntoIterator<Item = Note>) -> Pushed<Note> {
        let mut refused = Vec::new();
        let mut abandoned = Vec::new();
        let mut state = self.lock();
        let was_empty = state.notes.is_empty();
        for note in notes {
            if state.closed {
                refused.push((note, Rejection::Closed));
                continue;
            }
            if let Note::Adopt(ticket) = &note {
                state.adopted.insert(*ticket);
                self.adoptions.store(state.adopted.len(), Ordering::SeqCst);
            }
            if state.since.is_none() && note.is_awaited() {
                state.since = Some(Instant::now());
            }
            if let Some(note) = self.capacity.admit(note, &mut state.notes, &mut abandoned) {
                refused.push((note, Rejection::Full));
            }
        }
        if !abandoned.is_empty() {
            // With a call goes what was said of its client.
            let calls: HashSet<Ticket> = abandoned.iter().filter_map(Note::ticket).collect();
            let of_those = |note: &Note| matches!(note, Note::Left(of) if calls.contains(of));
            abandoned.append(&mut state.notes.remove_where(of_those));
        }
        let begin = state.since.is_some() && !state.watched;
        state.watched |= begin;
        let wake = was_empty && !state.notes.is_empty();
        drop(state);
        drop(abandoned);
        if wake {
            self.wake_loop();
        }
        Pushed { watchdog: Watchdog::of(begin), refused }
    }

    /// Notes that a client has left, if there is a loop that may serve it.
    pub fn leave(&self, ticket: Ticket) {
        self.capacity.client_left();
        if self.wake_pair.get().is_some() {
            // A closed queue has cancelled everything already.
            self.push([Note::Left(ticket)]);
        }
    }

    /// Forgets a call that a thread has handed on; whether it was one.
    pub fn forget(&self, ticket: Ticket) -> bool {
        if self.adoptions.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let mut state = self.lock();
        let was = state.adopted.remove(&ticket);
        self.adoptions.store(state.adopted.len(), Ordering::SeqCst);
        was
    }

    /// Whether clients have waited longer than `allowance` for the loop to take
    /// what is here; told once until it has. `None` when nobody waits: there is
    /// nothing to watch until [`LoopQueue::push`] says so again.
    pub fn blocked(&self, allowance: Duration) -> Option<Option<Blocked>> {
        let mut state = self.lock();
        let Some(since) = state.since.filter(|_| !state.closed) else {
            state.watched = false;
            return None;
        };
        let duration = since.elapsed();
        if state.reported || duration <= allowance || self.wake_pair.get().is_none() {
            return Some(None);
        }
        let waiting = state.notes.iter().filter(|note| note.is_awaited()).count();
        state.reported = waiting > 0;
        Some(state.reported.then_some(Blocked { duration, waiting }))
    }

    /// Everything that waits, in order; the socket is quiet again.
    pub fn take(&self) -> Vec<Note> {
        if let Some(pair) = self.wake_pair.get() {
            let mut bytes = [0; 64];
            while matches!((&pair.wake_rx).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        }
        let mut state = self.lock();
        state.since = None;
        state.reported = false;
        state.notes.take()
    }

    /// The socket that is readable while something waits.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn descriptor(&self) -> std::io::Result<RawFd> {
        if let Some(pair) = self.wake_pair.get() {
            return Ok(pair.wake_rx.as_raw_fd());
        }
        let (wake_tx, wake_rx) = UnixStream::pair()?;
        wake_tx.set_nonblocking(true)?;
        wake_rx.set_nonblocking(true)?;
        let pair = self.wake_pair.get_or_init(|| WakePair { wake_tx, wake_rx });
        // What came before there was a socket to wake it.
        let waiting = {
            let state = self.lock();
            !state.notes.is_empty() || state.closed
        };
        if waiting {
            self.wake_loop();
        }
        Ok(pair.wake_rx.as_raw_fd())
    }

    /// Takes nothing more in and gives back what waits, to be dropped.
    pub fn close(&self) -> Vec<Note> {
        let mut state = self.lock();
        state.closed = true;
        let notes = state.notes.take();
        drop(state);
        self.wake_loop();
        notes
    }

    /// Whether it takes nothing more in.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn wake_loop(&self) {
        if let Some(pair) = self.wake_pair.get() {
            // A full socket is readable as it is.
            let _ = (&pair.wake_tx).write(&[1]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
