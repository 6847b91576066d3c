//! The server's [`Handler`]: what an I/O thread asks of the interpreter becomes a job, and what it
//! waits for is a future. Every function here runs on the I/O thread that serves the connection;
//! none waits. A future that is dropped before its answer came says that the client has left:
//! whoever takes the job skips it, and a task of the event loop is cancelled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use slimhttp_server::{
    AnswerFuture, AuthorizeFuture, Callee, ConnectionData, ConnectionInfo, Content, Handler,
    HandlerFault, Interests, Request,
};
use tokio::sync::oneshot;

use crate::applications::NotReady;
use crate::bridge::Bridge;
use crate::connection::{Connection, ConnectionJob};
use crate::job::{Call, Job};
use crate::job_id::JobId;
use crate::loop_queue::LoopJob;
use crate::outcome::CallOutcome;
use crate::reply::Reply;
use crate::retained_request::RetainedRequest;
use crate::side::{Side, side_of};
use crate::submission::{self, Submission};

/// How many bytes of a content are waited for before a WSGI application is called: such forms and
/// documents as come in one piece keep no thread, however slowly they come.
const CONTENT_AHEAD: u64 = 64 * 1024;

/// The handler of a server in front of its bridge.
#[derive(Debug)]
pub struct BridgeHandler(pub Arc<Bridge>);

impl Handler for BridgeHandler {
    fn call(&self, callee: Callee, request: Arc<Request>) -> AnswerFuture {
        let bridge = &self.0;
        let side = match &callee {
            Callee::Route(id, _) | Callee::WebSocket(id, ..) => side_of(*id),
            Callee::Application(app, _) => match bridge.applications.side(app.application.id) {
                Some(Side::Thread) if matches!(request.body, Content::Streamed(_)) => {
                    return Box::pin(call_with_content(bridge.clone(), callee, request));
                }
                Some(side) => side,
                None => return Box::pin(call_once_ready(bridge.clone(), callee, request)),
            },
            Callee::Module(_) | Callee::Script { .. } | Callee::Upgrade => Side::Thread,
        };
        Box::pin(submit(bridge, side, callee, request))
    }

    fn unanswered(&self, request: &Request) {
        if let Some(passed) = RetainedRequest::of(request).and_then(|it| it.passed.as_ref()) {
            passed.log_unanswered(request);
        }
    }

    fn interests(&self) -> Interests {
        self.0.interests.get()
    }

    fn on_connect(&self, info: ConnectionInfo) -> ConnectionData {
        on_connect(&self.0, info)
    }

    fn authorize(&self, connection: &ConnectionData) -> AuthorizeFuture {
        authorize(&self.0, connection)
    }

    fn on_disconnect(&self, connection: ConnectionData) {
        on_disconnect(&self.0, connection);
    }
}

/// Submits a call to `side`.
fn submit(
    bridge: &Arc<Bridge>,
    side: Side,
    callee: Callee,
    request: Arc<Request>,
) -> PendingAnswer {
    let id = bridge.next_id();
    let answer = submission::submit(bridge, |completions| {
        let (reply, answer) = Reply::channel(completions);
        let call = Call { id, callee, request, reply };
        let submission = match side {
            Side::Thread => Submission::Job(Job::Call(call)),
            Side::Loop => Submission::LoopJob(LoopJob::Call(call)),
        };
        (submission, answer)
    });
    PendingAnswer { answer, id, side, bridge: Some(bridge.clone()) }
}

/// Calls a WSGI application once the content has come, or so much of it that a slow client is not
/// all that its thread would wait for.
async fn call_with_content(
    bridge: Arc<Bridge>,
    callee: Callee,
    request: Arc<Request>,
) -> CallOutcome {
    if let Content::Streamed(stream) = &request.body {
        let refused = |refusal| HandlerFault::Refused(refusal, None);
        stream.prefetch(CONTENT_AHEAD).await.map_err(refused)?;
    }
    submit(&bridge, Side::Thread, callee, request).await
}

/// Calls an application once it answers; while it starts the request waits.
async fn call_once_ready(
    bridge: Arc<Bridge>,
    callee: Callee,
    request: Arc<Request>,
) -> CallOutcome {
    let Callee::Application(app, _) = &callee else {
        unreachable!("only applications are waited for");
    };
    let limit = bridge.queue.capacity.limit();
    let failed = |why, page| Err(HandlerFault::NotStarted { is_starting: false, why, page });
    let later = |why| Err(HandlerFault::NotStarted { is_starting: true, why, page: None });
    match bridge.applications.ready(&app.application, limit).await {
        Ok(Side::Thread) => call_with_content(bridge, callee, request).await,
        Ok(Side::Loop) => submit(&bridge, Side::Loop, callee, request).await,
        Err(NotReady::Full) => Err(HandlerFault::QueueFull),
        Err(NotReady::Failed(page)) => failed("the application has failed to start", page),
        Err(NotReady::Overdue) => later("the application takes too long to start"),
        Err(NotReady::Gone) => later("the application has ended"),
    }
}

/// Waits for an answer; dropped before it came, it says that the client left.
struct PendingAnswer {
    answer: oneshot::Receiver<CallOutcome>,
    id: JobId,
    side: Side,
    /// `None` once the answer is here.
    bridge: Option<Arc<Bridge>>,
}

impl Future for PendingAnswer {
    type Output = CallOutcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<CallOutcome> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        if let Some(bridge) = self.bridge.take()
            && self.side == Side::Thread
        {
            bridge.loop_queue.forget_resumed(self.id);
        }
        Poll::Ready(answer.unwrap_or(Err(HandlerFault::Stopped)))
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        if let Some(bridge) = self.bridge.take() {
            // In this order: whoever finds the task later sees a closed slot.
            self.answer.close();
            bridge.queue.capacity.client_left();
            if self.side == Side::Loop || bridge.loop_queue.forget_resumed(self.id) {
                bridge.loop_queue.cancel(self.id);
            }
        }
    }
}

/// A connection has come.
fn on_connect(bridge: &Bridge, info: ConnectionInfo) -> ConnectionData {
    Arc::new(Connection::new(bridge.next_id(), info))
}

/// Asks whether a connection is served.
fn authorize(bridge: &Bridge, connection: &ConnectionData) -> AuthorizeFuture {
    let Some(connection) = Connection::of(Some(connection)) else {
        return Box::pin(std::future::ready(false));
    };
    let (reply, served) = oneshot::channel();
    bridge.take_jobs([Job::Connection(ConnectionJob::Authorize(connection, reply))]);
    // Without an answer nobody serves any more.
    Box::pin(async { served.await.unwrap_or(false) })
}

/// A connection has ended. While Python is blocked, clients may come
/// and go as they like: of those that it has not seen, no more ends are kept for it
/// than the backlog has room for.
fn on_disconnect(bridge: &Bridge, connection: ConnectionData) {
    let Some(connection) = Connection::of(Some(&connection)) else { return };
    connection.pipe.end();
    if !bridge.close_backlog.add() && !connection.is_exposed.load(Ordering::SeqCst) {
        bridge.close_backlog.remove();
        if !bridge.close_backlog.is_reported.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "`on_close` is not called for connections that end now: Python has been busy \
                 for long, and too many ends wait already (16 times `max_queue`)"
            );
        }
        return;
    }
    bridge.take_jobs([Job::Connection(ConnectionJob::Closed(connection))]);
}

#[cfg(test)]
mod tests;
