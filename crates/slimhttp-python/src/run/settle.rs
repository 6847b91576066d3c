//! What a handler has returned or raised becomes the answer of its call: at once, by a stream,
//! by a WebSocket, or later, where the event loop has to go on with it.

use pyo3::prelude::*;
use slimhttp_bridge::job::Call;
use slimhttp_bridge::retained_request::RetainedRequest;
use slimhttp_bridge::side::Side;
use slimhttp_server::{Answer, Callee};

use crate::objects::request::HttpRequest;
use crate::run::dispatcher::Dispatcher;
use crate::run::response::{self, ReturnValue};
use crate::run::retained::{PendingCall, Retained};
use crate::run::websocket;

impl Dispatcher {
    /// Answers a call by what its handler returned or raised.
    ///
    /// # Errors
    /// As [`Dispatcher::fail`].
    pub(crate) fn settle(
        &self,
        py: Python<'_>,
        side: Side,
        pending: PendingCall,
        result: PyResult<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let request = pending.request.bind(py).clone();
        let reading = result
            .and_then(|result| response::read(&self.callbacks, &request, result, &pending.what));
        match reading {
            Ok(ReturnValue::Answer(Answer::Pass)) => {
                self.keep_request(&pending.call, &request);
                pending.call.reply.send(Ok(Answer::Pass));
                Ok(())
            }
            Ok(ReturnValue::Answer(answer)) => {
                pending.call.answer(Ok(answer));
                Ok(())
            }
            Ok(ReturnValue::Iterator(iterator, head)) => match side {
                Side::Thread => self.open_stream(py, pending, iterator, head),
                Side::Loop => {
                    self.leave_stream(pending, iterator, head);
                    Ok(())
                }
            },
            Ok(ReturnValue::Awaitable(awaitable)) => self.hand_to_loop(py, pending, |pending| {
                Retained::Awaitable(awaitable.unbind(), pending)
            }),
            Ok(ReturnValue::AsyncIterator(iterator, head)) => {
                self.hand_to_loop(py, pending, |pending| {
                    Retained::AsyncIterator(iterator.unbind(), head, pending)
                })
            }
            Ok(ReturnValue::WebSocket(route)) => {
                websocket::open_on_thread(self, py, pending, &route)
            }
            Err(error) => self.fail(py, pending, error),
        }
    }

    fn keep_request(&self, call: &Call, request: &Bound<'_, HttpRequest>) {
        let source = &call.request;
        if source.handler_data.get().is_some() {
            return;
        }
        request.get().detach_from_source();
        let id = self.bridge.next_id();
        self.retained.keep(id, Retained::Request(request.clone().unbind()));
        let passed = match &call.callee {
            Callee::Route(id, _) => self.handlers.passed(*id),
            _ => None,
        };
        let retained = RetainedRequest { bridge: self.bridge.clone(), id, passed };
        // A request is asked about by one call at a time, so nobody was quicker;
        // had somebody been, what is dropped here releases its id.
        let _ = source.handler_data.set(Box::new(retained));
    }
}
