//! What a request carries while Python keeps an object for it: from a handler that passed it on to
//! the next. By it an I/O thread knows, without Python, whose handler is to be named when nobody
//! answers in the end; dropped with the request, it releases the object.

use std::sync::Arc;
use std::time::Duration;

use slimhttp_server::{LogThrottle, Request};

use crate::bridge::Bridge;
use crate::job::InWords;
use crate::job_id::JobId;

/// How often a handler is named at most. What passes on to files on purpose is
/// asked for files that are not there every day.
const SPAN: Duration = Duration::from_secs(600);

/// The object that Python keeps for a [`Request`].
pub struct RetainedRequest {
    /// Where the object is released.
    pub bridge: Arc<Bridge>,
    /// The number of the object.
    pub id: JobId,
    /// The route whose handler was asked first and passed on.
    pub passed: Option<Arc<PassedHandler>>,
}

impl RetainedRequest {
    /// That of a request.
    pub fn of(request: &Request) -> Option<&Self> {
        request.handler_data.get()?.downcast_ref()
    }
}

impl Drop for RetainedRequest {
    fn drop(&mut self) {
        self.bridge.queue.release(self.id);
    }
}

/// The handler of a route, as the log names it where it passed on and nobody else
/// answered: mostly a `return` was forgotten.
#[derive(Debug)]
pub struct PassedHandler {
    /// What it is called in messages.
    label: Arc<str>,
    /// Where it stands, `FILE:LINE`; empty where Python does not know.
    place: String,
    logged: LogThrottle,
}

impl PassedHandler {
    /// One that was not logged yet.
    pub fn new(label: Arc<str>, place: String) -> Self {
        Self { label, place, logged: LogThrottle::new() }
    }

    /// Names it in the log: nobody has answered `request`.
    pub(crate) fn log_unanswered(&self, request: &Request) {
        if !self.logged.allow_every(SPAN) {
            return;
        }
        let (label, place) = (&self.label, &self.place);
        let at = if place.is_empty() { "" } else { ", " };
        tracing::info!(
            "{}: {label}{at}{place} returned None, and nobody else answered: was a `return` \
             forgotten?",
            InWords(request)
        );
    }
}

#[cfg(test)]
mod tests;
