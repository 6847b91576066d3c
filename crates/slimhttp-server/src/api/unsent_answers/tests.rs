//! Which answers count, and when a handler is called that finds no room.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri, Version};

use super::*;
use crate::api::handler::ConnectionHandle;
use crate::context::testing;
use crate::message::content::Content;

#[test]
fn only_what_is_in_memory_is_held() {
    let answers = Arc::new(UnsentAnswers::new(1));
    let held_all = |body: fn() -> Body| {
        let held = (0..9).map(|_| held(Answer::Reply(Response::new(body())), &answers));
        let held: Vec<_> = held.collect();
        (answers.has_room(), held).0
    };
    assert!(held_all(|| Body::Empty));
    assert!(held_all(|| Body::Omitted));
    assert!(!held_all(|| Body::from(&b"abc"[..])));
    assert!(answers.has_room(), "they are gone");
}

/// Finds no room the first time that it is called, and passes from then on.
#[derive(Default)]
struct Late(AtomicUsize);

impl Handler for Late {
    fn call(&self, _callee: Callee, _request: Arc<Request>) -> AnswerFuture {
        let outcome = match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err(HandlerFault::NoRoom),
            _ => Ok(Answer::Pass),
        };
        Box::pin(std::future::ready(outcome))
    }
}

fn request() -> Arc<Request> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Arc::new(Request {
        method: Method::GET,
        uri: Uri::from_static("/"),
        version: Version::HTTP_2,
        headers: HeaderMap::new(),
        path: b"/".to_vec(),
        body: Content::Whole(Bytes::new()),
        peer: address,
        local: address,
        tls: true,
        tls_session: None,
        scope: testing::server([]).live.current().site.global.clone(),
        connection: ConnectionHandle::default(),
        connection_data: None,
        handler_data: OnceLock::new(),
    })
}

#[test]
fn a_handler_is_called_when_there_is_room_and_again_where_it_found_none() {
    let answers = Arc::new(UnsentAnswers::new(1));
    let unsent: Vec<_> = (0..9).map(|_| answers.hold(Bytes::from_static(b"abc"))).collect();
    let late = Arc::new(Late::default());
    let handler: Arc<dyn Handler> = late.clone();
    let mut answer = pin!(call(&handler, Some(&answers), Callee::Upgrade, request()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(answer.as_mut().poll(&mut context).is_pending());
    assert_eq!(late.0.load(Ordering::Relaxed), 0, "the client is to read first");
    drop(unsent);
    let outcome = answer.as_mut().poll(&mut context);
    assert!(matches!(outcome, std::task::Poll::Ready(Ok(Answer::Pass))));
    assert_eq!(late.0.load(Ordering::Relaxed), 2);
}
