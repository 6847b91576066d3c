//! The limits that a client has run into, by the names of their options: in the log,
//! now and then, and on the page with `debug`. Who runs the server would otherwise
//! see a status in the access log, and guess which of the options it comes from. Called on
//! every I/O thread.

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

/// What was too much, and which option bounds it; `None` where it was no limit.
pub(crate) fn describe(refusal: &Refusal, within: Within) -> Option<String> {
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

/// Logs that a request ran into a limit: of each kind every ten seconds at most, for whoever
/// can send requests must not fill the log.
pub(crate) fn log(refusal: &Refusal, within: Within) {
    static THROTTLES: [LogThrottle; 5] = [const { LogThrottle::new() }; 5];
    let throttle = match (refusal, within) {
        (Refusal::ContentTooLarge(_), _) => &THROTTLES[0],
        (Refusal::UriTooLong, _) => &THROTTLES[1],
        (Refusal::HeaderTooLarge, _) => &THROTTLES[2],
        (Refusal::RequestTimeout, Within::Head) => &THROTTLES[3],
        (Refusal::RequestTimeout, Within::Body) => &THROTTLES[4],
        _ => return,
    };
    if throttle.allow()
        && let Some(why) = describe(refusal, within)
    {
        tracing::info!("a request was answered {}: {why}", refusal.status().as_u16());
    }
}

/// Logs that handlers have no room for a request, as seldom; `why` names the option.
pub(crate) fn log_no_room(why: &str) {
    static QUEUE: LogThrottle = LogThrottle::new();
    static THREADS: LogThrottle = LogThrottle::new();
    let throttle = if why == QUEUE_FULL { &QUEUE } else { &THREADS };
    if throttle.allow() {
        tracing::info!("a request was answered 503: {why}");
    }
}

/// More calls wait for handlers than may: logged, and refused.
pub(crate) fn queue_full() -> ErrorResponse {
    log_no_room(QUEUE_FULL);
    ErrorResponse::because(Refusal::Unavailable, QUEUE_FULL)
}

const QUEUE_FULL: &str = "too many calls wait for Python: see `max_queue`";

#[cfg(test)]
mod tests;
