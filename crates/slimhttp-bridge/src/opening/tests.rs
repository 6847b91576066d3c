//! What the client of a handshake is told, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slimhttp_server::handler::{Answer, HandlerFault};
use slimhttp_server::websocket::{self, PendingWebSocket};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::websocket::Handshake;
use tokio::sync::oneshot;

use super::{Opening, Openings, PATIENCE};
use crate::outcome::Verdict;
use crate::reply::Reply;

fn held() -> (Reply, PendingWebSocket, oneshot::Receiver<Verdict>) {
    let key = http::HeaderValue::from_static("");
    let handshake = Handshake { key, subprotocol: None, deflate: None };
    let limits = crate::tests::request("/").scope.options.websocket.clone();
    let (_, _, carriage) = websocket::open(handshake, limits, || {});
    let (reply, answer) = Reply::channel(None);
    (reply, carriage, answer)
}

fn no() -> Verdict {
    Err(HandlerFault::Refused(Refusal::NotFound, None))
}

/// What the client has heard: `None` as long as it waits.
fn heard(answer: &mut oneshot::Receiver<Verdict>) -> Option<bool> {
    match answer.try_recv() {
        Ok(Ok(Answer::WebSocket(_))) => Some(true),
        Ok(Err(HandlerFault::Refused(Refusal::NotFound, _))) => Some(false),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    }
}

#[test]
fn the_first_word_counts_whoever_comes_first() {
    /// What the handler does, what it does next, and what the client hears.
    type Case = (fn(&Opening) -> bool, fn(&Opening) -> bool, bool);
    let accept = |opening: &Opening| {
        opening.accept();
        true
    };
    let refuse = |opening: &Opening| opening.refuse(no());
    let table: [Case; 4] = [
        (accept, accept, true),
        (accept, refuse, true),
        (refuse, accept, false),
        (refuse, refuse, false),
    ];
    for (case, (first, next, expected)) in table.into_iter().enumerate() {
        for early in [false, true] {
            let opening = Opening::new();
            let (reply, carriage, mut answer) = held();
            if early {
                assert!(first(&opening), "{case}");
                opening.hold(reply, carriage);
            } else {
                opening.hold(reply, carriage);
                assert_eq!(heard(&mut answer), None, "{case}");
                assert!(first(&opening), "{case}");
            }
            assert_eq!(heard(&mut answer), Some(expected), "{case}");
            // Who says no too late is told so.
            let refuses = case % 2 == 1;
            assert_eq!(next(&opening), !refuses, "{case}");
        }
    }
}

#[test]
fn a_handler_that_says_nothing_opens_in_time() {
    let (openings, now) = (Openings::default(), Instant::now());
    let (quick, slow, gone) = (Opening::new(), Opening::new(), Opening::new());
    let (reply, carriage, mut answer) = held();
    slow.hold(reply, carriage);
    for opening in [&quick, &slow, &gone] {
        openings.add(opening, now);
    }
    quick.accept();
    assert_eq!(Arc::weak_count(&gone), 1);
    drop(gone);
    assert!(openings.look(now + PATIENCE / 2));
    assert_eq!(heard(&mut answer), None);
    assert!(!openings.look(now + PATIENCE + Duration::from_millis(1)));
    assert_eq!(heard(&mut answer), Some(true));
    assert!(!openings.look(now + 2 * PATIENCE));
}
