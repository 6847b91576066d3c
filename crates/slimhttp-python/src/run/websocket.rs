//! The handler of a WebSocket: begun on a thread of its own, from a thread in `turn()`, or as a
//! task of the event loop, on its thread; and what happens when it ends. What the handler holds is
//! in `websocket_end`. The connection is the server's: a client that leaves closes it, and the
//! handler notices with its next call; a task is cancelled.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::job::Call;
use slimhttp_bridge::job_id::JobId;
use slimhttp_bridge::loop_queue::LoopJob;
use slimhttp_bridge::pending_handshake::PendingHandshake;
use slimhttp_bridge::side::Side;
use slimhttp_bridge::submission::{self, Submission};
use slimhttp_server::HandlerFault;
use slimhttp_server::websocket::{
    self, HandlerGuard, INTERNAL, NORMAL, PendingWebSocket, WebSocket,
};
use slimhttp_site::refusal::Refusal;

use crate::convert::asyncio::{pump_module, running_loop};
use crate::convert::errors;
use crate::objects::request::HttpRequest;
use crate::objects::websocket_end::WebSocketEnd;
use crate::objects::websocket_route::WebSocketRoute;
use crate::process::catch_panic::catch_panic;
use crate::run::dispatcher::Dispatcher;
use crate::run::http_error;
use crate::run::retained::{PendingCall, Retained};
use crate::run::websocket_threads::ThreadPermit;

/// Opens a WebSocket for a call that was asked on a thread in `turn()`: its
/// handler goes to a thread of its own, or to the event loop.
///
/// # Errors
/// As [`Dispatcher::fail`].
pub(crate) fn open_on_thread(
    dispatcher: &Dispatcher,
    py: Python<'_>,
    pending: PendingCall,
    route: &Bound<'_, WebSocketRoute>,
) -> PyResult<()> {
    if route.get().is_async {
        let route = route.clone().unbind();
        return dispatcher
            .hand_to_loop(py, pending, |pending| Retained::UnopenedWebSocket(route, pending));
    }
    let handshake = match route.get().handshake(&pending.call) {
        Ok(handshake) => handshake,
        Err(refusal) => return refuse(pending, refusal, None),
    };
    let Some(permit) = dispatcher.websocket_threads.take() else {
        let why = "every thread for WebSockets is taken: see `max_websocket_threads`";
        return refuse(pending, Refusal::Unavailable, Some(why));
    };
    let limits = pending.call.request.scope.options.websocket.clone();
    let pending_handshake = PendingHandshake::new();
    // A thread waits by itself.
    let (socket, guard, pending_websocket) = websocket::open(handshake, limits, || {});
    let begun =
        python_websocket(dispatcher, py, Side::Thread, &socket, &pending_handshake, &pending)
            .and_then(|websocket| Ok((websocket, pending.request.get().context(py)?)));
    let (websocket, context) = match begun {
        Ok(begun) => begun,
        Err(error) => return dispatcher.fail(py, pending, error),
    };
    let PendingCall { call, request, what } = pending;
    let service = Service {
        handler: route.get().handler.clone_ref(py),
        websocket: websocket.unbind(),
        end: HandlerEnd {
            socket,
            guard,
            pending_handshake,
            request,
            what,
            debug: call.request.scope.options.debug,
        },
        _permit: permit,
    };
    start_thread(dispatcher, &context, call, service, pending_websocket);
    Ok(())
}

/// Starts the thread that serves a WebSocket; where the system has none left, the call is refused.
fn start_thread(
    dispatcher: &Dispatcher,
    context: &Bound<'_, PyAny>,
    call: Call,
    service: Service,
    pending_websocket: PendingWebSocket,
) {
    let py = context.py();
    let (what, pending_handshake) =
        (service.end.what.clone(), service.end.pending_handshake.clone());
    let service =
        ServiceThread { callbacks: dispatcher.callbacks.clone(), work: Mutex::new(Some(service)) };
    let name = format!("slimHTTP WebSocket of {what}");
    let started = Bound::new(py, service)
        .and_then(|service| dispatcher.callbacks.start_thread(context, service.as_any(), &name));
    match started {
        Ok(()) => {
            pending_handshake.attach(call.reply, pending_websocket);
            dispatcher.bridge.watch_handshake(&pending_handshake);
        }
        Err(error) => {
            tracing::error!("{what}: no thread for a WebSocket: {error}");
            call.reply.send(Err(HandlerFault::Refused(Refusal::Unavailable, None)));
        }
    }
}

/// Opens a WebSocket whose handler is a task of the event loop; called on its
/// thread.
///
/// # Errors
/// As [`Dispatcher::fail`].
pub(crate) fn open_on_loop(
    dispatcher: &Arc<Dispatcher>,
    py: Python<'_>,
    pending: PendingCall,
    route: &Bound<'_, WebSocketRoute>,
) -> PyResult<()> {
    let handshake = match route.get().handshake(&pending.call) {
        Ok(handshake) => handshake,
        Err(refusal) => return refuse(pending, refusal, None),
    };
    let id = dispatcher.bridge.next_id();
    let bridge = dispatcher.bridge.clone();
    let on_change =
        move || submission::submit(&bridge, |_| (Submission::LoopJob(LoopJob::Wake(id)), ()));
    let limits = pending.call.request.scope.options.websocket.clone();
    let (socket, guard, pending_websocket) = websocket::open(handshake, limits, on_change);
    let pending_handshake = PendingHandshake::new();
    let begun = python_websocket(dispatcher, py, Side::Loop, &socket, &pending_handshake, &pending)
        .and_then(|websocket| {
            let contexts = &dispatcher.callbacks.contexts;
            let context = pending.request.get().context(py)?;
            let coroutine = contexts.run(py, (&context, &route.get().handler, &websocket))?;
            let coroutine = match dispatcher.callbacks.is_coroutine(&coroutine)? {
                true => coroutine,
                false => pump_module(py)?.call_method1(intern!(py, "finish"), (coroutine,))?,
            };
            // It begins once it is kept below.
            let create_task = running_loop(py)?.getattr(intern!(py, "create_task"))?;
            Ok((websocket, contexts.run(py, (context, create_task, coroutine))?))
        });
    let (websocket, task) = match begun {
        Ok(begun) => begun,
        Err(error) => return dispatcher.fail(py, pending, error),
    };
    let PendingCall { call, request, what } = pending;
    dispatcher.retained.keep(id, Retained::WebSocket(websocket.unbind(), task.clone().unbind()));
    let debug = call.request.scope.options.debug;
    let end = HandlerEnd {
        socket,
        guard,
        pending_handshake: pending_handshake.clone(),
        request,
        what,
        debug,
    };
    let end = Mutex::new(Some(end));
    let on_done = TaskDone { dispatcher: dispatcher.clone(), id, end };
    task.call_method1(intern!(py, "add_done_callback"), (on_done,))?;
    pending_handshake.attach(call.reply, pending_websocket);
    dispatcher.bridge.watch_handshake(&pending_handshake);
    Ok(())
}

/// Wakes who waits for a WebSocket of the event loop: something has changed.
///
/// # Errors
/// What keeps Python from going on at all.
pub(crate) fn wake(dispatcher: &Dispatcher, py: Python<'_>, id: JobId) -> PyResult<()> {
    match dispatcher.retained.websocket(py, id) {
        Some(websocket) => websocket.call_method0(py, intern!(py, "_wake")).map(drop),
        // Its handler has ended.
        None => Ok(()),
    }
}

fn refuse(pending: PendingCall, refusal: Refusal, why: Option<&'static str>) -> PyResult<()> {
    pending.call.reply.send(Err(HandlerFault::Refused(refusal, why.map(Into::into))));
    Ok(())
}

fn python_websocket<'py>(
    dispatcher: &Dispatcher,
    py: Python<'py>,
    side: Side,
    socket: &WebSocket,
    pending_handshake: &Arc<PendingHandshake>,
    pending: &PendingCall,
) -> PyResult<Bound<'py, PyAny>> {
    let end = Bound::new(py, WebSocketEnd::new(socket.clone(), pending_handshake.clone()))?;
    dispatcher.callbacks.websocket(side, end, pending.request.bind(py).as_any())
}

/// What is needed to end a WebSocket as its handler has ended.
struct HandlerEnd {
    socket: WebSocket,
    guard: HandlerGuard,
    pending_handshake: Arc<PendingHandshake>,
    request: Py<HttpRequest>,
    what: Arc<str>,
    debug: bool,
}

impl HandlerEnd {
    /// Closes with 1000 after a handler that has returned, with 1011 after one that
    /// has raised, which is logged. An `HTTPError` is no failure: it answers the
    /// handshake, or closes what is open by then.
    fn conclude(
        self,
        py: Python<'_>,
        callbacks: &crate::objects::callbacks::PyCallbacks,
        result: PyResult<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let mut error = match result {
            Ok(_) => {
                self.pending_handshake.accept();
                self.guard.finish(NORMAL);
                return Ok(());
            }
            Err(error) => error,
        };
        if errors::is_http_error(py, &error) {
            tracing::debug!("{} says {error}", self.what);
            match http_error::outcome(callbacks, py, &error) {
                Ok(outcome) => {
                    self.pending_handshake.refuse(outcome);
                    self.guard.finish(http_error::close_code(py, &error));
                    return Ok(());
                }
                Err(wrong) => error = wrong,
            }
        }
        self.pending_handshake.accept();
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            self.guard.finish(INTERNAL);
            return Err(error);
        }
        // That a client has left is no failure of who sends to it.
        let has_left = self.socket.is_closed() && errors::is_websocket_closed(py, &error);
        if !has_left {
            let context = self.request.get().context(py)?;
            let request = self.request.bind(py).as_any();
            callbacks.failed(&error, &context, request, &self.what, self.debug);
        }
        self.guard.finish(INTERNAL);
        Ok(())
    }
}

/// Called when the task that serves a WebSocket is done.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
struct TaskDone {
    dispatcher: Arc<Dispatcher>,
    id: JobId,
    end: Mutex<Option<HandlerEnd>>,
}

#[pymethods]
impl TaskDone {
    fn __call__(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = task.py();
        let end = self.end.lock().take();
        drop(self.dispatcher.retained.take(self.id));
        let Some(end) = end else { return Ok(()) };
        let what = end.what.clone();
        let conclude = || {
            let result = task.call_method0(intern!(py, "result"));
            end.conclude(py, &self.dispatcher.callbacks, result)
        };
        catch_panic(|| what, conclude).unwrap_or(Ok(()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.end.try_lock().as_deref() {
            Some(Some(end)) => visit.call(&end.request),
            _ => Ok(()),
        }
    }
}

/// What a thread does that serves a WebSocket.
struct Service {
    handler: Py<PyAny>,
    websocket: Py<PyAny>,
    end: HandlerEnd,
    _permit: ThreadPermit,
}

/// The same, called once, on that thread.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
struct ServiceThread {
    callbacks: Arc<crate::objects::callbacks::PyCallbacks>,
    work: Mutex<Option<Service>>,
}

#[pymethods]
impl ServiceThread {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let work = self.work.lock().take();
        let Some(Service { handler, websocket, end, _permit }) = work else { return Ok(()) };
        let what = end.what.clone();
        let serve = || {
            let result = handler.bind(py).call1((&websocket,));
            if result.is_err() {
                // This thread's own context knows what the handler has set.
                end.request.get().follow_context(py)?;
            }
            end.conclude(py, &self.callbacks, result)
        };
        catch_panic(|| what, serve).unwrap_or(Ok(()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.work.try_lock().as_deref() {
            Some(Some(service)) => {
                visit.call(&service.handler)?;
                visit.call(&service.websocket)?;
                visit.call(&service.end.request)
            }
            _ => Ok(()),
        }
    }
}
