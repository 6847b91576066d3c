//! What is decided once an exchange has its response, and before it has one: whether content is
//! left unread, who is refused first, and what may be sent again. In memory, without a protocol.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::StreamBody;
use slimhttp_site::route::RouteKind;
use slimhttp_site::value::{Table, Value};

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, Request as Call};
use crate::context::server::ServerContext;
use crate::context::testing;
use crate::message::body::FileBody;
use crate::message::testing::body;

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
            _ => Body::stream(StreamBody::new(futures_util::stream::pending())),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, "text/html".parse().expect("a value"));
        Box::pin(async move { Ok(Answer::Reply(response)) })
    }
}

fn request(method: Method, target: &str) -> http::request::Builder {
    Request::builder().method(method).uri(target).header("host", "a")
}

async fn answered(
    connection: Arc<ConnectionContext>,
    request: Request<RequestBody>,
) -> Response<Tracked> {
    let (parts, body) = request.into_parts();
    answer(connection, Box::new(parts), body, None).await
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
            let response = answered(connection, request).await;
            assert_eq!(response.status(), 200);
            let is_unread = response.body().leaves_content_unread();
            assert_eq!(is_unread, is_left, "{method} {page}, live reload: {live_reload}");
        }
    }
}

#[tokio::test]
async fn who_may_not_ask_is_refused_before_what_is_asked_is_looked_at() {
    let forbidden = [("allow", Value::from("10.0.0.1")), ("max_body", 4.into())];
    let allowed = [("max_body", Value::from(4))];
    let [forbidden, allowed] = [testing::server(forbidden), testing::server(allowed)];
    // Each row has one fault less than the one before.
    for (shared, is_malformed, length, expected, status) in [
        (&forbidden, true, "5", "more", 403),
        (&allowed, true, "5", "more", 400),
        (&allowed, false, "5", "more", 413),
        (&allowed, false, "4", "more", 417),
        (&allowed, false, "4", "100-continue", 405),
    ] {
        let mut request = request(Method::POST, "/none")
            .header("content-length", length)
            .header("expect", expected)
            .body(RequestBody::Collected(Bytes::from_static(b"1234")))
            .expect("a request");
        if is_malformed {
            request.extensions_mut().insert(Refusal::BadRequest("a fault"));
        }
        let connection = testing::connection(shared);
        let response = answered(connection.clone(), request).await;
        assert_eq!(response.status(), status);
        let close_mode = connection.state.close_mode();
        assert_eq!(close_mode == CloseMode::Gracefully, status == 403, "{status}: {close_mode:?}");
    }
}

/// Leaves every request to whoever is next.
struct Passing;

impl Handler for Passing {
    fn call(&self, _callee: Callee, _request: Arc<Call>) -> AnswerFuture {
        Box::pin(async { Ok(Answer::Pass) })
    }
}

/// For how long what this server answers may be sent again.
async fn cacheable(shared: &Arc<ServerContext>, method: Method, target: &str) -> Option<Duration> {
    let request = request(method, target).body(RequestBody::Collected(Bytes::new()));
    let connection = testing::connection(shared);
    match answered(connection, request.expect("a request")).await.body().repeatable() {
        Repeatable::For(time) => Some(time),
        Repeatable::NotThis | Repeatable::ByHandler => None,
    }
}

/// The sources of this crate: files that nobody has changed just now.
const SOURCES: &str = env!("CARGO_MANIFEST_DIR");

/// The options of a server of these files, which are taken as unchanged for a minute.
fn files_in(folder: &str) -> [(&'static str, Value); 2] {
    let cache = Table::unit("revalidate".into(), 60.into());
    [("web_root", folder.into()), ("file_cache", cache.into())]
}

#[tokio::test]
async fn only_what_files_answer_alike_to_all_may_be_sent_again() {
    let redirects = || Table::unit("/old".into(), "/new".into()).into();
    for (option, target, may) in [
        (None, "/Cargo.toml", true),
        (None, "/none", true),
        (None, "/handled/none", false),
        (Some(("redirects", redirects())), "/Cargo.toml", true),
        (Some(("redirects", redirects())), "/old", false),
        (Some(("debug", true.into())), "/Cargo.toml", false),
        (Some(("pin_releases", 60.into())), "/Cargo.toml", false),
        (Some(("file_cache", false.into())), "/Cargo.toml", false),
        (Some(("max_body", 7.into())), "/Cargo.toml", true),
    ] {
        let row = format!("{option:?} {target}");
        let options = files_in(SOURCES).into_iter().chain(option);
        let shared = testing::server_with_handler(options, RouteKind::Whole, Passing);
        let left = cacheable(&shared, Method::GET, target).await;
        assert_eq!(left.is_some(), may, "{row}");
        // What was looked at is half as old as it may be.
        assert!(left.is_none_or(|left| left <= Duration::from_secs(30)), "{row}: {left:?}");
        assert_eq!(cacheable(&shared, Method::POST, target).await, None, "POST: {row}");
        let path = Arc::from(target);
        let marked = shared
            .live
            .update(|draft| Arc::make_mut(&mut draft.routes.instance).debugged.insert(path));
        assert!(marked.expect("it is valid"));
        assert_eq!(cacheable(&shared, Method::GET, target).await, None, "traced: {row}");
    }
}

#[tokio::test]
async fn what_somebody_hears_of_or_has_just_changed_is_not_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("new.txt"), "text").expect("a file");
    let fresh = testing::server(files_in(folder.path().to_str().expect("text")));
    assert_eq!(cacheable(&fresh, Method::GET, "/new.txt").await, None);
    let watched = testing::server(files_in(SOURCES));
    assert!(cacheable(&watched, Method::GET, "/Cargo.toml").await.is_some());
    watched.events.watch();
    assert_eq!(cacheable(&watched, Method::GET, "/Cargo.toml").await, None);
}
