//! One request, one response: from the head of a request to the response that a protocol sends.
//!
//! `answer` goes through these stages, each of which has one place; docs/internals/requests.md
//! explains them. A new concern belongs to the stage whose question it answers.
//!
//! 1. **Counted** (`tracking`): the connection has one more exchange in flight.
//! 2. **Snapshot** (`live`): the site in force, taken once, for all of the request.
//! 3. **Direct** (`context::misdirected`): whether it has come by a connection that was made for
//!    its host; if not, that is all there is to say.
//! 4. **Plan** (`slimhttp_site::plan`, pure): the target, perhaps rewritten; the scope, by the
//!    host; the actions, in order. What is decided by the head alone is decided here: routes,
//!    redirects, preflights.
//! 5. **Record** (`tracking`): what the access log and the watchers of events get to know once
//!    the response is sent, or given up.
//! 6. **Admit** (`Exchange::admit`): whether the request is answered at all, whatever its plan
//!    says: addresses, malformed heads, announced lengths, expectations.
//! 7. **Perform** (`actions`): the actions in turn, until one replies.
//! 8. **Refuse** (`Exchange::refuse`): what failed becomes a page.
//! 9. **Compress** (`answer_coding`): what a handler has answered, where the client takes that.
//! 10. **Finish** (`Exchange::respond`): the fields of every response of the scope.
//! 11. **Wrap** (`live_reload`): around 6 to 10, where the scope says so.
//! 12. **HEAD** (`error_page::omit_content`): the content is left out.
//! 13. **Repeat** (`repeatable`): whether the response may be sent again without any of this.
//!
//! What is of one protocol (framing, the end of a connection) is no stage: `http1` and
//! `http2` see to it, before and after.

mod acme_challenge;
mod actions;
mod answer;
mod answer_coding;
mod event_stream;
mod handed_on;
mod live_reload;
mod named;
mod request_trace;
mod tracking;

pub(crate) use answer::answer;
pub(crate) use tracking::{Repeatable, Tracked, record_malformed};
