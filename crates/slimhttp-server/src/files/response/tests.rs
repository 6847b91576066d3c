//! What is sent of a representation, from memory and from a file.

use std::io::Write as _;

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, RANGE,
    VARY,
};
use http_body_util::BodyExt as _;

use super::*;

const TEXT: &[u8] = b"0123456789";

fn representation(
    source: Source,
    length: usize,
    coding: Option<Coding>,
) -> Representation<'static> {
    Representation {
        source,
        length: length as u64,
        etag: Cow::Owned(ETag::strong("tag").expect("a tag")),
        content_length: None,
        last_modified: None,
        content_type: Cow::Owned(HeaderValue::from_static("text/plain")),
        coding,
        varies: coding.is_some(),
    }
}

fn respond_to(
    source: Source,
    method: &Method,
    fields: &[(http::HeaderName, &'static str)],
) -> Response<Body> {
    let value = |text: &&'static str| HeaderValue::from_static(text);
    let headers = fields.iter().map(|(name, text)| (name.clone(), value(text))).collect();
    respond(representation(source, TEXT.len(), Some(Coding::Gzip)), method, &headers)
}

fn file() -> Arc<File> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(TEXT).expect("written");
    Arc::new(file)
}

/// Requests, and the status and content that both sources give.
#[tokio::test]
async fn both_sources_give_the_same() {
    for (method, fields, status, expected) in [
        (Method::GET, &[][..], 200, &b"0123456789"[..]),
        (Method::HEAD, &[], 200, b""),
        (Method::GET, &[(RANGE, "bytes=0-0")], 206, b"0"),
        (Method::GET, &[(RANGE, "bytes=7-99")], 206, b"789"),
        (Method::GET, &[(RANGE, "bytes=-2")], 206, b"89"),
        (Method::HEAD, &[(RANGE, "bytes=0-0")], 200, b""),
        (Method::GET, &[(RANGE, "bytes=10-")], 416, b""),
        (Method::GET, &[(IF_NONE_MATCH, "\"tag\"")], 304, b""),
        (Method::GET, &[(IF_MATCH, "\"other\"")], 412, b""),
    ] {
        for source in [Source::Memory(Bytes::from_static(TEXT)), Source::File(file())] {
            let response = respond_to(source, &method, fields);
            assert_eq!(response.status().as_u16(), status, "{method} {fields:?}");
            let headers = response.headers().clone();
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            assert_eq!(body, expected, "{method} {fields:?}");
            if status == 200 {
                assert_eq!(headers[CONTENT_LENGTH], "10");
                assert_eq!(headers[CONTENT_ENCODING], "gzip");
                assert_eq!(headers[CONTENT_TYPE], "text/plain");
                assert_eq!(headers[VARY], "Accept-Encoding");
            }
        }
    }
}

#[tokio::test]
async fn several_ranges_come_each_behind_its_head() {
    let mut bodies = Vec::new();
    for source in [Source::Memory(Bytes::from_static(TEXT)), Source::File(file())] {
        let response = respond_to(source, &Method::GET, &[(RANGE, "bytes=0-1,8-9")]);
        assert_eq!(response.status().as_u16(), 206);
        let content_type = response.headers()[CONTENT_TYPE].to_str().expect("text").to_owned();
        let length = response.headers()[CONTENT_LENGTH].to_str().expect("text").to_owned();
        assert!(!response.headers().contains_key(CONTENT_RANGE));
        let (_, boundary) = content_type.split_once("boundary=").expect("a boundary");
        let boundary = boundary.trim_matches('"').to_owned();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body.len().to_string(), length);
        bodies.push(String::from_utf8(body.to_vec()).expect("text").replace(&boundary, "-"));
    }
    assert_eq!(bodies[0], bodies[1], "but for the boundary");
    for part in ["bytes 0-1/10\r\n\r\n01\r\n", "bytes 8-9/10\r\n\r\n89\r\n"] {
        assert!(bodies[0].contains(part), "{}", bodies[0]);
    }
}

/// What is read beyond the system's memory goes on as a body of a file.
#[tokio::test]
async fn a_long_range_of_a_file_is_read_as_it_is_sent() {
    let mut file = tempfile::tempfile().expect("a file");
    let text = "0123456789".repeat(10_000);
    file.write_all(text.as_bytes()).expect("written");
    let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=5-50004"))]);
    let response = respond(
        representation(Source::File(Arc::new(file)), text.len(), None),
        &Method::GET,
        &headers,
    );
    assert!(matches!(response.body(), Body::File(_)));
    assert_eq!(response.headers()[CONTENT_RANGE], "bytes 5-50004/100000");
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(body, text.as_bytes()[5..50_005]);
}
