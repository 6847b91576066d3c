//! What is about one connection is left out.

use http::HeaderValue;

use super::*;

#[test]
fn fields_about_a_connection_are_removed() {
    let mut headers = HeaderMap::new();
    for name in ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
    }
    headers.insert("vary", HeaderValue::from_static("x"));
    remove_connection_fields(&mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["vary"]);
}
