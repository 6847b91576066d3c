//! What is sent of the files that handlers name. What a path names is tested in
//! [`crate::files::tests`].

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use serde_json::json;

use super::*;
use crate::files::tests::{Fixture, TREE, headers, text};
use crate::message::error_page;

/// A file that a handler names is sent whatever it is, with the handler's fields.
#[tokio::test]
async fn what_a_handler_names_is_sent_as_it_is() {
    let site = Fixture::new(TREE, &json!({"scripts": true}));
    let lookup = site.lookup();
    for (name, method, expected) in [
        ("app.py", Method::GET, Ok("code")),
        ("app.pyc", Method::GET, Ok("compiled")),
        (".secret", Method::POST, Ok("secret")),
        ("page.html", Method::HEAD, Ok("")),
        ("a", Method::GET, Err(StatusCode::NOT_FOUND)),
        ("missing", Method::GET, Err(StatusCode::NOT_FOUND)),
    ] {
        let path = SafePath::of_names(name.as_bytes()).expect("plain names");
        let request = FileRequest { method: &method, headers: &HeaderMap::new(), rewritten: false };
        let fields = headers(&[(CACHE_CONTROL, "max-age=1")]);
        let found = match send_named(&lookup, &path, request, fields).await {
            Ok(response) => {
                assert_eq!(response.headers()[CACHE_CONTROL], "max-age=1");
                Ok(text(response).await)
            }
            Err(refused) => Err(refused.refusal.status()),
        };
        assert_eq!(found.as_deref().map_err(|status| *status), expected, "{method} {name}");
    }
}

#[tokio::test]
async fn what_is_for_handlers_only_is_stored_by_no_shared_cache() {
    let site = Fixture::new(TREE, &json!({}));
    let lookup = site.lookup().for_handlers_only();
    let path = SafePath::of_names(b"page.html").expect("a plain name");
    let request =
        FileRequest { method: &Method::GET, headers: &HeaderMap::new(), rewritten: false };
    let response = send_named(&lookup, &path, request, HeaderMap::new()).await;
    let response = response.unwrap_or_else(|refused| error_page::refuse(refused, false));
    assert_eq!(response.headers()[CACHE_CONTROL], "private, no-cache");
}

#[tokio::test]
async fn a_handler_that_names_the_coding_gets_the_file_as_it_is() {
    let long = "text ".repeat(1000);
    let site = Fixture::new(
        &[("a.txt", &*long), ("a.svg.gz", "packed")],
        &json!({"content_encoding": ["*.gz"]}),
    );
    let lookup = site.lookup();
    let accepted = headers(&[(ACCEPT_ENCODING, "gzip")]);
    let request = FileRequest { method: &Method::GET, headers: &accepted, rewritten: false };
    for (name, coding, own, length) in [
        ("a.txt", "gzip", None, None),
        ("a.txt", "br", Some((CONTENT_ENCODING, "br")), Some("5000")),
        ("a.txt", "", Some((ETAG, "\"own\"")), Some("5000")),
        ("a.svg.gz", "gzip", Some((CONTENT_ENCODING, "gzip")), Some("6")),
    ] {
        let path = SafePath::of_names(name.as_bytes()).expect("a plain name");
        let fields = headers(own.as_slice());
        let response = send_named(&lookup, &path, request, fields).await;
        let response = response.unwrap_or_else(|refused| error_page::refuse(refused, false));
        let sent = response.headers();
        let found = sent.get(CONTENT_ENCODING).map_or("", |value| value.to_str().expect("text"));
        assert_eq!(found, coding, "{name} {own:?}");
        if let Some(length) = length {
            assert_eq!(sent[CONTENT_LENGTH], length, "{name} {own:?}");
        }
        if name == "a.svg.gz" {
            assert_eq!(
                sent[CONTENT_TYPE], "image/svg+xml; charset=utf-8",
                "the type of what it holds"
            );
        }
    }
}

#[test]
fn the_methods_of_files_are_said() {
    let response = options(&Methods::of_files());
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()[http::header::ALLOW], "GET, HEAD, OPTIONS");
}
