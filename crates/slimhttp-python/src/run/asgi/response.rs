//! The response that an application sends, message by message: to a request, or in the place of a
//! WebSocket. A response of one body goes out as one answer; one of more bodies as a stream, of
//! which a bounded part waits for the client.

use std::path::{Component, Path, PathBuf};

use ::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use ::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use bytes::Bytes;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use slimhttp_bridge::job::Call;
use slimhttp_bridge::pushed_body::{self, BodySender, Gone};
use slimhttp_bridge::sendfile_header;
use slimhttp_server::{Answer, Body, HandlerFault, Request};
use slimhttp_site::refusal::Refusal;

use crate::convert::fields::MAX_FIELDS;
use crate::objects::unwanted::Unwanted;
use crate::run::asgi::awaiting::Awaited;
use crate::run::asgi::exchange::Exchange;
use crate::run::asgi::message::{ResponseEvent, out_of_place};

/// What sending came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// There is room for more.
    Ready,
    /// The client has to take some first.
    Full,
    /// Nobody takes it, and no client holds the application up.
    PassedOver,
}

/// Why something was not sent.
pub(super) enum NotSent {
    /// The client has left.
    Gone,
    /// The response takes no more, and the application has not come to its end.
    Unwanted,
    /// It is wrong.
    Wrong(PyErr),
}

impl Sent {
    /// What is awaited before the next one is sent.
    pub(super) fn awaited(self) -> Option<Awaited> {
        match self {
            Self::Ready => None,
            Self::Full => Some(Awaited::Room),
            Self::PassedOver => Some(Awaited::Turn),
        }
    }
}

impl From<PyErr> for NotSent {
    fn from(error: PyErr) -> Self {
        Self::Wrong(error)
    }
}

impl From<Gone> for NotSent {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// How far a response was when its application has ended.
pub(super) enum End {
    /// Nothing was sent.
    Unanswered(Box<Call>),
    /// Its end is missing.
    BrokenOff,
    Complete,
    /// Nobody has taken it.
    Gone,
    /// It was answered, and nobody takes the rest.
    Unwanted,
}

/// The response of one call.
pub(super) struct Responder {
    stage: Stage,
    /// `None` once it is answered.
    call: Option<Call>,
    /// Whether it stands in the place of a WebSocket.
    is_denial: bool,
}

enum Stage {
    /// Nothing has come.
    Unstarted,
    /// Its head has, which goes with the first body.
    Started(Head),
    /// It streams; so many bytes of its length are left, if it has one.
    Streaming {
        sender: BodySender,
        left: Option<u64>,
        trailers: bool,
    },
    /// It is answered without content: the rest of the messages is passed over.
    Unwanted {
        rest: Unwanted,
        more: bool,
        trailers: bool,
    },
    /// Its content is complete, and trailers follow.
    Trailers {
        sender: BodySender,
        fields: HeaderMap,
    },
    Complete,
    /// Nobody takes it.
    Gone,
}

struct Head {
    status: StatusCode,
    fields: HeaderMap,
    /// The length that the fields announce.
    length: Option<u64>,
    trailers: bool,
}

impl Responder {
    /// Of a call that nothing has answered.
    pub(super) fn new(call: Call) -> Self {
        Self { stage: Stage::Unstarted, call: Some(call), is_denial: false }
    }

    /// Of one that asks for a WebSocket.
    pub(super) fn in_place_of_websocket(call: Call) -> Self {
        Self { is_denial: true, ..Self::new(call) }
    }

    /// Takes the call away, to be answered otherwise: nothing was sent, or [`End::Unanswered`]
    /// would have been the end.
    pub(super) fn take_call(&mut self) -> Option<Call> {
        self.stage = Stage::Gone;
        self.call.take()
    }

    /// Whether all of it was sent.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Complete)
    }

    /// Whether all is sent that the client gets.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Complete | Stage::Unwanted { .. })
    }

    /// The same, or that nobody takes it.
    pub(super) fn is_over(&self) -> bool {
        self.is_answered() || self.is_gone()
    }

    /// Whether nobody takes it any more.
    pub(super) fn is_gone(&self) -> bool {
        match &self.stage {
            Stage::Gone => true,
            Stage::Unstarted | Stage::Started(_) => {
                self.call.as_ref().is_none_or(|call| call.reply.is_closed())
            }
            Stage::Streaming { sender, .. } | Stage::Trailers { sender, .. } => sender.is_gone(),
            Stage::Unwanted { .. } | Stage::Complete => false,
        }
    }

    /// Whether there is room for more.
    pub(super) fn has_room(&self) -> Result<bool, Gone> {
        match &self.stage {
            Stage::Streaming { sender, .. } => sender.has_room(),
            _ => Ok(true),
        }
    }

    /// Nothing more is sent: the client's own doing is in the way.
    pub(super) fn refuse(&mut self, refusal: Refusal, why: String) {
        self.stage = Stage::Gone;
        if let Some(call) = self.call.take() {
            call.reply.send(Err(HandlerFault::Refused(refusal, Some(why.into()))));
        }
    }

    /// The application has ended.
    pub(super) fn end(&mut self) -> End {
        let is_gone = self.is_gone();
        match (std::mem::replace(&mut self.stage, Stage::Gone), self.call.take()) {
            (Stage::Complete, _) => {
                self.stage = Stage::Complete;
                End::Complete
            }
            (Stage::Unwanted { .. }, _) => End::Unwanted,
            _ if is_gone => End::Gone,
            (_, Some(call)) => End::Unanswered(Box::new(call)),
            (_, None) => End::BrokenOff,
        }
    }

    /// Sends what a message says.
    ///
    /// # Errors
    /// See [`NotSent`]. What is wrong changes nothing: the application may go on otherwise.
    pub(super) fn send(
        &mut self,
        event: ResponseEvent,
        exchange: &Exchange,
    ) -> Result<Sent, NotSent> {
        let name = event.name(self.is_denial);
        if self.is_complete() {
            return Err(out_of_place(name, "the response is complete").into());
        }
        if self.is_gone() {
            return Err(NotSent::Gone);
        }
        if matches!(self.stage, Stage::Unwanted { .. }) {
            return self.pass_over(&event);
        }
        let request = &*exchange.request;
        match (&mut self.stage, event) {
            (Stage::Unstarted, ResponseEvent::Start { status, fields, trailers }) => {
                let length = announced(&fields)?;
                self.stage = Stage::Started(Head { status, fields, length, trailers });
            }
            (Stage::Unstarted, ResponseEvent::EarlyHint(fields)) => {
                send_early_hint(request, fields)?;
            }
            (Stage::Unstarted, _) => {
                return Err(out_of_place(name, "the response has not started").into());
            }
            (Stage::Started(head), ResponseEvent::Body { chunk, more }) => {
                check_whole(head, request, &chunk, more)?;
                return Ok(self.begin(chunk, more, exchange));
            }
            (Stage::Started(_), ResponseEvent::File(path)) => {
                let path = below_a_root(request, path)?;
                self.send_file(path);
            }
            (Stage::Streaming { sender, left, .. }, ResponseEvent::Body { chunk, more }) => {
                *left = check_rest(*left, &chunk, more)?;
                let has_room = sender.push(chunk)?;
                if !more {
                    self.end_content();
                } else if !has_room {
                    return Ok(Sent::Full);
                }
            }
            (Stage::Trailers { fields, .. }, ResponseEvent::Trailers { fields: given, more }) => {
                add(fields, &given)?;
                if !more {
                    self.end_trailers();
                }
            }
            _ => return Err(out_of_place(name, "something else is to be sent").into()),
        }
        Ok(Sent::Ready)
    }

    /// Takes note of a message whose content nobody gets.
    fn pass_over(&mut self, event: &ResponseEvent) -> Result<Sent, NotSent> {
        let Stage::Unwanted { rest, more, trailers } = &mut self.stage else {
            unreachable!("it has been looked at");
        };
        let (size, goes_on) = match event {
            ResponseEvent::Body { chunk, more: goes_on } if *more => {
                *more = *goes_on;
                (chunk.len(), *goes_on || *trailers)
            }
            ResponseEvent::Trailers { more: goes_on, .. } if !*more => (0, *goes_on),
            event => {
                let name = event.name(self.is_denial);
                return Err(out_of_place(name, "something else is to be sent").into());
            }
        };
        if !goes_on {
            self.stage = Stage::Complete;
            return Ok(Sent::Ready);
        }
        if rest.passes_over(size) { Ok(Sent::PassedOver) } else { Err(NotSent::Unwanted) }
    }

    /// Sends the head with the first of its content.
    fn begin(&mut self, chunk: Bytes, more: bool, exchange: &Exchange) -> Sent {
        let Stage::Started(head) = std::mem::replace(&mut self.stage, Stage::Complete) else {
            unreachable!("it has been looked at");
        };
        let request = &*exchange.request;
        let Head { status, mut fields, length, trailers } = head;
        let is_streamed = more || trailers;
        let label = &exchange.hosted.label;
        if let Some(outcome) = sendfile_header::answer(request, label, status, &mut fields) {
            if is_streamed {
                self.stage = Stage::Unwanted { rest: Unwanted::new(), more, trailers };
            }
            if let Some(call) = self.call.take() {
                call.answer(outcome);
            }
            return Sent::Ready;
        }
        let discards = has_no_content(status) || request.method == Method::HEAD;
        if discards || !is_streamed {
            if is_streamed {
                self.stage = Stage::Unwanted { rest: Unwanted::new(), more, trailers };
            }
            let body = match request.method == Method::HEAD {
                true if length.is_some() || chunk.is_empty() || is_streamed => Body::Omitted,
                _ => chunk.into(),
            };
            self.answer(response(status, fields, body));
            return Sent::Ready;
        }
        // Behind a length there is no place for trailers (RFC 9112 section 7.1.2).
        let length = length.filter(|_| !trailers || request.version >= Version::HTTP_2);
        if length.is_none() {
            fields.remove(CONTENT_LENGTH);
        }
        let left = length.map(|length| length - chunk.len() as u64);
        let completions = self.call.as_ref().and_then(|call| call.reply.completions());
        let (sender, body) = pushed_body::channel(length, completions, exchange.waker());
        let has_room = sender.push(chunk).unwrap_or(true);
        self.answer(response(status, fields, body.into_body()));
        self.stage = Stage::Streaming { sender, left, trailers };
        if !more {
            self.end_content();
        }
        if has_room { Sent::Ready } else { Sent::Full }
    }

    /// Answers with a file that is named. With 200 it is answered as files of the site are.
    fn send_file(&mut self, path: PathBuf) {
        let Stage::Started(head) = std::mem::replace(&mut self.stage, Stage::Complete) else {
            unreachable!("it has been looked at");
        };
        let Head { status, mut fields, .. } = head;
        if has_no_content(status) {
            return self.answer(response(status, fields, Body::Empty));
        }
        // The length is that of what is sent, which may be a range.
        fields.remove(CONTENT_LENGTH);
        fields.remove(TRANSFER_ENCODING);
        if let Some(call) = self.call.take() {
            call.answer(Ok(match status {
                StatusCode::OK => Answer::File(path, fields),
                status => Answer::FileAs(status, path, fields),
            }));
        }
    }

    fn answer(&mut self, response: Response<Body>) {
        if let Some(call) = self.call.take() {
            call.answer(Ok(Answer::Reply(response)));
        }
    }

    /// The content is complete.
    fn end_content(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Complete) {
            Stage::Streaming { sender, trailers: true, .. } => {
                Stage::Trailers { sender, fields: HeaderMap::new() }
            }
            Stage::Streaming { sender, .. } => {
                sender.finish(None);
                Stage::Complete
            }
            _ => Stage::Complete,
        };
    }

    fn end_trailers(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Complete);
        if let Stage::Trailers { sender, fields } = stage {
            sender.finish(Some(fields).filter(|fields| !fields.is_empty()));
        }
    }
}

/// Whether the status leaves no room for content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5).
fn has_no_content(status: StatusCode) -> bool {
    use StatusCode as S;
    matches!(status, S::NO_CONTENT | S::RESET_CONTENT | S::NOT_MODIFIED)
}

/// How it is framed is the connection's to say, and its length too where all of it is there.
fn response(status: StatusCode, mut fields: HeaderMap, body: Body) -> Response<Body> {
    fields.remove(TRANSFER_ENCODING);
    let body = if has_no_content(status) { Body::Empty } else { body };
    if matches!(body, Body::Full(_)) || status == StatusCode::NO_CONTENT {
        fields.remove(CONTENT_LENGTH);
    } else if status == StatusCode::RESET_CONTENT {
        fields.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}

/// The length that the fields announce (RFC 9110 section 8.6).
fn announced(fields: &HeaderMap) -> PyResult<Option<u64>> {
    let mut values = fields.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().unwrap_or_default();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u64>() {
        Ok(length) if is_number && values.next().is_none() => Ok(Some(length)),
        _ => {
            let given = fields.get_all(CONTENT_LENGTH).iter().collect::<Vec<_>>();
            Err(PyValueError::new_err(format!(
                "a Content-Length is one number of bytes, not {given:?}"
            )))
        }
    }
}

/// Adds trailers to those that have come.
fn add(fields: &mut HeaderMap, given: &HeaderMap) -> PyResult<()> {
    if fields.len() + given.len() > MAX_FIELDS {
        let wrong = format!("a response has at most {MAX_FIELDS} trailers");
        return Err(PyValueError::new_err(wrong));
    }
    for (name, value) in given {
        fields.append(name, value.clone());
    }
    Ok(())
}

/// Tells the client of what the response will refer to.
fn send_early_hint(request: &Request, fields: HeaderMap) -> PyResult<()> {
    if request.version != Version::HTTP_11 {
        let why = "`extensions` of this request do not offer it";
        return Err(out_of_place("http.response.early_hint", why));
    }
    if !fields.is_empty() {
        request.connection.send_early_hints(fields);
    }
    Ok(())
}

/// Whether the first of the content fits the head.
fn check_whole(head: &Head, request: &Request, chunk: &Bytes, more: bool) -> PyResult<()> {
    if request.method == Method::HEAD || has_no_content(head.status) {
        return Ok(());
    }
    check_rest(head.length, chunk, more).map(drop)
}

/// How much of a length is left behind a chunk.
fn check_rest(left: Option<u64>, chunk: &Bytes, more: bool) -> PyResult<Option<u64>> {
    let Some(left) = left else { return Ok(None) };
    match left.checked_sub(chunk.len() as u64) {
        None => Err(PyRuntimeError::new_err("the response is longer than its Content-Length")),
        Some(1..) if !more => {
            Err(PyRuntimeError::new_err("the response is shorter than its Content-Length"))
        }
        rest => Ok(rest),
    }
}

/// A path that may be sent: absolute, and below one of the two folders by its names alone. Where it
/// leads is looked at as it is opened.
fn below_a_root(request: &Request, path: PathBuf) -> PyResult<PathBuf> {
    let options = &request.scope.options;
    let is_below = |root: &PathBuf| path.starts_with(root);
    let roots = [&options.web_root, &options.private_root];
    if is_plain(&path) && roots.into_iter().flatten().any(is_below) {
        return Ok(path);
    }
    Err(PyValueError::new_err(format!(
        "`http.response.pathsend`: expected a path below `private_root` or `web_root`, found `{}`",
        path.display()
    )))
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}
