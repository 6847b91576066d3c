//! What a page that is loaded anew is sent with, and what is left alone. In memory, without a
//! protocol.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use http_body_util::BodyExt as _;
use slimhttp_site::live_reload::HASH;
use slimhttp_site::plan::{Head, Plan};
use slimhttp_site::route::RouteKind;
use slimhttp_site::value::Value;

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, Request as Call};
use crate::context::server::ServerContext;
use crate::context::testing;
use crate::exchange::answer;
use crate::message::refused::DebugPage;
use crate::message::request_body::RequestBody;

/// What every page of [`Pages`] holds.
const PAGE: &str = "<p>a page</p>";

/// Answers with [`PAGE`]: known by its length, or as a stream; `/handled/data` is none.
struct Pages;

impl Handler for Pages {
    fn call(&self, _callee: Callee, request: Arc<Call>) -> AnswerFuture {
        let path = request.uri.path().to_owned();
        let body = match &*path {
            "/handled/stream" => {
                let page = futures_util::stream::iter([Ok(Frame::data(Bytes::from(PAGE)))]);
                Body::stream(http_body_util::StreamBody::new(page))
            }
            _ => Body::from(PAGE),
        };
        let kind = if path == "/handled/data" { "application/json" } else { "text/html" };
        let response = Response::builder()
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_SECURITY_POLICY, "script-src 'self'")
            .header(ETAG, "\"1\"")
            .header(ACCEPT_RANGES, "bytes")
            .body(body);
        Box::pin(async move { Ok(Answer::Reply(response.expect("a response"))) })
    }
}

/// A server that loads pages anew, of handlers and of `web_root`.
fn server(web_root: &std::path::Path) -> Arc<ServerContext> {
    let web_root = web_root.to_str().expect("text");
    let options = [("debug", true.into()), ("web_root", Value::from(web_root))];
    testing::server_with_handler(options, RouteKind::Whole, Pages)
}

/// The fields and the content of the response to a browser's request for a page, or to another
/// program's.
async fn fetch(
    shared: &Arc<ServerContext>,
    request: &str,
    is_navigation: bool,
) -> (StatusCode, HeaderMap, String) {
    let (method, target) = request.split_once(' ').expect("a method and a target");
    let accepted = if is_navigation { "text/html,*/*" } else { "*/*" };
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "a")
        .header(ACCEPT, accepted)
        .body(RequestBody::Collected(Bytes::new()))
        .expect("a request");
    let (parts, body) = request.into_parts();
    let response = answer(testing::connection(shared), Box::new(parts), body, None).await;
    let (parts, body) = response.into_parts();
    let content = body.collect().await.expect("a whole content").to_bytes();
    (parts.status, parts.headers, String::from_utf8(content.into()).expect("text"))
}

/// What is at the end of each page of this server, whose sources have not changed.
fn tail(shared: &Arc<ServerContext>) -> String {
    script_tag(&version(&testing::connection(shared), 0))
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_page_gets_its_script_and_what_lets_that_run() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("page.html"), PAGE).expect("a page");
    let shared = server(folder.path());
    for target in ["/handled/page", "/handled/stream", "/page.html"] {
        let (status, headers, content) = fetch(&shared, &format!("GET {target}"), true).await;
        assert_eq!(status, 200, "{target}");
        assert_eq!(content, PAGE.to_owned() + &tail(&shared), "{target}");
        for name in [ETAG, LAST_MODIFIED, ACCEPT_RANGES] {
            assert!(!headers.contains_key(&name), "{target}: {name} is of the page without it");
        }
        let length = text(&headers, CONTENT_LENGTH);
        assert!(length.is_empty() || length == content.len().to_string(), "{target}: {length}");
        let is_handled = target != "/page.html";
        let policy = text(&headers, CONTENT_SECURITY_POLICY);
        assert_eq!(policy.contains(HASH), is_handled, "{target}: {policy}");
        assert_eq!(headers.contains_key(CACHE_CONTROL), !is_handled, "{target}");
    }
}

#[tokio::test]
async fn the_answer_to_head_has_the_fields_of_the_one_to_get() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("page.html"), PAGE).expect("a page");
    let shared = server(folder.path());
    let whole = (PAGE.len() + tail(&shared).len()).to_string();
    for (target, length) in
        [("/handled/page", &*whole), ("/handled/stream", ""), ("/page.html", &*whole)]
    {
        let (status, headers, content) = fetch(&shared, &format!("HEAD {target}"), true).await;
        assert_eq!((status, &*content), (StatusCode::OK, ""), "{target}");
        assert_eq!(text(&headers, CONTENT_LENGTH), length, "{target}");
        let (_, mut other, _) = fetch(&shared, &format!("GET {target}"), true).await;
        // A protocol adds it to what is in memory.
        other.entry(CONTENT_LENGTH).or_insert(length.parse().expect("a value"));
        if length.is_empty() {
            other.remove(CONTENT_LENGTH);
        }
        assert_eq!(headers, other, "{target}");
    }
}

#[tokio::test]
async fn what_is_no_page_for_a_browser_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = server(folder.path());
    for (request, is_navigation) in
        [("GET /handled/data", true), ("GET /handled/page", false), ("POST /handled/page", true)]
    {
        let (_, headers, content) = fetch(&shared, request, is_navigation).await;
        assert_eq!(content, PAGE, "{request}");
        assert_eq!(text(&headers, ETAG), "\"1\"", "{request}");
        assert_eq!(text(&headers, CONTENT_SECURITY_POLICY), "script-src 'self'", "{request}");
    }
}

#[tokio::test]
async fn a_listener_is_not_traced() {
    let shared = testing::server([("debug", true.into())]);
    let mark = |path: &'static str| {
        let marked = shared.live.update(|draft| {
            let instance = Arc::make_mut(&mut draft.routes.instance);
            instance.debugged.insert(path.into())
        });
        assert!(marked.expect("it is valid"));
    };
    mark(PATH);
    mark("/page");
    let (connection, snapshot) = (testing::connection(&shared), shared.live.current());
    for (target, listens, is_traced) in
        [(PATH, true, false), ("/page", false, true), ("/other", false, false)]
    {
        let request = Request::builder().uri(target).header("host", "a").body(());
        let (mut parts, ()) = request.expect("a request").into_parts();
        let requested = parts.uri.clone();
        let head = Head {
            method: &parts.method,
            uri: &requested,
            version: parts.version,
            headers: &parts.headers,
            transport: connection.transport(),
        };
        let Plan { host, scope, target: planned, mut actions } = snapshot.site.plan(&head);
        let place = (host, scope);
        let mut exchange =
            Exchange::new(&connection, &snapshot, place, &requested, planned, &mut parts);
        let reload = LiveReload::of(&mut exchange, &actions, &requested);
        assert_eq!(reload == Some(LiveReload::Listen), listens, "{target}");
        match reload {
            Some(reload) => drop(reload.respond(&mut exchange, &mut actions).await),
            None => drop(exchange.respond(&mut actions).await),
        }
        assert_eq!(exchange.is_traced, is_traced, "{target}");
    }
}

/// A page that says why a program has not started, shown from now on.
fn show_failed_start(shared: &Arc<ServerContext>, shown_to: ShownTo) {
    let page = DebugPage {
        html: "<p>why</p>".to_owned(),
        policy: "default-src 'none'".to_owned(),
        sources: Vec::new(),
    };
    shared.failed_start.set(FailedStart { page, text: "why\n".to_owned(), shown_to });
}

#[tokio::test]
async fn a_failed_start_is_shown_to_whoever_opens_a_page() {
    for debug in [true, false] {
        let options = [("debug", Value::from(debug))];
        let shared = testing::server_with_handler(options, RouteKind::Whole, Pages);
        let before = tail(&shared);
        show_failed_start(&shared, ShownTo::Navigations);
        let after = tail(&shared);
        assert_ne!(before, after, "an open page is loaded anew");
        for target in ["/handled/page", "/missing"] {
            let (status, headers, content) = fetch(&shared, &format!("GET {target}"), true).await;
            assert_eq!(
                (status, content),
                (StatusCode::INTERNAL_SERVER_ERROR, "<p>why</p>".to_owned() + &after)
            );
            assert!(text(&headers, CONTENT_SECURITY_POLICY).contains(HASH), "debug: {debug}");
        }
        let (status, _, content) = fetch(&shared, "GET /handled/page", false).await;
        assert_eq!((status, &*content), (StatusCode::OK, PAGE), "debug: {debug}");
        let (status, ..) = fetch(&shared, "POST /handled/page", true).await;
        assert_eq!(status, StatusCode::OK, "debug: {debug}");
    }
}

#[tokio::test]
async fn where_nothing_else_is_there_a_failed_start_answers_everybody() {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = server(folder.path());
    show_failed_start(&shared, ShownTo::Everybody);
    for request in ["GET /handled/page", "POST /handled/data", "GET /missing"] {
        let (status, headers, content) = fetch(&shared, request, false).await;
        assert_eq!((status, &*content), (StatusCode::INTERNAL_SERVER_ERROR, "why\n"), "{request}");
        assert_eq!(text(&headers, CONTENT_TYPE), "text/plain; charset=utf-8", "{request}");
    }
}
