//! When a request is sent again.

use std::cell::{Cell, RefCell};

use super::*;

fn upstream(host: &str, port: u16, tls: bool) -> Upstream {
    Upstream { host: host.into(), port, tls }
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
        let fields = host.map(|host| (HOST, HeaderValue::from_static(host))).into_iter();
        let fields = fields.collect();
        assert_eq!(with_host(&fields, &upstream)[HOST], expected, "{upstream:?}, {host:?}");
    }
}

#[test]
fn a_request_is_repeated_where_that_changes_nothing() {
    use Progress::{NotConnected, Unanswered, Unknown, Unsent};
    for (progress, is_idempotent, has_content, expected) in [
        (Unanswered, true, true, true),
        (Unanswered, true, false, false),
        (Unanswered, false, true, false),
        // Nobody has seen it.
        (Unsent, true, true, true),
        (Unsent, false, true, true),
        (Unsent, true, false, false),
        // The upstream may have acted on it.
        (Unknown, true, true, false),
        // Another upstream's turn, see `send_round_robin`.
        (NotConnected, true, true, false),
    ] {
        let found = may_repeat(progress, is_idempotent, has_content);
        assert_eq!(found, expected, "{progress:?}, {is_idempotent}, {has_content}");
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
    Err(UpstreamError::new(fault, progress, ""))
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

    let attempts = Attempts::new([error(UpstreamFault::Failed, Progress::NotConnected)]);
    assert!(with_descriptor(Duration::from_secs(5), || attempts.next()).await.is_err());
    assert_eq!(attempts.made.get(), 1, "only for want of a descriptor");
}
