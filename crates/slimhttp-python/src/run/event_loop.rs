//! The event loop's side: what waits in its queue becomes tasks, and what the
//! tasks come to becomes answers. Everything here runs on the loop's thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_server::body::Body;
use slimhttp_server::handler::Answer;

use crate::convert::asyncio::{close, is_cancelled, name_after, pump_module, running_loop};
use crate::objects::content::ContentReader;
use crate::objects::websocket_route::WebSocketRoute;
use crate::process::catch_panic::contain;
use crate::run::answering::Answering;
use crate::run::dispatcher::{Dispatcher, Kept, Pending};
use crate::run::response::{self, Head};
use crate::run::websocket;
use slimhttp_bridge::job::{InWords, Pull};
use slimhttp_bridge::job_id::Ticket;
use slimhttp_bridge::loop_queue::Note;
use slimhttp_bridge::outcome::Piece;
use slimhttp_bridge::pulled_body::PulledBody;
use slimhttp_bridge::reply::ChunkReply;
use slimhttp_bridge::side::Side;

/// Does everything that waits for the event loop. `create_task` makes a task of
/// a coroutine.
///
/// # Errors
/// `KeyboardInterrupt`, and what keeps Python from going on at all.
pub(crate) fn turn(dispatcher: &Arc<Dispatcher>, create_task: &Bound<'_, PyAny>) -> PyResult<()> {
    let mut outcome = Ok(());
    for note in dispatcher.desk.loop_queue.take() {
        // What one note raises is no reason to lose the others.
        let subject = note.subject();
        let what = || subject.map_or_else(|| "the event loop".to_owned(), |it| it.to_string());
        let done = contain(what, || perform(dispatcher, create_task, note));
        outcome = outcome.and(done.unwrap_or(Ok(())));
    }
    if dispatcher.desk.loop_queue.is_closed() {
        drop(dispatcher.face.waiting.take_all());
        for kept in dispatcher.take_all() {
            outcome = outcome.and(cancel(create_task.py(), kept));
        }
    }
    outcome
}

fn perform(
    dispatcher: &Arc<Dispatcher>,
    create_task: &Bound<'_, PyAny>,
    note: Note,
) -> PyResult<()> {
    let py = create_task.py();
    match note {
        // Its client has left.
        Note::Call(call) if call.reply.is_closed() => Ok(()),
        Note::Call(call) => {
            let Some((pending, result)) = dispatcher.begin(py, call) else { return Ok(()) };
            match result {
                Ok(result) if dispatcher.face.is_coroutine(&result)? => {
                    start_answer(dispatcher, create_task, Answering::unbegun, pending, result)
                }
                Ok(result) if result.is_instance_of::<WebSocketRoute>() => {
                    let route = result.cast_into::<WebSocketRoute>()?;
                    websocket::open_on_loop(dispatcher, create_task, pending, &route)
                }
                result => dispatcher.settle(py, Side::Loop, pending, result),
            }
        }
        Note::Adopt(ticket) => adopt(dispatcher, create_task, ticket),
        Note::Pull(pull) => match dispatcher.channel(py, pull.stream) {
            Some(channel) => channel.get().ask(py, pull),
            None => Ok(()),
        },
        Note::Content(ticket) => match dispatcher.face.waiting.take(ticket) {
            Some(reader) => ContentReader::arrived(reader.bind(py).cast::<ContentReader>()?),
            None => Ok(()),
        },
        Note::Stir(ticket) => websocket::stir(dispatcher, py, ticket),
        Note::Left(ticket) => match dispatcher.take(ticket) {
            Some(kept) => cancel(py, kept),
            None => Ok(()),
        },
    }
}

fn adopt(
    dispatcher: &Arc<Dispatcher>,
    create_task: &Bound<'_, PyAny>,
    ticket: Ticket,
) -> PyResult<()> {
    let py = create_task.py();
    let kept = dispatcher.take(ticket);
    if let Some(
        Kept::Awaitable(_, pending) | Kept::AsyncIterator(.., pending) | Kept::Opening(_, pending),
    ) = &kept
        && pending.call.reply.is_closed()
    {
        // The client may have left before the call was noted as handed on.
        dispatcher.desk.loop_queue.forget(ticket);
    }
    match kept {
        Some(Kept::Awaitable(awaitable, pending)) => {
            let awaitable = awaitable.into_bound(py);
            if pending.call.reply.is_closed() {
                return close(&awaitable);
            }
            let coroutine = match dispatcher.face.is_coroutine(&awaitable)? {
                true => awaitable,
                false => pump_module(py)?.call_method1(intern!(py, "finish"), (awaitable,))?,
            };
            start_answer(dispatcher, create_task, Answering::new, pending, coroutine)
        }
        Some(Kept::AsyncIterator(iterator, head, pending)) => {
            start_stream(dispatcher, create_task, pending, iterator.bind(py), head)
        }
        Some(Kept::Opening(route, pending)) => {
            websocket::open_on_loop(dispatcher, create_task, pending, route.bind(py))
        }
        // The client left in between, and its note came first.
        Some(kept) => cancel(py, kept),
        None => Ok(()),
    }
}

fn cancel(py: Python<'_>, kept: Kept) -> PyResult<()> {
    match kept {
        Kept::Task(task) => {
            task.call_method0(py, intern!(py, "cancel"))?;
        }
        Kept::Channel(channel) => channel.get().cancel(py)?,
        Kept::WebSocket(_, task) => {
            task.call_method0(py, intern!(py, "cancel"))?;
        }
        Kept::Awaitable(awaitable, _) => close(awaitable.bind(py))?,
        Kept::Request(_)
        | Kept::Unopened(_)
        | Kept::Iterator(_)
        | Kept::AsyncIterator(..)
        | Kept::Opening(..) => {}
    }
    Ok(())
}

fn start_answer(
    dispatcher: &Arc<Dispatcher>,
    create_task: &Bound<'_, PyAny>,
    answering: fn(Arc<Dispatcher>, Pending, Bound<'_, PyAny>) -> Answering,
    pending: Pending,
    coroutine: Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = create_task.py();
    let ticket = pending.call.ticket;
    let context = pending.request.get().context(py)?;
    let answering = answering(dispatcher.clone(), pending, coroutine);
    let answering = Bound::new(py, answering)?;
    let task = match dispatcher.face.contexts.run(py, (context, create_task, &answering)) {
        Ok(task) => task,
        Err(error) => return answering.get().give_up(py, error),
    };
    // A loop may run a task's first step at once, and that may have been all.
    if answering.get().is_pending() {
        dispatcher.keep(ticket, Kept::Task(task.unbind()));
    }
    Ok(())
}

fn start_stream(
    dispatcher: &Arc<Dispatcher>,
    create_task: &Bound<'_, PyAny>,
    pending: Pending,
    iterator: &Bound<'_, PyAny>,
    head: Option<Head>,
) -> PyResult<()> {
    let py = create_task.py();
    let ticket = dispatcher.desk.ticket();
    // Until its head is out, the client's leaving is told by the call's ticket.
    let call_ticket = pending.call.ticket;
    let what = pending.what.clone();
    let subject = InWords(&pending.call.request).to_string().into();
    let context = pending.request.get().context(py)?;
    let state = ChannelState { opening: Some((pending, head)), ..ChannelState::default() };
    let channel = Channel {
        dispatcher: dispatcher.clone(),
        stream: ticket,
        call: call_ticket,
        what,
        subject,
        state: Mutex::new(state),
    };
    let channel = Bound::new(py, channel)?;
    let new_future = running_loop(py)?.getattr(intern!(py, "create_future"))?;
    let coroutine =
        pump_module(py)?.call_method1(intern!(py, "pump"), (iterator, &channel, new_future))?;
    name_after(&coroutine, iterator)?;
    let task = dispatcher.face.contexts.run(py, (context, create_task, coroutine))?;
    channel.get().lock().task = Some(task.clone().unbind());
    dispatcher.keep(call_ticket, Kept::Task(task.clone().unbind()));
    dispatcher.keep(ticket, Kept::Channel(channel.clone().unbind()));
    let done = channel.getattr(intern!(py, "finish"))?;
    task.call_method1(intern!(py, "add_done_callback"), (done,))?;
    Ok(())
}

/// Between an async iterator and the body of a response: at most one chunk, and
/// only when it was asked for.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Channel {
    dispatcher: Arc<Dispatcher>,
    stream: Ticket,
    call: Ticket,
    what: Arc<str>,
    /// The request in words.
    subject: Arc<str>,
    state: Mutex<ChannelState>,
}

#[derive(Default)]
struct ChannelState {
    /// The call, until its answer is out with the first chunk.
    opening: Option<(Pending, Option<Head>)>,
    /// Where the chunk goes that the client waits for.
    asked: Option<ChunkReply>,
    /// The future on which the iterator rests.
    resting: Option<Py<PyAny>>,
    task: Option<Py<PyAny>>,
    /// Whether the task was told that nobody takes what comes.
    cancelled: bool,
    /// The request and whether it is debugged, once the answer is out.
    opened: Option<(Py<crate::objects::request::HttpRequest>, bool)>,
}

impl Channel {
    /// The client takes more.
    fn ask(&self, py: Python<'_>, pull: Pull) -> PyResult<()> {
        let mut state = self.lock();
        let old = state.asked.replace(pull.reply);
        let resting = state.resting.take();
        drop(state);
        drop(old);
        if let Some(future) = resting {
            let future = future.bind(py);
            if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
                future.call_method1(intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }

    /// The client has left.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.lock();
        state.cancelled = true;
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }

    /// Sends the head, with the first chunk if there is one.
    fn open(
        &self,
        py: Python<'_>,
        pending: Pending,
        head: Option<Head>,
        first: Option<Bytes>,
    ) -> PyResult<()> {
        let head = head.map_or_else(|| Head::of(pending.request.bind(py)), Ok);
        let method = &pending.call.request.method;
        let announced = head.and_then(|head| Ok((head.announced(first.is_some(), method)?, head)));
        let (announced, head) = match announced {
            Ok(opened) => opened,
            Err(error) => {
                // Nobody will ask the iterator for more.
                self.cancel(py)?;
                return self.dispatcher.fail(py, pending, error);
            }
        };
        // From here on the body tells of the client's leaving.
        drop(self.dispatcher.take(self.call));
        let Pending { call, request, .. } = pending;
        let body = match first {
            None => Body::Empty,
            Some(first) => {
                let subject = InWords(&call.request).to_string().into();
                let host = call.request.scope.name.clone();
                let first = Some(first).filter(|first| !first.is_empty());
                let desk = self.dispatcher.desk.clone();
                let body = PulledBody::new(desk, Side::Loop, self.stream, subject, host, first);
                body.of_length(announced)
            }
        };
        self.lock().opened = Some((request, call.request.scope.options.debug));
        call.reply.send(Ok(Answer::Reply(head.with_stream(body))));
        Ok(())
    }

    /// Says by the task's result how the stream ends.
    fn conclude(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = task.py();
        let state = std::mem::take(&mut *self.lock());
        drop(self.dispatcher.take(self.call));
        drop(self.dispatcher.take(self.stream));
        let result = task.call_method0(intern!(py, "result"));
        match (state.opening, result) {
            (Some((pending, _)), Err(_)) if pending.call.reply.is_closed() => Ok(()),
            (Some((pending, head)), Ok(_)) => self.open(py, pending, head, None),
            (Some((pending, _)), Err(error)) => self.dispatcher.fail(py, pending, error),
            (None, result) => {
                // Nobody asks any more: the client has left, and this is cancelled.
                let asked = state.asked.filter(|reply| !reply.is_closed());
                if asked.is_none() && !self.dispatcher.desk.loop_queue.is_closed() {
                    tracing::debug!("{}: the client has left the stream", self.subject);
                }
                let failed = match result {
                    Ok(_) => None,
                    Err(error) if asked.is_none() && is_cancelled(py, &error)? => None,
                    // Of what goes wrong while it cleans up the program wants to hear.
                    Err(error) => Some(error),
                };
                if let (Some(error), Some((request, debug))) = (&failed, &state.opened) {
                    self.dispatcher.failed(request.bind(py), error, &self.what, *debug);
                }
                if let Some(reply) = asked {
                    reply.send(if failed.is_none() { Piece::End } else { Piece::Fault });
                }
                Ok(())
            }
        }
    }

    /// Whether nobody takes what comes: the client has left or the server is closed. Until
    /// the answer is out the call's own ticket tells, and the task is cancelled by that.
    fn is_cancelled(&self, state: &ChannelState) -> bool {
        state.cancelled
            || state.opening.as_ref().is_some_and(|(pending, _)| pending.call.reply.is_closed())
            || self.dispatcher.desk.loop_queue.is_closed()
    }

    fn lock(&self) -> MutexGuard<'_, ChannelState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Channel {
    /// Hands a chunk over, unless the stream has been cancelled; whether it was not.
    /// `asked` is done once the client takes more.
    fn give(&self, chunk: &Bound<'_, PyAny>, asked: Py<PyAny>) -> PyResult<bool> {
        let py = chunk.py();
        let chunk = response::read_chunk(chunk, &self.what)?;
        let mut state = self.lock();
        if self.is_cancelled(&state) {
            return Ok(false);
        }
        let opening = state.opening.take();
        let waiting = state.asked.take();
        let old = state.resting.replace(asked);
        drop(state);
        drop(old);
        match (opening, waiting) {
            (Some((pending, head)), _) => self.open(py, pending, head, Some(chunk))?,
            // A client that has left gives its ticket back, which cancels this.
            (None, Some(reply)) => reply.send(Piece::Chunk(chunk)),
            (None, None) => {}
        }
        Ok(true)
    }

    /// Called when the task is done: the iterator has ended, raised, or was
    /// cancelled.
    fn finish(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        contain(|| &self.what, || self.conclude(task)).unwrap_or(Ok(()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        if let Some((pending, _)) = &state.opening {
            visit.call(&pending.request)?;
        }
        if let Some((request, _)) = &state.opened {
            visit.call(request)?;
        }
        visit.call(&state.resting)?;
        visit.call(&state.task)
    }
}
