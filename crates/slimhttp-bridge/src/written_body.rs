//! A response body that a running handler pushes: WSGI's `write()`. The writer is on a thread of
//! the interpreter, the body is polled on the I/O thread of its connection. Between them is one
//! chunk at most: the writer waits until the client can take more. Whichever is dropped tells the
//! other: a writer without an end breaks the response off, and a body that is gone says that the
//! client has left.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};
use parking_lot::Mutex;
use slimhttp_server::BodyError;

/// Both ends of a body.
pub fn channel() -> (Writer, WrittenBody) {
    let shared = Arc::new(Mutex::new(State::default()));
    (Writer(shared.clone()), WrittenBody(shared))
}

#[derive(Debug, Default)]
struct State {
    chunk: Option<Bytes>,
    /// How it has ended, if it has: well or not.
    end: Option<Result<(), ()>>,
    /// Whether the body is dropped.
    gone: bool,
    /// Who waits for a chunk.
    reader: Option<Waker>,
    /// Who waits for room.
    writer: Option<Waker>,
}

/// The client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// The end of the handler.
#[derive(Debug)]
pub struct Writer(Arc<Mutex<State>>);

impl Writer {
    /// Hands a chunk over once the one before it was taken; `chunk` is left empty then.
    ///
    /// # Errors
    /// [`Gone`], for ever.
    pub fn poll_write(
        &self,
        chunk: &mut Option<Bytes>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Gone>> {
        let mut state = self.0.lock();
        if state.gone {
            return Poll::Ready(Err(Gone));
        }
        if state.chunk.is_some() {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        state.chunk = chunk.take();
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Poll::Ready(Ok(()))
    }

    /// Whether nobody takes the body any more.
    pub fn is_gone(&self) -> bool {
        self.0.lock().gone
    }

    /// The body is whole.
    pub fn end(&self) {
        self.close(Ok(()));
    }

    /// No more comes, and the body is not whole: its connection breaks off.
    pub fn abort(&self) {
        self.close(Err(()));
    }

    fn close(&self, end: Result<(), ()>) {
        let mut state = self.0.lock();
        state.end.get_or_insert(end);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close(Err(()));
    }
}

/// The end of the connection.
#[derive(Debug)]
pub struct WrittenBody(Arc<Mutex<State>>);

impl Body for WrittenBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.0.lock();
        if let Some(chunk) = state.chunk.take() {
            let writer = state.writer.take();
            drop(state);
            wake(writer);
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(())) => {
                Poll::Ready(Some(Err("the application has not written all of its body".into())))
            }
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        state.chunk.is_none() && state.end == Some(Ok(()))
    }
}

impl Drop for WrittenBody {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.gone = true;
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
