//! How the proxy says no: which status a failure becomes, and the line in the log, which comes
//! once in a while however many requests fail (`upstream::failures`).

use slimhttp_site::refusal::Refusal;

use crate::message::refused::ErrorResponse;
use crate::upstream::error::{UpstreamError, UpstreamFault};
use crate::upstream::group::{NoPermit, UpstreamGroup};

/// The status for a request that got no response from an upstream.
pub(super) fn failed(
    error: &UpstreamError,
    upstream: usize,
    group: &UpstreamGroup,
) -> ErrorResponse {
    let failure = format!("{}: {error}", group.name(upstream));
    group.failures.log(&format!("upstream {failure}"));
    ErrorResponse::because(refusal(error.fault), failure)
}

fn refusal(fault: UpstreamFault) -> Refusal {
    match fault {
        UpstreamFault::Exhausted => Refusal::Unavailable,
        UpstreamFault::TimedOut => Refusal::GatewayTimeout,
        UpstreamFault::Failed => Refusal::BadGateway,
    }
}

/// 502: the upstream switches protocols, and the client has not asked for that.
pub(super) fn unasked_switch(upstream: usize, group: &UpstreamGroup) -> ErrorResponse {
    let cause = "101 Switching Protocols, which nobody asked for";
    group.failures.log(&format!("upstream {}: {cause}", group.name(upstream)));
    ErrorResponse::because(Refusal::BadGateway, cause)
}

/// 508: the request has been in this scope before, as its chain of `Via` says.
pub(super) fn loop_detected(chain: String, group: &UpstreamGroup) -> ErrorResponse {
    let failure = format!("upstream {}: a request came back", group.names());
    if let Some(suppressed) = group.failures.should_log(&failure) {
        tracing::error!("{failure}: {chain}{suppressed}");
    }
    ErrorResponse::because(Refusal::LoopDetected, chain)
}

/// 503: the upstreams carry as many requests as they may.
pub(super) fn no_permit(why: NoPermit, group: &UpstreamGroup) -> ErrorResponse {
    let cause = match why {
        NoPermit::QueueFull => "too many requests wait for the upstreams: see `proxy_max_queue`",
        NoPermit::TimedOut => "the upstreams had no place in time: see `proxy_max_requests`",
    };
    let failure = format!("upstream {}: requests are answered 503", group.names());
    if let Some(suppressed) = group.failures.should_log(&failure) {
        let (active, queued) = group.load();
        tracing::warn!(
            "{failure}, {active} are there and {queued} wait: see `proxy_max_requests`{suppressed}"
        );
    }
    ErrorResponse::because(Refusal::Unavailable, cause)
}
