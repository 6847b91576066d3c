//! What is decided once an exchange has its response, and before it has one: whether content is
//! left unread, who is refused first, and what may be sent again. In memory, without a protocol.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};
use slimhttp_site::route::RouteKind;
use slimhttp_site::value::Value;

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, Request as Call};
use crate::context::testing;
use crate::message::body::{BodyError, FileBody};
use crate::message::testing::body;

/// A stream of which nothing has come yet.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        std::task::Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Reads nothing, and answers with a page: in memory, of a file, or as a stream.
struct Unread;

impl Handler for Unread {
    fn call(&self, _callee: Callee, request: Arc<Call>) -> AnswerFuture {
        let body = match request.uri.path() {
            "/handled/memory" => Body::from("a page"),
            "/handled/file" => {
                let file = tempfile::tempfile().expect("a file");
                Body::File(FileBody::new(Arc::new(file), 0, 1 << 20))
            }
            _ => Body::stream(Endless),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, "text/html".parse().expect("a value"));
        Box::pin(async move { Ok(Answer::Reply(response)) })
    }
}

fn request(method: Method, target: &str) -> http::request::Builder {
    Request::builder().method(method).uri(target).header("host", "a")
}

#[tokio::test]
async fn content_that_nobody_reads_is_known_however_the_response_is_sent() {
    for live_reload in [false, true] {
        let options = [("debug", Value::from(live_reload))];
        let shared = testing::server_with_handler(options, RouteKind::Streamed, Unread);
        for (method, page, is_left) in [
            (Method::GET, "memory", true),
            (Method::GET, "file", true),
            (Method::GET, "stream", false),
            (Method::HEAD, "memory", true),
            (Method::HEAD, "file", true),
            (Method::HEAD, "stream", true),
        ] {
            let (_client, content) = body(Some(5));
            let request = request(method.clone(), &format!("/handled/{page}"))
                .header("accept", "text/html")
                .body(RequestBody::Incoming(content))
                .expect("a request");
            let connection = testing::connection(&shared);
            let response = answer(connection, request, None).await;
            assert_eq!(response.status(), 200);
            let is_unread = response.body().leaves_content_unread();
            assert_eq!(is_unread, is_left, "{method} {page}, live reload: {live_reload}");
        }
    }
}
