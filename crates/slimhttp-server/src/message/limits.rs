//! The limits that a client has run into, by the names of their options: in the log,
//! now and then, and on the page with `debug`. Who runs the server would otherwise
//! see a status in the access log, and guess which of the options it comes from.

use slimhttp_site::refusal::Refusal;

use crate::message::refused::ErrorResponse;
use crate::sys::clock::LogThrottle;

/// How much of a request had come in when it ran into a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// Its head was not complete.
    Head,
    /// Its head was, its body perhaps not.
    Body,
}

/// What was too much, and which option says so; None where it was no limit.
pub(crate) fn named(refusal: &Refusal, within: Within) -> Option<String> {
    Some(match (refusal, within) {
        (Refusal::ContentTooLarge(most), _) => format!("longer than {most} bytes: see `max_body`"),
        (Refusal::UriTooLong, _) => "the target is too long: see `max_uri`".into(),
        (Refusal::HeaderTooLarge, _) => {
            "the header section is too long, or has too many fields: see `max_head`, `max_headers`"
                .into()
        }
        (Refusal::RequestTimeout, Within::Head) => {
            "the head took too long to come: see `header_timeout`".into()
        }
        (Refusal::RequestTimeout, Within::Body) => {
            "the body did not go on for too long: see `body_timeout`".into()
        }
        _ => return None,
    })
}

/// Tells of a request that ran into a limit: of each kind every ten seconds at most,
/// for whoever can send requests must not fill the log.
pub(crate) fn tell(refusal: &Refusal, within: Within) {
    static TOLD: [LogThrottle; 5] = [const { LogThrottle::new() }; 5];
    let told = match (refusal, within) {
        (Refusal::ContentTooLarge(_), _) => &TOLD[0],
        (Refusal::UriTooLong, _) => &TOLD[1],
        (Refusal::HeaderTooLarge, _) => &TOLD[2],
        (Refusal::RequestTimeout, Within::Head) => &TOLD[3],
        (Refusal::RequestTimeout, Within::Body) => &TOLD[4],
        _ => return,
    };
    if told.allow()
        && let Some(why) = named(refusal, within)
    {
        tracing::info!("a request was answered {}: {why}", refusal.status().as_u16());
    }
}

/// Tells that handlers have no room for a request, as seldom; `why` names the option.
pub(crate) fn tell_of_no_room(why: &str) {
    static QUEUE: LogThrottle = LogThrottle::new();
    static THREADS: LogThrottle = LogThrottle::new();
    let told = if why == QUEUE_FULL { &QUEUE } else { &THREADS };
    if told.allow() {
        tracing::info!("a request was answered 503: {why}");
    }
}

/// More calls wait for handlers than may: told, and refused.
pub(crate) fn queue_full() -> ErrorResponse {
    tell_of_no_room(QUEUE_FULL);
    ErrorResponse::because(Refusal::Unavailable, QUEUE_FULL)
}

const QUEUE_FULL: &str = "too many calls wait for Python: see `max_queue`";

#[cfg(test)]
mod tests;
