//! What is compressed of what handlers answer, and what is left as it is. In memory, without a
//! protocol.

use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, StreamBody};
use slimhttp_site::route::RouteKind;
use slimhttp_site::value::{Table, Value};

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, Request as Call};
use crate::context::connection::ConnectionContext;
use crate::context::server::ServerContext;
use crate::context::testing;
use crate::exchange::{Tracked, answer};
use crate::message::body::{BodyError, FileBody};
use crate::message::request_body::RequestBody;
use crate::message::testing::decoded;

const LINE: &str = "a line that repeats itself\n";

/// Answers with what the path names.
struct Pages;

impl Handler for Pages {
    fn call(&self, _callee: Callee, request: Arc<Call>) -> AnswerFuture {
        let body = match request.uri.path().trim_start_matches("/handled/") {
            "short" => Body::from("a".repeat(1023)),
            "page" => Body::from(LINE.repeat(100)),
            "long" => Body::from(LINE.repeat(10_000)),
            "stream" => {
                let pieces = (0..3).map(|_| {
                    Ok::<_, BodyError>(http_body::Frame::data(Bytes::from_static(LINE.as_bytes())))
                });
                let pieces: Vec<_> = pieces.collect();
                Body::stream(StreamBody::new(futures_util::stream::iter(pieces)))
            }
            "file" => {
                let file = tempfile::tempfile().expect("a file");
                file.set_len(5000).expect("a file");
                Body::File(FileBody::new(Arc::new(file), 0, 5000))
            }
            "noise" => Body::from(crate::samples::noise().take(2000).collect::<Vec<u8>>()),
            _ => Body::Empty,
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, "text/plain".parse().expect("a value"));
        headers.insert(ETAG, "\"tag\"".parse().expect("a value"));
        for (name, value) in &request.headers {
            if let Some(name) = name.as_str().strip_prefix("x-answer-") {
                let name = http::HeaderName::try_from(name).expect("a name");
                headers.insert(name, value.clone());
            }
        }
        Box::pin(async move { Ok(Answer::Reply(response)) })
    }
}

fn server(options: impl IntoIterator<Item = (&'static str, Value)>) -> Arc<ServerContext> {
    testing::server_with_handler(options, RouteKind::Whole, Pages)
}

/// What is answered to a client of gzip.
async fn ask(
    shared: &Arc<ServerContext>,
    method: Method,
    target: &str,
    fields: &[(&str, &str)],
) -> Response<Tracked> {
    ask_on(testing::connection(shared), method, target, fields).await
}

async fn ask_on(
    connection: Arc<ConnectionContext>,
    method: Method,
    target: &str,
    fields: &[(&str, &str)],
) -> Response<Tracked> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "a")
        .header(ACCEPT_ENCODING, "gzip");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    answer(connection, Box::new(parts), RequestBody::Collected(Bytes::new()), None).await
}

async fn content(response: Response<Tracked>) -> (HeaderMap, Vec<u8>) {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("it is whole").to_bytes();
    (parts.headers, bytes.to_vec())
}

#[tokio::test]
async fn pages_and_streams_of_handlers_are_compressed() {
    let shared = server([]);
    for (page, text, is_whole) in [
        ("page", LINE.repeat(100), true),
        ("long", LINE.repeat(10_000), false),
        ("stream", LINE.repeat(3), false),
    ] {
        let response = ask(&shared, Method::GET, &format!("/handled/{page}"), &[]).await;
        assert_eq!(response.body().whole().is_some(), is_whole, "{page}");
        let (headers, bytes) = content(response).await;
        assert_eq!(headers[CONTENT_ENCODING], "gzip", "{page}");
        assert_eq!(headers[VARY], "Accept-Encoding", "{page}");
        assert_eq!(headers[ETAG], "W/\"tag\"", "{page}");
        assert!(!headers.contains_key(CONTENT_LENGTH), "{page}");
        assert_eq!(decoded(Coding::Gzip, &bytes), (text.into_bytes(), true), "{page}");
    }
}

#[tokio::test]
async fn what_is_short_or_has_another_length_or_is_no_shorter_in_a_coding_stays() {
    let shared = server([]);
    for (page, fields, length, varies) in [
        ("short", &[][..], 1023, false),
        ("nothing", &[], 0, false),
        ("noise", &[], 2000, true),
        ("file", &[], 5000, false),
        ("page", &[("x-answer-content-length", "9")], 2700, false),
        ("page", &[("x-answer-content-length", "many")], 2700, false),
        ("page", &[("x-answer-content-encoding", "identity")], 2700, false),
        ("page", &[("x-answer-content-type", "image/png")], 2700, false),
        ("page", &[("x-answer-cache-control", "no-transform")], 2700, false),
    ] {
        let response = ask(&shared, Method::GET, &format!("/handled/{page}"), fields).await;
        let (headers, bytes) = content(response).await;
        let coding = headers.get(CONTENT_ENCODING);
        assert!(coding.is_none_or(|coding| coding == "identity"), "{page} {fields:?}");
        assert_eq!(headers[ETAG], "\"tag\"", "{page} {fields:?}");
        assert_eq!(headers.contains_key(VARY), varies, "{page} {fields:?}");
        assert_eq!(bytes.len(), length, "{page} {fields:?}");
    }
}

#[tokio::test]
async fn what_a_length_was_announced_for_is_compressed_without_it() {
    let shared = server([]);
    let length = [("x-answer-content-length", "81")];
    let response = ask(&shared, Method::GET, "/handled/stream", &length).await;
    assert_eq!(response.headers()[CONTENT_LENGTH], "81", "it is short");
    let compress = Table::unit("min_size".into(), 81.into());
    let shared = server([("compress", compress.into())]);
    let response = ask(&shared, Method::GET, "/handled/stream", &length).await;
    let (headers, bytes) = content(response).await;
    assert!(!headers.contains_key(CONTENT_LENGTH));
    assert_eq!(decoded(Coding::Gzip, &bytes), (LINE.repeat(3).into_bytes(), true));
}

#[tokio::test]
async fn the_head_of_an_answer_to_head_is_that_of_one_to_get() {
    let shared = server([]);
    for page in ["short", "noise", "page", "long", "stream"] {
        let target = format!("/handled/{page}");
        let get = ask(&shared, Method::GET, &target, &[]).await;
        let length = get.body().whole().map(|whole| whole.len().to_string());
        let head = ask(&shared, Method::HEAD, &target, &[]).await;
        let (mut headers, bytes) = content(head).await;
        assert!(bytes.is_empty(), "{page}");
        let announced = headers.remove(CONTENT_LENGTH);
        assert_eq!(announced.map(|it| it.to_str().expect("text").to_owned()), length, "{page}");
        assert_eq!(&headers, get.headers(), "{page}");
        assert!(shared.encoders.acquire(2).is_some(), "{page}: none works for HEAD");
    }
    // What a handler says of a content that it has not made.
    let length = [("x-answer-content-length", "5000")];
    let head = ask(&shared, Method::HEAD, "/handled/none", &length).await;
    assert_eq!(head.headers()[CONTENT_ENCODING], "gzip");
    assert!(!head.headers().contains_key(CONTENT_LENGTH));
}

#[tokio::test]
async fn the_options_of_the_scope_hold() {
    let compress = |key: &str, value: Value| Table::unit(key.into(), value).into();
    for (option, is_coded) in [
        (Value::from(true), true),
        (Value::from(false), false),
        (compress("dynamic", false.into()), false),
        (compress("on_the_fly", false.into()), false),
        (compress("min_size", 2701.into()), false),
        (compress("encodings", "br".into()), false),
    ] {
        let row = format!("{option:?}");
        let shared = server([("compress", option)]);
        let response = ask(&shared, Method::GET, "/handled/page", &[]).await;
        assert_eq!(response.headers().contains_key(CONTENT_ENCODING), is_coded, "{row}");
    }
}

#[tokio::test]
async fn beyond_so_many_answers_others_are_sent_as_they_are() {
    let compress = Table::unit("max_encoders".into(), 1.into());
    let shared = server([("compress", compress.into())]);
    let first = ask(&shared, Method::GET, "/handled/long", &[]).await;
    assert_eq!(first.headers()[CONTENT_ENCODING], "gzip");
    let second = ask(&shared, Method::GET, "/handled/long", &[]).await;
    assert!(!second.headers().contains_key(CONTENT_ENCODING));
    assert_eq!(second.headers()[VARY], "Accept-Encoding");
    let head = ask(&shared, Method::HEAD, "/handled/long", &[]).await;
    assert_eq!(head.headers()[CONTENT_LENGTH], "270000");
    // A short one takes no encoder of these.
    let short = ask(&shared, Method::GET, "/handled/page", &[]).await;
    assert_eq!(short.headers()[CONTENT_ENCODING], "gzip");
    drop(first);
    let third = ask(&shared, Method::GET, "/handled/long", &[]).await;
    assert_eq!(third.headers()[CONTENT_ENCODING], "gzip");
}

#[tokio::test]
async fn what_the_server_itself_answers_stays_as_it_is() {
    let shared = server([("compress", Table::unit("min_size".into(), 0.into()).into())]);
    let response = ask(&shared, Method::GET, "/none", &[]).await;
    assert_eq!(response.status(), 404);
    assert!(!response.headers().contains_key(CONTENT_ENCODING));
}

#[tokio::test]
async fn what_is_compressed_counts_for_its_connection_until_it_is_sent() {
    let shared = server([]);
    let connection = testing::connection(&shared);
    connection.state.limit_unsent_answers(1);
    let mut answers = Vec::new();
    // A few may be held, however long they are.
    for _ in 0..4 {
        answers.push(ask_on(connection.clone(), Method::GET, "/handled/page", &[]).await);
    }
    let unsent = connection.state.unsent_answers().expect("it is limited");
    assert!(!unsent.has_room());
    drop(answers);
    assert!(unsent.has_room());
}
