//! The desk at which I/O threads hand jobs in: the server's [`Handler`], the
//! two queues behind it and the bell of the attendant. No Python in it.

use std::future::Future;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use slimhttp_server::handler::{
    AnswerFuture, Callee, Guest, Handler, HandlerFault, Request, VerdictFuture, Visitor, Wants,
};
use slimhttp_site::route::HandlerId;
use tokio::sync::oneshot;

use crate::companion::Companion;
use crate::completion::Mailbox;
use crate::connection::{Ends, Wishes};
use crate::job::{Call, ChunkReply, Job, Piece, Pull, Reply, Ticket, Verdict};
use crate::loop_queue::{LoopQueue, Note};
use crate::opening::{Opening, Openings};
use crate::pending_signals::Unheeded;
use crate::queue::{Queue, Rejection, Run, Watch};
use crate::submission::{self, Parcel};
use crate::{connection, watchdog};

/// How many calls may wait before the configuration has said it.
const FIRST_LIMIT: usize = 1024;

/// Where a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On a thread in `turn()`.
    Thread,
    /// On the thread of the event loop.
    Loop,
}

/// Where the handler of `id` runs. It is part of the number, so that an I/O
/// thread knows without asking.
pub fn side_of(id: HandlerId) -> Side {
    if id.0 & 1 == 1 { Side::Loop } else { Side::Thread }
}

/// The `count`-th handler, which runs on `side`.
pub fn handler_id(count: u64, side: Side) -> HandlerId {
    HandlerId(count << 1 | u64::from(side == Side::Loop))
}

/// The desk.
#[derive(Debug)]
pub struct Desk {
    /// What waits for a thread in `turn()`.
    pub queue: Queue,
    /// What waits for the event loop.
    pub loop_queue: LoopQueue,
    /// Those of all I/O threads that have asked something.
    mailboxes: Mutex<Vec<Arc<Mailbox>>>,
    tickets: AtomicU64,
    /// What the program wants to hear of connections.
    pub wishes: Wishes,
    /// The signals that the attendant has heard of and Python has not.
    pub unheeded: Unheeded,
    /// The ends of connections that wait for Python.
    pub ends: Ends,
    /// The handshakes of WebSockets that their handlers have not answered.
    pub openings: Openings,
    /// Whether the attendant looks after things now.
    attended: AtomicBool,
    bell: UnixStream,
}

impl Desk {
    /// A desk, whose attendant is reached by `bell` (non-blocking).
    pub fn new(bell: UnixStream) -> Self {
        Self {
            queue: Queue::new(FIRST_LIMIT),
            loop_queue: LoopQueue::new(FIRST_LIMIT),
            mailboxes: Mutex::default(),
            tickets: AtomicU64::new(0),
            ends: Ends::default(),
            openings: Openings::default(),
            attended: AtomicBool::new(false),
            wishes: Wishes::default(),
            unheeded: Unheeded::default(),
            bell,
        }
    }

    /// A number that nothing else has.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Changes how many calls may wait in each queue.
    pub fn set_limit(&self, limit: usize) {
        self.queue.room.set_limit(limit);
        self.loop_queue.room.set_limit(limit);
        self.ends.set_limit(limit);
    }

    /// Takes the first job, see [`Queue::next`].
    pub fn next(&self, finished: Option<Run>) -> Option<(Run, Job)> {
        let (run, job, watch) = self.queue.next(finished)?;
        self.heed(watch);
        Some((run, job))
    }

    /// Asks for a chunk of a stream: `pull` makes the job, the chunk comes into
    /// what is given. If the desk is closed, it never comes.
    pub fn pull(
        self: &Arc<Self>,
        side: Side,
        pull: impl FnOnce(ChunkReply) -> Pull,
    ) -> oneshot::Receiver<Piece> {
        submission::send(self, |mailbox| {
            let (reply, piece) = ChunkReply::channel(mailbox);
            let pull = pull(reply);
            let parcel = match side {
                Side::Thread => Parcel::Job(Job::Pull(pull)),
                Side::Loop => Parcel::Note(Note::Pull(pull)),
            };
            (parcel, piece)
        })
    }

    /// Takes jobs into the queue; those for which there is no room are answered
    /// here and now.
    pub fn take_jobs(&self, jobs: impl IntoIterator<Item = Job>) {
        let pushed = self.queue.push(jobs);
        self.heed(pushed.watch);
        for (job, rejection) in pushed.refused {
            job.refuse(rejection);
        }
    }

    /// The same with notes for the event loop.
    pub fn take_notes(&self, notes: impl IntoIterator<Item = Note>) {
        let pushed = self.loop_queue.push(notes);
        self.heed(pushed.watch);
        for (note, rejection) in pushed.refused {
            note.refuse(rejection);
        }
    }

    /// Knocks at every mailbox in which letters lie.
    pub fn knock(&self) {
        for mailbox in self.mailboxes().iter() {
            mailbox.knock();
        }
    }

    /// Makes the mailbox of an I/O thread known.
    pub fn add_mailbox(&self, mailbox: &Arc<Mailbox>) {
        self.mailboxes().push(mailbox.clone());
        if self.loop_queue.is_closed() {
            mailbox.close();
        }
    }

    fn mailboxes(&self) -> MutexGuard<'_, Vec<Arc<Mailbox>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heed(&self, watch: Watch) {
        if watch == Watch::Begin {
            self.attend();
        }
    }

    /// Calls the attendant, unless it is here.
    pub fn attend(&self) {
        if !self.attended.swap(true, Ordering::SeqCst) {
            self.ring(watchdog::WATCH);
        }
    }

    /// Looks after a handshake: its client is let in, if its handler says nothing.
    pub fn watch_opening(&self, opening: &Arc<Opening>) {
        self.openings.add(opening, Instant::now());
        self.attend();
    }

    /// Notes that the attendant is here, or goes. Before it goes it looks once
    /// more: so it is called again, or has seen what was there.
    pub fn note_attended(&self, attended: bool) {
        self.attended.store(attended, Ordering::SeqCst);
    }

    /// Gives the event loop something to do.
    ///
    /// # Errors
    /// When the desk is closed.
    pub fn hand_to_loop(&self, note: Note) -> Result<(), Rejection> {
        let pushed = self.loop_queue.push([note]);
        self.heed(pushed.watch);
        pushed.outcome().map(drop)
    }

    /// Gives back the ticket of a stream that is not read to its end.
    pub fn abandon(&self, side: Side, stream: Ticket) {
        match side {
            Side::Thread => self.queue.release(stream),
            Side::Loop => self.loop_queue.leave(stream),
        }
    }

    /// Takes nothing more in; what waits is answered by
    /// [`HandlerFault::Stopped`], since its reply slot is dropped.
    pub fn close(&self) {
        drop(self.queue.close());
        drop(self.loop_queue.close());
        // What is handed over is not dropped under a lock of ours.
        let mailboxes = self.mailboxes().clone();
        for mailbox in mailboxes {
            mailbox.close();
        }
        self.ring(watchdog::LEAVE);
    }

    fn ring(&self, byte: u8) {
        // A full socket means that the attendant is on its way.
        let _ = (&self.bell).write(&[byte]);
    }
}

/// The server's way to the desk.
#[derive(Debug)]
pub struct Door(pub Arc<Desk>);

impl Handler for Door {
    fn call(&self, callee: Callee, request: Arc<Request>) -> AnswerFuture {
        let desk = &self.0;
        let side = match &callee {
            Callee::Route(id, _) | Callee::WebSocket(id, ..) => side_of(*id),
            Callee::Module(_) | Callee::Script { .. } | Callee::Upgrade => Side::Thread,
        };
        let ticket = desk.ticket();
        let answer = submission::send(desk, |mailbox| {
            let (reply, answer) = Reply::channel(mailbox);
            let call = Call { ticket, callee, request, reply };
            let parcel = match side {
                Side::Thread => Parcel::Job(Job::Call(call)),
                Side::Loop => Parcel::Note(Note::Call(call)),
            };
            (parcel, answer)
        });
        Box::pin(Waiting { answer, ticket, side, desk: Some(desk.clone()) })
    }

    fn unanswered(&self, request: &Request) {
        if let Some(passed) = Companion::of(request).and_then(|it| it.passed.as_ref()) {
            passed.tell(request);
        }
    }

    fn wants(&self) -> Wants {
        self.0.wishes.get()
    }

    fn meet(&self, visitor: Visitor) -> Guest {
        connection::meet(&self.0, visitor)
    }

    fn judge(&self, guest: &Guest) -> VerdictFuture {
        connection::judge(&self.0, guest)
    }

    fn left(&self, guest: Guest) {
        connection::left(&self.0, guest);
    }
}

/// Waits for an answer; dropped before it came, it says that the client left.
struct Waiting {
    answer: oneshot::Receiver<Verdict>,
    ticket: Ticket,
    side: Side,
    /// `None` once the answer is here.
    desk: Option<Arc<Desk>>,
}

impl Future for Waiting {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        if let Some(desk) = self.desk.take()
            && self.side == Side::Thread
        {
            desk.loop_queue.forget(self.ticket);
        }
        Poll::Ready(answer.unwrap_or(Err(HandlerFault::Stopped)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            // In this order: whoever finds the task later sees a closed slot.
            self.answer.close();
            desk.queue.room.note_left();
            if self.side == Side::Loop || desk.loop_queue.forget(self.ticket) {
                desk.loop_queue.leave(self.ticket);
            }
        }
    }
}

#[cfg(test)]
mod tests;
