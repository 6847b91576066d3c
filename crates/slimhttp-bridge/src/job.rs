//! The jobs that wait in the queue for threads of the interpreter: a call to answer, a chunk to
//! fetch, something about a connection or a certificate. Made on an I/O thread, or on the thread of
//! certificates, done on a thread of the interpreter, and abandoned once nobody waits for the outcome: whoever takes such a job skips it.
//!
//! A Python object that a job concerns is kept by the interpreter's side, and the job names it by
//! a [`JobId`]; so nothing on an I/O thread can reach Python.

use std::fmt;
use std::sync::Arc;

use slimhttp_server::{Callee, HandlerFault, Request};

use crate::acme_job::AcmeJob;
use crate::connection::ConnectionJob;
use crate::fair_queue::{Queued, Rejection};
use crate::job_id::JobId;
use crate::outcome::CallOutcome;
use crate::reply::{ChunkReply, Reply};

/// One element of the queue.
#[derive(Debug)]
pub enum Job {
    /// Answer a request.
    Call(Call),
    /// Answer a request by the iterator that an `async def` handler has returned: it may
    /// block, so the event loop leaves it to a thread.
    Open(Call),
    /// Fetch the next chunk of a stream.
    Pull(Pull),
    /// Something about a connection.
    Connection(ConnectionJob),
    /// Something about a certificate.
    Acme(AcmeJob),
}

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Call {
    /// Under which a task that answers it is kept.
    pub id: JobId,
    /// Whom to ask.
    pub callee: Callee,
    /// About what.
    pub request: Arc<Request>,
    /// Where the answer goes; closed once the client has left.
    pub reply: Reply,
}

impl Call {
    /// Sends what comes back. What it holds in memory counts from now on: before the
    /// thread begins another call of the same connection.
    pub fn answer(self, outcome: CallOutcome) {
        let connection = &self.request.connection;
        self.reply.send(outcome.map(|answer| connection.hold(answer)));
    }

    /// Answers that no handler will: there is no room, or the server has stopped.
    pub fn refuse(self, rejection: Rejection) {
        self.reply.send(Err(match rejection {
            Rejection::Full => HandlerFault::QueueFull,
            Rejection::Closed => HandlerFault::Stopped,
        }));
    }
}

/// A body that waits for its next chunk.
#[derive(Debug)]
pub struct Pull {
    /// Under which the iterator is kept.
    pub stream: JobId,
    /// What is streamed, for messages.
    pub subject: Arc<str>,
    /// The virtual host, see [`Queued::host`].
    pub host: Option<Arc<str>>,
    /// Where the chunk goes; closed once the client has left.
    pub reply: ChunkReply,
}

impl Queued for Job {
    fn host(&self) -> Option<&Arc<str>> {
        match self {
            Self::Call(call) | Self::Open(call) => call.request.scope.name.as_ref(),
            Self::Pull(pull) => pull.host.as_ref(),
            // Connections belong to no virtual host, nor do names that are none yet.
            Self::Connection(_) | Self::Acme(_) => None,
        }
    }

    fn is_call(&self) -> bool {
        matches!(self, Self::Call(_))
    }

    fn is_abandoned(&self) -> bool {
        match self {
            Self::Call(call) | Self::Open(call) => call.reply.is_closed(),
            Self::Pull(pull) => pull.reply.is_closed(),
            Self::Connection(job) => job.is_abandoned(),
            Self::Acme(job) => job.is_abandoned(),
        }
    }
}

impl Job {
    /// Ends the wait of who asked: nobody will do it.
    pub fn refuse(self, rejection: Rejection) {
        match self {
            Self::Call(call) | Self::Open(call) => call.refuse(rejection),
            // The dropped slot ends the body, or says no.
            Self::Pull(_) | Self::Connection(_) | Self::Acme(_) => {}
        }
    }

    /// What this job is about, for the log, where it takes too long.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Call(call) | Self::Open(call) => Subject::Call(call.request.clone()),
            Self::Pull(pull) => Subject::Pull(pull.subject.clone()),
            Self::Connection(job) => Subject::Connection(job.subject()),
            Self::Acme(job) => Subject::Acme(job.question.to_string().into()),
        }
    }
}

/// What a job is about. Cheap to make; put into words only when asked.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A request.
    Call(Arc<Request>),
    /// The stream of a response.
    Pull(Arc<str>),
    /// A connection.
    Connection(Arc<str>),
    /// A certificate.
    Acme(Arc<str>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(request) => describe(request, f),
            Self::Pull(subject) => write!(f, "the stream of {subject}"),
            Self::Connection(subject) | Self::Acme(subject) => f.write_str(subject),
        }
    }
}

/// A request in the words of a log line: `GET /slow`, ``GET /slow of `a.example` ``.
pub struct InWords<'r>(pub &'r Request);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(self.0, f)
    }
}

fn describe(request: &Request, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{} {}", request.method, request.uri.path())?;
    match &request.scope.name {
        Some(vhost) => write!(f, " of `{vhost}`"),
        None => Ok(()),
    }
}
