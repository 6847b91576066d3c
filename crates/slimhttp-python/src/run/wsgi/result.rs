//! What an application has returned becomes the answer of its call: a list at once, a file by the
//! server, any other iterable chunk by chunk, or with `write` from the thread on which it runs.
//! Whatever happens, its `close()` is called once, by whoever is the last to need it.
//!
//! The head goes out with the first bytes (PEP 3333, "Handling the Content-Length Header" and
//! "Buffering and Streaming"): until then the application may call `start_response`, and what it
//! raises is a 500.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::Method;
use pyo3::exceptions::{PyKeyboardInterrupt, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyIterator, PyList, PyTuple};
use slimhttp_bridge::completion;
use slimhttp_bridge::job::{Call, InWords, Pull};
use slimhttp_bridge::pulled_body::PulledBody;
use slimhttp_bridge::release::Release;
use slimhttp_bridge::sendfile_header;
use slimhttp_bridge::side::Side;
use slimhttp_server::{Answer, Body, Request};
use slimhttp_site::route::Params;

use super::open_file::OpenFile;
use crate::objects::request::HttpRequest;
use crate::objects::unwanted::Unwanted;
use crate::objects::wsgi::file_wrapper::FileWrapper;
use crate::objects::wsgi::head::Head;
use crate::objects::wsgi::start_response::{StartResponse, Written, log_excess};
use crate::run::dispatcher::Dispatcher;
use crate::run::retained::{IteratorStream, OpenedFile, PendingCall, Retained};

/// A call of an application, on the thread that answers it.
pub(super) struct Exchange<'x, 'py> {
    pub(super) dispatcher: &'x Dispatcher,
    pub(super) context: Bound<'py, PyAny>,
    pub(super) start: Bound<'py, StartResponse>,
}

/// Who closes an iterable.
enum Closing {
    /// Whoever has it now.
    Now,
    /// Whoever has the stream, or the file; this is what has come of its first step.
    Later(PyResult<()>),
}

/// The bytes of a chunk.
///
/// # Errors
/// `TypeError` when it is not bytes.
pub(crate) fn read_chunk(chunk: &Bound<'_, PyAny>, what: &str) -> PyResult<Bytes> {
    match chunk.cast::<PyBytes>() {
        Ok(bytes) => Ok(Bytes::copy_from_slice(bytes.as_bytes())),
        Err(_) => {
            let found = chunk.get_type().name()?;
            Err(PyTypeError::new_err(format!("{what} gave `{found}`, expected bytes")))
        }
    }
}

impl<'py> Exchange<'_, 'py> {
    /// Answers by what the application has returned or raised.
    ///
    /// # Errors
    /// `KeyboardInterrupt`, and nothing else that an application raises.
    pub(super) fn settle(&self, result: PyResult<Bound<'py, PyAny>>) -> PyResult<()> {
        let result = match result {
            Ok(result) => result,
            Err(error) => return self.fail(error),
        };
        let outcome = match self.answer(&result) {
            Ok(Closing::Later(outcome)) => return outcome,
            Ok(Closing::Now) => Ok(()),
            Err(error) => self.fail(error),
        };
        let closed = self.close(&result);
        outcome.and(closed)
    }

    fn answer(&self, result: &Bound<'py, PyAny>) -> PyResult<Closing> {
        if let Some(written) = self.start().written() {
            self.write_rest(&written, &self.iterator(result)?)?;
            return Ok(Closing::Now);
        }
        if let Some(content) = self.read_sequence(result)? {
            self.answer_whole(content)?;
            return Ok(Closing::Now);
        }
        if let Ok(wrapper) = result.cast::<FileWrapper>() {
            let file = wrapper.get().filelike.bind(result.py());
            let contexts = &self.dispatcher.callbacks.contexts;
            if let Some(file) = OpenFile::behind(contexts, &self.context, file) {
                return self.send_file(result, file);
            }
        }
        self.iterate(result)
    }

    /// All chunks of a list or a tuple: they are there already, so none is waited for.
    fn read_sequence(&self, result: &Bound<'py, PyAny>) -> PyResult<Option<Bytes>> {
        let read = |chunk: &Bound<'_, PyAny>| read_chunk(chunk, self.start().label());
        let chunks = if let Ok(list) = result.cast_exact::<PyList>() {
            if list.len() == 1 {
                return read(&list.get_item(0)?).map(Some);
            }
            list.iter().map(|chunk| read(&chunk)).collect::<PyResult<Vec<_>>>()?
        } else if let Ok(tuple) = result.cast_exact::<PyTuple>() {
            tuple.iter().map(|chunk| read(&chunk)).collect::<PyResult<Vec<_>>>()?
        } else {
            return Ok(None);
        };
        let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
        chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        Ok(Some(whole.freeze()))
    }

    /// Answers with all of the content.
    fn answer_whole(&self, mut content: Bytes) -> PyResult<()> {
        let Some((call, head)) = self.take()? else { return Ok(()) };
        let length = content.len() as u64;
        if self.omits_content(&head) {
            let length = Some(length).filter(|length| *length > 0);
            call.answer(Ok(Answer::Reply(head.without_content(length))));
            return Ok(());
        }
        match head.length {
            Some(announced) if announced > length => {
                return Err(self.too_short(call, announced, length));
            }
            Some(announced) if announced < length => {
                log_excess(self.request(), announced);
                content.truncate(usize::try_from(announced).unwrap_or(usize::MAX));
            }
            _ => {}
        }
        call.answer(Ok(Answer::Reply(head.with_content(content))));
        Ok(())
    }

    /// The call and the head of its answer. `None` where a file is named by the head, and the call
    /// is answered by that.
    fn take(&self) -> PyResult<Option<(Call, Head)>> {
        let (call, mut head) = self.start().take()?;
        let fields = &mut head.fields;
        let label = self.start().label();
        Ok(match sendfile_header::answer(self.request(), label, head.status, fields) {
            None => Some((call, head)),
            Some(outcome) => {
                call.answer(outcome);
                None
            }
        })
    }

    /// The exception about a content that is shorter than its head announces; nothing of it is
    /// sent yet.
    fn too_short(&self, call: Call, announced: u64, length: u64) -> PyErr {
        self.start().put_back(call);
        PyValueError::new_err(format!(
            "the body has {length} bytes, its Content-Length is {announced}"
        ))
    }

    /// Whether no content is sent: the method is HEAD, or the status has none.
    fn omits_content(&self, head: &Head) -> bool {
        self.request().method == Method::HEAD || head.is_bodiless()
    }

    fn send_file(&self, result: &Bound<'py, PyAny>, file: OpenFile) -> PyResult<Closing> {
        let Some((call, mut head)) = self.take()? else { return Ok(Closing::Now) };
        let length = head.length.unwrap_or(file.length);
        if self.omits_content(&head) {
            call.answer(Ok(Answer::Reply(head.without_content(Some(length)))));
            return Ok(Closing::Now);
        }
        if length > file.length {
            return Err(self.too_short(call, length, file.length));
        }
        if length == 0 {
            call.answer(Ok(Answer::Reply(head.with_content(Bytes::new()))));
            return Ok(Closing::Now);
        }
        let request = match self.request_object(result.py()) {
            Ok(request) => request,
            Err(error) => {
                self.start().put_back(call);
                return Err(error);
            }
        };
        head.fields.insert(http::header::CONTENT_LENGTH, length.into());
        let bridge = self.dispatcher.bridge.clone();
        let opened = OpenedFile {
            iterable: result.clone().unbind(),
            request: request.unbind(),
            what: self.start().label().clone(),
        };
        let id = bridge.next_id();
        self.dispatcher.retained.keep(id, Retained::OpenedFile(opened));
        let (source, kept) = (Arc::new(file.file), Release { bridge, id });
        let body = Body::open_file(source, file.offset, length, kept);
        call.answer(Ok(Answer::Reply(head.with_body(body))));
        Ok(Closing::Later(Ok(())))
    }

    /// Answers by an iterable, from its first bytes on.
    fn iterate(&self, result: &Bound<'py, PyAny>) -> PyResult<Closing> {
        let iterator = self.iterator(result)?;
        let first = loop {
            // Empty chunks may go on for ever.
            if self.start().is_abandoned() {
                return Ok(Closing::Now);
            }
            let chunk = self.next(&iterator)?;
            if let Some(written) = self.start().written() {
                if let Some(chunk) = &chunk {
                    self.write(&written, chunk)?;
                }
                self.write_rest(&written, &iterator)?;
                return Ok(Closing::Now);
            }
            let Some(chunk) = chunk else {
                self.answer_whole(Bytes::new())?;
                return Ok(Closing::Now);
            };
            let chunk = read_chunk(&chunk, self.start().label())?;
            if !chunk.is_empty() {
                break chunk;
            }
        };
        let Some((call, head)) = self.take()? else { return Ok(Closing::Now) };
        if self.omits_content(&head) {
            call.answer(Ok(Answer::Reply(head.without_content(None))));
            return Ok(Closing::Now);
        }
        // What has one element has no other (PEP 3333, "Handling the Content-Length Header").
        let has_one = || result.len().is_ok_and(|elements| elements == 1);
        let length = head.length.or_else(|| has_one().then_some(first.len() as u64));
        match length {
            Some(announced) if announced <= first.len() as u64 => {
                self.answer_by_first(call, head, announced, first, &iterator)?;
                Ok(Closing::Now)
            }
            _ => self.stream(call, head, first, result, iterator),
        }
    }

    /// Answers with the first chunk, which is all that was announced. What stands behind it in the
    /// application runs then.
    fn answer_by_first(
        &self,
        call: Call,
        head: Head,
        announced: u64,
        mut first: Bytes,
        iterator: &Bound<'py, PyIterator>,
    ) -> PyResult<()> {
        let mut excess = announced < first.len() as u64;
        first.truncate(usize::try_from(announced).unwrap_or(usize::MAX));
        call.answer(Ok(Answer::Reply(head.with_content(first))));
        // The answer is not to wait for it.
        self.dispatcher.bridge.arm_watchdog();
        // Empty chunks may go on for ever, and nobody takes them.
        let mut rest = Unwanted::new();
        while !excess
            && rest.passes_over(0)
            && let Some(chunk) = self.next(iterator)?
        {
            excess = !read_chunk(&chunk, self.start().label())?.is_empty();
        }
        if excess {
            log_excess(self.request(), announced);
        }
        Ok(())
    }

    /// Answers with a stream that the first chunk begins. The next one is made at once, while that
    /// is on its way.
    fn stream(
        &self,
        call: Call,
        head: Head,
        first: Bytes,
        result: &Bound<'py, PyAny>,
        iterator: Bound<'py, PyIterator>,
    ) -> PyResult<Closing> {
        let py = result.py();
        let request = match self.request_object(py) {
            Ok(request) => request,
            Err(error) => {
                self.start().put_back(call);
                return Err(error);
            }
        };
        let bridge = &self.dispatcher.bridge;
        let (stream, source) = (bridge.next_id(), self.request());
        let subject: Arc<str> = InWords(source).to_string().into();
        let (host, debug) = (source.scope.name.clone(), source.scope.options.debug);
        let what = self.start().label().clone();
        let kept =
            IteratorStream::new(iterator.unbind(), request.unbind(), what, subject.clone(), debug)
                .of_wsgi(result.clone().unbind());
        self.dispatcher.retained.keep(stream, Retained::Iterator(kept));
        let (reply, next) = call.reply.chunk_reply();
        let (to, from) = (subject.clone(), host.clone());
        let body =
            PulledBody::new(bridge.clone(), Side::Thread, stream, subject, host, Some(first))
                .awaiting(next);
        let body = match head.length {
            Some(announced) => body.cut_to(announced),
            None => Body::stream(body),
        };
        call.reply.send(Ok(Answer::Reply(head.with_body(body))));
        completion::notify_batched();
        let pull = Pull { stream, subject: to, host: from, reply };
        Ok(Closing::Later(self.dispatcher.pull(py, pull)))
    }

    /// Writes what an iterable gives behind what `write` was given.
    fn write_rest(&self, written: &Written, iterator: &Bound<'py, PyIterator>) -> PyResult<()> {
        // An iterable that never ends is closed all the same, also where its chunks are empty.
        let mut rest = None;
        while !written.is_without_content()
            && let Some(chunk) = self.next(iterator)?
        {
            self.write(written, &chunk)?;
            if written.is_complete() {
                if !rest.get_or_insert_with(Unwanted::new).passes_over(0) {
                    break;
                }
            } else if written.is_gone() {
                written.abort();
                return Ok(());
            }
        }
        written.finish();
        Ok(())
    }

    fn write(&self, written: &Written, chunk: &Bound<'py, PyAny>) -> PyResult<()> {
        match chunk.cast::<PyBytes>() {
            Ok(bytes) => written.write(bytes),
            Err(_) => read_chunk(chunk, self.start().label()).map(drop),
        }
    }

    fn iterator(&self, result: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
        static ITER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if let Ok(iterator) = result.cast::<PyIterator>() {
            return Ok(iterator.clone());
        }
        let py = result.py();
        let iter = ITER.import(py, "builtins", "iter")?;
        let iterator = self.dispatcher.callbacks.contexts.run(py, (&self.context, iter, result))?;
        Ok(iterator.cast_into::<PyIterator>()?)
    }

    fn next(&self, iterator: &Bound<'py, PyIterator>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.dispatcher.callbacks.contexts.next(&self.context, iterator.as_any())
    }

    fn start(&self) -> &StartResponse {
        self.start.get()
    }

    fn request(&self) -> &Arc<Request> {
        self.start().request()
    }

    /// The request as the log and the debug page know it; most calls need none.
    fn request_object(&self, py: Python<'py>) -> PyResult<Bound<'py, HttpRequest>> {
        let callbacks = self.dispatcher.callbacks.clone();
        let request = HttpRequest::new(callbacks, self.request().clone(), Params::default());
        request.adopt_context(&self.context);
        Bound::new(py, request)
    }

    /// Answers that the application has failed, or breaks off what it has begun.
    fn fail(&self, error: PyErr) -> PyResult<()> {
        let py = self.context.py();
        let Some(call) = self.start().take_call() else {
            if let Some(written) = self.start().written() {
                written.abort();
            }
            return self.report(error);
        };
        match self.request_object(py) {
            Ok(request) => {
                let (request, what) = (request.unbind(), self.start().label().clone());
                self.dispatcher.fail(py, PendingCall { call, request, what }, error)
            }
            Err(no_memory) => {
                no_memory.write_unraisable(py, None);
                call.reply.send(Err(slimhttp_server::HandlerFault::Raised { page: None }));
                Ok(())
            }
        }
    }

    /// Logs what was raised once the call was answered.
    fn report(&self, error: PyErr) -> PyResult<()> {
        let py = self.context.py();
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            return Err(error);
        }
        match self.request_object(py) {
            Ok(request) => {
                let debug = self.request().scope.options.debug;
                self.dispatcher.failed(&request, &error, self.start().label(), debug);
            }
            Err(no_memory) => no_memory.write_unraisable(py, None),
        }
        Ok(())
    }

    fn close(&self, result: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = result.py();
        if result.is_exact_instance_of::<PyList>() || result.is_exact_instance_of::<PyTuple>() {
            return Ok(());
        }
        let closed = match result.getattr_opt(intern!(py, "close")) {
            Ok(Some(close)) => {
                self.dispatcher.callbacks.contexts.run(py, (&self.context, close)).map(drop)
            }
            outcome => outcome.map(drop),
        };
        closed.or_else(|error| self.report(error))
    }
}
