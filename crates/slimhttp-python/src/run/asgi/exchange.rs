//! One request of an application: what its `receive` and `send` are the methods of, and how it is
//! answered in the end. The state is behind a lock, under which no Python runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::ThreadId;

use parking_lot::Mutex;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::completion;
use slimhttp_bridge::job::{Call, InWords};
use slimhttp_bridge::job_id::JobId;
use slimhttp_bridge::loop_queue::LoopJob;
use slimhttp_bridge::submission::{self, Submission};
use slimhttp_server::{DebugPage, HandlerFault, Request};
use slimhttp_site::route::Params;
use slimhttp_site::websocket::Handshake;

use crate::convert::asyncio::{interrupt, is_cancelled};
use crate::convert::errors::ContentError;
use crate::objects::request::HttpRequest;
use crate::run::applications::Hosted;
use crate::run::asgi::awaiting::{self, Awaited, Awaiting};
use crate::run::asgi::http::Http;
use crate::run::asgi::message::{self, out_of_place};
use crate::run::asgi::response::{NotSent, Sent};
use crate::run::asgi::waiters::Waiters;
use crate::run::asgi::websocket::{Asked, WebSocket};
use crate::run::dispatcher::Dispatcher;

/// An exchange; a program sees it as the `__self__` of its `receive` and `send`.
#[pyclass(frozen, module = "slimHTTP._slimhttp", name = "AsgiExchange")]
pub(crate) struct Exchange {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) hosted: Arc<Hosted>,
    pub(super) request: Arc<Request>,
    /// Under which it is kept.
    pub(super) id: JobId,
    pub(super) waiters: Waiters,
    protocol: Protocol,
    is_concluded: AtomicBool,
    /// The event loop's thread.
    thread: ThreadId,
    /// How many `receive` and `send` in succession have waited for nothing.
    at_once: AtomicU32,
}

/// How many `receive` and `send` of one application in succession wait for nothing. One that has a
/// client as fast as itself would keep the event loop to itself otherwise.
const MOST_AT_ONCE: u32 = 32;

enum Protocol {
    Http(Mutex<Http>),
    WebSocket(Mutex<WebSocket>),
}

/// What an application that has ended has left behind.
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// A call that nobody has answered.
    Call(Box<Call>),
    /// A response, or a WebSocket, that has not ended well.
    Unfinished(&'static str),
    /// A client that had left; whether the application was told.
    Gone { was_told: bool },
    /// A response of which nobody takes the rest, as the application was told.
    Unwanted,
}

impl Exchange {
    /// That of a call.
    pub(super) fn new(
        dispatcher: Arc<Dispatcher>,
        hosted: Arc<Hosted>,
        call: Call,
        handshake: Option<Box<Handshake>>,
    ) -> Self {
        let (request, id) = (call.request.clone(), call.id);
        let protocol = match handshake {
            None => Protocol::Http(Mutex::new(Http::new(call))),
            Some(handshake) => Protocol::WebSocket(Mutex::new(WebSocket::new(call, *handshake))),
        };
        Self {
            dispatcher,
            hosted,
            request,
            id,
            waiters: Waiters::default(),
            protocol,
            is_concluded: AtomicBool::new(false),
            thread: std::thread::current().id(),
            at_once: AtomicU32::new(0),
        }
    }

    /// Whether this is the thread of its event loop.
    pub(super) fn is_on_loop(&self) -> bool {
        std::thread::current().id() == self.thread
    }

    /// The application has let others run.
    pub(super) fn begins_turn(&self) {
        self.at_once.store(0, Ordering::Relaxed);
    }

    /// Whether others are to run before the next `receive` or `send`; it counts this one.
    pub(super) fn is_turn_due(&self) -> bool {
        let is_due = self.at_once.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_AT_ONCE;
        if is_due {
            self.begins_turn();
        }
        is_due
    }

    /// What is called on an I/O thread when those who wait shall look again.
    pub(super) fn waker(&self) -> impl Fn() + Send + Sync + use<> {
        let (bridge, id) = (self.dispatcher.bridge.clone(), self.id);
        move || submission::submit(&bridge, |_| (Submission::LoopJob(LoopJob::Wake(id)), ()))
    }

    /// Whether its application has ended.
    pub(crate) fn is_concluded(&self) -> bool {
        self.is_concluded.load(Ordering::Relaxed)
    }

    /// Whether the call goes back, as its application is to be called: others that came with it
    /// have been answered, and their connection has no more room.
    pub(super) fn goes_back(&self) -> bool {
        if self.request.connection.has_room() {
            return false;
        }
        let call = match &self.protocol {
            Protocol::Http(http) => http.lock().response.take_call(),
            Protocol::WebSocket(websocket) => websocket.lock().response.take_call(),
        };
        self.is_concluded.store(true, Ordering::Relaxed);
        drop(self.dispatcher.retained.take(self.id));
        if let Some(call) = call {
            call.reply.send(Err(HandlerFault::NoRoom));
        }
        true
    }

    /// What is awaited, if it is there; `is_first` says that the wait begins.
    ///
    /// # Errors
    /// What the application is told by an exception.
    pub(super) fn poll<'py>(
        &self,
        py: Python<'py>,
        awaited: &Awaited,
        is_first: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let outcome = match (&self.protocol, awaited) {
            (_, Awaited::Turn) => Ok(true),
            (Protocol::Http(http), Awaited::Receive) => {
                let received = http.lock().poll_receive(self, is_first);
                return received.map(|received| received.into_message(py)).transpose();
            }
            (Protocol::WebSocket(websocket), Awaited::Receive) => {
                let received = websocket.lock().poll_receive();
                return received.map(|received| received.into_message(py)).transpose();
            }
            (Protocol::Http(http), _) => http.lock().response.has_room().map_err(NotSent::from),
            (Protocol::WebSocket(websocket), Awaited::WebSocketSend(message)) => {
                websocket.lock().send_message(message.clone()).map(|sent| sent == Sent::Ready)
            }
            (Protocol::WebSocket(websocket), _) => {
                websocket.lock().response.has_room().map_err(NotSent::from)
            }
        };
        match outcome {
            Ok(true) => Ok(Some(py.None().into_bound(py))),
            Ok(false) => Ok(None),
            Err(not_sent) => Err(self.raised(py, not_sent)),
        }
    }

    /// What `send` raises.
    fn raised(&self, py: Python<'_>, not_sent: NotSent) -> PyErr {
        let why = match not_sent {
            NotSent::Wrong(error) => return error,
            NotSent::Gone => "the client has left",
            NotSent::Unwanted => "the client has all that it gets of the response",
        };
        match &self.protocol {
            Protocol::Http(http) => http.lock().was_told = true,
            Protocol::WebSocket(websocket) => websocket.lock().was_told = true,
        }
        ContentError::Disconnected.raised(py, why.to_owned())
    }

    /// Lets those go on who wait, on whatever thread this is.
    fn wake(&self, py: Python<'_>) -> PyResult<()> {
        // On another thread, whether somebody waits is not known: who has just looked may be about
        // to.
        if self.is_on_loop() {
            return self.waiters.wake(py);
        }
        // A closed queue has cancelled everything already.
        let _ = self.dispatcher.bridge.hand_to_loop(LoopJob::Wake(self.id));
        Ok(())
    }

    /// Answers by what the application has come to, where it has not done so.
    ///
    /// # Errors
    /// What its task is to know: that it was cancelled. Of Ctrl-C the loop is told by itself.
    pub(super) fn conclude(&self, py: Python<'_>, result: PyResult<()>) -> PyResult<()> {
        let rest = self.end(result.is_err());
        self.wake(py)?;
        let error = match result {
            Ok(()) => {
                self.returned(rest);
                return Ok(());
            }
            Err(error) => error,
        };
        let is_interrupt = error.is_instance_of::<PyKeyboardInterrupt>(py);
        let is_passed_on = is_cancelled(py, &error)?;
        let page = match &rest {
            _ if is_interrupt => None,
            Rest::Gone { was_told: true } => {
                tracing::info!(
                    "{}: {} ended behind its client, which had left: {error}",
                    InWords(&self.request),
                    self.hosted.label
                );
                None
            }
            Rest::Unwanted => {
                tracing::debug!(
                    "{}: {} ended behind its response, which took no more: {error}",
                    InWords(&self.request),
                    self.hosted.label
                );
                None
            }
            _ => self.failed(py, &error),
        };
        if let Rest::Call(call) = rest {
            call.reply.send(Err(HandlerFault::Raised { page }));
        }
        if is_interrupt {
            // A task that ends by it would tell of it once more when it is dropped.
            return interrupt(py);
        }
        if is_passed_on { Err(error) } else { Ok(()) }
    }

    /// The same, where a panic of ours has ended it, of which the log tells.
    pub(super) fn give_up(&self) {
        if let Rest::Call(call) = self.end(true) {
            call.reply.send(Err(HandlerFault::Raised { page: None }));
        }
    }

    fn end(&self, has_failed: bool) -> Rest {
        self.is_concluded.store(true, Ordering::Relaxed);
        drop(self.dispatcher.retained.take(self.id));
        match &self.protocol {
            Protocol::Http(http) => http.lock().end(),
            Protocol::WebSocket(websocket) => websocket.lock().end(has_failed),
        }
    }

    fn returned(&self, rest: Rest) {
        let what = match rest {
            Rest::Nothing | Rest::Unwanted | Rest::Gone { .. } => return,
            Rest::Unfinished(what) => what,
            Rest::Call(call) => {
                call.reply.send(Err(HandlerFault::Raised { page: None }));
                "without an answer"
            }
        };
        tracing::error!("{}: {} returned {what}", InWords(&self.request), self.hosted.label);
    }

    /// Logs an exception, once; the debug page, if there is to be one.
    fn failed(&self, py: Python<'_>, error: &PyErr) -> Option<DebugPage> {
        let callbacks = &self.dispatcher.callbacks;
        let request = HttpRequest::new(callbacks.clone(), self.request.clone(), Params::default());
        let told = Bound::new(py, request).and_then(|request| {
            let context = callbacks.contexts.copy(py)?;
            let debug = self.request.scope.options.debug;
            Ok(callbacks.failed(error, &context, request.as_any(), &self.hosted.label, debug))
        });
        told.unwrap_or_else(|no_memory| {
            no_memory.write_unraisable(py, None);
            None
        })
    }
}

#[pymethods]
impl Exchange {
    /// Gives the next message, when it is awaited.
    fn receive<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Awaiting>> {
        Bound::new(slf.py(), Awaiting::new(slf, Awaited::Receive))
    }

    /// Sends a message, at once; what it gives is awaited until there is room for another one.
    fn send<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, exchange) = (slf.py(), slf.get());
        let (message, kind) = message::open(message)?;
        let awaited = match &exchange.protocol {
            Protocol::Http(http) => {
                let Some(event) = message::response_event(message, &kind)? else {
                    return Err(out_of_place(&kind.to_cow()?, "a response has none of this type"));
                };
                let mut http = http.lock();
                let sent = http.response.send(event, exchange);
                let is_answered = http.response.is_answered();
                drop(http);
                if is_answered {
                    exchange.wake(py)?;
                }
                sent.map(Sent::awaited)
            }
            Protocol::WebSocket(websocket) => {
                let asked = Asked::read(message, &kind)?;
                let changes = asked.changes_what_comes();
                let sent = websocket.lock().send(asked, exchange);
                if changes {
                    exchange.wake(py)?;
                }
                sent
            }
        };
        if completion::holds_completions() {
            // The application may run for long before it waits.
            exchange.dispatcher.bridge.arm_watchdog();
        }
        match awaited {
            Ok(None) if exchange.is_turn_due() => {
                Ok(Bound::new(py, Awaiting::new(slf, Awaited::Turn))?.into_any())
            }
            Ok(None) => awaiting::done(py),
            Ok(Some(awaited)) => Ok(Bound::new(py, Awaiting::new(slf, awaited))?.into_any()),
            Err(not_sent) => Err(exchange.raised(py, not_sent)),
        }
    }

    fn __repr__(&self) -> String {
        format!("<AsgiExchange {}>", InWords(&self.request))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.waiters.traverse(&visit)
    }
}
