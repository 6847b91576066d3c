//! When a request is sent again.

use std::cell::RefCell;

use super::*;
use crate::message::request_body::RequestBody;

fn upstream(host: &str, port: u16, tls: bool) -> Upstream {
    Upstream { host: host.into(), port, tls }
}

#[test]
fn an_upstream_gets_the_path_and_the_query() {
    for (upstream, target, uri) in [
        (upstream("app", 80, false), "/a?b=c", "http://app:80/a?b=c"),
        (upstream("app", 443, true), "http://host.example/a", "https://app:443/a"),
        (upstream("::1", 8000, false), "/", "http://[::1]:8000/"),
        (upstream("app", 80, false), "host.example:1", "http://app:80/"),
    ] {
        let target: Uri = target.parse().expect("is a target");
        let found = uri_at(&upstream, &target).map(|uri| uri.to_string());
        assert_eq!(found.as_deref(), Some(uri), "{target}");
    }
    assert_eq!(uri_at(&upstream("no host", 80, false), &Uri::from_static("/")), None);
}

#[test]
fn a_request_without_a_host_has_that_of_the_upstream() {
    for (upstream, host, expected) in [
        (upstream("app", 8000, false), None, "app:8000"),
        (upstream("app", 80, false), None, "app"),
        (upstream("app", 443, true), None, "app"),
        (upstream("app", 80, true), None, "app:80"),
        (upstream("app", 443, false), None, "app:443"),
        (upstream("::1", 8000, false), None, "[::1]:8000"),
        (upstream("::1", 80, false), None, "[::1]"),
        (upstream("app", 8000, false), Some("a.example"), "a.example"),
        (upstream("app", 8000, false), Some(""), ""),
    ] {
        let uri = uri_at(&upstream, &Uri::from_static("/")).expect("a name of a host");
        let headers = host.map(|host| (HOST, HeaderValue::from_static(host))).into_iter();
        let body = RequestBody::Collected(bytes::Bytes::new());
        let request = UpstreamRequest {
            method: Method::GET,
            uri: Uri::from_static("/"),
            headers: headers.collect(),
            body: ForwardedBody::new(body, 0, Duration::ZERO),
        };
        assert_eq!(request.to(&uri).headers()[HOST], expected, "{upstream:?}, {host:?}");
    }
}

/// Attempts that end as they are listed, and how many were made.
struct Attempts {
    outcomes: RefCell<Vec<Result<(), UpstreamError>>>,
    made: Cell<usize>,
}

impl Attempts {
    fn new(outcomes: impl IntoIterator<Item = Result<(), UpstreamError>>) -> Self {
        let mut outcomes: Vec<_> = outcomes.into_iter().collect();
        outcomes.reverse();
        Self { outcomes: RefCell::new(outcomes), made: Cell::new(0) }
    }

    fn next(&self) -> std::future::Ready<Result<(), UpstreamError>> {
        self.made.set(self.made.get() + 1);
        std::future::ready(self.outcomes.borrow_mut().pop().expect("nothing more is sent"))
    }
}

fn error(fault: UpstreamFault, progress: Progress) -> Result<(), UpstreamError> {
    Err(UpstreamError::new(fault, progress))
}

fn stale() -> Result<(), UpstreamError> {
    error(UpstreamFault::Failed, Progress::ClosedUnanswered)
}

#[tokio::test]
async fn a_request_that_may_be_repeated_is_sent_again_after_a_stale_connection() {
    let unknown = || error(UpstreamFault::Failed, Progress::Unknown);
    let refused = || error(UpstreamFault::Failed, Progress::NotConnected);
    for (outcomes, is_repeatable, made, is_ok) in [
        (vec![Ok(())], true, 1, true),
        (vec![stale(), Ok(())], true, 2, true),
        (vec![stale(), stale(), Ok(())], true, 3, true),
        (vec![stale(), stale(), stale()], true, 3, false),
        (vec![stale()], false, 1, false),
        (vec![unknown()], true, 1, false),
        (vec![refused()], true, 1, false),
        (vec![stale(), unknown()], true, 2, false),
    ] {
        let shown = format!("{outcomes:?}, {is_repeatable}");
        let attempts = Attempts::new(outcomes);
        let outcome = retry_stale(|| attempts.next(), || is_repeatable).await;
        assert_eq!((outcome.is_ok(), attempts.made.get()), (is_ok, made), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_descriptor_is_sent_again_until_its_time_is_over() {
    let exhausted = || error(UpstreamFault::Exhausted, Progress::NotConnected);
    let begun = Instant::now();
    let attempts = Attempts::new([exhausted(), exhausted(), Ok(())]);
    let outcome = with_descriptor(Duration::from_secs(5), || attempts.next()).await;
    assert!(outcome.is_ok());
    assert!(begun.elapsed() <= 2 * DESCRIPTOR_RETRY);

    let begun = Instant::now();
    let attempts = Attempts::new((0..1000).map(|_| exhausted()));
    let outcome = with_descriptor(Duration::from_secs(5), || attempts.next()).await;
    assert_eq!(outcome.expect_err("none is given back").fault, UpstreamFault::Exhausted);
    assert_eq!(begun.elapsed(), Duration::from_secs(5));

    let attempts = Attempts::new([stale()]);
    assert!(with_descriptor(Duration::from_secs(5), || attempts.next()).await.is_err());
    assert_eq!(attempts.made.get(), 1, "only for want of a descriptor");
}
