//! One request, one response: from the head of a request to the response that a protocol sends.

mod actions;
pub(crate) mod answer;
mod event_stream;
pub(crate) mod live_reload;
mod named;
mod request_trace;
pub(crate) mod tracking;

pub(crate) use answer::answer;
pub(crate) use tracking::{Tracked, note_refused};
