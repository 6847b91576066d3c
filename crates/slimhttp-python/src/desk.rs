//! The desk at which I/O threads hand jobs in: the server's [`Handler`], the
//! two queues behind it and the bell of the attendant. No Python in it.

use std::future::Future;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use slimhttp_server::handler::{AnswerFuture, Callee, Handler, HandlerFault, Request};
use slimhttp_site::route::HandlerId;
use tokio::sync::oneshot;

use crate::attendant;
use crate::job::{Call, Job, Pull, Reply, Ticket, Verdict};
use crate::loop_queue::{LoopQueue, Note};
use crate::queue::{Queue, Rejection, Run, Watch};

/// How many calls may wait before the configuration has said it.
const FIRST_LIMIT: usize = 1024;

/// Where a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// On a thread in `turn()`.
    Thread,
    /// On the thread of the event loop.
    Loop,
}

/// Where the handler of `id` runs. It is part of the number, so that an I/O
/// thread knows without asking.
pub(crate) fn side_of(id: HandlerId) -> Side {
    if id.0 & 1 == 1 { Side::Loop } else { Side::Thread }
}

/// The `count`-th handler, which runs on `side`.
pub(crate) fn handler_id(count: u64, side: Side) -> HandlerId {
    HandlerId(count << 1 | u64::from(side == Side::Loop))
}

/// The desk.
#[derive(Debug)]
pub(crate) struct Desk {
    /// What waits for a thread in `turn()`.
    pub(crate) queue: Queue,
    /// What waits for the event loop.
    pub(crate) loop_queue: LoopQueue,
    tickets: AtomicU64,
    bell: UnixStream,
}

impl Desk {
    /// A desk, whose attendant is reached by `bell` (non-blocking).
    pub(crate) fn new(bell: UnixStream) -> Self {
        Self {
            queue: Queue::new(FIRST_LIMIT),
            loop_queue: LoopQueue::new(FIRST_LIMIT),
            tickets: AtomicU64::new(0),
            bell,
        }
    }

    /// A number that nothing else has.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Changes how many calls may wait in each queue.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.queue.set_limit(limit);
        self.loop_queue.set_limit(limit);
    }

    /// Takes the first job, see [`Queue::next`].
    pub(crate) fn next(&self, finished: Option<Run>) -> Option<(Run, Job)> {
        let (run, job, watch) = self.queue.next(finished)?;
        if watch == Watch::Begin {
            self.ring(attendant::WATCH);
        }
        Some((run, job))
    }

    /// Asks for a chunk of a stream.
    ///
    /// # Errors
    /// Why it will not come.
    pub(crate) fn pull(&self, side: Side, pull: Pull) -> Result<(), Rejection> {
        match side {
            Side::Thread => self.push(Job::Pull(pull)),
            Side::Loop => self.hand_to_loop(Note::Pull(pull)),
        }
    }

    /// Gives the event loop something to do.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(crate) fn hand_to_loop(&self, note: Note) -> Result<(), Rejection> {
        if self.loop_queue.push(note)? == Watch::Begin {
            self.ring(attendant::WATCH);
        }
        Ok(())
    }

    /// Gives back the ticket of a stream that is not read to its end.
    pub(crate) fn abandon(&self, side: Side, stream: Ticket) {
        match side {
            Side::Thread => self.queue.release(stream),
            Side::Loop => self.loop_queue.leave(stream),
        }
    }

    /// Takes nothing more in; what waits is answered by
    /// [`HandlerFault::Stopped`], since its reply slot is dropped.
    pub(crate) fn close(&self) {
        drop(self.queue.close());
        drop(self.loop_queue.close());
        self.ring(attendant::LEAVE);
    }

    fn push(&self, job: Job) -> Result<(), Rejection> {
        if self.queue.push(job)? == Watch::Begin {
            self.ring(attendant::WATCH);
        }
        Ok(())
    }

    fn ring(&self, byte: u8) {
        // A full socket means that the attendant is on its way.
        let _ = (&self.bell).write(&[byte]);
    }
}

/// The server's way to the desk.
#[derive(Debug)]
pub(crate) struct Door(pub(crate) Arc<Desk>);

impl Handler for Door {
    fn call(&self, callee: Callee, request: Arc<Request>) -> AnswerFuture {
        let desk = &self.0;
        let side = match &callee {
            Callee::Route(id, _) => side_of(*id),
            Callee::Module(_) | Callee::Script { .. } => Side::Thread,
        };
        let (reply, answer) = Reply::channel();
        let ticket = desk.ticket();
        let call = Call { ticket, callee, request, reply };
        let pushed = match side {
            Side::Thread => desk.push(Job::Call(call)),
            Side::Loop => desk.hand_to_loop(Note::Call(call)),
        };
        match pushed {
            Ok(()) => Box::pin(Waiting { answer, ticket, desk: Some(desk.clone()) }),
            Err(rejection) => {
                let fault = match rejection {
                    Rejection::Full => HandlerFault::QueueFull,
                    Rejection::Closed => HandlerFault::Stopped,
                };
                Box::pin(std::future::ready(Err(fault)))
            }
        }
    }
}

/// Waits for an answer; dropped before it came, it says that the client left.
struct Waiting {
    answer: oneshot::Receiver<Verdict>,
    ticket: Ticket,
    /// `None` once the answer is here.
    desk: Option<Arc<Desk>>,
}

impl Future for Waiting {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        self.desk = None;
        Poll::Ready(answer.unwrap_or(Err(HandlerFault::Stopped)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            // In this order: whoever finds the task later sees a closed slot.
            self.answer.close();
            desk.loop_queue.leave(self.ticket);
        }
    }
}

#[cfg(test)]
#[path = "desk/tests.rs"]
mod tests;
