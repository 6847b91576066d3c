//! What programs have to do with connections: the jobs about them, upgrades, and
//! what a program says of a server as a whole. Which functions there are, and
//! which identity belongs to which connection, `slimHTTP._net._connections` knows.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Response};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyBytes;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use slimhttp_server::body::Body;
use slimhttp_server::handler::{Answer, Wants};
use slimhttp_site::access::Networks;
use slimhttp_site::instance::Instance;
use slimhttp_site::raw_reply;

use crate::convert::errors;
use crate::dispatcher::Dispatcher;
use crate::face::Face;
use crate::handlers::Handler;
use crate::request::HttpRequest;
use crate::server::Server;
use crate::socket::Socket;
use slimhttp_bridge::bridge::Side;
use slimhttp_bridge::connection::{Guest, HookJob, PipeEnd};
use slimhttp_bridge::job::Call;

/// Does what is asked about a connection.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that a hook raises.
pub(crate) fn run(dispatcher: &Dispatcher, py: Python<'_>, hook: HookJob) -> PyResult<()> {
    let face = &dispatcher.face;
    let what = hook.subject();
    let context = match face.contexts.copy(py) {
        Ok(context) => context,
        Err(no_memory) => {
            no_memory.write_unraisable(py, None);
            return Ok(());
        }
    };
    match hook {
        HookJob::Judge(guest, reply) => {
            let asked = socket(py, &guest).and_then(|socket| {
                let arguments = (guest.ticket.0, socket);
                face.hook(&context, intern!(py, "accept"), arguments)?.is_truthy()
            });
            let verdict = contained(face, &context, &what, asked)?;
            // A connection that has ended meanwhile does not hear it.
            let _ = reply.send(verdict.unwrap_or(false));
        }
        HookJob::Data(guest) => {
            let told = guest.pipe.told();
            let arguments = (guest.ticket.0, told.finished);
            let looked = face.hook(&context, intern!(py, "data"), arguments);
            if contained(face, &context, &what, looked)?.is_none() {
                // What its identity does not understand nobody else will.
                guest.pipe.close();
            }
            if guest.pipe.looked(told) {
                guest.tell();
            }
        }
        HookJob::Left(guest) => {
            guest.desk().ends.remove();
            // First: whoever notes an identity looks behind that whether it comes too late.
            guest.is_told.store(true, Ordering::SeqCst);
            let told = socket(py, &guest).and_then(|socket| {
                face.hook(&context, intern!(py, "left"), (guest.ticket.0, socket))
            });
            contained(face, &context, &what, told)?;
        }
    }
    Ok(())
}

/// What a hook gave; `None` where it raised, which is told to the log. An
/// `HTTPError` says no, and is no failure.
fn contained<R>(
    face: &Face,
    context: &Bound<'_, PyAny>,
    what: &str,
    outcome: PyResult<R>,
) -> PyResult<Option<R>> {
    let py = context.py();
    match outcome {
        Ok(given) => Ok(Some(given)),
        Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
        Err(error) if errors::is_http_error(py, &error) => {
            tracing::debug!("{what} says {error}");
            Ok(None)
        }
        Err(error) => {
            face.failed(&error, context, py.None().bind(py), what, false);
            Ok(None)
        }
    }
}

fn socket<'py>(py: Python<'py>, guest: &Arc<Guest>) -> PyResult<Bound<'py, Socket>> {
    Bound::new(py, Socket::new(guest.clone()))
}

/// Asks the program whether it takes an upgrade. Gives a [`Switch`] where it
/// does, None where it does not, else an answer as a handler's.
///
/// # Errors
/// Whatever the program raises, and `UpgradeIssue` where it takes the upgrade and
/// does not say so to the client.
pub(crate) fn upgrade<'py>(
    face: &Face,
    call: &Call,
    context: &Bound<'py, PyAny>,
    request: &Bound<'py, HttpRequest>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = request.py();
    let Some(guest) = Guest::of(call.request.guest.as_ref()) else {
        return Ok(py.None().into_bound(py));
    };
    guest.pipe.begin_answer();
    let socket = socket(py, &guest)?;
    let asked = face.hook(context, intern!(py, "upgrade"), (guest.ticket.0, &socket, request));
    let written = guest.pipe.take_answer();
    let identity = asked?;
    if written.is_empty() {
        return Ok(identity);
    }
    let switch = raw_reply::parse_switch(&written).map_err(PyValueError::new_err)?;
    let Some(head) = switch else {
        // Another answer, written and not returned: no.
        let written = PyBytes::new(py, &written);
        return match raw_reply::looks_raw(written.as_bytes()) {
            true => face.raw_type.bind(py).call1((written,)),
            false => Ok(written.into_any()),
        };
    };
    face.hook(context, intern!(py, "upgraded"), (guest.ticket.0, socket, &identity))?;
    guest.pipe.open(Bytes::copy_from_slice(&written[head.body_start..]));
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    let answer = Answer::Switch(response, Box::new(PipeEnd(guest)));
    Ok(Bound::new(py, Switch(Mutex::new(Some(answer))))?.into_any())
}

/// The result of `on_upgrade` where the connection is the program's now.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Switch(Mutex<Option<Answer>>);

impl Switch {
    /// The answer, once.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a program says of connections and of the server as a whole.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Hooks(pub(crate) Py<Server>);

impl Hooks {
    /// One change of what the program says of the server.
    fn say(&self, py: Python<'_>, change: impl FnOnce(&mut Instance) + Send) -> PyResult<()> {
        self.0.get().update(py, move |draft| {
            change(Arc::make_mut(&mut draft.routes.instance));
            Ok(())
        })
    }
}

#[pymethods]
impl Hooks {
    /// Which hooks there are.
    fn want(&self, connections: bool, verdicts: bool, upgrades: bool) {
        self.0.get().dispatcher.desk.wishes.set(Wants { connections, verdicts, upgrades });
    }

    /// Lets only these addresses and networks connect; None: everybody. ConfError
    /// that names what is neither.
    fn allow(&self, py: Python<'_>, networks: Option<Vec<String>>) -> PyResult<()> {
        let allowed = match &networks {
            None => None,
            Some(networks) => {
                let parsed = Networks::parse(networks.iter().map(String::as_str));
                Some(parsed.map_err(|wrong| {
                    let message = format!(
                        "allow[{wrong}]: expected an address or a network such as `10.0.0.0/8`, \
                         found `{}`",
                        networks[wrong]
                    );
                    errors::conf_error_saying(py, message)
                })?)
            }
        };
        self.say(py, move |instance| instance.allowed = allowed)
    }

    /// Lets `handler` answer `method` where no route, module or proxy does; None:
    /// every method that nobody answers.
    fn set_method(
        &self,
        py: Python<'_>,
        method: Option<&str>,
        handler: Py<PyAny>,
        is_async: bool,
        name: &str,
    ) -> PyResult<()> {
        let server = self.0.get();
        let side = if is_async { Side::Loop } else { Side::Thread };
        let label = format!("the answer to {} (`{name}`)", method.unwrap_or("any method")).into();
        let method = method.map(read_method).transpose()?;
        let handlers = &server.dispatcher.handlers;
        let id = handlers.method(
            method.clone(),
            side,
            Handler { callable: handler, label, passed: None },
        );
        if is_async && server.started.load(Ordering::Acquire) {
            server.dispatcher.face.ensure_loop(py)?;
        }
        if server.snapshot().site.instance.methods.get(method.as_ref()) == Some(id) {
            return Ok(());
        }
        self.say(py, move |instance| _ = instance.methods.set(method, id))
    }

    /// Leaves a method to the server again.
    fn remove_method(&self, py: Python<'_>, method: Option<&str>) -> PyResult<()> {
        let method = method.map(read_method).transpose()?;
        self.say(py, move |instance| _ = instance.methods.remove(method.as_ref()))
    }

    /// Lets requests of this path be logged in detail, or no more.
    fn debug(&self, py: Python<'_>, path: &str, on: bool) -> PyResult<()> {
        self.say(py, move |instance| {
            if on {
                instance.debugged.insert(path.into());
            } else {
                instance.debugged.remove(path);
            }
        })
    }

    /// Whether requests of this path are logged in detail.
    fn is_debugged(&self, path: &str) -> bool {
        self.0.get().snapshot().site.instance.is_debugged(path.as_bytes())
    }

    /// A handler may hold its instance, and that one this.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }

    /// Gives what Python knows by this number its place among the events.
    fn note_event(&self, number: u64) {
        self.0.get().core.note_event(number);
    }

    /// Serves a connection that the program has accepted; whether it is served.
    /// `give` is called with a descriptor of which it is the owner, a UNIX socket,
    /// and sends the connection's over it (`SCM_RIGHTS`): so it comes as ours, and
    /// not as a number that anybody may close.
    fn adopt(&self, py: Python<'_>, give: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (ours, theirs) = UnixStream::pair()?;
        give.call1((theirs.into_raw_fd(),))?;
        let socket = received(&ours)?;
        Ok(py.detach(|| self.0.get().core.adopt(socket))?)
    }
}

/// The connection that somebody has sent over `channel`.
fn received(channel: &UnixStream) -> PyResult<TcpStream> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    recvmsg(channel, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)
        .map_err(std::io::Error::from)?;
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let missing = || PyValueError::new_err("expected a connected socket");
    Ok(TcpStream::from(descriptor.ok_or_else(missing)?))
}

fn read_method(name: &str) -> PyResult<Method> {
    Method::from_bytes(name.as_bytes()).map_err(|_| {
        PyValueError::new_err(format!("expected a method such as `GET`, found {name:?}"))
    })
}
