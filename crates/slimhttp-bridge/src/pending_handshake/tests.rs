//! What the client of a handshake is answered, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slimhttp_server::websocket::{self, PendingWebSocket};
use slimhttp_server::{Answer, HandlerFault};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::websocket::Handshake;
use tokio::sync::oneshot;

use super::{DECISION_TIME, PendingHandshake, PendingHandshakes};
use crate::outcome::CallOutcome;
use crate::reply::Reply;

fn held() -> (Reply, PendingWebSocket, oneshot::Receiver<CallOutcome>) {
    let key = http::HeaderValue::from_static("");
    let handshake = Handshake { key, subprotocol: None, deflate: None };
    let limits = crate::tests::request("/").scope.options.websocket.clone();
    let (_, _, websocket) = websocket::open(handshake, limits, || {});
    let (reply, answer) = Reply::channel(None);
    (reply, websocket, answer)
}

fn no() -> CallOutcome {
    Err(HandlerFault::Refused(Refusal::NotFound, None))
}

/// What the client has heard: `None` as long as it waits.
fn heard(answer: &mut oneshot::Receiver<CallOutcome>) -> Option<bool> {
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
    type Case = (fn(&PendingHandshake) -> bool, fn(&PendingHandshake) -> bool, bool);
    let accept = |pending_handshake: &PendingHandshake| {
        pending_handshake.accept();
        true
    };
    let refuse = |pending_handshake: &PendingHandshake| pending_handshake.refuse(no());
    let table: [Case; 4] = [
        (accept, accept, true),
        (accept, refuse, true),
        (refuse, accept, false),
        (refuse, refuse, false),
    ];
    for (case, (first, next, expected)) in table.into_iter().enumerate() {
        for early in [false, true] {
            let pending_handshake = PendingHandshake::new();
            let (reply, websocket, mut answer) = held();
            if early {
                assert!(first(&pending_handshake), "{case}");
                pending_handshake.attach(reply, websocket);
            } else {
                pending_handshake.attach(reply, websocket);
                assert_eq!(heard(&mut answer), None, "{case}");
                assert!(first(&pending_handshake), "{case}");
            }
            assert_eq!(heard(&mut answer), Some(expected), "{case}");
            // Who refuses too late learns it.
            let refuses = case % 2 == 1;
            assert_eq!(next(&pending_handshake), !refuses, "{case}");
        }
    }
}

#[test]
fn a_handler_that_says_nothing_opens_in_time() {
    let (handshakes, now) = (PendingHandshakes::default(), Instant::now());
    let (quick, slow, gone) =
        (PendingHandshake::new(), PendingHandshake::new(), PendingHandshake::new());
    let (reply, websocket, mut answer) = held();
    slow.attach(reply, websocket);
    for pending_handshake in [&quick, &slow, &gone] {
        handshakes.add(pending_handshake, now);
    }
    quick.accept();
    assert_eq!(Arc::weak_count(&gone), 1);
    drop(gone);
    assert!(handshakes.accept_due(now + DECISION_TIME / 2));
    assert_eq!(heard(&mut answer), None);
    assert!(!handshakes.accept_due(now + DECISION_TIME + Duration::from_millis(1)));
    assert_eq!(heard(&mut answer), Some(true));
    assert!(!handshakes.accept_due(now + 2 * DECISION_TIME));
}
